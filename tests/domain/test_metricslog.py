"""metrics.log: the training's lines and CPV's records."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import RepositoryError
from cpvlib.domain import metricslog
from cpvlib.domain.metricslog import Log, Record, addition, last_training_metrics

RECORD = Record({"model.bin": "a" * 32}, {"loss": 0.2}, {"lr": 0.1}, "2026-03-01T12:00:00Z")
LATER = Record({"model.bin": "b" * 32}, {"loss": 0.1}, {}, "2026-03-02T12:00:00Z")
MIB = 1 << 20


def appended(log: bytes, record: Record) -> bytes:
    return log + addition(Log.of(log), record)


def test_a_records_line():
    assert RECORD.line() == (
        b'{"id": "' + RECORD.id.encode() + b'", "metrics": {"loss": 0.2}, '
        b'"model": {"model.bin": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, "params": {"lr": 0.1}, '
        b'"time": "2026-03-01T12:00:00Z"}\n'
    )
    log = Log.of(b"epoch 1\n" + RECORD.line() + LATER.line())
    assert list(metricslog.records(log)) == [LATER, RECORD]


def test_the_id_leaves_the_time_out():
    assert Record(RECORD.model, RECORD.metrics, RECORD.params, "2030-01-01T00:00:00Z").id == RECORD.id
    assert Record(RECORD.model, {"loss": 0.3}, RECORD.params).id != RECORD.id


@pytest.mark.parametrize(
    ("log", "metrics"),
    [
        (b"", None),
        (b"epoch 1 loss 0.3\n[1]\n3\n", None),
        (b'{"loss": 0.3}\n{"loss": 0.2, "eval": {"acc": 0.9}}\n', {"loss": 0.2, "eval.acc": 0.9}),
        (b'{"loss": 0.3}', {"loss": 0.3}),
        (b'  {"loss": 0.3}\r\n\nsaved model.bin\n', {"loss": 0.3}),
        (b'{"loss": 0.3, "at": "12:00", "best": true, "x": null}\n', {"loss": 0.3}),
        (b'{"loss": 0.3}\n' + RECORD.line(), None),
        (RECORD.line() + b'{"loss": 0.1}\n', {"loss": 0.1}),
        (b'{"broken\n' + RECORD.line() + b'{"loss": 0.1}\n', {"loss": 0.1}),
        # the training's own line may use CPV's keys
        (b'{"id": "run-7", "model": {}, "metrics": {"loss": 2}, "params": {}}', {"metrics.loss": 2}),
    ],
)
def test_the_trainings_last_word(log: bytes, metrics: dict[str, float] | None):
    assert last_training_metrics(Log.of(log)) == metrics


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (b'{"loss": 0.3}\n{"loss": 0.2,', "line 2 of 'metrics.log' is not JSON"),
        (b'ok\n\n{"x": NaN}\ntext\n', "metric 'x' in line 3 of 'metrics.log' is not a finite number: nan"),
        (b'{"a": 1e999}', "metric 'a' in line 1 of 'metrics.log' is not a finite number: inf"),
    ],
)
def test_a_broken_line_is_named(log: bytes, message: str):
    with pytest.raises(RepositoryError) as raised:
        last_training_metrics(Log.of(log))
    assert raised.value.message == message


def test_a_record_is_appended_once():
    log = appended(b'{"loss": 0.2}', RECORD)
    assert log == b'{"loss": 0.2}\n' + RECORD.line()
    again = Record(RECORD.model, RECORD.metrics, RECORD.params, "2030-01-01T00:00:00Z")
    assert appended(log, again) == log
    both = appended(log, LATER)
    assert appended(both, RECORD) == both


def test_a_repeated_training_settles_its_own_line():
    log = RECORD.line() + LATER.line() + b'{"loss": 0.2}\n'
    settled = appended(log, RECORD)
    assert settled == log + RECORD.line()
    assert last_training_metrics(Log.of(settled)) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_by_line(log: bytes):
    try:
        last_training_metrics(Log.of(log))
    except RepositoryError as error:
        assert "line" in error.message
    assert appended(appended(log, RECORD), RECORD) == appended(log, RECORD)


@given(
    st.lists(st.binary(max_size=40) | st.integers(0, 70_000).map(lambda size: b"x" * size), max_size=6),
    st.integers(0, 100_000),
)
def test_lines_are_read_from_the_end(lines: list[bytes], more: int):
    content = b"\n".join(lines)
    log = Log(io.BytesIO(content + b"y" * more), len(content))
    assert list(log.backwards()) == content.split(b"\n")[::-1]
    assert log.ends_a_line == (content[-1:] in (b"", b"\n"))


def test_records_are_found_between_a_million_bytes_of_others():
    noise = b'{"loss": 0.3}\n' * 100_000
    log = Log.of(noise + RECORD.line() + noise + LATER.line() + noise)
    assert list(metricslog.records(log)) == [LATER, RECORD]


def test_a_line_without_end_takes_no_memory_and_is_named():
    log = Log.of(b"text\n" + b'{"loss": 0.3, "x": "' + b"y" * (5 * MIB) + b'"}\n')
    assert 4 * MIB < max(map(len, log.backwards())) < 4.2 * MIB
    with pytest.raises(RepositoryError, match=r"^line 2 of 'metrics.log' is longer than 4 MiB\n"):
        last_training_metrics(log)
