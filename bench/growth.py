"""How the cost of a push, in time and in memory, grows with the size of a model and the number of files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cases import MIB, Sizes
from moving import CASES
from scenes import CHECKOUT

if TYPE_CHECKING:
    from run import Arena

_PLOTTER = CHECKOUT / ".bench/bin/python"
_SIZES_MIB = (8, 64, 512, 2048)
_COUNTS = (100, 1_000, 10_000)


def measure(arena: Arena, root: Path, environment: dict[str, str], runs: int, results: Path) -> None:
    """Writes `growth-<arena>.json` and, where matplotlib is installed, the plot beside it."""
    by_title = {case.title: case for case in CASES}
    panels = [
        _panel(
            "MiB of one model",
            by_title["push a new model (random bytes)"],
            [(mib, replace(Sizes(), model_mib=mib)) for mib in _SIZES_MIB],
            (arena, root, environment, runs),
        ),
        _panel(
            "files of 20 KiB",
            by_title["push many new files"],
            [(count, replace(Sizes(), files=count)) for count in _COUNTS],
            (arena, root, environment, runs),
        ),
    ]
    figures = results / f"growth-{arena.name}.json"
    figures.write_text(json.dumps({"arena": arena.name, "panels": panels}, indent=1))
    if not _PLOTTER.exists():
        print(f"{figures}; the plot needs matplotlib: make bench-peers", file=sys.stderr)
        return
    plot = figures.with_suffix(".png")
    subprocess.run([_PLOTTER, CHECKOUT / "bench/plot.py", figures, plot], check=True)
    print(plot)


def _panel(axis: str, case: Any, steps: list[tuple[int, Sizes]], where: tuple[Any, ...]) -> dict[str, Any]:
    arena, root, environment, runs = where
    lines: dict[str, list[tuple[int, float, float]]] = {}
    for amount, sizes in steps:
        result = arena.play(case, root, environment, sizes, runs)
        for timing in result.timings:
            point = amount, timing.wall_s, timing.peak_bytes / MIB
            lines.setdefault(timing.contender.name, []).append(point)
        print(f"{case.title}, {amount:,} {axis}: {timing_words(result)}", file=sys.stderr)
    return {"axis": axis, "title": case.name, "lines": lines}


def timing_words(result: Any) -> str:
    return ", ".join(f"{row[1]} {row[2]}" for row in result.rows())
