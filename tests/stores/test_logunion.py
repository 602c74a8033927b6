"""Two logs in one: what FORMAT.md says, line by line, whatever their length."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import gettempdir

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.metricslog import Log, Record, record_in, records
from cpvlib.stores import logunion
from cpvlib.stores.sources import unchanging

RECORD = Record({"model.bin": "a" * 32}, {"loss": 0.2}, {"lr": 0.1}, "2026-03-01T12:00:00Z")
LATER = Record({"model.bin": "b" * 32}, {"loss": 0.1}, {}, "2026-03-02T12:00:00Z")
AGAIN = Record(RECORD.model, RECORD.metrics, RECORD.params, "2030-01-01T00:00:00Z")
MIB = 1 << 20


def lines_of(log: bytes) -> list[bytes]:
    return (log if log.endswith(b"\n") or not log else log + b"\n").split(b"\n")[:-1]


def key_of(line: bytes) -> str | bytes:
    record = record_in(line)
    return record.id if record else b"line " + line


def union_in_memory(first: bytes, second: bytes) -> bytes:
    """What FORMAT.md says, as plainly as can be."""
    have, lines = Counter(map(key_of, lines_of(first))), lines_of(first)
    for line in lines_of(second):
        have[key_of(line)] -= 1
        if have[key_of(line)] < 0:
            lines.append(line)
    return b"".join(line + b"\n" for line in lines)


def together_in_memory(one: bytes, other: bytes) -> bytes:
    def order(log: bytes) -> tuple[str, bytes]:
        return max((record.time for record in records(Log.of(log))), default=""), log

    return union_in_memory(*sorted((one, other), key=order))


def merged(how: Callable[..., None], first: bytes, second: bytes) -> bytes:
    target = BytesIO()
    how(BytesIO(first), BytesIO(second), target, Path(gettempdir()))
    return target.getvalue()


def union(first: bytes, second: bytes) -> bytes:
    return merged(logunion.union, first, second)


def together(one: bytes, other: bytes) -> bytes:
    return merged(logunion.together, one, other)


lines = st.sampled_from(
    [
        *(b"epoch", b'{"loss": 1}', b"", b'{"id": "x"}'),
        *(record.line()[:-1] for record in (RECORD, LATER, AGAIN)),
    ]
)
logs = st.builds(
    lambda lines, rest: b"".join(line + b"\n" for line in lines) + rest,
    st.lists(lines, max_size=8),
    st.sampled_from([b"", b"epoch", RECORD.line()[:-1]]),
)


@given(logs, logs, logs)
def test_it_is_the_union_of_their_lines(both: bytes, one: bytes, other: bytes) -> None:
    for begin in (b"", both):
        first, second = begin + one, begin + other
        assert union(first, second) == union_in_memory(first, second)
        assert together(first, second) == together(second, first) == together_in_memory(first, second)


@given(logs, logs)
def test_merging_again_changes_nothing(one: bytes, other: bytes) -> None:
    both = union(one, other)
    assert union(both, other) == union(both, one) == both


def test_an_example() -> None:
    base = b'{"loss": 0.9}\nepoch\n'
    ours, theirs = base + RECORD.line() + b"epoch\n", base + LATER.line() + b"epoch\nbye"
    assert union(ours, theirs) == base + RECORD.line() + b"epoch\n" + LATER.line() + b"bye\n"
    assert union(RECORD.line(), AGAIN.line()) == RECORD.line()
    assert union(b"", b"") == b""


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 3 * MIB])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nx"])
def test_lines_of_any_length(size: int, end: bytes) -> None:
    long, other = b"a" * size, b"a" * (size - 1) + b"b"
    for first, second in (
        (long + end, other),
        (b"x\n" + long, long + end),
        (other + end, long + b"\n" + other),
    ):
        assert union(first, second) == union_in_memory(first, second)
        assert together(first, second) == together_in_memory(first, second)


MEASURED = """
import resource, sys
from pathlib import Path
from cpvlib.stores.logunion import together
one, other, target = sys.argv[1:]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(one, "rb") as first, open(other, "rb") as second, open(target, "wb") as united:
    together(first, second, united, Path(target).parent)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts in other units")
def test_memory_does_not_grow_with_the_logs(tmp_path: Path) -> None:
    """Two of 20 MB that have one line in common: 250,000 lines are more than are counted at once."""
    for name in ("one", "other"):
        with (tmp_path / name).open("w") as log:
            log.write('{"epoch": 0}\n')
            log.writelines(f'{{"run": "{name:>40}", "step": {step:>12}}}\n' for step in range(250_000))
    words = [str(tmp_path / name) for name in ("one", "other", "both")]
    line = ["sh", "-c", '"$@"', "sh", sys.executable, "-c", MEASURED, *words]
    more_kib = int(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    assert more_kib < 50 << 10
    begin, rest = (tmp_path / "one").read_bytes(), (tmp_path / "other").read_bytes().partition(b"\n")[2]
    assert (tmp_path / "both").read_bytes() == begin + rest


def test_a_file_that_grows_while_it_is_read_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "metrics.log"
    log.write_text("epoch 1\n")
    with pytest.raises(RepositoryError, match="changed while it was being read"), unchanging(log) as reader:
        assert reader.read() == b"epoch 1\n"
        with log.open("a") as writer:
            writer.write("epoch 2\n")
