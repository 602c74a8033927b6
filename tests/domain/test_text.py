"""Text for people."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.text import columns, human_size, listed, plural, printable, width, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain naïve 模型 🙂", "plain naïve 模型 🙂"),
        ("\x1b[2Jgone\r\n\t", "\\x1b[2Jgone\\r\\n\\t"),
        ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("a\u2028b\ufeff", "a\\u2028b\\ufeff"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
    ],
)
def test_what_could_trick_a_terminal_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_moves_the_cursor_is_left(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert printable(shown) == shown


def test_lines_may_stay() -> None:
    assert printable("a\nb\tc", keep="\n") == "a\nb\\tc"


@pytest.mark.parametrize(
    ("n_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024, "10 KiB"),
        (1023 * 1024, "1.0 MiB"),
        (3_328_599_654, "3.1 GiB"),
        (5 * 1024**6, "5120 PiB"),
    ],
)
def test_sizes(n_bytes: int, shown: str) -> None:
    assert human_size(n_bytes) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("push https://ada:s3cr@t@example.org/x.git", "push https://ada:***@example.org/x.git"),
        ("'https://ghp_token@github.com/a/b'", "'https://***@github.com/a/b'"),
        ("ssh://git@example.org/a", "ssh://git@example.org/a"),
        ("ssh://git:pw@example.org/a", "ssh://git:***@example.org/a"),
        ("git@example.org:a/b", "git@example.org:a/b"),
        ("https://example.org:8080/a@b", "https://example.org:8080/a@b"),
        ('{"url": "http://u:p@h", "mail": "x@y"}', '{"url": "http://u:***@h", "mail": "x@y"}'),
        ("s3://bucket/x", "s3://bucket/x"),
    ],
)
def test_passwords_in_urls_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_counts() -> None:
    assert plural(1, "file") == "1 file"
    assert plural(10_000, "file") == "10,000 files"
    assert plural(2, "entry", "entries") == "2 entries"


def test_names_in_a_sentence() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "'a'"
    assert listed(["a", "b\n", "c"]) == "'a', 'b\\n' and 'c'"
    assert listed("abcdefg", limit=2) == "'a', 'b' and 5 more"


def test_columns_align_by_what_a_terminal_shows() -> None:
    assert columns([("v0.1", "1.5 KiB", "模型"), ("v0.10", "9 B", "é")], right=[1]) == [
        "v0.1   1.5 KiB  模型",
        "v0.10      9 B  é",
    ]
    assert width("模型e\u0301") == 5
    assert columns([]) == []
