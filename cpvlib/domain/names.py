"""Names that people choose once for a repository: its team, its model, the prefix of its version tags."""

from __future__ import annotations

import re

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex

DVC_REMOTE = "storage"
"""What CPV calls the DVC remote that it writes: the `storage` of `['remote "storage"']`."""

FORMER_REMOTE = "former-storage"
"""The DVC remote, in `.dvc/config.local`, that says where the objects were before the storage moved."""

_NAME = regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?", re.ASCII)
# git-check-ref-format(1): what no ref may hold; control characters are C0 and DEL
_NOT_IN_REF = regex(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock/|\.lock$|\./")


def check_name(what: str, name: str) -> str:
    """`name` itself, where it may be a team or a model; ConfigError says `what` ('team') else.

    It becomes a folder's name, a part of an S3 key and often of a git URL, so it is ASCII letters, digits
    and '.', '_', '-' (none of them first, no '.' last), 64 at most, no '..', no '.git' or '.lock' at its end.
    """
    if _NAME.fullmatch(name) and ".." not in name and not name.lower().endswith((".git", ".lock")):
        return name
    nearest = name_from(name) or f"my-{what}"
    raise ConfigError(
        f"'{name}' can't be a {what} name",
        hint=f"use letters, digits, '.', '_' and '-', 64 at most, such as '{nearest}'",
    )


def name_from(text: str) -> str | None:
    """The nearest team or model name to a folder's or login's name; None where nothing of it can stay."""
    name = re.sub(r"[^A-Za-z0-9._]+", "-", text)
    name = re.sub(r"\.{2,}", ".", name).lstrip("._-")[:64]
    return re.sub(r"(?i)(?:\.git|\.lock|[._-])+$", "", name) or None


def check_tag_prefix(prefix: str) -> str:
    """`prefix` itself, where git allows refs that begin with it; ConfigError else.

    It may end in a slash ('cpv/') or not ('model-'); empty is no prefix.
    """
    if not prefix:
        return prefix
    if prefix.startswith(("-", "/", ".")) or _NOT_IN_REF.search(prefix) or not prefix.isprintable():
        raise ConfigError(
            f"'{prefix}' can't begin a tag's name",
            hint="set cpv.tagPrefix to something like 'cpv/' or 'model-'",
        )
    return prefix
