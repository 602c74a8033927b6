"""What a push would do, decided before it does any of it; or why it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series
from cpvlib.managers import absence, facts, marked
from cpvlib.managers.destination import destination
from cpvlib.managers.gathering import Change, Gathering
from cpvlib.managers.outs import LOG, Out, checkpoint_at, outs_at, outs_here, refuse_held_by_git
from cpvlib.managers.standing import Standing, State, standings

if TYPE_CHECKING:
    from cpvlib.domain.checkpoint import Checkpoint, Code, Number
    from cpvlib.domain.gate import Gate
    from cpvlib.managers.metricslog import LogThen
    from cpvlib.managers.tracking import TrackPlan
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.protocol import Source


@dataclass(frozen=True)
class PushRequest:
    """What the user asked of a push. `source` is the path of `--from`, whose content becomes the model, or
    the data where only data is pushed; `source_is_own` tells that it is a copy of the worktree's own file.

    `remove` are absent files and folders of outs that are to be no part of them any more. `metrics` and
    `params` are None where none were given: then the training's own log is asked. `code` is
    what the training started from, where somebody took it down then.
    """

    series: frozenset[Series] = frozenset(Series)
    source: Path | None = None
    source_is_own: bool = False
    message: str | None = None
    metrics: Mapping[str, Number] | None = None
    params: Mapping[str, Any] | None = None
    code: Code | None = None
    also_tracked: bool = False
    branch: str | None = None
    check: bool = False
    force: bool = False
    remove: tuple[str, ...] = ()
    jobs: int | None = None

    @property
    def source_series(self) -> Series:
        """The series that `source` is the content of."""
        return Series.DATA if self.series == {Series.DATA} else Series.MODEL


@dataclass(frozen=True)
class PushPlan:
    """All that a push would do, decided before it does any of it.

    `branch` is the one that gets the commit, `tip` its commit now (None: none yet), `in_place` whether it is
    the branch of the worktree. `checkpoint` is the new `checkpoint.json`, None where it stays. `sources` are
    the contents to store, by oid; empty in a dry run. `mends` are outs that did not change and whose pointers
    in the worktree are missing, or name nothing. `first_out` makes the out that `source` is the content of,
    where its series had none. `gate` is what `cpv.autotag` says, None for off.
    """

    branch: str
    tip: str | None
    in_place: bool
    changes: tuple[Change, ...]
    standings: Mapping[str, Standing]
    checkpoint: Checkpoint | None
    log: LogThen | None
    message: str
    git_remote: str | None
    sources: Mapping[str, Source] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    mends: tuple[Change, ...] = ()
    first_out: TrackPlan | None = None
    gate: Gate | None = None

    @property
    def writes(self) -> bool:
        """Whether pointers or facts change; with `also_tracked`, code alone may make a commit all the
        same."""
        return bool(self.changes) or self.checkpoint is not None

    @property
    def log_oid(self) -> str:
        """What the log will be."""
        return next(change.content.oid for change in self.changes if change.out.is_log)


def plan_push(
    ws: Workspace, request: PushRequest, *, dry_run: bool = False, progress: Progress | None = None
) -> PushPlan:
    """Decides the push. Contents are hashed and, unless in a dry run, put into the cache while they are read.

    Raises RepositoryError where the worktree is in no state to push from: detached, merging, behind its
    pointers, an out missing or unreadable.
    """
    branch, tip, in_place = _target(ws, request)
    gate = _gate(ws)
    git_remote = destination(ws)
    committed = outs_at(ws, tip) if tip else {}
    outs = _selected(ws, request)
    first_out = _first_out(ws, request, outs)
    facts.refuse_without_model(ws, request, outs.values())
    read = [out for out in outs.values() if not (request.source and out.series is request.source_series)]
    removed = _removed({out.path: out for out in read}, request)
    absence.prepare(ws, read, wanted=removed.keys(), dry_run=dry_run)
    gathered = Gathering(
        ws, request, committed, removed=removed, dry_run=dry_run, progress=progress or Silent()
    )
    found = standings(ws, read, read=gathered.read)
    _refuse(found, force=request.force)
    changes = gathered.changes(outs, found)
    refuse_held_by_git(ws, [change.out.path for change in changes], "push again")
    before = checkpoint_at(ws, tip) if tip else None
    decision = facts.decide(ws, request, _oids(outs, found, changes), committed, before)
    if decision.log is not None and not dry_run:
        changes = gathered.with_log(changes, outs[LOG], decision.log)
    return PushPlan(
        branch=branch,
        tip=tip,
        in_place=in_place,
        changes=tuple(changes),
        standings=found,
        checkpoint=decision.checkpoint,
        log=decision.log,
        message=request.message or facts.default_message([c.out for c in changes], decision.checkpoint),
        git_remote=git_remote,
        sources=gathered.sources,
        warnings=(*_oddities(changes, committed), *decision.warnings),
        mends=_mends(outs, found, committed) if in_place else (),
        first_out=first_out,
        gate=gate,
    )


def _target(ws: Workspace, request: PushRequest) -> tuple[str, str | None, bool]:
    """The branch that gets the commit, its tip, and whether it is the worktree's own."""
    ws.refuse_unfinished()
    marked.refuse(ws)
    head = ws.repo.head()
    if request.branch is not None and request.branch != head.branch:
        from cpvlib.stores.git.commits import check_branch

        check_branch(ws.repo, request.branch)
        return request.branch, ws.repo.resolve(f"refs/heads/{request.branch}") or head.commit, False
    if head.branch is None:
        raise RepositoryError(
            "HEAD is detached: a checkpoint committed here would belong to no branch",
            hint="git switch -c NAME, or push onto a branch with --branch NAME",
        )
    return head.branch, head.commit, True


def _gate(ws: Workspace) -> Gate | None:
    """What decides on automatic versions; None where they are off, which most pushes are quick to see."""
    if ws.settings.autotag == "off":
        return None
    from cpvlib.managers import gating

    return gating.load(ws)


def _selected(ws: Workspace, request: PushRequest) -> dict[str, Out]:
    with_log = Series.MODEL in request.series
    return {
        path: out
        for path, out in outs_here(ws).items()
        if out.series in request.series or (out.is_log and with_log)
    }


def _removed(outs: Mapping[str, Out], request: PushRequest) -> dict[str, list[str]]:
    """The paths of `--remove`, by the out that they lie in."""
    removed: dict[str, list[str]] = {}
    for path in request.remove:
        out = next((each for each in outs if path.startswith(f"{each}/")), None)
        if out is None:
            raise RepositoryError(
                f"'{path}' lies in no out",
                hint="git cpv untrack lets an out go; --remove takes files out of one",
            )
        removed.setdefault(out, []).append(path)
    return removed


def _first_out(ws: Workspace, request: PushRequest, outs: dict[str, Out]) -> TrackPlan | None:
    """Where `--from` is the first content that its series gets, the plan of an out for it, which joins
    `outs`."""
    series = request.source_series
    if request.source is None or any(out.series is series for out in outs.values()):
        return None
    from cpvlib.managers import tracking

    path = tracking.default_out(series, request.source)
    place = ws.top / path
    if place.exists() and not (request.source.exists() and place.samefile(request.source)):
        raise RepositoryError(
            f"no out belongs to the {series}, and '{path}' holds something else",
            hint=f"git cpv track --{series} PATH names one, then push again",
        )
    outs[path] = Out(path, series, f"{path}.dvc", None)
    return tracking.plan_track(ws, [path], series, commit=False)


def _refuse(found: Mapping[str, Standing], *, force: bool) -> None:
    for path, standing in found.items():
        if standing.state is State.BEHIND:
            raise RepositoryError(
                f"'{path}' is behind its pointer: a newer one was committed, "
                "and the file is still the old one",
                hint="git cpv pull",
            )
        if standing.state is State.CONFLICT and not force:
            raise RepositoryError(
                f"'{path}' changed here, and so did its pointer",
                hint="publish yours with git cpv push --force, or take theirs with git cpv pull --force "
                "(which keeps a copy of yours)",
            )
        if standing.state is State.MISSING:
            from shlex import quote

            untrack = "" if standing.out.is_log else f"; git cpv untrack {quote(path)} lets it go"
            raise RepositoryError(
                f"'{path}' is missing from the worktree", hint=f"git cpv pull brings it back{untrack}"
            )


def _oids(
    outs: Mapping[str, Out], found: Mapping[str, Standing], changes: Iterable[Change]
) -> dict[Out, str]:
    """What each out will name once this push is done."""
    oids = {out: found[path].oid if path in found else out.oid for path, out in outs.items()}
    oids |= {change.out: change.content.oid for change in changes}
    return {out: oid or out.oid or "" for out, oid in oids.items() if oid or out.oid}


def _oddities(changes: Iterable[Change], committed: Mapping[str, Out]) -> Iterator[str]:
    """What may be meant so, and is more often an accident of the training."""
    for change in changes:
        name, content, before = printable(change.out.path), change.content, committed.get(change.out.path)
        is_folder = content.nfiles is not None
        if before and before.entry and before.entry.is_dir != is_folder:
            now, then = ("a folder", "a file") if is_folder else ("a file", "a folder")
            yield f"'{name}' is {now} now, and was {then}"
        if not content.size and not content.nfiles and not change.out.is_log:
            yield f"'{name}' is empty"


def _mends(
    outs: Mapping[str, Out], found: Mapping[str, Standing], committed: Mapping[str, Out]
) -> tuple[Change, ...]:
    """Outs whose content is what is committed, and whose pointer in the worktree is another, or missing."""
    contents = {path: s.content for path, s in found.items() if path in committed}
    return tuple(
        Change(outs[path], content, content.oid)
        for path, content in contents.items()
        if content is not None and outs[path].oid != content.oid == committed[path].oid
    )
