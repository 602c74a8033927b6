"""Tags in one call, refs all at once or not at all."""

from __future__ import annotations

import re
import sys

import pytest

from cpvlib.base.errors import GitError
from cpvlib.stores.git import refs, remotes
from cpvlib.stores.git.refs import RefMovedError, RefUpdate
from cpvlib.stores.git.repository import GitRepository
from shell import Shell

ZERO = "0" * 40


@pytest.fixture
def repo(shell: Shell) -> GitRepository:
    shell.git("init", "-q")
    shell.ok("git commit -q --allow-empty -m first", GIT_COMMITTER_DATE="1700000000 +0100")
    return GitRepository.discover(shell.cwd)


def _head(repo: GitRepository) -> str:
    return repo.head().commit or ""


def test_a_tag_is_read_as_it_was_made(repo: GitRepository, shell: Shell) -> None:
    message = "baseline für alle\n\nline\n\nCpv-Version: v0.1"
    tag = refs.make_tag(repo, "v0.1", _head(repo), message)
    refs.update_refs(
        repo, [RefUpdate("refs/tags/v0.1", tag), RefUpdate("refs/cpv/pending/v0.1", tag)], "tag v0.1"
    )
    here, pending = refs.read_tags(repo, ["v*", "refs/cpv/pending/"])[::-1]
    assert (here.name, here.ref, here.object, here.commit) == ("v0.1", "refs/tags/v0.1", tag, _head(repo))
    assert (here.annotated, here.tagger, here.email) == (True, "Ada Lovelace", "ada@example.org")
    assert (here.message, here.signed, here.zone) == (message, False, "+0000")
    assert pending.ref == pending.name == "refs/cpv/pending/v0.1"
    assert refs.tag_objects(repo, [tag])[tag].message == message.rstrip("\n")
    assert shell.git("cat-file", "-t", "v0.1") == "tag"
    assert shell.git("fsck", "--strict") == ""


def without_time(ident: str) -> str:
    return re.sub(r"> \d+ ", "> ", ident)


@pytest.mark.parametrize(
    "name", ["Ada Lovelace", "Åda", "J. R. Tolkien Jr.", '"Ada" <', " . Ada,", "Ada\x01B", "d'Arc", "-"]
)
def test_the_tagger_is_who_git_says(shell: Shell, name: str) -> None:
    shell.git("init", "-q")
    shell.git("config", "user.name", name)
    shell.git("config", "committer.email", "ada@example.org")
    said = shell.git("var", "GIT_COMMITTER_IDENT")
    assert without_time(refs.tagger(GitRepository.discover(shell.cwd))) == without_time(said)


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_the_tagger_is_where_git_says(shell: Shell, zone: str) -> None:
    shell.git("init", "-q")
    said = shell.ok("git var GIT_COMMITTER_IDENT", TZ=zone)
    program = (
        "from pathlib import Path; from cpvlib.stores.git import refs; "
        "from cpvlib.stores.git.repository import GitRepository; "
        "print(refs.tagger(GitRepository.discover(Path())))"
    )
    assert without_time(shell.ok([sys.executable, "-c", program], TZ=zone)) == without_time(said)


@pytest.mark.parametrize("word", ["NAME=Bob", "EMAIL=bob@example.org", "DATE=1700000000 +0300"])
def test_the_environment_says_who_tags(shell: Shell, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    key, _, value = word.partition("=")
    monkeypatch.setenv(f"GIT_COMMITTER_{key}", value)
    shell.git("init", "-q")
    said = shell.git("var", "GIT_COMMITTER_IDENT")
    assert without_time(refs.tagger(GitRepository.discover(shell.cwd))) == without_time(said)
    assert value in said


def test_lightweight_signed_nested_and_odd_tags(repo: GitRepository, shell: Shell) -> None:
    shell.git("tag", "light")
    shell.git("tag", "-a", "-m", "b", "ann")
    shell.git("tag", "-a", "-m", "n", "nested", "ann")
    shell.git("tag", "tree", "HEAD^{tree}")
    signed = f"object {_head(repo)}\ntype commit\ntag s\ntagger A <a> 5 +0530\n\nsubject\n\nbody\n"
    signed += "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    shell.git("update-ref", "refs/tags/s", shell.ok("git mktag", stdin=signed))
    tags = {tag.name: tag for tag in refs.read_tags(repo)}
    assert (tags["light"].commit, tags["light"].annotated, tags["light"].message) == (
        _head(repo),
        False,
        "first",
    )
    assert (tags["light"].date, tags["light"].zone) == (1700000000, "+0100")
    assert tags["tree"].commit is None
    assert (tags["s"].message, tags["s"].signed, tags["s"].zone) == ("subject\n\nbody", True, "+0530")
    oids = [tag.object for tag in tags.values()]
    assert refs.peeled(repo, oids) == {
        tag.object: _head(repo) for name, tag in tags.items() if name != "tree"
    }
    read = refs.tag_objects(repo, [*oids, _head(repo), ZERO])
    assert read == {
        tags[name].object: tags[name]._replace(commit=commit)
        for name, commit in (("s", _head(repo)), ("ann", _head(repo)), ("nested", None), ("tree", None))
        if tags[name].annotated
    }


def test_many_tags_are_read_whole_wherever_what_git_says_is_cut(repo: GitRepository) -> None:
    messages = {f"v0.{n}": f"{n} " + "größe — 大きさ\n" * (n % 37) + "end" for n in range(1, 1001)}
    parts = [
        b"tag %s\nfrom %s\ntagger A <a> 5 +0000\ndata %d\n%s\n"
        % (name.encode(), _head(repo).encode(), len(text.encode()), text.encode())
        for name, text in messages.items()
    ]
    repo.git.run("fast-import", "--quiet", stdin=b"".join(parts))
    assert {tag.name: tag.message for tag in refs.read_tags(repo)} == messages


def test_a_hostile_message_stays_in_its_tag(repo: GitRepository, shell: Shell) -> None:
    raw = (
        f"object {_head(repo)}\ntype commit\ntag x\ntagger \n\nhello\0refs/tags/v9.9\0{ZERO}\0commit\0\0\0\0"
    )
    done = shell.ok("git hash-object -w -t tag --literally --stdin", stdin=raw)
    shell.git("update-ref", "refs/tags/x", done)
    shell.git("tag", "-a", "-m", "y", "y")
    assert [(tag.name, tag.message) for tag in refs.read_tags(repo)] == [("x", "hello"), ("y", "y")]


def test_ten_thousand_tags(repo: GitRepository, shell: Shell) -> None:
    tag = refs.make_tag(repo, "v0.1", _head(repo), "x")
    moves = "".join(f"create refs/tags/v0.{number} {tag}\n" for number in range(10_000))
    shell.ok("git -c core.fsync=none update-ref --stdin", stdin=moves)
    assert len(refs.read_tags(repo, ["v*"])) == 10_000
    assert len(refs.merged_tags(repo, "HEAD", ["v*"])) == 10_000


@pytest.mark.parametrize("are_packed", [False, True])
def test_tags_on_a_commit(repo: GitRepository, shell: Shell, are_packed: bool) -> None:
    assert refs.tags_at(repo, _head(repo)) == []
    shell.git("tag", "light")
    shell.git("tag", "-am", "x", "annotated")
    shell.git("tag", "of-a-folder", "HEAD^{tree}")
    before = shell.git("rev-parse", "HEAD")
    shell.git("commit", "-q", "--allow-empty", "-m", "another")
    shell.git("tag", "-am", "x", "later")
    if are_packed:
        shell.git("pack-refs", "--all")
    assert refs.tags_at(repo, before) == ["annotated", "light"]
    assert refs.tags_at(repo, shell.git("rev-parse", "HEAD")) == ["later"]


def test_a_name_may_hold_what_ends_a_line_elsewhere(repo: GitRepository, shell: Shell) -> None:
    name, head = "one\u2028line\x85still", _head(repo)
    shell.git("tag", name)
    shell.git("remote", "add", "origin", ".")
    assert refs.refs(repo, "refs/tags") == {f"refs/tags/{name}": head}
    assert refs.merged_tags(repo, head) == {name}
    assert refs.tags_at(repo, head) == [name]
    assert remotes.ls_remote(repo, "origin", ["refs/tags/*"]) == {f"refs/tags/{name}": head}


def test_merged_tags_are_those_of_the_history(repo: GitRepository, shell: Shell) -> None:
    shell.git("tag", "v0.1")
    first = _head(repo)
    shell.git("commit", "-q", "--allow-empty", "-m", "second")
    shell.git("tag", "-a", "-m", "x", "data/v0.1")
    assert refs.merged_tags(repo, "HEAD", ["v*", "data/v*"]) == {"v0.1", "data/v0.1"}
    assert refs.merged_tags(repo, first, ["v*", "data/v*"]) == {"v0.1"}


def test_refs_move_all_or_none(repo: GitRepository, shell: Shell) -> None:
    a = _head(repo)
    shell.git("commit", "-q", "--allow-empty", "-m", "second")
    b = shell.git("rev-parse", "HEAD")
    refs.update_refs(repo, [RefUpdate("refs/cpv/x", a)], "new")
    before = refs.refs(repo)
    for lost in (
        RefUpdate("refs/cpv/x", b),
        RefUpdate("refs/cpv/x", b, b),
        RefUpdate("refs/cpv/x", None, b),
        RefUpdate("refs/cpv/none", b, a),
    ):
        with pytest.raises(RefMovedError, match=lost.ref):
            refs.update_refs(repo, [RefUpdate("refs/cpv/y", b), lost], "lost")
        assert refs.refs(repo) == before
    refs.update_refs(repo, [RefUpdate("refs/cpv/x", b, a), RefUpdate("refs/cpv/z", a, any_old=True)], "moved")
    assert refs.refs(repo, "refs/cpv") == {"refs/cpv/x": b, "refs/cpv/z": a}
    refs.update_refs(repo, [RefUpdate("refs/cpv/x", None, b), RefUpdate("refs/cpv/z", None)], "gone")
    assert refs.refs(repo, "refs/cpv") == {}


def test_a_ref_in_the_way_is_not_a_lost_race(repo: GitRepository) -> None:
    refs.update_refs(repo, [RefUpdate("refs/tags/data", _head(repo))], "x")
    with pytest.raises(GitError, match="'refs/tags/data' exists") as error:
        refs.update_refs(repo, [RefUpdate("refs/tags/data/v0.1", _head(repo))], "x")
    assert not isinstance(error.value, RefMovedError)


def test_a_symbolic_tag_is_replaced_and_a_symbolic_branch_followed(repo: GitRepository, shell: Shell) -> None:
    a = _head(repo)
    shell.git("commit", "-q", "--allow-empty", "-m", "second")
    b = shell.git("rev-parse", "HEAD")
    shell.git("update-ref", "refs/heads/real", a)
    shell.git("symbolic-ref", "refs/heads/alias", "refs/heads/real")
    shell.git("symbolic-ref", "refs/tags/v0.1", "refs/heads/real")
    refs.update_refs(repo, [RefUpdate("refs/tags/v0.1", b, any_old=True)], "x")
    assert refs.refs(repo, "refs/heads/real", "refs/tags") == {"refs/heads/real": a, "refs/tags/v0.1": b}
    refs.update_refs(repo, [RefUpdate("refs/heads/alias", b, a)], "x")
    assert shell.git("rev-parse", "real") == b


def test_nobody_to_sign_for_a_tag(repo: GitRepository, shell: Shell) -> None:
    shell.git("config", "--global", "--unset", "user.email")
    shell.git("config", "--global", "user.useConfigOnly", "true")
    with pytest.raises(GitError) as error:
        refs.make_tag(GitRepository.discover(shell.cwd), "v0.1", _head(repo), "x")
    assert error.value.hint == "git config --global user.email MAIL"
