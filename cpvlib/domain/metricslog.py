"""`metrics.log`: the history of a model's numbers, JSON lines that the training and CPV both append.

The training writes what it likes, a JSON object a line; other text is left alone. CPV adds one record for
each checkpoint that it pushes, with the md5s of the model that the numbers belong to. It is never rewound.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from cpvlib.base.digest import sha256_of
from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass, field
from cpvlib.domain.checkpoint import Number, flat, is_number

NAME = "metrics.log"
START = "start"
"""The value of `cpv` in the line with which a run starts, which holds parameters and code, and no metrics."""


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


def last_training_metrics(content: bytes, where: str = NAME) -> dict[str, Number] | None:
    """The numbers in the last JSON object that the training appended since CPV's last record, or None.

    Text and truth values in that object are not metrics and are passed over, and so is the line with which a
    run starts. Raises RepositoryError with the
    line's number for an object that is cut short or otherwise not JSON, and for NaN and infinities.
    """
    for number, line in _backwards(content):
        if not line.startswith(b"{"):
            continue
        facts = _object(line)
        if facts is None:
            raise RepositoryError(
                f"line {number} of '{where}' is not JSON",
                hint=f"correct or remove that line of '{where}', or give the metrics with --metric",
            )
        if _is_record(facts):
            return None
        if facts.get("cpv") == START:
            continue
        return _numbers(facts, number, where)
    return None


def append_record(content: bytes, record: Record) -> bytes:
    """The log with the record at its end; as it was if it has it and the training added nothing since."""
    if _holds(content, record.id):
        return content
    separator = b"\n" if content and not content.endswith(b"\n") else b""
    return content + separator + record.line()


def records(content: bytes) -> list[Record]:
    """CPV's own records, oldest first; whatever else the log holds is passed over."""
    found = map(record_in, content.split(b"\n"))
    return [record for record in found if record is not None]


def record_in(line: bytes) -> Record | None:
    """The record that a line of the log is; None for one of the training's."""
    facts = _object(line) if line.startswith(b"{") and b'"id"' in line else None
    if facts is None or not _is_record(facts):
        return None
    time = facts["time"] if isinstance(facts.get("time"), str) else ""
    return Record(facts["model"], facts["metrics"], facts["params"], time)


def _holds(content: bytes, record_id: str) -> bool:
    """Is the record there, with no line of the training's after CPV's last one?"""
    if record_id.encode() not in content:
        return False
    for _, line in _backwards(content):
        facts = _object(line) if line.startswith(b"{") else None
        if facts is not None:
            return _is_record(facts) and any(record.id == record_id for record in records(content))
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


def _numbers(facts: Mapping[str, Any], number: int, where: str) -> dict[str, Number]:
    metrics = {
        name: value
        for name, value in flat(facts).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    for name, value in metrics.items():
        if not is_number(value):
            raise RepositoryError(
                f"metric '{name}' in line {number} of '{where}' is not a finite number: {value}",
                hint=f"give the metrics with --metric, or correct '{where}'",
            )
    return metrics


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        facts = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _backwards(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines, stripped, with their numbers (from 1), last first: a long log is read only as far as needed."""
    end = len(content)
    number = content.count(b"\n") + 1
    while end >= 0:
        start = content.rfind(b"\n", 0, end) + 1
        yield number, content[start:end].strip()
        end, number = start - 1, number - 1
