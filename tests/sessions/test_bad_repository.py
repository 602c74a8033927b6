"""Where a command can't be typed, or not now: it says why and what to type, and leaves all as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from first import make_first
from harm import state, unharmed
from sealing import CHECKOUT
from shell import Shell
from template import MakeTemplate, Template

COMMANDS = (
    *("status", "push", "push -n", "pull", "tag", "tag -d v0.1", "revert v0.1", "list", "show", "diff"),
    *("track x", "untrack x", "storage", "storage trust"),
)


def made(shell: Shell) -> None:
    """A pushed and named first model on main; on side another one."""
    make_first(shell)
    repo = shell.at("repo")
    repo.git("switch", "-qc", "side")
    repo.write("model.bin", "weights of the side")
    repo.ok("git cpv push -q --metric loss=0.4 -m 'on the side'")
    repo.ok("git switch -q main && git cpv pull -q")


@pytest.fixture(scope="session")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Iterator[Shell]:
    """Whatever the test types, it is harmed in nothing."""
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def test_not_a_repository(shell: Shell) -> None:
    for command in COMMANDS:
        assert shell.fails(f"git cpv {command}") == (
            f"error: '{shell.cwd}' is not in a git repository\nhint: git cpv init"
        )
    assert shell.files() == {}


def test_not_a_repository_of_cpvs(shell: Shell) -> None:
    shell.git("init", "-q")
    with unharmed(shell):
        for command in COMMANDS:
            assert shell.fails(f"git cpv {command}") == (
                f"error: '{shell.cwd}' is not a CPV repository: it has no '.cpvconfig'\nhint: git cpv init"
            )


def test_a_branch_from_before_the_adoption(repo: Shell) -> None:
    repo.git("switch", "-q", "--orphan", "older")
    said = repo.fails("git cpv push")
    assert said == (
        f"error: '{repo.cwd}' is not a CPV repository: it has no '.cpvconfig'\n"
        "hint: 'main' has one: git switch main; to adopt this branch too: git cpv init"
    )


@pytest.mark.parametrize("command", ["status", "push", "init"])
def test_no_worktree_to_work_in(repo: Shell, command: str) -> None:
    repo.git("clone", "-q", "--bare", ".", "../bare.git")
    bare = repo.at("../bare.git")
    assert bare.fails(f"git cpv {command}") == (
        f"error: '{bare.cwd.resolve()}' is a bare repository\n"
        f"hint: git cpv clone {bare.cwd.resolve()} DIR, and work there"
    )
    assert repo.at(".git").fails(f"git cpv {command}") == (
        f"error: '{repo.cwd}/.git' is not in a worktree\nhint: cd to the worktree's top"
    )


def test_a_detached_head(repo: Shell) -> None:
    repo.git("switch", "-q", "--detach")
    repo.write("model.bin", "weights 2")
    with unharmed(repo):
        assert repo.fails("git cpv push") == (
            "error: HEAD is detached: a checkpoint committed here would belong to no branch\n"
            "hint: git switch -c NAME, or push onto a branch with --branch NAME"
        )
        assert repo.fails("git cpv revert v0.1") == (
            "error: HEAD is detached: the revert would belong to no branch\n"
            "hint: git switch -c NAME, or git cpv revert --detach to look at a version without a commit"
        )
        for command in ("track other.bin", "untrack model.bin"):
            assert repo.fails(f"git cpv {command}") == (
                "error: HEAD is detached, so that the commit would belong to no branch\n"
                "hint: git switch -c NAME"
            )
    repo.ok("git cpv push -q --branch found --metric loss=0.1")
    assert repo.read("model.bin") == "weights 2"
    repo.ok("git switch -q found && git cpv push")


def test_no_commits_yet(shell: Shell) -> None:
    shell.git("init", "-q")
    shell.write("notes.txt", "mine\n")
    shell.ok("git cpv init -q --team T --model m --no-commit")
    with unharmed(shell):
        assert shell.fails("git cpv tag") == (
            "error: there is no commit yet, so no checkpoint to name\nhint: git cpv push"
        )
        assert shell.fails("git cpv revert v0.1") == (
            "error: there are no commits yet, so there is nothing to revert to\nhint: git cpv push"
        )
        for command, name in (("show", "HEAD"), ("diff", "HEAD"), ("show v0.1", "v0.1"), ("diff @", "@")):
            assert shell.fails(f"git cpv {command}") == (
                f"error: there are no commits yet, and so no '{name}'\n"
                "hint: git cpv push makes the first checkpoint"
            )
        assert shell.run("git cpv list").err == "there are no versions yet (git cpv tag makes one)\n"
        assert shell.fails("git cpv push") == (
            "error: nothing to push: no out has any content yet\nhint: git cpv status"
        )
        assert shell.run("git cpv pull").err == "everything is up to date\n"


def test_a_shallow_clone(repo: Shell) -> None:
    """It lacks commits, not checkpoints: only what needs the missing commits can't be told."""
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q --metric loss=0.3 -m second")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.cwd.parent}/origin.git", "../shallow")
    shallow = repo.at("../shallow")
    assert shallow.run("git cpv pull -q").err == ""
    assert shallow.read("model.bin") == "weights 2"
    assert "other branch" not in shallow.ok("git cpv list")
    assert "v0.1" in shallow.ok("git cpv list")
    assert shallow.fails("git cpv show HEAD~1") == (
        "error: no version or revision 'HEAD~1'\n"
        "hint: this clone is shallow, and it may lie before its beginning: git fetch --unshallow"
    )
    shallow.write("model.bin", "weights 3")
    shallow.ok(
        "git cpv push -q --metric loss=0.2 && git cpv tag -q && git cpv push -q && git cpv revert -q v0.1"
    )
    assert shallow.read("model.bin") == "weights 1"
    assert repo.git("ls-remote", "origin", "v0.2").endswith("refs/tags/v0.2")


OPERATIONS = {
    "merge": "git merge -q side",
    "rebase": "git rebase -q side",
    "cherry-pick": "git cherry-pick side",
    "revert": "git revert --no-edit side",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_of_gits_that_is_not_finished(repo: Shell, operation: str) -> None:
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q --metric loss=0.3 -m second")
    repo.run(OPERATIONS[operation])
    with unharmed(repo):
        for command in ("push", "push --branch other", "revert v0.1", "revert --branch other v0.1"):
            assert repo.fails(f"git cpv {command}") == (
                f"error: a {operation} is not finished here, with 'checkpoint.json', 'metrics.log.dvc' and "
                "'model.bin.dvc' in conflict\nhint: git cpv pull settles it"
            )
        assert repo.fails("git cpv pull").startswith(
            "error: 'model.bin' changed on both sides: in what is being merged\n"
            "hint: git cpv pull --ours keeps what this branch has, git cpv pull --theirs takes the other's"
        )
        for command in ("track other.bin", "untrack model.bin"):
            assert repo.fails(f"git cpv {command}") == (
                f"error: a {operation} is not finished here\nhint: finish it first, or use --no-commit"
            )
        assert (
            f"a {operation} is not finished: git status tells more\n"
            "in conflict, and settled by git cpv pull: 'checkpoint.json', 'metrics.log.dvc' and "
            "'model.bin.dvc'\n"
        ) in repo.ok("git cpv status")
    repo.git(operation, "--abort")
    assert repo.run("git cpv push").err == "everything is up to date; no git remote\n"


def test_a_merge_that_only_waits_for_its_commit(repo: Shell) -> None:
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    assert "a merge is not finished: git status tells more" in repo.ok("git cpv status")
    with unharmed(repo):
        assert repo.fails("git cpv push") == (
            "error: a merge is not finished here\nhint: git merge --continue, or git merge --abort"
        )


def test_pointers_in_conflict_without_an_operation(repo: Shell) -> None:
    """As `git stash pop` leaves them."""
    repo.write("model.bin.dvc", repo.read("model.bin.dvc") + "desc: mine\n")
    repo.ok("git stash -q && git switch -q side && git cpv pull -q")
    repo.write("model.bin.dvc", repo.read("model.bin.dvc") + "desc: theirs\n")
    repo.git("commit", "-qam", "described")
    assert repo.run("git stash pop").code == 1
    markers = "'model.bin.dvc' has the conflict markers of an unfinished merge"
    with unharmed(repo):
        for command, said in (
            ("push", "a merge left 'model.bin.dvc' in conflict"),
            ("revert v0.1", markers),
            ("diff", markers),
        ):
            assert repo.fails(f"git cpv {command}") == f"error: {said}\nhint: git cpv pull settles it"
        assert "in conflict, and settled by git cpv pull: 'model.bin.dvc'\n" in repo.ok("git cpv status")
        assert repo.run("git cpv list").code == 0
    assert repo.run("git cpv pull").err == "settled the conflict in 'model.bin.dvc'; 'model.bin' as here\n"
    repo.ok("git cpv push")


def test_a_tag_that_is_called_head(repo: Shell) -> None:
    """It comes with a clone, and makes git itself unsure."""
    repo.git("tag", "HEAD", "HEAD~1")
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q --metric loss=0.3")
    assert repo.git("rev-parse", "refs/heads/main^") == repo.git("rev-parse", "v0.1^{commit}")
    assert repo.ok("git cpv tag") == "v0.2"


@pytest.mark.parametrize("name", ["", "HEAD", "-x", "--all", "a b", "a..b", "x.lock", "@{-1}", "\x1b[2J"])
def test_names_that_no_branch_can_have(repo: Shell, name: str) -> None:
    repo.write("model.bin", "weights 2")
    shown = name.replace("\x1b", "\\x1b")
    with unharmed(repo):
        for command in ("push", "push -n"):
            assert repo.fails(["git", "cpv", *command.split(), f"--branch={name}"]) == (
                f"error: '{shown}' is no name for a branch\nhint: git help check-ref-format"
            )
        assert repo.fails(["git", "cpv", "revert", "v0.1", f"--branch={name}"]) == (
            f"error: '{shown}' is no name for a branch\nhint: git help check-ref-format"
        )


def test_a_branch_that_is_checked_out_elsewhere(repo: Shell) -> None:
    repo.git("worktree", "add", "-q", "../other", "side")
    repo.write("model.bin", "weights 2")
    with unharmed(repo):
        assert repo.fails("git cpv push -q --branch side --metric loss=1") == (
            f"error: branch 'side' is checked out in '{repo.cwd.parent}/other'\nhint: run the command there"
        )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH on which there is only what the launchers need."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in ("sh", "readlink", "dirname"):
        (folder / program).symlink_to(str(shutil.which(program)))
    return folder


@pytest.mark.parametrize("command", [*COMMANDS, "init", "clone x.git"])
def test_no_git_on_path(repo: Shell, programs: Path, command: str) -> None:
    before = state(repo)
    said = repo.fails(f"git-cpv {command}", PATH=f"{CHECKOUT}/bin:{programs}")
    assert said == "error: git is not on PATH\nhint: install git 2.25 or newer"
    assert state(repo) == before


@pytest.mark.parametrize("command", ["push", "status", "tag", "list", "init"])
def test_a_git_that_is_too_old(repo: Shell, programs: Path, command: str) -> None:
    """One that echoes the option it does not know, as git rev-parse did before 2.25."""
    old = programs / "git"
    old.write_text(
        '#!/bin/sh\ncase $* in\n*" version") echo git version 2.17.1;;\n'
        "*--show-object-format*) printf 'false\\ntrue\\nfalse\\n--show-object-format\\n';;\n"
        f'*) exec {shutil.which("git")} "$@";;\nesac\n'
    )
    old.chmod(0o755)
    before = state(repo)
    said = repo.fails(f"git-cpv {command}", PATH=f"{CHECKOUT}/bin:{programs}")
    assert said == "error: git is 2.17.1, and 2.25 or newer is needed\nhint: update git"
    assert state(repo) == before
