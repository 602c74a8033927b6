"""`.cpvconfig`: read as git reads it, edited without touching what an edit is not about. Git is the judge."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError
from cpvlib.domain.cpvconfig import (
    CommittedConfig,
    add_values,
    canonical,
    entries,
    remove_values,
    set_value,
)

MIXED = b"""\
# the team's settings
[cpv]
\tteam = AI-Convo   ; who we are
  model=faster-whisper
[CPV "model"]
\tout = "shards of; it"
\tout = tokenizer\\
-fast
[core]
\tpager = rm -rf /
[cpv "metric.Word Error"] goal = min
"""


def git_reads(data: bytes) -> list[tuple[str, str | None]] | None:
    """What git makes of the file, None where it refuses it."""
    done = subprocess.run(
        ["git", "config", "-z", "--list", "--no-includes", "--file", "-"], input=data, capture_output=True
    )
    if done.returncode:
        return None
    fields = [field.partition(b"\n") for field in done.stdout.split(b"\0")[:-1]]
    return [(key.decode(), value.decode() if has else None) for key, has, value in fields]


def we_read(data: bytes) -> list[tuple[str, str | None]] | None:
    try:
        return [(entry.key, entry.value) for entry in entries(data)]
    except ConfigError:
        return None


def plain(found: list[tuple[str, str | None]] | None) -> list[tuple[str, str | None]] | None:
    """With spaces for tabs and carriage returns inside of values, which is what git < 2.45 makes of them."""
    blanks = str.maketrans("\t\r", "  ")
    return None if found is None else [(key, value and value.translate(blanks)) for key, value in found]


def test_a_file_written_by_hand_is_read_as_git_reads_it() -> None:
    assert we_read(MIXED) == git_reads(MIXED)
    assert we_read(MIXED) == [
        ("cpv.team", "AI-Convo"),
        ("cpv.model", "faster-whisper"),
        ("cpv.model.out", "shards of; it"),
        ("cpv.model.out", "tokenizer-fast"),
        ("core.pager", "rm -rf /"),
        ("cpv.metric.Word Error.goal", "min"),
    ]


def test_only_safe_keys_count() -> None:
    config = CommittedConfig.parse(MIXED + b"[cpv]\n\tstorage = s3://mine\n\tendpoint = https://evil\n")
    assert sorted(config.keys()) == ["cpv.metric.Word Error.goal", "cpv.model", "cpv.model.out", "cpv.team"]
    assert config.get("cpv.storage") is None
    assert config.get("core.pager") is None
    assert config.model_outs == ("shards of; it", "tokenizer-fast")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"[cpv\n\tteam = x\n", 1),
        (b"[cpv]\n\tteam = x\n\tmodel y\n", 3),
        (b'[cpv]\n\n\tteam = "x\n', 3),
        (b"[cpv]\n\tteam = \\q\n", 2),
        (b"[cpv]\n<<<<<<< HEAD\n", 2),
        (b"[cpv]\n\tteam = a\0b\n", 2),
        (b"[cpv]\n\tteam = \xff\n", 2),
        (b"team = x\n", 1),
        (b"[cpv]\n[]\n", 2),
    ],
)
def test_what_is_malformed_is_named_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(ConfigError, match=rf"^\.cpvconfig, line {line}: "):
        CommittedConfig.parse(data)


def test_a_key_without_a_value_is_an_error_only_where_it_counts() -> None:
    assert CommittedConfig.parse(b"[core]\n\tbare\n").get("core.bare") is None
    with pytest.raises(ConfigError, match=r"line 2: 'cpv.team' has no value"):
        CommittedConfig.parse(b"[cpv]\n\tteam\n")


@pytest.mark.parametrize(
    "path", ["../up", "/etc/passwd", ".git/hooks/post-checkout", "a/.GIT/x", ".dvc/config", ""]
)
def test_an_out_that_leaves_the_worktree_is_refused(path: str) -> None:
    config = CommittedConfig.parse(add_values(None, "cpv.model.out", path))
    with pytest.raises(ConfigError, match=r"^\.cpvconfig: cpv\.model\.out '") as refused:
        _ = config.model_outs
    assert refused.value.hint == "correct it, or see what was last committed: git show HEAD:.cpvconfig"


def test_edits_keep_every_other_byte() -> None:
    added = add_values(MIXED, "cpv.data.out", "data")
    assert added == MIXED + b'[cpv "data"]\n\tout = data\n'
    assert set_value(MIXED, "cpv.team", "Speech") == MIXED.replace(b"AI-Convo   ; who we are", b"Speech")
    assert remove_values(added, "cpv.data.out", "data") == MIXED
    assert remove_values(MIXED, "cpv.model.out", "tokenizer-fast") == MIXED.replace(
        b"\tout = tokenizer\\\n-fast\n", b""
    )


def test_many_values_at_once_are_as_one_after_the_other() -> None:
    paths = ["b", "a", "tokenizer-fast", "b", "c"]
    one = MIXED
    for path in paths:
        one = add_values(one, "cpv.model.out", path)
    assert add_values(MIXED, "cpv.model.out", *paths) == one
    assert add_values(MIXED, "cpv.model.out") == remove_values(MIXED, "cpv.model.out") == MIXED
    for path in paths:
        one = remove_values(one, "cpv.model.out", path)
    assert remove_values(add_values(MIXED, "cpv.model.out", *paths), "cpv.model.out", *paths) == one


def test_edits_that_change_nothing_give_the_same_bytes() -> None:
    assert add_values(MIXED, "cpv.model.out", "tokenizer-fast") == MIXED
    assert set_value(MIXED, "cpv.model", "faster-whisper") == MIXED
    assert remove_values(MIXED, "cpv.data.out", "nothing") == MIXED


def test_a_new_value_joins_the_last_section_of_its_name() -> None:
    data = b"[cpv]\n\tteam = a\n[other]\n\tx = y\n[cpv]\n\tmodel = b"
    assert set_value(data, "cpv.tagPrefix", "m-") == data + b"\n\ttagPrefix = m-"
    assert (
        set_value(b"[cpv]\r\n\tteam = a\r\n", "cpv.model", "b") == b"[cpv]\r\n\tteam = a\r\n\tmodel = b\r\n"
    )


def test_a_value_with_control_characters_can_not_be_written() -> None:
    with pytest.raises(ConfigError, match="control character"):
        add_values(None, "cpv.model.out", "a\x1bb")


VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n\r"), max_size=20)
KEYS = st.sampled_from(
    ["cpv.team", "cpv.model.out", "cpv.data.out", 'cpv.metric.a "b\\ c.goal', "cpv.tagPrefix"]
)
TEXT = st.lists(
    st.sampled_from(
        [
            "[cpv]",
            '[cpv "model"]',
            "[",
            "]",
            '"',
            "\\",
            "\n",
            "\r\n",
            "\r",
            "=",
            " ",
            "#",
            ";",
            "out",
            "x-1",
            "é",
            ".",
        ]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=5))
def test_git_reads_back_what_edits_wrote(pairs: list[tuple[str, str]]) -> None:
    data: bytes | None = None
    for key, value in pairs:
        data = add_values(data, key, value)
    wanted = list(dict.fromkeys((canonical(key), value) for key, value in pairs))
    assert sorted(git_reads(data or b"") or []) == sorted(wanted)
    assert sorted(we_read(data or b"") or []) == sorted(wanted)
    for key, value in pairs:
        data = remove_values(data, key, value)
    assert not data


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_any_text_is_read_as_git_reads_it_or_refused_by_both(text: str) -> None:
    data = f"[a]\n{text}".encode()
    assert plain(we_read(data)) == plain(git_reads(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_raise_a_config_error(data: bytes) -> None:
    we_read(data)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        CommittedConfig.parse(b"#" * (2 << 20))
