"""The record of a command: the one definition that parser, manual page and completions are made from."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import dataclass, field

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI


class Group(Enum):
    """Under which heading `git-cpv` lists a command."""

    START = "start a repository"
    SHARE = "record and share checkpoints"
    LOOK = "look at versions"


class Complete(Enum):
    """What a shell offers for an argument's value."""

    NOTHING = "nothing"
    VERSION = "version"
    ALIAS = "alias"
    FILE = "file"
    FOLDER = "folder"
    BRANCH = "branch"
    GIT_REMOTE = "remote"
    OUT = "out"


@dataclass(frozen=True)
class Argument:
    """An option or an operand; made by `flag`, `option` and `operand`."""

    names: tuple[str, ...]
    help: str
    dest: str
    action: str = "store"
    metavar: str | None = None
    nargs: str | None = None
    choices: tuple[str, ...] | None = None
    type: Callable[[str], Any] | None = None
    default: Any = None
    const: Any = None
    complete: Complete = Complete.NOTHING
    exclusive: str | None = None
    """Arguments of a command that carry the same word here exclude one another."""
    after_dashes: bool = False
    """All the words after `--`, as a list; None where there was no `--`."""

    @property
    def is_operand(self) -> bool:
        return not self.names

    @property
    def takes_value(self) -> bool:
        return self.action in ("store", "append")


HELP = Argument(("-h",), "print a short help", "short_help", action="help")
MANUAL = Argument(("--help",), "open the manual page", "manual", action="store_true")
"""What every command takes besides."""


def flag(
    *names: str,
    help: str,
    dest: str | None = None,
    const: Any = None,
    count: bool = False,
    exclusive: str | None = None,
) -> Argument:
    """An option without a value: true or false; with `const` that or None; with `count` how often it came."""
    if count:
        action, default = "count", 0
    elif const is not None:
        action, default = "store_const", None
    else:
        action, default = "store_true", False
    return Argument(
        names, help, dest or _dest(names), action=action, default=default, const=const, exclusive=exclusive
    )


def option(
    *names: str,
    metavar: str,
    help: str,
    dest: str | None = None,
    many: bool = False,
    choices: tuple[str, ...] | None = None,
    type: Callable[[str], Any] | None = None,
    default: Any = None,
    complete: Complete = Complete.NOTHING,
    exclusive: str | None = None,
) -> Argument:
    """An option with a value: the last one given, else `default`; with `many` the list of all, maybe empty.

    `type` turns text into a value; for text that is not one it raises ValueError, whose message is shown.
    """
    return Argument(
        names,
        help,
        dest or _dest(names),
        action="append" if many else "store",
        metavar=metavar,
        choices=choices,
        type=type,
        default=() if many else default,
        complete=complete,
        exclusive=exclusive,
    )


def operand(
    dest: str,
    *,
    metavar: str,
    help: str,
    nargs: str | None = None,
    choices: tuple[str, ...] | None = None,
    type: Callable[[str], Any] | None = None,
    default: Any = None,
    complete: Complete = Complete.NOTHING,
) -> Argument:
    """A word without a dash. `nargs` is argparse's: None exactly one, '?' at most one, '*' any, '+' some."""
    if nargs == "*" and default is None:
        default = ()
    return Argument(
        (),
        help,
        dest,
        metavar=metavar,
        nargs=nargs,
        choices=choices,
        type=type,
        default=default,
        complete=complete,
    )


def after_dashes(dest: str, *, metavar: str, help: str) -> Argument:
    """What follows `--`, options and all, for a command that hands it on."""
    return Argument((), help, dest, metavar=metavar, nargs="+", after_dashes=True)


def _dest(names: tuple[str, ...]) -> str:
    longest = max(names, key=len)
    return longest.lstrip("-").replace("-", "_")


@dataclass(frozen=True)
class Example:
    """A line a user could type, and what it is for."""

    purpose: str
    line: str


@dataclass(frozen=True)
class Command:
    """What one `git cpv X` takes and does.

    `summary` and the other texts are plain, with `…` around what is typed; `description` has a blank line
    between paragraphs. `run` returns the exit code. `negative` says what exit code 1 means here, if anything.
    """

    name: str
    summary: str
    group: Group
    description: str
    run: Callable[[Namespace, UI], int]
    arguments: tuple[Argument, ...] = ()
    examples: tuple[Example, ...] = ()
    see_also: tuple[str, ...] = ()
    """Other commands of ours by their name, other pages as 'git-commit(1)'."""
    negative: str | None = None
    files: tuple[tuple[str, str], ...] = ()
    """Paths this command reads or writes, beyond those that every page lists, each with what it holds."""
    environment: tuple[tuple[str, str], ...] = field(default=())

    @property
    def program(self) -> str:
        return f"git-cpv-{self.name}"
