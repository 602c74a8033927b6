"""The command line as values, by the command's record.

argparse, with the parser that it needs, takes a tenth of a short command. So a line without a mistake is read
here, as argparse reads it; argparse has the words for mistakes, and for help.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from cpvlib.base.errors import UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any, cast
from cpvlib.cli.record import HELP, MANUAL, Argument, Command
from cpvlib.cli.words import Words, sort_words

if TYPE_CHECKING:
    from argparse import Namespace


class _Doubtful(Exception):  # noqa: N818 - argparse decides whether it is an error
    """Something that argparse may have a word for."""


def parse(command: Command, words: Sequence[str], prog: str | None = None) -> Namespace:
    """The values that the words give. `-h` prints help and raises SystemExit; of `--help` only `manual` is
    set.

    `prog` is how the user calls it: 'git cpv push' where nothing else is given. Raises UsageError whose hint
    names the short help.
    """
    try:
        in_order = sort_words(words, (*command.arguments, HELP, MANUAL))
        if "--help" in in_order.options:
            return cast("Namespace", SimpleNamespace(manual=True))
        return _read(command, in_order, prog)
    except UsageError as wrong:
        wrong.hint = wrong.hint or f"see '{prog or f'git cpv {command.name}'} -h'"
        raise


def _read(command: Command, words: Words, prog: str | None) -> Namespace:
    try:
        values = _defaults(command)
        _take_options(command, words.options, values)
        _take_operands(command, words.operands, values)
        args = cast("Namespace", SimpleNamespace(**values))
    except _Doubtful:
        from cpvlib.cli.parser import make_parser, read

        args = read(make_parser(command, prog), words)
    for argument in command.arguments:
        if argument.after_dashes:
            setattr(args, argument.dest, words.rest)
    return args


def _defaults(command: Command) -> dict[str, Any]:
    """Of options with one `dest` the first has the default."""
    given = {each.dest: each.default for each in reversed(command.arguments) if not each.after_dashes}
    values = {dest: list(value) if isinstance(value, tuple) else value for dest, value in given.items()}
    return {**values, MANUAL.dest: MANUAL.default}


def _take_options(command: Command, words: Sequence[str], values: dict[str, Any]) -> None:
    known = {name: argument for argument in command.arguments for name in argument.names}
    chosen: dict[str, Argument] = {}
    for word in words:
        name, _, text = word.partition("=")
        argument = known.get(name)
        if argument is None:
            raise _Doubtful  # help, for one
        if argument.exclusive and chosen.setdefault(argument.exclusive, argument) is not argument:
            raise _Doubtful
        values[argument.dest] = _taken(argument, values[argument.dest], text)


def _taken(argument: Argument, before: Any, text: str) -> Any:
    if argument.action == "append":
        return [*before, _converted(argument, text)]
    if argument.action == "store":
        return _converted(argument, text)
    if argument.action == "count":
        return before + 1
    return True if argument.action == "store_true" else argument.const


def _take_operands(command: Command, words: Sequence[str], values: dict[str, Any]) -> None:
    left = list(words)
    wanted = [each for each in command.arguments if each.is_operand and not each.after_dashes]
    for at, argument in enumerate(wanted, 1):
        many = argument.nargs in ("*", "+")
        spare = len(left) - sum(later.nargs in (None, "+") for later in wanted[at:])
        count = max(0, spare if many else min(spare, 1))
        if count:
            taken = [_converted(argument, word) for word in left[:count]]
            values[argument.dest] = taken if many else taken[0]
            del left[:count]
        elif argument.nargs in (None, "+"):
            raise _Doubtful
    if left:
        raise _Doubtful


def _converted(argument: Argument, text: str) -> Any:
    try:
        value = argument.type(text) if argument.type else text
    except ValueError as error:
        raise _Doubtful from error
    if argument.choices is not None and value not in argument.choices:
        raise _Doubtful
    return value
