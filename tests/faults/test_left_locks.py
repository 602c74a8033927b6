"""git was killed in the midst of a command and left its locks: the next one says which, and what to type."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from shell import Shell

LEFT = r"it lies there since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, and no process here holds it: (rm .+)"


@pytest.fixture
def repo(shell: Shell) -> Shell:
    shell.ok("git cpv init -q --team T --model m 'my model'")
    repo = shell.at("my model")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q --metric loss=1")
    return repo


def kill_git_at(repo: Shell, ref: str) -> Path:
    """The next git that writes a ref like this one is killed while it holds the ref's lock."""
    hook = repo.write(
        ".git/hooks/reference-transaction",
        f'#!/bin/sh\nif [ "$1" = prepared ] && grep -q {ref}; then kill -9 $PPID; fi\n',
    )
    hook.chmod(0o755)
    return hook


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell who has a file open")
@pytest.mark.parametrize(
    ("command", "ref", "folder"),
    [
        ("git cpv tag v0.1", "refs/tags/v0.1", "."),
        ("git cpv push -q --metric loss=2", "refs/heads/main", "."),
        ("git cpv push -q --metric loss=2", "refs/heads/main", "data"),
    ],
)
def test_the_lock_of_a_killed_git_is_named_with_what_removes_it(
    repo: Shell, command: str, ref: str, folder: str
) -> None:
    repo.write("model.bin", "weights 2")
    if "tag" in command:
        repo.ok("git cpv push -q --metric loss=2")
    hook = kill_git_at(repo, ref)
    assert repo.run(command).code != 0
    hook.unlink()
    lock = repo.cwd / f".git/{ref}.lock"
    assert lock.exists()
    said = repo.at(folder).fails(command).splitlines()
    assert len(said) == 2
    assert ".lock': File exists" in said[0]
    removing = re.fullmatch(f"hint: {LEFT}", said[1])
    assert removing, said[1]
    repo.at(folder).ok(removing[1])
    assert not lock.exists()
    repo.ok(command)
    assert repo.ok("git cpv status").splitlines()[-1].startswith(("nothing to push", "no git remote"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell who has a file open")
def test_a_lock_that_is_held_is_left_alone(repo: Shell) -> None:
    lock = repo.write(".git/index.lock", "")
    repo.write("model.bin", "weights 2")
    with subprocess.Popen(
        ["sh", "-c", "exec 9<.git/index.lock; echo; read x"],
        cwd=repo.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()
        said = repo.fails("git cpv push --metric loss=2").splitlines()
        assert (
            said[1]
            == f"hint: process {holder.pid} (sh -c) is at work here; type the command again when it is done"
        )
        holder.stdin.close()
    lock.unlink()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell who has a file open")
def test_git_at_work_in_the_repository_is_told_of(repo: Shell) -> None:
    """Such as one that waits for an editor."""
    repo.write("train.py", "1")
    repo.git("add", "train.py")
    editor = repo.write(".git/editor", "#!/bin/sh\necho >&2\nread x\nexit 1\n")
    editor.chmod(0o755)
    with subprocess.Popen(
        ["git", "commit"],
        cwd=repo.cwd,
        env={**os.environ, "GIT_EDITOR": f"'{editor}'"},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as committing:
        assert committing.stdin
        assert committing.stderr
        committing.stderr.readline()
        lock = repo.cwd / ".git/index.lock"
        lock.touch()
        repo.write("model.bin", "weights 2")
        said = repo.fails("git cpv push --metric loss=2").splitlines()
        assert said[-1].startswith(f"hint: process {committing.pid} (git commit) is at work here")
        committing.stdin.close()
        committing.stderr.read()
    lock.unlink(missing_ok=True)


def test_since_when_it_lies_there(repo: Shell) -> None:
    lock = repo.write(".git/index.lock", "")
    then = time.mktime((2026, 3, 14, 15, 9, 26, 0, 0, -1))
    os.utime(lock, (then, then))
    repo.write("model.bin", "weights 2")
    said = repo.fails("git cpv push --metric loss=2").splitlines()[-1]
    assert said.startswith("hint: it lies there since 2026-03-14 15:09:26, ")
    assert said.endswith(f": rm '{lock}'")


def test_a_lock_on_the_configuration(repo: Shell) -> None:
    repo.write(".git/config.lock", "")
    said = repo.fails("git cpv hooks install")
    assert f"rm '{repo.cwd}/.git/config.lock'" in said
