"""Measures commands of several contenders in turn, so that what slows the machine down slows all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def nothing() -> None:
    """What precedes a command that can be run again as it is."""


_STARTER = Path(__file__).with_name("starter.py")


@dataclass(frozen=True)
class Contender:
    """A command of one program; `before` brings back, untimed, the state that it is to be run in."""

    name: str
    cwd: Path
    command: Sequence[str]
    before: Callable[[], None] = nothing


@dataclass(frozen=True)
class Figures:
    """One run of a whole process and all that it started: seconds, and the peak memory of the largest one."""

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
            os.sync()  # else what was just made is written to the disk while who writes there too is measured
            if turn:
                taken[contender.name].append(run(contender, environment))
            elif count is None:
                run(contender, environment)
            else:
                traffic[contender.name] = count(contender)
    return [Timing(c, taken[c.name], traffic.get(c.name)) for c in contenders]


def run(contender: Contender, environment: Mapping[str, str]) -> Figures:
    """Raises RuntimeError, with the end of what it said, where the command fails."""
    with tempfile.TemporaryDirectory() as folder:
        figures, words = Path(folder, "figures"), Path(folder, "words")
        with words.open("wb") as said:
            subprocess.run(
                [sys.executable, "-I", "-S", _STARTER, figures, *contender.command],
                cwd=contender.cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        if not figures.exists() or (taken := figures.read_text().split())[-1] != "0":
            end = words.read_text(errors="replace")[-800:]
            raise RuntimeError(f"{contender.name} failed in {contender.cwd}: {end}")
    wall_s, cpu_s, peak_bytes, _ = taken
    return Figures(float(wall_s), float(cpu_s), int(peak_bytes))
