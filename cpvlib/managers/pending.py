"""Versions that exist here and await publication: `refs/cpv/pending/<tag>` holds each until the git remote
has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpvlib.domain.version import TagName

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace


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

    waiting = refs.read_tags(ws.repo, ["refs/cpv/pending"])
    typed = refs.refs(ws.repo, "refs/cpv/typed") if waiting else {}
    found = []
    for tag in waiting:
        name = TagName.parse(tag.ref.removeprefix("refs/cpv/pending/"), ws.settings.tag_prefix)
        if name is not None and tag.commit is not None:
            found.append(Pending(name, tag.object, tag.commit, typed_ref(name) in typed))
    return sorted(found, key=lambda p: p.name)


def typed_ref(name: TagName) -> str:
    """Exists beside the pending ref of a version whose number a person chose: it is never renumbered."""
    return f"refs/cpv/typed/{name}"


def ready(ws: Workspace, commit: str) -> list[Pending]:
    """The pending versions that publishing `commit` makes visible: those of its history."""
    from cpvlib.stores.git import refs

    waiting = pending_versions(ws)
    reached = refs.merged_tags(ws.repo, commit, ["refs/cpv/pending"]) if waiting else set()
    return [p for p in waiting if p.name.pending_ref in reached]


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
