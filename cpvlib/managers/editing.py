"""Edits of the small files that CPV commits: what a pointer is to name, and edits put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.stores.git.commits import Edit


def pointer_edit(pointer_path: str, entry: OutEntry) -> Edit:
    """The edit that makes a pointer name `entry`, leaving whatever else a foreign pointer holds."""
    from cpvlib.domain.pointer import update_pointer

    return lambda before: update_pointer(pointer_path, before, entry)


def ignoring(out_paths: Iterable[str]) -> dict[str, Edit]:
    """The edits of `.gitignore` files that keep these outs out of git."""
    from cpvlib.stores.dvc.gitignore import add_lines, ignore_places

    return {file: partial(add_lines, lines=lines) for file, lines in ignore_places(out_paths).items()}


def unignoring(out_paths: Iterable[str]) -> dict[str, Edit]:
    """The edits of `.gitignore` files that take those lines out."""
    from cpvlib.stores.dvc.gitignore import ignore_places, remove_lines

    return {file: partial(remove_lines, lines=lines) for file, lines in ignore_places(out_paths).items()}


def then(first: Edit | None, second: Edit) -> Edit:
    """Both edits, one after the other."""
    return second if first is None else lambda before: second(first(before))


def joined(first: Mapping[str, Edit], second: Mapping[str, Edit]) -> dict[str, Edit]:
    """The edits of both; of a file that both edit, one after the other."""
    return {**first, **{path: then(first.get(path), edit) for path, edit in second.items()}}


def starting_from(content: bytes | None, edit: Edit) -> Edit:
    """The edit, with `content` for a file that is absent."""
    return lambda before: edit(content if before is None else before)
