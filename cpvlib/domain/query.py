"""What a list of versions can be asked: which ones, in which order, the best by a metric.

loss < 0.3, accuracy >= 0.9    conditions: all must hold; a version without the metric fails
-accuracy                      an order: ascending, or descending after '-'
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

from cpvlib.base.errors import ConfigError, UsageError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.domain.checkpoint import Number

_CONDITION = regex(
    r"\s*(?P<metric>[^<>=!,]*[^<>=!,\s])\s*(?P<sign>[<>]=?|[=!]=|=)\s*(?P<value>[^<>=!,\s]+)\s*"
)
_SIGNS: Mapping[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_LOWER = {"cer", "error", "loss", "mae", "mse", "perplexity", "ppl", "rmse", "wer"}
_HIGHER = {"acc", "accuracy", "auc", "bleu", "f1", "iou", "map", "precision", "recall", "reward", "rouge"}
_WORD = regex(r"[^\W_]+")


@dataclass(frozen=True)
class Condition:
    """One comparison of a metric with a number."""

    metric: str
    sign: str
    value: float

    def holds(self, metrics: Mapping[str, Number]) -> bool:
        measured = metrics.get(self.metric)
        return measured is not None and _SIGNS[self.sign](measured, self.value)

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.value:g}"


@dataclass(frozen=True)
class Measured:
    """That the metric is there at all."""

    metric: str

    def holds(self, metrics: Mapping[str, Number]) -> bool:
        return self.metric in metrics


@dataclass(frozen=True)
class Order:
    """By a metric; `descending` puts the highest first."""

    metric: str
    descending: bool = False

    def __call__(self, metrics: Mapping[str, Number]) -> tuple[bool, Number]:
        """A sort key, lowest first; a version without the metric comes after all that have it."""
        measured = metrics.get(self.metric)
        if measured is None:
            return (True, 0)
        return (False, -measured if self.descending else measured)


def parse_conditions(texts: Iterable[str]) -> list[Condition]:
    """Each text holds one condition, or several between commas. Raises UsageError for what is none."""
    return [_condition(part) for text in texts for part in text.split(",")]


def parse_order(text: str) -> Order:
    """`loss`, or `-loss` for the highest first."""
    order = Order(text.removeprefix("-"), descending=text.startswith("-"))
    if not order.metric:
        raise UsageError("an order needs a metric's name", hint="git cpv list --sort=-accuracy")
    return order


def best_order(metric: str, goal: str | None) -> Order:
    """The order that puts the best value first: by the metric's goal (min, max), else by what its name tells.

    Raises ConfigError, naming the setting, where neither says whether lower or higher is better.
    """
    goal = goal or _goal_by_name(metric)
    if goal is None:
        raise ConfigError(
            f"whether a lower or a higher '{metric}' is better is not known",
            hint=f"git config cpv.metric.{metric}.goal min, or max",
        )
    return Order(metric, descending=goal == "max")


def _goal_by_name(metric: str) -> str | None:
    words = set(_WORD.findall(metric.lower()))
    lower, higher = bool(words & _LOWER), bool(words & _HIGHER)
    if lower == higher:
        return None
    return "min" if lower else "max"


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    try:
        value = float(match["value"]) if match else float("nan")
    except ValueError:
        value = float("nan")
    if match is None or value != value:
        raise UsageError(
            f"'{text.strip()}' is no comparison of a metric with a number", hint="--where 'loss < 0.3'"
        )
    return Condition(match["metric"], match["sign"], value)
