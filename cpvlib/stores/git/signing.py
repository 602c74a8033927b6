"""Signed tags, made and checked by git itself with the user's set-up: OpenPGP, SSH or X.509.

git-tag(1), `--sign`; git-verify-tag(1), `--raw`; git-config(1), `gpg.*` and `user.signingKey`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import failure, last_word
from cpvlib.stores.git.objects import DURABLE
from cpvlib.stores.git.refs import tag_objects
from cpvlib.stores.git.repository import GitRepository

_GOOD_SSH = regex(r'^Good "git" signature for (.+) with (\S+ key \S+)$', re.MULTILINE)
_KEY_SSH = regex(r'^Good "git" signature with (\S+ key \S+)$', re.MULTILINE)
_GOOD_GPG = regex(r"^\[GNUPG:\] GOODSIG (\S+) (.*)$", re.MULTILINE)
_NOT_GPG = {
    "NO_PUBKEY": "is signed by a key that is not known here",
    "EXPKEYSIG": "is signed by a key that has expired",
    "REVKEYSIG": "is signed by a key that was revoked",
    "EXPSIG": "has a signature that has expired",
}
_BROKEN = "has a signature that is not of what it says"


class Verdict(Enum):
    """What git says of a tag's signature."""

    GOOD = "good"
    MISSING = "missing"
    UNKNOWN = "unknown"
    WRONG = "wrong"


class Signature(NamedTuple):
    """`signer` is who a good one is of; `why` what is wrong with another, as what is said of the tag: 'is
    signed by nobody'. Text from anywhere: escape it before it is shown."""

    verdict: Verdict
    signer: str = ""
    why: str = ""


def make_signed_tag(repo: GitRepository, name: str, commit: str, message: str) -> str:
    """Like `refs.make_tag`, signed by the user; no ref is made. Raises GitError where it can't be signed.

    `git tag` signs only while it makes a ref, so it makes one where nobody looks: in an empty repository that
    shares this one's objects and configuration.
    """
    args = ("-c", "core.hooksPath=/dev/null", "tag", "--sign", "--cleanup=verbatim", "--file=-", name, commit)
    with _bare(repo) as folder:
        env = {"GIT_DIR": os.fspath(folder), "GIT_OBJECT_DIRECTORY": os.fspath(_objects(repo))}
        done = repo.git.ask(*DURABLE, *args, stdin=message.encode(errors="replace"), env=env)
        oid = repo.git.text("rev-parse", "--verify", f"refs/tags/{name}", env=env) if done.code == 0 else ""
    # Where an SSH key can't be loaded, git 2.39 says so and goes on without a signature.
    if not oid or not tag_objects(repo, [oid])[oid].signed:
        error = failure(args, done)
        error.hint = "name a key: git config user.signingKey KEY; or leave it unsigned: --no-sign"
        raise error
    return oid


def _objects(repo: GitRepository) -> Path:
    return repo.common_dir / "objects"


@contextmanager
def _bare(repo: GitRepository) -> Iterator[Path]:
    from cpvlib.stores.files import Scratch, remove_tree

    folder = Path(Scratch(repo.git_dir / "cpv" / "signing").new())
    sha256 = len(repo.null_oid) == 64
    config = "[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n"
    config += "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    try:
        (folder / "refs").mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "config").write_text(f"{config}[include]\n\tpath = {_quoted(repo.common_dir / 'config')}\n")
        yield folder
    finally:
        remove_tree(folder)


def _quoted(path: Path) -> str:
    text = os.fspath(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def verify_tag(repo: GitRepository, tag_object: str, name: str) -> Signature:
    """Who signed the tag object, by the keys that the user's git trusts; and that it was signed as `name`, so
    that a signed tag can't be shown under another name."""
    tag = tag_objects(repo, [tag_object]).get(tag_object)
    if tag is None or not tag.signed:
        return Signature(Verdict.MISSING, why="is signed by nobody")
    if tag.name != name:
        return Signature(Verdict.WRONG, why=f"was signed as '{tag.name}'")
    done = repo.git.ask("verify-tag", "--raw", tag_object)
    if done.code == 0:
        return Signature(Verdict.GOOD, _signer(done.err))
    return _doubted(done.err)


def _signer(said: str) -> str:
    if found := _GOOD_SSH.search(said):
        return f"{found[1]} ({found[2]})"
    if found := _GOOD_GPG.search(said):
        return f"{found[2]} ({found[1]})"
    return last_word(said)


def _doubted(said: str) -> Signature:
    if "allowedSignersFile needs to be configured" in said:
        return Signature(Verdict.UNKNOWN, why="is signed by SSH, and gpg.ssh.allowedSignersFile is not set")
    if found := _KEY_SSH.search(said):
        return Signature(Verdict.UNKNOWN, why=f"is signed by a key that is not known here ({found[1]})")
    for word, why in _NOT_GPG.items():
        if re.search(rf"^\[GNUPG:\] {word} ", said, re.MULTILINE):
            return Signature(Verdict.UNKNOWN if word == "NO_PUBKEY" else Verdict.WRONG, why=why)
    return Signature(Verdict.WRONG, why=_BROKEN)
