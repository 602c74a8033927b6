"""What plain DVC gets wrong, in a repository that it made: CPV does it right there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from judge import IN_STEP, Dvc, JudgeTemplate
from shell import Shell

MODEL = b"model 1"
DATA = {"a": b"1", "b": b"22", "below/c": b"333"}


def adopted(dvc: Dvc, shell: Shell) -> None:
    """A model and a folder of data that DVC added, in a repository that CPV has adopted; none is stored."""
    shell.ok("git init -q --bare common.git && git init -q repo")
    repo = shell.at("repo")
    repo.git("remote", "add", "origin", "../common.git")
    dvc.ok(repo, "init", "--quiet")
    dvc.ok(repo, "remote", "add", "--quiet", "--default", "--local", "store", "../store")
    repo.write("model.bin", MODEL)
    for name, content in DATA.items():
        repo.write(f"data/{name}", content)
    dvc.ok(repo, "add", "--quiet", "model.bin", "data")
    repo.git("add", ".")
    repo.git("commit", "-q", "-m", "by dvc")
    repo.ok("git cpv init -q --team T --model m")


@pytest.fixture
def repo(newest_dvc: Dvc, shell: Shell, sealed: Path, judge_template: JudgeTemplate) -> Shell:
    judge_template(newest_dvc, adopted).copy(sealed, shell.cwd)
    return shell.at("repo")


def cached(shell: Shell, content: bytes) -> Path:
    return shell.cwd / ".dvc/cache/files/md5" / key(content)


def stored(shell: Shell, content: bytes) -> Path:
    return shell.cwd / "../store/files/md5" / key(content)


def key(content: bytes) -> str:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return f"{md5[:2]}/{md5[2:]}"


def spoil(place: Path, content: bytes) -> None:
    """The mode stays, and DVC believes it."""
    mode = place.stat().st_mode
    place.chmod(0o644)
    place.write_bytes(content)
    place.chmod(mode)


def colleague(shell: Shell, repo: Shell) -> Shell:
    """A clone without objects that knows the storage."""
    shell.git("clone", "-q", "common.git", "second")
    second = shell.at("second")
    second.write(".dvc/config.local", repo.read(".dvc/config.local"))
    return second


def test_push_leaves_the_users_files_alone(repo: Shell) -> None:
    """DVC unlinks a file before it copies it back from its cache."""
    paths = ["model.bin", *(f"data/{name}" for name in DATA)]
    repo.write("model.bin", "model 2")
    repo.write("data/a", "changed")
    before = {path: (repo.cwd / path).stat() for path in paths}
    repo.ok("git cpv push -q --metric loss=1")
    after = {path: (repo.cwd / path).stat() for path in paths}
    for path in paths:
        assert after[path].st_ino == before[path].st_ino
        assert after[path].st_ctime_ns == before[path].st_ctime_ns  # a link or a new mode would renew it


def test_a_push_that_is_killed_while_it_reads_leaves_the_file(repo: Shell) -> None:
    content = os.urandom(48 << 20)
    place = repo.write("model.bin", content)
    before = place.stat()
    scratch = repo.cwd / ".dvc/cache/cpv/tmp"
    push = subprocess.Popen(["git-cpv-push", "-q", "--metric", "loss=1"], cwd=repo.cwd)
    while push.poll() is None and not (scratch.is_dir() and any(scratch.iterdir())):
        pass
    push.send_signal(signal.SIGKILL)
    push.wait()
    assert (place.stat().st_ino, place.stat().st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert place.read_bytes() == content
    repo.ok("git cpv push -q --metric loss=1")
    assert stored(repo, content).read_bytes() == content


def test_a_truncated_object_in_the_cache_is_not_pushed(repo: Shell, newest_dvc: Dvc) -> None:
    spoil(cached(repo, MODEL), MODEL[:3])
    spoil(cached(repo, DATA["b"]), b"")
    repo.ok("git cpv push -q")
    assert stored(repo, MODEL).read_bytes() == MODEL
    assert stored(repo, DATA["b"]).read_bytes() == DATA["b"]
    assert newest_dvc.ok(repo, "status") == IN_STEP


def test_nothing_is_published_of_what_is_only_a_truncated_object(repo: Shell, newest_dvc: Dvc) -> None:
    first = b"between two pushes"
    for content in (first, b"after it"):
        repo.write("model.bin", content)
        newest_dvc.ok(repo, "add", "--quiet", "model.bin")
        repo.git("commit", "-q", "-a", "-m", "by dvc")
    spoil(cached(repo, first), first[:5])
    said = repo.fails("git cpv push")
    assert key(first).replace("/", "") in said
    assert repo.git("ls-remote", "origin") == ""
    assert not stored(repo, first).exists()


def test_a_folder_is_whole_only_with_all_its_files(repo: Shell, shell: Shell, newest_dvc: Dvc) -> None:
    """DVC takes the `.dir` object for the proof of all that it names."""
    newest_dvc.ok(repo, "push", "--quiet")
    stored(repo, DATA["a"]).unlink()
    assert newest_dvc.ok(repo, "push") == "Everything is up to date.\n"
    repo.ok("git cpv push -q")
    assert stored(repo, DATA["a"]).read_bytes() == DATA["a"]
    second = colleague(shell, repo)
    second.ok("git cpv pull -q")
    cached(second, DATA["below/c"]).unlink()
    second.ok("rm -r data && git cpv pull -q")
    assert second.files("data") == DATA


def test_status_check_tells_what_is_gone_and_push_check_brings_it_back(repo: Shell, newest_dvc: Dvc) -> None:
    repo.ok("git cpv push -q")
    stored(repo, MODEL).unlink()
    stored(repo, DATA["a"]).unlink()
    told = json.loads(repo.ok("git cpv status --check --json"))
    assert {out["path"]: out["lost"] for out in told["outs"]} == {"data": 1, "metrics.log": 0, "model.bin": 1}
    repo.ok("git cpv push -q --check")
    assert stored(repo, MODEL).read_bytes() == MODEL
    assert stored(repo, DATA["a"]).read_bytes() == DATA["a"]
    told = json.loads(repo.ok("git cpv status --check --json"))
    assert {out["lost"] for out in told["outs"]} == {0}
    assert newest_dvc.ok(repo, "status", "-c") == "Cache and remote 'store' are in sync.\n"


@pytest.mark.parametrize("junk", [b"modem 1", b"mo", b"what is this", b""])
def test_a_junk_object_is_not_installed(repo: Shell, shell: Shell, junk: bytes) -> None:
    repo.ok("git cpv push -q")
    spoil(stored(repo, MODEL), junk)
    second = colleague(shell, repo)
    second.write("data/a", "not pulled yet")
    before = second.files()
    said = second.fails("git cpv pull --model")
    assert f"object 'files/md5/{key(MODEL)}'" in said
    assert " is damaged: " in said
    assert second.files() == before
    repo.ok("git cpv push -q --check")
    second.ok("git cpv pull -q --model")
    assert second.read("model.bin") == MODEL.decode()


def test_a_junk_object_of_the_cache_is_not_installed(repo: Shell) -> None:
    repo.ok("git cpv push -q && git cpv tag -q")
    repo.write("model.bin", "model 2")
    repo.ok("git cpv push -q --metric loss=1")
    spoil(cached(repo, MODEL), b"modem 1")
    repo.ok("git cpv revert -q v0.1")
    assert repo.read("model.bin") == MODEL.decode()
    assert cached(repo, MODEL).read_bytes() == MODEL


def test_a_file_that_is_behind_is_not_published_again(repo: Shell, shell: Shell, newest_dvc: Dvc) -> None:
    """DVC adds whatever lies there, and so makes the old model the newest."""
    repo.ok("git cpv push -q")
    second = colleague(shell, repo)
    newest_dvc.ok(second, "pull", "--quiet")
    repo.write("model.bin", "model 2")
    repo.write("data/a", "changed")
    newest_dvc.ok(repo, "add", "--quiet", "model.bin", "data")
    newest_dvc.ok(repo, "push", "--quiet")
    repo.git("commit", "-q", "-a", "-m", "by dvc")
    repo.git("push", "-q")
    second.git("pull", "-q")
    states = {out["path"]: out["state"] for out in json.loads(second.ok("git cpv status --json"))["outs"]}
    assert states == {"data": "behind", "metrics.log": "absent", "model.bin": "behind"}
    assert "hint: git cpv pull" in second.fails("git cpv push")
    assert second.git("rev-parse", "HEAD") == repo.git("rev-parse", "HEAD")
    second.ok("git cpv pull -q")
    assert second.read("model.bin") == "model 2"
    assert second.read("data/a") == "changed"
    assert second.run("git cpv push").err == "everything is up to date\n"
