"""What each case is allowed, and whether a run kept to it. Nothing fails on a budget: it is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from timing import Timing

Timings = Mapping[str, Timing]
"""By the name of the contender; CPV's is the first."""


@dataclass(frozen=True)
class Verdict:
    """`figure` is what was measured, in the budget's own terms; None where it could not be."""

    text: str
    figure: str
    met: bool | None

    def __str__(self) -> str:
        word = {True: "met", False: "NOT met", None: "not measured"}[self.met]
        return f"{self.text}: {word}" + (f" ({self.figure})" if self.figure else "")


@dataclass(frozen=True)
class Budget:
    """`judge` is given the timings and says the figure and whether it is within."""

    text: str
    judge: Callable[[Timings], tuple[str, bool] | None]

    def verdict(self, timings: Sequence[Timing]) -> Verdict:
        found = self.judge({timing.contender.name: timing for timing in timings})
        return Verdict(self.text, *found) if found else Verdict(self.text, "", None)


def within(limit_ms: int) -> Budget:
    """CPV's wall time."""

    def judge(timings: Timings) -> tuple[str, bool]:
        wall_ms = _ours(timings).wall_s * 1000
        return f"{wall_ms:,.0f} ms", wall_ms <= limit_ms

    return Budget(f"{limit_ms} ms", judge)


def at_most_more(limit_ms: int, peer: str) -> Budget:
    """CPV's wall time less the peer's."""

    def judge(timings: Timings) -> tuple[str, bool]:
        more_ms = (_ours(timings).wall_s - timings[peer].wall_s) * 1000
        return f"{more_ms:,.0f} ms", more_ms <= limit_ms

    return Budget(f"{limit_ms} ms more than {peer}", judge)


def times_faster(factor: float, peer: str) -> Budget:
    def judge(timings: Timings) -> tuple[str, bool] | None:
        if peer not in timings:
            return None
        ratio = timings[peer].wall_s / _ours(timings).wall_s
        return f"{ratio:.2f} x", ratio >= factor

    return Budget(f"{factor:g} x faster than {peer}", judge)


def at_most_times(factor: float, floor: Sequence[str], *, plus: str | None = None) -> Budget:
    """CPV's wall time against that of the fastest of `floor`, with that of `plus` added."""

    def judge(timings: Timings) -> tuple[str, bool] | None:
        there = [timings[name].wall_s for name in floor if name in timings]
        if not there or (plus and plus not in timings):
            return None
        allowed_s = min(there) + (timings[plus].wall_s if plus else 0)
        ratio = _ours(timings).wall_s / allowed_s
        return f"{ratio:.2f} x", ratio <= factor

    words = f"{plus} + the fastest raw move" if plus else "the fastest raw move"
    return Budget(f"{factor:g} x ({words})", judge)


def at_most_sent(share: float, of_bytes: int) -> Budget:
    def judge(timings: Timings) -> tuple[str, bool] | None:
        traffic = _ours(timings).traffic
        if traffic is None:
            return None
        sent = traffic.sent_bytes / of_bytes
        return f"{sent:.1%}", sent <= share

    return Budget(f"{share:.0%} of the bytes sent", judge)


def memory(limit_mib: int) -> Budget:
    def judge(timings: Timings) -> tuple[str, bool]:
        peak_mib = _ours(timings).peak_bytes / (1 << 20)
        return f"{peak_mib:,.0f} MiB", peak_mib <= limit_mib

    return Budget(f"{limit_mib} MiB of memory", judge)


def _ours(timings: Timings) -> Timing:
    return next(iter(timings.values()))
