"""A revert that was interrupted: its journal, going on with it, and taking it back exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cpvlib.base.errors import CPVError, NegativeAnswer, RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.managers import fetching, restoring
from cpvlib.managers.outs import Out, outs_here
from cpvlib.managers.restoreplan import plan_restoration
from cpvlib.managers.standing import Standing, standings
from cpvlib.stores.journal import Entry, FileRecord, OutRecord

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.restoring import Restored
    from cpvlib.managers.revert import RevertPlan, RevertRequest
    from cpvlib.managers.workspace import Workspace


_WAY_ON = "git cpv revert --continue, or git cpv revert --abort"


def begin(ws: Workspace, plan: RevertPlan, request: RevertRequest, *, made: bool) -> None:
    """Writes down what the revert is about to change. An entry that is there, of the same revert, stays: it
    tells what was before the first attempt."""
    if ws.journal.read() is not None:
        return
    outs = {
        step.path: OutRecord(
            _before(step.standing),
            step.standing.base,
            step.target.oid if step.target else None,
            ws.partials.left(step.path),
        )
        for step in plan.restoration.steps
    }
    series = tuple(sorted(str(each) for each in request.series))
    entry = Entry(plan.name, plan.found.commit, series, plan.tip, made, outs, _files(ws, list(plan.edits)))
    ws.journal.begin(entry)


@contextmanager
def way_on_told(ws: Workspace) -> Iterator[None]:
    """An error that leaves a revert unfinished says how to continue or to take it back."""
    try:
        yield
    except CPVError as error:
        if ws.journal.read() is not None:
            first = f"{error.hint}; then " if error.hint else ""
            error.hint = f"{first}{_WAY_ON}"
        raise


def settle_or_refuse(ws: Workspace) -> None:
    """Before another operation: settles an entry whose branch has moved, raises RepositoryError for any
    other."""
    entry = ws.journal.read()
    if entry is None:
        return
    if not is_landed(ws, entry):
        raise RepositoryError(
            f"a revert to {entry.name} is not finished here",
            hint=_WAY_ON,
        )
    settle(ws, entry)


def left_over(ws: Workspace, commit: str, request: RevertRequest) -> set[str]:
    """Contents that an earlier, interrupted attempt at this very revert may have left; see
    `settle_or_refuse`."""
    entry = ws.journal.read()
    if (
        entry is not None
        and request.branch is None
        and _same(entry, commit, request)
        and not is_landed(ws, entry)
    ):
        return entry.contents
    settle_or_refuse(ws)
    return set()


def _same(entry: Entry, commit: str, request: RevertRequest) -> bool:
    """Whether this is the revert that was interrupted, typed again."""
    return entry.commit == commit and set(entry.series) == {str(each) for each in request.series}


def unfinished(ws: Workspace) -> Entry:
    """The interrupted revert. Raises NegativeAnswer where there is none."""
    entry = ws.journal.read()
    if entry is None:
        raise NegativeAnswer("no revert is unfinished here")
    return entry


def is_landed(ws: Workspace, entry: Entry) -> bool:
    """Whether the interruption came after the branch had moved, so that only the record of it is left
    over."""
    head = ws.repo.head().commit
    return (
        entry.made and head is not None and head != entry.head and ws.repo.resolve(f"{head}^") == entry.head
    )


def settle(ws: Workspace, entry: Entry) -> None:
    """The revert is whole: what it installed is what the worktree is in step with."""
    ws.bases.update({path: out.after for path, out in entry.outs.items()})
    ws.journal.end()


def abort(
    ws: Workspace,
    entry: Entry,
    *,
    force: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Restored:
    """Brings outs, committed files and index back to what they were before the `unfinished` revert began.

    `force` copies aside what was changed since, and goes on. Raises RepositoryError where HEAD has moved
    since: the revert is history then, and has an undo of its own.
    """
    if ws.repo.head().commit != entry.head:
        raise RepositoryError(
            f"the revert to {entry.name} can't be aborted: HEAD has moved since",
            hint="git cpv revert --continue, then bring the version before it back",
        )
    listener = progress or Silent()
    targets: dict[str, OutEntry | None] = {path: out.before for path, out in entry.outs.items()}
    lefts = {path: out.left for path, out in entry.outs.items()}
    stands = _now(ws, entry, listener)
    plan = plan_restoration(ws, targets, stands, force=force, known=entry.contents, lefts=lefts)
    with fetching.fetched(ws, plan, progress=listener, jobs=jobs, look=False) as fetched, ws.dvc_lock():
        restored = restoring.carry_out(ws, plan, fetched, progress=listener, jobs=jobs)
        _put_back(ws, entry)
    ws.partials.update(lefts)
    ws.bases.update({path: out.base for path, out in entry.outs.items()})
    ws.journal.end()
    return restored


def _before(standing: Standing) -> OutEntry | None:
    from pathlib import PurePosixPath

    from cpvlib.domain.pointer import OutEntry

    content = standing.content
    if content is None:
        return None
    name = PurePosixPath(standing.out.path).name
    return OutEntry(name, content.oid, content.size, content.nfiles, content.isexec)


def _files(ws: Workspace, paths: list[str]) -> dict[str, FileRecord]:
    from cpvlib.stores.git import indexes

    held = indexes.entries(ws.repo, paths)
    return {
        path: FileRecord(ws.read_worktree(path), (held[path].mode, held[path].oid) if path in held else None)
        for path in paths
    }


def _now(ws: Workspace, entry: Entry, progress: Progress) -> dict[str, Standing]:
    here = outs_here(ws)
    outs = [here.get(path) or Out(path, None, f"{path}.dvc", None) for path in entry.outs]
    return standings(ws, outs, progress=progress)


def _put_back(ws: Workspace, entry: Entry) -> None:
    from cpvlib.stores.files import write_atomic
    from cpvlib.stores.git import indexes

    held = {
        path: indexes.Entry(*file.index) if file.index is not None else None
        for path, file in entry.files.items()
    }
    indexes.put(ws.repo, held)
    for path, file in entry.files.items():
        if file.worktree is None:
            (ws.top / path).unlink(missing_ok=True)
        elif ws.read_worktree(path) != file.worktree:
            write_atomic(ws.top / path, file.worktree)
    indexes.refresh(ws.repo, list(entry.files))
