"""The repositories that the benchmarks work in: one that CPV keeps, and its twin that DVC keeps."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DVC = CHECKOUT / ".judges/dvc-new/bin/dvc"
_MIB = 1 << 20


def sealed_environment(home: Path) -> dict[str, str]:
    """A home of its own, the checkout's commands first on PATH, and DVC without its calls home."""
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Bench\n\temail = bench@example.org\n[init]\n\tdefaultBranch = main\n"
        "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
    )
    return {
        "HOME": str(home),
        "PATH": f"{CHECKOUT / 'bin'}:{os.environ['PATH']}",
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_NO_ANALYTICS": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


@dataclass(frozen=True)
class Place:
    """Where the objects of a case are kept, each program's below `url`: a folder, or a bucket."""

    url: str

    def below(self, name: str) -> str:
        return f"{self.url}/{name}"


@dataclass(frozen=True)
class Scene:
    """Two folders with the same files; the commands of `cpv` and `dvc` run there."""

    cpv: Path
    dvc: Path
    environment: Mapping[str, str]

    @property
    def has_dvc(self) -> bool:
        return DVC.exists()

    def run(self, folder: Path, *command: str | Path) -> None:
        subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )

    @property
    def folders(self) -> list[Path]:
        return [self.cpv, self.dvc] if self.has_dvc else [self.cpv]

    def write_model(self, size_bytes: int, seed: int) -> None:
        """`model.bin`, with content that nobody has seen; the same in both."""
        for folder in self.folders:
            write_random(folder / "model.bin", size_bytes, seed)

    def write_files(self, count: int, size_bytes: int, seed: int, *, first: int = 0) -> None:
        """`data/0000.bin` and so on, from number `first`; the same in both."""
        for folder in self.folders:
            (folder / "data").mkdir(exist_ok=True)
            for number in range(first, first + count):
                write_random(folder / f"data/{number:05d}.bin", size_bytes, seed + number)

    def record(self, message: str) -> None:
        """Makes a checkpoint of what is there, with either program."""
        self.run(self.cpv, "git-cpv-push", "-q", "-m", message, "--metric", "loss=0.5")
        if self.has_dvc:
            outs = [name for name in ("model.bin", "data") if (self.dvc / name).exists()]
            self.run(self.dvc, DVC, "add", "-q", *outs)
            self.run(self.dvc, "git", "add", "-A")
            self.run(self.dvc, "git", "commit", "-q", "-m", message)
            self.run(self.dvc, DVC, "push", "-q")


def make_scene(folder: Path, environment: Mapping[str, str], place: Place) -> Scene:
    """Both repositories, with no content yet."""
    scene = Scene(folder / "cpv", folder / "dvc", environment)
    scene.cpv.mkdir(parents=True)
    (scene.cpv / "train.py").write_text("print('training')\n")
    scene.run(scene.cpv, "git", "init", "-q")
    scene.run(scene.cpv, "git", "add", "-A")
    scene.run(scene.cpv, "git", "commit", "-q", "-m", "Begin")
    scene.run(
        scene.cpv,
        *("git-cpv-init", "-q", "--team", "bench", "--model", folder.name),
        *("--storage", place.below("cpv")),
    )
    scene.run(scene.cpv, "git-cpv-track", "-q", "model.bin")
    scene.run(scene.cpv, "git-cpv-track", "-q", "--data", "data")
    if scene.has_dvc:
        scene.dvc.mkdir()
        scene.run(scene.dvc, "git", "init", "-q")
        scene.run(scene.dvc, DVC, "init", "-q")
        scene.run(scene.dvc, DVC, "remote", "add", "-q", "-d", "storage", place.below("dvc"))
        scene.run(scene.dvc, "git", "commit", "-q", "-m", "Begin")
    return scene


def write_random(path: Path, size_bytes: int, seed: int) -> None:
    """Writes a file of so many bytes, which depend on `seed` alone, over what was there."""
    source = random.Random(seed)
    with path.open("wb") as stream:
        for start in range(0, size_bytes, _MIB):
            stream.write(source.randbytes(min(_MIB, size_bytes - start)))


def make_versions(scene: Scene, count: int) -> None:
    """So many versions of the checkpoint that is committed, tags and manifests as CPV writes them."""
    from cpvlib.domain.manifest import Manifest, ManifestOut
    from cpvlib.domain.version import Version

    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=scene.cpv, env=scene.environment, capture_output=True, check=True
    ).stdout.strip()
    parts = []
    for number in range(1, count + 1):
        version = Version(0, number)
        outs = (ManifestOut("model.bin", f"{number:032x}", 3 << 30),)
        metrics = {"loss": 1 / number, "accuracy": 1 - 1 / number}
        message = Manifest(f"Try {number}", version, outs, metrics, nonce=f"{number:016x}").render().encode()
        parts.append(
            b"tag %s\nfrom %s\ntagger Bench <bench@example.org> %d +0000\ndata %d\n%s\n"
            % (str(version).encode(), commit, 1_700_000_000 + number, len(message), message)
        )
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=scene.cpv,
        env=scene.environment,
        input=b"".join(parts),
        check=True,
    )
    scene.run(scene.cpv, "git", "pack-refs", "--all")
