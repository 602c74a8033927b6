"""Files of a folder that are not in the worktree, and are part of its content all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cpvlib.domain.listing import Md5s, folders_of


def still_absent(absent: Mapping[str, str], here: Collection[str]) -> Mapping[str, str]:
    """Those of the `absent` files (relpath → md5) that the files `here` leave room for.

    A file that is here takes the place of the absent one of its name, of an absent folder of its name, and of
    absent files where its own folders have to be.
    """
    if not absent or not here:
        return absent
    replaced = {path for path in here if path in absent}
    new = [path for path in here if path not in absent]
    if new:
        replaced.update(parent for path in new for parent in _parents(path) if parent in absent)
        blocked = folders_of(absent).intersection(new)
        if blocked:
            replaced.update(path for path in absent if not blocked.isdisjoint(_parents(path)))
    if not replaced:
        return absent
    return Md5s(row for row in absent.items() if row[0] not in replaced)


def _parents(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path
