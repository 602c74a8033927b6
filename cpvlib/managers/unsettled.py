"""Conflicts that a merge, rebase, cherry-pick or stash left in CPV's files, or that somebody committed:
recognised, and settled by the rules of `merging`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.markers import Marked, has_markers, read_markers
from cpvlib.domain.merging import Conflict, Side
from cpvlib.domain.text import listed, printable
from cpvlib.managers import sides
from cpvlib.managers.marked import IGNORE, is_cpvs, marked_here
from cpvlib.managers.merging import Merged, merge
from cpvlib.managers.outs import CHECKPOINT, CONFIG
from cpvlib.managers.sides import Blobs, Files, Sides

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

# The commit that each operation of git's brings in.
_COMING = {"merge": "MERGE_HEAD", "cherry-pick": "CHERRY_PICK_HEAD", "rebase": "REBASE_HEAD"}
_REBASE = "in a rebase --ours is the branch that you rebase onto, and --theirs your own commit"


@dataclass(frozen=True)
class Unsettled:
    """`paths` are CPV's files in conflict, `code` any others. `operation` is git's that is under way, None
    where there is none, as after a stash."""

    operation: str | None
    paths: tuple[str, ...]
    code: tuple[str, ...]


def look(ws: Workspace) -> Unsettled | None:
    """The conflicts in index and worktree; None where CPV's files have none. What HEAD itself has is left to
    `settled`."""
    from cpvlib.stores.git import merges

    stages = merges.stages(ws.repo)
    marked = set(marked_here(ws)) - stages.keys()
    if marked:
        head = ws.repo.head().commit
        committed = _marked(_committed(ws, head)) if head else {}
        marked = {path for path in marked if path not in committed}
    paths = {path for path in stages if is_cpvs(path)} | marked
    if not paths:
        return None
    code = tuple(path for path in stages if path not in paths)
    return Unsettled(ws.repo.unfinished(), tuple(sorted(paths)), code)


def merged_here(ws: Workspace, unsettled: Unsettled, prefer: Side | None) -> Merged:
    """What those files are to be. Raises RepositoryError for conflicts, unless a side is preferred."""
    three = _sides_here(ws, unsettled)
    merged = _merge(ws, three, prefer, _index_files(ws, three))
    refuse_conflicts(merged.conflicts, "in what is being merged", hint=_hint(unsettled.operation))
    wanted = set(unsettled.paths)
    if prefer is not None:
        wanted |= {f"{each.path}.dvc" for each in merge(ws, three).conflicts}
    files = {path: content for path, content in merged.files.items() if path in wanted}
    left = [path for path in unsettled.paths if path not in files]
    files |= _as_they_are(ws, left)
    return replace(merged, files=files)


def settled(ws: Workspace, commit: str, prefer: Side | None) -> tuple[str, tuple[str, ...]]:
    """The commit, or where somebody committed conflict markers one upon it that settles them, and the files
    that it changes. No ref moves."""
    from cpvlib.stores.git import commits, merges

    marked = _marked(_committed(ws, commit))
    if not marked:
        return commit, ()
    three, names = _committed_sides(ws, commit, marked)
    merged = _merge(ws, three, prefer, _plain(_committed(ws, commit), marked))
    refuse_conflicts(merged.conflicts, f"in what was merged at {commit[:7]}, '{names[0]}' and '{names[1]}'")
    files = {path: merged.files[path] for path in marked if path in merged.files}
    tree = merges.edited_tree(ws.repo, commit, files)
    message = f"Settle the conflict in {', '.join(printable(path) for path in sorted(marked))}\n"
    return commits.write_commit(ws.repo, tree, [commit], message), tuple(sorted(files))


def refuse_conflicts(conflicts: Iterable[Conflict], where: str, *, hint: str = "") -> None:
    """Raises RepositoryError for conflicts, by name."""
    found = list(conflicts)
    if not found:
        return
    reasons = dict.fromkeys(each.reason for each in found)
    what = ", ".join(f"{listed(c.path for c in found if c.reason == r)} {r}" for r in reasons)
    raise RepositoryError(
        f"{what}: {where}",
        hint="git cpv pull --ours keeps what this branch has, git cpv pull --theirs takes the other's; "
        f"neither is lost{hint}",
    )


def _hint(operation: str | None) -> str:
    return f" ({_REBASE})" if operation == "rebase" else ""


def _merge(ws: Workspace, three: Sides, prefer: Side | None, chosen: Files) -> Merged:
    """The merge; where somebody chose a side for the pointers by hand already, that is the one preferred."""
    merged = merge(ws, three, prefer)
    pointers = [f"{conflict.path}.dvc" for conflict in merged.conflicts]
    by_hand = [path for path in pointers if path in chosen]
    for side, files in ((Side.OURS, three.ours), (Side.THEIRS, three.theirs)):
        if by_hand and all(chosen[path] == files.get(path) for path in by_hand):
            return merge(ws, three, side)
    return merged


def _sides_here(ws: Workspace, unsettled: Unsettled) -> Sides:

    head = ws.repo.head().commit
    coming = ws.repo.resolve(_COMING.get(unsettled.operation or "", ""))
    if head and coming and unsettled.operation == "merge":
        return sides.of_commits(ws, head, coming)
    before = ws.repo.resolve(f"{coming}^") if coming else None
    if head and coming and before:
        return sides.of_change(ws, before, head, coming)
    return _sides_of_index(ws, unsettled, head)


def _sides_of_index(ws: Workspace, unsettled: Unsettled, head: str | None) -> Sides:
    """Where no commit tells what is coming: what the index has in three stages, and what it took already."""
    from cpvlib.stores.git import merges

    ours = dict(sides.blobs_of(ws, head)) if head else {}
    taken = _index_blobs(ws)
    base = {path: ours.get(path, blob) for path, blob in taken.items()}
    theirs = dict(taken)
    for path, stages in merges.stages(ws.repo).items():
        if is_cpvs(path):
            for side, blob in ((base, stages.base), (ours, stages.ours), (theirs, stages.theirs)):
                side.pop(path, None)
                if blob is not None:
                    side[path] = blob
    three = sides.of_blobs(ws, base, ours, theirs)
    marked = {path: ws.read_worktree(path) or b"" for path in unsettled.paths if path in taken}
    return _with_marked(three, _marked(marked))


def _with_marked(three: Sides, marked: Mapping[str, Marked]) -> Sides:
    """The sides with those that conflict markers hold."""
    bases = {path: each.base for path, each in marked.items() if each.base is not None}
    return Sides(
        {path: data for path, data in three.base.items() if path not in marked} | bases,
        {**three.ours, **{path: each.ours for path, each in marked.items() if each.ours}},
        {**three.theirs, **{path: each.theirs for path, each in marked.items() if each.theirs}},
    )


def _committed_sides(
    ws: Workspace, commit: str, marked: Mapping[str, Marked]
) -> tuple[Sides, tuple[str, str]]:
    """The sides of the merge that the markers came with, by its parents; else by the markers alone."""
    from cpvlib.stores.git import trees

    names = next(iter(marked.values()))
    for found in trees.introduced(ws.repo, [commit], paths=list(marked)):
        ours, theirs = (ws.repo.resolve(f"{found.commit}^{nth}") for nth in (1, 2))
        if ours and theirs:
            return sides.of_commits(ws, ours, theirs), (names.our_name, names.their_name)
    config = {path: data for path, data in _committed(ws, commit).items() if path == CONFIG}
    alone = {path: data for path, data in config.items() if path not in marked}
    return _with_marked(Sides(alone, alone, alone), marked), (names.our_name, names.their_name)


def _committed(ws: Workspace, commit: str) -> dict[str, bytes]:
    from cpvlib.stores.git import trees

    blobs = sides.blobs_of(ws, commit)
    contents = trees.read_blobs(ws.repo, blobs.values())
    return {path: contents[blob] for path, blob in blobs.items()}


def _marked(files: Mapping[str, bytes]) -> dict[str, Marked]:
    found = {path: read_markers(data) for path, data in files.items() if has_markers(data)}
    return {path: each for path, each in found.items() if each is not None}


def _plain(files: Files, marked: Mapping[str, Marked]) -> Files:
    return {path: data for path, data in files.items() if path not in marked}


def _index_blobs(ws: Workspace) -> Blobs:
    from cpvlib.stores.git import merges

    found = merges.files_in_index(ws.repo, (".dvc", IGNORE, CHECKPOINT, CONFIG))
    return {path: blob for path, blob in found.items() if is_cpvs(path)}


def _index_files(ws: Workspace, three: Sides) -> Files:
    """What the index holds, settled, of the files that the sides differ in."""
    from cpvlib.stores.git import trees

    blobs = {path: blob for path, blob in _index_blobs(ws).items() if path in three.paths}
    contents = trees.read_blobs(ws.repo, blobs.values())
    found = {path: contents[blob] for path, blob in blobs.items()}
    return {path: data for path, data in found.items() if not has_markers(data)}


def _as_they_are(ws: Workspace, paths: Iterable[str]) -> dict[str, bytes | None]:
    """Files that the sides agree on after all; raises RepositoryError for one that only people can settle."""
    found: dict[str, bytes | None] = {}
    for path in paths:
        content = ws.read_worktree(path)
        if content is not None and has_markers(content):
            raise RepositoryError(
                f"the conflict in '{printable(path)}' can't be settled here",
                hint="edit it by hand, then git add it",
            )
        found[path] = content
    return found
