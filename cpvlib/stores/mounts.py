"""What kind of file system a folder lies on, as Linux tells it. proc_pid_mountinfo(5)."""

from __future__ import annotations

import os
from pathlib import Path

from cpvlib.stores.durable import StrPath

_TABLE = "/proc/self/mountinfo"
_OF_THE_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2"}
    | {"orangefs", "panfs", "smb3", "smbfs"}
)


def is_remote(folder: StrPath, table: StrPath = _TABLE) -> bool:
    """Whether each look at the folder, or at the nearest one above it, goes over a network, or may: FUSE does
    not tell. False where the system does not say."""
    kind = _kinds(table).get(_device(Path(folder)), "")
    return kind in _OF_THE_NETWORK or kind.startswith("fuse.")


def _device(folder: Path) -> str:
    for place in (folder, *folder.parents):
        try:
            number = place.stat().st_dev
        except OSError:
            continue
        return f"{os.major(number)}:{os.minor(number)}"
    return ""


def _kinds(table: StrPath) -> dict[str, str]:
    """The kind of each mounted file system, by its device."""
    try:
        lines = Path(table).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    kinds = {}
    for line in lines:
        mount, _, system = line.partition(" - ")
        fields = mount.split()
        if len(fields) > 2 and system:
            kinds[fields[2]] = system.split()[0]
    return kinds
