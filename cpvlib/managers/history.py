"""What the pointers of a branch's history name: stored before the git remote learns of them."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.objects import Stored
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.protocol import Source


def store_history(
    ws: Workspace,
    git_remote: str | None,
    tip: str,
    *,
    sources: Mapping[str, Source] | None = None,
    check: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Stored:
    """P1 for a branch: storage holds all that the pointers of `tip`, and of every commit that the remote
    would learn of with it, name. `sources` are as for `store`.

    Commits that the remote has were proved when they were published; those from before the adoption may name
    objects long gone.
    """
    from cpvlib.managers.objects import Stored, store

    if not check and ws.confirmed.has(tip):
        return Stored()
    entries = _history_entries(ws, git_remote, tip)
    stored = store(ws, entries, sources=sources, check=check, progress=progress, jobs=jobs)
    ws.confirmed.add([tip])
    return stored


def succeed(ws: Workspace, parent: str, commit: str) -> None:
    """`commit` changes pointers of `parent` to what was stored just now, and no others: where all that the
    history of the one names is known to be stored, so is that of the other."""
    if ws.confirmed.has(parent):
        ws.confirmed.add([commit])


def _history_entries(ws: Workspace, git_remote: str | None, tip: str) -> list[OutEntry]:
    from cpvlib.domain.pointer import parse_pointer, past_pointer
    from cpvlib.managers.objects import storable
    from cpvlib.stores.git import trees

    exclude = [f"--remotes={git_remote}"] if git_remote else []
    adopted = ws.repo.resolve(ws.settings.adopted or "")
    if adopted is not None:
        exclude.append(adopted)
    blobs = {found.blob: found.path for found in trees.introduced(ws.repo, [tip], exclude)}
    blobs |= {blob: path for path, blob in ws.pointer_blobs(tip).items()}
    contents = trees.read_blobs(ws.repo, blobs)
    today = set(ws.pointer_blobs(tip).values())
    pointers = (
        (parse_pointer if blob in today else past_pointer)(blobs[blob], data)
        for blob, data in contents.items()
    )
    return [entry for pointer in pointers if pointer for entry in storable(pointer)]
