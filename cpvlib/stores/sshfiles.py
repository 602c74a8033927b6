"""ssh's own files, its configuration and known_hosts: a backup, and the modes that ssh insists on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.stores.files import disk_error, write_atomic

_BACKUPS_AT_MOST = 1000


def read(path: Path) -> bytes:
    """A file's content, empty where there is none. ConfigError where it can't be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"cannot read '{path}': {error.strerror}") from error


def replace(path: Path, before: bytes, after: bytes) -> Path | None:
    """Gives ssh's configuration its new content; the backup of the old one, if there was one.

    A link, into a folder of dotfiles as often as not, stays one.
    """
    target = Path(os.path.realpath(path))
    backup = None
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = 0o600
        if target.exists():
            mode = target.stat().st_mode & 0o755  # ssh refuses a file that others may write
            backup = _free_name(target)
            write_atomic(backup, before, 0o600)
        write_atomic(target, after, mode)
    except OSError as error:
        raise disk_error(error, f"cannot write '{path}'") from error
    return backup


def add_lines(path: Path, lines: Sequence[str]) -> bool:
    """Appends those of the lines that a known_hosts file lacks; False where it has them all."""
    target = Path(os.path.realpath(path))
    before = read(target)
    present = set(before.decode("utf-8", "surrogateescape").splitlines())
    missing = [line for line in lines if line not in present]
    if not missing:
        return False
    joint = b"" if not before or before.endswith(b"\n") else b"\n"
    text = "".join(f"{line}\n" for line in missing).encode("utf-8", "surrogateescape")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(target, before + joint + text, None if target.exists() else 0o600)
    except OSError as error:
        raise disk_error(error, f"cannot write '{path}'") from error
    return True


def _free_name(path: Path) -> Path:
    for suffix in ("", *(f"-{number}" for number in range(2, _BACKUPS_AT_MOST))):
        name = path.with_name(f"{path.name}.before-cpv{suffix}")
        if not name.exists():
            return name
    raise ConfigError(f"too many backups beside '{path}'", hint=f"remove {path}.before-cpv*")
