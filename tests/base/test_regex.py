"""Patterns that are compiled when first asked answer as those of `re`."""

from __future__ import annotations

import copy
import re

import pytest

from cpvlib.base.regex import regex

WORD = regex(r"([a-z]+)-(\d+)", re.ASCII | re.IGNORECASE)


def test_a_pattern_answers_as_res_own() -> None:
    own = re.compile(r"([a-z]+)-(\d+)", re.ASCII | re.IGNORECASE)
    for text in ("ab-12", "AB-12 and cd-3", "x", ""):
        for ask in ("match", "fullmatch", "search"):
            ours, theirs = getattr(WORD, ask)(text), getattr(own, ask)(text)
            assert (ours and ours.groups()) == (theirs and theirs.groups())
        assert (WORD.findall(text), WORD.split(text), WORD.sub(r"\2", text)) == (
            own.findall(text),
            own.split(text),
            own.sub(r"\2", text),
        )
    assert (WORD.pattern, WORD.flags, WORD.groups) == (own.pattern, own.flags, own.groups)
    assert regex(rb"\d+").search(b"ab12")[0] == b"12"  # type: ignore[index]
    assert copy.copy(WORD).findall("ab-12") == [("ab", "12")]


def test_a_pattern_that_is_wrong_says_so_when_asked() -> None:
    wrong = regex("(")
    with pytest.raises(re.error):
        wrong.search("")
    with pytest.raises(AttributeError):
        regex("a").no_such_method("")  # type: ignore[attr-defined]
