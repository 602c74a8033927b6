"""push: snapshot what changed, store it, commit the pointers, publish.

The order is the promise. Contents go into the cache and to storage and are confirmed there; then the commit
is made and the branch moves; then the git remote learns of it. A push that stops anywhere leaves the step
before it whole, and typed again goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cpvlib.base.errors import CredentialError, GitError, RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.managers import absence, objects
from cpvlib.managers.destination import Publication, follow, is_published
from cpvlib.managers.history import store_history, succeed
from cpvlib.managers.pushplan import PushPlan, PushRequest
from cpvlib.managers.standing import State

if TYPE_CHECKING:
    from cpvlib.managers.pending import PendingVersion
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.commits import PreparedCommit
    from cpvlib.stores.worktree import Content


@dataclass(frozen=True)
class PushResult:
    """What a push did: `commit` is the branch's tip now, `created` whether this push made it.

    `versions` are those that `cpv.autotag` made; `reason` says why, or why there is none, '' where it had
    nothing to say.
    """

    plan: PushPlan
    commit: str | None
    created: bool
    stored: objects.Stored
    publication: Publication | None
    versions: tuple[PendingVersion, ...] = ()
    reason: str = ""

    @property
    def up_to_date(self) -> bool:
        published = self.publication is not None and self.publication.is_news
        return not (self.created or self.stored.n_sent or published)


def push(
    ws: Workspace, plan: PushPlan, request: PushRequest, *, progress: Progress | None = None
) -> PushResult:
    """Carries the plan out: store, confirm, commit, publish."""
    listener = progress or Silent()
    stored = objects.store(
        ws,
        [change.entry for change in plan.changes],
        sources=plan.sources,
        since=[change.before for change in plan.changes if change.before],
        check=request.check,
        progress=listener,
        jobs=request.jobs,
    )
    step("push:stored")
    prepared = None
    if plan.writes or request.also_tracked:
        from cpvlib.managers import landing

        prepared = landing.prepare(ws, plan, request)
    tip = prepared.commit if prepared else plan.tip
    if tip is None:
        raise RepositoryError("nothing to push: no out has any content yet", hint="git cpv status")
    store = partial(
        store_history,
        ws,
        plan.git_remote,
        tip,
        sources=plan.sources,
        progress=listener,
        jobs=request.jobs,
    )
    if prepared and prepared.parent and not (request.also_tracked or request.check):
        succeed(ws, prepared.parent, tip)
    history = store(check=request.check)
    step("push:prepared")
    versions, reason = _land(ws, plan, prepared, tip)
    step("push:landed")
    publication = _publish(ws, plan, tip, store)
    return PushResult(plan, tip, prepared is not None, stored + history, publication, versions, reason)


def _land(
    ws: Workspace, plan: PushPlan, prepared: PreparedCommit | None, tip: str
) -> tuple[tuple[PendingVersion, ...], str]:
    """The branch is at `tip` and the worktree in step with it: the versions that the gate made, and why it
    made them or none."""
    versions: tuple[PendingVersion, ...] = ()
    reason = ""
    if prepared:
        from cpvlib.managers import landing

        decision, reason = landing.decide(ws, plan, prepared)
        versions = landing.land(ws, plan, prepared, decision)
        reason = reason if versions or decision is None or decision.plan is None else ""
    elif not plan.in_place:
        _begin_branch(ws, plan.branch, tip)
    if plan.mends:
        from cpvlib.managers import landing

        landing.mend(ws, plan, tip)
    if plan.in_place:
        absence.settle(ws, _replaced(plan))
    return versions, reason


def _replaced(plan: PushPlan) -> dict[str, Content]:
    """Contents that are committed already, and in which files took the place of absent ones."""
    return {
        path: standing.content
        for path, standing in plan.standings.items()
        if standing.state is State.IN_STEP and standing.content and standing.content.replaced
    }


def _begin_branch(ws: Workspace, branch: str, tip: str) -> None:
    """A branch that is new and needs no commit of its own begins where the checkpoint is."""
    from cpvlib.stores.git.refs import RefUpdate, update_refs

    if ws.repo.resolve(f"refs/heads/{branch}") is None:
        update_refs(ws.repo, [RefUpdate(f"refs/heads/{branch}", tip)], f"branch: Created from {tip[:7]}")


def _publish(ws: Workspace, plan: PushPlan, tip: str, store: Callable[[], object]) -> Publication | None:
    if plan.git_remote is None:
        return None
    from cpvlib.managers.pending import ready

    versions = ready(ws, tip)
    if not versions and is_published(ws, plan.git_remote, plan.branch, tip):
        return Publication(plan.git_remote, plan.branch)
    from cpvlib.managers.publish import publish

    try:
        publication = publish(ws, plan.git_remote, plan.branch, versions, store=store)
    except (GitError, CredentialError) as error:
        if error.hint is None or "stored" not in error.hint:
            then = "what was committed is stored, and git cpv push publishes it then"
            error.hint = f"{error.hint or 'see to the git remote'}; {then}"
        raise
    follow(ws, plan.git_remote, plan.branch)
    return publication
