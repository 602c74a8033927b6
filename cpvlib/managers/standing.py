"""How each out of the worktree stands towards its pointer: changed, behind, in step, missing.

*Behind is not changed.* The base is the content that the worktree was last in step with. A file that still
equals its base while the pointer moved (after a plain `git pull`, `checkout` or `stash`) is behind, and must
never be published as if it were new; a file that differs from its base is the user's work, and must never be
overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.managers.outs import Out

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.worktree import Content


class State(Enum):
    """What one out of the worktree is, against its pointer and its base."""

    IN_STEP = "in step"
    NEW = "new"
    MODIFIED = "modified"
    BEHIND = "behind"
    CONFLICT = "conflict"
    MISSING = "missing"
    NOT_PULLED = "not pulled"
    ABSENT = "absent"

    @property
    def has_own_content(self) -> bool:
        """Whether the worktree holds content that only the user may give up."""
        return self in (State.NEW, State.MODIFIED, State.CONFLICT)


@dataclass(frozen=True)
class Standing:
    """An out, its state, the base it was judged by, and its content where the worktree holds any."""

    out: Out
    state: State
    base: str | None
    content: Content | None

    @property
    def oid(self) -> str | None:
        return self.content.oid if self.content else None


def judge(oid: str | None, pointer: str | None, base: str | None) -> State:
    """The state of worktree content `oid` under a pointer and a base; each None where there is none."""
    if oid is None:
        if pointer is None:
            return State.ABSENT
        return State.MISSING if base is not None else State.NOT_PULLED
    if oid == pointer:
        return State.IN_STEP
    if pointer is None:
        return State.NEW
    if base is None or base == pointer:
        return State.MODIFIED
    return State.BEHIND if oid == base else State.CONFLICT


Reader = Callable[[Out], "Content | None"]


def standings(
    ws: Workspace,
    outs: Iterable[Out],
    *,
    read: Reader | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> dict[str, Standing]:
    """Each out's standing, by path; hashes only files that changed by stat, and writes nothing but the
    records.

    `read` gives an out's content in another way than by hashing it where it lies.
    """

    def identify(out: Out) -> Content | None:
        legacy = out.entry is not None and out.entry.legacy
        return ws.worktree.identify(out.path, legacy=legacy, progress=progress, jobs=jobs)

    bases = ws.bases.read()
    result = {}
    for out in outs:
        content = (read or identify)(out)
        result[out.path] = _standing(ws, out, content, bases.get(out.path))
    _remember(ws, result.values(), bases)
    return result


def _standing(ws: Workspace, out: Out, content: Content | None, base: str | None) -> Standing:
    oid = content.oid if content else None
    state = judge(oid, out.oid, base)
    unsure = state is State.CONFLICT or (state is State.MODIFIED and base is None)
    older = _older(ws, out, oid, base) if unsure and oid else None
    if older:
        state, base = State.BEHIND, older
    return Standing(out, state, base, content)


def _older(ws: Workspace, out: Out, oid: str, base: str | None) -> str | None:
    """What the base or a pointer in the history of HEAD names, where the out still is that.

    An out that DVC 2 began has contents of two ways of naming: then the other way is tried too.
    """
    ancestors = _ancestors(ws, out)
    known = {entry.oid for entry in ancestors} | {base}
    if oid in known:
        return oid
    is_legacy = out.entry is not None and out.entry.legacy
    if is_legacy or any(entry.legacy for entry in ancestors):
        content = ws.worktree.identify(out.path, legacy=not is_legacy)
        if content is not None and content.oid in known:
            return content.oid
    return None


def _ancestors(ws: Workspace, out: Out) -> list[OutEntry]:
    """What the pointers in the history of HEAD say of this out; asked where no base can tell."""
    from cpvlib.domain.pointer import past_pointer
    from cpvlib.stores.git import trees

    head = ws.repo.head().commit
    if head is None:
        return []
    blobs = {found.blob for found in trees.introduced(ws.repo, [head], paths=[out.pointer_path])}
    pointers = [past_pointer(out.pointer_path, data) for data in trees.read_blobs(ws.repo, blobs).values()]
    sound = [pointer for pointer in pointers if pointer is not None]
    return [entry for pointer in sound for entry in pointer.outs if pointer.out_path(entry) == out.path]


def _remember(ws: Workspace, standings: Iterable[Standing], bases: Mapping[str, str]) -> None:
    """Records as base what was seen in step; the next `git pull` is then told apart from a change."""
    changes: dict[str, str | None] = {
        s.out.path: s.oid for s in standings if s.state is State.IN_STEP and bases.get(s.out.path) != s.oid
    }
    if changes:
        ws.bases.update(changes)
