"""Settling lost races for version numbers: who comes second gets the next free number, in every series it is
in.

Unless the number was typed by hand, which is for its user to decide, or the winner names the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cpvlib.base.errors import CheckpointNotFoundError, RepositoryError
from cpvlib.base.values import dataclass, field, replace
from cpvlib.domain.version import TagName, Version, next_version
from cpvlib.managers.pending import Pending, settle, typed_ref

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace


@dataclass
class Outcome:
    """What became of names that others had first, while a publication goes on.

    `renamed` maps a version's old name to its new one; `dropped` to the version, of the same objects, that
    won.
    """

    renamed: dict[TagName, TagName] = field(default_factory=dict)
    dropped: dict[TagName, TagName] = field(default_factory=dict)


def after_loss(
    ws: Workspace,
    git_remote: str,
    waiting: Sequence[Pending],
    lost: Sequence[Pending],
    outcome: Outcome,
) -> list[Pending]:
    """What is left to publish, under which names, after others took the names of `lost`.

    A name held by our own tag object was published by an earlier, interrupted run: it only has to be settled.
    """
    from cpvlib.stores.git import remotes

    theirs = remotes.ls_remote(ws.repo, git_remote, ["refs/tags/*"])
    ours = [p for p in waiting if theirs.get(p.name.ref) == p.tag_object]
    settle(ws, ours)
    left = [p for p in waiting if p not in ours]
    beaten = {p.name.version for p in lost if p not in ours}
    result = [p for p in left if p.name.version not in beaten]
    for version in sorted(beaten):
        pair = [p for p in left if p.name.version == version]
        result += _renumber(ws, git_remote, pair, theirs, outcome)
    return result


def _renumber(
    ws: Workspace,
    git_remote: str,
    pair: Sequence[Pending],
    theirs: Mapping[str, str],
    outcome: Outcome,
) -> list[Pending]:
    """A version (both halves of a combined one) gets the next number that is free in every series it is
    in."""
    from cpvlib.stores.git import remotes

    names = [p.name for p in pair]
    taken_refs = [name.ref for name in names if name.ref in theirs]
    remotes.fetch_objects(ws.repo, git_remote, taken_refs)
    winners = {ref: theirs[ref] for ref in taken_refs}
    if all(_same_objects(ws, p, winners.get(p.name.ref)) for p in pair):
        _adopt(ws, pair, winners, renaming=False)
        outcome.dropped.update({name: name for name in names})
        return []
    if any(p.typed for p in pair):
        raise RepositoryError(
            f"version '{names[0].version}' was taken at '{git_remote}' in the meantime",
            hint=f"git cpv tag -d {names[0]} && git cpv pull, then git cpv tag for the next free number",
        )
    number = next_version(_taken(ws, names, theirs))
    moved = []
    for p in pair:
        name = replace(p.name, version=number)
        moved.append(replace(p, name=name, tag_object=_retag(ws, p, name, number)))
        outcome.renamed[_first_name(p.name, outcome.renamed)] = name
    _adopt(ws, pair, winners, renaming=True, into=moved)
    return moved


def _first_name(name: TagName, renamed: dict[TagName, TagName]) -> TagName:
    """The name that the user knows, where this one is already the fruit of a renumbering."""
    return next((old for old, new in renamed.items() if new == name), name)


def _taken(ws: Workspace, names: Sequence[TagName], theirs: Mapping[str, str]) -> list[Version]:
    from cpvlib.stores.git import refs

    series = {name.series for name in names}
    known = [*theirs, *refs.refs(ws.repo, "refs/tags/")]
    parsed = [TagName.parse(ref.removeprefix("refs/tags/"), ws.settings.tag_prefix) for ref in known]
    return [name.version for name in parsed if name is not None and name.series in series]


def _same_objects(ws: Workspace, mine: Pending, winner: str | None) -> bool:
    from cpvlib.domain.manifest import parse_manifest
    from cpvlib.stores.git import refs

    if winner is None:
        return False
    ours = parse_manifest(refs.tag_message(ws.repo, mine.tag_object))
    theirs = parse_manifest(refs.tag_message(ws.repo, winner))
    return bool(ours.outs) and set(ours.outs) == set(theirs.outs)


def _retag(ws: Workspace, pending: Pending, name: TagName, number: Version) -> str:
    """A new tag object with the old one's words under the new name."""
    from cpvlib.domain.manifest import parse_manifest
    from cpvlib.stores.git import refs

    manifest = parse_manifest(refs.tag_message(ws.repo, pending.tag_object))
    companion, data = manifest.companion, manifest.data
    if companion is not None:
        companion = _renamed_companion(companion, ws.settings.tag_prefix, number)
        if data is not None and data.version == str(pending.name.version):
            data = replace(data, version=str(number))
    message = replace(manifest, version=number, companion=companion, data=data).render()
    return refs.make_tag(ws.repo, str(name), pending.commit, message)


def _renamed_companion(companion: str, prefix: str, number: Version) -> str:
    name = TagName.parse(companion, prefix)
    if name is None:
        raise CheckpointNotFoundError(f"'{companion}', named by a combined version, is not a version")
    return str(replace(name, version=number))


def _adopt(
    ws: Workspace,
    pair: Sequence[Pending],
    winners: Mapping[str, str],
    *,
    renaming: bool,
    into: Sequence[Pending] = (),
) -> None:
    """One transaction: the winners get their names here too, ours get their new ones, the old objects stay
    kept."""
    from cpvlib.stores.git.refs import RefUpdate, update_refs

    updates = []
    for p in pair:
        updates.append(RefUpdate(p.name.ref, winners.get(p.name.ref), p.tag_object))
        updates.append(RefUpdate(p.name.pending_ref, None, p.tag_object))
        if p.typed:
            updates.append(RefUpdate(typed_ref(p.name), None, p.tag_object))
        if renaming:
            updates.append(RefUpdate(p.name.renamed_ref, p.tag_object, None, any_old=True))
    for p in into:
        updates.append(RefUpdate(p.name.ref, p.tag_object, None))
        updates.append(RefUpdate(p.name.pending_ref, p.tag_object, None))
    update_refs(ws.repo, updates, "cpv: renumbered")
