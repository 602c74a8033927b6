"""What a checkpoint says of itself: `checkpoint.json`, plain in git beside the pointers.

Sorted, a key a line, so that a pull request shows what changed and `dvc metrics diff` can read it. Nested
metrics and parameters are flattened with dots, as DVC, Hydra and Weights & Biases spell them: `eval.loss`.
"""

from __future__ import annotations

import json
import time as clock
from collections.abc import Iterable, Mapping

from cpvlib.base.digest import md5_of
from cpvlib.base.errors import RepositoryError, UsageError
from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass, field
from cpvlib.domain.markers import has_markers
from cpvlib.domain.numbers import typed_number

NAME = "checkpoint.json"

Number = int | float

_LARGEST = 1.7976931348623157e308
_NUMBERS = (int, float)  # `int | float` would be made for each of ten thousand versions
_MAX_BYTES = 4 << 20
_MAX_NAME = 200
_MAX_NAMES = 16 << 20  # characters of all flattened names: nested ones repeat what they are nested in
_SHAPE = 'what is read is an object, as in {"loss": 0.245}'


@dataclass(frozen=True)
class Code:
    """The commit that the training started from, and the tracked files that were not committed then."""

    commit: str | None = None
    uncommitted: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataUsed:
    """The data that the model was trained on: `data_md5` of the data outs, and its version if it had one."""

    md5: str
    version: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """The facts in one commit's `checkpoint.json`. `time` is ISO 8601, UTC, to the second; '' if unknown."""

    metrics: Mapping[str, Number] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    code: Code = Code()
    data: DataUsed | None = None
    time: str = ""

    @classmethod
    def parse(cls, content: bytes, where: str = NAME) -> Checkpoint:
        """Reads a committed file, which may be anybody's: keys CPV does not know are passed over.

        Raises RepositoryError, naming `where`, for what is not JSON or whose known keys have other shapes.
        """
        facts = load_object(content, where)
        data = facts.get("data")
        return cls(
            metrics=flat_metrics(_mapping(facts.get("metrics"), "metrics", where), where),
            params=flat(_mapping(facts.get("params"), "params", where)),
            code=_code(_mapping(facts.get("code"), "code", where)),
            data=_data(_mapping(data, "data", where)) if data is not None else None,
            time=facts["time"] if isinstance(facts.get("time"), str) else "",
        )

    def render(self) -> bytes:
        """The file's bytes; the same facts always give the same bytes."""
        facts = {
            "code": {"commit": self.code.commit, "uncommitted": sorted(self.code.uncommitted)},
            "data": None if self.data is None else {"md5": self.data.md5, "version": self.data.version},
            "metrics": dict(self.metrics),
            "params": dict(self.params),
            "time": self.time,
        }
        # backslashreplace gives a lone surrogate the escape that JSON has for it
        return ("".join(_lines(facts, "")) + "\n").encode("utf-8", "backslashreplace")


def utc(seconds: float | None = None) -> str:
    """A moment (now, by default) as `checkpoint.json` spells it: '2026-03-01T12:00:00Z'."""
    return clock.strftime("%Y-%m-%dT%H:%M:%SZ", clock.gmtime(seconds))


def data_md5(outs: Mapping[str, str]) -> str | None:
    """One md5 for the data outs (path to oid): the out's own where there is one, else that of their list."""
    if len(outs) <= 1:
        return next(iter(outs.values()), None)
    lines = "".join(f"{oid} {path}\n" for path, oid in sorted(outs.items()))
    return md5_of(lines.encode())


def typed_metrics(pairs: Iterable[str]) -> dict[str, Number]:
    """`--metric K=V`. Raises UsageError for a pair without '=' and for a value that is no finite number."""
    metrics: dict[str, Number] = {}
    for pair in pairs:
        name, value = _split(pair, "metric", "loss=0.245")
        number = typed_number(value.strip())
        if number is None:
            raise UsageError(
                f"metric '{name}' is not a number: '{value}'", hint="type it as in --metric loss=0.245"
            )
        metrics[name] = number
    return metrics


def typed_params(pairs: Iterable[str]) -> dict[str, Any]:
    """`--param K=V`, each: JSON values where V is one (1e-3, true, [1, 2]), else the text itself."""
    params: dict[str, Any] = {}
    for pair in pairs:
        name, text = _split(pair, "param", "lr=0.001")
        value = _loads(text)
        params[name] = text if value is None and text != "null" else value
    return params


def metrics_file(content: bytes, where: str) -> dict[str, Number]:
    """`--metrics FILE`: a JSON object of numbers. Raises RepositoryError, naming the metric that is none."""
    return flat_metrics(load_object(content, where, mend=_settle(where)), where)


def params_file(content: bytes, where: str) -> dict[str, Any]:
    """`--params FILE`: a JSON object of any values, nested objects flattened."""
    return flat(load_object(content, where, mend=_settle(where)))


def flat_metrics(facts: Mapping[str, Any], where: str) -> dict[str, Number]:
    metrics = flat(facts)
    for name, value in metrics.items():
        if not is_number(value):
            raise RepositoryError(
                f"metric '{name}' in '{where}' is not a finite number: {_short(value)}",
                hint=f"correct it or leave it out of '{where}'",
            )
    return metrics


def is_number(value: object) -> bool:
    """A finite number, and not a truth value. The comparison also holds for NaN and for huge integers."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def are_numbers(values: Iterable[object]) -> bool:
    """Whether all of them are, sooner where they are floats."""
    for value in values:
        if not (type(value) is float and -_LARGEST <= value <= _LARGEST) and not is_number(value):
            return False
    return True


def flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Nested objects as one level, names joined by dots; lists and other values stay whole.

    Raises RepositoryError for names that would take more memory than any metric is worth.
    """
    level: dict[str, Any] = {}
    pending: list[tuple[str, Any]] = list(reversed([*facts.items()]))
    length = 0
    while pending:
        name, value = pending.pop()
        if isinstance(value, dict) and value:
            length += len(name) * len(value)
            if length > _MAX_NAMES:
                raise RepositoryError("metrics or parameters are nested under names that are too long")
            pending.extend((f"{name}.{key}", inner) for key, inner in reversed([*value.items()]))
        else:
            level[name] = value
    return level


def _settle(where: str) -> str:
    return f"settle the conflict in '{where}', then git add it"


def load_object(content: bytes, where: str, *, mend: str = "git cpv pull settles it") -> dict[str, Any]:
    """A JSON object from bytes that may be hostile. Raises RepositoryError naming `where` and the line;
    `mend` is what to do about conflict markers.
    """
    if len(content) > _MAX_BYTES:
        raise RepositoryError(f"'{where}' is {len(content)} bytes long, more than the {_MAX_BYTES} allowed")
    if b"<<<<<<< " in content and has_markers(content):
        raise RepositoryError(f"'{where}' has conflict markers", hint=mend)
    try:
        facts = json.loads(content.decode())
    except json.JSONDecodeError as error:
        raise RepositoryError(
            f"line {error.lineno} of '{where}' is not JSON: {error.msg.lower()}", hint=_SHAPE
        ) from error
    except (ValueError, RecursionError) as error:
        raise RepositoryError(f"'{where}' is not JSON that can be read", hint=_SHAPE) from error
    if not isinstance(facts, dict):
        raise RepositoryError(f"'{where}' holds no JSON object", hint=_SHAPE)
    return facts


def _split(pair: str, what: str, example: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    name = name.strip()
    if not equals or not name or len(name) > _MAX_NAME or not name.isprintable():
        raise UsageError(f"a {what} is typed as NAME=VALUE, not '{pair}'", hint=f"--{what} {example}")
    return name, value.strip()


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _mapping(value: object, name: str, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RepositoryError(f"'{name}' in '{where}' is not an object")
    return value


def _code(facts: Mapping[str, Any]) -> Code:
    commit, names = facts.get("commit"), facts.get("uncommitted")
    return Code(
        commit if isinstance(commit, str) else None,
        tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else (),
    )


def _data(facts: Mapping[str, Any]) -> DataUsed | None:
    md5, version = facts.get("md5"), facts.get("version")
    return DataUsed(md5, version if isinstance(version, str) else None) if isinstance(md5, str) else None


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _lines(value: object, indent: str) -> Iterable[str]:
    """JSON with a key a line; a list stays on its key's line, so that a diff names the key it is about."""
    if not isinstance(value, dict) or not value:
        yield json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
        return
    yield "{"
    for nth, key in enumerate(sorted(value)):
        yield f"{',' if nth else ''}\n{indent}  {json.dumps(key, ensure_ascii=False)}: "
        yield from _lines(value[key], indent + "  ")
    yield f"\n{indent}}}"
