"""What a run of the benchmarks says: a table for people, the same facts as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from budgets import Verdict
from timing import Timing

_HEAD = ("case", "who", "wall", "x", "CPU", "memory", "sent", "received", "requests")


@dataclass(frozen=True)
class Result:
    """One case; CPV's timing is the first."""

    title: str
    timings: Sequence[Timing]
    verdicts: Sequence[Verdict]

    def rows(self) -> list[tuple[str, ...]]:
        ours = self.timings[0].wall_s
        return [
            (
                self.title if nth == 0 else "",
                timing.contender.name,
                _seconds(timing.wall_s),
                f"{timing.wall_s / ours:.2f}",
                _seconds(timing.cpu_s),
                _size(timing.peak_bytes),
                *_traffic(timing),
            )
            for nth, timing in enumerate(self.timings)
        ]

    def facts(self) -> dict[str, Any]:
        return {
            "case": self.title,
            "contenders": [
                {
                    "name": timing.contender.name,
                    "runs": [asdict(run) for run in timing.runs],
                    "traffic": asdict(timing.traffic) if timing.traffic else None,
                }
                for timing in self.timings
            ],
            "budgets": [asdict(verdict) for verdict in self.verdicts],
        }


def table(results: Sequence[Result]) -> str:
    """Markdown. `x` is the wall time as a multiple of CPV's; memory the peak of the largest process."""
    rows = [_HEAD, *(row for result in results for row in result.rows())]
    used = [nth for nth, _ in enumerate(_HEAD) if any(row[nth] for row in rows[1:])]
    rows = [tuple(row[nth] for nth in used) for row in rows]
    widths = [max(len(row[nth]) for row in rows) for nth in range(len(used))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if nth < 2 else cell.rjust(width)
            for nth, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = ("-" * (width + 2) if nth < 2 else "-" * (width + 1) + ":" for nth, width in enumerate(widths))
    lines.insert(1, "|" + "|".join(rule) + "|")
    return "\n".join(lines)


def budget_lines(results: Sequence[Result]) -> str:
    return "\n".join(f"{result.title}: {verdict}" for result in results for verdict in result.verdicts)


def _traffic(timing: Timing) -> tuple[str, str, str]:
    found = timing.traffic
    if found is None:
        return "", "", ""
    return _size(found.sent_bytes), _size(found.received_bytes), f"{found.requests:,}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1000:,.0f} ms"


def _size(n_bytes: int) -> str:
    from cpvlib.domain.text import human_size

    return human_size(n_bytes)
