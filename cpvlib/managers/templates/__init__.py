"""What `init` puts into a new repository: a training that runs, its data, and a README."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

MODEL_OUT = "model.bin"
DATA_OUT = "data"
GOALS = {"loss": "min", "accuracy": "max"}

_HERE = Path(__file__).parent
_PARTS = {"train": 240, "validation": 80, "test": 80}


def code(team: str, model: str) -> dict[str, bytes]:
    """Path → content of what git is to hold."""
    readme = (_HERE / "README.md.txt").read_text("utf-8").replace("@MODEL@", model).replace("@TEAM@", team)
    return {
        "train.py": (_HERE / "train.py.txt").read_bytes(),
        "README.md": readme.encode(),
        ".gitignore": (_HERE / "gitignore.txt").read_bytes(),
    }


def data() -> dict[str, bytes]:
    """Path → content: points in a square, those in a blurred ellipse labelled 1. Always the same."""
    from random import Random

    return {
        f"{DATA_OUT}/{part}/points.csv": _points(Random(part), count).encode()
        for part, count in _PARTS.items()
    }


def _points(source: Random, count: int) -> str:
    rows = ["x,y,label"]
    for _ in range(count):
        x, y = source.uniform(-2, 2), source.uniform(-2, 2)
        inside = x * x + 2 * y * y + 0.5 * x * y + source.uniform(-0.4, 0.4) < 2
        rows.append(f"{x:.4f},{y:.4f},{int(inside)}")
    return "\n".join(rows) + "\n"
