"""Measures commands of several contenders in turn, so that what slows the machine down slows all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def nothing() -> None:
    """What precedes a command that can be run again as it is."""


@dataclass(frozen=True)
class Contender:
    """A command of one program; `before` brings back, untimed, the state that it is to be run in."""

    name: str
    cwd: Path
    command: Sequence[str]
    before: Callable[[], None] = nothing


@dataclass(frozen=True)
class Figures:
    """One run of a whole process and all that it started: seconds, and the peak memory of the largest one.

    The kernel counts a process's memory from its fork on, so that no peak is below this program's own.
    getrusage(2).
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Traffic:
    """What one run sent to the server and asked of it."""

    sent_bytes: int
    received_bytes: int
    requests: int


@dataclass(frozen=True)
class Timing:
    """All runs of one contender. `traffic` is None where no server is asked."""

    contender: Contender
    runs: Sequence[Figures]
    traffic: Traffic | None = None

    @property
    def wall_s(self) -> float:
        return statistics.median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        return statistics.median(run.cpu_s for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        return max(run.peak_bytes for run in self.runs)


def interleaved(
    contenders: Sequence[Contender],
    runs: int,
    environment: Mapping[str, str],
    count: Callable[[Contender], Traffic] | None = None,
) -> list[Timing]:
    """Each contender once, not measured, then all of them in turn, `runs` times.

    `count`, where given, makes the first run of each, and says what went over the wire.
    """
    taken: dict[str, list[Figures]] = {contender.name: [] for contender in contenders}
    traffic: dict[str, Traffic] = {}
    for turn in range(runs + 1):
        for contender in contenders:
            contender.before()
            if turn:
                taken[contender.name].append(run(contender, environment))
            elif count is None:
                run(contender, environment)
            else:
                traffic[contender.name] = count(contender)
    return [Timing(c, taken[c.name], traffic.get(c.name)) for c in contenders]


def run(contender: Contender, environment: Mapping[str, str]) -> Figures:
    """Raises RuntimeError, with the end of what it said, where the command fails."""
    with tempfile.TemporaryFile() as words:
        start = time.perf_counter()
        process = subprocess.Popen(
            contender.command,
            cwd=contender.cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            words.seek(0)
            said = words.read().decode(errors="replace")
            raise RuntimeError(f"{contender.name} failed in {contender.cwd}: {said[-800:]}")
    return Figures(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
