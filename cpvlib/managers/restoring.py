"""Bringing outs of the worktree to the content that a checkpoint names, losing nothing of the user's.

Everything is fetched into the cache and verified before the first file is touched (`fetching.py`); only files
that differ are touched; what only the worktree holds stops the whole (`restoreplan.py`), or is copied aside
first where the user insists.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cpvlib.base.faults import step as step_done
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.oids import Oids
from cpvlib.managers import absence, generation, objects
from cpvlib.managers.pickling import NO_PICKLES, Pickles
from cpvlib.managers.restoreplan import Fill, Restoration, Step, files_to_change

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Restored:
    """What was done: outs changed, files touched in them, objects and bytes fetched, where copies were kept,
    and what was found in the pickles that came."""

    paths: tuple[str, ...] = ()
    n_files: int = 0
    n_fetched: int = 0
    fetched_bytes: int = 0
    kept: Path | None = None
    pickles: Pickles = NO_PICKLES


def carry_out(
    ws: Workspace,
    plan: Restoration,
    fetched: Restored,
    *,
    progress: Progress,
    jobs: int | None = None,
) -> Restored:
    """Touches the worktree: copies aside what must be kept, installs, removes. Objects must be in the cache:
    `fetched` is what brought them."""
    _save_contents(ws, plan.steps)
    kept = _keep(ws, [step.path for step in plan.steps if step.keep])
    step_done("restore:saved")
    ws.partials.update({}, choice=plan.choice)
    n_files = 0
    for nth, step in enumerate(plan.steps, 1):
        n_files += _install(ws, step, progress, jobs)
        step_done(f"restore:installed-{nth}")
        record = absence.recorded(ws, step.path, step.target, step.absent) if step.target else None
        ws.partials.update({step.path: record})
    for nth, fill in enumerate(plan.fills, len(plan.steps) + 1):
        n_files += _fill_in(ws, fill, progress, jobs)
        step_done(f"restore:installed-{nth}")
    absence.settle(ws, {path: absence.weighed(ws, path, each) for path, each in plan.replaced.items()})
    bases: dict[str, str | None] = {
        **plan.in_step,
        **{s.path: s.target.oid if s.target else None for s in plan.steps},
    }
    ws.bases.update(bases)
    step_done("restore:recorded")
    return replace(fetched, paths=tuple(plan.paths), n_files=n_files, kept=kept)


def _install(ws: Workspace, step: Step, progress: Progress, jobs: int | None) -> int:
    """Brings one out to its target; how many files were touched."""
    path, target = step.path, step.target
    is_new_folder = step.standing.content is None and target is not None and target.is_dir
    was = _judged(step)
    if target is not None and is_new_folder and not target.legacy:
        absence.begin(ws, path, target)
        was = target.oid
        step_done("restore:begun")
    done = ws.worktree.install(
        path,
        target.oid if target else None,
        objects.cache_of(ws, target) if target else ws.cache,
        ws.settings.link_mode,
        was=was,
        found=step.standing.content if was == step.standing.oid else None,
        isexec=target.isexec if target else False,
        only=None if not step.absent else lambda relpath: relpath not in step.absent,
        progress=progress,
        jobs=jobs,
    )
    return done.n_changes


def _fill_in(ws: Workspace, fill: Fill, progress: Progress, jobs: int | None) -> int:
    """Brings absent files to a folder that stays what it is; how many."""
    link = ws.settings.link_mode
    done = ws.worktree.fill(fill.path, fill.files, ws.cache, link, progress=progress, jobs=jobs)
    absence.filled(ws, fill.path, fill.content, fill.absent)
    return done.n_changes


def _judged(step: Step) -> str | None:
    """The content that the plan was made for: what was written since, as while much was fetched, is the
    user's."""
    from cpvlib.stores.worktree import ANY

    target, found = step.target, step.standing
    same_md5 = bool(target and target.legacy) is bool(found.out.entry and found.out.entry.legacy)
    return found.oid if same_md5 else ANY


def _save_contents(ws: Workspace, steps: Iterable[Step]) -> None:
    """P3: what is about to be replaced is in the cache, or was proved at the storage, and still counts there;
    else it is put into the cache now. So an interrupted run can be taken back."""
    for step in steps:
        content = step.standing.content
        if content is None:
            continue
        moving, here = files_to_change(ws, step), content.here
        files = here.values() if moving is None else [here[path] for path in moving if path in here]
        needed = Oids(files)
        needed.add(content.oid)
        if not ws.cache.missing(needed):
            continue
        if not generation.vouches(ws, content.oid):
            ws.worktree.snapshot(step.path, ws.cache, "copy")


def _keep(ws: Workspace, paths: list[str]) -> Path | None:
    if not paths:
        return None
    import time

    place = ws.repo.git_dir / "cpv" / "kept" / time.strftime("%Y%m%d-%H%M%S")
    ws.worktree.keep(paths, place)
    return place
