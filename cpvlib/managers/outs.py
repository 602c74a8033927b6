"""The outs of a repository: what its pointers name, in the worktree and at any commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.pointer import OutEntry, Pointer, parse_pointer
from cpvlib.domain.pointeryaml import BrokenPointerError
from cpvlib.domain.text import listed, printable
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from cpvlib.domain.checkpoint import Checkpoint
    from cpvlib.managers.workspace import Workspace

LOG = "metrics.log"
CHECKPOINT = "checkpoint.json"
CONFIG = ".cpvconfig"


@dataclass(frozen=True)
class Out:
    """A tracked file or folder, and the entry of the pointer that names its content.

    `series` is None for `metrics.log`, which belongs to neither and is never rewound, and for outs that only
    DVC knows of. `entry` is None for an out that was tracked and not yet pushed.
    """

    path: str
    series: Series | None
    pointer_path: str
    entry: OutEntry | None

    @property
    def oid(self) -> str | None:
        return self.entry.oid if self.entry else None

    @property
    def is_log(self) -> bool:
        return self.path == LOG

    @property
    def listed(self) -> bool:
        """Whether CPV looks after it, rather than DVC alone."""
        return self.series is not None or self.is_log


class Roles:
    """Which series each path belongs to, as one `.cpvconfig` says."""

    def __init__(self, model: Iterable[str], data: Iterable[str]) -> None:
        self._of = dict.fromkeys(data, Series.DATA) | dict.fromkeys(model, Series.MODEL)

    def __call__(self, path: str) -> Series | None:
        return self._of.get(path)

    @property
    def paths(self) -> list[str]:
        return [*self._of, LOG]


def outs_here(ws: Workspace, instead: Mapping[str, bytes | None] = MappingProxyType({})) -> dict[str, Out]:
    """The outs as the worktree's pointer files name them now, and tracked ones that have none yet; by path.

    Looked for where HEAD has pointers, and beside each tracked path. `instead` are contents that committed
    files are to have, None for those that go.
    """
    roles = Roles(ws.settings.model_outs, ws.settings.data_outs)
    if CONFIG in instead:
        from cpvlib.domain.cpvconfig import CommittedConfig

        config = CommittedConfig.parse(instead[CONFIG])
        roles = Roles(config.model_outs, config.data_outs)
    head = ws.repo.head().commit
    names = {f"{path}.dvc" for path in roles.paths} | (ws.pointer_blobs(head).keys() if head else set())
    names |= {path for path in instead if path.endswith(".dvc")}
    pointers = {}
    try:
        for path in sorted(names):
            data = instead[path] if path in instead else ws.read_worktree(path)
            if data is not None:
                pointers[path] = parse_pointer(path, data)
        return _collect(pointers, roles)
    except BrokenPointerError as error:
        if head is None or not _is_as_committed(ws, head, error.path):
            raise
        raise _committed(ws, head, error) from error


def outs_at(
    ws: Workspace, commit: str, instead: Mapping[str, bytes | None] = MappingProxyType({})
) -> dict[str, Out]:
    """The outs that the pointers of `commit` name, in the series that its own `.cpvconfig` gives them; by
    path. `instead` are contents for some of those pointers, None for those that don't count.

    A commit older than the adoption has no `.cpvconfig`: today's serves.
    """
    from cpvlib.stores.git import trees

    blobs = ws.pointer_blobs(commit)
    contents = trees.read_blobs(ws.repo, blobs.values())
    files = {path: instead[path] if path in instead else contents[blob] for path, blob in blobs.items()}
    try:
        pointers = {path: parse_pointer(path, data) for path, data in files.items() if data is not None}
        return _collect(pointers, ws.roles_at(commit), all_listed=False)
    except BrokenPointerError as error:
        raise _committed(ws, commit, error) from error


def _is_as_committed(ws: Workspace, head: str, path: str) -> bool:
    from cpvlib.stores.git import trees

    return trees.read_file(ws.repo, head, path) == ws.read_worktree(path)


def _committed(ws: Workspace, commit: str, error: BrokenPointerError) -> RepositoryError:
    """The same error of a pointer that `commit` has, with a way out: an earlier one, or who can help."""
    from shlex import quote

    from cpvlib.stores.git import remotes

    head, path = ws.repo.head().commit, error.path
    blob = ws.pointer_blobs(commit).get(path)
    if head is None or (ws.pointer_blobs(head).get(path) != blob and ws.repo.is_ancestor(commit, head)):
        return BrokenPointerError(error.message, path, hint="git cpv list shows the other versions")
    came = ws.repo.git.text("log", "-1", "--format=%h", commit, "--", f":(top,literal){path}")
    if ws.pointer_blobs(head).get(path) != blob:
        who = remotes.log(ws.repo, f"{came}^!", limit=1)[0].author
        hint = f"it came with {came} by {printable(who)}, who can take it back: git revert {came}"
    elif ws.repo.objects.read(f"{came}^:{path}") is None:
        hint = f"it came with {came}; to be without it: git rm {quote(path)}"
    else:
        hint = f"it came with {came}; the one before: git checkout {came}^ -- {quote(path)}"
    return BrokenPointerError(error.message, path, hint=hint)


def _collect(pointers: Mapping[str, Pointer], roles: Roles, *, all_listed: bool = True) -> dict[str, Out]:
    outs: dict[str, Out] = {}
    for pointer_path in sorted(pointers):
        pointer = pointers[pointer_path]
        for entry in pointer.outs:
            if not entry.cached:
                continue  # git holds its bytes
            path = pointer.out_path(entry)
            if path in outs:
                raise RepositoryError(
                    f"'{path}' is named by two pointers, '{outs[path].pointer_path}' and '{pointer_path}'",
                    hint=f"keep one of them: git rm --cached {pointer_path}",
                )
            outs[path] = Out(path, roles(path), pointer_path, entry)
    if all_listed:
        for path in roles.paths:
            outs.setdefault(path, Out(path, roles(path), f"{path}.dvc", None))
    _refuse_nested(outs)
    return outs


def _refuse_nested(outs: Mapping[str, Out]) -> None:
    for path in outs:
        for parent in PurePosixPath(path).parents:
            if str(parent) in outs:
                raise RepositoryError(
                    f"out '{path}' lies inside out '{parent}'", hint=f"git cpv untrack {path}"
                )


def refuse_held_by_git(ws: Workspace, paths: Sequence[str], then: str) -> None:
    """RepositoryError where git holds one of `paths`, or a file below it; `then` is what to do once it does
    not."""
    from cpvlib.stores.git.trees import files_at, tracked_files

    held = tracked_files(ws.repo, paths)
    if not held:
        return
    import shlex

    roots = [path for path in paths if any(file == path or file.startswith(f"{path}/") for file in held)]
    words = " ".join(shlex.quote(path) for path in roots)
    head = ws.repo.head().commit
    committed = head is not None and files_at(ws.repo, head, suffix=(), names=held)
    commit = " && git commit -m 'Leave them to CPV'" if committed else ""
    raise RepositoryError(
        f"git holds {listed(held, limit=3)} already",
        hint=f"git rm -r -q --cached -- {words}{commit}, then {then}; the files stay",
    )


def in_series(outs: Mapping[str, Out], series: Iterable[Series]) -> dict[str, Out]:
    """Those of `outs` that belong to one of `series`, by path."""
    chosen = set(series)
    return {path: out for path, out in outs.items() if out.series in chosen}


def checkpoint_at(ws: Workspace, commit: str) -> Checkpoint | None:
    """What the checkpoint of `commit` says of itself, or None where it has no `checkpoint.json`."""
    from cpvlib.domain.checkpoint import Checkpoint
    from cpvlib.stores.git import trees

    data = trees.read_file(ws.repo, commit, CHECKPOINT)
    return Checkpoint.parse(data) if data is not None else None
