"""Two checkpoints compared, and one of them whole. Pointers are the truth; a manifest is checked by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cpvlib.base.errors import CheckpointNotFoundError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.checkpoint import Checkpoint, DataUsed, data_md5
from cpvlib.domain.comparison import FileChange, ValueChange, compare_files, compare_values, new_content
from cpvlib.domain.version import Series
from cpvlib.managers.outs import Out, checkpoint_at, in_series, outs_at
from cpvlib.managers.versions import Found, Tags, VersionRecord

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.authorship import Authorship

WORKTREE = "worktree"


@dataclass(frozen=True)
class OutContent:
    """What one out is made of. A folder of the worktree knows its `files` (path in it to md5); one that a
    pointer names (`entry`) has a listing, which is asked for if need be."""

    oid: str
    size: int | None
    nfiles: int | None
    files: Mapping[str, str] | None = None
    entry: OutEntry | None = None

    @classmethod
    def named_by(cls, out: Out) -> OutContent | None:
        entry = out.entry
        return cls(entry.oid, entry.size, entry.nfiles, entry=entry) if entry and entry.oid else None


@dataclass(frozen=True)
class Side:
    """One of the two compared; `commit` is None for the worktree."""

    name: str
    commit: str | None
    record: VersionRecord | None
    checkpoint: Checkpoint
    outs: Mapping[Series, Mapping[str, OutContent]]


@dataclass(frozen=True)
class SeriesChange:
    """How the outs of one series differ. `n_files` is how many the later side has, `new_bytes` what had to be
    sent for it, None if unknown."""

    series: Series
    files: tuple[FileChange, ...]
    n_files: int
    size_before: int | None
    size_after: int | None
    new_bytes: int | None


@dataclass(frozen=True)
class Comparison:
    """What differs from `before` to `after`, of the series that were asked for."""

    before: Side
    after: Side
    metrics: tuple[ValueChange, ...]
    params: tuple[ValueChange, ...]
    series: tuple[SeriesChange, ...]

    @property
    def differs(self) -> bool:
        return bool(self.metrics or self.params or any(change.files for change in self.series))


@dataclass(frozen=True)
class Details:
    """One checkpoint whole. `mismatches` are the paths of outs that the version's manifest names otherwise
    than its commit's pointers do."""

    found: Found
    authorship: Authorship
    checkpoint: Checkpoint | None
    outs: Mapping[str, Out]
    mismatches: tuple[str, ...]
    aliases: tuple[str, ...] = ()


def details(ws: Workspace, text: str, series: Series | None = None) -> Details:
    """The checkpoint that `text` means. A version shows the outs of its series, a revision those of both.

    Raises CheckpointNotFoundError where no commit, or one without pointers, is meant.
    """
    from cpvlib.stores.git.authorship import authorship

    tags = Tags(ws)
    found = tags.find(text, series)
    record = found.record
    wanted = [record.series] if record else [series] if series else list(Series)
    named = in_series(outs_at(ws, found.commit), wanted)
    if not named:
        raise CheckpointNotFoundError(f"'{text}' names no checkpoint: its commit has no pointers")
    checkpoint = checkpoint_at(ws, found.commit) if Series.MODEL in wanted else None
    if checkpoint:
        checkpoint = replace(checkpoint, data=data_used(tags, checkpoint, record))
    mismatches = _mismatches(record, named) if record else ()
    aliases = tuple(tags.names.get(record.name, ())) if record else ()
    return Details(found, authorship(ws.repo, found.commit), checkpoint, named, mismatches, aliases)


def data_used(tags: Tags, checkpoint: Checkpoint, record: VersionRecord | None) -> DataUsed | None:
    """The data that a model goes with, by the number that it has now: at the push it may have had none, or
    one that was changed when it was published."""
    known, used = checkpoint.data, record.manifest.data if record else None
    if known is None or (used and used.md5 == known.md5):
        return used
    if known.version is None:
        return known
    named = [
        str(data.version)
        for data in tags.versions([Series.DATA])
        if data_md5({out.path: out.oid for out in data.manifest.outs}) == known.md5
    ]
    return known if known.version in named else replace(known, version=named[-1] if named else None)


def compare(
    ws: Workspace,
    before: str,
    after: str | None,
    series: Iterable[Series] | None = None,
    *,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Comparison:
    """From `before` to `after`, which is the worktree where None. Without a series, two data versions are
    compared as such, anything else in both series.

    A folder's listing that the cache lacks is fetched from storage.
    """
    tags = Tags(ws)
    chosen = tuple(series) if series is not None else None
    one = chosen[0] if chosen and len(chosen) == 1 else None
    a = _committed(ws, tags.find(before, one))
    b = _committed(ws, tags.find(after, one)) if after is not None else _here(ws, progress, jobs)
    wanted = chosen or _natural(a, b)
    model = Series.MODEL in wanted
    return Comparison(
        a,
        b,
        tuple(compare_values(a.checkpoint.metrics, b.checkpoint.metrics)) if model else (),
        tuple(compare_values(a.checkpoint.params, b.checkpoint.params)) if model else (),
        tuple(_compare_series(ws, each, a.outs[each], b.outs[each]) for each in wanted),
    )


def _natural(a: Side, b: Side) -> tuple[Series, ...]:
    both_data = all(side.record and side.record.series is Series.DATA for side in (a, b))
    return (Series.DATA,) if both_data else tuple(Series)


def _mismatches(record: VersionRecord, outs: Mapping[str, Out]) -> tuple[str, ...]:
    if record.manifest.version is None:
        return ()
    manifest = {out.path: out.oid for out in record.manifest.outs}
    pointers = {path: out.oid for path, out in outs.items() if out.oid}
    return tuple(change.path for change in compare_files(manifest, pointers))


def _committed(ws: Workspace, found: Found) -> Side:
    outs = outs_at(ws, found.commit)
    contents = {
        series: {
            path: content
            for path, out in in_series(outs, [series]).items()
            if (content := OutContent.named_by(out))
        }
        for series in Series
    }
    checkpoint = checkpoint_at(ws, found.commit) or Checkpoint()
    return Side(str(found), found.commit, found.record, checkpoint, contents)


def _here(ws: Workspace, progress: Progress | None, jobs: int | None) -> Side:
    """The worktree: its own content where it has some, the pointers' where files weren't pulled."""
    from cpvlib.managers.outs import outs_here

    contents: dict[Series, dict[str, OutContent]] = {series: {} for series in Series}
    changed = False
    for path, out in outs_here(ws).items():
        if out.series is None:
            continue
        found = ws.worktree.identify(path, progress=progress or Silent(), jobs=jobs)
        named = OutContent.named_by(out)
        if found is not None:
            contents[out.series][path] = OutContent(found.oid, found.size, found.nfiles, found.files)
            changed |= out.series is Series.MODEL and found.oid != out.oid
        elif named is not None:
            contents[out.series][path] = named
    return Side(WORKTREE, None, None, _facts_here(ws, changed), contents)


def _facts_here(ws: Workspace, changed: bool) -> Checkpoint:
    """What is known of the worktree's model: HEAD's facts while it is HEAD's model, else the log's."""
    from cpvlib.domain.metricslog import last_training_metrics
    from cpvlib.managers import metricslog

    head = ws.repo.head().commit
    committed = (checkpoint_at(ws, head) if head else None) or Checkpoint()
    if not changed:
        return committed
    with metricslog.opened(ws) as log:
        return Checkpoint(metrics=last_training_metrics(log) or {}, params=committed.params)


def _compare_series(
    ws: Workspace,
    series: Series,
    before: Mapping[str, OutContent],
    after: Mapping[str, OutContent],
) -> SeriesChange:
    """Outs of the same content are not looked into."""
    same = {path for path, out in after.items() if path in before and before[path].oid == out.oid}
    old = _files(ws, {path: out for path, out in before.items() if path not in same})
    new = _files(ws, {path: out for path, out in after.items() if path not in same})
    n_same = sum(_count(after[path]) for path in same)
    return SeriesChange(
        series,
        tuple(compare_files(old, new)),
        n_same + len(new),
        _total(before),
        _total(after),
        _new_bytes(ws, new_content(old, new), after),
    )


def _files(ws: Workspace, outs: Mapping[str, OutContent]) -> dict[str, str]:
    """Every file of the outs: path from the worktree's top to md5."""
    from cpvlib.managers.objects import listing_of

    files: dict[str, str] = {}
    for path, out in outs.items():
        if not out.oid.endswith(".dir"):
            files[path] = out.oid
            continue
        inside = listing_of(ws, out.entry).entries if out.entry else out.files or {}
        files.update({f"{path}/{name}": md5 for name, md5 in inside.items()})
    return files


def _count(out: OutContent) -> int:
    return 1 if out.nfiles is None else out.nfiles


def _total(outs: Mapping[str, OutContent]) -> int | None:
    sizes = [out.size for out in outs.values()]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _new_bytes(ws: Workspace, oids: Iterable[str], outs: Mapping[str, OutContent]) -> int | None:
    """Sizes come from pointers, else from the cache; the network is not asked for them."""
    told = {out.oid: out.size for out in outs.values()}
    total = 0
    for oid in oids:
        size = told.get(oid)
        if size is None:
            size = ws.cache.size(oid)
        if size is None:
            return None
        total += size
    return total
