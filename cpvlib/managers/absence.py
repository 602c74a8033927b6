"""Large folders in part: files that the worktree leaves out by choice, and that stay part of the content.

A folder that is not whole has a record of what is left out of it (`stores/partial`), and its content is that
and what is there, together. So a folder that lacks files only by choice is in step with its pointer, and one
with a file more is that pointer's content and the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, replace
from cpvlib.domain.choice import ALL, Choice, Extent, Rule, is_under
from cpvlib.domain.text import listed
from cpvlib.managers import objects
from cpvlib.managers.outs import LOG, Out

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.standing import Standing
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.partial import Left
    from cpvlib.stores.worktree import Content

NOTHING = Rule(None, (), ALL)


@dataclass(frozen=True)
class Count:
    """How many files of an out are absent, of how many; `by_choice`, or because bringing them was
    interrupted."""

    n_absent: int
    n_files: int
    by_choice: bool = True


def prepare(
    ws: Workspace, outs: Iterable[Out], *, wanted: Collection[str] = (), dry_run: bool = False
) -> None:
    """Begins the record of folders that were left out whole, and into which the user put files, or which
    `wanted` names: what their pointers list, and is not there, is absent and not deleted.

    Brings listings into the cache where it lacks them. In a dry run nothing else is written.
    """
    if dry_run:
        ws.partials.pretend()
    bases = ws.bases.read()
    for out in outs:
        entry, left = out.entry, ws.partials.left(out.path)
        if left is not None:
            _mend(ws, out, left)
        elif entry is not None and out.path not in bases and _can_be_partial(entry):
            is_part = ws.partials.choice.extent(out.path) is not Extent.ALL
            if out.path in wanted or (is_part and ws.worktree.place(out.path).is_dir()):
                begin(ws, out.path, entry, in_step=not dry_run)


def begin(ws: Workspace, path: str, entry: OutEntry, *, in_step: bool = True) -> None:
    """Records that no file of the folder is there, and that it is in step all the same.

    So files that are still to come, when bringing them is interrupted, don't look as if they were deleted.
    """
    assert entry.oid is not None
    entries = objects.listing_of(ws, entry).entries
    ws.partials.update({path: ws.partials.keep(entry.oid, len(entries), entries, entry.size)})
    if in_step:
        ws.bases.update({path: entry.oid})


def left_out(
    ws: Workspace, path: str, entry: OutEntry, standing: Standing, choice: Choice
) -> Mapping[str, str]:
    """What of a folder, which is to become `entry`, stays out of the worktree, relpath → md5.

    What is there stays and is kept in step, whatever the choice says.
    """
    if not _can_be_partial(entry) or choice.extent(path) is Extent.ALL:
        return {}
    entries = objects.listing_of(ws, entry).entries
    here, wants = _here(ws, path, standing), choice.wants()
    return {
        relpath: md5
        for relpath, md5 in entries.items()
        if relpath not in here and not wants(f"{path}/{relpath}")
    }


def is_left_whole(path: str, entry: OutEntry, standing: Standing, choice: Choice) -> bool:
    """Whether an out that is not there stays out as a whole, as far as that is plain without its listing."""
    if standing.content is not None or standing.base is not None or not entry.is_stored:
        return False
    extent = choice.extent(path)
    if extent is Extent.PART and not entry.is_dir and path != LOG:
        return not choice.wants()(path)
    return extent is Extent.NONE


def recorded(ws: Workspace, path: str, entry: OutEntry, absent: Mapping[str, str]) -> Left | None:
    """The record of a folder that has just become `entry` but for the `absent` files; None where it is
    whole."""
    if not absent:
        return None
    assert entry.oid is not None
    nfiles = entry.nfiles if entry.nfiles is not None else len(objects.listing_of(ws, entry).entries)
    size = None if entry.size is None else entry.size - ws.worktree.look(path).size
    return ws.partials.keep(entry.oid, nfiles, absent, size if size is None or size >= 0 else None)


def filled(ws: Workspace, path: str, content: Content, absent: Mapping[str, str]) -> None:
    """Records that absent files of the content came, and which still are `absent`."""
    left = ws.partials.left(path)
    if left is None:
        return
    gone = [md5 for relpath, md5 in content.absent.items() if relpath not in absent]
    size = None if left.size is None else left.size - sum(_sizes(ws, [*gone, *content.replaced.values()]))
    after = ws.partials.keep(left.oid, left.nfiles, absent, size) if absent else None
    ws.partials.update({path: after})


def settle(ws: Workspace, contents: Mapping[str, Content]) -> None:
    """Records what is absent now that these contents, `weighed`, are what the pointers name: a file that took
    the place of an absent one is deleted when it is removed, and not absent again."""
    lefts = {path: _left_of(ws, path, content) for path, content in contents.items()}
    ws.partials.update(lefts)


def weighed(ws: Workspace, path: str, content: Content) -> Content:
    """The content with its exact size. Asks storage for the sizes of absent files where no record has them,
    as of those that were replaced or taken out."""
    left = ws.partials.left(path)
    if left is None or (content.absent and left.size is not None and not content.replaced):
        return content
    size = content.size - (left.size or 0)
    if left.size is None or len(content.absent) < len(content.replaced):
        size += sum(_sizes(ws, content.absent.values()))
    else:
        size += left.size - sum(_sizes(ws, content.replaced.values()))
    return replace(content, size=size)


def taken_out(content: Content, out: Out, paths: Iterable[str]) -> Content:
    """The content of a folder without the absent files at, or below, these paths. RepositoryError for one
    that is there, for it is the user's to delete, and for one that is not in the folder."""
    from cpvlib.domain.listing import listing_oid, render_listing

    gone: dict[str, str] = {}
    for path in paths:
        relpath = path[len(out.path) + 1 :]
        found = {each: md5 for each, md5 in content.files.items() if is_under(each, relpath)}
        here = sorted(each for each in found if each not in content.absent)
        if here:
            raise RepositoryError(
                f"'{path}' is in the worktree: {listed([f'{out.path}/{each}' for each in here], limit=3)}",
                hint="delete what is there, and git cpv push records that",
            )
        if not found:
            raise RepositoryError(f"'{path}' is no file or folder of '{out.path}'", hint="git cpv status")
        gone |= found
    files = {path: md5 for path, md5 in content.files.items() if path not in gone}
    return replace(
        content,
        oid=listing_oid(render_listing(files)),
        nfiles=len(files),
        files=files,
        absent={path: md5 for path, md5 in content.absent.items() if path not in gone},
        replaced={**content.replaced, **gone},
    )


def keep_listing(ws: Workspace, content: Content) -> None:
    """The listing of a folder's content, kept in the cache."""
    from cpvlib.domain.listing import render_listing

    ws.cache.put_listing(content.oid, render_listing(content.files), content.files)


def counted(ws: Workspace, standing: Standing) -> Count | None:
    """How many files of an out are absent by choice; None where none is."""
    out, choice = standing.out, ws.partials.choice
    content, entry = standing.content, out.entry
    if content is not None:
        by_choice = choice.extent(out.path) is not Extent.ALL
        return Count(len(content.absent), len(content.files), by_choice) if content.absent else None
    if entry is None or entry.oid is None or not is_left_whole(out.path, entry, standing, choice):
        return None
    return whole(entry)


def whole(entry: OutEntry) -> Count:
    """The count of an out of which nothing is there."""
    n_files = (entry.nfiles or 0) if entry.is_dir else 1
    return Count(n_files, n_files)


def _left_of(ws: Workspace, path: str, content: Content) -> Left | None:
    before = ws.partials.left(path)
    if before is None or not content.absent:
        return None
    if content.oid == before.oid and not content.replaced:
        return before
    here = ws.worktree.look(path).size
    return ws.partials.keep(content.oid, len(content.files), content.absent, max(content.size - here, 0))


def _can_be_partial(entry: OutEntry) -> bool:
    """Whether files of the out may be absent: DVC 2's folders, whose files a push names anew, are whole."""
    return entry.is_dir and entry.is_stored and not entry.legacy


def _here(ws: Workspace, path: str, standing: Standing) -> Collection[str]:
    """The files that the worktree has of a folder; of one that was deleted as a whole, those that it had."""
    if standing.content is not None:
        return standing.content.here
    if standing.base is None or not standing.base.endswith(".dir"):
        return ()
    listing, left = ws.cache.read_listing(standing.base), ws.partials.left(path)
    if listing is None:
        return ()
    absent = ws.partials.files(left) if left else {}
    return {relpath for relpath in listing.entries if relpath not in absent}


def _mend(ws: Workspace, out: Out, left: Left) -> None:
    """Where the list of what is left out is lost, the listing that takes its place is brought."""
    from cpvlib.domain.pointer import OutEntry

    try:
        ws.partials.files(left)
    except RepositoryError:
        objects.listing_of(ws, OutEntry(out.path, left.oid))


def _sizes(ws: Workspace, oids: Iterable[str]) -> list[int]:
    """Of each object, in bytes: from the cache, else from storage. RepositoryError where neither has it."""
    oids = list(oids)
    known = {oid: ws.cache.size(oid) for oid in set(oids)}
    asked = [oid for oid, size in known.items() if size is None]
    if asked:
        from cpvlib.stores.storage.protocol import files_key

        found = ws.storage().has([files_key(oid) for oid in asked])
        known |= {oid: found.get(files_key(oid)) for oid in asked}
    lost = [oid for oid, size in known.items() if size is None]
    if lost:
        raise RepositoryError(
            f"'{lost[0]}', an absent file, is neither in the cache nor at the storage",
            hint="git cpv verify tells what else is gone",
        )
    return [known[oid] or 0 for oid in oids]
