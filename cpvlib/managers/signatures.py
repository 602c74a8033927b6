"""Signatures of versions and of aliases' settings: making them, and insisting on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace


def wants_signature(ws: Workspace, asked: bool | None) -> bool:
    """Whether a tag is to be signed: as was asked for, else as git's `tag.gpgSign` says."""
    return bool(ws.repo.config.get_bool("tag.gpgsign")) if asked is None else asked


def write_tag(
    ws: Workspace, name: str, commit: str, message: str, *, signed: bool, who: str | None = None
) -> str:
    """The id of a new tag object that no ref names yet. `who` spares asking git for the tagger.

    Raises GitError where it can't be signed.
    """
    from cpvlib.stores.git.refs import make_tag
    from cpvlib.stores.git.signing import make_signed_tag

    if signed:
        return make_signed_tag(ws.repo, name, commit, message)
    return make_tag(ws.repo, name, commit, message, who)
