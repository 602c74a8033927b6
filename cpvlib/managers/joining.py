"""Two histories of one branch brought together: where the branch moves to, and the merge where it takes one.

Everything is decided and prepared aside: the merge is a commit before any ref, index or file changes, and
the branch then moves to it as to any other. Only where git itself finds a conflict in code is the merge begun
in the worktree, for the user to end.
"""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import GitError
from cpvlib.base.faults import step
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.merging import Side
from cpvlib.domain.text import printable
from cpvlib.managers import merging, sides, unsettled

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.repository import GitRepository


@dataclass(frozen=True)
class Join:
    """A merge of `theirs`. `code` are files that git itself leaves in conflict."""

    theirs: str
    merged: merging.Merged
    code: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Way:
    """Where the branch goes. `commit` has the outs as they will be, None where they stay as they are; `start`
    has them as they were, without the markers of conflicts that somebody committed, which `settled` names."""

    start: str | None
    commit: str | None = None
    n_commits: int = 0
    join: Join | None = None
    settled: tuple[str, ...] = ()


def plan_way(
    ws: Workspace, theirs: str | None, *, named: tuple[str, str] = ("", ""), prefer: Side | None = None
) -> Way:
    """Decides. `named` are the git remote and the branch there. Raises RepositoryError for conflicts that no
    side is preferred for, StorageError where what has to be merged can't be had, GitError for histories that
    have nothing in common."""
    head = ws.repo.head().commit
    start, healed = unsettled.settled(ws, head, prefer) if head else (None, ())
    if theirs is None or (head and ws.repo.is_ancestor(theirs, head)):
        return Way(start, start if healed else None, settled=healed)
    n_commits = _count(ws, f"{head}..{theirs}" if head else theirs)
    end, also_healed = unsettled.settled(ws, theirs, prefer)
    if head is None or start is None or ws.repo.is_ancestor(head, theirs):
        return Way(start, end, n_commits, settled=also_healed)
    join, commit = _join(ws, start, end, named, prefer)
    return Way(start, commit, n_commits, join, (*healed, *also_healed))


def go(ws: Workspace, way: Way) -> None:
    """Moves the branch, index and committed files; or, for a merge in which code is in conflict, begins it
    and settles CPV's files. Raises GitError, with nothing changed, where changed files are in the way."""
    from cpvlib.stores.git import merges, remotes

    if way.commit is None:
        return
    if way.join is None or not way.join.code:
        remotes.fast_forward(ws.repo, way.commit)
        return
    if way.start is not None and way.start != ws.repo.head().commit:
        remotes.fast_forward(ws.repo, way.start)
    remember(ws, way.join.theirs)
    merges.begin(ws.repo, way.join.theirs, way.join.message)
    step("pull:begun")
    merges.settle(ws.repo, way.join.merged.files)


def remember(ws: Workspace, theirs: str) -> None:
    """Notes that the merge of `theirs`, which is to be under way, is one that pull concludes."""
    place = _mark(ws.repo)
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"{theirs}\n")


def may_conclude(ws: Workspace) -> bool:
    """Whether a merge is under way that pull began, or settled, and nothing in it is in conflict any more."""
    from cpvlib.stores.git import trees

    if ws.repo.unfinished() != "merge":
        return False
    try:
        theirs = _mark(ws.repo).read_text().strip()
    except OSError:
        return False
    return ws.repo.resolve("MERGE_HEAD") == theirs and not trees.index_conflicts(ws.repo)


def conclude(ws: Workspace) -> str:
    """Commits that merge."""
    from cpvlib.stores.git import merges

    commit = merges.conclude(ws.repo)
    _mark(ws.repo).unlink(missing_ok=True)
    return commit


def _mark(repo: GitRepository) -> Path:
    return repo.git_dir / "cpv" / "merging"


def _join(
    ws: Workspace, start: str, end: str, named: tuple[str, str], prefer: Side | None
) -> tuple[Join, str]:
    """The merge, and the commit that is made of it, or that at least has its outs."""
    from cpvlib.stores.git import commits, merges

    if not merges.bases(ws.repo, start, end):
        raise GitError(
            "the branch here and the one at the git remote have no commit in common",
            hint="git log --oneline --all --graph; git merge --allow-unrelated-histories, if they belong "
            "together",
        )
    merged = merging.merge(ws, sides.of_commits(ws, start, end), prefer)
    unsettled.refuse_conflicts(merged.conflicts, f"here and at {_who(ws, start, end, named)}")
    message = _message(named, end, merged, prefer)
    # With CPV's files settled on both sides, all that is left to git is code.
    ours, theirs = (
        commits.write_commit(ws.repo, merges.edited_tree(ws.repo, commit, merged.files), [commit], message)
        for commit in (start, end)
    )
    result = merges.merge_trees(ws.repo, ours, theirs)
    join = Join(end, merged, result.conflicts, message)
    if result.tree is None:
        return join, ours
    return join, commits.write_commit(ws.repo, result.tree, [start, end], message)


def _message(named: tuple[str, str], end: str, merged: merging.Merged, prefer: Side | None) -> str:
    git_remote, branch = named
    subject = f"Merge branch '{branch}' of {git_remote}" if branch else f"Merge {end[:7]}"
    lines = [f"{printable(path)}: {whose}" for path, whose in merged.taken.items()] if prefer else []
    return "\n".join([subject, *([""] if lines else []), *lines]) + "\n"


def _who(ws: Workspace, start: str, end: str, named: tuple[str, str]) -> str:
    from cpvlib.stores.git import remotes

    news = remotes.log(ws.repo, f"{start}..{end}", limit=3)
    told = "; ".join(f"{entry.author}: {entry.subject}" for entry in news)
    return f"'{named[0]}' ({printable(told)})"


def _count(ws: Workspace, commits: str) -> int:
    return int(ws.repo.git.text("rev-list", "--count", commits, "--"))
