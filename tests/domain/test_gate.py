"""The gate of automatic versions: its grammar, to the column, and what it lets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError
from cpvlib.domain.gate import Gate, Improvement, Measured, Verdict, judge, parse_gate
from cpvlib.domain.query import Condition

EARLIER = [
    Measured("v0.1", {"loss": 0.3, "accuracy": 0.8}),
    Measured("v0.2", {"loss": 0.2}),
    Measured("v0.3", {"loss": 0.25, "speed": 7}),
]


def verdict(text: str, goals: dict[str, str] | None = None, **metrics: float) -> Verdict:
    gate = parse_gate(text)
    assert gate is not None
    return judge(gate, (goals or {}).get, metrics, EARLIER)


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("off", None),
        (" off ", None),
        ("changed", Gate()),
        ("loss<0.3", Gate((Condition("loss", "<", 0.3),))),
        ("eval/wer.en <= 1e-2", Gate((Condition("eval/wer.en", "<=", 0.01),))),
        ("recall@5 != -.5", Gate((Condition("recall@5", "!=", -0.5),))),
        ("loss improves", Gate((Improvement("loss"),))),
        ("loss improves on best", Gate((Improvement("loss"),))),
        (
            "loss improves on last , accuracy>=0.9",
            Gate((Improvement("loss", on_last=True), Condition("accuracy", ">=", 0.9))),
        ),
        (r'"word error \"rate\"" improves', Gate((Improvement('word error "rate"'),))),
        ("changed > 1", Gate((Condition("changed", ">", 1),))),
        ("improves improves", Gate((Improvement("improves"),))),
    ],
)
def test_what_can_be_said(text: str, gate: Gate | None) -> None:
    assert parse_gate(text) == gate


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "a metric's name is expected, and the end stands there"),
        ("on", 3, "a comparison or 'improves' after 'on' is expected, and the end stands there"),
        (
            "loss improve",
            6,
            "a comparison or 'improves' after 'loss' is expected, and 'improve' stands there",
        ),
        ("loss < ", 7, "a number is expected, and the end stands there"),
        (
            "loss < 0.3 accuracy > 1",
            12,
            "a comma between conditions is expected, and 'accuracy' stands there",
        ),
        ("loss < 0.3,", 12, "a metric's name is expected, and the end stands there"),
        ("loss < 0.3,, b > 1", 12, "a metric's name is expected, and ',' stands there"),
        ("loss < nan", 8, "a number is expected, and 'nan' stands there"),
        ("loss < 1e999", 8, "a number is expected, and '1e999' stands there"),
        ("loss < 90%", 8, "a number is expected, and '90%' stands there"),
        ("loss improves on first", 18, "'best' or 'last' is expected, and 'first' stands there"),
        ("loss improves on", 17, "'best' or 'last' is expected, and the end stands there"),
        ('a > 1, "b', 8, "a condition is expected, and a quote that nothing ends stands there"),
        ('  "" > 1', 3, "a metric's name is expected, and an empty one stands there"),
        ("größe ! 3", 7, "a condition is expected, and '!' stands there"),
        ("< 3", 1, "a metric's name is expected, and '<' stands there"),
    ],
)
def test_what_can_not_be_said_is_told_with_its_column(text: str, column: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_gate(text, "cpv.autotag (git config)")
    assert caught.value.message == f"cpv.autotag (git config), column {column}: {problem}"
    assert caught.value.hint == "it is off, changed, or conditions such as: loss improves, accuracy >= 0.9"


@pytest.mark.parametrize(
    ("text", "metrics", "passes", "reasons"),
    [
        ("changed", {}, True, ""),
        ("loss < 0.3", {"loss": 0.25}, True, "loss 0.25 is < 0.3"),
        ("loss < 0.3", {"loss": 0.3}, False, "loss 0.3 is not < 0.3"),
        ("loss < 0.3", {}, False, "loss was not measured"),
        ("loss improves", {"loss": 0.19}, True, "loss 0.19 improves on 0.2 (v0.2)"),
        ("loss improves", {"loss": 0.2}, False, "loss 0.2 does not improve on 0.2 (v0.2)"),
        ("loss improves on last", {"loss": 0.24}, True, "loss 0.24 improves on 0.25 (v0.3)"),
        ("accuracy improves on last", {"accuracy": 0.9}, True, "accuracy 0.9 improves on 0.8 (v0.1)"),
        ("wer improves", {"wer": 5}, True, "wer 5 is the first"),
        (
            "loss improves, accuracy >= 0.9, wer < 1",
            {"loss": 0.5, "accuracy": 0.95},
            False,
            "loss 0.5 does not improve on 0.2 (v0.2); wer was not measured",
        ),
    ],
)
def test_what_passes(text: str, metrics: dict[str, float], passes: bool, reasons: str) -> None:
    found = verdict(text, **metrics)
    assert (found.passes, str(found)) == (passes, reasons)


def test_the_metrics_goal_says_which_way_is_better() -> None:
    assert verdict("speed improves", {"speed": "max"}, speed=8).passes
    assert not verdict("speed improves", {"speed": "min"}, speed=8).passes
    assert not verdict("loss improves", {"loss": "max"}, loss=0.1).passes
    with pytest.raises(ConfigError, match="whether a lower or a higher 'speed' is better is not known"):
        verdict("speed improves", speed=8)


@given(st.text(alphabet='ab01.,<>=!"\\ \t\nimprovesonlast', max_size=60))
def test_any_text_is_understood_or_refused_at_a_column_of_it(text: str) -> None:
    try:
        parse_gate(text, "x")
    except ConfigError as error:
        column = int(error.message.removeprefix("x, column ").partition(":")[0])
        assert 1 <= column <= len(text) + 1
