"""Outs that are not what they should be, and numbers that describe nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harm import mortal, unharmed
from shell import Shell


def replace(repo: Shell, path: str) -> Path:
    """Nothing where an out was, to put something else there."""
    place = repo.cwd / path
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    return place


def refused(
    repo: Shell, said: str, commands: tuple[str, ...] = ("push", "push -n", "pull", "revert v0.1")
) -> None:
    with unharmed(repo):
        for command in commands:
            assert repo.fails(f"git cpv {command}") == said


def test_a_missing_model(repo: Shell) -> None:
    replace(repo, "model.bin")
    refused(
        repo,
        "error: 'model.bin' is missing from the worktree\n"
        "hint: git cpv pull brings it back; git cpv untrack model.bin lets it go",
        ("push", "push -n"),
    )
    assert repo.run("git cpv pull").err == "'model.bin': 1 file changed\n"
    assert repo.read("model.bin") == "weights 1"


def test_a_missing_out_with_an_awkward_name(repo: Shell) -> None:
    repo.write("my model.bin", "x")
    repo.ok("git cpv track -q 'my model.bin' && git cpv push -q --metric loss=1")
    replace(repo, "my model.bin")
    assert repo.fails("git cpv push") == (
        "error: 'my model.bin' is missing from the worktree\n"
        "hint: git cpv pull brings it back; git cpv untrack 'my model.bin' lets it go"
    )


def test_missing_data_and_a_missing_log(repo: Shell) -> None:
    replace(repo, "data")
    assert repo.fails("git cpv push") == (
        "error: 'data' is missing from the worktree\n"
        "hint: git cpv pull brings it back; git cpv untrack data lets it go"
    )
    replace(repo, "metrics.log")
    assert repo.fails("git cpv push --model") == (
        "error: 'metrics.log' is missing from the worktree\nhint: git cpv pull brings it back"
    )
    repo.ok("git cpv pull -q && git cpv push")


def test_numbers_without_a_model(shell: Shell) -> None:
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.write("data/train/a.csv", "not read for that")
    with unharmed(repo):
        for given in ("--metric loss=0.5", "--param lr=0.1"):
            assert repo.fails(f"git cpv push {given}") == (
                "error: there is no model that the metrics could describe: 'model.bin' is not there\n"
                "hint: put it there, or name it where it is: git cpv push --from PATH"
            )
        assert repo.fails("git cpv push --data --metric loss=0.5", 129) == (
            "error: metrics and parameters describe the model, which --data leaves out\n"
            "hint: leave --data out, or the numbers"
        )
    assert list(repo.cwd.glob(".dvc/cache/files/md5/*/*")) == []
    repo.ok("git cpv untrack -q model.bin")
    assert repo.fails("git cpv push --metric loss=0.5") == (
        "error: there is no model that the metrics could describe\nhint: git cpv track PATH names its files"
    )


def test_a_folder_where_a_file_was_is_pointed_out(repo: Shell) -> None:
    replace(repo, "model.bin").mkdir()
    repo.write("model.bin/shard-1", "one")
    done = repo.run("git cpv push --metric loss=1")
    assert "warning: 'model.bin' is a folder now, and was a file\n" in done.err
    assert "model: 1 file, 3 B" in done.err
    repo.ok("git cpv revert v0.1")
    assert repo.read("model.bin") == "weights 1"
    replace(repo, "data")
    repo.write("data", "not a folder")
    assert "warning: 'data' is a file now, and was a folder\n" in repo.run("git cpv push -n").err


@pytest.mark.parametrize("what", ["model.bin", "data"])
def test_an_out_that_became_empty_is_pointed_out(repo: Shell, what: str) -> None:
    """As a training that died leaves it."""
    replace(repo, what)
    if what == "data":
        repo.ok("mkdir data")
    else:
        repo.write(what, "")
    assert f"warning: '{what}' is empty\n" in repo.run("git cpv push -n --metric loss=1").err


def test_a_broken_symlink(repo: Shell) -> None:
    replace(repo, "model.bin").symlink_to("gone.bin")
    refused(repo, "error: 'model.bin' is a broken symlink to 'gone.bin'\nhint: mend it, or remove it")
    assert repo.run("git cpv status").err == (
        "error: 'model.bin' is a broken symlink to 'gone.bin'\nhint: mend it, or remove it\n"
    )


def test_a_symlink_out_of_the_worktree(repo: Shell) -> None:
    repo.write("../elsewhere.bin", "not ours")
    replace(repo, "model.bin").symlink_to("../elsewhere.bin")
    refused(
        repo,
        "error: 'model.bin' is a symlink out of the worktree, to '../elsewhere.bin'\n"
        "hint: put the content itself there, or take it from where it is: git cpv push --from PATH",
    )
    repo.ok("git cpv push -q --from ../elsewhere.bin --metric loss=1")
    assert repo.read("../elsewhere.bin") == "not ours"


@pytest.mark.parametrize("target", [".git/config", ".dvc/config.local"])
def test_a_symlink_to_what_is_nobodys_model(repo: Shell, target: str) -> None:
    replace(repo, "model.bin").symlink_to(target)
    refused(
        repo,
        f"error: 'model.bin' is a symlink out of the worktree, to '{target}'\n"
        "hint: put the content itself there, or take it from where it is: git cpv push --from PATH",
    )


def test_a_symlink_inside_the_worktree_counts_as_the_file(repo: Shell) -> None:
    (repo.cwd / "model.bin").rename(repo.cwd / "weights-1.bin")
    (repo.cwd / "model.bin").symlink_to("weights-1.bin")
    assert repo.run("git cpv push").err == "everything is up to date; no git remote\n"
    assert (repo.cwd / "model.bin").is_symlink()


def test_what_is_neither_file_nor_folder(repo: Shell) -> None:
    os.mkfifo(replace(repo, "model.bin"))
    refused(
        repo,
        "error: 'model.bin' is neither a file nor a folder\nhint: remove it, or add it to .dvcignore",
        ("push", "push -n", "status"),
    )


def test_odd_files_in_a_folder_are_named(repo: Shell) -> None:
    place = repo.cwd / "data/train"
    os.mkfifo(place / "fifo")
    assert repo.fails("git cpv push") == (
        "error: 'data/train/fifo' is neither a file nor a folder\nhint: remove it, or add it to .dvcignore"
    )
    (place / "fifo").unlink()
    (place / "link").symlink_to("/etc/hostname")
    assert repo.fails("git cpv push") == (
        "error: 'data/train/link' is a symlink out of the worktree, to '/etc/hostname'\n"
        "hint: put the content itself there, or take it from where it is: git cpv push --from PATH"
    )
    (place / "link").unlink()
    Path(os.fsdecode(os.fsencode(place) + b"/\xff.csv")).write_bytes(b"x")
    assert repo.fails("git cpv push") == (
        "error: the name of 'data/train/\\xff.csv' is not UTF-8\nhint: rename the file"
    )
    Path(os.fsdecode(os.fsencode(place) + b"/\xff.csv")).unlink()
    (place / ".dvcignore").write_text("*.tmp\n")
    assert repo.fails("git cpv push") == (
        "error: 'data/train/.dvcignore' lies inside an out, where DVC doesn't allow a .dvcignore\n"
        "hint: move its lines to the .dvcignore at the top of the repository"
    )
    (place / ".dvcignore").unlink()
    assert repo.run("git cpv push").err == "everything is up to date; no git remote\n"


def test_files_that_may_not_be_read(repo: Shell) -> None:
    dropped = mortal()
    repo.write("model.bin", "weights 2").chmod(0)
    assert repo.fails(f"{dropped}git cpv push --metric loss=1") == (
        f"error: cannot read '{repo.cwd}/model.bin': permission denied\n"
        f"hint: see who may: ls -ld {repo.cwd}/model.bin"
    )
    (repo.cwd / "model.bin").chmod(0o644)
    (repo.cwd / "data/train").chmod(0)
    said = repo.fails(f"{dropped}git cpv push --metric loss=1")
    (repo.cwd / "data/train").chmod(0o755)
    assert said == (
        f"error: cannot look at 'data': permission denied\nhint: see who may: ls -ld {repo.cwd}/data/train"
    )
    repo.ok("git cpv push -q --metric loss=1")


@pytest.mark.parametrize("mode", ["auto", "none"])
def test_a_model_that_changes_while_it_is_read(repo: Shell, mode: str) -> None:
    """A training that is still writing: 64 MiB take longer to read than a line takes to be added."""
    repo.write("model.bin", bytes(64 << 20))
    before = (repo.git("status", "--porcelain"), repo.git("for-each-ref"))
    said = repo.fails(
        "(i=0; while [ $((i += 1)) -lt 1000000 ]; do echo x >>model.bin; done) & writer=$!; "
        f"git -c cpv.cache={mode} cpv push --metric loss=1; code=$?; kill $writer; exit $code"
    )
    assert said.splitlines()[-2:] == [
        f"error: '{repo.cwd}/model.bin' changed while it was being read",
        "hint: run the command again when nothing writes to it any more",
    ]
    assert (repo.git("status", "--porcelain"), repo.git("for-each-ref")) == before
    assert repo.ok("git cpv push --metric loss=1") == repo.git("rev-parse", "HEAD")


def test_an_out_that_git_holds_already(repo: Shell) -> None:
    repo.write("model.bin", "weights 2")
    repo.git("add", "-f", "model.bin")
    with unharmed(repo):
        assert repo.fails("git cpv push --metric loss=1") == (
            "error: git holds 'model.bin' already\n"
            "hint: git rm -r -q --cached -- model.bin, then push again; the files stay"
        )
    repo.git("commit", "-q", "-m", "by mistake")
    with unharmed(repo):
        assert repo.fails("git cpv push --metric loss=1") == (
            "error: git holds 'model.bin' already\n"
            "hint: git rm -r -q --cached -- model.bin && git commit -m 'Leave them to CPV', then push again; "
            "the files stay"
        )
    repo.ok("git rm -r -q --cached -- model.bin && git commit -q -m 'Leave them to CPV' && git cpv push -q")
    assert repo.read("model.bin") == "weights 2"
    assert repo.git("ls-files", "model.bin") == ""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "nowhere",
            "'{cwd}/nowhere' does not exist\nhint: --from names the file or folder that is to be recorded",
        ),
        ("link", "'{cwd}/link' does not exist\nhint: --from names the file or folder that is to be recorded"),
        ("/dev/null", "'/dev/null' is neither a file nor a folder\nhint: remove it, or add it to .dvcignore"),
    ],
)
def test_from_what_can_be_no_model(repo: Shell, path: str, said: str) -> None:
    (repo.cwd / "link").symlink_to("gone")
    with unharmed(repo):
        assert repo.fails(f"git cpv push --from {path}") == f"error: {said.format(cwd=repo.cwd)}"


def test_from_nothing(repo: Shell) -> None:
    with unharmed(repo):
        assert repo.fails("git cpv push --from ''", 129) == (
            "error: --from names no path\nhint: git cpv push --from PATH"
        )


def test_two_pointers_for_one_out(repo: Shell) -> None:
    repo.write("copy.dvc", repo.read("model.bin.dvc"))
    repo.ok("git add copy.dvc && git commit -q -m copy")
    said = (
        "error: 'model.bin' is named by two pointers, 'copy.dvc' and 'model.bin.dvc'\n"
        "hint: keep one of them: git rm --cached model.bin.dvc"
    )
    refused(repo, said, ("push", "pull", "status"))


def test_outs_that_lie_in_one_another(repo: Shell) -> None:
    repo.write("data/train/points.csv.dvc", repo.read("model.bin.dvc").replace("model.bin", "points.csv"))
    repo.ok("git add -f data/train/points.csv.dvc && git commit -q -m nested")
    said = (
        "error: out 'data/train/points.csv' lies inside out 'data'\n"
        "hint: git cpv untrack data/train/points.csv"
    )
    refused(repo, said, ("push", "pull", "status"))
