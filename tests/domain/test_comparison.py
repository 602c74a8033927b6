"""Which numbers and files differ between two checkpoints."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.comparison import FileChange, ValueChange, compare_files, compare_values, new_content


def test_values_that_differ():
    before = {"loss": 0.245, "same": 1, "gone": 3, "flag": 1, "null": None}
    after = {"loss": 0.25, "same": 1.0, "new": "x", "flag": True, "null": None}
    assert compare_values(before, after) == [
        ValueChange("flag", 1, True),
        ValueChange("gone", 3, None, has_after=False),
        ValueChange("loss", 0.245, 0.25),
        ValueChange("new", None, "x", has_before=False),
    ]
    assert ValueChange("a", 1, 3).delta == 2
    assert ValueChange("a", 1, "3").delta is None


def test_files_that_differ():
    before = {"same": "1", "changed": "2", "gone": "3", "old name": "4"}
    after = {"same": "1", "changed": "5", "new": "6", "new name": "4"}
    assert compare_files(before, after) == [
        FileChange("changed", "changed", "5"),
        FileChange("removed", "gone", None),
        FileChange("added", "new", "6"),
        FileChange("renamed", "new name", "4", "old name"),
    ]
    assert new_content(before, after) == {"5", "6"}


def test_equal_contents_are_renamed_one_by_one():
    assert compare_files({"a": "1", "b": "1"}, {"c": "1"}) == [
        FileChange("removed", "b", None),
        FileChange("renamed", "c", "1", "a"),
    ]


FILES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"))


@given(FILES, FILES)
def test_changes_lead_from_the_one_to_the_other(before: dict[str, str], after: dict[str, str]):
    files = dict(before)
    for change in compare_files(before, after):
        if change.old_path:
            del files[change.old_path]
        if change.md5 is None:
            del files[change.path]
        else:
            files[change.path] = change.md5
    assert files == after
