"""gitignore's patterns: what they mean is pathspec's to say, and no pattern takes for ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from cpvlib.domain.patterns import MAX_LENGTH, compiled, is_pattern

pieces = st.sampled_from(["a", "b", "*", "**", "?", "[ab]", "[!a]", "[^/", ".", "\\*", "\\[", "(", "+", "]"])
parts = st.lists(pieces, min_size=1, max_size=6).map("".join) | st.sampled_from(["*", "**", "a"])
lines = st.builds(
    lambda first, middle, last: f"{first}{'/'.join(middle)}{last}",
    st.sampled_from(["", "/", "**/"]),
    st.lists(parts, min_size=1, max_size=5),
    st.sampled_from(["", "/", "/**"]),
)
names = st.text("ab.*[(+]", min_size=1, max_size=5)
paths = st.lists(names, min_size=1, max_size=6).map("/".join)


@given(lines, paths)
def test_a_pattern_means_what_pathspec_says(line: str, path: str) -> None:
    ours = compiled(line)
    text, _ = GitIgnoreSpecPattern.pattern_to_regex(line)
    assert (ours is None) == (text is None)
    if ours is not None and text is not None:
        inside = text.replace("[^a]", "[^a/]")  # a bracket that matches a '/' is nobody's intention
        plainly, odd = re.match(inside, path), re.match(text, path)
        assert bool(ours.regex.match(path)) in (bool(plainly), bool(odd))


@pytest.mark.parametrize(
    ("line", "path", "matching"),
    [
        ("*a" * 40 + "*b", "a" * 255, "a" * 254 + "b"),
        ("?*" * 100 + "b", "a" * 255, "a" * 254 + "b"),
        ("*[!b]" * 40 + "*b", "a" * 255, "a" * 254 + "b"),
        ("*" * 4000 + "b", "a" * 255, "a" * 254 + "b"),
        ("a/**/" * 30 + "b", "a/" * 2000 + "a", "a/" * 2000 + "b"),
        ("**/a/" * 30 + "b", "a/" * 2000 + "a", "a/" * 2000 + "b"),
        ("**/*a*a*/" * 30 + "b", "aaaaaaaaa/" * 400 + "a", "aaaaaaaaa/" * 400 + "b"),
        ("**/" + "*/" * 500 + "b", "a/" * 2000 + "a", "a/" * 2000 + "b"),
        ("*[!b]?/" * 40 + "c", "aa/a/" * 400 + "a", "aa/" * 40 + "c"),
    ],
)
def test_a_pattern_with_many_ways_to_match_ends(line: str, path: str, matching: str) -> None:
    """Most of them took longer than anybody has."""
    pattern = compiled(line)
    assert pattern is not None
    assert pattern.regex.match(path) is None
    assert pattern.regex.match(matching)


@pytest.mark.parametrize(
    "text", ["", " ", "#x", "!", "/", "a\\", "[z-a]", "a\nb", "a" * (MAX_LENGTH + 1), "a["]
)
def test_what_is_no_pattern(text: str) -> None:
    assert not is_pattern(text)


def test_a_pattern_that_python_would_wonder_about_is_one(recwarn: pytest.WarningsRecorder) -> None:
    assert is_pattern("[[:alpha:]]x")
    assert is_pattern("[a&&b]")
    assert list(recwarn) == []
