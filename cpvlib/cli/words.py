"""A command line in git's manner, put in the order argparse reads without doubt.

argparse takes `--sort -accuracy` for two options, loses operands that stand between options, and guesses at
words that begin with a dash. git (gitcli(7)) does none of that: an option that takes a value takes the next
word, whatever it is; `--` ends the options; a long option may be shortened while it stays unambiguous; `-fn`
is `-f -n`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cpvlib.base.errors import UsageError
from cpvlib.base.values import dataclass
from cpvlib.cli.record import Argument
from cpvlib.domain.text import printable


@dataclass(frozen=True)
class Words:
    """Options, each in one word (`--message=text`), and operands, both in the order typed.

    `rest` is what followed `--`, for a command that keeps that apart; None where there was no `--`.
    """

    options: tuple[str, ...]
    operands: tuple[str, ...]
    rest: tuple[str, ...] | None = None

    def line(self) -> list[str]:
        return [*self.options, "--", *self.operands] if self.operands else list(self.options)


def sort_words(words: Sequence[str], arguments: Iterable[Argument]) -> Words:
    """Raises UsageError for an option that is unknown, ambiguous, lacks its value or has one too many."""
    arguments = tuple(arguments)
    known = {name: argument for argument in arguments for name in argument.names}
    options: list[str] = []
    operands: list[str] = []
    rest: tuple[str, ...] | None = None
    queue = list(reversed(words))
    while queue:
        word = queue.pop()
        if word == "--":
            if any(argument.after_dashes for argument in arguments):
                rest = tuple(reversed(queue))
            else:
                operands.extend(reversed(queue))
            break
        if word.startswith("--"):
            options.append(_long(word, known, queue))
        elif word.startswith("-") and len(word) > 1:
            options.extend(_short(word, known, queue))
        else:
            operands.append(word)
    return Words(tuple(options), tuple(operands), rest)


def _long(word: str, known: dict[str, Argument], queue: list[str]) -> str:
    typed, equals, value = word.partition("=")
    name = _full_name(typed, known)
    if not known[name].takes_value:
        if equals:
            raise UsageError(f"option '{name}' takes no value")
        return name
    return f"{name}={value if equals else _next_word(name, queue)}"


def _full_name(typed: str, known: dict[str, Argument]) -> str:
    if typed in known:
        return typed
    fitting = [name for name in known if name.startswith(typed)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(f"option '{typed}' is ambiguous: {', '.join(sorted(fitting))}")
    raise UsageError(f"unknown option '{printable(typed)}'", hint=_nearest(typed, known))


def _nearest(typed: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(typed, known, n=1)
    return f"did you mean {near[0]}?" if near else None


def _short(word: str, known: dict[str, Argument], queue: list[str]) -> Iterable[str]:
    letters = word[1:]
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        argument = known.get(name)
        if argument is None:
            raise UsageError(f"unknown option '{printable(name)}'")
        if argument.takes_value:
            value, letters = letters or _next_word(name, queue), ""
            yield f"{max(argument.names, key=len)}={value}"
        else:
            yield name


def _next_word(name: str, queue: list[str]) -> str:
    if not queue:
        raise UsageError(f"option '{name}' needs a value")
    return queue.pop()
