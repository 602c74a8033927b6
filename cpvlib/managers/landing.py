"""The commit of a push: made of its plan, moved onto its branch, and settled in the worktree."""

from __future__ import annotations

from cpvlib.base.errors import CPVError, GitError
from cpvlib.base.faults import step
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.managers import absence
from cpvlib.managers.editing import ignoring, joined, pointer_edit, starting_from, then
from cpvlib.managers.outs import CHECKPOINT

if TYPE_CHECKING:
    from cpvlib.managers.gating import Decision
    from cpvlib.managers.pending import PendingVersion
    from cpvlib.managers.pushplan import PushPlan, PushRequest
    from cpvlib.managers.tagging import Written
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.commits import Edit, PreparedCommit


def prepare(ws: Workspace, plan: PushPlan, request: PushRequest) -> PreparedCommit | None:
    """The commit of what the plan writes, which no ref names yet; None where there is nothing to commit."""
    from cpvlib.stores.git import commits

    branch = None if plan.in_place else plan.branch
    return commits.prepare(
        ws.repo, _edits(plan), plan.message, branch=branch, also_tracked=request.also_tracked
    )


def _edits(plan: PushPlan) -> dict[str, Edit]:
    """The committed files that the plan changes: pointers, `checkpoint.json`, and for a new out its line in
    `.gitignore`."""
    changed: dict[str, Edit] = dict(plan.first_out.edits) if plan.first_out else {}
    for change in plan.changes:
        changed[change.out.pointer_path] = pointer_edit(change.out.pointer_path, change.entry)
    new = [change.out.path for change in plan.changes if change.before is None]
    changed = joined(changed, ignoring(new))
    if plan.checkpoint is not None:
        content = plan.checkpoint.render()
        changed[CHECKPOINT] = lambda _: content
    return changed


def decide(ws: Workspace, plan: PushPlan, prepared: PreparedCommit) -> tuple[Decision | None, str]:
    """What the gate says of the commit. It never stops the push: what goes wrong is told as its reason."""
    if plan.gate is None:
        return None, ""
    from cpvlib.managers import gating

    try:
        decision = gating.decide(ws, plan.gate, prepared.commit)
    except CPVError as error:
        return None, error.message
    return decision, decision.reason if decision else ""


def land(
    ws: Workspace, plan: PushPlan, prepared: PreparedCommit, decision: Decision | None
) -> tuple[PendingVersion, ...]:
    """Moves the branch, and with it in one transaction the version that the gate wants."""
    from cpvlib.managers.tagging import plan_tag, tag
    from cpvlib.stores.git import commits
    from cpvlib.stores.git.refs import RefMovedError

    if plan.log is not None:
        plan.log.apply(ws, plan.log_oid)
        step("push:logged")
    written = _write(ws, decision)
    versions = written.pending if written else ()
    with ws.dvc_lock():
        try:
            commits.land(ws.repo, prepared, written.updates if written else ())
        except RefMovedError:
            if written is None:
                raise
            commits.land(ws.repo, prepared)  # the number was taken, or the branch moved: then this says so
            versions = ()
    step("push:committed")
    if plan.in_place:
        absence.settle(ws, {c.out.path: c.content for c in plan.changes if not c.elsewhere})
        step("push:settled")
        ws.bases.update(
            {change.out.path: change.content.oid for change in plan.changes if not change.elsewhere}
        )
    if decision and decision.plan and written and not versions:
        _, again = tag(ws, plan_tag(ws, decision.request), decision.request)
        versions = tuple(again)
    return versions


def _write(ws: Workspace, decision: Decision | None) -> Written | None:
    """The version that the gate wants. One that can't be signed does not stop the push."""
    from cpvlib.managers.tagging import write_tags

    if decision is None or decision.plan is None:
        return None
    try:
        return write_tags(ws, decision.plan)
    except GitError as error:
        ws.note(f"no version: {error.message}")
        return None


def mend(ws: Workspace, plan: PushPlan, tip: str) -> None:
    """The worktree's pointers of those outs name their contents again."""
    from cpvlib.stores.git import commits, trees

    committed = trees.read_files(ws.repo, tip, [change.out.pointer_path for change in plan.mends])
    changed: dict[str, Edit] = {}
    for change in plan.mends:
        path = change.out.pointer_path
        edit = starting_from(committed.get(path), pointer_edit(path, change.entry))
        changed[path] = then(changed.get(path), edit)
    with ws.dvc_lock():
        commits.stage(ws.repo, changed)
    ws.bases.update({change.out.path: change.content.oid for change in plan.mends})
