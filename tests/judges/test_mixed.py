"""CPV and plain DVC in one worktree, in turn: each finds what the other left, and neither spoils it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from judge import IN_STEP, NAMES, Dvc, outs
from shell import Shell
from template import MakeTemplate, Template


def fill(shell: Shell) -> None:
    """Files and folders of every kind."""
    for number, name in enumerate(NAMES):
        shell.write(f"names/{name}", f"{number}\n" if number % 7 else "")
        shell.write(f"folder/{name}", f"{number}\n")
        shell.write(f"folder/below/{name}/z", "")
    for number in range(3000):
        shell.write(f"many/{number % 17}/{number:05}.txt", str(number % 101))
    shell.write("empty", "")
    shell.write("run.sh", "#!/bin/sh\n").chmod(0o755)
    shell.write("large.bin", bytes(range(256)) * 20_000)
    (shell.cwd / "nothing/in/it").mkdir(parents=True)


PATHS = ["folder", "many", "empty", "run.sh", "large.bin", "nothing", *(f"names/{name}" for name in NAMES)]


def objects(root: Path) -> dict[str, tuple[bytes, int]]:
    """The objects of a cache or storage: content and mode by place."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in root.rglob("*")
        if path.is_file()
    }


def test_dvc_add_and_push_leave_the_same_bytes(dvc: Dvc, shell: Shell) -> None:
    theirs, ours = shell.at("theirs"), shell.at("ours")
    theirs.cwd.mkdir()
    ours.cwd.mkdir()
    fill(theirs)
    fill(ours)
    dvc.repository(theirs)
    dvc.ok(theirs, "remote", "add", "--quiet", "--default", "store", "../store")
    dvc.ok(theirs, "add", "--quiet", "--", *PATHS)
    dvc.ok(theirs, "push", "--quiet")
    ours.ok("git init -q && git cpv init -q --team T --model m")
    ours.ok(["git-cpv-track", "-q", *PATHS])
    ours.ok("git cpv push -q")

    pointers = {path: content for path, content in theirs.files().items() if path.endswith(".dvc")}
    assert len(pointers) == len(PATHS)
    assert {path: content for path, content in ours.files().items() if path in pointers} == pointers
    cache = Path(".dvc/cache/files")
    assert objects(ours.cwd / cache) == objects(theirs.cwd / cache)
    storage = Path(os.environ["HOME"], ".local/share/cpv/storage/T/m")
    assert objects(storage / "files") == objects(shell.cwd / "store/files")
    assert dvc.ok(ours, "status") == IN_STEP
    assert ours.git("status", "--porcelain") == ""


def pushed(shell: Shell) -> None:
    """A model and data, pushed as v0.1 to a bare git repository."""
    shell.git("init", "-q", "--bare", "common.git")
    shell.ok("git cpv init -q --team T --model m --remote ../common.git repo")
    repo = shell.at("repo")
    repo.write("model.bin", "model 1")
    repo.write("data/train/a b", "1")
    repo.write("data/train/-x", "2")
    repo.ok("git cpv push -q --metric loss=0.5 && git cpv tag -q --combined --push")


@pytest.fixture(scope="session")
def template(make_template: MakeTemplate) -> Template:
    return make_template(pushed)


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def test_add_then_push(dvc: Dvc, repo: Shell) -> None:
    repo.write("model.bin", "model 2")
    repo.write("data/train/new", "3")
    dvc.ok(repo, "add", "--quiet", "model.bin", "data")
    pointers = {name: repo.read(name) for name in ("model.bin.dvc", "data.dvc")}
    done = repo.run("git cpv push --metric loss=0.25")
    assert done.code == 0, str(done)
    assert {name: repo.read(name) for name in pointers} == pointers
    assert repo.git("diff", "--name-only", "HEAD^", "HEAD").split() == [
        "checkpoint.json",
        "data.dvc",
        "metrics.log.dvc",
        "model.bin.dvc",
    ]
    assert repo.git("status", "--porcelain") == ""
    assert dvc.ok(repo, "status") == IN_STEP
    assert dvc.ok(repo, "push") == "Everything is up to date.\n"


def test_push_then_add(dvc: Dvc, repo: Shell) -> None:
    dvc.ok(repo, "add", "--quiet", "model.bin", "data", "metrics.log")
    assert repo.git("status", "--porcelain") == ""
    repo.write("model.bin", "model 2")
    dvc.ok(repo, "add", "--quiet", "model.bin")
    dvc.ok(repo, "push", "--quiet")
    repo.git("commit", "-q", "-a", "-m", "by hand")
    assert repo.run("git cpv push").err.startswith("published to origin")
    assert repo.ok("git cpv tag -q --push") == "v0.2"
    assert repo.git("rev-parse", "origin/main") == repo.git("rev-parse", "HEAD")


def test_commit_and_unprotect_and_move_between_pushes(dvc: Dvc, repo: Shell) -> None:
    repo.write("data/train/new", "3")
    dvc.ok(repo, "commit", "--quiet", "--force", "data.dvc")
    dvc.ok(repo, "unprotect", "model.bin")
    repo.write("model.bin", "model 2")
    repo.ok("git cpv push -q --metric loss=0.25 && git cpv tag -q --combined")
    assert dvc.ok(repo, "status") == IN_STEP
    dvc.ok(repo, "gc", "--quiet", "--workspace", "--force")
    repo.ok("git cpv revert -q --combined v0.1")
    assert repo.read("model.bin") == "model 1"
    assert dvc.ok(repo, "status") == IN_STEP


def test_dvc_pull_then_ours(dvc: Dvc, repo: Shell, shell: Shell) -> None:
    shell.ok("git cpv clone -q --no-objects common.git second")
    second = shell.at("second")
    dvc.ok(second, "pull", "--quiet")
    told = json.loads(second.ok("git cpv status --json"))
    assert {out["path"]: out["state"] for out in told["outs"]} == {
        "data": "in step",
        "metrics.log": "in step",
        "model.bin": "in step",
    }
    before = {path: (second.cwd / path).stat() for path in outs(second)}
    assert second.run("git cpv pull").err == "everything is up to date\n"
    assert second.run("git cpv push").err == "everything is up to date\n"
    assert {path: (second.cwd / path).stat() for path in outs(second)} == before


def test_a_folder_in_part_and_whole_again(dvc: Dvc, repo: Shell, shell: Shell) -> None:
    """What a clone without some of the files pushes is what DVC records where all of them are."""
    shell.ok("git cpv clone -q --exclude 'data/train/a*' common.git second")
    second = shell.at("second")
    assert "data/train/a b" not in second.files()
    for each in (repo, second):
        each.write("data/train/new", "3")
        each.write("data/train/-x", "changed")
    dvc.ok(repo, "commit", "--quiet", "--force", "data.dvc")
    second.ok("git cpv push -q")
    assert second.read("data.dvc") == repo.read("data.dvc")
    assert dvc.ok(second, "status") != IN_STEP
    second.ok("git cpv pull -q --all")
    assert dvc.ok(second, "status") == IN_STEP
    assert second.files("data") == repo.files("data")


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
@pytest.mark.parametrize("writes", ["in place", "anew"])
def test_what_is_written_through_dvcs_links_spoils_nothing(
    dvc: Dvc, repo: Shell, shell: Shell, link: str, writes: str
) -> None:
    """DVC links the worktree to its cache; a training that overwrites its file in place changes both."""
    dvc.ok(repo, "config", "--local", "cache.type", link)
    dvc.ok(repo, "checkout", "--quiet", "--relink")
    assert is_linked(repo, "model.bin") and is_linked(repo, "data/train/a b")
    for path in ("model.bin", "data/train/a b"):
        if writes == "anew":
            (repo.cwd / path).unlink()
        else:
            (repo.cwd / path).chmod(0o644)
        repo.write(path, f"{path} written {writes}")
    now = {path: repo.read(path) for path in ("model.bin", "data/train/a b", "data/train/-x")}
    repo.ok("git cpv push -q --metric loss=0.25 && git cpv tag -q --combined --push")
    assert {path: repo.read(path) for path in now} == now
    whole(Path(os.environ["HOME"], ".local/share/cpv/storage/T/m/files/md5"))
    assert dvc.ok(repo, "status") == IN_STEP
    repo.ok("git cpv revert -q --combined v0.1")
    whole(repo.cwd / ".dvc/cache/files/md5")
    assert repo.read("model.bin") == "model 1"
    assert repo.read("data/train/a b") == "1"
    shell.ok("git cpv clone -q --no-objects common.git second")
    second = shell.at("second")
    for version, model in (("v0.1", "model 1"), ("v0.2", now["model.bin"])):
        second.git("switch", "-q", "--detach", version)
        dvc.ok(second, "pull", "--quiet")
        assert second.read("model.bin") == model


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_unsaved_work_that_was_written_into_the_cache_stays_the_users(
    newest_dvc: Dvc, repo: Shell, link: str
) -> None:
    newest_dvc.ok(repo, "config", "--local", "cache.type", link)
    newest_dvc.ok(repo, "checkout", "--quiet", "--relink")
    (repo.cwd / "model.bin").chmod(0o644)
    repo.write("model.bin", "unsaved")
    repo.ok("git cpv pull -q v0.1")
    assert repo.read("model.bin") == "unsaved"
    whole(repo.cwd / ".dvc/cache/files/md5")
    assert "would be overwritten" in repo.fails("git cpv revert -q v0.1")
    repo.ok("git cpv pull -q --force")
    assert repo.read("model.bin") == "model 1"
    (kept,) = (repo.cwd / ".git/cpv/kept").rglob("model.bin")
    assert kept.read_text() == "unsaved"


def test_a_copy_of_unsaved_work_is_no_link_into_the_cache(newest_dvc: Dvc, repo: Shell) -> None:
    newest_dvc.ok(repo, "config", "--local", "cache.type", "symlink")
    newest_dvc.ok(repo, "checkout", "--quiet", "--relink")
    (repo.cwd / "data/train/a b").chmod(0o644)
    repo.write("data/train/a b", "unsaved")
    repo.ok("git cpv pull -q --force")
    assert repo.read("data/train/a b") == "1"
    (kept,) = (repo.cwd / ".git/cpv/kept").rglob("a b")
    assert (kept.is_symlink(), kept.read_text()) == (False, "unsaved")


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_our_links_are_dvcs_too(dvc: Dvc, repo: Shell, shell: Shell, link: str) -> None:
    shell.git("config", "--global", "cpv.link", link)
    shell.ok("git cpv clone -q common.git second")
    second = shell.at("second")
    assert is_linked(second, "model.bin") and is_linked(second, "data/train/a b")
    assert dvc.ok(second, "status") == IN_STEP
    dvc.ok(second, "add", "--quiet", "model.bin", "data")
    assert second.git("status", "--porcelain") == ""
    second.ok("git cpv push -q")
    whole(second.cwd / ".dvc/cache/files/md5")


def test_without_a_cache_dvc_finds_all_at_the_storage(dvc: Dvc, repo: Shell) -> None:
    repo.git("config", "cpv.cache", "none")
    said = "the cache keeps no copy (cpv.cache = none), which dvc status calls 'not in cache'\n"
    for number, count in ((2, 1), (3, 0)):
        repo.write("model.bin", f"model {number}")
        repo.write("data/train/a b", f"{number}")
        done = repo.run(f"git cpv push --metric loss={1 / number}")
        assert (done.code, done.err.count(said)) == (0, count), str(done)
    assert "not in cache:       model.bin" in dvc.ok(repo, "status")
    assert json.loads(repo.ok("git cpv status --check --json"))["to_push"] is False
    dvc.ok(repo, "fetch", "--quiet")
    assert dvc.ok(repo, "status") == IN_STEP


def is_linked(shell: Shell, path: str) -> bool:
    place = shell.cwd / path
    return place.is_symlink() or place.stat().st_nlink > 1


def whole(root: Path) -> None:
    """Every object is what its name says."""
    for path in root.rglob("*"):
        if path.is_file():
            oid = (path.parent.name + path.name).removesuffix(".dir")
            assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == oid, path
