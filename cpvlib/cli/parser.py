"""One argparse parser, made from one command's record."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from cpvlib.base.errors import UsageError
from cpvlib.cli.record import Argument, Command
from cpvlib.cli.words import sort_words
from cpvlib.domain.text import printable

HELP = Argument(("-h",), "print a short help", "short_help", action="help")
MANUAL = Argument(("--help",), "open the manual page", "manual", action="store_true")


class Parser(argparse.ArgumentParser):
    """argparse, except that a mistake is an error of ours, and help is 80 columns wide everywhere."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(printable(message))


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str, **kwargs: Any) -> None:
        # Given a width, argparse need not import shutil, which costs as much as the rest of the help.
        super().__init__(prog, **{"max_help_position": 26, "width": 90, **kwargs})


def make_parser(command: Command, prog: str | None = None) -> Parser:
    """`prog` is how the user calls it: 'git cpv push' where nothing else is given."""
    parser = Parser(
        prog=prog or f"git cpv {command.name}",
        description=plain(command.summary),
        usage=None,
        formatter_class=_Formatter,
        add_help=False,
        allow_abbrev=False,
    )
    if hasattr(parser, "color"):
        parser.color = False  # Python 3.14 colours help by itself, whatever git's color.ui says
    groups: dict[str, Any] = {}
    for argument in (*command.arguments, HELP, MANUAL):
        place: Any = parser
        if argument.exclusive:
            if argument.exclusive not in groups:
                groups[argument.exclusive] = parser.add_mutually_exclusive_group()
            place = groups[argument.exclusive]
        _add(place, argument)
    return parser


def _add(place: Any, argument: Argument) -> None:
    given: dict[str, Any] = {"help": plain(argument.help).replace("%", "%%")}
    if argument.action != "help":
        given.update(dest=argument.dest, default=argument.default)
    if argument.action == "store_const":
        given["const"] = argument.const
    if argument.takes_value:
        given.update(metavar=argument.metavar, choices=argument.choices)
        if argument.nargs is not None:
            given["nargs"] = argument.nargs
        if argument.type is not None:
            given["type"] = _converter(argument.type)
    if argument.is_operand:
        place.add_argument(given.pop("dest"), **given)
    else:
        place.add_argument(*argument.names, action=argument.action, **given)


def _converter(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        try:
            return convert(text)
        except ValueError as wrong:
            raise argparse.ArgumentTypeError(str(wrong)) from wrong

    return checked


def parse(command: Command, words: Sequence[str], prog: str | None = None) -> argparse.Namespace:
    """The command line as values. `-h` prints help and raises SystemExit; of `--help` only `manual` is set.

    Raises UsageError whose hint names the short help.
    """
    parser = make_parser(command, prog)
    try:
        sorted_words = sort_words(words, (*command.arguments, HELP, MANUAL))
        if "--help" in sorted_words.options:
            return argparse.Namespace(manual=True)
        return parser.parse_args(sorted_words.line())
    except UsageError as wrong:
        wrong.hint = wrong.hint or f"see '{parser.prog} -h'"
        raise


def plain(text: str) -> str:
    """A record's text without the marks around what is typed."""
    return text.replace("`", "")
