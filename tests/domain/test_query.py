"""Conditions, orders and bests over versions' metrics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError, UsageError
from cpvlib.domain.query import Condition, Order, best_order, parse_conditions, parse_order


def test_conditions_are_read():
    assert parse_conditions(["loss < 0.3, eval/acc>=0.9", "epoch = 3"]) == [
        Condition("loss", "<", 0.3),
        Condition("eval/acc", ">=", 0.9),
        Condition("epoch", "=", 3.0),
    ]
    assert parse_conditions(["top k != -1e-3"]) == [Condition("top k", "!=", -0.001)]


@pytest.mark.parametrize("text", ["", "a", "a <", "< 3", "a < low", "a < nan", "a < 1,", "a << 1"])
def test_what_is_no_condition(text: str):
    with pytest.raises(UsageError, match="is no comparison"):
        parse_conditions([text])


@pytest.mark.parametrize(
    ("text", "holds"),
    [("a<2", True), ("a<1", False), ("a<=1", True), ("a!=1", False), ("a==1", True), ("b>0", False)],
)
def test_a_condition_holds_only_for_what_was_measured(text: str, holds: bool):
    assert parse_conditions([text])[0].holds({"a": 1}) is holds


def test_orders_put_what_lacks_the_metric_last():
    versions = [{"acc": 0.5}, {}, {"acc": 0.9}, {"loss": 1}, {"acc": 0.7}]
    assert sorted(versions, key=parse_order("acc"))[:3] == [{"acc": 0.5}, {"acc": 0.7}, {"acc": 0.9}]
    assert sorted(versions, key=parse_order("-acc"))[:3] == [{"acc": 0.9}, {"acc": 0.7}, {"acc": 0.5}]
    with pytest.raises(UsageError):
        parse_order("-")


@pytest.mark.parametrize(
    ("metric", "descending"),
    [("loss", False), ("eval_loss", False), ("val/WER", False), ("test.acc", True), ("f1", True)],
)
def test_a_goal_by_name(metric: str, descending: bool):
    assert best_order(metric, None) == Order(metric, descending)


def test_a_goal_that_is_set_is_stronger():
    assert best_order("loss", "max") == Order("loss", descending=True)
    assert best_order("latency", "min") == Order("latency")


@pytest.mark.parametrize("metric", ["latency", "loss_accuracy", "glossary"])
def test_a_goal_that_nobody_told(metric: str):
    with pytest.raises(ConfigError) as raised:
        best_order(metric, None)
    assert raised.value.hint == f"git config cpv.metric.{metric}.goal min, or max"


@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_wrong_usage(text: str):
    try:
        for condition in parse_conditions([text]):
            condition.holds({"a": 1})
    except UsageError:
        pass
