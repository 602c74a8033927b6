"""`metrics.log`: the history of a model's numbers, JSON lines that the training and CPV both append.

The training writes what it likes, a JSON object a line; other text is left alone. CPV adds one record for
each checkpoint that it pushes, with the md5s of the model that the numbers belong to. It is never rewound,
and may be of any length: only as much of it is in memory as some lines take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import BytesIO

from cpvlib.base.digest import sha256_of
from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import Any, BinaryIO
from cpvlib.base.values import dataclass, field
from cpvlib.domain.checkpoint import Number, flat, is_number

NAME = "metrics.log"
START = "start"
"""The value of `cpv` in the line with which a run starts, which holds parameters and code, and no metrics."""

_BLOCK = 1 << 16
_LONGEST = 4 << 20
_ID = b'"id"'


@dataclass(frozen=True)
class Record:
    """CPV's own line: the model (out's path to oid) that these numbers describe; `time` (UTC) of its push."""

    model: Mapping[str, str]
    metrics: Mapping[str, Number] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    time: str = ""

    @property
    def id(self) -> str:
        """Made from all but the time, so that the same checkpoint pushed again is the same record."""
        return _id(self.model, self.metrics, self.params)

    def line(self) -> bytes:
        facts = {
            "id": self.id,
            "metrics": self.metrics,
            "model": self.model,
            "params": self.params,
            "time": self.time,
        }
        text = json.dumps(facts, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"


class Log:
    """The first `size` bytes of a file that a training may be lengthening."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.size = size
        self._stream = stream

    @classmethod
    def of(cls, content: bytes) -> Log:
        return cls(BytesIO(content), len(content))

    @property
    def ends_a_line(self) -> bool:
        """Whether what is appended begins one."""
        return self.size == 0 or self._read(self.size - 1, self.size) == b"\n"

    def backwards(self, having: bytes = b"") -> Iterator[bytes]:
        """Lines, last first. Many of those without `having` are left out; one of more than 4 MiB comes cut,
        and is more than that still."""
        end, begun = self.size, b""
        while end > 0:
            start = max(0, end - _BLOCK)
            text = self._read(start, end) + begun
            begun, _, whole = text.partition(b"\n")
            if len(whole) + len(begun) < len(text) and having in whole:
                yield from reversed(whole.split(b"\n"))
            begun, end = begun[: _LONGEST + 1], start
        yield begun

    def number(self, nth_last: int) -> int:
        """Of a line that is the `nth_last` (from 0), as editors count: from 1."""
        starts = range(0, self.size, _BLOCK)
        ends = sum(self._read(at, min(at + _BLOCK, self.size)).count(b"\n") for at in starts)
        return ends + 1 - nth_last

    def _read(self, start: int, end: int) -> bytes:
        self._stream.seek(start)
        return self._stream.read(end - start)


def last_training_metrics(log: Log, where: str = NAME) -> dict[str, Number] | None:
    """The numbers in the last JSON object that the training appended since CPV's last record, or None.

    Text and truth values in that object are not metrics and are passed over, and so is the line with which a
    run starts. Raises RepositoryError with the line's number for an object that is cut short or otherwise not
    JSON, for one of more than 4 MiB, and for NaN and infinities.
    """
    for nth_last, line in enumerate(map(bytes.strip, log.backwards())):
        if not line.startswith(b"{"):
            continue
        facts = _object(line)
        if facts is None:
            wrong = "is longer than 4 MiB" if len(line) > _LONGEST else "is not JSON"
            raise RepositoryError(
                f"line {log.number(nth_last)} of '{where}' {wrong}",
                hint=f"correct or remove that line of '{where}', or give the metrics with --metric",
            )
        if _is_record(facts):
            return None
        if facts.get("cpv") == START:
            continue
        return _numbers(facts, log, nth_last, where)
    return None


def addition(log: Log, record: Record) -> bytes:
    """What is to be appended to have the record at the log's end: nothing where the log has it already, and
    the training added nothing since."""
    if _holds(log, record.id):
        return b""
    return record.line() if log.ends_a_line else b"\n" + record.line()


def records(log: Log, having: bytes = _ID) -> Iterator[Record]:
    """CPV's own records, newest first; whatever else the log holds is passed over, and many of those records
    that are without `having`."""
    return filter(None, map(record_in, log.backwards(having)))


def record_in(line: bytes) -> Record | None:
    """The record that a line of the log is; None for one of the training's."""
    facts = _object(line) if line.startswith(b"{") and _ID in line else None
    if facts is None or not _is_record(facts):
        return None
    time = facts["time"] if isinstance(facts.get("time"), str) else ""
    return Record(facts["model"], facts["metrics"], facts["params"], time)


def _holds(log: Log, record_id: str) -> bool:
    """Is the record there, with no line of the training's after CPV's last one?"""
    for line in map(bytes.strip, log.backwards()):
        facts = _object(line) if line.startswith(b"{") else None
        if facts is not None:
            same = records(log, having=record_id.encode())
            return _is_record(facts) and any(record.id == record_id for record in same)
    return False


def _id(model: Mapping[str, str], metrics: Mapping[str, Number], params: Mapping[str, Any]) -> str:
    content = json.dumps([model, metrics, params], sort_keys=True, separators=(",", ":"))
    return sha256_of(content.encode())[:16]


def _is_record(facts: Mapping[str, Any]) -> bool:
    """A record proves itself by its id: a training's own line may have any of these keys."""
    model, metrics, params = facts.get("model"), facts.get("metrics"), facts.get("params")
    if not (isinstance(model, dict) and isinstance(metrics, dict) and isinstance(params, dict)):
        return False
    return bool(facts.get("id") == _id(model, metrics, params))


def _numbers(facts: Mapping[str, Any], log: Log, nth_last: int, where: str) -> dict[str, Number]:
    metrics = {
        name: value
        for name, value in flat(facts).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    for name, value in metrics.items():
        if not is_number(value):
            place = f"line {log.number(nth_last)} of '{where}'"
            raise RepositoryError(
                f"metric '{name}' in {place} is not a finite number: {value}",
                hint=f"give the metrics with --metric, or correct '{where}'",
            )
    return metrics


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        facts = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
