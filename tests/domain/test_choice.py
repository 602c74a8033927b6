"""Which files a worktree wants: the rules, and that forgetting the ones without meaning changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.domain.choice import ALL, Choice, Extent, Rule, facts, is_under, of_facts

NOTHING = Rule(None, (), ALL)

names = st.sampled_from(["a", "b", "raw", "x.png", "y.txt"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
patterns = st.one_of(
    st.sampled_from(["*", "*.png", "raw", "raw/", "a/**", "/b", "a/*/x.png", "!x.png", "**/raw"]), paths
)
lists = st.lists(patterns, max_size=2).map(tuple)
rules = st.builds(
    Rule, st.none() | st.lists(paths, min_size=1, max_size=2).map(tuple), lists, lists
) | st.builds(Rule, st.none() | st.lists(paths, min_size=1, max_size=2).map(tuple), st.just(ALL))


def chosen(rules: list[Rule], files: list[str]) -> list[str]:
    choice = Choice()
    for rule in rules:
        choice = choice.then(rule)
    wanted = choice.wants()
    return [file for file in files if wanted(file)]


FILES = ["data/a.png", "data/raw/b.png", "data/raw/c.txt", "data/train/d.png", "model.bin"]


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([], FILES),
        ([NOTHING], []),
        ([NOTHING, Rule(("data/raw",), ALL)], ["data/raw/b.png", "data/raw/c.txt"]),
        ([NOTHING, Rule(None, ("*.png",))], ["data/a.png", "data/raw/b.png", "data/train/d.png"]),
        ([NOTHING, Rule(None, ("*.png",), ("raw/",))], ["data/a.png", "data/train/d.png"]),
        ([NOTHING, Rule(None, ("data/*.png",))], ["data/a.png"]),
        ([Rule(None, (), ("raw/",))], ["data/a.png", "data/train/d.png", "model.bin"]),
        ([Rule(None, (), ("data/*", "!data/raw"))], ["data/raw/b.png", "data/raw/c.txt", "model.bin"]),
        ([Rule(("data",), (), ALL), Rule(("data/train",), ALL)], ["data/train/d.png", "model.bin"]),
        ([NOTHING, Rule(None, ALL)], FILES),
        ([NOTHING, Rule((".",), ALL)], FILES),
        ([NOTHING, Rule(("data",), ALL), Rule(None, (), ("*.txt",))], FILES[:2] + FILES[3:4]),
    ],
)
def test_the_last_rule_that_says_something_decides(rules: list[Rule], wanted: list[str]) -> None:
    assert chosen(rules, FILES) == wanted


@settings(deadline=None)
@given(st.lists(rules, max_size=5), st.lists(paths, max_size=6))
def test_rules_without_meaning_are_forgotten(rules: list[Rule], files: list[str]) -> None:
    choice = Choice()
    for rule in rules:
        choice = choice.then(rule)
    shorter, whole = choice.wants(), Choice(tuple(rules)).wants()
    assert [shorter(file) for file in files] == [whole(file) for file in files]


@settings(deadline=None)
@given(st.lists(rules, max_size=5), paths, st.lists(paths, max_size=4))
def test_the_extent_promises_nothing_that_does_not_hold(
    rules: list[Rule], out: str, below: list[str]
) -> None:
    choice = Choice(tuple(rules))
    files = [out, *(f"{out}/{path}" for path in below)]
    verdicts = {choice.wants()(file) for file in files}
    if choice.extent(out) is not Extent.PART:
        assert verdicts == {choice.extent(out) is Extent.ALL}


@settings(deadline=None, max_examples=20)
@given(st.lists(rules, max_size=4))
def test_json(rules: list[Rule]) -> None:
    assert of_facts(facts(Choice(tuple(rules)))) == Choice(tuple(rules))


def test_pulling_file_by_file_leaves_one_rule() -> None:
    choice = Choice((NOTHING,))
    for number in range(50):
        choice = choice.then(Rule((f"data/{number}",), ALL))
    assert len(choice.rules) == 2
    assert choice.then(Rule(("data",), ALL)).rules == (NOTHING, Rule(("data",), ALL))
    assert choice.then(Rule(None, ALL)) == Choice()


@pytest.mark.parametrize(
    ("path", "folder", "under"),
    [("a/b", "a", True), ("ab", "a", False), ("a", "a", True), ("a", ".", True), ("a", "a/b", False)],
)
def test_under(path: str, folder: str, under: bool) -> None:
    assert is_under(path, folder) is under
