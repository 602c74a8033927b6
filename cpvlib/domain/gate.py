"""The gate of automatic versions: what `cpv.autotag` says, and whether a checkpoint passes it.

    off                               no version is made by itself
    changed                           each new model gets one
    loss improves, accuracy >= 0.9    each new model of which all this holds

The grammar is specified in FORMAT.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.domain.checkpoint import Number
from cpvlib.domain.numbers import typed_number
from cpvlib.domain.query import Condition, best_order

_LIMIT = 4096
_TOKEN = regex(
    r"""\s*(?:(?P<comma>,)|(?P<sign>[<>]=?|[=!]=|=)|"(?P<quoted>(?:[^"\\]|\\["\\])*)"|(?P<word>[^\s,<>=!"]+))"""
)
_HINT = "it is off, changed, or conditions such as: loss improves, accuracy >= 0.9"


@dataclass(frozen=True)
class Improvement:
    """That a metric is better than in the best version so far, or with `on_last` than in the last one."""

    metric: str
    on_last: bool = False


@dataclass(frozen=True)
class Gate:
    """Conditions that must all hold; none: every checkpoint with new content passes."""

    conditions: tuple[Condition | Improvement, ...] = ()

    @property
    def compares(self) -> bool:
        """Whether earlier versions have a say."""
        return any(isinstance(condition, Improvement) for condition in self.conditions)


@dataclass(frozen=True)
class Measured:
    """An earlier version and its metrics."""

    name: str
    metrics: Mapping[str, Number]


@dataclass(frozen=True)
class Verdict:
    """Whether the gate opens, and the numbers that decided; of a refusal only those that speak against."""

    passes: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.reasons)


def parse_gate(text: str, source: str = "cpv.autotag") -> Gate | None:
    """What a setting says; None for off. ConfigError names `source` and the column, counted from 1 in
    characters, where the first thing stands that does not fit."""
    if text.strip() == "off":
        return None
    if text.strip() == "changed":
        return Gate()
    return Gate(tuple(_Parser(text, source).conditions()))


def judge(
    gate: Gate,
    goals: Callable[[str], str | None],
    metrics: Mapping[str, Number],
    earlier: Sequence[Measured],
) -> Verdict:
    """Holds a checkpoint's metrics against the gate. `earlier` are the versions of its history, in order.

    `goals` gives a metric's goal, 'min', 'max' or None. Raises ConfigError where an improvement's direction
    is not known.
    """
    found = [_judge(condition, goals, metrics, earlier) for condition in gate.conditions]
    against = tuple(reason for holds, reason in found if not holds)
    return Verdict(not against, against or tuple(reason for _, reason in found))


def check_goals(gate: Gate, goals: Callable[[str], str | None]) -> None:
    """Raises ConfigError, naming the setting, for an improvement of which nobody knows the direction."""
    for condition in gate.conditions:
        if isinstance(condition, Improvement):
            best_order(condition.metric, goals(condition.metric))


def _judge(
    condition: Condition | Improvement,
    goals: Callable[[str], str | None],
    metrics: Mapping[str, Number],
    earlier: Sequence[Measured],
) -> tuple[bool, str]:
    name = condition.metric
    measured = metrics.get(name)
    if measured is None:
        return False, f"{name} was not measured"
    if isinstance(condition, Condition):
        holds = condition.holds(metrics)
        return holds, f"{name} {measured!r} is {'' if holds else 'not '}{condition.sign} {condition.value!r}"
    with_it = [version for version in earlier if name in version.metrics]
    if not with_it:
        return True, f"{name} {measured!r} is the first"
    higher = best_order(name, goals(name)).descending
    rival = with_it[-1] if condition.on_last else _best(with_it, name, higher=higher)
    mark = rival.metrics[name]
    holds = measured > mark if higher else measured < mark
    verb = "improves" if holds else "does not improve"
    return holds, f"{name} {measured!r} {verb} on {mark!r} ({rival.name})"


def _best(versions: Sequence[Measured], metric: str, *, higher: bool) -> Measured:
    choose = max if higher else min
    return choose(versions, key=lambda version: version.metrics[metric])


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


class _Parser:
    """condition *("," condition); condition = metric (sign number | "improves" ["on" ("best" | "last")])"""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        if len(text) > _LIMIT:
            raise ConfigError(f"{source} is longer than {_LIMIT} characters", hint=_HINT)
        self._tokens = self._split(text)
        self._at = 0

    def conditions(self) -> list[Condition | Improvement]:
        found = [self._condition()]
        while self._next.kind != "end":
            self._take("comma", "a comma between conditions")
            found.append(self._condition())
        return found

    def _split(self, text: str) -> list[_Token]:
        tokens = []
        at = 0
        end = len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
                what = "a quote that nothing ends" if text[column - 1] == '"' else f"'{text[column - 1]}'"
                raise self._wrong(column, "a condition", what)
            tokens.append(_Token(match.lastgroup, match[match.lastgroup], self._column(match)))
            at = match.end()
        return [*tokens, _Token("end", "", end + 1)]

    @staticmethod
    def _column(match: re.Match[str]) -> int:
        start = match.start(match.lastgroup or 0)
        return start if match.lastgroup == "quoted" else start + 1

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, kind: str, expected: str) -> _Token:
        token = self._next
        if token.kind != kind:
            raise self._wrong(token.column, expected, f"'{token.text}'" if token.kind != "end" else "the end")
        self._at += 1
        return token

    def _condition(self) -> Condition | Improvement:
        metric = self._metric()
        token = self._next
        if token.kind == "sign":
            self._at += 1
            return Condition(metric, token.text, self._number())
        if (token.kind, token.text) != ("word", "improves"):
            found = "the end" if token.kind == "end" else f"'{token.text}'"
            raise self._wrong(token.column, f"a comparison or 'improves' after '{metric}'", found)
        self._at += 1
        if (self._next.kind, self._next.text) != ("word", "on"):
            return Improvement(metric)
        self._at += 1
        rival = self._take("word", "'best' or 'last'")
        if rival.text not in ("best", "last"):
            raise self._wrong(rival.column, "'best' or 'last'", f"'{rival.text}'")
        return Improvement(metric, on_last=rival.text == "last")

    def _metric(self) -> str:
        if self._next.kind == "quoted":
            name = re.sub(r"\\(.)", r"\1", self._take("quoted", "a metric").text)
            if name:
                return name
            raise self._wrong(self._tokens[self._at - 1].column, "a metric's name", "an empty one")
        return self._take("word", "a metric's name").text

    def _number(self) -> float:
        token = self._take("word", "a number")
        value = typed_number(token.text)
        if value is None:
            raise self._wrong(token.column, "a number", f"'{token.text}'")
        return float(value)

    def _wrong(self, column: int, expected: str, found: str) -> ConfigError:
        where = f"{self._source}, column {column}"
        return ConfigError(f"{where}: {expected} is expected, and {found} stands there", hint=_HINT)
