"""Draws what `growth` measured: `python plot.py FIGURES.json PLOT.png`. Needs matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

_LIMIT_MIB = 200
"""What CPV may take at any size."""


def main() -> None:
    figures = json.loads(Path(sys.argv[1]).read_text())
    drawing, rows = pyplot.subplots(2, len(figures["panels"]), figsize=(11, 8))
    for panel, of_time, of_memory in zip(figures["panels"], *rows, strict=True):
        _draw(of_time, panel, 1, "seconds, median")
        _draw(of_memory, panel, 2, "MiB of memory, peak")
        of_time.set(yscale="log", title=panel["title"])
        of_memory.axhline(_LIMIT_MIB, color="grey", linestyle="--", linewidth=1)
    drawing.suptitle(f"storage: {figures['arena']}")
    drawing.tight_layout()
    drawing.savefig(sys.argv[2], dpi=130)


def _draw(ax: Any, panel: dict[str, Any], column: int, label: str) -> None:
    """A line for each contender, CPV's the widest: the first column of its points against another."""
    for nth, (name, points) in enumerate(panel["lines"].items()):
        amounts, figures = [point[0] for point in points], [point[column] for point in points]
        ax.plot(amounts, figures, marker="o", label=name, linewidth=2.5 if nth == 0 else 1.2)
    ax.set(xscale="log", xlabel=panel["axis"], ylabel=label)
    ax.grid(True, which="both", alpha=0.25)
    ax.legend(fontsize=8)


if __name__ == "__main__":
    main()
