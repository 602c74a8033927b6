"""CPV's own files of the worktree that hold the conflict markers of somebody's merge."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.markers import has_markers, read_markers
from cpvlib.domain.text import listed
from cpvlib.managers.outs import CHECKPOINT, CONFIG, LOG

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

IGNORE = ".gitignore"
_LOOK_BYTES = 4 << 20


def is_cpvs(path: str) -> bool:
    """Whether a committed file is one that CPV merges by rules of its own."""
    return path.endswith(".dvc") or path in (CHECKPOINT, CONFIG) or path.rpartition("/")[2] == IGNORE


def marked_here(ws: Workspace) -> list[str]:
    """The files with markers; each is small, and looked at."""
    head = ws.repo.head().commit
    outs = (LOG, *ws.settings.model_outs, *ws.settings.data_outs)
    names = {CHECKPOINT, CONFIG, IGNORE, *(f"{path}.dvc" for path in outs)}
    names |= ws.pointer_blobs(head).keys() if head else set()
    return sorted(path for path in names if _is_marked(ws.top / path))


def our_side(ws: Workspace, paths: list[str]) -> dict[str, bytes | None]:
    """What those files are on the side that was merged into; None where they are not there, or can't be
    told."""
    sides = {path: read_markers(ws.read_worktree(path) or b"") for path in paths}
    return {path: side.ours or None if side else None for path, side in sides.items()}


def refuse(ws: Workspace) -> None:
    """Raises RepositoryError where there are any."""
    found = marked_here(ws)
    if found:
        raise RepositoryError(f"a merge left {listed(found)} in conflict", hint="git cpv pull settles it")


def in_conflict(ws: Workspace, operation: str | None) -> list[str]:
    """The same, and while git is in the middle of something what its index has in conflict."""
    from cpvlib.stores.git import trees

    found = set(marked_here(ws))
    if operation is not None:
        found |= {path for path in trees.index_conflicts(ws.repo) if is_cpvs(path)}
    return sorted(found)


def _is_marked(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return has_markers(stream.read(_LOOK_BYTES))
    except OSError:
        return False
