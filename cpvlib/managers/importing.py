"""Files that lie anywhere, taken into a repository: as its data, or as the first out of a series."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import replace
from cpvlib.domain.version import Series
from cpvlib.managers import fetching, restoring, templates, tracking
from cpvlib.managers.outs import in_series, outs_here
from cpvlib.managers.push import PushResult, push
from cpvlib.managers.pushplan import PushRequest, plan_push
from cpvlib.managers.restoreplan import plan_restoration
from cpvlib.managers.standing import Standing, standings

if TYPE_CHECKING:
    from cpvlib.managers.outs import Out
    from cpvlib.managers.workspace import Workspace


def inside(ws: Workspace, path: Path) -> str | None:
    """Where in the worktree a path is, from the top; None where it is elsewhere, the top itself, or git's."""
    real = Path(os.path.realpath(path.parent)) / path.name
    if real == ws.top or not real.is_relative_to(ws.top):
        return None
    below = real.relative_to(ws.top)
    return None if below.parts[0] in (".git", ".dvc") else below.as_posix()


def own_out(ws: Workspace, path: Path, series: Series) -> bool:
    """Whether `path` is the place in the worktree of the only out of the series."""
    mine = in_series(outs_here(ws), [series])
    return len(mine) == 1 and inside(ws, path) in mine


def plan_first_out(ws: Workspace, path: Path, series: Series) -> tracking.TrackPlan | None:
    """How a series without outs gets its first: `path` itself in the worktree, else one that takes its
    content. None where it has one."""
    if in_series(outs_here(ws), [series]):
        return None
    if not path.exists():
        raise RepositoryError(f"'{path}' does not exist")
    out = inside(ws, path) or tracking.default_out(series, path)
    return tracking.plan_track(ws, [out], series)


def import_data(
    ws: Workspace,
    source: Path,
    request: PushRequest,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> PushResult:
    """Makes the content of `source` the repository's data, in git, in storage and in the worktree.

    The data outs must be tracked. A file becomes the only file of a data folder. Raises RepositoryError where
    the worktree has data of its own that is saved nowhere, unless forced: then a copy is kept.
    """
    listener = progress or Silent()
    outs = in_series(outs_here(ws), [Series.DATA])
    if own_out(ws, source, Series.DATA):
        return _push(ws, replace(request, source=None), listener)
    found = standings(ws, outs.values(), progress=listener)
    with _as_folder(ws, source, outs) as folder:
        _refuse_unsaved(ws, found, force=force)
        result = _push(ws, replace(request, source=folder), listener)
    ws.repo.forget()
    now = in_series(outs_here(ws), [Series.DATA])
    targets = {path: out.entry for path, out in now.items() if out.entry is not None}
    plan = plan_restoration(ws, targets, standings(ws, now.values()), force=True)
    with fetching.fetched(ws, plan, progress=listener, look=False) as fetched, ws.dvc_lock():
        restored = restoring.carry_out(ws, plan, fetched, progress=listener)
    if restored.kept and not all(map(_is_template, found.values())):
        listener.note(f"the data that was there before is kept in '{restored.kept}'")
    return result


def _push(ws: Workspace, request: PushRequest, progress: Progress) -> PushResult:
    return push(ws, plan_push(ws, request, progress=progress), request, progress=progress)


def _refuse_unsaved(ws: Workspace, found: dict[str, Standing], *, force: bool) -> None:
    unsaved = [path for path, s in found.items() if s.state.has_own_content and not _is_template(s)]
    if unsaved and not force:
        raise RepositoryError(
            f"'{unsaved[0]}' has data that is saved nowhere and would be replaced",
            hint="git cpv push --data saves it; with force=True a copy is kept aside",
        )


def _is_template(standing: Standing) -> bool:
    """Whether all there is are the points that `init` puts into a new repository."""
    if standing.content is None:
        return True
    import hashlib

    ours = {hashlib.md5(content, usedforsecurity=False).hexdigest() for content in templates.data().values()}
    return set(standing.content.files.values()) <= ours


@contextmanager
def _as_folder(ws: Workspace, source: Path, outs: dict[str, Out]) -> Iterator[Path]:
    """`source`, in a folder of its own where it is a file and the data a folder."""
    from cpvlib.stores.files import Scratch, copy_file, remove_tree

    (path, out), *others = outs.items()
    named = out.entry.is_dir if out.entry else not Path(path).suffix
    if source.is_dir() or others or not named:
        yield source
        return
    folder = Path(Scratch(ws.repo.git_dir / "cpv" / "import").new())
    folder.mkdir()
    try:
        copy_file(source, folder / source.name)
        yield folder
    finally:
        remove_tree(folder)
