"""Which repository it is, wherever one stands and whatever the environment says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.stores.git.repository import GitRepository, Head
from shell import Shell


@pytest.fixture
def repo(shell: Shell) -> Shell:
    shell.git("init", "-q")
    shell.write("README", "hello\n")
    shell.git("add", ".")
    shell.git("commit", "-qm", "first")
    return shell


def test_facts_take_one_process(repo: Shell) -> None:
    asked: list[tuple[str, ...]] = []
    found = GitRepository.discover(repo.cwd, trace=lambda args, _s, _code: asked.append(tuple(args)))
    assert found.head() == Head("main", repo.git("rev-parse", "HEAD"))
    assert (found.top, found.git_dir, found.common_dir) == (repo.cwd, repo.cwd / ".git", repo.cwd / ".git")
    assert (found.hooks_dir, found.prefix, found.is_shallow) == (repo.cwd / ".git/hooks", "", False)
    assert [args[0] for args in asked] == ["rev-parse"]


@pytest.mark.parametrize("name", ["with space", "new\nline", "日本語", "--", "-x", "\n--\n"])
def test_a_subfolder_with_an_awkward_name(repo: Shell, name: str) -> None:
    folder = repo.cwd / name / "below"
    folder.mkdir(parents=True)
    found = GitRepository.discover(folder)
    assert (found.top, found.git_dir, found.prefix) == (repo.cwd, repo.cwd / ".git", f"{name}/below/")


def test_a_repository_in_a_folder_with_newlines_reached_through_a_symlink(
    repo: Shell, tmp_path: Path
) -> None:
    odd = tmp_path / "a\nb\n" / "true\n--"
    odd.parent.mkdir()
    repo.cwd.rename(odd)
    (odd / "sub").mkdir()
    link = tmp_path / "link"
    link.symlink_to(odd / "sub")
    found = GitRepository.discover(link)
    assert (found.top, found.git_dir, found.prefix) == (odd, odd / ".git", "sub/")


def test_a_linked_worktree_knows_the_main_one(repo: Shell) -> None:
    repo.git("worktree", "add", "-q", "../linked", "-b", "other")
    found = GitRepository.discover(repo.cwd.parent / "linked")
    assert found.top == repo.cwd.parent / "linked"
    assert found.git_dir == repo.cwd / ".git/worktrees/linked"
    assert (found.common_dir, found.main_top) == (repo.cwd / ".git", repo.cwd)
    assert found.head().branch == "other"
    assert GitRepository.discover(repo.cwd).main_top == repo.cwd


def test_a_submodule_is_a_repository_of_its_own(repo: Shell, tmp_path: Path) -> None:
    outer = Shell(tmp_path / "outer")
    outer.cwd.mkdir()
    outer.git("init", "-q")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo.cwd), "models/sub")
    sub = outer.cwd / "models/sub"
    found = GitRepository.discover(sub)
    assert (found.top, found.git_dir, found.main_top) == (sub, outer.cwd / ".git/modules/models/sub", sub)
    outer.at("models/sub").git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    assert GitRepository.discover(tmp_path / "linked").main_top == sub


def test_an_unborn_branch_and_a_detached_head(shell: Shell) -> None:
    shell.git("init", "-q", "-b", "new-idea")
    found = GitRepository.discover(shell.cwd)
    assert found.head() == Head("new-idea", None)
    assert found.resolve("HEAD") is None
    shell.git("commit", "-q", "--allow-empty", "-m", "x")
    found.forget()
    assert found.head() == Head("new-idea", shell.git("rev-parse", "HEAD"))
    shell.git("checkout", "-q", "--detach")
    assert GitRepository.discover(shell.cwd).head() == Head(None, shell.git("rev-parse", "HEAD"))


@pytest.mark.parametrize("ref", ["refs/tags/HEAD", "refs/heads/HEAD", "refs/tags/main"])
def test_refs_that_are_called_like_head_and_its_branch(repo: Shell, ref: str) -> None:
    """git reads .git/HEAD first, but does not tell its full name then."""
    older = repo.git("rev-parse", "HEAD")
    repo.git("commit", "-q", "--allow-empty", "-m", "newer")
    newer = repo.git("rev-parse", "HEAD")
    repo.git("update-ref", ref, older)
    assert GitRepository.discover(repo.cwd).head() == Head("main", newer)
    repo.git("checkout", "-q", "--detach")
    assert GitRepository.discover(repo.cwd).head() == Head(None, newer)


def test_sha256_and_shallow_repositories(repo: Shell, tmp_path: Path) -> None:
    repo.git("init", "-q", "--object-format=sha256", str(tmp_path / "long"))
    assert GitRepository.discover(tmp_path / "long").object_format == "sha256"
    repo.git("clone", "-q", "--depth=1", f"file://{repo.cwd}", str(tmp_path / "shallow"))
    assert GitRepository.discover(tmp_path / "shallow").is_shallow


@pytest.mark.parametrize("work_tree", [True, False])
def test_a_repository_that_the_environment_names_does_not_win(
    repo: Shell, tmp_path: Path, work_tree: bool
) -> None:
    other = Shell(tmp_path / "other")
    other.cwd.mkdir()
    other.git("init", "-q")
    hostile = {**os.environ, "GIT_DIR": str(other.cwd / ".git"), "GIT_INDEX_FILE": str(other.cwd / "index")}
    hostile |= {
        "GIT_OBJECT_DIRECTORY": "/nowhere",
        "GIT_PREFIX": "x/",
        "GIT_NAMESPACE": "n",
        "GIT_CONFIG": "/x",
    }
    if work_tree:
        hostile["GIT_WORK_TREE"] = str(other.cwd)
    found = GitRepository.discover(repo.cwd, hostile)
    assert (found.top, found.git_dir) == (repo.cwd, repo.cwd / ".git")
    assert found.git.text("ls-files") == "README"


def test_a_hook_of_the_superproject_does_not_catch_its_submodule(repo: Shell, tmp_path: Path) -> None:
    inner = Shell(repo.cwd / "inner")
    inner.cwd.mkdir()
    inner.git("init", "-q")
    environ = {**os.environ, "GIT_DIR": str(repo.cwd / ".git"), "GIT_WORK_TREE": str(repo.cwd)}
    assert GitRepository.discover(inner.cwd, environ).top == inner.cwd


def test_git_dir_and_work_tree_are_obeyed_where_they_are_meant(repo: Shell, tmp_path: Path) -> None:
    home = tmp_path / "dotfiles"
    (home / "sub").mkdir(parents=True)
    environ = {**os.environ, "GIT_DIR": str(repo.cwd / ".git"), "GIT_WORK_TREE": str(home)}
    found = GitRepository.discover(home / "sub", environ)
    assert (found.top, found.git_dir, found.prefix) == (home, repo.cwd / ".git", "sub/")
    assert found.git.text("ls-files", "--deleted") == "README"


def test_settings_of_git_c_reach_us(repo: Shell) -> None:
    script = repo.write("../bin/git-show-settings", '#!/bin/sh\nprintf "%s" "$GIT_CONFIG_PARAMETERS"\n')
    script.chmod(0o755)
    told = repo.ok("git -c cpv.team=from-c show-settings", PATH=f"{script.parent}:{os.environ['PATH']}")
    found = GitRepository.discover(repo.cwd, {**os.environ, "GIT_CONFIG_PARAMETERS": told})
    assert found.config.get("cpv.team") == "from-c"
    setting = found.config.find("cpv.team")
    assert setting and setting.scope == "command"


def test_no_repository_a_bare_one_and_the_git_folder(repo: Shell, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="is not in a git repository") as none:
        GitRepository.discover(tmp_path)
    assert none.value.hint == "git cpv init"
    repo.git("clone", "-q", "--bare", ".", "../bare.git")
    with pytest.raises(RepositoryError, match="bare repository"):
        GitRepository.discover(tmp_path / "bare.git")
    with pytest.raises(RepositoryError, match="not in a worktree"):
        GitRepository.discover(repo.cwd / ".git")


def _fake_git(folder: Path, script: str) -> dict[str, str]:
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_no_git_on_path(repo: Shell, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git is not on PATH") as error:
        GitRepository.discover(repo.cwd, {**os.environ, "PATH": str(tmp_path / "empty")})
    assert error.value.hint == "install git 2.25 or newer"


def test_a_git_that_is_too_old(repo: Shell, tmp_path: Path) -> None:
    # git before 2.25 echoes --show-object-format, as it does with whatever it does not know
    facts = 'printf "%s\\n" false true false "$5" --//'
    old = f'shift 2; case $1 in version) echo "git version 2.17.1";; *) {facts};; esac'
    with pytest.raises(GitError, match=r"git is 2\.17\.1, and 2.25 or newer is needed"):
        GitRepository.discover(repo.cwd, _fake_git(tmp_path / "old", old))


def test_revisions(repo: Shell) -> None:
    repo.git("tag", "-a", "-m", "x", "v0.1")
    repo.git("update-ref", "refs/tags/-x", "HEAD")
    commit = repo.git("rev-parse", "HEAD")
    found = GitRepository.discover(repo.cwd)
    for named in ("HEAD", "main", "v0.1", commit[:8], "refs/tags/v0.1", "HEAD^0", ":/first"):
        assert found.resolve(named) == commit, named
    for unnamed in (
        "",
        "v9",
        "-x",
        "--help",
        "--git-dir",
        "HEAD..",
        "^HEAD",
        "a\nb",
        "HEAD:README",
        "HEAD^5",
    ):
        assert found.resolve(unnamed) is None, unnamed
    assert found.is_ancestor(commit, commit)
    with pytest.raises(GitError, match="merge-base"):
        found.is_ancestor("0" * 40, commit)


def test_what_is_unfinished(repo: Shell) -> None:
    found = GitRepository.discover(repo.cwd)
    assert found.unfinished() is None
    repo.git("switch", "-qc", "side")
    repo.write("README", "side\n")
    repo.git("commit", "-qam", "side")
    repo.git("switch", "-q", "main")
    repo.write("README", "main\n")
    repo.git("commit", "-qam", "main")
    for command, what in (
        ("merge side", "merge"),
        ("cherry-pick side", "cherry-pick"),
        ("revert --no-edit HEAD~1", "revert"),
        ("rebase side", "rebase"),
        ("format-patch --stdout side~1..side | git am -3", "am"),
    ):
        repo.run(f"git {command}")
        assert found.unfinished() == what, command
        repo.git(what, "--abort")
        assert found.unfinished() is None
