"""pull: fetches the branch, and brings the worktree's outs to what it names.

Objects come first, all of them, verified; then git moves the branch, forward or to a merge; then the files
follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cpvlib.base.faults import step
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field, replace
from cpvlib.domain.version import Series
from cpvlib.managers import absence, choosing, fetching, joining, restoring, settling, signatures
from cpvlib.managers.choosing import Wish
from cpvlib.managers.outs import LOG, Out, outs_at, outs_here
from cpvlib.managers.restoreplan import Restoration, plan_restoration
from cpvlib.managers.standing import Standing, State, judge, standings

if TYPE_CHECKING:
    from cpvlib.domain.merging import Side
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class PullRequest:
    """What the user asked of a pull. `wish` is what is to come of large folders; with paths, which are outs,
    or lie in them or around them, only those outs are pulled. `prefer` settles conflicts, 'ours' being the
    branch that is checked out."""

    series: frozenset[Series] = frozenset(Series)
    wish: Wish = field(default_factory=Wish)
    force: bool = False
    jobs: int | None = None
    prefer: Side | None = None


@dataclass(frozen=True)
class PullPlan:
    """`way` says where the branch goes; `left` are the outs whose changes stay as they are; `log_union` is
    the other side's `metrics.log` where both changed it: it becomes the union of its lines. `clashes` are
    tags that name something else at the git remote than here, and were left as they are here; `taken` those
    of them that are pending, whose number somebody else was first with. `settling`, instead of a
    way, ends what a merge or the like of git's left in conflict."""

    git_remote: str | None
    way: joining.Way
    restoration: Restoration
    left: tuple[str, ...]
    log_union: OutEntry | None = None
    clashes: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    settling: settling.Settling | None = None

    @property
    def commit(self) -> str | None:
        return self.way.commit

    @property
    def n_commits(self) -> int:
        return self.way.n_commits

    @property
    def brings(self) -> bool:
        """Whether the worktree's outs follow now, and not when the user has ended a merge or the like."""
        code = self.way.join.code if self.way.join else ()
        return not code and (self.settling is None or self.settling.going_on is None)

    @property
    def coming(self) -> Restoration:
        """What changes in the worktree now."""
        return self.restoration if self.brings else Restoration((), {})

    @property
    def moves(self) -> bool:
        """Whether anything but outs changes."""
        return self.commit is not None or self.settling is not None

    @property
    def moved(self) -> list[str]:
        """Published versions, and settings of aliases, that are others at the git remote."""
        return [name for name in self.clashes if name not in self.taken]


@dataclass(frozen=True)
class PullResult:
    plan: PullPlan
    restored: restoring.Restored

    @property
    def up_to_date(self) -> bool:
        return not (self.plan.moves or self.restored.paths or self.plan.log_union)


def plan_pull(
    ws: Workspace, request: PullRequest, *, dry_run: bool = False, progress: Progress | None = None
) -> PullPlan:
    """Fetches from the git remote and decides. Raises RepositoryError for work that would be overwritten, and
    for conflicts between two histories that no side is preferred for."""
    held = settling.plan_settling(ws, request.prefer)
    if held is not None:
        if held.going_on is not None:
            return PullPlan(None, joining.Way(None), Restoration((), {}), (), settling=held)
        before, after = (outs_here(ws, files) for files in (held.before, held.files))
        theirs = ws.repo.resolve("MERGE_HEAD") if held.operation == "merge" else None
        restoration, left, union = _plan_outs(ws, request, before, after, theirs, dry_run, progress)
        return PullPlan(None, joining.Way(None), restoration, left, union, settling=held)
    ws.refuse_unfinished()
    git_remote, theirs, clashes = _fetch(ws, dry_run)
    way = joining.plan_way(ws, theirs, named=_named(ws, git_remote), prefer=request.prefer)
    before = outs_here(ws, _unmarked(ws, way))
    after = before if way.commit is None else _moved(ws, before, way.start, way.commit)
    coming = way.join.theirs if way.join else None
    restoration, left, union = _plan_outs(ws, request, before, after, coming, dry_run, progress)
    taken = _pending(ws) & set(clashes) if clashes else ()
    return PullPlan(git_remote, way, restoration, left, union, tuple(clashes), tuple(sorted(taken)))


def _plan_outs(
    ws: Workspace,
    request: PullRequest,
    before: Mapping[str, Out],
    after: Mapping[str, Out],
    theirs: str | None,
    dry_run: bool,
    progress: Progress | None,
) -> tuple[Restoration, tuple[str, ...], OutEntry | None]:
    """What changes in the worktree, the outs whose changes stay, and the log to unite with the one here. Of a
    merge, `theirs` is what comes, and has to be signed where that is asked; the merge itself can't be."""
    outs = _selected(after, request)
    judged = _judged_here(outs, before)
    absence.prepare(ws, judged, dry_run=dry_run)
    found = standings(ws, judged, progress=progress, jobs=request.jobs)
    everything = outs.keys() == after.keys()
    choice = choosing.decided(ws, request.wish, outs, found, everything=everything)
    left = [path for path, s in found.items() if _stays(s, outs[path]) and not request.force]
    union = outs[LOG].entry if LOG in outs and _both_logged(found.get(LOG), outs[LOG]) else None
    targets = {
        path: out.entry
        for path, out in outs.items()
        if out.oid is not None and path not in left and not (union and path == LOG)
    }
    restoration = plan_restoration(ws, targets, found, force=request.force, choice=choice)
    arriving = [each.path for each in restoration.steps]
    if arriving and ws.settings.require_signed:
        signatures.require_of(ws, outs_at(ws, theirs) if theirs else after, arriving)
    return restoration, tuple(left), union


def pull(
    ws: Workspace, plan: PullPlan, request: PullRequest, *, progress: Progress | None = None
) -> PullResult:
    """Carries the plan out. Where git itself leaves code in conflict, all but the outs is in place: see
    `refuse_code`."""
    listener = progress or Silent()
    logs = [plan.log_union] if plan.log_union else []
    coming = fetching.fetched(ws, plan.restoration, more=logs, progress=listener, jobs=request.jobs)
    with coming as fetched:
        step("pull:fetched")
        if plan.settling is not None:
            settling.settle(ws, plan.settling)
        elif plan.commit is not None:
            joining.go(ws, plan.way)
            step("pull:forwarded")
        if not plan.brings:
            return PullResult(plan, fetched)
        with ws.dvc_lock():
            restored = restoring.carry_out(
                ws, plan.restoration, fetched, progress=listener, jobs=request.jobs
            )
            if plan.log_union is not None:
                _unite_logs(ws, plan.log_union)
    return PullResult(plan, restored)


def refuse_code(plan: PullPlan) -> None:
    """Raises GitError where a merge waits for the user to settle code."""
    join = plan.way.join
    code, operation = (join.code, "merge") if join else ((), None)
    if plan.settling is not None:
        code, operation = plan.settling.code, plan.settling.operation
    if code:
        raise settling.in_code(code, operation)


def _named(ws: Workspace, git_remote: str | None) -> tuple[str, str]:
    """The git remote and the branch there that is merged, for people."""
    from cpvlib.stores.git import remotes

    upstream = remotes.upstream(ws.repo)
    return git_remote or "", upstream[1].removeprefix("refs/heads/") if upstream else ""


def _unmarked(ws: Workspace, way: joining.Way) -> dict[str, bytes | None]:
    """What committed files that somebody left in conflict are before the branch goes its way."""
    from cpvlib.stores.git import trees

    if not way.settled or way.start is None:
        return {}
    return {**trees.read_files(ws.repo, way.start, way.settled)}


def _fetch(ws: Workspace, dry_run: bool) -> tuple[str | None, str | None, list[str]]:
    """The git remote, the tip of the upstream branch there (None: the branch follows nothing), and the
    versions that are something else there than here."""
    from cpvlib.stores.git import remotes

    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote)
    if git_remote is None:
        return None, None, []
    upstream = remotes.upstream(ws.repo)
    if dry_run:
        wanted = [upstream[1]] if upstream else []
        remotes.fetch_objects(ws.repo, git_remote, wanted)
        tips = remotes.ls_remote(ws.repo, git_remote, wanted) if wanted else {}
        return git_remote, tips.get(wanted[0]) if wanted else None, []
    clashes = remotes.fetch(ws.repo, git_remote, [*_branches(ws, git_remote), *_versions(ws)])
    _note_moved(ws, git_remote, clashes)
    return git_remote, ws.repo.resolve("@{upstream}") if upstream else None, clashes


def _note_moved(ws: Workspace, git_remote: str, clashes: Sequence[str]) -> None:
    """Keeps what the git remote has under names that are published, for git cpv status to tell."""
    from cpvlib.managers import moved
    from cpvlib.stores.git import remotes

    others = set(clashes) - _pending(ws) if clashes else set()
    tags = [f"refs/tags/{name}" for name in others]
    there = remotes.ls_remote(ws.repo, git_remote, tags) if tags else {}
    moved.note(ws, {ref.removeprefix("refs/tags/"): oid for ref, oid in there.items()}, whole=True)


def _pending(ws: Workspace) -> set[str]:
    from cpvlib.managers.pending import waiting

    return {str(each.name) for each in waiting(ws)}


def fetch_versions(ws: Workspace) -> bool:
    """Asks the git remote for its branches and versions; False where there is none to ask."""
    from cpvlib.stores.git import remotes

    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote)
    if git_remote is None:
        return False
    remotes.fetch(ws.repo, git_remote, [*_branches(ws, git_remote), *_versions(ws)])
    return True


def _branches(ws: Workspace, git_remote: str) -> list[str]:
    """What a plain `git fetch` would fetch: naming tags as well leaves it out otherwise."""
    return ws.repo.config.get_all(f"remote.{git_remote}.fetch")


def _versions(ws: Workspace) -> list[str]:
    names = [f"{ws.settings.tag_prefix}{kind}*" for kind in ("v", "data/v", "alias/")]
    return [f"refs/tags/{name}:refs/tags/{name}" for name in names]


def _moved(ws: Workspace, here: Mapping[str, Out], start: str | None, commit: str) -> dict[str, Out]:
    """The outs once the branch is at `commit`: what it changed counts, what is edited here and was not
    touched there stays. Git itself refuses where one pointer was both edited here and moved there."""
    before = outs_at(ws, start) if start else {}
    after = outs_at(ws, commit)
    same = {path for path, out in here.items() if path in before and after.get(path) == before[path]}
    untracked = {path: out for path, out in here.items() if path not in before and path not in after}
    return {**{path: here[path] for path in here if path in same}, **untracked} | {
        path: out for path, out in after.items() if path not in same
    }


def _selected(outs: Mapping[str, Out], request: PullRequest) -> dict[str, Out]:
    chosen = {
        path: out
        for path, out in outs.items()
        if out.series is None or out.series in request.series
        if out.series is not None or Series.MODEL in request.series
    }
    return choosing.selected(chosen, request.wish.paths) if request.wish.paths else chosen


def _judged_here(outs: Mapping[str, Out], here: Mapping[str, Out]) -> list[Out]:
    """The outs under the pointers that the worktree has now: what is changed is changed against those."""
    return [here.get(path, replace(out, entry=None)) for path, out in outs.items()]


def _stays(standing: Standing, target: Out) -> bool:
    """Whether the user's change stands against a pointer that did not move: then there is nothing to pull."""
    if standing.state is State.NEW:
        return target.oid is None
    return standing.state is State.MODIFIED and target.oid == standing.out.oid


def _both_logged(standing: Standing | None, target: Out) -> bool:
    if standing is None or standing.oid is None or target.oid is None:
        return False
    return judge(standing.oid, target.oid, standing.base) is State.CONFLICT or (
        standing.state is State.NEW and standing.oid != target.oid
    )


def _unite_logs(ws: Workspace, theirs: OutEntry) -> None:
    from cpvlib.stores.files import replacing
    from cpvlib.stores.logunion import union
    from cpvlib.stores.sources import unchanging

    assert theirs.oid is not None
    path = ws.top / LOG
    with ws.cache.path(theirs.oid).open("rb") as before, replacing(path) as united, unchanging(path) as ours:
        union(before, ours, united, ws.repo.git_dir)
    ws.bases.update({LOG: theirs.oid})
