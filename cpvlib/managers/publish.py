"""Making a branch and its pending versions visible to others: objects first, then every ref in one atomic push.

A version's name is claimed at the git remote by create-only compare-and-swap (git-push(1), `--force-with-lease=ref:`).
Whoever loses the race gets the next free number, unless the number was typed or the winner names the same objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cpvlib.base.errors import CheckpointNotFoundError, GitError, RepositoryError
from cpvlib.base.progress import Progress
from cpvlib.domain.version import TagName, Version, next_version
from cpvlib.managers.place import is_folder

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.objects import Stored
    from cpvlib.managers.workspace import Workspace

_ATTEMPTS = 30


@dataclass(frozen=True)
class Pending:
    """A version that exists here and not yet at the git remote; `typed`: its number was chosen by hand."""

    name: TagName
    tag_object: str
    commit: str
    typed: bool = False


@dataclass(frozen=True)
class Publication:
    """What was made visible: `git_remote` is None where there is none to publish to.

    `renamed` maps a version's old name to its new one; `dropped` to the version, of the same objects, that won.
    """

    git_remote: str | None
    branch: str | None = None
    branch_moved: bool = False
    published: tuple[TagName, ...] = ()
    renamed: Mapping[TagName, TagName] = field(default_factory=dict)
    dropped: Mapping[TagName, TagName] = field(default_factory=dict)


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
    return [p for p in pending_versions(ws) if ws.repo.is_ancestor(p.commit, commit)]


def destination(ws: Workspace) -> str | None:
    """The git remote to publish to: the upstream's, else `cpv.remote`, else `origin`, else None.

    Raises RepositoryError where others would see pointers whose objects lie in a folder of this machine only.
    """
    from cpvlib.stores.git import remotes

    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote)
    if git_remote is None:
        return None
    place = ws.found_place.place
    elsewhere = not remotes.is_local(remotes.url_of(ws.repo, git_remote))
    if elsewhere and is_folder(place) and not ws.settings.storage_shared:
        raise RepositoryError(
            f"git remote '{git_remote}' is on another machine, but the storage is a folder of this one: "
            f"'{place.url}'",
            hint="git cpv init --storage s3://BUCKET; or, for a shared filesystem, git config cpv.storageShared true",
        )
    return git_remote


def store_history(
    ws: Workspace,
    git_remote: str | None,
    tip: str,
    *,
    check: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Stored:
    """P1 for a branch: storage holds all that the pointers of `tip`, and of every commit that the remote would
    learn of with it, name.

    Commits that the remote has were proved when they were published; those from before the adoption may name
    objects long gone.
    """
    from cpvlib.managers.objects import Stored, store

    if not check and ws.confirmed.has(tip):
        return Stored()
    stored = store(ws, _history_entries(ws, git_remote, tip), check=check, progress=progress, jobs=jobs)
    ws.confirmed.add([tip])
    return stored


def _history_entries(ws: Workspace, git_remote: str | None, tip: str) -> list[OutEntry]:
    from cpvlib.domain.pointer import parse_pointer
    from cpvlib.managers.objects import storable
    from cpvlib.stores.git import trees

    exclude = [f"--remotes={git_remote}"] if git_remote else []
    if ws.settings.adopted and ws.repo.resolve(ws.settings.adopted):
        exclude.append(f"^{ws.settings.adopted}")
    blobs = {found.blob: found.path for found in trees.introduced(ws.repo, [tip], exclude)}
    blobs |= {blob: path for path, blob in ws.pointer_blobs(tip).items()}
    contents = trees.read_blobs(ws.repo, blobs)
    return [entry for blob, data in contents.items() for entry in storable(parse_pointer(blobs[blob], data))]


def is_published(ws: Workspace, git_remote: str, branch: str, tip: str) -> bool:
    """Whether the git remote had exactly this tip when it was last asked, and the branch follows it."""
    return ws.repo.resolve(f"refs/remotes/{git_remote}/{branch}") == tip


def publish_branch(
    ws: Workspace, branch: str | None, tip: str, *, progress: Progress | None = None, jobs: int | None = None
) -> Publication | None:
    """Stores what `tip` and its history name, then publishes `branch` (None: the current one) with its pending
    versions. None where there is no git remote."""
    git_remote = destination(ws)
    store_history(ws, git_remote, tip, progress=progress, jobs=jobs)
    name = branch or ws.repo.head().branch
    return publish(ws, git_remote, name, ready(ws, tip)) if git_remote else None


def publish(ws: Workspace, git_remote: str, branch: str | None, versions: Sequence[Pending]) -> Publication:
    """Pushes the tip of `branch` (if any) and the versions, all or none, and settles lost races for numbers.

    Raises GitError where the branch moved on at the remote, or the remote refuses: nothing is published then.
    """
    waiting = list(versions)
    renamed: dict[TagName, TagName] = {}
    dropped: dict[TagName, TagName] = {}
    for _ in range(_ATTEMPTS):
        lost, moved = _try_push(ws, git_remote, branch, waiting)
        if not lost:
            _settle(ws, waiting)
            names = tuple(p.name for p in waiting)
            return Publication(git_remote, branch, moved, names, renamed, dropped)
        waiting = _after_loss(ws, git_remote, waiting, lost, renamed, dropped)
    raise GitError(
        f"no free version number was found at '{git_remote}' in {_ATTEMPTS} attempts",
        hint="git cpv push, again, when fewer people publish at once",
    )


def _try_push(
    ws: Workspace, git_remote: str, branch: str | None, versions: Sequence[Pending]
) -> tuple[list[Pending], bool]:
    """One atomic push; the versions whose name somebody else had first, and whether the branch moved."""
    from cpvlib.stores.git import remotes

    updates = [remotes.RefPush(p.tag_object, p.name.ref, lease="") for p in versions]
    if branch is not None:
        updates.append(remotes.RefPush(f"refs/heads/{branch}", f"refs/heads/{branch}"))
    results = {result.dst: result for result in remotes.push(ws.repo, git_remote, updates)}
    lost = [p for p in versions if results[p.name.ref].status == "rejected-lease"]
    tip = results[f"refs/heads/{branch}"] if branch is not None else None
    if tip is not None and tip.status == "rejected-moved":
        raise moved_on(ws, git_remote, branch or "")
    refusals = [r for r in results.values() if r.status == "refused"]
    if refusals and not lost:
        raise GitError(
            f"git remote '{git_remote}' refused '{refusals[0].dst}': {refusals[0].reason}",
            hint="the checkpoint is committed and stored; publish it elsewhere with git cpv push --branch NAME",
        )
    return lost, tip is not None and tip.status == "ok"


def moved_on(ws: Workspace, git_remote: str, branch: str) -> GitError:
    """The error that says who pushed what in the meantime."""
    from cpvlib.stores.git import remotes

    remotes.fetch(ws.repo, git_remote, [f"+refs/heads/{branch}:refs/remotes/{git_remote}/{branch}"])
    theirs = remotes.log(ws.repo, f"refs/heads/{branch}..refs/remotes/{git_remote}/{branch}", limit=3)
    news = "; ".join(f"{entry.author}: {entry.subject}" for entry in theirs)
    return GitError(
        f"'{branch}' has moved on at '{git_remote}'" + (f" ({news})" if news else ""),
        hint="your checkpoint is committed and stored; take theirs in and publish: "
        f"git pull --rebase {git_remote} {branch} && git cpv pull && git cpv push",
    )


def _settle(ws: Workspace, versions: Iterable[Pending]) -> None:
    """The versions are published: they stop being pending."""
    from cpvlib.stores.git.refs import RefUpdate, update_refs

    updates = []
    for p in versions:
        updates.append(RefUpdate(p.name.pending_ref, None, p.tag_object))
        if p.typed:
            updates.append(RefUpdate(typed_ref(p.name), None, p.tag_object))
    if updates:
        update_refs(ws.repo, updates, "cpv: published")


def _after_loss(
    ws: Workspace,
    git_remote: str,
    waiting: Sequence[Pending],
    lost: Sequence[Pending],
    renamed: dict[TagName, TagName],
    dropped: dict[TagName, TagName],
) -> list[Pending]:
    """What is left to publish, under which names, after others took the names of `lost`.

    A name held by our own tag object was published by an earlier, interrupted run: it only has to be settled.
    """
    from cpvlib.stores.git import remotes

    theirs = remotes.ls_remote(ws.repo, git_remote, ["refs/tags/*"])
    ours = [p for p in waiting if theirs.get(p.name.ref) == p.tag_object]
    _settle(ws, ours)
    left = [p for p in waiting if p not in ours]
    beaten = {p.name.version for p in lost if p not in ours}
    result = [p for p in left if p.name.version not in beaten]
    for version in sorted(beaten):
        pair = [p for p in left if p.name.version == version]
        result += _renumber(ws, git_remote, pair, theirs, renamed, dropped)
    return result


def _renumber(
    ws: Workspace,
    git_remote: str,
    pair: Sequence[Pending],
    theirs: Mapping[str, str],
    renamed: dict[TagName, TagName],
    dropped: dict[TagName, TagName],
) -> list[Pending]:
    """A version (both halves of a combined one) gets the next number that is free in every series it is in."""
    from cpvlib.stores.git import refs, remotes

    names = [p.name for p in pair]
    taken_refs = [name.ref for name in names if name.ref in theirs]
    remotes.fetch_objects(ws.repo, git_remote, taken_refs)
    winners = {ref: theirs[ref] for ref in taken_refs}
    if all(_same_objects(ws, p, winners.get(p.name.ref)) for p in pair):
        _adopt(ws, pair, winners, renaming=False)
        dropped.update({name: name for name in names})
        return []
    if any(p.typed for p in pair):
        raise RepositoryError(
            f"version '{names[0].version}' was taken at '{git_remote}' in the meantime",
            hint=f"git cpv tag -d {names[0].version}, then git cpv tag for the next free number",
        )
    number = next_version(_taken(ws, names, theirs))
    moved = []
    for p in pair:
        name = replace(p.name, version=number)
        moved.append(replace(p, name=name, tag_object=_retag(ws, p, name, number)))
        renamed[_first_name(p.name, renamed)] = name
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
    companion = manifest.companion and _renamed_companion(manifest.companion, ws.settings.tag_prefix, number)
    message = replace(manifest, version=number, companion=companion).render()
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
    """One transaction: the winners get their names here too, ours get their new ones, the old objects stay kept."""
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
