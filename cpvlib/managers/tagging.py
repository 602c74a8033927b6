"""tag: giving the committed checkpoint a version.

Works offline. The tag, and a pending ref that marks it as not yet published, are made in one ref transaction;
both halves of a combined version are in it, or neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from cpvlib.base.errors import CPVError, NegativeAnswer, RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.checkpoint import Checkpoint, DataUsed, data_md5
from cpvlib.domain.manifest import Manifest, ManifestOut
from cpvlib.domain.text import listed, plural
from cpvlib.domain.version import Series, TagName, Version, next_version
from cpvlib.managers.outs import Out, checkpoint_at, in_series, outs_at
from cpvlib.managers.pending import PendingVersion, pairs, pending_versions
from cpvlib.managers.signatures import wants_signature, write_tag
from cpvlib.managers.versions import LATEST, Tags, VersionRecord

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.refs import RefUpdate
    from cpvlib.stores.worktree import Content

_ATTEMPTS = 5
_QUICKLY_READ_BYTES = 64 << 20


@dataclass(frozen=True)
class TagRequest:
    """What the user asked for. Two series make a combined version. `version` is a number typed by hand.

    `message` is None where none was given: then the commit's subject serves. `force` names objects again that
    have a version. `data_message` is for the data's tag of a combined version, None for the same one.
    `commit` is what to name, None for HEAD; no ref need name it yet. `sign` is None for what git's
    `tag.gpgSign` says. `publishes`: it is to be published at once, so that one which an earlier run made and
    could not publish is meant, even by force.
    """

    series: tuple[Series, ...] = (Series.MODEL,)
    version: Version | None = None
    major: bool = False
    message: str | None = None
    force: bool = False
    data_message: str | None = None
    commit: str | None = None
    sign: bool | None = None
    publishes: bool = False


@dataclass(frozen=True)
class Half:
    """One tag to make; a combined version has two."""

    name: TagName
    manifest: Manifest


@dataclass(frozen=True)
class TagPlan:
    """The tags to make on `commit`; with them, pending versions whose tags a prune took are put back.
    `again`: other versions name the same objects."""

    commit: str
    version: Version
    halves: tuple[Half, ...]
    typed: bool
    pruned: tuple[VersionRecord, ...] = ()
    again: bool = False
    signed: bool = False


class AlreadyNamed(NegativeAnswer):
    """Versions name these very objects. `awaiting` are they, where all await publication on one commit, and
    the number is not another than the one typed."""

    def __init__(self, message: str, hint: str, awaiting: Sequence[PendingVersion]) -> None:
        super().__init__(message, hint=hint)
        self.awaiting = awaiting


@dataclass(frozen=True)
class Written:
    """Tag objects that no ref names yet: `updates` name them, and then they are `pending`."""

    updates: tuple[RefUpdate, ...]
    pending: tuple[PendingVersion, ...]


def plan_tag(ws: Workspace, request: TagRequest) -> TagPlan:
    """Decides the version; nothing is written.

    Raises AlreadyNamed where a version names these very objects, and RepositoryError where nothing of the
    series is committed, the typed number is taken, or an object is neither in the cache nor confirmed.
    """
    from cpvlib.stores.git.authorship import authorship

    commit = request.commit or ws.repo.head().commit
    if commit is None:
        raise RepositoryError("there is no commit yet, so no checkpoint to name", hint="git cpv push")
    outs = outs_at(ws, commit)
    chosen = {series: _committed(outs, series) for series in request.series}
    tags = Tags(ws)
    records = tags.versions()
    named = _named_already(records, chosen)
    _refuse_named_already(ws, commit, named, request)
    _refuse_missing(ws, [out for outs in chosen.values() for out in outs.values()])
    version = _number(ws, tags, request)
    text = authorship(ws.repo, commit).subject if request.message is None else request.message
    facts = checkpoint_at(ws, commit) if Series.MODEL in chosen else None
    used = _data_used(facts, records, version if len(chosen) == 2 else None, outs)
    names = {series: TagName(series, version, ws.settings.tag_prefix) for series in chosen}
    texts = {Series.MODEL: text, Series.DATA: text if request.data_message is None else request.data_message}
    halves = [Half(names[s], _manifest(s, chosen[s], names, texts[s], facts, used)) for s in chosen]
    pruned = tuple(record for record in records if record.pruned)
    return TagPlan(
        commit,
        version,
        tuple(halves),
        typed=request.version is not None,
        pruned=pruned,
        again=bool(named),
        signed=wants_signature(ws, request.sign),
    )


def tag(ws: Workspace, plan: TagPlan, request: TagRequest) -> tuple[TagPlan, list[PendingVersion]]:
    """Makes the tags, pending. Where another process took the number meanwhile, an automatic one moves on:
    the plan that was carried out is returned."""
    from cpvlib.stores.git.refs import RefMovedError, update_refs

    for attempt in range(_ATTEMPTS):
        try:
            made = write_tags(ws, plan)
            step("tag:written")
            update_refs(ws.repo, made.updates, f"cpv: tag {plan.version}")
            step("tag:made")
            break
        except RefMovedError:
            if attempt == _ATTEMPTS - 1:
                raise
            plan = plan_tag(ws, request)
    return plan, list(made.pending)


def moved_on(ws: Workspace, commit: str, series: Iterable[Series]) -> list[str]:
    """Paths of the outs that the worktree has changed since `commit` named them.

    What is large is not read for that: a stat that no longer stands counts as a change. A worktree that
    can't be looked at has no say in what is committed.
    """
    bases = ws.bases.read()
    changed = []
    for path, out in in_series(outs_at(ws, commit), series).items():
        try:
            sure, content = _content(ws, path)
        except CPVError:
            return []
        if not sure or (content is not None and content.oid not in (out.oid, bases.get(path))):
            changed.append(path)
    return changed


def _content(ws: Workspace, path: str) -> tuple[bool, Content | None]:
    glance = ws.worktree.glance(path)
    content = glance.known if glance else None
    if glance is None or content is not None:
        return True, content
    return (True, ws.worktree.identify(path)) if glance.look.size <= _QUICKLY_READ_BYTES else (False, None)


def has_git_remote(ws: Workspace) -> bool:
    """Whether there is anywhere to publish a version to."""
    from cpvlib.stores.git import remotes

    return remotes.choose_remote(ws.repo, ws.settings.remote) is not None


def plan_delete(ws: Workspace, text: str, series: Series | None) -> list[VersionRecord]:
    """The pending version that `text` means, with its other half; RepositoryError for a published one, and
    for one that an alias names."""
    tags = Tags(ws)
    found = tags.find(text, series)
    record = found.record
    if record is None or text == LATEST or found.alias:
        raise RepositoryError(f"'{text}' is not the number of a version", hint="git cpv tag -d v1.2")
    companion = record.manifest.companion
    if not record.pending:
        raise RepositoryError(
            f"{listed([str(record.name)])} is published or not of CPV's making, and never moves",
            hint="git cpv tag names the next version",
        )
    # Where the other half is published, this one can't follow it any more, or it would be.
    return [record, *(other for other in tags.versions() if str(other.name) == companion and other.pending)]


def delete(ws: Workspace, records: Iterable[VersionRecord]) -> None:
    """Removes pending versions, all or none; their objects stay where they are."""
    from cpvlib.stores.git.refs import RefUpdate, update_refs

    gone = {record.name: record for record in records}
    updates = []
    for pending in pending_versions(ws):
        if pending.name in gone:
            updates += pending.settled()
            if not gone[pending.name].pruned:
                updates.append(RefUpdate(pending.name.ref, None, pending.tag_object))
    update_refs(ws.repo, updates, "cpv: pending version deleted")


def _committed(outs: Mapping[str, Out], series: Series) -> dict[str, Out]:
    mine = {path: out for path, out in in_series(outs, [series]).items() if out.oid is not None}
    if not mine:
        raise RepositoryError(f"no {series} is committed here yet", hint=f"git cpv push --{series}")
    return mine


def _named_already(
    records: Sequence[VersionRecord], chosen: Mapping[Series, Mapping[str, Out]]
) -> list[VersionRecord]:
    """The versions that name these very objects; none, where one of the series has none."""
    found = [naming(records, series, outs) for series, outs in chosen.items()]
    named = [record for record in found if record is not None]
    return named if len(named) == len(found) else []


def _refuse_named_already(
    ws: Workspace, commit: str, named: Sequence[VersionRecord], request: TagRequest
) -> None:
    """Raises AlreadyNamed where there is nothing to name, or where all that lacks is the publication."""
    if not named:
        return
    awaiting = _awaiting(ws, commit, request)
    if request.force and not awaiting:
        return
    names = " and ".join(str(p.name) for p in awaiting if p.name.series in request.series)
    names = names or " and ".join(str(record.name) for record in named)
    changed = moved_on(ws, commit, request.series)
    if changed:
        hint = f"{listed(changed)} changed since: git cpv push, then git cpv tag"
    else:
        hint = "git cpv tag --force names it again"
    raise AlreadyNamed(f"already {names}", hint, awaiting)


def _awaiting(ws: Workspace, commit: str, request: TagRequest) -> list[PendingVersion]:
    """The version of this commit that awaits publication and is the one asked for, both halves of a combined
    one. By force only one of the typed number, or one that force made, where it is to be published."""
    series = set(request.series)
    goes_on = request.publishes and has_git_remote(ws)
    found = []
    for group in pairs(pending_versions(ws)):
        version = group[0].name.version
        forced = not request.force or version == request.version or (goes_on and group[0].again)
        if group[0].commit == commit and request.version in (None, version) and forced:
            found.append(group)
    whole = [group for group in reversed(found) if series <= {p.name.series for p in group}]
    if whole:
        return whole[0]
    halves = [group for s in series for group in found if [p.name.series for p in group] == [s]]
    return [p for group in halves for p in group] if len(halves) == len(series) else []


def naming(records: Iterable[VersionRecord], series: Series, outs: Mapping[str, Out]) -> VersionRecord | None:
    """The newest version that names exactly these objects, if any does."""
    wanted = {(path, out.oid) for path, out in outs.items()}
    oids = [out.oid or "" for out in outs.values()]
    # The look at the text spares parsing thousands of manifests.
    likely = [r for r in records if r.series is series and all(oid in r.message for oid in oids)]
    named = [r for r in likely if {(out.path, out.oid) for out in r.manifest.outs} == wanted]
    return named[-1] if named else None


def _refuse_missing(ws: Workspace, outs: Sequence[Out]) -> None:
    """A version names what somebody can get: objects in the cache, or proved to be at the storage."""
    entries = [out.entry for out in outs if out.entry and out.entry.is_stored]
    unconfirmed = [entry for entry in entries if entry.oid and not ws.confirmed.has(entry.oid)]
    if not unconfirmed:
        return
    from cpvlib.domain.oids import Oids
    from cpvlib.managers import objects

    missing = Oids(oid for entry in unconfirmed for oid in objects.missing(ws, entry))
    if missing:
        raise RepositoryError(
            f"cannot name this checkpoint: {plural(len(missing), 'object')}, '{min(missing)}' among them, "
            f"{'is' if len(missing) == 1 else 'are'} neither in the cache nor confirmed at the storage",
            hint="git cpv push, where the files are, or git cpv pull, where the storage has them",
        )


def _number(ws: Workspace, tags: Tags, request: TagRequest) -> Version:
    mine = [record.version for record in tags.versions(request.series)]
    prefix = ws.settings.tag_prefix
    if request.version is not None:
        names = [TagName(series, request.version, prefix) for series in request.series]
        taken = [name for name in names if tags.is_taken(name)]
        if taken:
            raise RepositoryError(
                f"tag '{taken[0]}' exists already", hint=f"the next free number is {next_version(mine)}"
            )
        return request.version
    version = next_version(mine, major=request.major)
    # A tag of the code's, which is no version, may stand in the way.
    while any(tags.is_taken(TagName(series, version, prefix)) for series in request.series):
        version = version.next()
    return version


def _manifest(
    series: Series,
    outs: Mapping[str, Out],
    names: Mapping[Series, TagName],
    text: str,
    facts: Checkpoint | None,
    used: DataUsed | None,
) -> Manifest:
    companions = [str(name) for other, name in names.items() if other is not series]
    common = Manifest(
        text=text,
        version=names[series].version,
        outs=tuple(_manifest_out(path, out) for path, out in sorted(outs.items())),
        companion=companions[0] if companions else None,
        nonce=os.urandom(8).hex(),
    )
    if series is Series.DATA or facts is None:
        return common
    return replace(
        common,
        metrics=facts.metrics,
        params=facts.params,
        code=facts.code.commit,
        uncommitted=len(facts.code.uncommitted),
        data=used,
    )


def _manifest_out(path: str, out: Out) -> ManifestOut:
    assert out.entry is not None and out.entry.oid is not None
    return ManifestOut(path, out.entry.oid, out.entry.size, out.entry.nfiles)


def _data_used(
    facts: Checkpoint | None,
    records: Iterable[VersionRecord],
    combined: Version | None,
    outs: Mapping[str, Out],
) -> DataUsed | None:
    """The data the model was trained on, with the version it has by now."""
    if facts is None or facts.data is None:
        return None
    md5 = facts.data.md5
    data = {path: out.oid for path, out in in_series(outs, [Series.DATA]).items() if out.oid}
    if combined and data_md5(data) == md5:
        return DataUsed(md5, str(combined))
    if facts.data.version:
        return facts.data
    named = [r for r in records if r.series is Series.DATA and _data_md5_of(r) == md5]
    return DataUsed(md5, str(named[-1].version) if named else None)


def _data_md5_of(record: VersionRecord) -> str | None:
    return data_md5({out.path: out.oid for out in record.manifest.outs})


def write_tags(ws: Workspace, plan: TagPlan) -> Written:
    """The tag objects, and the refs that make them versions: one transaction has to move them all."""
    from cpvlib.stores.git.refs import RefUpdate, tagger

    who = None if plan.signed else tagger(ws.repo)
    made = []
    for half in plan.halves:
        message = half.manifest.render()
        made.append(
            PendingVersion(
                name=half.name,
                tag_object=write_tag(ws, str(half.name), plan.commit, message, signed=plan.signed, who=who),
                commit=plan.commit,
                message=message,
                signed=plan.signed,
                typed=plan.typed,
                again=plan.again,
            )
        )
    updates = [RefUpdate(record.name.ref, record.object, None) for record in plan.pruned]
    updates += [update for pending in made for update in pending.made()]
    return Written(tuple(updates), tuple(made))
