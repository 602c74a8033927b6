"""Ctrl-C: what is under way ends at once and quietly, nothing is half done, the same command completes.

What is interrupted would go on for hours: nothing but Ctrl-C ends it before the test gives up.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from harm import unharmed
from servers.front import Fault, Front
from servers.s3 import S3Server
from shell import Shell
from template import MakeTemplate, Template
from terminal import WATCHDOG_S, Terminal


def made(shell: Shell) -> None:
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q --metric loss=0.5 -m first && git cpv tag -q && git cpv push -q")


@pytest.fixture(scope="session")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def interrupt(terminal: Terminal) -> None:
    """Ctrl-C goes to git and all that it started, as in a shell."""
    terminal.type("\x03")
    assert terminal.wait() == 130
    assert "Traceback" not in terminal.text
    assert "error" not in terminal.text


def test_while_a_large_model_is_hashed(repo: Shell) -> None:
    """Terabytes of nothing take hours to read."""
    with (repo.cwd / "model.bin").open("wb") as model:
        model.truncate(4 << 40)
    repo.git("config", "cpv.cache", "none")
    before = (repo.git("for-each-ref"), repo.git("status", "--porcelain"), repo.read("metrics.log"))
    with Terminal(["git-cpv-push", "--metric", "loss=1"], repo.cwd) as terminal:
        terminal.wait_for("model.bin|hashing|reading")
        interrupt(terminal)
    assert (repo.git("for-each-ref"), repo.git("status", "--porcelain"), repo.read("metrics.log")) == before
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q --metric loss=1")


def test_while_another_command_is_waited_for(repo: Shell) -> None:
    repo.write("model.bin", "weights 2")
    with (repo.cwd / ".dvc/tmp/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with unharmed(repo), Terminal(["git-cpv-track", "x.bin"], repo.cwd) as terminal:
            terminal.wait_for("waiting")
            interrupt(terminal)
    repo.ok("git cpv track -q x.bin")


def test_while_the_git_remote_thinks(repo: Shell) -> None:
    """What is committed by then is stored as well; the same command publishes it."""
    ready = repo.cwd / "../ready"
    repo.ok("mkfifo ../ready ../never")
    hook = repo.write(
        "../origin.git/hooks/pre-receive",
        f"#!/bin/sh\necho >{ready}\nread line <{ready.with_name('never')}\n",
    )
    hook.chmod(0o755)
    repo.write("model.bin", "weights 2")
    with Terminal(["git-cpv-push", "--metric", "loss=1"], repo.cwd) as terminal:
        ready.read_bytes()
        interrupt(terminal)
    hook.unlink()
    assert repo.git("log", "-1", "--format=%s") == "Update model (loss=1)"
    assert repo.run("git cpv push --metric loss=1").err == "published to origin\n"


class TestS3:
    @pytest.fixture
    def remote(self, shell: Shell, moto_server: S3Server, front: Front) -> Shell:
        shell.ok(f"git cpv init -q --team T --model m --storage s3://{moto_server.new_bucket()} repo")
        with (shell.cwd / "repo/.dvc/config.local").open("a") as config:
            config.write("['remote \"storage\"']\n    read_timeout = 9999\n")
        return shell.at("repo", **moto_server.environment | {"AWS_ENDPOINT_URL": front.endpoint})

    @pytest.mark.parametrize("size", [9, 40 << 20], ids=["a whole object", "parts"])
    def test_while_uploading(self, remote: Shell, front: Front, moto_server: S3Server, size: int) -> None:
        remote.write("model.bin", b"w" * size)
        front.faults.append(Fault("silent", "PUT", times=1000))
        with (
            unharmed(remote),
            Terminal(["git-cpv-push", "--metric", "loss=1"], remote.cwd, remote.env) as terminal,
        ):
            assert front.left_waiting.wait(WATCHDOG_S)
            interrupt(terminal)
        front.faults.clear()
        assert remote.ok("git cpv push --metric loss=1") == remote.git("rev-parse", "HEAD")
        assert "loss  1" in remote.ok("git cpv show")

    def test_while_downloading(self, remote: Shell, front: Front) -> None:
        remote.write("model.bin", "weights 1")
        remote.ok("git cpv push -q --metric loss=1 && rm -rf .dvc/cache model.bin")
        front.faults.append(Fault("silent", "GET", "/files/md5/", times=1000))
        with unharmed(remote), Terminal(["git-cpv-pull"], remote.cwd, remote.env) as terminal:
            assert front.left_waiting.wait(WATCHDOG_S)
            interrupt(terminal)
        front.faults.clear()
        remote.ok("git cpv pull -q")
        assert remote.read("model.bin") == "weights 1"
        assert not list((remote.cwd / ".dvc/cache").rglob("tmp/*"))

    def test_while_a_server_is_waited_for(self, remote: Shell, front: Front) -> None:
        """It asks for fewer requests, again and again; nobody has to wait for that."""
        remote.write("model.bin", "weights 1")
        front.faults.append(Fault("refuse", times=1000))
        with (
            unharmed(remote),
            Terminal(["git-cpv-push", "--metric", "loss=1"], remote.cwd, remote.env) as terminal,
        ):
            terminal.wait_for("waiting for 127.0.0.1")
            interrupt(terminal)
        front.faults.clear()
        remote.ok("git cpv push -q --metric loss=1")
