"""The hooks for files: what git checks out or merges brings its model, and nothing of the user's goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """main has weights 1, side has weights 2; both are published, and the hooks for files are installed."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q")
    repo.ok("git switch -q -c side")
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q")
    repo.ok("git switch -q main && git cpv pull -q")
    repo.ok("git cpv hooks install -q --files")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def test_files_follow_a_switch_and_a_checkout(repo: Shell) -> None:
    done = repo.run("git switch -q side")
    assert (done.code, done.out, done.err) == (0, "", "brought 'model.bin'\n")
    assert repo.read("model.bin") == "weights 2"
    repo.git("checkout", "-q", "main~0")
    assert repo.read("model.bin") == "weights 1"
    assert repo.run("git cpv status").out.count("behind") == 0


def test_files_follow_a_merge_and_a_pull(repo: Shell) -> None:
    done = repo.run("git merge -q side")
    assert (done.code, repo.read("model.bin")) == (0, "weights 2")
    assert "brought" in done.err
    repo.git("push", "-q", "origin", "side:main")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.ok("git cpv pull -q")
    repo.git("switch", "-q", "-c", "again", "HEAD~1")
    assert repo.read("model.bin") == "weights 1"
    repo.ok("git pull -q origin main")
    assert repo.read("model.bin") == "weights 2"


def test_from_the_storage_into_a_new_worktree(repo: Shell) -> None:
    repo.ok("rm -rf .dvc/cache")
    repo.git("worktree", "add", "-q", "../linked", "side")
    assert repo.at("../linked").read("model.bin") == "weights 2"


def test_what_the_user_changed_stays(repo: Shell) -> None:
    repo.write("model.bin", "half trained")
    done = repo.run("git switch -q side")
    assert done.code == 0
    assert "'model.bin' changed here, and so did the pointer: git cpv pull --force takes theirs\n" in done.err
    assert repo.read("model.bin") == "half trained"


def test_objects_that_cannot_be_had_fail_no_checkout(repo: Shell, sealed: Path) -> None:
    repo.ok("rm -rf .dvc/cache")
    (sealed / ".local/share/cpv/storage").rename(sealed / "elsewhere")
    done = repo.run("git switch -q side")
    assert (done.code, done.err.partition(": ")[0]) == (0, "warning")
    assert repo.git("branch", "--show-current") == "side"
    assert repo.read("model.bin") == "weights 1"


def test_where_no_pointer_moved_nothing_is_started(repo: Shell, tmp_path: Path) -> None:
    for name in ("post-checkout", "post-merge"):
        hook = repo.cwd / ".git/hooks" / name
        line = next(line for line in hook.read_text().splitlines() if line.startswith("launcher="))
        hook.write_text(hook.read_text().replace(line, f"launcher={tmp_path / 'witness'}"))
    witness = tmp_path / "witness"
    witness.write_text(f"#!/bin/sh\necho $@ >>{tmp_path / 'called'}\n")
    witness.chmod(0o755)
    repo.git("switch", "-q", "-c", "code")
    repo.git("commit", "-q", "--allow-empty", "-m", "code")
    repo.git("switch", "-q", "main")
    repo.git("merge", "-q", "code")
    repo.git("checkout", "-q", "side", "--", "checkpoint.json")
    repo.git("checkout", "-q", "HEAD", "--", "checkpoint.json")
    repo.git("rebase", "-q", "side")
    assert not (tmp_path / "called").exists()
    repo.git("switch", "-q", "--detach", "code")
    assert (tmp_path / "called").read_text() == "hooks run post-checkout\n"
