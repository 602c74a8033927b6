"""The sides of a merge, as far as CPV looks after them: pointers, `checkpoint.json`, `.cpvconfig`, and the
`.gitignore` that keeps outs out of git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.merging import Side
from cpvlib.managers.marked import IGNORE, is_cpvs
from cpvlib.managers.outs import CHECKPOINT, CONFIG

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

_MOST_BASES, _MOST_CROSSINGS = 3, 6

Blobs = Mapping[str, str]
"""Path to blob id."""
Files = Mapping[str, bytes]
"""Path to content."""


@dataclass(frozen=True)
class Sides:
    """The files in which the three are not all the same, and `.cpvconfig` wherever it is."""

    base: Files
    ours: Files
    theirs: Files

    @property
    def paths(self) -> list[str]:
        """Where the three differ."""
        found = sorted({**self.base, **self.ours, **self.theirs})
        return [
            path for path in found if not self.base.get(path) == self.ours.get(path) == self.theirs.get(path)
        ]


def blobs_of(ws: Workspace, commit: str) -> Blobs:
    from cpvlib.stores.git import trees

    found = trees.files_at(ws.repo, commit, (".dvc", IGNORE), (CHECKPOINT, CONFIG))
    return {path: blob for path, blob in found.items() if is_cpvs(path)}


def of_commits(ws: Workspace, ours: str, theirs: str) -> Sides:
    """Two branches and what they began from; where histories cross, that is a merge itself."""
    from cpvlib.stores.git import merges

    return of_blobs(
        ws, _base(ws, merges.bases(ws.repo, ours, theirs)), blobs_of(ws, ours), blobs_of(ws, theirs)
    )


def of_change(ws: Workspace, before: str, ours: str, after: str) -> Sides:
    """A commit that is done again on `ours`, as by cherry-pick and rebase."""
    return of_blobs(ws, blobs_of(ws, before), blobs_of(ws, ours), blobs_of(ws, after))


def of_blobs(ws: Workspace, base: Blobs, ours: Blobs, theirs: Blobs) -> Sides:
    from cpvlib.stores.git import trees

    differing = {
        path
        for path in {**base, **ours, **theirs}
        if path == CONFIG or not base.get(path) == ours.get(path) == theirs.get(path)
    }
    wanted = [
        {path: blob for path, blob in each.items() if path in differing} for each in (base, ours, theirs)
    ]
    contents = trees.read_blobs(ws.repo, [blob for each in wanted for blob in each.values()])
    return Sides(*({path: contents[blob] for path, blob in each.items()} for each in wanted))


def _base(ws: Workspace, commits: Sequence[str], crossings: int = 0) -> Blobs:
    """What two branches began from. git-merge(1), "recursive": of several it makes one, in which what they
    differ in is as it was before. Histories that cross more often than any real ones begin from the first."""
    from cpvlib.managers.merging import merge
    from cpvlib.stores.git import merges
    from cpvlib.stores.git.objects import ObjectWriter

    if not commits:
        return {}
    first, *others = commits
    blobs = dict(blobs_of(ws, first))
    for other in others[: _MOST_BASES - 1] if crossings < _MOST_CROSSINGS else ():
        before = _base(ws, merges.bases(ws.repo, first, other), crossings + 1)
        merged = merge(ws, of_blobs(ws, before, blobs, blobs_of(ws, other)), Side.BASE)
        writer = ObjectWriter(ws.repo.git, ws.repo.object_format)
        for path, content in merged.files.items():
            blobs.pop(path, None)
            if content is not None:
                blobs[path] = writer.add(b"blob", content)
        writer.write()
    return blobs
