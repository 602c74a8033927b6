"""A push of which 6 of 128 blocks changed, against the push before it that sent everything.

    python bench/delta.py [--mib 1024] [--on moto] [--on ceph]

Both are the same command on a model of the same size: they hash it, keep it in the cache, store it and
confirm it. Then the same for pulls. Counted on the wire, HTTP's own words included.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from places import Server, started
from scenes import CHECKOUT, sealed_environment
from wire import Wire, wire_to

MIB = 1 << 20
BLOCK = 8 * MIB
CHANGED = (3, 17, 18, 64, 90, 127)


def write(path: Path, mib: int, changed: tuple[int, ...] = ()) -> None:
    """Random bytes, the same each time but in the blocks that changed."""
    with path.open("wb") as stream:
        for number in range(mib * MIB // BLOCK):
            stream.write(random.Random(number + (1000 if number in changed else 0)).randbytes(BLOCK))


def measured(wire: Wire, *command: str, cwd: Path, environment: dict[str, str]) -> str:
    before, started, cpu = wire.traffic(), time.perf_counter(), os.times()
    subprocess.run(command, cwd=cwd, env=environment, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - started, wire.traffic()
    used = os.times()
    cpu_s = used.children_user + used.children_system - cpu.children_user - cpu.children_system
    sent, received = after.sent_bytes - before.sent_bytes, after.received_bytes - before.received_bytes
    return (
        f"{sent / MIB:,.1f} | {received / MIB:,.1f} | {after.requests - before.requests} "
        f"| {took:.1f} s | {cpu_s:.1f} s"
    )


def run(place: Server, mib: int, folder: Path) -> None:
    place.make_bucket("delta")
    with wire_to(place.endpoint) as wire:
        environment = sealed_environment(folder / "home") | place.environment(wire.endpoint)
        environment["PATH"] = f"{CHECKOUT / 'bin'}:{CHECKOUT / '.venv/bin'}:{environment['PATH']}"

        def do(*words: str, cwd: Path) -> str:
            return measured(wire, *words, cwd=cwd, environment=environment)

        do("git-cpv-init", "-q", "--team", "T", "--model", "m", "--storage", "s3://delta", "repo", cwd=folder)
        repo, clone = folder / "repo", folder / "clone"
        write(repo / "model.bin", mib)
        print(f"| {place.name} | push of all | {do('git-cpv-push', '-q', cwd=repo)} |", flush=True)
        do("git", "clone", "-q", str(repo), str(clone), cwd=folder)
        print(f"| {place.name} | pull of all | {do('git-cpv-pull', '-q', cwd=clone)} |", flush=True)
        write(repo / "model.bin", mib, CHANGED)
        print(f"| {place.name} | push of 6 blocks | {do('git-cpv-push', '-q', cwd=repo)} |", flush=True)
        do("git", "pull", "-q", cwd=clone)
        print(f"| {place.name} | pull of 6 blocks | {do('git-cpv-pull', '-q', cwd=clone)} |", flush=True)
        if (clone / "model.bin").read_bytes() != (repo / "model.bin").read_bytes():
            raise SystemExit("what came back is not what went in")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the model, a multiple of 8")
    parser.add_argument("--on", action="append", metavar="SERVER", help="moto, ceph (default: both)")
    args = parser.parse_args()
    print(
        "| server | what | MiB sent | MiB received | requests | wall | CPU |\n|---|---|---|---|---|---|---|"
    )
    for name in args.on or ("moto", "ceph"):
        with tempfile.TemporaryDirectory() as folder, started(name, Path(folder, "server")) as place:
            run(place, args.mib, Path(folder).resolve())


if __name__ == "__main__":
    main()
