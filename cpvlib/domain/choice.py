"""Which files of large folders a worktree wants, and which it leaves out: the rules that the user typed.

A choice decides about files that are not in the worktree. What is there is kept in step, whatever it says.
Paths and patterns are relative to the worktree's top, as git's are in `sparse-checkout` and `.gitignore`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum

from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.patterns import Patterns

ALL = ("*",)


class Extent(Enum):
    """How much of an out a choice wants."""

    ALL = "all"
    PART = "part"
    NONE = "none"


@dataclass(frozen=True)
class Rule:
    """One thing that was asked for. `within` are outs, or folders or files in them or around them; None
    stands for everything, what comes later too. What neither list means is left to the rules before."""

    within: tuple[str, ...] | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def wants_all(self) -> bool:
        """Whether it wants every file that it is about."""
        return self.include == ALL and not self.exclude

    @property
    def wants_none(self) -> bool:
        return self.exclude == ALL

    @property
    def settles(self) -> bool:
        """Whether it leaves nothing to the rules before it."""
        return self.wants_all or self.wants_none

    def covers(self, path: str) -> bool:
        """Whether it is about all of the file or folder."""
        return self.within is None or any(is_under(path, each) for each in self.within)

    def touches(self, path: str) -> bool:
        """Whether it is about anything in the file or folder."""
        return self.covers(path) or any(is_under(each, path) for each in self.within or ())


@dataclass(frozen=True)
class Choice:
    """The rules of one worktree, of which the last one that says something of a file decides; none: all."""

    rules: tuple[Rule, ...] = ()

    def extent(self, path: str) -> Extent:
        """How much of an out is wanted, as far as that is plain without its files' names: else a part."""
        for rule in reversed(self.rules):
            if not rule.touches(path):
                continue
            if rule.settles and rule.covers(path):
                return Extent.ALL if rule.wants_all else Extent.NONE
            return Extent.PART
        return Extent.ALL

    def wants(self) -> Callable[[str], bool]:
        """A function that says of a file's path whether it is wanted."""
        judges = [_judge(rule) for rule in reversed(self.rules)]

        def wanted(path: str) -> bool:
            for judge in judges:
                verdict = judge(path)
                if verdict is not None:
                    return verdict
            return True

        return wanted

    def then(self, rule: Rule) -> Choice:
        """The choice with one more rule, and without those that mean nothing any more."""
        rules = [each for each in self.rules if not (rule.settles and _is_inside(each, rule))]
        if rule.wants_all and not any(_meet(each, rule) for each in rules):
            return Choice(tuple(rules))
        last = rules[-1] if rules else None
        if last is not None and last.wants_all and rule.wants_all and last.within and rule.within:
            rules[-1] = replace(last, within=tuple(dict.fromkeys((*last.within, *rule.within))))
        elif last != rule:
            rules.append(rule)
        return Choice(tuple(rules))


def is_under(path: str, folder: str) -> bool:
    """Whether a path is the folder, or in it; '.' is the top."""
    return path == folder or folder == "." or path.startswith(f"{folder}/")


def facts(choice: Choice) -> list[dict[str, Any]]:
    """The rules, for a JSON file."""
    return [
        {
            "within": rule.within and list(rule.within),
            "include": list(rule.include),
            "exclude": list(rule.exclude),
        }
        for rule in choice.rules
    ]


def of_facts(rules: Iterable[Mapping[str, Any]]) -> Choice:
    """The same back. Raises KeyError or TypeError for anything else."""
    return Choice(
        tuple(
            Rule(
                None if rule["within"] is None else _texts(rule["within"]),
                _texts(rule["include"]),
                _texts(rule["exclude"]),
            )
            for rule in rules
        )
    )


def _texts(values: Collection[Any]) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("not a list of texts")
    return tuple(values)


def _judge(rule: Rule) -> Callable[[str], bool | None]:
    include, exclude = Patterns(rule.include), Patterns(rule.exclude)
    within = None if rule.within is None or "." in rule.within else frozenset(rule.within)

    def verdict(path: str) -> bool | None:
        if within is not None and not _is_within(path, within):
            return None
        if exclude.mean(path):
            return False
        return True if include.mean(path) else None

    return verdict


def _is_within(path: str, within: frozenset[str]) -> bool:
    while path not in within:
        path = path.rpartition("/")[0]
        if not path:
            return False
    return True


def _is_inside(rule: Rule, other: Rule) -> bool:
    """Whether all that a rule is about, the other is about too."""
    if rule.within is None:
        return other.within is None
    return all(other.covers(each) for each in rule.within)


def _meet(rule: Rule, other: Rule) -> bool:
    if rule.within is None or other.within is None:
        return True
    return any(other.touches(each) for each in rule.within)
