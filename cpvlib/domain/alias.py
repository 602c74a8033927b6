"""Aliases such as `production`: names that people move from version to version.

Each setting is a tag of its own, `alias/production/3`, whose message says which version it names:

    Two weeks in staging without a complaint

    Cpv-Alias: production/3
    Cpv-Target: v1.4
    Cpv-Nonce: 0f1e2d3c4b5a6978

The highest number holds. `Cpv-Target: none` takes the alias away and leaves its history.
"""

from __future__ import annotations

import re

from cpvlib.base.errors import UsageError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.domain.manifest import last_paragraph
from cpvlib.domain.version import ClaimedTag, TagName

FOLDER = "alias/"
NONE = "none"

_NAME = regex(r"[A-Za-z][A-Za-z0-9._-]{0,63}", re.ASCII)
_TURN = regex(r"([^/]+)/([1-9][0-9]{0,8})", re.ASCII)
_LIKE_A_VERSION = regex(r"v?[0-9][0-9.]*", re.ASCII | re.IGNORECASE)
_LIKE_A_COMMIT = regex(r"[0-9a-f]{4,64}", re.ASCII | re.IGNORECASE)
_WORDS = frozenset({"latest", "head", "model", "data", "combined", "alias", "worktree", NONE})
"""What a VERSION, or a part of one, means already."""


def check_alias_name(name: str) -> str:
    """`name` itself, where it may be an alias; UsageError else.

    It becomes a folder of git's refs and stands where a version, a commit or a path may stand.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise UsageError(
            f"'{name}' can't be an alias: it is not letters, digits, '.', '_' and '-' after a letter",
            hint=f"such as: git cpv alias {_nearest(name)} v1.2",
        )
    if name.lower() in _WORDS or _LIKE_A_VERSION.fullmatch(name) or name.upper().endswith("_HEAD"):
        raise UsageError(f"'{name}' can't be an alias: it means something already", hint=_SUCH_AS)
    if _LIKE_A_COMMIT.fullmatch(name):
        raise UsageError(f"'{name}' can't be an alias: it looks like a commit", hint=_SUCH_AS)
    return name


_SUCH_AS = "take a word, such as: git cpv alias production v1.2"


def _nearest(name: str) -> str:
    near = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_0123456789")[:64]
    return near if len(near) > 1 else "production"


@dataclass(frozen=True, order=True)
class AliasTag(ClaimedTag):
    """The git tag of one setting: `<prefix>alias/production/3`, the third of `production`."""

    name: str
    turn: int
    prefix: str = ""

    @classmethod
    def parse(cls, tag: str, prefix: str = "") -> AliasTag | None:
        """The inverse of `str`, for a tag's short name; None for a tag that is no setting."""
        start = f"{prefix}{FOLDER}"
        match = _TURN.fullmatch(tag[len(start) :]) if tag.startswith(start) else None
        return cls(match[1], int(match[2]), prefix) if match else None

    def __str__(self) -> str:
        return f"{self.prefix}{FOLDER}{self.name}/{self.turn}"


@dataclass(frozen=True)
class Setting:
    """What the tag of a setting says: `target` is the version's whole tag name, None where it takes the alias
    away."""

    name: str
    turn: int
    target: str | None
    text: str = ""
    nonce: str = ""

    def render(self) -> str:
        """The tag's message, ending in a newline."""
        lines = [f"Cpv-Alias: {self.name}/{self.turn}", f"Cpv-Target: {self.target or NONE}"]
        lines += [f"Cpv-Nonce: {self.nonce}"] if self.nonce else []
        text = self.text.strip("\n")
        return "\n".join([*([text, ""] if text else []), *lines, ""])


def parse_setting(message: str, tag: AliasTag) -> Setting | None:
    """What the message of `tag` says; None where it is not CPV's, or was written for another tag.

    Tags come from anybody: a setting copied to a higher number must not count again.
    """
    text, block = last_paragraph(message)
    facts: dict[str, str] = {}
    for line in block.split("\n"):
        key, _, value = line.partition(": ")
        facts.setdefault(key, value)
    target = facts.get("Cpv-Target", "")
    if facts.get("Cpv-Alias") != f"{tag.name}/{tag.turn}":
        return None
    if target != NONE and TagName.parse(target, tag.prefix) is None:
        return None
    return Setting(tag.name, tag.turn, None if target == NONE else target, text, facts.get("Cpv-Nonce", ""))
