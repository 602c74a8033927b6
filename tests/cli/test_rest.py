"""Commands that hand on what follows `--`."""

from __future__ import annotations

import pytest

from cpvlib.cli.arguments import parse
from cpvlib.cli.options import DRY_RUN
from cpvlib.cli.parser import make_parser
from cpvlib.cli.record import Command, Group, after_dashes, operand

COMMAND = Command(
    name="sample",
    summary="Hand on",
    group=Group.LOOK,
    description="Nothing.",
    run=lambda args, ui: 0,
    arguments=(
        operand("paths", metavar="PATH", nargs="*", help="where"),
        DRY_RUN,
        after_dashes("command", metavar="COMMAND", help="100% of it"),
    ),
)


@pytest.mark.parametrize(
    ("words", "paths", "command"),
    [
        ("a b -- push -q --help", ["a", "b"], ("push", "-q", "--help")),
        ("-- push -- x", [], ("push", "--", "x")),
        ("a --", ["a"], ()),
        ("a", ["a"], None),
    ],
)
def test_what_follows_the_dashes_is_left_alone(
    words: str, paths: list[str], command: tuple[str, ...] | None
) -> None:
    args = parse(COMMAND, words.split())
    assert (args.paths, args.command, args.dry_run) == (paths, command, False)


def test_the_short_help_says_so() -> None:
    text = make_parser(COMMAND).format_help()
    assert text.splitlines()[0] == "usage: git cpv sample [-n] [-h] [--help] [PATH ...] -- COMMAND..."
    assert text.rstrip().endswith("-- COMMAND...: 100% of it")
