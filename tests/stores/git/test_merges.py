"""Merges of whole trees, made aside: as git merge makes them, with a new git and with an old one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.stores.git import merges, trees
from cpvlib.stores.git.merges import MergedTree, Stages
from cpvlib.stores.git.repository import GitRepository
from shell import Shell

Merge = Callable[[GitRepository, str, str], MergedTree]
WAYS = [merges.merge_trees, merges.merge_in_empty_worktree]
LINES = "".join(f"{number}\n" for number in range(9))


@pytest.fixture
def repo(shell: Shell) -> GitRepository:
    """`main` and `side`, which went apart."""
    shell.git("init", "-q")
    shell.write("a b.py", LINES)
    shell.write("gone.py", "gone\n")
    commit(shell, "first")
    shell.git("branch", "side")
    shell.ok("git mv 'a b.py' moved.py")
    commit(shell, "move")
    shell.git("switch", "-q", "side")
    shell.write("a b.py", LINES.replace("4\n", "four\n"))
    shell.ok("git rm -q gone.py")
    shell.write("new/file.py", "new\n")
    commit(shell, "change")
    shell.git("switch", "-q", "main")
    return GitRepository.discover(shell.cwd)


def commit(shell: Shell, message: str) -> None:
    shell.git("add", "--all")
    shell.git("commit", "-qm", message)


def tip(repo: GitRepository, branch: str) -> str:
    return repo.git.text("rev-parse", branch)


@pytest.mark.parametrize("merge", WAYS)
def test_a_merge_is_gits_own_and_touches_nothing(repo: GitRepository, shell: Shell, merge: Merge) -> None:
    shell.write("moved.py", "unfinished\n")
    shell.write("untracked.py", "mine\n")
    before = shell.files()
    merged = merge(repo, tip(repo, "main"), tip(repo, "side"))
    assert merged.conflicts == ()
    assert merged.tree is not None
    assert shell.git("ls-tree", "-r", "--name-only", merged.tree).split("\n") == ["moved.py", "new/file.py"]
    assert "four" in shell.git("show", f"{merged.tree}:moved.py")
    assert shell.files() == before
    assert shell.git("status", "--short") == " M moved.py\n?? untracked.py"
    assert list((shell.cwd / ".git/cpv").glob("merge-*")) == []


@pytest.mark.parametrize("merge", WAYS)
def test_what_git_can_not_settle_is_named(repo: GitRepository, shell: Shell, merge: Merge) -> None:
    shell.write("moved.py", LINES.replace("4\n", "FOUR\n"))
    commit(shell, "otherwise")
    assert merge(repo, tip(repo, "main"), tip(repo, "side")) == MergedTree(None, ("moved.py",))
    assert repo.unfinished() is None


def test_histories_that_cross_have_several_bases(repo: GitRepository, shell: Shell) -> None:
    first = [tip(repo, "main"), tip(repo, "side")]
    for branch, other in (("main", first[1]), ("side", first[0])):
        shell.git("switch", "-q", branch)
        shell.git("merge", "-q", "--no-edit", other)
    assert sorted(merges.bases(repo, tip(repo, "main"), tip(repo, "side"))) == sorted(first)
    for merge in WAYS:
        assert merge(repo, "main", "side").tree == shell.git("rev-parse", "main^{tree}")


def test_a_merge_that_was_begun_is_settled_and_concluded(repo: GitRepository, shell: Shell) -> None:
    shell.write("moved.py", LINES.replace("4\n", "FOUR\n"))
    commit(shell, "otherwise")
    theirs = tip(repo, "side")
    merges.begin(repo, theirs, "Together")
    found = merges.stages(repo)
    assert {path: [bool(blob) for blob in stages] for path, stages in found.items()} == {
        "moved.py": [True] * 3
    }
    assert isinstance(found["moved.py"], Stages)
    merges.settle(repo, {"moved.py": b"settled\n", "new/file.py": None, "x/y.py": b"y\n"})
    assert trees.index_conflicts(repo) == set()
    commit_id = merges.conclude(repo)
    assert shell.git("log", "-1", "--format=%s|%p").count(" ") == 1
    assert shell.git("show", "--format=%s", "--no-patch", commit_id) == "Together"
    assert shell.git("status", "--short") == ""
    assert sorted(shell.files()) == ["moved.py", "x/y.py"]


def test_a_changed_file_in_the_way_stops_it_before_it_begins(repo: GitRepository, shell: Shell) -> None:
    shell.write("moved.py", "unfinished\n")
    with pytest.raises(GitError, match=r"moved\.py"):
        merges.begin(repo, tip(repo, "side"), "Together")
    assert repo.unfinished() is None


def test_nothing_is_settled_through_a_symlink(repo: GitRepository, shell: Shell) -> None:
    shell.write("../outside/file.py", "theirs\n")
    (shell.cwd / "linked").symlink_to("../outside")
    with pytest.raises(RepositoryError, match="is not a folder"):
        merges.settle(repo, {"moved.py": b"settled\n", "linked/file.py": b"mine\n"})
    assert shell.read("../outside/file.py") == "theirs\n"
    assert shell.git("status", "--short") == "?? linked"


def test_a_text_merges_line_by_line_or_not_at_all(repo: GitRepository) -> None:
    assert merges.merge_text(repo, b"1\n2\n3\n", b"one\n2\n3\n", b"1\n2\nthree\n") == b"one\n2\nthree\n"
    assert merges.merge_text(repo, b"1\n", b"one\n", b"uno\n") is None
