"""The lock files of git that stop a command: what a killed git left, or another that is at work.

git makes `NAME.lock` beside what it is about to write, and renames it; killed in between it leaves it, and
every later git refuses (lockfile.h). git never removes a lock of another, and neither does CPV.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote

_LOCK = r"Unable to create '(.+?\.lock)': File exists"
_CONFIG = r"could not lock config file (.+?): File exists"


def hint(err: str) -> str | None:
    """What to do about the lock that git's stderr names; None where it names none."""
    found = re.search(_LOCK, err, re.DOTALL)
    config = None if found else re.search(_CONFIG, err)
    if found is None and config is None:
        return None
    lock = Path(found[1] if found else f"{config[1]}.lock" if config else "").absolute()
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lock.lstat().st_mtime))
    except OSError:
        return "another git was at work here, and is done: type the command again"
    holder = _holder(lock)
    if holder is not None:
        return f"{holder} is at work here; type the command again when it is done"
    files = " ".join(quote(str(each)) for each in [lock, *_others(lock)])
    if Path("/proc/self/fd").is_dir():
        return f"it lies there since {since}, and no process here holds it: rm {files}"
    return f"it lies there since {since}; if no git is at work here: rm {files}"


def _others(lock: Path) -> list[Path]:
    """Further locks that lie there: a git that is killed in a ref transaction leaves several."""
    folder = next((above for above in lock.parents if above.name == ".git"), None)
    if folder is None:
        return []
    found = {*folder.glob("*.lock"), *folder.glob("refs/**/*.lock"), *folder.glob("worktrees/*/*.lock")}
    return sorted(found - {lock})


def _holder(lock: Path) -> str | None:
    """A process that has the lock open, or else a git that works in its repository, as far as Linux tells."""
    folder = next((above for above in lock.parents if above.name == ".git"), lock.parent)
    tops = [os.path.realpath(folder), *([os.path.realpath(folder.parent)] if folder.name == ".git" else ())]
    own, place = set(_own_line()), os.path.realpath(lock)
    for process in _processes():
        if int(process.name) not in own and (_has_open(process, place) or _is_git_in(process, tops)):
            return f"process {process.name} ({' '.join(_words(process)[:2])})"
    return None


def _processes() -> Iterator[Path]:
    with suppress(OSError):
        yield from (each for each in Path("/proc").iterdir() if each.name.isdecimal())


def _own_line() -> Iterator[int]:
    """This process, and those that started it: `git cpv` among them."""
    pid = os.getpid()
    while pid > 0:
        yield pid
        try:
            about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        pid = int(about.rpartition(")")[2].split()[1])


def _has_open(process: Path, place: str) -> bool:
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) == place:
                    return True
    return False


def _is_git_in(process: Path, tops: list[str]) -> bool:
    """Whether it is a git itself, with its folder in one of these."""
    words = _words(process)
    if not words or words[0] != "git" or "cat-file" in words:
        return False
    with suppress(OSError):
        folder = str((process / "cwd").readlink())
        return any(folder == top or folder.startswith(f"{top}/") for top in tops)
    return False


def _words(process: Path) -> list[str]:
    """The program, without its folder, and its first words."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")[:4]
    except OSError:
        return []
    return [os.fsdecode(word).rpartition("/")[2] for word in words if word]
