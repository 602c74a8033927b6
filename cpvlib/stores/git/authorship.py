"""Who made a commit, when, and in which words."""

from __future__ import annotations

import re

from cpvlib.base.errors import GitError
from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.repository import GitRepository

_AUTHOR = regex(rb"^author (.*?) ?<([^>\n]*)> (\d{1,18}) ([+-]\d{4})$", re.MULTILINE)
_ENCODING = regex(rb"^encoding (\S+)$", re.MULTILINE)


class Authorship(NamedTuple):
    """`date` is seconds since 1970, `zone` the author's offset from UTC ('+0200'). Text from anywhere."""

    author: str
    email: str
    date: int
    zone: str
    message: str

    @property
    def subject(self) -> str:
        """The first paragraph as one line, as git shows it."""
        return " ".join(self.message.strip("\n").partition("\n\n")[0].split("\n"))


def authorship(repo: GitRepository, commit: str) -> Authorship:
    """Reads a commit object; what it does not say is empty. Raises GitError where there is no such commit."""
    found = repo.objects.read(commit)
    if found is None or found.type != "commit":
        raise GitError(f"commit '{commit}' is missing", hint="git fsck")
    head, _, body = found.data.partition(b"\n\n")
    who = _AUTHOR.search(head)
    name, email, date, zone = who.groups() if who else (b"", b"", b"0", b"+0000")
    declared = _ENCODING.search(head)
    encoding = declared[1].decode("ascii", "replace") if declared else "utf-8"
    return Authorship(
        _text(name, encoding), _text(email, encoding), int(date), zone.decode(), _text(body, encoding)
    )


def _text(content: bytes, encoding: str) -> str:
    """Commits of i18n.commitEncoding say so; an encoding that Python doesn't know is read as UTF-8."""
    try:
        return content.decode(encoding, "replace")
    except (LookupError, ValueError):
        return content.decode(errors="replace")
