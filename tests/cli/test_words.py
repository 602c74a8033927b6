"""Command lines are read as git reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import UsageError
from cpvlib.cli.arguments import parse
from cpvlib.cli.options import COMBINED, DATA, DRY_RUN, JOBS, MODEL, VERBOSE
from cpvlib.cli.record import Command, Group, flag, operand, option
from cpvlib.cli.words import sort_words

COMMAND = Command(
    name="sample",
    summary="Take what is given",
    group=Group.LOOK,
    description="Nothing.",
    run=lambda args, ui: 0,
    arguments=(
        operand("version", metavar="VERSION", nargs="?", help="which"),
        operand("paths", metavar="PATH", nargs="*", help="what"),
        flag("-a", "--all", help="all"),
        option("-m", "--message", metavar="MESSAGE", help="100% of it"),
        option("--metric", metavar="K=V", many=True, help="a metric"),
        option("--sort", metavar="KEY", choices=("loss", "-loss"), help="by what"),
        MODEL,
        DATA,
        COMBINED,
        DRY_RUN,
        JOBS,
        VERBOSE,
    ),
)


def read(*words: str) -> dict[str, Any]:
    """What the words set, beyond the defaults."""
    defaults = vars(parse(COMMAND, []))
    return {name: value for name, value in vars(parse(COMMAND, words)).items() if value != defaults[name]}


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (["v1.0", "a", "b"], {"version": "v1.0", "paths": ["a", "b"]}),
        (
            ["v1.0", "--data", "a", "-n", "b"],
            {"version": "v1.0", "paths": ["a", "b"], "series": "data", "dry_run": True},
        ),
        (["--sort", "-loss"], {"sort": "-loss"}),
        (["-m", "--all"], {"message": "--all"}),
        (["-m="], {"message": "="}),
        (["--message="], {"message": ""}),
        (["-am", "a b"], {"all": True, "message": "a b"}),
        (["-vvmx"], {"verbose": 2, "message": "x"}),
        (["--metric", "a=1", "--metric=b=2"], {"metric": ["a=1", "b=2"]}),
        (["--mess", "x"], {"message": "x"}),
        (["--", "--all", "-n"], {"version": "--all", "paths": ["-n"]}),
        (["-"], {"version": "-"}),
        (["-j8"], {"jobs": 8}),
    ],
)
def test_words_mean_what_they_mean_to_git(words: list[str], meaning: dict[str, Any]) -> None:
    assert read(*words) == meaning


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--al", "--dta"], "unknown option '--dta'", "did you mean --data?"),
        (["-x"], "unknown option '-x'", "see 'git cpv sample -h'"),
        (["--m", "x"], "option '--m' is ambiguous: --message, --metric, --model", "see 'git cpv sample -h'"),
        (["--all=yes"], "option '--all' takes no value", "see 'git cpv sample -h'"),
        (["-m"], "option '-m' needs a value", "see 'git cpv sample -h'"),
        (["-j", "0"], "argument -j/--jobs: '0' is not a whole number above 0", "see 'git cpv sample -h'"),
        (
            ["--model", "--data"],
            "argument --data: not allowed with argument --model",
            "see 'git cpv sample -h'",
        ),
        (["--\x1b[2J"], "unknown option '--\\x1b[2J'", "see 'git cpv sample -h'"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as wrong:
        parse(COMMAND, words)
    assert (wrong.value.message, wrong.value.hint) == (message, hint)
    assert wrong.value.exit_code == 129


def test_too_many_arguments_are_named() -> None:
    with pytest.raises(UsageError) as wrong:
        parse(Command("tiny", "", Group.LOOK, "", COMMAND.run), ["a", "-b"][:1])
    assert wrong.value.message == "too many arguments: 'a'"


def test_defaults_of_one_call_are_not_those_of_the_next() -> None:
    parse(COMMAND, []).metric.append("left over")
    assert parse(COMMAND, []).metric == []


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_value_arrives_as_typed(value: str, operands: list[str]) -> None:
    args = parse(COMMAND, ["--message", value, "--metric=" + value, "--", "v", *operands])
    assert args.message == value
    assert args.metric == [value]
    assert args.version == "v"


@given(st.lists(st.text()))
def test_no_words_are_lost_or_made_up(words: list[str]) -> None:
    try:
        found = sort_words(words, COMMAND.arguments)
    except UsageError:
        return
    assert set(found.operands) <= set(words)
