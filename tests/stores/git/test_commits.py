"""Commits of named files, beside whatever the user has under way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cpvlib.base.errors import GitError, RepositoryError, UsageError
from cpvlib.stores.git import commits
from cpvlib.stores.git.commits import Edit
from cpvlib.stores.git.refs import RefMovedError, RefUpdate, refs
from cpvlib.stores.git.repository import GitRepository
from shell import Shell


def to(content: bytes | None) -> Edit:
    return lambda _: content


def with_line(line: bytes) -> Edit:
    def edit(before: bytes | None) -> bytes:
        lines = (before or b"").splitlines(keepends=True)
        return b"".join(lines if line + b"\n" in lines else [*lines, line + b"\n"])

    return edit


PUSH = {"model.bin.dvc": to(b"outs: 2\n"), ".gitignore": with_line(b"/model.bin")}


@pytest.fixture
def repo(shell: Shell) -> GitRepository:
    shell.git("init", "-q")
    shell.write("model.bin.dvc", "outs: 1\n")
    shell.write(".gitignore", "*.pyc\n")
    shell.write("train.py", "pass\n")
    shell.write("sub/deep/x", "x\n")
    shell.git("add", ".")
    shell.git("commit", "-qm", "first")
    return GitRepository.discover(shell.cwd)


def commit(repo: GitRepository, edits: dict[str, Edit], message: str = "baseline", **options: bool) -> str:
    prepared = commits.prepare(repo, edits, message, **options)  # type: ignore[arg-type]
    assert prepared is not None
    commits.land(repo, prepared)
    assert repo.head().commit == prepared.commit
    return prepared.commit


def test_a_commit_of_two_files(repo: GitRepository, shell: Shell) -> None:
    first = shell.git("rev-parse", "HEAD")
    made = commit(repo, PUSH, "baseline \n\n\n\nwith words  \n")
    assert shell.git("show", "--name-status", "--format=%an %ae%n%P%n%B", made).splitlines() == [
        "Ada Lovelace ada@example.org",
        first,
        "baseline",
        "",
        "with words",
        "",
        "",
        "M\t.gitignore",
        "M\tmodel.bin.dvc",
    ]
    assert shell.git("status", "--porcelain") == ""
    assert shell.git("diff-files") == ""  # the index has noted the files' stats
    assert shell.git("log", "-g", "-1", "--format=%gs") == "commit: baseline"
    assert shell.git("log", "-g", "-1", "--format=%gs", "main") == "commit: baseline"
    assert shell.git("fsck", "--strict") == ""


def test_nothing_changes_before_landing(repo: GitRepository, shell: Shell) -> None:
    before = (shell.files(), shell.git("for-each-ref"), (repo.git_dir / "index").read_bytes())
    assert commits.prepare(repo, PUSH, "x") is not None
    assert commits.prepare(repo, PUSH, "x", also_tracked=True) is not None
    assert (shell.files(), shell.git("for-each-ref"), (repo.git_dir / "index").read_bytes()) == before
    assert list((repo.git_dir / "cpv").iterdir()) == []


def test_no_change_is_no_commit(repo: GitRepository) -> None:
    same = {"model.bin.dvc": to(b"outs: 1\n"), "none": to(None), "sub/none/y": to(None)}
    assert commits.prepare(repo, same, "x") is None
    assert commits.prepare(repo, same, "x", also_tracked=True) is None


def test_staged_and_unfinished_work_stays(repo: GitRepository, shell: Shell) -> None:
    shell.write(".gitignore", "*.pyc\nstaged\n")
    shell.git("add", ".gitignore")
    shell.write(".gitignore", "*.pyc\nstaged\nunfinished\n")
    shell.write("train.py", "staged\n")
    shell.git("add", "train.py")
    shell.write("train.py", "unfinished\n")
    shell.write("new.py", "new\n")
    shell.git("add", "new.py")
    shell.git("rm", "-q", "--cached", "sub/deep/x")
    shell.write("untracked", "")
    status = shell.git("status", "--porcelain")
    assert "MM .gitignore" in status
    commit(repo, PUSH)
    assert shell.git("status", "--porcelain") == status
    assert shell.git("show", "HEAD:.gitignore") == "*.pyc\n/model.bin"
    assert shell.git("show", ":.gitignore") == "*.pyc\nstaged\n/model.bin"
    assert shell.read(".gitignore") == "*.pyc\nstaged\nunfinished\n/model.bin\n"
    assert (shell.git("show", "HEAD:train.py"), shell.git("show", ":train.py")) == ("pass", "staged")


def test_a_commit_can_be_landed_again(repo: GitRepository, shell: Shell) -> None:
    shell.write(".gitignore", "*.pyc\nunfinished\n")
    prepared = commits.prepare(repo, PUSH, "x")
    assert prepared
    commits.stage(repo, prepared.edits)  # as far as an interrupted landing may have come
    after = (shell.files(), shell.git("ls-files", "-s"))
    commits.land(repo, prepared)
    assert (shell.files(), shell.git("ls-files", "-s")) == after
    with pytest.raises(RefMovedError):
        commits.land(repo, prepared)
    assert (shell.files(), shell.git("ls-files", "-s")) == after
    assert commits.prepare(repo, PUSH, "x") is None


def test_somebody_committed_in_between(repo: GitRepository, shell: Shell) -> None:
    prepared = commits.prepare(repo, PUSH, "x")
    assert prepared
    shell.git("commit", "-q", "--allow-empty", "-m", "in between")
    tip = shell.git("rev-parse", "HEAD")
    with pytest.raises(RefMovedError):
        commits.land(repo, prepared, [RefUpdate("refs/tags/v0.1", prepared.commit)])
    assert (shell.git("rev-parse", "HEAD"), shell.git("tag")) == (tip, "")


def test_other_refs_move_with_the_branch(repo: GitRepository) -> None:
    prepared = commits.prepare(repo, PUSH, "x")
    assert prepared
    commits.land(repo, prepared, [RefUpdate("refs/cpv/x", prepared.commit)], reason="revert: x")
    assert refs(repo, "refs/cpv") == {"refs/cpv/x": prepared.commit}
    assert repo.git.text("log", "-g", "-1", "--format=%gs") == "revert: x"


AWKWARD = [
    "with space.dvc",
    "new\nline/x.dvc",
    "-x.dvc",
    "日本/語.dvc",
    ":(top)y.dvc",
    "*.dvc",
    'tab\t"q".dvc',
]


def test_awkward_paths_and_an_unborn_branch(shell: Shell) -> None:
    shell.git("init", "-q", "-b", "née")
    repo = GitRepository.discover(shell.cwd)
    shell.write("staged", "x")
    shell.git("add", "staged")
    made = commit(repo, {path: to(path.encode()) for path in AWKWARD}, "erste Prüfung")
    listed = repo.git.run("ls-tree", "-rz", "--name-only", made).decode().split("\0")[:-1]
    assert sorted(listed) == sorted(AWKWARD)
    assert shell.git("status", "--porcelain") == "A  staged"
    assert shell.git("log", "-g", "-1", "--format=%gs") == "commit (initial): erste Prüfung"
    assert {path: (shell.cwd / path).read_bytes() for path in AWKWARD} == {
        path: path.encode() for path in AWKWARD
    }
    assert shell.git("fsck", "--strict") == ""


def test_a_detached_head_moves_alone(repo: GitRepository, shell: Shell) -> None:
    shell.git("checkout", "-q", "--detach")
    repo.forget()
    main = shell.git("rev-parse", "main")
    made = commit(repo, PUSH)
    assert (shell.git("rev-parse", "HEAD"), shell.git("rev-parse", "main")) == (made, main)
    assert shell.run("git symbolic-ref HEAD").code != 0


def test_files_are_removed_with_their_folders(repo: GitRepository, shell: Shell) -> None:
    commit(repo, {"sub/deep/x": to(None), "model.bin.dvc": to(None)})
    assert shell.git("ls-tree", "-r", "--name-only", "HEAD").split() == [".gitignore", "train.py"]
    assert not (shell.cwd / "sub").exists()
    assert shell.git("status", "--porcelain") == ""
    commit(repo, {".gitignore": to(None), "train.py": to(None)})
    assert (shell.git("ls-tree", "-r", "HEAD"), shell.git("status", "--porcelain")) == ("", "")


def test_names_sort_as_git_sorts_them(repo: GitRepository, shell: Shell) -> None:
    commit(
        repo, {path: to(b"x") for path in ("sub.dvc", "sub0", "sub-", "sub/deep.x", "sub/deep/a", "a/b/c/d")}
    )
    assert shell.git("fsck", "--strict") == ""
    assert shell.git("status", "--porcelain") == ""


def test_the_executable_bit_stays(repo: GitRepository, shell: Shell) -> None:
    (shell.cwd / "train.py").chmod(0o755)
    shell.git("commit", "-qam", "x")
    repo.forget()
    commit(repo, {"train.py": to(b"new\n")})
    assert shell.git("ls-files", "-s", "train.py").startswith("100755")
    assert shell.git("ls-tree", "HEAD", "train.py").startswith("100755")
    assert (shell.git("status", "--porcelain"), os.access(shell.cwd / "train.py", os.X_OK)) == ("", True)


def test_bytes_are_committed_as_given(repo: GitRepository, shell: Shell) -> None:
    shell.git("config", "core.autocrlf", "true")
    shell.git("config", "filter.upper.clean", "tr a-z A-Z")
    shell.write(".gitattributes", "*.dvc filter=upper ident\n* text=auto\n")
    content = b"outs:\n- crlf\r\n$Id$\n\xff"
    commit(repo, {"model.bin.dvc": to(content)})
    assert repo.git.run("cat-file", "blob", "HEAD:model.bin.dvc") == content
    assert (shell.cwd / "model.bin.dvc").read_bytes() == content


def test_line_endings_that_git_gave_the_worktree(repo: GitRepository, shell: Shell) -> None:
    shell.git("config", "core.autocrlf", "true")
    shell.git("rm", "-q", "-r", "--cached", ".")
    shell.git("reset", "-q", "--hard")
    assert (shell.cwd / "model.bin.dvc").read_bytes() == b"outs: 1\r\n"
    commit(repo, {"model.bin.dvc": to(b"outs: 2\n")})
    assert shell.git("status", "--porcelain") == ""


@pytest.mark.parametrize("kind", ["link", "folder link", "folder", "submodule", "file as folder"])
def test_what_is_no_plain_file_is_refused(
    repo: GitRepository, shell: Shell, tmp_path: Path, kind: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "in").mkdir(parents=True)
    path = "odd"
    if kind == "link":
        (shell.cwd / "odd").symlink_to(outside / "file")
    elif kind == "folder link":
        (shell.cwd / "odd").symlink_to(outside)
        path = "odd/in/file"
    elif kind == "folder":
        shell.write("odd/file", "x")
    elif kind == "submodule":
        (shell.cwd / "odd").mkdir()
        shell.git("-C", "odd", "init", "-q")
        shell.git("-C", "odd", "commit", "-q", "--allow-empty", "-m", "x")
    else:
        path = "train.py/x"
    shell.git("add", "-A")
    if shell.git("status", "--porcelain"):
        shell.git("commit", "-qm", "odd")
    repo.forget()
    index = (repo.git_dir / "index").read_bytes()
    edits = {"model.bin.dvc": to(b"new"), path: to(b"evil")}
    with pytest.raises(RepositoryError, match=r"odd|train"):
        commits.prepare(repo, edits, "x")
    with pytest.raises(RepositoryError):
        commits.stage(repo, edits)
    with pytest.raises(RepositoryError):
        commits.prepare(repo, edits, "x", branch="other")
    assert (repo.git_dir / "index").read_bytes() == index
    assert [p.name for p in outside.rglob("*")] == ["in"]


@pytest.mark.parametrize("path", ["../x", "/etc/x", ".git/hooks/pre-commit", "a/.GIT/x", "a//b", "a/./b", ""])
def test_paths_that_lead_out(repo: GitRepository, path: str) -> None:
    with pytest.raises(RepositoryError):
        commits.prepare(repo, {path: to(b"x")}, "x")
    with pytest.raises(RepositoryError):
        commits.stage(repo, {path: to(b"x")})


def test_another_branch_leaves_index_and_worktree_alone(repo: GitRepository, shell: Shell) -> None:
    shell.git("branch", "side")
    shell.git("commit", "-q", "--allow-empty", "-m", "ahead")
    shell.write("train.py", "unfinished\n")
    repo.forget()
    before = (shell.files(), shell.git("status", "--porcelain"), shell.git("rev-parse", "HEAD"))
    prepared = commits.prepare(repo, PUSH, "to side", branch="side")
    assert prepared and prepared.parent == shell.git("rev-parse", "side")
    commits.land(repo, prepared)
    assert shell.git("rev-parse", "side") == prepared.commit
    assert (shell.files(), shell.git("status", "--porcelain"), shell.git("rev-parse", "HEAD")) == before
    fresh = commits.prepare(repo, PUSH, "to fresh", branch="fresh")
    assert fresh and (fresh.parent, fresh.old) == (shell.git("rev-parse", "HEAD"), None)
    commits.land(repo, fresh)
    assert shell.git("rev-parse", "fresh") == fresh.commit
    same = commits.prepare(repo, PUSH, "here", branch="main")
    assert same and not same.elsewhere


def test_branches_that_cannot_be_committed_to(repo: GitRepository, shell: Shell) -> None:
    shell.git("worktree", "add", "-q", "../a b", "-b", "taken")
    with pytest.raises(RepositoryError, match=r"'taken' is checked out in '.*/a b'"):
        commits.prepare(repo, PUSH, "x", branch="taken")
    for name in ("-x", "a b", "x..y", "*", "@{-1}", "x.lock"):
        with pytest.raises(RepositoryError, match="no name for a branch"):
            commits.prepare(repo, PUSH, "x", branch=name)
    with pytest.raises(UsageError):
        commits.prepare(repo, PUSH, "x", branch="fresh", also_tracked=True)


def test_a_linked_worktree_has_its_own_index(repo: GitRepository, shell: Shell) -> None:
    shell.git("worktree", "add", "-q", "../linked", "-b", "other")
    linked = GitRepository.discover(shell.cwd.parent / "linked")
    for also_tracked in (False, True):
        (linked.top / "train.py").write_text("changed\n")
        commit(linked, {"model.bin.dvc": to(b"%d" % also_tracked)}, also_tracked=also_tracked)
    assert linked.git.text("status", "--porcelain") == shell.git("status", "--porcelain") == ""
    assert shell.git("show", "other:train.py") == "changed"


def test_sparse_and_assumed_files_keep_their_flags(repo: GitRepository, shell: Shell) -> None:
    shell.git("update-index", "--assume-unchanged", "model.bin.dvc")
    shell.git("sparse-checkout", "set", "--no-cone", "/model.bin.dvc", "/.gitignore")
    assert not (shell.cwd / "sub").exists()
    commit(repo, {"model.bin.dvc": to(b"new\n"), "sub/deep/x": to(b"new\n")})
    assert shell.git("ls-files", "-v").splitlines() == [
        "H .gitignore",
        "h model.bin.dvc",
        "S sub/deep/x",
        "S train.py",
    ]
    assert not (shell.cwd / "sub").exists()
    assert shell.git("status", "--porcelain") == ""
    assert shell.git("show", "HEAD:sub/deep/x") == "new"


def test_a_file_that_is_only_meant_to_be_added(repo: GitRepository, shell: Shell) -> None:
    shell.write("metrics.log.dvc", "mine\n")
    shell.write("later.py", "later\n")
    shell.git("add", "-N", "metrics.log.dvc", "later.py")
    commit(repo, {"metrics.log.dvc": to(b"outs\n")})
    assert shell.git("status", "--porcelain") == " A later.py"


def test_a_split_index_and_an_index_version_4(repo: GitRepository, shell: Shell) -> None:
    shell.git("update-index", "--split-index")
    shell.write("train.py", "changed\n")
    commit(repo, PUSH, also_tracked=True)
    assert shell.git("status", "--porcelain") == ""
    shell.git("update-index", "--no-split-index", "--index-version", "4")
    commit(repo, {"model.bin.dvc": to(b"4")})
    assert shell.git("status", "--porcelain") == ""


def test_tracked_changes_go_along(repo: GitRepository, shell: Shell) -> None:
    shell.write("train.py", "changed\r\n")
    shell.git("config", "core.autocrlf", "input")
    shell.write("new.py", "staged\n")
    shell.git("add", "new.py")
    shell.write("new.py", "staged, then changed\n")
    (shell.cwd / "sub/deep/x").unlink()
    shell.write("untracked", "")
    made = commit(repo, PUSH, also_tracked=True)
    assert shell.git("show", "--name-status", "--format=", made).splitlines() == [
        "M\t.gitignore",
        "M\tmodel.bin.dvc",
        "A\tnew.py",
        "D\tsub/deep/x",
        "M\ttrain.py",
    ]
    assert shell.git("show", f"{made}:new.py") == "staged, then changed"
    assert shell.git("cat-file", "-s", f"{made}:train.py") == str(len("changed\n"))
    assert shell.git("status", "--porcelain") == "?? untracked"


def test_what_is_staged_meanwhile_is_kept(repo: GitRepository, shell: Shell) -> None:
    shell.write("train.py", "committed\n")
    shell.write("sub/deep/x", "committed\n")
    prepared = commits.prepare(repo, PUSH, "x", also_tracked=True)
    assert prepared and prepared.paths == (".gitignore", "model.bin.dvc", "sub/deep/x", "train.py")
    shell.write("train.py", "meanwhile\n")
    shell.git("add", "train.py")
    shell.write("train.py", "and more\n")
    commits.land(repo, prepared)
    assert shell.git("status", "--porcelain") == "MM train.py"
    shown = [shell.git("show", f"{where}:train.py") for where in ("HEAD", "")]
    assert (shown, shell.read("train.py")) == (["committed", "meanwhile"], "and more\n")


def _hook(shell: Shell, name: str, script: str) -> None:
    shell.write(f".git/hooks/{name}", f"#!/bin/sh\n{script}\n").chmod(0o755)


def test_hooks_see_what_is_committed_and_may_change_it(repo: GitRepository, shell: Shell) -> None:
    _hook(shell, "pre-commit", "git diff --cached --name-only >seen; echo linted >train.py; git add train.py")
    _hook(shell, "prepare-commit-msg", 'echo "$2" >source')
    _hook(shell, "commit-msg", 'echo; echo "Change-Id: I1" >>"$1"')
    shell.write("train.py", "changed\n")
    made = commit(repo, PUSH, "baseline", also_tracked=True)
    assert shell.read("seen").split() == [".gitignore", "model.bin.dvc", "train.py"]
    assert shell.read("source") == "message\n"
    assert shell.git("show", f"{made}:train.py") == "linted"
    assert shell.git("log", "-1", "--format=%B").split("\n") == ["baseline", "Change-Id: I1"]
    assert shell.git("status", "--porcelain", "--untracked-files=no") == ""


def test_a_hook_that_refuses(repo: GitRepository, shell: Shell, capfd: pytest.CaptureFixture[str]) -> None:
    _hook(shell, "pre-commit", "echo no trailing spaces; exit 3")
    shell.write("train.py", "changed \n")
    with pytest.raises(GitError, match="the 'pre-commit' hook refused the commit"):
        commits.prepare(repo, PUSH, "x", also_tracked=True)
    assert capfd.readouterr() == ("", "no trailing spaces\n")
    assert commits.prepare(repo, PUSH, "x") is not None  # CPV's own files only: no hooks
    assert list((repo.git_dir / "cpv").iterdir()) == []


def test_hooks_elsewhere(repo: GitRepository, shell: Shell, tmp_path: Path) -> None:
    shell.write("../my hooks/pre-commit", "#!/bin/sh\nexit 1\n").chmod(0o755)
    shell.git("config", "core.hooksPath", str(tmp_path / "my hooks"))
    shell.write("train.py", "changed\n")
    with pytest.raises(GitError, match="pre-commit"):
        commits.prepare(GitRepository.discover(shell.cwd), PUSH, "x", also_tracked=True)


def test_a_git_without_git_hook(repo: GitRepository, shell: Shell, tmp_path: Path) -> None:
    old = (
        '#!/bin/sh\ncase "$3" in\nhook) echo "git: \'hook\' is not a git command." >&2; exit 1;;\n'
        f'version) echo git version 2.34.1;;\n*) PATH="{os.environ["PATH"]}" exec git "$@";;\nesac\n'
    )
    shell.write("../old/git", old).chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path / 'old'}:{os.environ['PATH']}"}
    aged = GitRepository.discover(shell.cwd, environ)
    shell.write("train.py", "changed\n")
    _hook(shell, "commit-msg", 'echo "Hooked: yes" >>"$1"')
    made = commit(aged, PUSH, "x", also_tracked=True)
    assert "Hooked: yes" in shell.git("log", "-1", "--format=%B", made)
    _hook(shell, "pre-commit", "exit 1")
    shell.write("train.py", "again\n")
    with pytest.raises(GitError, match="pre-commit"):
        commits.prepare(aged, PUSH, "x", also_tracked=True)


def test_signing_is_obeyed(repo: GitRepository, shell: Shell) -> None:
    shell.ok("ssh-keygen -q -t ed25519 -N '' -f ../key")
    shell.git("config", "gpg.format", "ssh")
    shell.git("config", "user.signingKey", str(shell.cwd.parent / "key.pub"))
    shell.git("config", "commit.gpgSign", "true")
    repo.forget()
    made = commit(repo, PUSH)
    assert "-----BEGIN SSH SIGNATURE-----" in shell.git("cat-file", "commit", made)
    shell.git("config", "user.signingKey", "/nowhere")
    before = shell.git("rev-parse", "HEAD")
    with pytest.raises(GitError, match="commit-tree"):
        commits.prepare(repo, {"model.bin.dvc": to(b"3")}, "x")
    assert shell.git("rev-parse", "HEAD") == before


def test_messages_are_utf_8_whatever_git_is_told(repo: GitRepository, shell: Shell) -> None:
    shell.git("config", "i18n.commitEncoding", "ISO-8859-1")
    made = commit(repo, PUSH, "für alle")
    raw = repo.git.run("cat-file", "commit", made)
    assert raw.endswith("\n\nfür alle\n".encode()) and b"encoding" not in raw
    with pytest.raises(UsageError, match="message is empty"):
        commits.prepare(repo, {"x": to(b"")}, " \n\n")


def test_nobody_to_commit(repo: GitRepository, shell: Shell) -> None:
    shell.git("config", "--global", "--unset", "user.email")
    shell.git("config", "--global", "user.useConfigOnly", "true")
    with pytest.raises(GitError) as error:
        commits.prepare(repo, PUSH, "x")
    assert error.value.hint == "git config --global user.email MAIL"


def test_an_index_that_another_git_holds(repo: GitRepository, shell: Shell) -> None:
    prepared = commits.prepare(repo, PUSH, "x")
    assert prepared
    shell.write(".git/index.lock", "")
    before = (shell.files(), shell.git("rev-parse", "HEAD"))
    with pytest.raises(GitError, match=r"index\.lock") as error:
        commits.land(repo, prepared)
    assert error.value.hint and "lock" in error.value.hint
    assert (shell.files(), shell.git("rev-parse", "HEAD")) == before


@pytest.mark.parametrize("also_tracked", [False, True])
def test_a_branch_that_can_not_move_leaves_index_and_worktree(
    repo: GitRepository, shell: Shell, also_tracked: bool
) -> None:
    shell.write("train.py", "tuned\n")
    shell.write(".gitignore", "*.pyc\nunfinished\n")
    shell.write("model.bin.dvc", "staged\n")
    shell.git("add", "model.bin.dvc")
    shell.write("sub/deep/x", "half\n")
    prepared = commits.prepare(repo, PUSH | {"new/file": to(b"new\n")}, "x", also_tracked=also_tracked)
    assert prepared
    shell.write(".git/refs/heads/main.lock", "")
    before = (shell.files(), shell.git("status", "--porcelain"), shell.git("ls-files", "--stage"))
    with pytest.raises(GitError, match="cannot lock ref"):
        commits.land(repo, prepared)
    assert (shell.files(), shell.git("status", "--porcelain"), shell.git("ls-files", "--stage")) == before


def test_an_edit_that_fails_in_the_worktree_leaves_nothing_staged(repo: GitRepository, shell: Shell) -> None:
    def picky(before: bytes | None) -> bytes:
        if before == b"unfinished\n":
            raise RepositoryError("no")
        return b"2\n"

    shell.write("sub/deep/x", "unfinished\n")
    before = (shell.files(), shell.git("status", "--porcelain"), shell.git("ls-files", "--stage"))
    with pytest.raises(RepositoryError, match="no"):
        commits.prepare(repo, {"sub/deep/x": picky}, "x")
    with pytest.raises(RepositoryError, match="no"):
        commits.stage(repo, PUSH | {"new/file": to(b"new\n"), "train.py": to(None), "sub/deep/x": picky})
    assert (shell.files(), shell.git("status", "--porcelain"), shell.git("ls-files", "--stage")) == before


def test_a_commit_that_landed_is_not_taken_back(repo: GitRepository, shell: Shell) -> None:
    """The one who moves the branch may be interrupted just after it moved."""
    prepared = commits.prepare(repo, PUSH, "x")
    assert prepared
    shell.git("config", "core.logAllRefUpdates", "false")
    hook = shell.write(
        ".git/hooks/reference-transaction", '#!/bin/sh\n[ "$1" != committed ] || kill -9 $PPID\n'
    )
    hook.chmod(0o755)
    with pytest.raises(GitError):
        commits.land(repo, prepared)
    hook.unlink()
    assert shell.git("rev-parse", "HEAD") == prepared.commit
    assert shell.git("status", "--porcelain") == ""


def test_a_path_in_conflict_is_refused(repo: GitRepository, shell: Shell) -> None:
    shell.git("switch", "-qc", "side")
    shell.write("model.bin.dvc", "side\n")
    shell.git("commit", "-qam", "side")
    shell.git("switch", "-q", "main")
    shell.write("model.bin.dvc", "main\n")
    shell.git("commit", "-qam", "main")
    shell.run("git merge -q side")
    with pytest.raises(RepositoryError, match=r"'model\.bin\.dvc' is in conflict"):
        commits.stage(repo, PUSH)


def test_staging_without_a_commit(repo: GitRepository, shell: Shell) -> None:
    head = shell.git("rev-parse", "HEAD")
    shell.write(".gitignore", "*.pyc\nunfinished\n")
    commits.stage(repo, {**PUSH, "new/file": to(b"new\n"), "sub/deep/x": to(None)})
    assert shell.git("status", "--porcelain").splitlines() == [
        "MM .gitignore",
        "M  model.bin.dvc",
        "A  new/file",
        "D  sub/deep/x",
    ]
    assert shell.git("rev-parse", "HEAD") == head


def test_a_sha256_repository(shell: Shell) -> None:
    shell.git("init", "-q", "--object-format=sha256")
    repo = GitRepository.discover(shell.cwd)
    commit(repo, {"a/b": to(b"1"), "c": to(b"1" * 5000)})
    commit(repo, {"a/b": to(None), "c": to(b"2" * 70_000)})
    commit(repo, {"d": to(b"")}, also_tracked=True)
    assert shell.git("ls-tree", "-r", "--name-only", "HEAD").split() == ["c", "d"]
    assert (shell.git("fsck", "--strict"), shell.git("status", "--porcelain")) == ("", "")


def test_few_processes(repo: GitRepository, shell: Shell) -> None:
    asked: list[str] = []
    repo = GitRepository.discover(
        shell.cwd,
        trace=lambda args, _s, _code: asked.append(next(a for a in args if a[0].isalpha() and "=" not in a)),
    )
    commit(repo, PUSH)
    assert asked == [
        *("rev-parse", "cat-file", "unpack-objects", "config", "commit-tree"),
        *("ls-files", "update-index", "add", "update-ref", "rev-parse"),
    ]
