"""What is measured: each case is a command of CPV's and what others take for the same."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from budgets import Budget
from scenes import DVC, Place, Scene, make_scene
from timing import Contender, nothing

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Sizes:
    """How much there is to move; the defaults are small enough for a laptop."""

    model_mib: int = 64
    files: int = 10_000
    file_kib: int = 20
    versions: int = 10_000

    @property
    def model_bytes(self) -> int:
        return self.model_mib * MIB

    @property
    def file_bytes(self) -> int:
        return self.file_kib * KIB


@dataclass(frozen=True)
class Stage:
    """Where one case plays: a folder of its own, and a place of its own for the objects."""

    folder: Path
    place: Place
    environment: Mapping[str, str]
    sizes: Sizes

    @property
    def is_s3(self) -> bool:
        return self.place.url.startswith("s3://")

    def scene(self) -> Scene:
        return make_scene(self.folder, self.environment, self.place)

    def run(self, line: str, cwd: Path | None = None) -> None:
        """A shell's line that prepares something."""
        subprocess.run(
            line, shell=True, cwd=cwd or self.folder, env=self.environment, check=True, capture_output=True
        )


@dataclass(frozen=True)
class Case:
    """`contenders` makes the repositories on a stage and says who runs what, CPV first."""

    name: str
    contenders: Callable[[Stage], list[Contender]]
    budgets: Callable[[Stage], Sequence[Budget]] = lambda _: ()
    words: str = ""
    moves: bool = False

    @property
    def title(self) -> str:
        return f"{self.name} ({self.words})" if self.words else self.name


@contextmanager
def made(case: Case, stage: Stage) -> Iterator[list[Contender]]:
    """The contenders in their repositories, which are removed afterwards."""
    try:
        yield case.contenders(stage)
    finally:
        shutil.rmtree(stage.folder, ignore_errors=True)


def dvc(scene: Scene, name: str, line: str, before: Callable[[], None] = nothing) -> list[Contender]:
    """A shell's line in DVC's repository; nobody where DVC is not installed."""
    if not scene.has_dvc:
        return []
    return [Contender(name, scene.dvc, ["sh", "-c", f"PATH={DVC.parent}:$PATH; {line}"], before)]


def dvc_records(out: str) -> str:
    """What a DVC user types for what `git cpv push` does."""
    return f"dvc add -q {out} && git add {out}.dvc && git commit -qm x && dvc push -q"
