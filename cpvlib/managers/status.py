"""status: what differs between worktree, cache, storage and git remote, and what is unfinished or pending.

Nothing here asks the network, unless `check` is wanted: then storage is asked whether it holds what the
pointers name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.managers import absence, marked, moved, objects
from cpvlib.managers.outs import Out, outs_at, outs_here
from cpvlib.managers.pending import ready, settings_of, versions_of, waiting
from cpvlib.managers.standing import Standing, State, standings

if TYPE_CHECKING:
    from cpvlib.domain.alias import Setting
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.repository import Head


@dataclass(frozen=True)
class OutStatus:
    """One out. `stored` is whether storage was proved to hold what the pointer names (None: it names nothing,
    or nothing that belongs there); `committed` is whether HEAD has the pointer as the worktree has it;
    `absent` counts files that were left out of the worktree."""

    standing: Standing
    stored: bool | None
    committed: bool
    absent: absence.Count | None = None

    @property
    def path(self) -> str:
        return self.standing.out.path

    @property
    def size(self) -> int | None:
        content, entry = self.standing.content, self.standing.out.entry
        return content.size if content else entry.size if entry else None


@dataclass(frozen=True)
class UnfinishedUpload:
    """Bytes of one object that are on their way; `path` is the out that has this content now, if any."""

    md5: str
    size: int
    path: str | None


@dataclass(frozen=True)
class UnfinishedDownload:
    """The same the other way: `here` of `size` bytes came; `path` is the out whose pointer names them."""

    md5: str
    here: int
    size: int
    path: str | None


@dataclass(frozen=True)
class Status:
    """The whole picture. `ready` are those `pending` versions that a push of this branch publishes; `aliases`
    are settings that await publication. `moved` are versions that stood otherwise at the git remote when it
    was last asked. `ahead` and `behind` count commits against the upstream as last fetched; without an
    upstream, `unpublished_to` is the git remote that lacks the branch's tip. `conflicts` are CPV's files that
    a merge left in conflict; their outs are not among `outs`. `lost` are objects that storage should hold and
    does not, told only where it was asked. `uploads` and `downloads` are those that
    were interrupted."""

    branch: str | None
    commit: str | None
    upstream: str | None
    ahead: int
    behind: int
    outs: tuple[OutStatus, ...]
    versions_here: tuple[str, ...]
    pending: tuple[str, ...]
    ready: tuple[str, ...]
    aliases: tuple[Setting, ...]
    aliases_ready: bool
    moved: tuple[str, ...]
    unfinished: str | None
    conflicts: tuple[str, ...]
    storage_url: str
    storage_is_folder: bool
    shallow: bool
    unpublished_to: str | None
    lost: Mapping[str, int]
    uploads: tuple[UnfinishedUpload, ...] = ()
    downloads: tuple[UnfinishedDownload, ...] = ()

    @property
    def to_push(self) -> bool:
        """Whether `git cpv push` would record, store or publish anything."""
        changed = any(
            o.standing.state.has_own_content or o.stored is False or not o.committed for o in self.outs
        )
        published_to = self.upstream or self.unpublished_to
        return (
            changed
            or bool(self.ahead or self.unpublished_to)
            or bool((self.ready or self.aliases_ready) and published_to)
        )


def status(
    ws: Workspace, *, check: bool = False, progress: Progress | None = None, jobs: int | None = None
) -> Status:
    """Looks; hashes what changed by stat, and changes nothing but the records that spare the next look."""
    from cpvlib.managers.place import is_folder
    from cpvlib.stores.git import remotes

    head = ws.repo.head()
    operation = ws.repo.unfinished()
    conflicts = marked.in_conflict(ws, operation)
    ours = marked.our_side(ws, conflicts) if conflicts else {}
    outs = {path: out for path, out in outs_here(ws, ours).items() if out.pointer_path not in conflicts}
    committed = outs_at(ws, head.commit, ours) if head.commit else {}
    found = standings(ws, [out for out in outs.values() if out.listed], progress=progress, jobs=jobs)
    lost = _lost(ws, found, progress, jobs) if check else {}
    tracking = remotes.tracking(ws.repo)
    published = tracking is not None and tracking.ahead == 0
    known = waiting(ws)
    goes = ready(ws, head.commit, known) if head.commit else []
    place = ws.found_place.place
    return Status(
        branch=head.branch,
        commit=head.commit,
        upstream=tracking.name if tracking else None,
        ahead=tracking.ahead if tracking else 0,
        behind=tracking.behind if tracking else 0,
        outs=tuple(
            _out(ws, s, committed.get(path) == s.out, path in lost, published) for path, s in found.items()
        ),
        versions_here=_versions_here(ws, head.commit),
        pending=tuple(str(p.name) for p in versions_of(known)),
        ready=tuple(str(p.name) for p in versions_of(goes)),
        aliases=tuple(p.setting for p in settings_of(known)),
        aliases_ready=bool(settings_of(goes)),
        moved=tuple(moved.known(ws)),
        unfinished=_unfinished(ws, operation),
        conflicts=tuple(conflicts),
        storage_url=place.url,
        storage_is_folder=is_folder(place),
        shallow=ws.repo.is_shallow,
        unpublished_to=_unpublished_to(ws, head) if tracking is None else None,
        lost=lost,
        uploads=tuple(_uploads(ws, found)),
        downloads=tuple(_downloads(ws, outs)),
    )


def _unpublished_to(ws: Workspace, head: Head) -> str | None:
    """The git remote that push would give the branch to for the first time."""
    from cpvlib.stores.git import remotes

    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote) if head.branch and head.commit else None
    if git_remote is None or ws.repo.resolve(f"refs/remotes/{git_remote}/{head.branch}") == head.commit:
        return None
    return git_remote


def _out(ws: Workspace, standing: Standing, committed: bool, lost: bool, published: bool) -> OutStatus:
    """What the git remote has was proved to be stored when it was published."""
    entry = standing.out.entry
    oid = entry.oid if entry is not None and entry.is_stored else None
    stored = None if oid is None else not lost and ((published and committed) or ws.confirmed.has(oid))
    is_committed = committed or standing.state in (State.NEW, State.ABSENT)
    return OutStatus(standing, stored, is_committed, absence.counted(ws, standing))


def _lost(
    ws: Workspace, found: Mapping[str, Standing], progress: Progress | None, jobs: int | None
) -> dict[str, int]:
    """Outs whose pointers name objects that storage does not hold whole: path to how many."""
    missing = {}
    for path, standing in found.items():
        entry = standing.out.entry
        if entry is not None and entry.oid is not None and entry.is_stored:
            n_missing = objects.count_missing(ws, [entry], progress=progress, jobs=jobs)
            if n_missing:
                missing[path] = n_missing
            else:
                ws.confirmed.add([entry.oid])
    return missing


def _unfinished(ws: Workspace, operation: str | None) -> str | None:
    """What is not finished, and how it goes on, in words."""
    if operation is not None:
        return f"a {operation} is not finished: git status tells more"
    entry = ws.journal.read()
    if entry is None:
        return None
    return f"a revert to {entry.name} is not finished: git cpv revert --continue, or git cpv revert --abort"


def _uploads(ws: Workspace, found: Mapping[str, Standing]) -> Iterator[UnfinishedUpload]:
    """What somebody else brought there meanwhile is not waited for."""
    paths = {standing.oid: path for path, standing in found.items()}
    for begun in ws.uploads.all():
        if begun.url == ws.found_place.place.url.rstrip("/") and not ws.confirmed.has(begun.md5):
            yield UnfinishedUpload(begun.md5, begun.size, paths.get(begun.md5))


def _downloads(ws: Workspace, outs: Mapping[str, Out]) -> Iterator[UnfinishedDownload]:
    paths = {out.oid: path for path, out in outs.items()}
    for partial in ws.cache.partials.all():
        oid = "".join(partial.name.split("-")[-2:])
        yield UnfinishedDownload(oid, partial.here, partial.size, paths.get(oid))


def _versions_here(ws: Workspace, commit: str | None) -> tuple[str, ...]:
    """The versions whose tags are on HEAD."""
    from cpvlib.stores.git import refs

    if commit is None:
        return ()
    tags = refs.tags_at(ws.repo, commit)
    from cpvlib.domain.version import TagName

    names = [TagName.parse(tag, ws.settings.tag_prefix) for tag in tags]
    return tuple(str(name) for name in sorted(n for n in names if n is not None))
