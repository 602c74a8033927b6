"""Absent files and the files that are here make one listing, which is one that DVC accepts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.domain.absent import still_absent
from cpvlib.domain.listing import parse_listing, render_listing

paths = st.lists(st.sampled_from(["a", "b", "a-", "c.txt"]), min_size=1, max_size=3).map("/".join)


@st.composite
def trees(draw: st.DrawFn) -> list[str]:
    """Files that can be in one folder."""
    found: list[str] = []
    for path in draw(st.lists(paths, max_size=8, unique=True)):
        if not any(each.startswith(f"{path}/") or path.startswith(f"{each}/") for each in found):
            found.append(path)
    return found


@settings(deadline=None)
@given(trees(), trees())
def test_what_is_here_wins_and_no_more_than_it_must(absent: list[str], here: list[str]) -> None:
    before = dict.fromkeys(absent, "a" * 32)
    left = still_absent(before, here)
    for path in absent:
        in_the_way = any(
            path == each or path.startswith(f"{each}/") or each.startswith(f"{path}/") for each in here
        )
        assert (path not in left) is in_the_way
    whole = {**left, **dict.fromkeys(here, "b" * 32)}
    assert parse_listing(render_listing(whole)).entries == whole
