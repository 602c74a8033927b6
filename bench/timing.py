"""Times commands of several contenders in turn, so that what slows the machine down slows all of them."""

from __future__ import annotations

import statistics
import subprocess
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
class Timing:
    """Of one contender: the median and the fastest of its runs, in seconds."""

    contender: Contender
    median_s: float
    fastest_s: float


def interleaved(contenders: Sequence[Contender], runs: int, environment: Mapping[str, str]) -> list[Timing]:
    """Each contender once, untimed, then all of them in turn, `runs` times."""
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(runs + 1):
        for contender in contenders:
            contender.before()
            seconds = _time(contender, environment)
            if turn:
                taken[contender.name].append(seconds)
    return [Timing(c, statistics.median(taken[c.name]), min(taken[c.name])) for c in contenders]


def _time(contender: Contender, environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        contender.command,
        cwd=contender.cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{contender.name} failed in {contender.cwd}: {done.stderr.decode()[-500:]}")
    return seconds
