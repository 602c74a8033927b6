"""Which paths a pointer, a `.dir` listing or a command line may name.

A clone is not trusted: nothing it names may leave the worktree, reach git's or DVC's own folders, or mean
another file on another system. Every path that comes from outside passes `check_relative` once, at the edge.
"""

from __future__ import annotations

from cpvlib.base.errors import RepositoryError
from cpvlib.base.regex import regex
from cpvlib.domain.text import printable

MAX_LENGTH = 4096
"""Of a path, in characters: systems allow no more."""
MAX_COMPONENTS = 255

# Nearly every real path: components of harmless ASCII that can't spell '..', '.git', 'git~1' or an absolute
# path.
_COMPONENT = "[A-Za-z0-9_-][A-Za-z0-9_.+=@,() -]*"
PLAIN_PATH = f"{_COMPONENT}(?:/{_COMPONENT}){{0,{MAX_COMPONENTS - 1}}}"
_PLAIN = regex(PLAIN_PATH)
_SHOWN_LENGTH = 200

# Newline, tab and carriage return do occur in names ('Icon\r' on macOS); the rest only serve to fool
# terminals.
_CONTROL = regex("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

# Code points that HFS+ ignores in names; git's is_hfs_dotgit has the same list (utf8.c, next_hfs_char).
_HFS_IGNORED = regex("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")

_SURROGATE = regex("[\ud800-\udfff]")


def check_relative(path: str, what: str) -> str:
    """`path` itself, when it is a posix path that stays inside the folder it is relative to.

    `what` begins the message ("the out", "a file of 'data'"). Raises RepositoryError for a path that is empty
    or absolute, has an empty, '.' or '..' component, a backslash, a control character or half a surrogate
    pair, that some file system takes for `.git` or, at its start, for `.dvc`, or that is longer or deeper
    than any real one.
    """
    if len(path) <= MAX_LENGTH and _PLAIN.fullmatch(path):
        return path
    reason = _reason_against(path)
    if reason:
        shown = path if len(path) <= _SHOWN_LENGTH else f"{path[:_SHOWN_LENGTH]}…"
        raise RepositoryError(f"{what} '{printable(shown)}' {reason}")
    return path


def _reason_against(path: str) -> str | None:
    if not path:
        return "has no name"
    if len(path) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH:,} characters"
    if path.startswith("/"):
        return "is an absolute path"
    if "\\" in path:
        return "has a backslash, which other systems take for a folder's end"
    if _CONTROL.search(path):
        return "has a control character"
    if _SURROGATE.search(path):
        return "is not valid Unicode"
    components = path.split("/")
    if len(components) > MAX_COMPONENTS:
        return f"has more than {MAX_COMPONENTS} components"
    for component in components:
        if component in ("", ".", ".."):
            return f"has a component '{component}'"
        if _spells(component, ".git", "git~1"):
            return "is inside git's own folder"
    if _spells(components[0], ".dvc", "dvc~1"):
        return "is inside DVC's own folder"
    return None


def _spells(component: str, *names: str) -> bool:
    """Whether some file system opens one of `names` for it: case, ignorable marks, NTFS streams, trailing
    dots.
    """
    seen = _HFS_IGNORED.sub("", component).partition(":")[0].rstrip(". ").lower()
    return seen in names
