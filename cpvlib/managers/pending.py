"""Versions that exist here and await publication: `refs/cpv/pending/<tag>` holds each until the git remote
has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cpvlib.base.values import dataclass
from cpvlib.domain.version import TagName

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

_PENDING = "refs/cpv/pending/"
_TYPED = "refs/cpv/typed/"


@dataclass(frozen=True)
class Pending:
    """A version that exists here and not yet at the git remote; `typed`: its number was chosen by hand."""

    name: TagName
    tag_object: str
    commit: str
    typed: bool = False


def pending_versions(ws: Workspace) -> list[Pending]:
    """All versions that await publication, in version order."""
    from cpvlib.stores.git import refs

    tags = refs.read_tags(ws.repo, [_PENDING, _TYPED])
    typed = {tag.ref for tag in tags if tag.ref.startswith(_TYPED)}
    found = []
    for tag in tags:
        short = tag.ref.removeprefix(_PENDING)
        name = TagName.parse(short, ws.settings.tag_prefix) if short != tag.ref else None
        if name is not None and tag.commit is not None:
            found.append(Pending(name, tag.object, tag.commit, typed_ref(name) in typed))
    return sorted(found, key=lambda p: p.name)


def typed_ref(name: TagName) -> str:
    """Exists beside the pending ref of a version whose number a person chose: it is never renumbered."""
    return f"{_TYPED}{name}"


def ready(ws: Workspace, commit: str, waiting: Sequence[Pending] | None = None) -> list[Pending]:
    """The pending versions (`waiting`, where they are known) that publishing `commit` makes visible: those of
    its history."""
    from cpvlib.stores.git import refs

    waiting = pending_versions(ws) if waiting is None else waiting
    asked = any(p.commit != commit for p in waiting)
    reached = refs.merged_tags(ws.repo, commit, [_PENDING]) if asked else set()
    return [p for p in waiting if p.commit == commit or p.name.pending_ref in reached]


def settle(ws: Workspace, versions: Iterable[Pending]) -> None:
    """The versions are published: they stop being pending. Tags that a prune took are put back."""
    from cpvlib.stores.git.refs import RefUpdate, refs, update_refs

    settled = list(versions)
    there = refs(ws.repo, *(p.name.ref for p in settled)) if settled else {}
    updates = [RefUpdate(p.name.ref, p.tag_object, None) for p in settled if p.name.ref not in there]
    for p in settled:
        updates.append(RefUpdate(p.name.pending_ref, None, p.tag_object))
        if p.typed:
            updates.append(RefUpdate(typed_ref(p.name), None, p.tag_object))
    if updates:
        update_refs(ws.repo, updates, "cpv: published")
