"""A large file that was interrupted on its way: the same command brings the rest, and only the rest."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest

from servers.front import Fault, Front
from servers.s3 import S3Server
from shell import Shell
from terminal import Terminal

MIB = 1 << 20
PART = 8 * MIB
SIZE = 3 * PART


@pytest.fixture
def repo(shell: Shell, moto_server: S3Server, front: Front) -> Shell:
    """A model of three parts, recorded nowhere yet."""
    shell.ok(f"git cpv init -q --team T --model m --storage s3://{moto_server.new_bucket()} 'my repo'")
    repo = shell.at("my repo", **moto_server.environment | {"AWS_ENDPOINT_URL": front.endpoint})
    repo.write("model.bin", b"weights" * (SIZE // 7 + 1))
    os.truncate(repo.cwd / "model.bin", SIZE)
    return repo


def stopped_uploading(repo: Shell, front: Front, how: str) -> None:
    """A push of which the third part gets no answer, ended there."""
    front.faults.append(Fault("silent", "PUT", "partNumber=3", times=99))
    words = ["git-cpv-push", "--metric", "loss=1", "--jobs", "1"]
    if how == "Ctrl-C":
        with Terminal(words, repo.cwd, repo.env) as terminal:
            assert front.left_waiting.wait(60)
            terminal.type("\x03")
            assert terminal.wait() == 130
    else:
        process = subprocess.Popen(words, cwd=repo.cwd, env={**os.environ, **repo.env})
        assert front.left_waiting.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    front.faults.clear()
    front.clear()


@pytest.mark.parametrize("how", ["Ctrl-C", "kill -9"])
def test_a_push_goes_on_with_its_upload(repo: Shell, front: Front, how: str) -> None:
    stopped_uploading(repo, front, how)
    assert (
        "the upload of model.bin (24 MiB) is not finished: git cpv push goes on with it"
        in repo.ok("git cpv status").splitlines()
    )
    done = repo.run("git cpv push --metric loss=1")
    assert done.code == 0, str(done)
    assert done.err.startswith("going on with an upload: 16 MiB of 24 MiB are there\nmodel: 1 file, 24 MiB; ")
    assert front.received_bytes < PART + MIB
    assert "upload" not in repo.ok("git cpv status")
    repo.ok("rm -r .dvc/cache model.bin && git cpv pull -q")
    assert (repo.cwd / "model.bin").stat().st_size == SIZE
    assert "nothing to push" in repo.ok("git cpv status")


def test_a_model_that_changed_is_another_upload(repo: Shell, front: Front) -> None:
    stopped_uploading(repo, front, "kill -9")
    with (repo.cwd / "model.bin").open("r+b") as model:
        model.write(b"another")
    assert "an upload of 24 MiB is not finished: " in repo.ok("git cpv status")
    repo.ok("git cpv push -q --metric loss=2")
    assert front.received_bytes > SIZE
    repo.ok("rm -r .dvc/cache model.bin && git cpv pull -q")
    assert (repo.cwd / "model.bin").read_bytes()[:14] == b"anotherweights"


@pytest.fixture
def stored(repo: Shell, front: Front) -> Shell:
    """A repository whose model, of 96 MiB, is stored and no longer here."""
    with (repo.cwd / "model.bin").open("wb") as model:
        for number in range(96):
            model.write(bytes([number]) * MIB)
    repo.ok("git cpv push -q --metric loss=1 && rm -r .dvc/cache model.bin")
    front.clear()
    return repo


def stopped_downloading(repo: Shell, front: Front, how: str) -> None:
    """A pull of which the last range gets no answer, ended there; by then 64 of 72 MiB are recorded, or more
    where they took long."""
    front.faults.append(Fault("silent", "GET", "files/md5", skip=3, times=99))
    words = ["git-cpv-pull", "--jobs", "1"]
    if how == "Ctrl-C":
        with Terminal(words, repo.cwd, repo.env) as terminal:
            assert front.left_waiting.wait(60)
            terminal.type("\x03")
            assert terminal.wait() == 130
    else:
        process = subprocess.Popen(words, cwd=repo.cwd, env={**os.environ, **repo.env})
        assert front.left_waiting.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    front.faults.clear()
    front.clear()


def partials(repo: Shell) -> list[str]:
    folder = repo.cwd / ".dvc/cache/cpv/partial"
    return sorted(path.suffix for path in folder.iterdir()) if folder.exists() else []


def right(repo: Shell) -> bool:
    model = (repo.cwd / "model.bin").read_bytes()
    return len(model) == 96 * MIB and all(model[number * MIB] == number for number in range(96))


@pytest.mark.parametrize("how", ["Ctrl-C", "kill -9"])
def test_a_pull_goes_on_with_its_download(stored: Shell, front: Front, how: str) -> None:
    stopped_downloading(stored, front, how)
    said = re.search(
        r"^the download of model.bin is not finished \((6[4-9]|7[0-2]) MiB of 96 MiB are here\): "
        "git cpv pull goes on with it$",
        stored.ok("git cpv status"),
        re.MULTILINE,
    )
    assert said, stored.ok("git cpv status")
    here = int(said[1])
    stored.ok("git cpv pull -q")
    assert front.sent_bytes < (96 - here + 1) * MIB
    assert right(stored)
    assert partials(stored) == []
    assert "download" not in stored.ok("git cpv status")


def test_a_partial_that_is_wrong_is_fetched_anew(stored: Shell, front: Front) -> None:
    stopped_downloading(stored, front, "kill -9")
    (part,) = (stored.cwd / ".dvc/cache/cpv/partial").glob("*.part")
    with part.open("r+b") as file:
        file.write(b"damaged")
    stored.ok("git cpv pull -q")
    assert front.sent_bytes > 96 * MIB
    assert right(stored)
    assert partials(stored) == []


def test_a_week_old_partial_is_swept_away(stored: Shell, front: Front) -> None:
    stopped_downloading(stored, front, "kill -9")
    long_ago = time.time() - 8 * 24 * 3600
    for path in (stored.cwd / ".dvc/cache/cpv/partial").iterdir():
        os.utime(path, (long_ago, long_ago))
    stored.ok("git cpv pull -q metrics.log")
    assert partials(stored) == []


def test_two_pulls_of_one_object_into_one_cache(stored: Shell, front: Front, shell: Shell) -> None:
    """The second finds the first in the middle, and brings all of it by itself."""
    stored.git("config", "--file", ".dvc/config.local", "cache.dir", str(stored.cwd / ".dvc/cache"))
    shell.ok("cp -r 'my repo' 'my other'")
    front.faults.append(Fault("silent", "GET", "files/md5", skip=3, times=1))
    first = subprocess.Popen(["git-cpv-pull", "-q"], cwd=stored.cwd, env={**os.environ, **stored.env})
    assert front.left_waiting.wait(60)
    other = stored.at("../my other")
    other.ok("git cpv pull -q")
    assert right(other)
    first.send_signal(signal.SIGKILL)
    first.wait()
    stored.ok("git cpv pull -q")
    assert right(stored)
    assert partials(stored) == []
