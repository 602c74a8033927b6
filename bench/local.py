"""What is typed many times a day, with storage in a folder: it must not be waited for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from budgets import at_most_more, within
from cases import KIB, Case, Stage, dvc, dvc_records
from scenes import Scene, make_versions, write_random
from timing import Contender

_SMALL_KIB = 2


def _small(stage: Stage) -> Scene:
    """A model and a few small files of data."""
    scene = stage.scene()
    scene.write_model(stage.sizes.model_bytes, seed=1)
    scene.write_files(5, 10 * KIB, seed=100)
    scene.record("First")
    return scene


def _large(stage: Stage) -> Scene:
    """A small model and many small files of data."""
    scene = stage.scene()
    scene.write_model(1 << 20, seed=1)
    scene.write_files(stage.sizes.files, _SMALL_KIB * KIB, seed=100)
    scene.record("First")
    return scene


def _help(stage: Stage) -> list[Contender]:
    scene = stage.scene()
    return [
        Contender("git cpv push -h", scene.cpv, ["git-cpv-push", "-h"]),
        *dvc(scene, "dvc push -h", "dvc push -h"),
        Contender("git --version", scene.cpv, ["git", "--version"]),
    ]


def _no_op(make: Callable[[Stage], Scene]) -> Callable[[Stage], list[Contender]]:
    def contenders(stage: Stage) -> list[Contender]:
        scene = make(stage)
        return [
            Contender("git cpv push", scene.cpv, ["git-cpv-push"]),
            *dvc(scene, "dvc push", "dvc push"),
        ]

    return contenders


def _push_small(stage: Stage) -> list[Contender]:
    """One of the small files is another than before."""
    scene = _small(stage)
    seeds = count(1_000)

    def renew(where: Path) -> Callable[[], None]:
        return lambda: write_random(where / "data/00003.bin", 10 * KIB, next(seeds))

    return [
        Contender("git cpv push", scene.cpv, ["git-cpv-push"], renew(scene.cpv)),
        *dvc(scene, "dvc add, push", dvc_records("data"), renew(scene.dvc)),
    ]


def _status(make: Callable[[Stage], Scene]) -> Callable[[Stage], list[Contender]]:
    def contenders(stage: Stage) -> list[Contender]:
        scene = make(stage)
        return [
            Contender("git cpv status", scene.cpv, ["git-cpv-status"]),
            *dvc(scene, "dvc status", "dvc status"),
            Contender("git status", scene.cpv, ["git", "status"]),
        ]

    return contenders


def _tag(stage: Stage) -> list[Contender]:
    scene = _small(stage)

    def drop(*command: str) -> Callable[[], None]:
        calls = count()
        return lambda: scene.run(scene.cpv, *command) if next(calls) else None

    return [
        Contender("git cpv tag", scene.cpv, ["git-cpv-tag"], drop("git-cpv-tag", "-q", "-d", "v0.1")),
        Contender("git tag", scene.cpv, ["git", "tag", "-a", "-m", "x", "x"], drop("git", "tag", "-d", "x")),
    ]


def _list(stage: Stage) -> list[Contender]:
    scene = stage.scene()
    scene.write_model(1 << 20, seed=1)
    scene.write_files(1, KIB, seed=100)
    scene.record("First")
    make_versions(scene, stage.sizes.versions)
    return [
        Contender("git cpv list", scene.cpv, ["git-cpv-list"]),
        Contender("git cpv list -n 10", scene.cpv, ["git-cpv-list", "-n", "10"]),
        Contender("git cpv list --best", scene.cpv, ["git-cpv-list", "--best", "loss"]),
        Contender("git tag -l", scene.cpv, ["git", "tag", "-l", "-n1", "--sort=-v:refname"]),
    ]


def _commit(stage: Stage) -> list[Contender]:
    """A commit of code, in a repository with the hooks and in one without."""
    scene = _small(stage)
    scene.run(scene.cpv, "git-cpv-hooks", "install")
    plain = stage.folder / "plain"
    scene.run(stage.folder, "git", "clone", "-q", scene.cpv, plain)
    commit = ["git", "commit", "-q", "--allow-empty", "-m", "Work"]
    return [
        Contender("git commit, hooks", scene.cpv, commit),
        Contender("git commit", plain, commit),
    ]


def _revert(stage: Stage) -> list[Contender]:
    """Between two checkpoints of the data that differ in a hundredth of the files; both are in the cache."""
    scene = _large(stage)
    scene.run(scene.cpv, "git-cpv-tag", "-q", "--data")
    if scene.has_dvc:
        scene.run(scene.dvc, "git", "branch", "first")
    scene.write_files(stage.sizes.files // 100, _SMALL_KIB * KIB, seed=500_000)
    scene.record("Second")
    scene.run(scene.cpv, "git-cpv-tag", "-q", "--data")
    turns, runs = count(), count()

    def switch() -> None:
        branch = "main" if next(turns) % 2 else "first"
        scene.run(scene.dvc, "git", "checkout", "-q", branch)

    def settle() -> None:
        scene.run(scene.cpv, "git-cpv-revert", "-q", "--data", "v0.2") if next(runs) else None

    return [
        Contender("git cpv revert", scene.cpv, ["git-cpv-revert", "--data", "v0.1"], settle),
        *dvc(scene, "dvc checkout", "dvc checkout", switch),
    ]


CASES = (
    Case("help", _help),
    Case("push, nothing to do", _no_op(_small), lambda _: [within(100)]),
    Case("push one small file", _push_small, lambda _: [within(150)]),
    Case("status", _status(_small), lambda _: [within(100)]),
    Case("tag", _tag, lambda _: [within(100)]),
    Case("push, nothing to do, many files", _no_op(_large), lambda _: [within(250)]),
    Case("status, many files", _status(_large), lambda _: [within(250)]),
    Case("list of many versions", _list, lambda _: [within(300)]),
    Case("commit with the hooks", _commit, lambda _: [at_most_more(50, "git commit")]),
    Case("revert many files", _revert, lambda _: [within(400)], "1 in 100 differs"),
)
