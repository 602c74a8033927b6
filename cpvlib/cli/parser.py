"""One argparse parser, made from one command's record."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from cpvlib.base.errors import UsageError
from cpvlib.base.typed import Any, NoReturn
from cpvlib.cli.record import HELP, MANUAL, Argument, Command
from cpvlib.cli.words import Words
from cpvlib.domain.text import listed, printable


class Parser(argparse.ArgumentParser):
    """argparse, except that a mistake is an error of ours, and help is equally wide everywhere."""

    color: bool

    def error(self, message: str) -> NoReturn:
        raise UsageError(printable(message))


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str, **kwargs: Any) -> None:
        # Given a width, argparse need not import shutil, which costs as much as the rest of the help.
        super().__init__(prog, **{"max_help_position": 28, "width": 90, **kwargs})

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # "-m, --message MESSAGE", as Python 3.13 and later have it; before, the value stood after each name.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"


def plain(text: str) -> str:
    """A record's text without the marks around what is typed."""
    return text.replace("`", "")


def make_parser(command: Command, prog: str | None = None) -> Parser:
    """`prog` is how the user calls it: 'git cpv push' where nothing else is given."""
    parser = Parser(
        prog=prog or f"git cpv {command.name}",
        description=plain(command.summary),
        formatter_class=_Formatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.color = False  # Python 3.14 colours help by itself, whatever git's color.ui says
    fill(parser, command)
    for argument in filter(_is_rest, command.arguments):
        tail = f"-- {argument.metavar}..."
        parser.usage = f"{parser.format_usage().removeprefix('usage: ').rstrip()} {tail}".replace("%", "%%")
        parser.epilog = f"{tail}: {plain(argument.help)}"
    return parser


def _is_rest(argument: Argument) -> bool:
    return argument.after_dashes


def fill(
    parser: argparse.ArgumentParser, command: Command, *, text: Callable[[str], str] = plain
) -> dict[Argument, argparse.Action]:
    """Gives `parser` what the record says the command takes; `text` makes its help of the record's.

    What follows `--` is not argparse's business.
    """
    actions = {}
    groups: dict[str, Any] = {}
    for argument in (*command.arguments, HELP, MANUAL):
        if argument.after_dashes:
            continue
        place: Any = parser
        if argument.exclusive:
            if argument.exclusive not in groups:
                groups[argument.exclusive] = parser.add_mutually_exclusive_group()
            place = groups[argument.exclusive]
        actions[argument] = _add(place, argument, text)
    return actions


def _add(place: Any, argument: Argument, text: Callable[[str], str]) -> argparse.Action:
    given: dict[str, Any] = {"help": text(argument.help).replace("%", "%%")}
    if argument.action != "help":
        default = list(argument.default) if isinstance(argument.default, tuple) else argument.default
        given.update(dest=argument.dest, default=default)
    if argument.action == "store_const":
        given["const"] = argument.const
    if argument.takes_value:
        given.update(metavar=argument.metavar, choices=argument.choices)
        if argument.nargs is not None:
            given["nargs"] = argument.nargs
        if argument.type is not None:
            given["type"] = _converter(argument.type)
    names = (given.pop("dest"),) if argument.is_operand else argument.names
    action: argparse.Action = place.add_argument(*names, action=argument.action, **given)
    return action


def _converter(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        try:
            return convert(text)
        except ValueError as wrong:
            raise argparse.ArgumentTypeError(str(wrong)) from wrong

    return checked


def read(parser: Parser, words: Words) -> argparse.Namespace:
    """What argparse reads. Raises UsageError; prints help and raises SystemExit where that is asked for."""
    args, left_over = parser.parse_known_args(words.line())
    if left_over:
        raise UsageError(f"too many arguments: {listed(word for word in left_over if word != '--')}")
    return args
