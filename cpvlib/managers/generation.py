"""The generation of a storage: which confirmations still count, where objects may be removed by others.

Whoever collects garbage in a storage, in whichever clone, changes the object `cpv/generation` there. What was
confirmed under another generation proves nothing any more, and is asked of the storage again.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cpvlib.base.errors import CPVError, StorageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import printable
from cpvlib.managers.place import folder_of

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.protocol import Storage

KEY = "cpv/generation"
_LIMIT_BYTES = 1024
_LOOKS = 8


def look(ws: Workspace, *, write: bool = True) -> None:
    """Before relying on what was confirmed earlier: asks for the generation, unless this command has."""
    if not ws.confirmed.is_current:
        renew(ws, write=write)


def vouches(ws: Workspace, oid: str) -> bool:
    """Whether the storage holds what was confirmed earlier, before a copy of it here is overwritten. A
    storage that can't be asked for its generation vouches for nothing."""
    if not ws.confirmed.has(oid):
        return False
    try:
        look(ws, write=False)
    except CPVError:
        return False
    return ws.confirmed.is_current and ws.confirmed.has(oid)


def renew(ws: Workspace, *, write: bool = True) -> bool:
    """Asks the storage for its generation; whether what was confirmed before is forgotten, for it is another.
    `write` tells that what is asked for is to be written to.

    A folder that is not there has none to tell: its disk may not be mounted.
    """
    found = ws.storage(write=write).get_bytes(KEY, _LIMIT_BYTES)
    folder = folder_of(ws.found_place.place.url)
    if found is None and folder is not None and not folder.is_dir():
        return False
    return ws.confirmed.move_to("" if found is None else found.hex())


def settle(ws: Workspace, store: Callable[[], object]) -> None:
    """Just before refs are published: returns when the generation is still the one under which all of it was
    confirmed. Wherever it changed meanwhile, `store` sees to the objects again."""
    for _ in range(_LOOKS):
        if not renew(ws):
            return
        store()
    raise StorageError(
        f"somebody removes objects from '{printable(ws.found_place.place.url)}', again and again",
        hint="type the command again when that is over; nothing was published",
    )


def begin(storage: Storage) -> None:
    """Begins a new generation: for whoever is about to remove objects from a storage that others push to.

    The order that keeps P1, whatever others publish meanwhile: set aside, under keys below `cpv/trash/`, what
    no ref of the git remote names and what is older than 14 days; call this; wait an hour, in which every
    push that looked before has published its refs or given up; fetch the refs anew, and put back what they
    name now; only then delete.
    """
    storage.put_bytes(KEY, os.urandom(16).hex().encode() + b"\n")
