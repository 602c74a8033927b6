"""Repositories as an attacker makes them: any path, mode, tag and object, whatever git's porcelain says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TEAM, MODEL = "T", "m"
CPVCONFIG = '[cpv]\n\tteam = T\n\tmodel = m\n[cpv "model"]\n\tout = model.bin\n[cpv "data"]\n\tout = data\n'
_WHO = "Eve <eve@example.org>"
_WHEN = "1767225600 +0000"


class Link(str):
    """A file that is a symbolic link to this place."""

    __slots__ = ()


Content = bytes | str | Link | None
"""Of a committed file: None takes away what a plain repository has there."""


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def pointer(path: str, oid: str, size: int | None = None, nfiles: int | None = None) -> str:
    """A pointer as YAML in JSON's form, which holds any name."""
    out = {"md5": oid, "size": size, "nfiles": nfiles, "hash": "md5", "path": path}
    return json.dumps({"outs": [{key: value for key, value in out.items() if value is not None}]})


def listing(*names: str, data: bytes = b"payload") -> bytes:
    """A folder's listing that names all these files, in DVC's own bytes."""
    return json.dumps(
        [{"md5": md5(data), "relpath": name} for name in sorted(names)], sort_keys=True
    ).encode()


@dataclass
class Forged:
    """What a commit is made of. `objects` are what the storage has, by the name that it lies under."""

    files: Mapping[str, Content] = field(default_factory=dict)
    objects: Mapping[str, bytes] = field(default_factory=dict)
    tags: Mapping[str, str | bytes] = field(default_factory=dict)
    branch: str = "main"
    who: str = _WHO
    subject: str = "Train"

    def write(self, bare: Path, storage: Path) -> None:
        """The repository to clone from, and the storage beside it."""
        subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
        self._add(bare, storage, b"")
        subprocess.run(
            ["git", "-C", str(bare), "symbolic-ref", "HEAD", f"refs/heads/{self.branch}"], check=True
        )

    def follow(self, bare: Path, storage: Path) -> None:
        """A commit upon those that are there, which changes these files alone."""
        self._add(bare, storage, b"from refs/heads/%b^0\n" % self.branch.encode())

    def _add(self, bare: Path, storage: Path, onto: bytes) -> None:
        subprocess.run(
            ["git", "-C", str(bare), "fast-import", "--quiet"],
            input=self._stream(onto),
            check=True,
            capture_output=True,
        )
        for oid, data in self.objects.items():
            place = storage / "files/md5" / oid[:2] / oid[2:]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)

    def _stream(self, onto: bytes) -> bytes:
        ref = f"refs/heads/{self.branch}".encode()
        parts = [b"commit ", ref, b"\nmark :1\n", self._person("author"), self._person("committer")]
        parts += [_data(f"{self.subject}\n".encode()), onto]
        for path, content in self.files.items():
            if content is None:
                parts += [b"D ", _quoted(path), b"\n"] if onto else []
            else:
                mode = b"120000" if isinstance(content, Link) else b"100644"
                body = content if isinstance(content, bytes) else content.encode()
                parts += [b"M ", mode, b" inline ", _quoted(path), b"\n", _data(body)]
        for name, message in self.tags.items():
            body = message if isinstance(message, bytes) else message.encode()
            parts += [b"tag ", name.encode(), b"\nfrom :1\n", self._person("tagger"), _data(body)]
        return b"".join(parts)

    def _person(self, role: str) -> bytes:
        return f"{role} {self.who} {_WHEN}\n".encode()


def _data(body: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(body), body)


def _quoted(path: str) -> bytes:
    """As git-fast-import(1) wants names: C-style, the bytes of UTF-8 in octal."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in path.encode()) + b'"'


MODEL_BYTES, LOG_BYTES = b"weights 1", b'{"loss": 0.5}\n'
DATA_BYTES = b"payload"
DATA_LISTING = listing("a.txt", "b.txt", data=DATA_BYTES)
DATA_OID = md5(DATA_LISTING) + ".dir"
PLAIN_FILES: Mapping[str, Content] = {
    ".cpvconfig": CPVCONFIG,
    ".dvc/config": "",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".gitignore": "/model.bin\n/data\n/metrics.log\n",
    "model.bin.dvc": pointer("model.bin", md5(MODEL_BYTES), len(MODEL_BYTES)),
    "data.dvc": pointer("data", DATA_OID, 2 * len(DATA_BYTES), 2),
    "metrics.log.dvc": pointer("metrics.log", md5(LOG_BYTES), len(LOG_BYTES)),
    "checkpoint.json": '{"metrics": {"loss": 0.5}}\n',
    "train.py": "print('training')\n",
}
PLAIN_OBJECTS: Mapping[str, bytes] = {
    md5(MODEL_BYTES): MODEL_BYTES,
    md5(LOG_BYTES): LOG_BYTES,
    md5(DATA_BYTES): DATA_BYTES,
    DATA_OID: DATA_LISTING,
}
MANIFEST = f"Cpv-Version: v0.1\nCpv-Out: model.bin md5={md5(MODEL_BYTES)} size={len(MODEL_BYTES)}\n"


def forge(
    files: Mapping[str, Content] | None = None,
    objects: Mapping[str, bytes] | None = None,
    tags: Mapping[str, str | bytes] | None = None,
    branch: str = "main",
) -> Forged:
    """A plain repository of CPV's with one version, and over it what is hostile."""
    return Forged(
        {**PLAIN_FILES, **(files or {})},
        {**PLAIN_OBJECTS, **(objects or {})},
        {"v0.1": f"First\n\n{MANIFEST}", **(tags or {})},
        branch,
    )
