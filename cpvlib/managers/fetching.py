"""What a restoration needs, in the cache and verified before the first file of the worktree is touched."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager

from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.blocks import WORTH_BYTES
from cpvlib.domain.oids import Oids
from cpvlib.managers import objects
from cpvlib.managers.pickling import NO_PICKLES, look_at_plan
from cpvlib.managers.restoreplan import Restoration, Step, files_to_change
from cpvlib.managers.restoring import Restored

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.spares import Spares


@contextmanager
def fetched(
    ws: Workspace,
    plan: Restoration,
    *,
    more: Iterable[OutEntry] = (),
    progress: Progress,
    jobs: int | None = None,
    look: bool = True,
) -> Iterator[Restored]:
    """Brings what the plan needs, and `more`, into the cache, verified; tells what came. The worktree is not
    touched, but what large objects are to be there may be on its disk, without names, while this is open.

    Raises RepositoryError for a pickle that `cpv.pickle` refuses, unless there is nothing to `look` for: what
    comes back was here before.
    """
    ws.cache.spares = spares = _spares(ws, plan)
    try:
        n_fetched, fetched_bytes = objects.fetch(
            ws,
            [*plan.entries, *more],
            without=_unwritten(ws, plan.steps),
            files=Oids(md5 for fill in plan.fills for md5 in fill.files.values()),
            progress=progress,
            jobs=jobs,
        )
        pickles = look_at_plan(ws, plan, progress) if look else NO_PICKLES
        yield Restored(n_fetched=n_fetched, fetched_bytes=fetched_bytes, pickles=pickles)
    finally:
        ws.cache.spares = None
        if spares is not None:
            spares.close()


def _spares(ws: Workspace, plan: Restoration) -> Spares | None:
    """Where what arrives is to be copied into the worktree. What the cache needs comes first, with what may
    have to be saved and kept, and with the copy of one out for which no other is left."""
    sizes = [entry.size for entry in plan.entries if entry.size is not None]
    if ws.settings.link_mode != "copy" or max(sizes, default=0) < WORTH_BYTES:
        return None
    if len(sizes) < len(plan.entries) or plan.fills:
        return None  # nobody knows how much room the cache needs
    from cpvlib.stores.files import free_bytes
    from cpvlib.stores.spares import Spares

    saved = [step.standing.content.size * (1 + step.keep) for step in plan.steps if step.standing.content]
    needed = sum(sizes) + sum(saved) + max(sizes) + WORTH_BYTES
    return Spares(ws.top, free_bytes(ws.top) - needed)


class _Unwritten:
    """The files that no step writes of a folder to which one or several outs are to become."""

    def __init__(self) -> None:
        self._steps: list[tuple[Container[str] | None, Container[str]]] = []

    def add(self, moving: Container[str] | None, absent: Container[str]) -> None:
        """One that writes the `moving` files, None for all, but not those that stay `absent`."""
        self._steps.append((moving, absent))

    def __contains__(self, relpath: object) -> bool:
        return all(
            relpath in absent or (moving is not None and relpath not in moving)
            for moving, absent in self._steps
        )


def _unwritten(ws: Workspace, steps: Iterable[Step]) -> dict[str, _Unwritten]:
    """By the oid of the folder's listing."""
    found: dict[str, _Unwritten] = {}
    for step in steps:
        if step.target is not None and step.target.oid is not None:
            found.setdefault(step.target.oid, _Unwritten()).add(files_to_change(ws, step), step.absent)
    return found
