"""A pull in the middle of something of git's: settles the conflicts in CPV's files, and ends a merge where
nothing else is in the way."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.errors import GitError
from cpvlib.base.faults import step
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.merging import Side
from cpvlib.domain.text import listed
from cpvlib.managers import joining, unsettled

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

_GOING_ON = {
    "merge": "git cpv pull, which ends the merge (git merge --abort gives it up)",
    "rebase": "git rebase --continue, then git cpv pull",
    "cherry-pick": "git cherry-pick --continue, then git cpv pull",
    "revert": "git revert --continue, then git cpv pull",
    "am": "git am --continue, then git cpv pull",
}


@dataclass(frozen=True)
class Settling:
    """`files` are CPV's files in conflict, with what they are to be; `before` is what they are on the side
    that is merged into. `code` are other files in conflict. `concludes`: the merge is then committed. The
    worktree's outs follow when nothing of git's is under way any more, so that it can still be given up."""

    operation: str | None
    files: Mapping[str, bytes | None]
    before: Mapping[str, bytes | None]
    taken: Mapping[str, str]
    code: tuple[str, ...]

    @property
    def concludes(self) -> bool:
        return self.operation == "merge" and not self.code

    @property
    def going_on(self) -> str | None:
        """What to type to go on with what is under way; None where nothing is left to do."""
        return None if self.concludes else _GOING_ON.get(self.operation or "")


def plan_settling(ws: Workspace, prefer: Side | None) -> Settling | None:
    """None where CPV's files have no conflict, and no merge waits to be ended. Raises RepositoryError for
    conflicts that no side is preferred for."""
    held = unsettled.look(ws)
    if held is None:
        return Settling("merge", {}, {}, {}, ()) if joining.may_conclude(ws) else None
    merged = unsettled.merged_here(ws, held, prefer)
    return Settling(held.operation, merged.files, _at_head(ws, merged.files), merged.taken, held.code)


def settle(ws: Workspace, settling: Settling) -> None:
    """Carries it out, in index and committed files."""
    from cpvlib.stores.git import merges

    theirs = ws.repo.resolve("MERGE_HEAD") if settling.operation == "merge" else None
    if theirs is not None:
        joining.remember(ws, theirs)
    merges.settle(ws.repo, settling.files)
    step("pull:settled")
    if settling.concludes:
        joining.conclude(ws)
        step("pull:concluded")


def in_code(code: tuple[str, ...], operation: str | None) -> GitError:
    then = _GOING_ON.get(operation or "")
    return GitError(
        f"{listed(code)} changed on both sides, which git leaves to you; the pointers are settled",
        hint=f"edit it, git add it{', then ' if then else ''}{then or ''}",
    )


def _at_head(ws: Workspace, files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    from cpvlib.stores.git import trees

    head = ws.repo.head().commit
    found = trees.read_files(ws.repo, head, list(files)) if head else {}
    return {path: found.get(path) for path in files}
