"""Collecting the contents that a push records: hashed where they lie, and kept in the cache as they are
read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cpvlib.base.errors import RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.pointer import OutEntry
from cpvlib.domain.version import Series
from cpvlib.managers import absence, objects
from cpvlib.managers.outs import LOG, Out

if TYPE_CHECKING:
    from cpvlib.managers.metricslog import LogThen
    from cpvlib.managers.pushplan import PushRequest
    from cpvlib.managers.standing import Standing
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.reading import Reading
    from cpvlib.stores.storage.protocol import Source
    from cpvlib.stores.worktree import Content


@dataclass(frozen=True)
class Change:
    """An out that gets new content: `before` is what its pointer names at the branch's tip, None if it has
    none.

    `elsewhere` tells that the content came by `--from`, so that the worktree's own file is not what is
    recorded.
    """

    out: Out
    content: Content
    before: str | None
    elsewhere: bool = False

    @property
    def entry(self) -> OutEntry:
        before = self.out.entry or OutEntry(PurePosixPath(self.out.path).name, None)
        now = self.content
        return replace(before, oid=now.oid, size=now.size, nfiles=now.nfiles, isexec=now.isexec, legacy=False)


class Gathering:
    """One push's reading of the worktree, under the pointers that are `committed` at the branch's tip.

    `removed` are absent paths to take out of each out. Unless in a dry run, what changed goes into the cache
    while it is hashed; `sources` then has what the cache does not.
    """

    def __init__(
        self,
        ws: Workspace,
        request: PushRequest,
        committed: Mapping[str, Out],
        *,
        removed: Mapping[str, Sequence[str]],
        dry_run: bool,
        progress: Progress,
    ) -> None:
        self._ws = ws
        self._removed = removed
        self._request = request
        self._committed = committed
        self._dry_run = dry_run
        self._progress = progress
        self._uncached: dict[str, Source] = {}

    @property
    def sources(self) -> Mapping[str, Source]:
        """What may have to be stored and is not in the cache, by oid."""
        return self._uncached

    def read(self, out: Out) -> Content | None:
        """An out's content; one that is known to be what is committed is not read, nor looked for in the
        cache."""
        content = self._read(out)
        if content is None:
            return None
        if out.path in self._removed:
            content = absence.taken_out(content, out, self._removed[out.path])
            if not self._dry_run:
                absence.keep_listing(self._ws, content)
        return absence.weighed(self._ws, out.path, content)

    def _read(self, out: Out) -> Content | None:
        worktree, before = self._ws.worktree, self._before(out.path)
        if out.entry is not None and out.entry.legacy:  # named by DVC 2's md5, as its next content won't be
            progress, jobs = self._progress, self._request.jobs
            content = worktree.identify(out.path, legacy=True, progress=progress, jobs=jobs)
            is_same = content is None or content.oid == before
            return content if is_same else self._take(out.path, None)
        glance = worktree.glance(out.path)
        content = glance.known if glance else None
        if glance is None or (content is not None and content.oid == before):
            return content
        return self._take(out.path, None, glance)

    def changes(self, outs: Mapping[str, Out], found: Mapping[str, Standing]) -> list[Change]:
        """The outs whose content is not what the branch's tip names."""
        request = self._request
        given = _split_source(request.source, outs, request.source_series) if request.source else {}
        changes = []
        for path, out in outs.items():
            before = self._before(path)
            content = self._take(path, given[path]) if path in given else found[path].content
            if content is not None and content.oid != before:
                elsewhere = path in given and not request.source_is_own
                changes.append(Change(out, content, before, elsewhere))
        return changes

    def with_log(self, changes: list[Change], out: Out, log: LogThen) -> list[Change]:
        """The changes with `metrics.log` as it will be once its new line is written."""
        content = log.kept(self._ws)
        return [*(c for c in changes if not c.out.is_log), Change(out, content, self._before(out.path))]

    def _before(self, path: str) -> str | None:
        return self._committed[path].oid if path in self._committed else None

    def _take(self, path: str, source: Path | None, glance: Reading | None = None) -> Content | None:
        from cpvlib.stores.sources import ChangedWhileReadError

        try:
            return self._take_still(path, source, glance)
        except ChangedWhileReadError:
            if path != LOG:
                raise
            return self._take_growing_log()

    def _take_still(self, path: str, source: Path | None, glance: Reading | None) -> Content | None:
        from cpvlib.stores.state import first_time

        ws, progress, jobs = self._ws, self._progress, self._request.jobs
        ws.place(write=True)
        mode = ws.settings.cache_mode
        if self._dry_run:
            return ws.worktree.identify(path, source=source, progress=progress, jobs=jobs)
        if path == LOG and mode == "none":
            mode = "auto"  # one that grows would no longer be what was hashed when it is sent
        snapshot = ws.worktree.snapshot(
            path,
            ws.cache,
            mode,
            source=source,
            glance=glance,
            stored=self._stored(path),
            progress=progress,
            jobs=jobs,
        )
        step("push:gathered")
        self._uncached.update(snapshot.uncached)
        if snapshot.uncached and mode == "auto":
            progress.note(
                f"the disk is too short to keep a copy of '{path}' in the cache: stored from where it is"
            )
        elif snapshot.uncached and first_time(ws.repo.common_dir, "uncached"):
            progress.note("the cache keeps no copy (cpv.cache = none), which dvc status calls 'not in cache'")
        return replace(snapshot.content, seen={})  # no longer needed, and there may be many

    def _stored(self, path: str) -> Collection[str]:
        """What storage was proved to hold of the out as it is committed: the cache need not have it too."""
        before = self._before(path)
        if before is None or self._request.check:
            return frozenset()
        return objects.confirmed_before(self._ws, [before])

    def _take_growing_log(self) -> Content:
        """A training goes on writing its log while it is pushed: what is there at one moment is taken."""
        from cpvlib.managers.metricslog import LogThen

        place = self._ws.top / LOG
        log = LogThen(place, place.stat().st_size)
        return log.content() if self._dry_run else log.kept(self._ws)


def _split_source(source: Path, outs: Mapping[str, Out], series: Series) -> dict[str, Path]:
    """Which path gives each out of the series its content.

    Where the series is one out, it is `source` itself, or the file of the out's own name in it; where it is
    several, `source` is a folder that holds each under its own path or its bare name.
    """
    mine = [path for path, out in outs.items() if out.series is series]
    if not source.exists():
        raise RepositoryError(
            f"'{source}' does not exist", hint="--from names the file or folder that is to be recorded"
        )
    found = {path: _within(source, path) for path in mine}
    if len(mine) == 1:
        return {mine[0]: found[mine[0]] or source}
    missing = [path for path, place in found.items() if place is None]
    if missing:
        from shlex import quote

        raise RepositoryError(
            f"'{source}' holds no '{missing[0]}', which is an out of the {series}",
            hint=f"git cpv untrack {quote(missing[0])}, if the {series} no longer has it",
        )
    return {path: place for path, place in found.items() if place is not None}


def _within(source: Path, out_path: str) -> Path | None:
    for place in (source / out_path, source / PurePosixPath(out_path).name):
        if source.is_dir() and place.exists():
            return place
    return None
