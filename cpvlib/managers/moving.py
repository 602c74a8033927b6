"""storage move: all that the repository's history names, copied to another place and proved there; then one
commit makes that place the storage.

Nothing is removed from the old place, and nothing refers to the new one before all of it is there. Typed
again after an interruption it goes on where it stopped; typed again after the switch it looks for stragglers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cpvlib.base.errors import CheckpointNotFoundError, ConfigError, RepositoryError, StorageError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.names import FORMER_REMOTE
from cpvlib.domain.text import listed, plural, printable
from cpvlib.managers import placement
from cpvlib.managers.freight import Freight, Survey, named_by_history, tips
from cpvlib.managers.objects import Stored
from cpvlib.managers.placement import Placement

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.open import StoragePlace
    from cpvlib.stores.storage.protocol import Proof, Storage

_MADE_ANEW = frozenset({"url", "region", "endpointurl", "profile", "credentialpath"})


@dataclass(frozen=True)
class MovePlan:
    """A move from `source` to `target`, which is `placed` in DVC's configuration.

    `root` is what was typed; `sources` are the storages to copy from; `dropped` are options of the old DVC
    remote that the new one will not have.
    """

    root: str
    source: StoragePlace
    target: StoragePlace
    placed: Placement
    sources: tuple[Storage, ...]
    freight: tuple[Freight, ...]
    entries: tuple[OutEntry, ...]
    dropped: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether the target is the storage already."""
        return self.source.url == self.target.url

    @property
    def n_objects(self) -> int:
        return sum(len(part.sizes) - len(part.lost) for part in self.freight)

    @property
    def size_bytes(self) -> int:
        return sum(part.bytes_of(part.sizes) for part in self.freight)

    @property
    def n_to_send(self) -> int:
        return sum(len(part.to_send) for part in self.freight)

    @property
    def bytes_to_send(self) -> int:
        return sum(part.bytes_of(part.to_send) for part in self.freight)

    @property
    def lost(self) -> list[str]:
        """Objects that only old commits name and that are nowhere any more."""
        return sorted(oid for part in self.freight for oid in part.lost)

    @property
    def message(self) -> str:
        where = "a folder" if self.placed.is_folder else self.placed.url
        return f"Move storage to {where}"


@dataclass(frozen=True)
class Moved:
    """What a move did: `commit`, on `branch`, is the switch, None where nothing had to be committed.

    `behind` are other branches, which name the old place until they take the commit in; `to_publish` is
    whether there is a git remote that has to learn of it.
    """

    plan: MovePlan
    stored: Stored
    commit: str | None
    branch: str | None
    behind: tuple[str, ...] = ()
    to_publish: bool = False


def plan_move(
    ws: Workspace, root: str, *, progress: Progress | None = None, jobs: int | None = None
) -> MovePlan:
    """Decides a move to `root`/<team>/<model>; nothing changes but that listings come into the cache.

    Raises CheckpointNotFoundError where an object of a version or branch is nowhere, unless cpv.allowMissing;
    RepositoryError on a detached HEAD, in an unfinished merge, or in a shallow clone; ConfigError,
    StorageError and CredentialError for a place that can't be used.
    """
    from cpvlib.managers.scene import refuse_unready
    from cpvlib.stores.git import refs

    ws.refuse_unfinished()
    refuse_unready(ws.repo)
    if ws.repo.is_shallow:
        raise RepositoryError(
            "this clone is shallow: it does not know every version", hint="git fetch --unshallow"
        )
    refs.tagger(ws.repo)  # a user whom git doesn't know could not commit the switch
    source = ws.found_place.place
    placed = _placed(ws, root)
    target = source if placed.url == source.url else _target(ws, placed)
    sources = tuple(_sources(ws, target.url))
    there = ws.open_storage(target, jobs)
    named = named_by_history(ws)
    entries = {(e.oid, e.legacy): e for some in named.values() for e in some}
    survey = Survey(ws, there, sources, progress or Silent(), jobs)
    freight = tuple(survey.lanes(entries.values()))
    _refuse_lost(ws, named, freight)
    remote = ws.dvc.remote()
    dropped = (
        () if remote is None or remote.url == target.url else tuple(sorted(set(remote.options) - _MADE_ANEW))
    )
    return MovePlan(root, source, target, placed, sources, freight, tuple(entries.values()), dropped)


def move(
    ws: Workspace, plan: MovePlan, *, progress: Progress | None = None, jobs: int | None = None
) -> Moved:
    """Carries the plan out: copies; then, while no push or tag may add to it, copies what came meanwhile,
    looks at all of it, and switches.
    """
    from cpvlib.stores.git import remotes
    from cpvlib.stores.state import Confirmations

    placement.make_folder(plan.placed, "name another folder")
    stored = _copy(ws, plan, progress or Silent(), jobs)
    with ws.alone():
        ws = ws.again()
        last = plan_move(ws, plan.root, progress=progress, jobs=jobs)
        stored += _copy(ws, last, progress or Silent(), jobs)
        _verify(last, ws.open_storage(last.target, jobs))
        lost = set(last.lost)
        Confirmations(ws.repo.common_dir, last.target.url).add(
            e.oid for e in last.entries if e.oid and e.oid not in lost and not _has_lost(e, last, lost)
        )
        commit = _switch(ws, last)
        branch = ws.repo.head().branch
    has_remote = remotes.choose_remote(ws.repo, ws.settings.remote) is not None
    return Moved(plan, stored, commit, branch, _behind(ws, branch) if commit else (), has_remote)


def _copy(ws: Workspace, plan: MovePlan, progress: Progress, jobs: int | None) -> Stored:
    target = ws.open_storage(plan.target, jobs)
    stored = Stored()
    for part in plan.freight:
        stored += _send(plan, part, target, progress, jobs)
    return stored


def _placed(ws: Workspace, root: str) -> Placement:
    from cpvlib.managers.place import own_place
    from cpvlib.stores.dvc.layout import CONFIG

    own_place(ws.settings)  # which says what is missing where team or model is
    team, model = ws.settings.team or "", ws.settings.model or ""
    placed = placement.typed_place(ws.settings, root, team=team, model=model)
    placement.refuse_inside(ws.top, placed)
    if placed.url != ws.found_place.place.url:
        return placed
    data = ws.read_worktree(CONFIG)
    unfinished = placed.is_folder and placed.edit_shared(data) != (data or b"")
    return placed if unfinished else Placement(placed.url, kept=True, typed=True)


def _target(ws: Workspace, placed: Placement) -> StoragePlace:
    """The new place as it will be found once DVC's configuration names it."""
    from cpvlib.managers.place import user_options
    from cpvlib.stores.storage.open import StoragePlace

    options = {**placed.shared, **placed.personal}
    del options["url"]
    if not placed.is_folder:
        options = user_options(ws.settings) | options
    return StoragePlace(placed.url, options, "what was typed", ws.settings.engine)


def _sources(ws: Workspace, target_url: str) -> Iterator[Storage]:
    """The storages that may hold what the new place lacks: today's, and the one before it."""
    from cpvlib.managers.place import former_place

    if ws.found_place.place.url != target_url:
        yield ws.storage()
    former = former_place(ws.settings, ws.dvc, ws.repo)
    if former and former.url not in (target_url, ws.found_place.place.url):
        yield ws.open_storage(former)


def _refuse_lost(ws: Workspace, named: Mapping[str, list[OutEntry]], freight: Iterable[Freight]) -> None:
    """Raises CheckpointNotFoundError where a version or a branch would lose an object by the move."""
    from cpvlib.stores.git import trees

    lost = {oid for part in freight for oid in part.lost}
    if not lost or ws.settings.allow_missing:
        return
    bad = {blob for blob, entries in named.items() if any(lost & _oids(ws, entry) for entry in entries)}
    of = list(tips(ws))
    each = trees.files_at_each(ws.repo, (commit for _, commit in of))
    names = [name for (name, _), files in zip(of, each, strict=True) if not bad.isdisjoint(files.values())]
    if names:
        raise CheckpointNotFoundError(
            f"cannot move: {plural(len(lost), 'object')}, '{min(lost)}' among them, of {listed(names)} "
            "are neither in the cache nor at the storage",
            hint="push them from the clone that made them; or leave them: git config cpv.allowMissing true",
        )


def _oids(ws: Workspace, entry: OutEntry) -> set[str]:
    """The objects of an entry as far as the cache can tell."""
    if not entry.oid or not entry.is_dir:
        return {entry.oid} if entry.oid else set()
    cache = ws.cache.legacy if entry.legacy else ws.cache
    listing = cache.read_listing(entry.oid)
    return {entry.oid, *(listing.entries.values() if listing else ())}


def _has_lost(entry: OutEntry, plan: MovePlan, lost: set[str]) -> bool:
    if not lost or not entry.oid or not entry.is_dir:
        return False
    part = next(part for part in plan.freight if part.cache.is_legacy is entry.legacy)
    listing = part.cache.read_listing(entry.oid)
    return listing is None or bool(lost & set(listing.entries.values()))


def _send(plan: MovePlan, part: Freight, target: Storage, progress: Progress, jobs: int | None) -> Stored:
    """Files before listings, so that a folder that looks whole at the new place is whole."""
    from cpvlib.stores import transfer
    from cpvlib.stores.dvc.legacy import md5_dos2unix
    from cpvlib.stores.relay import relay

    proofs: dict[str, Proof] = {}
    for of_folders in (False, True):
        for index, storage in enumerate(plan.sources):
            chosen = {
                oid: part.sizes[oid]
                for oid, at in part.stored.items()
                if at == index and oid.endswith(".dir") is of_folders
            }
            name_of = md5_dos2unix if part.cache.is_legacy else None
            if chosen:
                proofs |= relay(
                    storage,
                    target,
                    chosen,
                    part.cache.receiver,
                    progress,
                    jobs,
                    key=part.key,
                    name_of=name_of,
                )
        cached = [oid for oid in part.cached if oid.endswith(".dir") is of_folders]
        sources = {oid: part.cache.source(oid) for oid in cached}
        if sources:
            proofs |= transfer.upload(target, sources, progress, jobs, key=part.key)
    return Stored(len(proofs), part.bytes_of(part.to_send), len(part.there), proofs)


def _verify(plan: MovePlan, target: Storage) -> None:
    """Raises StorageError unless the new place holds all of it now, in the sizes that it has here."""
    for part in plan.freight:
        wanted = {part.key(oid): size for oid, size in part.sizes.items() if oid not in part.lost}
        found = target.has(list(wanted))
        bad = [key for key, size in wanted.items() if key not in found or size not in (None, found[key])]
        if bad:
            raise StorageError(
                f"{plural(len(bad), 'object')}, '{min(bad)}' among them, did not arrive whole in "
                f"'{printable(target.url)}'; the storage stays where it was",
                hint="the same command again sends what is missing",
            )


def _switch(ws: Workspace, plan: MovePlan) -> str | None:
    """The new place becomes the storage, and is trusted, for it was typed; the commit, if one was needed.

    `.dvc/config.local` outweighs the committed file, so that at each moment one of the two places holds.
    """
    from cpvlib.stores.dvc.layout import CONFIG
    from cpvlib.stores.git.commits import land, prepare

    with ws.dvc_lock():
        if plan.placed.is_folder:
            placement.write_local_config(ws.repo, lambda data: _local(ws, plan, data))
        prepared = prepare(ws.repo, {CONFIG: plan.placed.edit_shared}, plan.message)
        if prepared:
            land(ws.repo, prepared)
        if not plan.placed.is_folder:
            placement.write_local_config(ws.repo, lambda data: _local(ws, plan, data))
    _trust(ws, plan)
    return prepared.commit if prepared else None


def _local(ws: Workspace, plan: MovePlan, data: bytes | None) -> bytes:
    """`.dvc/config.local` with the new place's personal part, and the old place under a name of its own."""
    text = plan.placed.edit_personal(data)
    if plan.is_there:
        return text
    remote = ws.dvc.remote()
    return placement.with_remote(
        text, FORMER_REMOTE, {"url": plan.source.url, **(remote.options if remote else {})}
    )


def _trust(ws: Workspace, plan: MovePlan) -> None:
    from cpvlib.managers.place import find_place, trust
    from cpvlib.stores.dvc.config import read_config

    found = find_place(ws.settings, read_config(ws.top, ws.repo.main_top), ws.repo)
    if found.place.url != plan.target.url:
        raise ConfigError(
            f"everything is copied, but DVC's configuration goes on naming '{printable(found.shown_url)}', "
            f"in '{found.place.origin}'",
            hint="see which file says so: dvc config --list --show-origin",
        )
    trust(ws.repo, found)


def _behind(ws: Workspace, branch: str | None) -> tuple[str, ...]:
    from cpvlib.stores.git import refs

    names = (ref.removeprefix("refs/heads/") for ref in refs.refs(ws.repo, "refs/heads"))
    return tuple(name for name in names if name != branch)
