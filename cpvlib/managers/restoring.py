"""Bringing outs of the worktree to the content that a checkpoint names, losing nothing of the user's.

Everything is fetched into the cache and verified before the first file is touched; only files that differ are
touched; what only the worktree holds stops the whole, or is copied aside first where the user insists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cpvlib.base.errors import RepositoryError
from cpvlib.base.faults import step as step_done
from cpvlib.base.progress import Progress
from cpvlib.base.values import dataclass
from cpvlib.domain.text import listed
from cpvlib.managers import objects
from cpvlib.managers.standing import Standing

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Step:
    """One out to change: `target` None takes it away. `keep`: its content is nowhere else and is copied
    aside."""

    path: str
    target: OutEntry | None
    standing: Standing
    keep: bool = False


@dataclass(frozen=True)
class Restoration:
    """A plan: the outs to change, and the ones whose content already is what is wanted.

    `elsewhere` are outs that stay as they are: the storage isn't where their bytes belong, and the cache has
    none.
    """

    steps: tuple[Step, ...]
    in_step: Mapping[str, str]
    elsewhere: tuple[str, ...] = ()

    @property
    def entries(self) -> list[OutEntry]:
        return [step.target for step in self.steps if step.target is not None]


@dataclass(frozen=True)
class Restored:
    """What was done: outs changed, files touched in them, objects and bytes fetched, and where copies were
    kept."""

    paths: tuple[str, ...] = ()
    n_files: int = 0
    n_fetched: int = 0
    fetched_bytes: int = 0
    kept: Path | None = None


def plan_restoration(
    ws: Workspace,
    targets: Mapping[str, OutEntry | None],
    found: Mapping[str, Standing],
    *,
    force: bool = False,
    known: Collection[str] = (),
) -> Restoration:
    """Decides what has to change. `found` holds a standing for each path of `targets`.

    Raises RepositoryError, with every such path, where the worktree holds work that is saved nowhere, unless
    forced. `known` are contents that an interrupted run may have left, which are nobody's work.
    """
    steps, in_step, unsaved, elsewhere = [], {}, [], []
    for path, target in targets.items():
        standing = found[path]
        wanted = target.oid if target else None
        if standing.oid == wanted:
            if wanted is not None:
                in_step[path] = wanted
            continue
        if target is not None and not objects.at_hand(ws, target):
            elsewhere.append(path)
            continue
        lost = standing.state.has_own_content and not _is_known(ws, standing, {*known, wanted})
        if lost and not force:
            unsaved.append(path)
        steps.append(Step(path, target, standing, keep=lost))
    if unsaved:
        raise RepositoryError(
            f"{listed(unsaved)} changed here and would be overwritten",
            hint="git cpv push saves the changes as a checkpoint; --force keeps a copy aside and goes on",
        )
    objects.tell_elsewhere(ws, elsewhere)
    return Restoration(tuple(steps), in_step, tuple(elsewhere))


def carry_out(ws: Workspace, plan: Restoration, *, progress: Progress, jobs: int | None = None) -> Restored:
    """Touches the worktree: copies aside what must be kept, installs, removes. Objects must be in the
    cache."""
    _save_contents(ws, plan.steps)
    kept = _keep(ws, [step.path for step in plan.steps if step.keep])
    step_done("restore:saved")
    n_files = 0
    for nth, step in enumerate(plan.steps, 1):
        done = ws.worktree.install(
            step.path,
            step.target.oid if step.target else None,
            objects.cache_of(ws, step.target) if step.target else ws.cache,
            ws.settings.link_mode,
            was=_judged(step),
            isexec=step.target.isexec if step.target else False,
            progress=progress,
            jobs=jobs,
        )
        n_files += len(done.changes)
        step_done(f"restore:installed-{nth}")
    bases: dict[str, str | None] = {
        **plan.in_step,
        **{s.path: s.target.oid if s.target else None for s in plan.steps},
    }
    ws.bases.update(bases)
    step_done("restore:recorded")
    return Restored(tuple(step.path for step in plan.steps), n_files, kept=kept)


def _judged(step: Step) -> str | None:
    """The content that the plan was made for: what was written since, as while much was fetched, is the
    user's."""
    from cpvlib.stores.worktree import ANY

    target, found = step.target, step.standing
    same_md5 = bool(target and target.legacy) is bool(found.out.entry and found.out.entry.legacy)
    return found.oid if same_md5 else ANY


def fetch(
    ws: Workspace, plan: Restoration, *, progress: Progress, jobs: int | None = None
) -> tuple[int, int]:
    """Brings what the plan needs into the cache, verified; objects and bytes. The worktree is not touched."""
    return objects.fetch(ws, plan.entries, progress=progress, jobs=jobs)


def _is_known(ws: Workspace, standing: Standing, known: set[str | None]) -> bool:
    """Whether the content is one of `known`, or a folder that only mixes files of those, of its base and of
    its pointer: as an interrupted run leaves it."""
    content = standing.content
    if content is None or content.oid in known:
        return True
    if content.nfiles is None:
        return False
    pairs: set[tuple[str, str]] = set()
    for oid in {standing.base, standing.out.oid, *known}:
        listing = ws.cache.read_listing(oid) if oid is not None and oid.endswith(".dir") else None
        pairs.update(listing.entries.items() if listing else ())
    return all(pair in pairs for pair in content.files.items())


def _save_contents(ws: Workspace, steps: Iterable[Step]) -> None:
    """P3: what is about to be replaced is in the cache, or was proved at the storage; else it is put there
    now. So an interrupted run can be taken back."""
    for step in steps:
        content = step.standing.content
        if content is None or ws.confirmed.has(content.oid):
            continue
        if ws.cache.missing(content.files.values()):
            ws.worktree.snapshot(step.path, ws.cache, "copy")


def _keep(ws: Workspace, paths: list[str]) -> Path | None:
    if not paths:
        return None
    import time

    place = ws.repo.git_dir / "cpv" / "kept" / time.strftime("%Y%m%d-%H%M%S")
    ws.worktree.keep(paths, place)
    return place
