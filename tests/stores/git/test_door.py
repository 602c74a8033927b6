"""How git is started, and what its failures become."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cpvlib.base.errors import CredentialError, GitError
from cpvlib.stores.git.door import Completed, Git, batch_ssh, clean_environment, failure, last_word
from shell import Shell


@pytest.fixture
def git(shell: Shell) -> Git:
    shell.git("init", "-q")
    return Git(shell.cwd, clean_environment(os.environ))


def test_bytes_text_and_exit_codes(git: Git) -> None:
    oid = git.text("hash-object", "-w", "--stdin", stdin=b"\xff\0\n")
    assert git.run("cat-file", "blob", oid) == b"\xff\0\n"
    assert git.ask("config", "no.such").code == 1
    with pytest.raises(GitError, match=r"git cat-file failed: Not a valid object name nothing"):
        git.run("cat-file", "blob", "nothing")


def test_what_comes_in_pieces_is_what_comes_at_once(git: Git) -> None:
    blobs = "".join(f"blob\nmark :{n}\ndata 5\n{n:05}\n" for n in range(1, 3001))
    git.run("fast-import", "--quiet", stdin=blobs.encode())
    objects = ("cat-file", "--batch-all-objects", "--batch")
    pieces = [*git.stream(*objects)]
    assert len(pieces) > 1
    assert b"".join(pieces) == git.run(*objects)


def test_a_git_that_fails_says_the_same_in_pieces(git: Git) -> None:
    with pytest.raises(GitError) as at_once:
        git.run("rev-list", "nonesuch", "--")
    with pytest.raises(GitError) as in_pieces:
        next(git.stream("rev-list", "nonesuch", "--"))
    assert str(in_pieces.value) == str(at_once.value) == "git rev-list failed: bad revision 'nonesuch'"


def test_messages_are_untranslated_and_the_character_set_stays(git: Git) -> None:
    env = clean_environment({**os.environ, "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LC_MESSAGES": "de_DE"})
    assert (env.get("LC_ALL"), env["LC_CTYPE"], env["LC_MESSAGES"]) == (None, "de_DE.UTF-8", "C")


def test_a_folder_that_is_gone_is_not_taken_for_a_missing_git(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="there is no folder"):
        Git(tmp_path / "gone", os.environ).run("version")


def test_ssh_does_not_ask_where_nobody_is() -> None:
    batch = " -o BatchMode=yes"
    assert batch_ssh({}, None) == {"GIT_SSH_COMMAND": "ssh" + batch}
    assert batch_ssh({}, "ssh -i key") == {"GIT_SSH_COMMAND": "ssh -i key" + batch}
    assert batch_ssh({"GIT_SSH_COMMAND": "/usr/bin/ssh -v"}, "ssh -i key") == {
        "GIT_SSH_COMMAND": "/usr/bin/ssh -v" + batch
    }
    assert batch_ssh({"GIT_SSH_COMMAND": "plink -batch"}, None) == {}
    assert batch_ssh({"GIT_SSH": "/opt/tortoiseplink"}, None) == {}


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("warning: x\nfatal: bad object HEAD\nhint: y\n", "bad object HEAD"),
        (
            "error: Your local changes to the following files would be overwritten by merge:\n\ta b\n\tc\n"
            "Please commit your changes or stash them before you merge.\nAborting\n",
            "Your local changes to the following files would be overwritten by merge: a b, c",
        ),
        (
            "fatal: unable to access 'https://ada:s3cret@host/x/': 403\n",
            "unable to access 'https://ada@host/x/': 403",
        ),
        ("gpg failed\n", "gpg failed"),
        ("not on Fridays\nerror: failed to push some refs to 'origin.git'\n", "not on Fridays"),
        ("error: failed to push some refs to 'origin.git'\n", "failed to push some refs to 'origin.git'"),
        ("", ""),
    ],
)
def test_the_line_that_matters(said: str, word: str) -> None:
    assert last_word(said) == word


def test_being_unknown_is_an_error_of_its_own() -> None:
    error = failure(
        ("push", "x"), Completed(128, b"", "git@host: Permission denied (publickey).\nfatal: no\n")
    )
    assert isinstance(error, CredentialError)
    assert error.hint and "ssh-add" in error.hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            "fatal: Unable to create '/r/.git/index.lock': File exists.\n\nAnother git",
            "type the command again",
        ),
        ("fatal: Unable to create '/r/.git/index.lock': Permission denied", "ls -ld .git .git/*"),
        ("error: insufficient permission for adding an object\nfatal: no tag", "ls -ld .git .git/*"),
        ("fatal: unable to write loose object file: No space left on device", "free some space"),
        ("error: gpg failed to sign the data\nfatal: failed to write commit object", "user.signingKey"),
        ("ssh: Could not resolve hostname h: Name or service not known\nfatal: no", "check the network"),
        ("fatal: no email was given and auto-detection is disabled", "user.email"),
        ("fatal: the unforeseen", None),
    ],
)
def test_what_to_type_then(said: str, hint: str | None) -> None:
    found = failure(("push", "x"), Completed(128, b"", said)).hint
    assert found is None if hint is None else hint in (found or "")
