"""revert: brings a version back as a new commit on top of the history, which stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from cpvlib.base.errors import CheckpointNotFoundError, NegativeAnswer, RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.packed import differing
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain import cpvconfig
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series
from cpvlib.managers import fetching, objects, restoring, resuming, signatures
from cpvlib.managers.editing import pointer_edit
from cpvlib.managers.outs import CHECKPOINT, Out, in_series, outs_at, outs_here
from cpvlib.managers.restoreplan import Restoration, plan_restoration
from cpvlib.managers.standing import standings
from cpvlib.managers.versions import Found, Tags, VersionRecord

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.commits import Edit
    from cpvlib.stores.journal import Entry


@dataclass(frozen=True)
class RevertRequest:
    """What the user asked of a revert. `branch`: commit onto that branch and leave the worktree alone."""

    version: str
    series: frozenset[Series] = frozenset({Series.MODEL})
    branch: str | None = None
    force: bool = False
    jobs: int | None = None


@dataclass(frozen=True)
class RevertPlan:
    """`edits` are the committed files that change; `undo` is the VERSION that names what is there now."""

    found: Found
    name: str
    undo: str
    restoration: Restoration
    edits: Mapping[str, Edit]
    n_files: int
    message: str
    tip: str

    @property
    def commits(self) -> bool:
        return bool(self.edits)


@dataclass(frozen=True)
class RevertResult:
    """`commit` is None where none was made: only staged, or only files of the worktree had to change."""

    plan: RevertPlan
    commit: str | None
    restored: restoring.Restored


def plan_revert(ws: Workspace, request: RevertRequest, *, progress: Progress | None = None) -> RevertPlan:
    """Decides the revert. Raises NegativeAnswer where the version is what is there already, RepositoryError
    where work that is saved nowhere would be overwritten. An interrupted revert to the same version is gone
    on with."""
    ws.refuse_unfinished_git()
    tip = _tip(ws, request)
    tags = Tags(ws)
    found, name, target = _resolve(ws, tags, request)
    signatures.require(ws, found, target)
    known = resuming.left_over(ws, found.commit, request)
    current = in_series(outs_at(ws, tip), request.series)
    edits = _edits(current, target)
    if Series.MODEL in request.series:
        edits |= _facts_edit(ws, tip, found.commit)
    restoration = Restoration((), {})
    if request.branch is None:
        restoration = _restoration(ws, request, target, known, progress)
    if not edits and not restoration.steps:
        raise _already_there(tags, found, name)
    changed = [path for path in current.keys() | target.keys() if _oid(current, path) != _oid(target, path)]
    return RevertPlan(
        found=found,
        name=name,
        undo=_undo(tags, request, current, tip),
        restoration=restoration,
        edits=edits,
        n_files=sum(_n_differing(ws, current.get(path), target.get(path)) for path in changed),
        message=f"Revert {_words(request.series)} to {name}",
        tip=tip,
    )


def resume(
    ws: Workspace,
    entry: Entry,
    *,
    force: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> RevertResult | None:
    """Goes on with an interrupted revert; None where the branch had moved already, and only its record was
    left. `force` as in a RevertRequest."""
    if resuming.is_landed(ws, entry):
        resuming.settle(ws, entry)
        return None
    request = RevertRequest(entry.commit, frozenset(map(Series, entry.series)), force=force, jobs=jobs)
    plan = plan_revert(ws, request, progress=progress)
    return revert(ws, plan, request, commit=entry.made, progress=progress)


def unpublished(ws: Workspace, request: RevertRequest) -> str | None:
    """The tip of the branch that a revert would go onto, where the git remote does not have it."""
    from cpvlib.managers.destination import destination, is_published

    tip, git_remote = _tip(ws, request), destination(ws)
    branch = request.branch or ws.repo.head().branch
    if git_remote is None or branch is None or is_published(ws, git_remote, branch, tip):
        return None
    return tip


def revert(
    ws: Workspace,
    plan: RevertPlan,
    request: RevertRequest,
    *,
    commit: bool = True,
    progress: Progress | None = None,
) -> RevertResult:
    """Carries the plan out; without `commit` the pointers are only staged."""
    from cpvlib.stores.git import commits

    listener = progress or Silent()
    coming = fetching.fetched(ws, plan.restoration, progress=listener, jobs=request.jobs)
    with coming as fetched:
        step("revert:fetched")
        prepared = None
        if plan.commits and commit:
            prepared = commits.prepare(ws.repo, plan.edits, plan.message, branch=request.branch)
        with ws.dvc_lock(), resuming.way_on_told(ws):
            if request.branch is None:
                resuming.begin(ws, plan, request, made=commit)
                step("revert:begun")
            restored = restoring.carry_out(
                ws, plan.restoration, fetched, progress=listener, jobs=request.jobs
            )
            if prepared is not None:
                commits.land(ws.repo, prepared)
            elif plan.commits:
                commits.stage(ws.repo, plan.edits)
            step("revert:landed")
            if request.branch is None:
                ws.journal.end()
    return RevertResult(plan, prepared.commit if prepared else None, restored)


def detach(
    ws: Workspace, request: RevertRequest, *, dry_run: bool = False, progress: Progress | None = None
) -> RevertResult:
    """Checks out the version's own commit, with its code and both series, on a detached HEAD."""
    from cpvlib.stores.git import remotes

    ws.refuse_unfinished()
    listener = progress or Silent()
    found, name, _ = _resolve(ws, Tags(ws), request)
    target = outs_at(ws, found.commit)
    signatures.require(ws, found, target)
    wanted = {path: out.entry for path, out in target.items() if out.listed}
    stands = standings(ws, _here(ws, wanted), progress=listener, jobs=request.jobs)
    plan = plan_restoration(ws, wanted, stands, force=request.force)
    head = ws.repo.head()
    back = head.branch or head.commit or "HEAD"
    revert_plan = RevertPlan(found, name, back, plan, {}, 0, "", head.commit or found.commit)
    if dry_run:
        return RevertResult(revert_plan, None, restoring.Restored())
    with fetching.fetched(ws, plan, progress=listener, jobs=request.jobs) as fetched:
        remotes.checkout_detached(ws.repo, found.commit)
        with ws.dvc_lock():
            restored = restoring.carry_out(ws, plan, fetched, progress=listener, jobs=request.jobs)
    return RevertResult(revert_plan, None, restored)


def _tip(ws: Workspace, request: RevertRequest) -> str:
    head = ws.repo.head()
    if request.branch is not None and request.branch != head.branch:
        from cpvlib.stores.git.commits import check_branch

        check_branch(ws.repo, request.branch)
        tip = ws.repo.resolve(f"refs/heads/{request.branch}") or head.commit
    else:
        tip = head.commit
        if head.branch is None:
            raise RepositoryError(
                "HEAD is detached: the revert would belong to no branch",
                hint="git switch -c NAME, or git cpv revert --detach to look at a version without a commit",
            )
    if tip is None:
        raise RepositoryError(
            "there are no commits yet, so there is nothing to revert to", hint="git cpv push"
        )
    return tip


def _resolve(ws: Workspace, tags: Tags, request: RevertRequest) -> tuple[Found, str, dict[str, Out]]:
    """The commit that the user means, its name in messages, and its outs of the wanted series."""
    series = next(iter(request.series)) if len(request.series) == 1 else None
    found = tags.find(request.version, series)
    if series is None:
        _check_both_halves(tags, request, found)
    target = in_series(outs_at(ws, found.commit), request.series)
    for wanted in request.series:
        if not any(out.series is wanted for out in target.values()):
            raise CheckpointNotFoundError(
                f"'{printable(request.version)}' names no {wanted}",
                hint=f"git cpv list --{wanted} shows what does",
            )
    name = str(found.record.version) if found.record else found.commit[:7]
    return found, name, target


def _check_both_halves(tags: Tags, request: RevertRequest, found: Found) -> None:
    """A combined revert brings back one commit's model and data; two halves on two commits are not one
    version."""
    if found.record is None:
        return
    other = Series.DATA if found.record.series is Series.MODEL else Series.MODEL
    twins = [r for r in tags.versions([other]) if r.version == found.record.version]
    if twins and twins[0].commit != found.commit:
        raise CheckpointNotFoundError(
            f"'{printable(request.version)}' is not a combined version: "
            "its model and its data are on two commits",
            hint=f"git cpv revert {found.record.version}, then git cpv revert --data {found.record.version}",
        )


def _restoration(
    ws: Workspace,
    request: RevertRequest,
    target: Mapping[str, Out],
    known: Collection[str],
    progress: Progress | None,
) -> Restoration:
    here = in_series(outs_here(ws), request.series)
    wanted = {
        path: target[path].entry if path in target else None
        for path in [*target, *(here.keys() - target.keys())]
    }
    stands = standings(ws, _here(ws, wanted), progress=progress, jobs=request.jobs)
    return plan_restoration(ws, wanted, stands, force=request.force, known=known)


def _here(ws: Workspace, paths: Iterable[str]) -> list[Out]:
    here = outs_here(ws)
    return [here.get(path) or Out(path, None, f"{path}.dvc", None) for path in paths]


def _edits(current: Mapping[str, Out], target: Mapping[str, Out]) -> dict[str, Edit]:
    """Pointers, and `.cpvconfig` where the outs themselves changed."""
    edits: dict[str, Edit] = {}
    for path, out in target.items():
        if out.entry is not None and out.oid != _oid(current, path):
            edits[out.pointer_path] = pointer_edit(out.pointer_path, out.entry)
    for path, out in current.items():
        if path not in target:
            edits[out.pointer_path] = _removal(out, current)
    if current.keys() != target.keys():
        edits[cpvconfig.FILE] = partial(_outs_as_then, current=current, target=target)
    return edits


def _facts_edit(ws: Workspace, tip: str, commit: str) -> dict[str, Edit]:
    """The `checkpoint.json` of `commit`, where `tip` has another."""
    from cpvlib.stores.git import trees

    then = trees.read_file(ws.repo, commit, CHECKPOINT)
    if then is None or then == trees.read_file(ws.repo, tip, CHECKPOINT):
        return {}
    return {CHECKPOINT: lambda _: then}


def _removal(out: Out, current: Mapping[str, Out]) -> Edit:
    if any(other.pointer_path == out.pointer_path and other is not out for other in current.values()):
        raise RepositoryError(
            f"'{out.path}' can't be removed: its pointer '{out.pointer_path}' names other outs too",
            hint="give each out a pointer of its own: dvc add PATH",
        )
    return lambda _: None


def _outs_as_then(
    before: bytes | None, *, current: Mapping[str, Out], target: Mapping[str, Out]
) -> bytes | None:
    text = before
    if text is None:
        return None
    for series in Series:
        gone = [path for path, out in current.items() if path not in target and out.series is series]
        came = [path for path, out in target.items() if path not in current and out.series is series]
        text = cpvconfig.remove_values(text, f"cpv.{series}.out", *gone, *came)
        text = cpvconfig.add_values(text, f"cpv.{series}.out", *came)
    return text


def _oid(outs: Mapping[str, Out], path: str) -> str | None:
    return outs[path].oid if path in outs else None


def _n_differing(ws: Workspace, now: Out | None, then: Out | None) -> int:
    """Files that differ between two contents of an out: 1 for a file, by listings for folders."""
    if not any(out and out.entry and out.entry.is_dir for out in (now, then)):
        return 1
    before, after = (
        objects.listing_of(ws, out.entry).entries if out and out.entry and out.entry.is_dir else {}
        for out in (now, then)
    )
    return sum(1 for _ in differing(before, after))


def _words(series: frozenset[Series]) -> str:
    return " and ".join(str(s) for s in Series if s in series)


def _undo(tags: Tags, request: RevertRequest, current: Mapping[str, Out], tip: str) -> str:
    """The version that names what is there now, else the commit."""
    record = _naming(tags, request.series, current)
    return str(record.version) if record else tip[:7]


def _naming(tags: Tags, series: frozenset[Series], outs: Mapping[str, Out]) -> VersionRecord | None:
    wanted = {path: out.oid for path, out in outs.items()}
    first = next(s for s in Series if s in series)
    if len(series) > 1:
        wanted = {path: out.oid for path, out in outs.items() if out.series is first}
    oids = [oid for oid in wanted.values() if oid]
    for record in reversed(tags.versions([first])):
        if not all(oid in record.message for oid in oids):
            continue  # before its manifest is read: there may be ten thousand
        if {out.path: out.oid for out in record.manifest.outs} == wanted:
            return record
    return None


def _already_there(tags: Tags, found: Found, name: str) -> NegativeAnswer:
    earlier = None
    if found.record is not None:
        records = tags.versions([found.record.series])
        earlier = max((r.version for r in records if r.version < found.record.version), default=None)
    tail = f"; the one before is {earlier}" if earlier else ""
    return NegativeAnswer(f"this is {name}{tail}")
