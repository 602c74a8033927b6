"""Three-way merges of listings, facts, settings and lines: what holds for any three."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.checkpoint import Checkpoint, Code
from cpvlib.domain.merging import Side, merge_config, merge_facts, merge_lines, merge_listings

A, B, C, D = (letter * 32 for letter in "abcd")

paths = st.sampled_from(["a", "b", "c", "d/a", "d/b", "e/f/g"])
md5s = st.sampled_from([A, B, C, D])
files = st.dictionaries(paths, md5s, max_size=6)
# Folders that can be: no path is a file and a folder at once.
clashing = st.dictionaries(st.sampled_from(["a", "a/b", "a/b/c", "d", "d/e"]), md5s, max_size=4)


def is_folder(entries: dict[str, str]) -> bool:
    return not any(other.startswith(f"{path}/") for path in entries for other in entries)


folders = files | clashing.filter(is_folder)


@given(folders, folders)
def test_what_only_one_side_changed_is_taken_whole(base: dict[str, str], changed: dict[str, str]) -> None:
    for one, other in ((base, changed), (changed, base), (changed, changed)):
        merged = merge_listings(base, one, other)
        assert (merged.entries, merged.conflicts) == (changed, ())


@given(folders, folders, folders)
def test_the_sides_may_be_exchanged(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    one, other = merge_listings(base, ours, theirs), merge_listings(base, theirs, ours)
    assert one.entries == other.entries
    assert {c.path for c in one.conflicts} == {c.path for c in other.conflicts}
    preferred = merge_listings(base, ours, theirs, Side.OURS)
    assert preferred == merge_listings(base, theirs, ours, Side.THEIRS)


@given(folders, folders, folders)
def test_no_change_is_lost_without_a_word(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    """Every new content of a side is in the folder, or its path or one around it is in conflict."""
    merged = merge_listings(base, ours, theirs)
    told = {conflict.path for conflict in merged.conflicts}
    for side in (ours, theirs):
        for path, md5 in side.items():
            if md5 in base.values() or md5 in merged.entries.values():
                continue
            assert any(path == each or path.startswith(f"{each}/") for each in told), path


@given(folders, folders, folders, st.sampled_from(list(Side)))
def test_a_side_settles_everything(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str], side: Side
) -> None:
    merged = merge_listings(base, ours, theirs, side)
    assert merged.conflicts == ()
    assert is_folder(dict(merged.entries))
    assert set(merged.entries.items()) <= {*ours.items(), *theirs.items(), *base.items()} | {
        (path, md5) for path in {*ours, *theirs} for md5 in {*ours.values(), *theirs.values()}
    }


@given(folders, folders, folders)
def test_a_file_that_one_side_removed_stays_removed(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    merged = merge_listings(base, ours, theirs)
    for path in base:
        if path not in ours and theirs.get(path) == base[path]:
            assert path not in merged.entries


@given(folders, folders, folders)
def test_merging_the_merge_again_changes_nothing(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    merged = merge_listings(base, ours, theirs, Side.OURS).entries
    assert merge_listings(theirs, merged, theirs).entries == merged
    assert merge_listings(ours, ours, merged).entries == merged


def test_a_renamed_file_takes_the_other_sides_change_along() -> None:
    base, renamed = {"old": A, "other": B}, {"new": A, "other": B}
    for ours, theirs in ((renamed, {"old": C, "other": B}), ({"old": C, "other": B}, renamed)):
        assert merge_listings(base, ours, theirs).entries == {"new": C, "other": B}


def test_a_rename_that_could_be_another_is_none() -> None:
    merged = merge_listings({"x": A, "y": A}, {"z": A}, {"x": C, "y": A})
    assert merged.entries == {"z": A}
    assert [(c.path, c.reason) for c in merged.conflicts] == [("x", "removed here and changed there")]


def test_a_file_in_a_folders_place_is_a_conflict_until_a_side_is_chosen() -> None:
    base, ours, theirs = {}, {"a": A}, {"a/b": B, "c": C}
    assert [c.path for c in merge_listings(base, ours, theirs).conflicts] == ["a"]
    assert merge_listings(base, ours, theirs).entries == {"c": C}
    assert merge_listings(base, ours, theirs, Side.OURS).entries == {"a": A, "c": C}
    assert merge_listings(base, ours, theirs, Side.THEIRS).entries == {"a/b": B, "c": C}


def facts(time: str, **metrics: float) -> bytes:
    return Checkpoint(metrics, {"seed": 1}, Code("c" * 40), time=time).render()


def test_facts_of_one_model_merge_key_by_key_and_the_later_number_counts() -> None:
    base = facts("2026-01-01T00:00:00Z", loss=0.5, old=1)
    ours = facts("2026-01-03T00:00:00Z", loss=0.4, wer=9)
    theirs = facts("2026-01-02T00:00:00Z", loss=0.3, old=1, f1=0.9)
    merged = facts("2026-01-03T00:00:00Z", loss=0.4, wer=9, f1=0.9)
    assert merge_facts(base, ours, theirs) == merge_facts(base, theirs, ours) == merged
    assert merge_facts(None, ours, theirs) is not None
    assert merge_facts(base, ours, base) == ours
    assert merge_facts(base, base, ours) == ours


CONFIG = b'[cpv]\n\tteam = T\n\tmodel = m\n[cpv "model"]\n\tout = model.bin\n[cpv "data"]\n\tout = data\n'


def test_outs_come_and_go_one_by_one() -> None:
    ours = CONFIG.replace(b"\tout = model.bin\n", b"\tout = model.bin\n\tout = tokenizer\n")
    theirs = CONFIG.replace(b"\tout = model.bin\n", b"\tout = vocab\n").replace(
        b"out = data", b"out = corpus"
    )
    merged, conflicts = merge_config(CONFIG, ours, theirs)
    assert conflicts == []
    assert merged == (
        b'[cpv]\n\tteam = T\n\tmodel = m\n[cpv "model"]\n\tout = tokenizer\n\tout = vocab\n'
        b'[cpv "data"]\n\tout = corpus\n'
    )


def test_one_setting_of_two_values_is_a_conflict_until_a_side_is_chosen() -> None:
    ours, theirs = CONFIG.replace(b"= T", b"= U"), CONFIG.replace(b"= T", b"= V")
    assert merge_config(CONFIG, ours, theirs) == (ours, ["cpv.team"])
    assert merge_config(CONFIG, ours, theirs, Side.THEIRS) == (theirs, [])


def test_lines_of_both_sides_stay_and_those_that_one_took_out_go() -> None:
    assert merge_lines(b"/a\n/b\n", b"/a\n/b\n/c\n", b"/b\n/d") == b"/b\n/c\n/d\n"


@pytest.mark.parametrize("side", ["ours", "theirs", "base"])
def test_a_side_names_itself(side: str) -> None:
    assert Side(side).of("base", "ours", "theirs") == side
