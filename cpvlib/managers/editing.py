"""Edits of the small files that CPV commits: what a pointer is to name, and edits put together."""

from __future__ import annotations

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.stores.git.commits import Edit


def pointer_edit(pointer_path: str, entry: OutEntry) -> Edit:
    """The edit that makes a pointer name `entry`, leaving whatever else a foreign pointer holds."""
    from cpvlib.domain.pointer import update_pointer

    return lambda before: update_pointer(pointer_path, before, entry)


def then(first: Edit | None, second: Edit) -> Edit:
    """Both edits, one after the other."""
    return second if first is None else lambda before: second(first(before))


def starting_from(content: bytes | None, edit: Edit) -> Edit:
    """The edit, with `content` for a file that is absent."""
    return lambda before: edit(content if before is None else before)
