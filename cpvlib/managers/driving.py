"""The merge driver at work: one file of CPV's, for a merge that git itself is doing.

git tells of one file at a time, so what takes the whole picture is left in conflict, with both sides whole
between markers, for `git cpv pull` to settle. The network is asked only for a listing or log that is not in
the cache.
"""

from __future__ import annotations

from cpvlib.base.errors import CPVError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.checkpoint import Checkpoint
from cpvlib.domain.markers import with_markers
from cpvlib.domain.text import listed, printable
from cpvlib.managers.marked import is_cpvs
from cpvlib.managers.outs import CHECKPOINT, CONFIG
from cpvlib.managers.sides import Sides

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Driven:
    """The file's new content, None where git should merge it as text; `reason` says why it is in conflict,
    '' where it is not."""

    content: bytes | None
    reason: str = ""


def drive(ws: Workspace, path: str, base: bytes, ours: bytes, theirs: bytes, *, width: int = 7) -> Driven:
    """Merges the file; an empty base stands for none. gitattributes(5)."""
    try:
        content, reason = _merged(ws, path, base or None, ours, theirs)
    except CPVError as error:
        content, reason = None, error.message
    if content is not None or not is_cpvs(path):
        return Driven(content)
    if not reason:
        return Driven(None)
    return Driven(with_markers(ours, theirs, "ours", "theirs", width), reason)


def _merged(
    ws: Workspace, path: str, base: bytes | None, ours: bytes, theirs: bytes
) -> tuple[bytes | None, str]:
    from cpvlib.managers.merging import merge

    if path == CHECKPOINT:
        content = _later(ours, theirs)
        return content, "" if content else "both sides changed it, and it goes with the model"
    config = {} if path == CONFIG else {CONFIG: ws.read_worktree(CONFIG) or b""}
    before = {path: base} if base is not None else {}
    merged = merge(ws, Sides({**config, **before}, {**config, path: ours}, {**config, path: theirs}))
    if merged.conflicts:
        return None, f"{listed(each.path for each in merged.conflicts)} changed on both sides"
    return merged.files.get(path), ""


def _later(ours: bytes, theirs: bytes) -> bytes | None:
    """The one checkpoint that both sides tell of, where they differ in its time only."""
    try:
        one, other = Checkpoint.parse(ours), Checkpoint.parse(theirs)
    except RepositoryError as error:
        raise RepositoryError(printable(error.message)) from error
    same = replace(one, time="") == replace(other, time="")
    return max((ours, theirs), key=lambda data: Checkpoint.parse(data).time) if same else None
