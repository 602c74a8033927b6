"""Holds a repository, its git remote and its storage against the promises, knowing nothing of CPV's code:
only git, the files, and where DVC keeps objects."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from shell import Shell

_POINTER = re.compile(r"md5: ([0-9a-f]{32}(?:\.dir)?)$", re.MULTILINE)


def check(repo: Shell, origin: Path, storage: Path) -> None:
    """git is sound; and what the git remote shows names only objects that storage holds whole (P1), with both
    halves of a combined version or neither (P2)."""
    repo.git("fsck", "--connectivity-only", "--no-dangling")
    remote = Shell(origin, repo.env)
    refs = remote.git("for-each-ref", "--format=%(refname)").splitlines()
    pointers = set()
    for commit in remote.git("rev-list", "--all").splitlines() if refs else ():
        for line in remote.git("ls-tree", "-r", commit).splitlines():
            about, _, path = line.partition("\t")
            if path.endswith(".dvc"):
                pointers.add(about.split()[2])
    for oid in {oid for blob in pointers for oid in _POINTER.findall(remote.git("cat-file", "blob", blob))}:
        check_object(storage, oid)
    for ref in refs:
        companion = re.search(r"^Cpv-With: (.*)$", remote.git("cat-file", "-p", ref), re.MULTILINE)
        assert companion is None or f"refs/tags/{companion[1]}" in refs, ref


def check_object(storage: Path, oid: str) -> None:
    """Storage holds the object whole, and for a folder all that its listing names."""
    content = (storage / "files/md5" / oid[:2] / oid[2:]).read_bytes()
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() == oid.removesuffix(".dir")
    if oid.endswith(".dir"):
        for entry in json.loads(content):
            check_object(storage, entry["md5"])
