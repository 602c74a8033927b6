"""What is measured: each case is a command of CPV's and what others take for the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from scenes import DVC, Scene, make_scene, make_versions, write_random
from timing import Contender

_KIB, _MIB = 1 << 10, 1 << 20
_FRESH = count(1_000_000)


@dataclass(frozen=True)
class Sizes:
    """How much there is to move; the defaults are small enough for a laptop."""

    model_mib: int = 64
    files: int = 10_000
    file_kib: int = 2
    versions: int = 10_000


@dataclass(frozen=True)
class Case:
    """`contenders` makes the repositories in a folder of its own and says who runs what, CPV first."""

    name: str
    contenders: Callable[[Path, dict[str, str], Sizes], list[Contender]]
    budget: str = ""


def _dvc(scene: Scene, name: str, *words: str, before: Callable[[], None] | None = None) -> list[Contender]:
    if not scene.has_dvc:
        return []
    command = [str(DVC), *words]
    return [Contender(name, scene.dvc, command, before) if before else Contender(name, scene.dvc, command)]


def _small(folder: Path, environment: dict[str, str], sizes: Sizes) -> Scene:
    """A model and a few small files of data."""
    scene = make_scene(folder, environment)
    scene.write_model(sizes.model_mib, seed=1)
    scene.write_files(5, 10 * _KIB, seed=100)
    scene.record("First")
    return scene


def _large(folder: Path, environment: dict[str, str], sizes: Sizes) -> Scene:
    """A small model and many files of data."""
    scene = make_scene(folder, environment)
    scene.write_model(1, seed=1)
    scene.write_files(sizes.files, sizes.file_kib * _KIB, seed=100)
    scene.record("First")
    return scene


def _help(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
    scene = make_scene(folder, environment)
    return [
        Contender("git cpv push -h", scene.cpv, ["git-cpv-push", "-h"]),
        *_dvc(scene, "dvc push -h", "push", "-h"),
        Contender("git --version", scene.cpv, ["git", "--version"]),
    ]


def _no_op(make: Callable[[Path, dict[str, str], Sizes], Scene]) -> Callable[..., list[Contender]]:
    def contenders(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
        scene = make(folder, environment, sizes)
        return [
            Contender("git cpv push", scene.cpv, ["git-cpv-push"]),
            *_dvc(scene, "dvc push", "push"),
        ]

    return contenders


def _status(make: Callable[[Path, dict[str, str], Sizes], Scene]) -> Callable[..., list[Contender]]:
    def contenders(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
        scene = make(folder, environment, sizes)
        return [
            Contender("git cpv status", scene.cpv, ["git-cpv-status"]),
            *_dvc(scene, "dvc status", "status"),
            Contender("git status", scene.cpv, ["git", "status"]),
        ]

    return contenders


def _tag(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
    scene = _small(folder, environment, sizes)

    def drop(*command: str) -> Callable[[], None]:
        calls = count()
        return lambda: scene.run(scene.cpv, *command) if next(calls) else None

    return [
        Contender("git cpv tag", scene.cpv, ["git-cpv-tag"], drop("git-cpv-tag", "-q", "-d", "v0.1")),
        Contender("git tag", scene.cpv, ["git", "tag", "-a", "-m", "x", "x"], drop("git", "tag", "-d", "x")),
    ]


def _list(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
    scene = make_scene(folder, environment)
    scene.write_model(1, seed=1)
    scene.write_files(1, _KIB, seed=100)
    scene.record("First")
    make_versions(scene, sizes.versions)
    return [
        Contender("git cpv list", scene.cpv, ["git-cpv-list"]),
        Contender("git cpv list -n 10", scene.cpv, ["git-cpv-list", "-n", "10"]),
        Contender("git cpv list --best", scene.cpv, ["git-cpv-list", "--best", "loss"]),
        Contender("git tag -l", scene.cpv, ["git", "tag", "-l", "-n1", "--sort=-v:refname"]),
    ]


def _push_model(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
    scene = _small(folder, environment, sizes)

    def renew(where: Path) -> Callable[[], None]:
        return lambda: write_random(where / "model.bin", sizes.model_mib * _MIB, next(_FRESH))

    add_and_push = f"{DVC} add -q model.bin && git add model.bin.dvc && git commit -qm x && {DVC} push -q"
    return [
        Contender("git cpv push", scene.cpv, ["git-cpv-push", "--metric", "loss=1"], renew(scene.cpv)),
        *_shell(scene, "dvc add, push", add_and_push, renew(scene.dvc)),
        Contender("md5sum, cp", scene.cpv, ["sh", "-c", "md5sum model.bin && cp model.bin ../copy"]),
    ]


def _push_one_file(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
    scene = _large(folder, environment, sizes)

    def renew(where: Path) -> Callable[[], None]:
        return lambda: write_random(where / "data/00007.bin", sizes.file_kib * _KIB, next(_FRESH))

    add_and_push = f"{DVC} add -q data && git add data.dvc && git commit -qm x && {DVC} push -q"
    return [
        Contender("git cpv push", scene.cpv, ["git-cpv-push"], renew(scene.cpv)),
        *_shell(scene, "dvc add, push", add_and_push, renew(scene.dvc)),
    ]


def _shell(scene: Scene, name: str, line: str, before: Callable[[], None]) -> list[Contender]:
    return [Contender(name, scene.dvc, ["sh", "-c", line], before)] if scene.has_dvc else []


def _revert(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
    """Between two checkpoints of the data that differ in a hundredth of the files; both are in the cache."""
    scene = _large(folder, environment, sizes)
    scene.run(scene.cpv, "git-cpv-tag", "-q", "--data")
    if scene.has_dvc:
        scene.run(scene.dvc, "git", "branch", "first")
    scene.write_files(sizes.files // 100, sizes.file_kib * _KIB, seed=500_000)
    scene.record("Second")
    scene.run(scene.cpv, "git-cpv-tag", "-q", "--data")
    turns = count()

    def switch() -> None:
        branch = "main" if next(turns) % 2 else "first"
        scene.run(scene.dvc, "git", "checkout", "-q", branch)

    def settle() -> None:
        scene.run(scene.cpv, "git-cpv-revert", "-q", "--data", "v0.2") if next(runs) else None

    runs = count()
    return [
        Contender("git cpv revert", scene.cpv, ["git-cpv-revert", "--data", "v0.1"], settle),
        *_dvc(scene, "dvc checkout", "checkout", before=switch),
    ]


def _pull(make: Callable[[Path, dict[str, str], Sizes], Scene]) -> Callable[..., list[Contender]]:
    """Everything from the storage, into a clone without a cache."""

    def contenders(folder: Path, environment: dict[str, str], sizes: Sizes) -> list[Contender]:
        scene = make(folder, environment, sizes)

        def empty(where: Path) -> Callable[[], None]:
            def forget() -> None:
                shutil.rmtree(where / ".dvc/cache", ignore_errors=True)
                shutil.rmtree(where / ".dvc/tmp", ignore_errors=True)
                shutil.rmtree(where / "data")
                (where / "model.bin").unlink()

            return forget

        return [
            Contender("git cpv pull", scene.cpv, ["git-cpv-pull"], empty(scene.cpv)),
            *_dvc(scene, "dvc pull", "pull", before=empty(scene.dvc)),
            Contender("cp -R", folder, ["sh", "-c", "rm -rf copy && cp -R storage-cpv copy"]),
        ]

    return contenders


@contextmanager
def made(case: Case, root: Path, environment: dict[str, str], sizes: Sizes) -> Iterator[list[Contender]]:
    """The contenders in their repositories, which are removed afterwards."""
    folder = root / case.name.replace(" ", "-").replace(",", "")
    try:
        yield case.contenders(folder, environment, sizes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


CASES = (
    Case("help", _help),
    Case("push, nothing to do", _no_op(_small), "100 ms"),
    Case("status", _status(_small), "100 ms"),
    Case("tag", _tag, "100 ms"),
    Case("list of many versions", _list, "300 ms"),
    Case("push, nothing to do, many files", _no_op(_large), "250 ms"),
    Case("status, many files", _status(_large), "250 ms"),
    Case("push a new model", _push_model, "3 times faster than dvc"),
    Case("push one file of many", _push_one_file, "400 ms"),
    Case("revert many files", _revert, "400 ms"),
    Case("pull a model", _pull(_small), "3 times faster than dvc"),
    Case("pull many files", _pull(_large), "3 times faster than dvc"),
)
