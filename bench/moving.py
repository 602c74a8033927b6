"""Where bytes move: models and folders, there and back, with storage in a folder or at an S3 server.

The raw movers name nothing and check nothing; with md5sum they are the floor that a push is held against.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from itertools import count, islice
from pathlib import Path

import finetune
import peers
from budgets import Budget, at_most_sent, at_most_times, memory, times_faster, within
from cases import Case, Stage, dvc, dvc_records
from scenes import Scene, write_random
from timing import Contender

_FRESH = count(1_000_000)
_BLOCK = 8 << 20
_FEW = 100
_PUSH = ["git-cpv-push", "--metric", "loss=1"]
_DVC_PUSH, _DVC_PULL = "dvc add, push", "dvc pull"
_RAW = (*(mover.name for mover in peers.movers()), "cp")


def _push_model(write: Callable[[Path, int, int], None]) -> Callable[[Stage], list[Contender]]:
    """A model that nobody has seen: `write(path, size_bytes, seed)` makes each."""

    def contenders(stage: Stage) -> list[Contender]:
        scene = _first(stage, write)
        renew = {
            where: lambda where=where: write(where / "model.bin", stage.sizes.model_bytes, next(_FRESH))
            for where in scene.folders
        }
        return [
            Contender("git cpv push", scene.cpv, _PUSH, renew[scene.cpv]),
            *dvc(scene, _DVC_PUSH, dvc_records("model.bin"), renew.get(scene.dvc, renew[scene.cpv])),
            *_git_lfs(stage, write),
            *_raw_put(stage, scene.cpv / "model.bin"),
            Contender("md5sum", scene.cpv, ["md5sum", "model.bin"]),
        ]

    return contenders


def _push_changed_blocks(stage: Stage) -> list[Contender]:
    """A twentieth of the model's blocks is new, one at least."""
    scene = _first(stage, write_random)

    def touch(where: Path) -> Callable[[], None]:
        return lambda: _change_blocks(where / "model.bin", next(_FRESH))

    return [
        Contender("git cpv push", scene.cpv, _PUSH, touch(scene.cpv)),
        *dvc(scene, _DVC_PUSH, dvc_records("model.bin"), touch(scene.dvc)),
    ]


def _push_fine_tune(stage: Stage) -> list[Contender]:
    """Real weights, of which a training changed the last layers."""
    scene = _first(stage, lambda path, _, seed: finetune.write(path, seed))

    def train(where: Path) -> Callable[[], None]:
        return lambda: finetune.write(where / "model.bin", next(_FRESH))

    return [
        Contender("git cpv push", scene.cpv, _PUSH, train(scene.cpv)),
        *dvc(scene, _DVC_PUSH, dvc_records("model.bin"), train(scene.dvc)),
        *_raw_put(stage, scene.cpv / "model.bin"),
    ]


def _push_files(stage: Stage) -> list[Contender]:
    """A folder of which nobody has seen a file."""
    scene = _first(stage, write_random)

    def renew(where: Path) -> Callable[[], None]:
        return lambda: _write_files(where / "data", stage, next(_FRESH) * stage.sizes.files)

    return [
        Contender("git cpv push", scene.cpv, ["git-cpv-push"], renew(scene.cpv)),
        *dvc(scene, _DVC_PUSH, dvc_records("data"), renew(scene.dvc)),
        *_raw_put(stage, scene.cpv / "data"),
        Contender("md5sum", scene.cpv, ["sh", "-c", "find data -type f -print0 | xargs -0 md5sum"]),
    ]


def _push_one_file(stage: Stage) -> list[Contender]:
    scene = _many(stage)

    def renew(where: Path) -> Callable[[], None]:
        return lambda: write_random(where / "data/00007.bin", stage.sizes.file_bytes, next(_FRESH))

    return [
        Contender("git cpv push", scene.cpv, ["git-cpv-push"], renew(scene.cpv)),
        *dvc(scene, _DVC_PUSH, dvc_records("data"), renew(scene.dvc)),
    ]


def _pull(out: str, make: Callable[[Stage], Scene]) -> Callable[[Stage], list[Contender]]:
    """Everything from the storage, into a clone without a cache."""

    def contenders(stage: Stage) -> list[Contender]:
        scene = make(stage)

        def empty(where: Path) -> Callable[[], None]:
            def forget() -> None:
                shutil.rmtree(where / ".dvc/tmp", ignore_errors=True)
                (where / "model.bin").unlink(missing_ok=True)
                for place in (where / ".dvc/cache", where / "data"):
                    _put_aside(place, stage.folder)

            return forget

        copy = stage.folder / "copy" / out
        copy.parent.mkdir()
        shutil.copytree(scene.cpv / out, copy) if out == "data" else shutil.copy(scene.cpv / out, copy)
        summed = f"find {copy} -type f -print0 | xargs -0 md5sum"
        return [
            Contender("git cpv pull", scene.cpv, ["git-cpv-pull"], empty(scene.cpv)),
            *dvc(scene, _DVC_PULL, "dvc pull -q", empty(scene.dvc)),
            *_raw_get(stage, copy),
            Contender("md5sum", stage.folder, ["sh", "-c", summed]),
        ]

    return contenders


def _first(stage: Stage, write: Callable[[Path, int, int], None]) -> Scene:
    """One checkpoint: a model, and a few small files of data."""
    scene = stage.scene()
    for folder in scene.folders:
        write(folder / "model.bin", stage.sizes.model_bytes, 1)
    scene.write_files(5, 10 << 10, seed=100)
    scene.record("First")
    return scene


def _many(stage: Stage) -> Scene:
    """One checkpoint: a small model, and many files of data."""
    scene = stage.scene()
    scene.write_model(1 << 20, seed=1)
    scene.write_files(stage.sizes.files, stage.sizes.file_bytes, seed=100)
    scene.record("First")
    return scene


def _write_files(folder: Path, stage: Stage, seed: int) -> None:
    _put_aside(folder, stage.folder)
    folder.mkdir()
    for number in range(stage.sizes.files):
        write_random(folder / f"{number:05d}.bin", stage.sizes.file_bytes, seed + number)


def _put_aside(folder: Path, place: Path) -> None:
    """Out of the way, and not removed before a command runs: ext4 passes over inodes that were freed lately,
    one by one, and a push of 10,000 files then took 5 s of the system's time instead of 1.3 s."""
    if len(list(islice(folder.rglob("*"), _FEW))) < _FEW:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        folder.rename(place / f"old-{next(_FRESH)}")


def _change_blocks(path: Path, seed: int) -> None:
    """Every twentieth block of the file, from a block that depends on the seed."""
    size = path.stat().st_size
    blocks = max(size // _BLOCK, 1)
    with path.open("r+b") as stream:
        for number in range(seed % min(20, blocks), blocks, 20):
            stream.seek(number * _BLOCK)
            stream.write(random.Random(seed + number).randbytes(min(_BLOCK, size - number * _BLOCK)))


def _write_compressible(path: Path, size_bytes: int, seed: int) -> None:
    """Text, as a vocabulary or a sparse tensor is: a tenth of its size when it is packed."""
    line = b"%08d 0.0000000 0.0000000 0.0000000 0.0000000 0.0000000 0.0000000\n"
    with path.open("wb") as stream:
        for number in range(size_bytes // len(line % 0) + 1):
            stream.write(line % ((seed + number) % 100_000_000))


def _raw_put(stage: Stage, source: Path) -> list[Contender]:
    """What moves the bytes and no more."""
    if not stage.is_s3:
        return [Contender("cp", stage.folder, ["cp", "-R", str(source), str(stage.folder / "raw")])]
    words = _words(stage, source)
    template = "put_folder" if source.is_dir() else "put"
    return [_mover(stage, mover, template, words) for mover in peers.movers()]


def _raw_get(stage: Stage, copy: Path) -> list[Contender]:
    """The bytes of `copy`, put there before, into a place of each one's own."""
    target = copy.with_name("got")
    if not stage.is_s3:
        again = ["cp", "-R", str(copy), str(target)]
        return [Contender("cp", stage.folder, again, lambda: _clear(target, stage.folder))]
    suffix = "_folder" if copy.is_dir() else ""
    contenders = []
    for number, mover in enumerate(peers.movers()):
        if number == 0:
            stage.run(mover.line(getattr(mover, f"put{suffix}"), **_words(stage, copy)))
        words = _words(stage, target)
        contenders.append(_mover(stage, mover, f"get{suffix}", words, lambda: _clear(target, stage.folder)))
    return contenders


def _words(stage: Stage, local: Path) -> dict[str, str | Path]:
    url = stage.place.below("raw")
    return {"file": local, "folder": local, "url": url, "key": url.removeprefix("s3://")}


def _mover(
    stage: Stage,
    mover: peers.Mover,
    template: str,
    words: dict[str, str | Path],
    before: Callable[[], None] = lambda: None,
) -> Contender:
    line = mover.line(getattr(mover, template), **words)
    return Contender(mover.name, stage.folder, ["sh", "-c", line], before)


def _clear(target: Path, place: Path) -> None:
    if target.is_dir():
        _put_aside(target, place)
    target.unlink(missing_ok=True)


def _git_lfs(stage: Stage, write: Callable[[Path, int, int], None]) -> list[Contender]:
    """Into a bare repository in a folder, which git-lfs moves objects to by itself."""
    if stage.is_s3 or not peers.has_git_lfs():
        return []
    here, there = stage.folder / "lfs", stage.folder / "lfs.git"
    here.mkdir()
    for line in (
        f"git init -q --bare {there}",
        "git init -q",
        "git lfs install --local",
        "git lfs track model.bin",
        f"git remote add origin file://{there}",
        "git add -A && git commit -qm Begin && git push -q origin HEAD",
    ):
        stage.run(line, here)
    push = "git add model.bin && git commit -qm x && git push -q origin HEAD"
    return [
        Contender(
            "git lfs push",
            here,
            ["sh", "-c", push],
            lambda: write(here / "model.bin", stage.sizes.model_bytes, next(_FRESH)),
        )
    ]


def _pushed(factor: float, times: float) -> Callable[[Stage], Sequence[Budget]]:
    return lambda _: [
        at_most_times(factor, _RAW, plus="md5sum"),
        times_faster(times, _DVC_PUSH),
        memory(200),
    ]


def _pulled(factor: float) -> Callable[[Stage], Sequence[Budget]]:
    return lambda _: [
        at_most_times(factor, _RAW, plus="md5sum"),
        times_faster(3, _DVC_PULL),
        memory(200),
    ]


def _many_budgets(_: Stage) -> Sequence[Budget]:
    return [times_faster(6, _DVC_PUSH), at_most_times(1.5, ("s5cmd cp", "cp")), memory(200)]


def _changed_budgets(stage: Stage) -> Sequence[Budget]:
    return [at_most_sent(0.07, stage.sizes.model_bytes)] if stage.is_s3 else []


CASES = (
    Case("push a new model", _push_model(write_random), _pushed(1.25, 3), "random bytes", moves=True),
    Case("push a new model", _push_model(_write_compressible), _pushed(1.25, 3), "text", moves=True),
    Case("push a changed model", _push_changed_blocks, _changed_budgets, "5 % of the blocks", moves=True),
    Case("push a fine-tune", _push_fine_tune, words="MiniLM, last layers trained", moves=True),
    Case("push many new files", _push_files, _many_budgets, moves=True),
    Case("push one file of many", _push_one_file, lambda _: [within(400)], moves=True),
    Case("pull a model", _pull("model.bin", lambda s: _first(s, write_random)), _pulled(1.25), moves=True),
    Case("pull many files", _pull("data", _many), _pulled(1.5), moves=True),
)
