"""How the cost of a push, in time and in memory, grows with the size of a model and the number of files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cases import MIB, Sizes
from moving import CASES
from scenes import CHECKOUT

if TYPE_CHECKING:
    from run import Arena

_PLOTTER = CHECKOUT / ".bench/bin/python"
_OF_THE_MODEL = (1 / 8, 1, 4, 16)
_OF_THE_FILES = (1 / 100, 1 / 10, 1)


def measure(
    arena: Arena, root: Path, environment: dict[str, str], sizes: Sizes, runs: int, results: Path
) -> None:
    """Writes `growth-<arena>.json` and, where matplotlib is installed, the plot beside it: of models around
    the size that was asked for, and of files up to their number."""
    by_title = {case.title: case for case in CASES}
    panels = [
        _panel(
            "MiB of one model",
            by_title["push a new model (random bytes)"],
            [(mib, replace(sizes, model_mib=mib)) for mib in _amounts(sizes.model_mib, _OF_THE_MODEL)],
            (arena, root, environment, runs),
        ),
        _panel(
            f"files of {sizes.file_kib} KiB",
            by_title["push many new files"],
            [(count, replace(sizes, files=count)) for count in _amounts(sizes.files, _OF_THE_FILES)],
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


def _amounts(asked: int, shares: Sequence[float]) -> list[int]:
    return [max(1, int(asked * share)) for share in shares]


def _panel(axis: str, case: Any, steps: list[tuple[int, Sizes]], where: tuple[Any, ...]) -> dict[str, Any]:
    arena, root, environment, runs = where
    lines: dict[str, list[tuple[int, float, float]]] = {}
    for amount, sizes in steps:
        result = arena.play(case, root, environment, sizes, runs, counts=False)
        for timing in result.timings:
            point = amount, timing.wall_s, timing.peak_bytes / MIB
            lines.setdefault(timing.contender.name, []).append(point)
        print(f"{case.title}, {amount:,} {axis}: {timing_words(result)}", file=sys.stderr)
    return {"axis": axis, "title": case.name, "lines": lines}


def timing_words(result: Any) -> str:
    return ", ".join(f"{row[1]} {row[2]}" for row in result.rows())
