"""How much memory, and processor time, pushes and pulls of very many small files take: budget 200 MiB.

    .venv/bin/python bench/many.py                       # 100,000 and 200,000 files, in a folder
    .venv/bin/python bench/many.py --on sink 100000      # on the fast server

Each file of `data` is new. The clone that pulls is new too, so that everything comes from the storage.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from places import NAMES, started
from scenes import Place, make_scene, sealed_environment
from timing import Contender, Figures, run

_BUCKET = "bench"
_IN_A_FOLDER = 1_000


def measure(folder: Path, environment: dict[str, str], place: Place, count: int, size: int) -> None:
    scene = make_scene(folder, environment, place)
    _write(scene.cpv / "data", count, size)
    scene.run(scene.cpv, "git-cpv-track", "-q", "--data", "data")
    _say("push", count, run(Contender("push", scene.cpv, ["git-cpv-push", "-q"]), environment))
    clone = folder / "clone"
    scene.run(folder, "git", "clone", "-q", scene.cpv, clone)
    local = scene.cpv / ".dvc/config.local"
    if local.exists():
        shutil.copy(local, clone / ".dvc/config.local")
    _say("pull", count, run(Contender("pull", clone, ["git-cpv-pull", "-q"]), environment))
    _say("status", count, run(Contender("status", clone, ["git-cpv-status"]), environment))


def _write(data: Path, count: int, size: int) -> None:
    shutil.rmtree(data, ignore_errors=True)
    for number in range(count):
        folder = data / f"{number // _IN_A_FOLDER:04}"
        if number % _IN_A_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:07}.txt").write_bytes(os.urandom(size))


def _say(what: str, count: int, figures: Figures) -> None:
    print(
        f"{what:<8}{count:>10,} files {figures.wall_s:>8.1f} s {figures.cpu_s:>8.1f} s CPU "
        f"{figures.peak_bytes / (1 << 20):>8.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", nargs="*", type=int, default=[100_000, 200_000], metavar="COUNT")
    parser.add_argument("--on", choices=["folder", *NAMES], default="folder")
    parser.add_argument("--file-bytes", type=int, default=100, metavar="BYTES")
    args = parser.parse_args()
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cpv-bench-")))
        environment = sealed_environment(root / "home")
        server = None
        if args.on != "folder":
            server = stack.enter_context(started(args.on, root / "server"))
            server.make_bucket(_BUCKET)
            environment |= server.environment()
        for count in args.counts:
            folder = root / str(count)
            url = f"s3://{_BUCKET}/{count}" if server else str(folder / "storage")
            measure(folder, environment, Place(url), count, args.file_bytes)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
