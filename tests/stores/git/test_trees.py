"""What commits, the index and the worktree hold."""

from __future__ import annotations

import os

import pytest

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.stores.git import trees
from cpvlib.stores.git.repository import GitRepository
from shell import Shell

NAMES = [
    "a.dvc",
    "with space/b c.dvc",
    "new\nline.dvc",
    "-x.dvc",
    "日本/語.dvc",
    '"q".dvc',
    "*.dvc",
    ":(top)x.dvc",
]


@pytest.fixture
def repo(shell: Shell) -> GitRepository:
    shell.git("init", "-q")
    for name in NAMES:
        shell.write(name, f"content of {name}")
    shell.write("code.py", "pass\n")
    (shell.cwd / "link.dvc").symlink_to("a.dvc")
    shell.git("add", ".")
    shell.git("commit", "-qm", "first")
    return GitRepository.discover(shell.cwd)


def test_files_and_contents(repo: GitRepository) -> None:
    found = trees.files_at(repo, "HEAD")
    assert sorted(found) == sorted(NAMES)
    contents = trees.read_blobs(repo, found.values())
    assert {path: contents[oid].decode() for path, oid in found.items()} == {
        name: f"content of {name}" for name in NAMES
    }
    assert set(trees.files_at(repo, "HEAD", suffix=(), names=["code.py", "py"])) == {"code.py"}


def test_files_of_many_commits(repo: GitRepository, shell: Shell) -> None:
    for change in (
        "echo more >> 'with space/b c.dvc'",
        "rm -r -- *.dvc",
        "mkdir -p a/b; cp code.py a/b/c.dvc",
    ):
        shell.ok(f"{change}; git add -A; git commit -qm x")
    shell.git("checkout", "-q", "--orphan", "bare")
    shell.git("rm", "-rq", "--cached", ".")
    shell.git("commit", "-q", "--allow-empty", "-m", "nothing")
    commits = shell.git("rev-list", "--all").splitlines()
    assert len(commits) == 5
    found = list(trees.files_at_each(repo, [*commits, commits[0]]))
    assert found == [trees.files_at(repo, commit) for commit in [*commits, commits[0]]]
    assert sorted(map(len, found[:5])) == [0, 2, 3, 8, 8]
    with pytest.raises(GitError, match="is missing"):
        list(trees.files_at_each(repo, ["1" * 40]))


def test_files_by_path(repo: GitRepository) -> None:
    paths = [*NAMES, "none", "with space"]
    assert trees.read_files(repo, "HEAD", paths) == {name: f"content of {name}".encode() for name in NAMES}
    assert trees.read_file(repo, "HEAD", "code.py") == b"pass\n"
    assert trees.read_file(repo, "HEAD", "none") is None


def test_too_large_and_missing_objects_leave_the_reader_usable(repo: GitRepository, shell: Shell) -> None:
    shell.write("big", b"\0" * 100_000)
    big = shell.git("hash-object", "-w", "big")
    small = trees.files_at(repo, "HEAD")["a.dvc"]
    with pytest.raises(RepositoryError, match="100000 bytes"):
        trees.read_blobs(repo, [small, big, small], limit=50_000)
    with pytest.raises(GitError, match="is missing"):
        trees.read_blobs(repo, ["1" * 40])
    assert trees.read_blobs(repo, [small]) == {small: b"content of a.dvc"}
    repo.close()
    assert trees.read_blobs(repo, [big]) == {big: b"\0" * 100_000}


def test_thousands_of_large_answers_do_not_jam_the_pipe(repo: GitRepository, shell: Shell) -> None:
    for number in range(200):
        shell.write(f"many/{number}", f"{number}" * 20_000)
    shell.git("add", ".")
    tree = shell.git("write-tree")
    oids = trees.files_at(repo, tree, suffix="", names=())
    many = [oid for path, oid in oids.items() if path.startswith("many/")]
    assert len(many) == 200
    assert sum(map(len, trees.read_blobs(repo, many * 3).values())) == sum(
        len(str(number)) * 20_000 for number in range(200)
    )
    assert len(trees.read_files(repo, tree, [path for path in oids if path.startswith("many/")] * 20)) == 200


def _commit(shell: Shell, message: str) -> str:
    shell.git("add", "-A")
    shell.git("commit", "-qm", message)
    return shell.git("rev-parse", "HEAD")


def test_what_commits_introduce(repo: GitRepository, shell: Shell) -> None:
    first = shell.git("rev-parse", "HEAD")
    assert sorted(path for _, path, _ in trees.introduced(repo, ["HEAD"])) == sorted(NAMES)
    shell.write("code.py", "x")
    shell.write("a.dvc", "second")
    shell.git("rm", "-q", "--", "-x.dvc")
    second = _commit(shell, "second")
    shell.git("mv", "a.dvc", "sub.dvc")
    third = _commit(shell, "third")
    blob = shell.git("rev-parse", "HEAD:sub.dvc")
    assert trees.introduced(repo, ["HEAD"], [first]) == [(third, "sub.dvc", blob), (second, "a.dvc", blob)]
    assert trees.introduced(repo, ["HEAD"], ["--all"]) == []
    assert [commit for commit, _, _ in trees.introduced(repo, ["HEAD"], paths=["a.dvc"])] == [second, first]
    assert {path for _, path, _ in trees.introduced(repo, ["HEAD"], paths=["*.dvc"])} == {"*.dvc"}


def test_a_merge_introduces_only_what_no_parent_has(repo: GitRepository, shell: Shell) -> None:
    first = shell.git("rev-parse", "HEAD")
    shell.git("switch", "-qc", "side")
    shell.write("side.dvc", "side")
    shell.write("a.dvc", "side")
    side = _commit(shell, "side")
    shell.git("switch", "-q", "main")
    shell.write("a.dvc", "main")
    main = _commit(shell, "main")
    shell.run("git merge -q side")
    shell.write("a.dvc", "both")
    merge = _commit(shell, "merge")
    found = {(commit, path) for commit, path, _ in trees.introduced(repo, [merge], [first])}
    assert found == {(merge, "a.dvc"), (main, "a.dvc"), (side, "a.dvc"), (side, "side.dvc")}
    assert {path for _, path, _ in trees.introduced(repo, [merge], [main, side])} == {"a.dvc"}


def test_tracked_paths(repo: GitRepository, shell: Shell) -> None:
    shell.write("new/file", "")
    assert trees.is_tracked(repo, [*NAMES, "with space", "new", "none"]) == {*NAMES, "with space"}
    assert trees.tracked_files(repo, ["with space", "*.dvc"]) == ["*.dvc", "with space/b c.dvc"]
    shell.git("add", "-N", "new/file")
    assert trees.is_tracked(repo, ["new"]) == {"new"}


def test_changes(repo: GitRepository, shell: Shell) -> None:
    assert trees.changes(repo, untracked=True) == ([], [])
    shell.write("new\nline.dvc", "changed")
    shell.git("mv", "code.py", "re named.py")
    shell.write("un tracked/x", "")
    shell.write("intended", "")
    shell.git("add", "-N", "intended")
    (shell.cwd / "a.dvc").touch()
    tracked, untracked = trees.changes(repo, untracked=True)
    assert sorted(tracked) == ["code.py", "intended", "new\nline.dvc", "re named.py"]
    assert untracked == ["un tracked/"]
    assert sorted(trees.changed_tracked(repo)) == sorted(tracked)


def test_conflicts(repo: GitRepository, shell: Shell) -> None:
    shell.git("switch", "-qc", "side")
    shell.write("new\nline.dvc", "side")
    _commit(shell, "side")
    shell.git("switch", "-q", "main")
    shell.write("new\nline.dvc", "main")
    _commit(shell, "main")
    assert trees.index_conflicts(repo) == set()
    shell.run("git merge -q side")
    assert trees.index_conflicts(repo) == {"new\nline.dvc"}
    assert trees.changed_tracked(repo) == ["new\nline.dvc"]


def test_ignored_paths(repo: GitRepository, shell: Shell) -> None:
    shell.write(".gitignore", "*.bin\n/a.dvc\n")
    assert trees.ignored(repo, ["x.bin", "a.dvc", "y", "new\n.bin"]) == {"x.bin", "new\n.bin"}
    assert trees.ignored(repo, ["y"]) == set()


def test_the_environment_cannot_change_what_a_path_means(shell: Shell, repo: GitRepository) -> None:
    hostile = {**os.environ, "GIT_GLOB_PATHSPECS": "1", "GIT_ICASE_PATHSPECS": "1", "GIT_ATTR_SOURCE": "x"}
    assert trees.tracked_files(GitRepository.discover(shell.cwd, hostile), ["*.dvc", "CODE.PY"]) == ["*.dvc"]
