"""Draws what `growth` measured: `python plot.py FIGURES.json PLOT.png`. Needs matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def main() -> None:
    figures = json.loads(Path(sys.argv[1]).read_text())
    drawing, axes = pyplot.subplots(1, len(figures["panels"]), figsize=(11, 4.5))
    for panel, ax in zip(figures["panels"], axes, strict=True):
        for nth, (name, points) in enumerate(panel["lines"].items()):
            amounts, seconds = zip(*points, strict=True)
            ax.plot(amounts, seconds, marker="o", label=name, linewidth=2.5 if nth == 0 else 1.2)
        ax.set(
            xscale="log", yscale="log", xlabel=panel["axis"], ylabel="seconds, median", title=panel["title"]
        )
        ax.grid(True, which="both", alpha=0.25)
        ax.legend(fontsize=8)
    drawing.suptitle(f"storage: {figures['arena']}")
    drawing.tight_layout()
    drawing.savefig(sys.argv[2], dpi=130)


if __name__ == "__main__":
    main()
