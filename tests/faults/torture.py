"""kill -9 at random moments: real commands, a folder or an S3 server, and after each kill the promises.

    python tests/faults/torture.py [--kills 300] [--seed N] [--on folder,s3]

A world is a published repository and a clone of it. Each round makes work for one command, kills it (alone,
or with all that it started) somewhere in its course, holds what it left against the promises with a checker
that knows nothing of CPV's code, types the same command again, and checks that it completed. Prints the seed
that repeats the choices, counts, and every loss; exit code 1 if there was one.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults.checker import check
from sealing import sealed_environment, write_identity
from servers.s3 import S3Server
from shell import Shell

ROUNDS_OF_A_WORLD = 12
MOST_LOCKS = 8  # a combined version's refs, their pending ones, HEAD, the index
SIZES = (9, 20_000, 3 << 20, 20 << 20)
_LONGER = 1.2
_SUBREAPER = 36  # linux/prctl.h: what a killed command leaves behind is ours to wait for
_USERS = "print('unfinished')\n"


@dataclass
class Score:
    """What happened so far. `spans` are how long each command may take, in seconds: as long as it took when
    it was last done, and somewhat longer each time it was killed, so that its end has its turn too."""

    kills: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    locks: int = 0
    losses: list[str] = field(default_factory=list)
    spans: dict[str, float] = field(default_factory=dict)


class World:
    """`one` publishes, `two` follows; both keep an edited and a staged file of the user's."""

    def __init__(self, folder: Path, server: S3Server | None, chance: random.Random) -> None:
        self.folder, self.server, self.chance = folder, server, chance
        self.nth = 0
        home = folder / "home"
        write_identity(home)
        self.shell = Shell(folder, sealed_environment(home) | (server.environment if server else {}))
        self.origin = folder / "origin.git"
        self.shell.git("init", "-q", "--bare", "origin.git")
        self.bucket = server.new_bucket() if server else ""
        where = f"--storage s3://{self.bucket}" if server else ""
        self.shell.ok(f"git cpv init -q --team T --model m {where} --remote {self.origin} one")
        self.one, self.two = self.shell.at("one"), self.shell.at("two")
        self.change()
        self.one.ok(f"git cpv push -q --metric loss={self.nth} && git cpv tag -q --combined --push")
        self.shell.ok(f"git cpv clone -q {self.origin} two")
        if server:
            self.two.ok("git cpv storage trust -q")
        for each in (self.one, self.two):
            each.write("staged.py", "print('staged')\n")
            each.git("add", "staged.py")
            each.write("train.py", _USERS)

    def change(self) -> None:
        """A new model, and now and then new data."""
        self.nth += 1
        self.one.write("model.bin", self.chance.randbytes(self.chance.choice(SIZES)))
        if self.nth == 1 or self.chance.random() < 0.5:
            for number in range(self.chance.randint(1, 20)):
                self.one.write(f"data/{self.nth}/{number}.txt", f"{self.nth} {number}\n")

    def push(self) -> None:
        self.change()
        self.one.ok(f"git cpv push -q --metric loss={self.nth}")

    def check(self) -> None:
        """P1 and P2 from outside; and what is the user's own is as it was."""
        storage = self.folder / "home/.local/share/cpv/storage"
        if self.server:
            client, storage = self.server.client(), self.folder / "seen"
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
                for found in page.get("Contents", ()):
                    place = storage / found["Key"]
                    if not place.exists():
                        place.parent.mkdir(parents=True, exist_ok=True)
                        client.download_file(self.bucket, found["Key"], str(place))
        for each in (self.one, self.two):
            check(each, self.origin, storage / "T/m")
            assert each.read("train.py") == _USERS
            assert each.git("diff", "--cached", "--name-only", "--diff-filter=A") == "staged.py"

    def settled(self, shell: Shell) -> None:
        said = shell.ok("git cpv status")
        assert "not finished" not in said, said
        assert "nothing to push" in said, said
        shell.ok("git cpv verify")


@dataclass(frozen=True)
class Round:
    """A command that is about to be killed; `again` completes it, and `done` looks whether it did."""

    shell: Shell
    words: list[str]
    model: set[bytes | None]
    done: Callable[[], None]
    codes: tuple[int, ...] = (0,)


def model_of(shell: Shell) -> bytes | None:
    try:
        return (shell.cwd / "model.bin").read_bytes()
    except FileNotFoundError:
        return None


def push(world: World) -> Round:
    world.change()
    one, mine = world.one, model_of(world.one)

    def done() -> None:
        assert one.git("ls-remote", "origin", "main").split()[0] == one.git("rev-parse", "main")
        assert one.read("metrics.log").count(f'"loss": {world.nth}}}') == 1
        world.settled(one)

    return Round(one, ["git-cpv-push", "--metric", f"loss={world.nth}"], {mine}, done)


def tag(world: World) -> Round:
    world.push()
    one = world.one
    series = world.chance.choice(["--model", "--combined"])

    def done() -> None:
        one.ok("git cpv push -q")
        tags = one.git("tag", "--points-at", "HEAD").splitlines()
        assert len(tags) == (2 if series == "--combined" else 1), tags
        for name in tags:
            assert one.git("ls-remote", "origin", f"refs/tags/{name}"), name
        world.settled(one)

    # Killed after the version was made, the command says that it is there; push publishes it.
    return Round(one, ["git-cpv-tag", series, "--push"], {model_of(one)}, done, (0, 1))


def revert(world: World) -> Round:
    world.push()
    one, now = world.one, model_of(world.one)
    version = world.chance.choice(one.ok("git tag --list 'v*'").splitlines())
    one.ok(f"git cpv pull -q {version} --output ../seen-{world.nth}")
    then = model_of(one.at(f"../seen-{world.nth}"))

    def done() -> None:
        assert model_of(one) == then
        one.ok("git cpv push -q")
        world.settled(one)

    return Round(one, ["git-cpv-revert", version], {now, then}, done, (0, 1))


def pull(world: World) -> Round:
    world.push()
    two, then = world.two, model_of(world.one)
    if world.chance.random() < 0.5:
        shutil.rmtree(two.cwd / ".dvc/cache", ignore_errors=True)

    def done() -> None:
        assert model_of(two) == then
        assert two.files("data") == world.one.files("data")
        world.settled(two)

    return Round(two, ["git-cpv-pull"], {model_of(two), then}, done)


def clone(world: World) -> Round:
    world.push()
    third, then = world.shell.at(f"third-{world.nth}"), model_of(world.one)

    def done() -> None:
        assert model_of(third) == then
        world.settled(third)
        shutil.rmtree(third.cwd)

    # Killed at its very end, the command says that the folder is there: `done` looks what is in it.
    words = ["git-cpv-clone", str(world.origin), third.cwd.name]
    return Round(world.shell, words, {None}, done, (0, 128))


def verify(world: World) -> Round:
    world.push()
    return Round(world.one, ["git-cpv-verify", "--deep"], {model_of(world.one)}, lambda: None)


COMMANDS = (push, push, tag, revert, revert, pull, pull, clone, verify)


def killed(turn: Round, score: Score, chance: random.Random) -> bool:
    """Runs the command, and ends it somewhere in its course; False where it was done before."""
    name = turn.words[0]
    delay = chance.uniform(0, 1.1) * score.spans.setdefault(name, 1.0)
    with_children = chance.random() < 0.3
    began = time.monotonic()
    process = subprocess.Popen(
        turn.words,
        cwd=turn.shell.cwd,
        env={**os.environ, **turn.shell.env},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(delay)
        score.spans[name] = time.monotonic() - began
    except subprocess.TimeoutExpired:
        (os.killpg if with_children else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        score.spans[name] *= _LONGER
    _outlived(process.pid)
    if process.returncode != -signal.SIGKILL:
        score.finished += 1
        return False
    score.kills[name.removeprefix("git-cpv-") + (", with what it started" if with_children else "")] += 1
    return True


def _outlived(group: int) -> None:
    """Waits for what the command had started, which goes on without it."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def again(turn: Round, score: Score) -> None:
    """The same command completes; only locks that a killed git left may stop it, each by its name."""
    done = turn.shell.run(turn.words)
    for _ in range(MOST_LOCKS):
        if done.code in turn.codes or ".lock'" not in done.err:
            break
        score.locks += 1
        (turn.shell.cwd / (done.err.split(".lock'")[0].rpartition("'")[2] + ".lock")).unlink()
        done = turn.shell.run(turn.words)
    assert done.code in turn.codes, str(done)


def play(world: World, score: Score, chance: random.Random) -> None:
    """One round."""
    turn = chance.choice(COMMANDS)(world)
    killed(turn, score, chance)
    assert model_of(turn.shell) in turn.model, "the model in the worktree is neither the old nor the new"
    world.check()
    again(turn, score)
    turn.done()
    world.check()


@contextmanager
def s3_server(wanted: bool) -> Iterator[S3Server | None]:
    if not wanted:
        yield None
        return
    from servers.moto import start
    from servers.processes import stop_all

    with tempfile.TemporaryDirectory() as folder:
        endpoint = start(Path(folder))
        try:
            yield S3Server("moto", endpoint, "cpvkey", "cpvsecret")
        finally:
            stop_all(Path(folder))


def torture(seed: int, kills: int, server: S3Server | None, tell: Callable[[str], None]) -> Score:
    """Rounds until so many commands were killed."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    score, nth = Score(), 0
    while score.kills.total() < kills and nth < 4 * kills:
        chance = random.Random(f"{seed} {nth}")
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), server, chance)
            for _ in range(ROUNDS_OF_A_WORLD):
                nth += 1
                try:
                    play(world, score, chance)
                except Exception as error:
                    score.losses.append(f"round {nth}: {error}")
                    tell(f"LOSS in round {nth}: {type(error).__name__}: {error}")
                    break
                if score.kills.total() >= kills:
                    break
        tell(f"{score.kills.total()} of {kills} killed, {len(score.losses)} losses")
    return score


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--on", default="folder,s3")
    args = parser.parse_args()
    places = args.on.split(",")
    _tell(f"seed {args.seed}: repeat with --seed {args.seed} --kills {args.kills} --on {args.on}")
    home = tempfile.mkdtemp(prefix="cpv-torture-")
    environment = sealed_environment(Path(home))
    os.environ.clear()
    os.environ.update(environment)
    losses = 0
    for place in places:
        with s3_server(place == "s3") as server:
            score = torture(args.seed, args.kills // len(places), server, _tell)
        counts = ", ".join(f"{count} {name}" for name, count in sorted(score.kills.items()))
        _tell(f"on {place}: {score.kills.total()} killed ({counts}), {score.finished} were done before")
        _tell(f"on {place}: {score.locks} of git's locks named, {len(score.losses)} losses")
        losses += len(score.losses)
    shutil.rmtree(home)
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
