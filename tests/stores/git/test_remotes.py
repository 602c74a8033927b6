"""Pushing with a claim, fetching, cloning: between real repositories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cpvlib.base.errors import ConfigError, CredentialError, GitError
from cpvlib.stores.git import refs, remotes
from cpvlib.stores.git.remotes import RefPush
from cpvlib.stores.git.repository import GitRepository
from shell import Shell

MAIN = RefPush("refs/heads/main", "refs/heads/main")


@pytest.fixture
def repo(shell: Shell) -> GitRepository:
    shell.git("init", "-q", "--bare", "../far off.git")
    shell.git("init", "-q")
    shell.git("remote", "add", "origin", "../far off.git")
    _commit(shell, "first")
    shell.git("push", "-q", "-u", "origin", "main")
    return GitRepository.discover(shell.cwd)


def _commit(shell: Shell, message: str) -> str:
    shell.write("file", message)
    shell.git("add", "file")
    shell.git("commit", "-qm", message)
    return shell.git("rev-parse", "HEAD")


def _colleague(shell: Shell) -> Shell:
    shell.git("clone", "-q", "../far off.git", "../colleague")
    return shell.at("../colleague")


def _far_hook(shell: Shell, name: str, script: str) -> None:
    shell.write(f"../far off.git/hooks/{name}", f"#!/bin/sh\n{script}\n").chmod(0o755)


def _tag(repo: GitRepository, message: str = "x") -> str:
    return refs.make_tag(repo, "v0.1", repo.head().commit or "", message)


def _far(shell: Shell) -> set[str]:
    return set(shell.git("-C", "../far off.git", "for-each-ref", "--format=%(refname)").split())


def _statuses(results: list[remotes.PushResult]) -> list[tuple[str, str]]:
    return [(result.dst, result.status) for result in results]


def test_a_branch_and_a_claimed_name(repo: GitRepository, shell: Shell) -> None:
    tip = _commit(shell, "second")
    claim = RefPush(_tag(repo), "refs/tags/v0.1", lease="")
    assert _statuses(remotes.push(repo, "origin", [claim, MAIN])) == [
        ("refs/tags/v0.1", "ok"),
        (MAIN.dst, "ok"),
    ]
    assert remotes.ls_remote(repo, "origin") == {MAIN.dst: tip, "refs/tags/v0.1": claim.src}
    assert remotes.ls_remote(repo, "origin", ["refs/tags/*"]) == {"refs/tags/v0.1": claim.src}
    assert shell.git("tag") == ""  # what is pushed by id needs no ref here
    assert _statuses(remotes.push(repo, "origin", [MAIN])) == [(MAIN.dst, "up-to-date")]
    gone = RefPush("", "refs/tags/v0.1", lease=claim.src)
    assert _statuses(remotes.push(repo, "origin", [gone])) == [("refs/tags/v0.1", "ok")]
    assert remotes.push(repo, "origin", []) == []


def test_a_name_that_somebody_has(repo: GitRepository, shell: Shell) -> None:
    first = _tag(repo, "theirs")
    remotes.push(repo, "origin", [RefPush(first, "refs/tags/v0.1", lease="")])
    _commit(shell, "second")
    claims = [RefPush(_tag(repo, "mine"), f"refs/tags/{name}", lease="") for name in ("v0.1", "v0.2")]
    assert _statuses(remotes.push(repo, "origin", [*claims, MAIN])) == [
        ("refs/tags/v0.1", "rejected-lease"),
        ("refs/tags/v0.2", "withheld"),
        (MAIN.dst, "withheld"),
    ]
    assert _far(shell) == {MAIN.dst, "refs/tags/v0.1"}
    unleased = RefPush(claims[0].src, "refs/tags/v0.1")
    assert _statuses(remotes.push(repo, "origin", [unleased])) == [("refs/tags/v0.1", "rejected-moved")]


@pytest.mark.parametrize("fetched", [True, False])
def test_a_branch_that_has_moved_on(repo: GitRepository, shell: Shell, fetched: bool) -> None:
    colleague = _colleague(shell)
    theirs = _commit(colleague, "theirs für alle")
    colleague.git("push", "-q")
    _commit(shell, "mine")
    if fetched:
        assert remotes.fetch(repo, "origin") == []
        assert remotes.log(repo, f"{MAIN.src}..refs/remotes/origin/main", 3) == [
            (theirs, "Ada Lovelace", "theirs für alle")
        ]
        assert remotes.log(repo, "refs/remotes/origin/main..refs/remotes/origin/main", 3) == []
    claim = RefPush(_tag(repo), "refs/tags/v0.1", lease="")
    assert _statuses(remotes.push(repo, "origin", [claim, MAIN])) == [
        ("refs/tags/v0.1", "withheld"),
        (MAIN.dst, "rejected-moved"),
    ]
    assert _far(shell) == {MAIN.dst}


@pytest.mark.parametrize("others", [0, 1])
def test_a_race_that_is_lost_at_the_last_moment(repo: GitRepository, shell: Shell, others: int) -> None:
    # The colleague's claim lands after our push has seen that the name is free.
    theirs = shell.git("-C", "../far off.git", "rev-parse", "main")
    _far_hook(shell, "pre-receive", f"unset GIT_QUARANTINE_PATH; git update-ref refs/tags/v0.1 {theirs}")
    _commit(shell, "second")
    claim = RefPush(_tag(repo), "refs/tags/v0.1", lease="")
    results = remotes.push(repo, "origin", [claim, MAIN][: 1 + others])
    assert _statuses(results) == [("refs/tags/v0.1", "rejected-lease"), (MAIN.dst, "withheld")][: 1 + others]
    assert remotes.ls_remote(repo, "origin")["refs/tags/v0.1"] == theirs


def test_a_remote_that_refuses_says_why(repo: GitRepository, shell: Shell) -> None:
    _commit(shell, "second")
    _far_hook(shell, "pre-receive", "echo 'main is protected:' >&2; echo '  ask Grace' >&2; exit 1")
    [result] = remotes.push(repo, "origin", [MAIN])
    assert result == (MAIN.dst, "refused", "main is protected: ask Grace (pre-receive hook declined)")
    (shell.cwd / "../far off.git/hooks/pre-receive").unlink()
    _far_hook(shell, "update", 'test "$1" != refs/heads/main')
    results = remotes.push(repo, "origin", [RefPush(_tag(repo), "refs/tags/v0.1", lease=""), MAIN])
    assert _statuses(results) == [("refs/tags/v0.1", "withheld"), (MAIN.dst, "refused")]
    assert _far(shell) == {MAIN.dst}


def test_a_ref_in_the_way_is_no_lost_race(repo: GitRepository) -> None:
    tag = _tag(repo)
    remotes.push(repo, "origin", [RefPush(tag, "refs/tags/data", lease="")])
    claims = [RefPush(tag, f"refs/tags/data/v0.{number}", lease="") for number in (1, 2)]
    for some in (claims, claims[:1]):
        assert "rejected-lease" not in [result.status for result in remotes.push(repo, "origin", some)]


def test_a_server_that_knows_no_atomic_push(repo: GitRepository, shell: Shell) -> None:
    shell.git("-C", "../far off.git", "config", "receive.advertiseAtomic", "false")
    _commit(shell, "second")
    remotes.push(repo, "origin", [RefPush(_tag(repo, "theirs"), "refs/tags/v0.2", lease="")])
    claims = [RefPush(_tag(repo), f"refs/tags/v0.{number}", lease="") for number in (1, 2)]
    with pytest.raises(remotes.NoAtomicPushError):
        remotes.push(repo, "origin", [*claims, MAIN])
    assert "refs/tags/v0.1" not in _far(shell)
    assert _statuses(remotes.push(repo, "origin", claims[1:])) == [("refs/tags/v0.2", "rejected-lease")]


def test_settings_do_not_widen_a_push(repo: GitRepository, shell: Shell) -> None:
    shell.git("config", "push.followTags", "true")
    shell.git("config", "push.default", "matching")
    shell.git("config", "remote.origin.push", "refs/heads/*:refs/heads/*")
    shell.git("branch", "private")
    _commit(shell, "second")
    shell.git("tag", "-a", "-m", "x", "v0.1")
    remotes.push(repo, "origin", [MAIN])
    assert _far(shell) == {MAIN.dst}


def test_our_own_hooks_know_that_we_are_at_work(repo: GitRepository, shell: Shell) -> None:
    shell.write(".git/hooks/pre-push", '#!/bin/sh\necho "$CPV_IN_HOOK" >hooked\n').chmod(0o755)
    _commit(shell, "second")
    remotes.push(repo, "origin", [MAIN])
    assert shell.read("hooked") == "1\n"


def test_a_remote_that_is_not_there(repo: GitRepository, shell: Shell) -> None:
    shell.git("remote", "add", "gone", "../gone.git")
    for reach in (remotes.fetch, remotes.ls_remote, lambda *to: remotes.push(*to, [MAIN])):
        with pytest.raises(GitError, match="gone") as error:
            reach(repo, "gone")  # type: ignore[operator]
        assert error.value.hint == "look at 'git remote -v'"
    for name in ("--upload-pack=touch evil", "-x"):
        with pytest.raises(GitError):
            remotes.ls_remote(repo, name)
    assert not (shell.cwd / "evil").exists()


def test_ssh_that_is_not_let_in_does_not_ask(repo: GitRepository, shell: Shell) -> None:
    script = 'echo "$@" >>asked; echo "git@host: Permission denied (publickey)." >&2; exit 255'
    program = shell.write("../bin/ssh", f"#!/bin/sh\ncd '{shell.cwd}'; {script}\n")
    program.chmod(0o755)
    away = GitRepository.discover(shell.cwd, {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"})
    shell.git("remote", "add", "away", "git@host:team/model.git")
    with pytest.raises(CredentialError) as error:
        remotes.push(away, "away", [MAIN])
    assert error.value.hint and "ssh-add" in error.value.hint
    assert "-o BatchMode=yes" in shell.read("asked")


def test_fetching_leaves_tags_alone(repo: GitRepository, shell: Shell) -> None:
    colleague = _colleague(shell)
    colleague.git("tag", "-a", "-m", "theirs", "v0.1")
    colleague.git("tag", "-a", "-m", "theirs", "v0.2")
    theirs = _commit(colleague, "theirs")
    colleague.git("push", "-q", "--tags", "origin", "main")
    shell.git("tag", "-a", "-m", "mine", "v0.1")
    shell.git("tag", "-a", "-m", "pending", "v0.9")
    for key in ("fetch.prune", "fetch.pruneTags", "remote.origin.prune", "remote.origin.pruneTags"):
        shell.git("config", key, "true")
    shell.git("config", "fetch.output", "compact")
    mine = shell.git("rev-parse", "v0.1")
    assert remotes.fetch(repo, "origin") == []
    assert shell.git("rev-parse", "origin/main") == theirs
    assert shell.git("tag").split() == ["v0.1", "v0.9"]
    assert remotes.fetch(repo, "origin", ["refs/tags/*:refs/tags/*"]) == ["v0.1"]
    assert (shell.git("tag").split(), shell.git("rev-parse", "v0.1")) == (["v0.1", "v0.2", "v0.9"], mine)


def test_objects_come_without_refs(repo: GitRepository, shell: Shell) -> None:
    colleague = _colleague(shell)
    colleague.git("tag", "-a", "-m", "theirs", "v0.1")
    colleague.git("push", "-q", "--tags")
    before = refs.refs(repo)
    remotes.fetch_objects(repo, "origin", ["refs/tags/v0.1"])
    tag = colleague.git("rev-parse", "v0.1")
    assert refs.tag_objects(repo, [tag])[tag].message == "theirs"
    assert refs.refs(repo) == before


def test_moving_forward(repo: GitRepository, shell: Shell) -> None:
    colleague = _colleague(shell)
    theirs = _commit(colleague, "theirs")
    colleague.git("push", "-q")
    remotes.fetch(repo, "origin")
    shell.write("file", "unsaved")
    with pytest.raises(GitError, match=r"would be overwritten by merge: file"):
        remotes.fast_forward(repo, theirs)
    shell.git("checkout", "-q", "file")
    shell.write("other", "kept")
    shell.git("add", "other")
    remotes.fast_forward(repo, theirs)
    assert repo.head() == ("main", theirs)
    assert shell.git("status", "--porcelain") == "A  other"
    assert shell.git("log", "-g", "-1", "--format=%gs") == "pull: Fast-forward"
    remotes.checkout_detached(repo, f"{theirs}~1")
    assert (repo.head().branch, shell.read("file")) == (None, "first")


def test_which_remote(repo: GitRepository, shell: Shell) -> None:
    assert remotes.upstream(repo) == ("origin", "refs/heads/main")
    shell.git("remote", "add", "odd/name.x", "../far off.git")
    shell.git("switch", "-q", "--no-track", "-c", "Feature/x.y")
    repo.forget()
    assert remotes.upstream(repo) is None
    assert remotes.choose_remote(repo, None) == "origin"
    assert remotes.choose_remote(repo, "odd/name.x") == "odd/name.x"
    with pytest.raises(ConfigError, match="'none'"):
        remotes.choose_remote(repo, "none")
    remotes.set_upstream(repo, "Feature/x.y", "odd/name.x", "refs/heads/main")
    assert remotes.upstream(repo) == ("odd/name.x", "refs/heads/main")
    assert remotes.choose_remote(repo, None) == "odd/name.x"
    shell.git("switch", "-q", "main")
    shell.git("remote", "remove", "origin")
    repo.forget()
    assert remotes.choose_remote(repo, None) is None


def test_where_a_push_goes(repo: GitRepository, shell: Shell) -> None:
    assert remotes.url_of(repo, "origin") == "../far off.git"
    shell.git("remote", "set-url", "--push", "origin", "bb:team/model")
    shell.git("config", "url.git@bitbucket.org:.insteadOf", "bb:")
    assert remotes.url_of(repo, "origin") == "git@bitbucket.org:team/model"
    assert remotes.url_of(repo, "https://host/x") == "https://host/x"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("/srv/git/x.git", True),
        ("../x.git", True),
        ("file:///srv/x.git", True),
        ("file://server/share/x.git", False),
        ("./a:b", True),
        ("C:\\models\\x", True),
        ("git@bitbucket.org:team/x.git", False),
        ("host:x.git", False),
        ("ssh://git@host/x", False),
        ("https://host/x", False),
        ("ext::sh -c evil", False),
    ],
)
def test_what_is_on_this_machine(url: str, local: bool) -> None:
    assert remotes.is_local(url) is local


def test_cloning(repo: GitRepository, shell: Shell, tmp_path: Path) -> None:
    url = str(tmp_path / "far off.git")
    environ = {**os.environ, "GIT_DIR": str(shell.cwd / ".git"), "GIT_WORK_TREE": str(shell.cwd)}
    cloned = remotes.clone(url, tmp_path / "a clone", environ=environ)
    assert (cloned.top, cloned.head().commit) == (tmp_path / "a clone", repo.head().commit)
    assert remotes.upstream(cloned) == ("origin", "refs/heads/main")
    with pytest.raises(GitError, match="already exists and is not an empty directory"):
        remotes.clone(url, tmp_path / "a clone")
    with pytest.raises(GitError):
        remotes.clone("--upload-pack=evil", tmp_path / "other")
    with pytest.raises(GitError, match="none"):
        remotes.clone(url, tmp_path / "other", branch="none")
    assert not (tmp_path / "other").exists()
