"""The files of CPV's hooks in a folder of git's: what they say, how they get there and away again.

What was there before is moved to `before-cpv/` beside it, as it is, and run first.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.stores.files import culprit, disk_error, write_atomic

NAMES = ("post-commit", "pre-push", "post-checkout", "post-merge")
_MARK = b"# Made by git cpv hooks install."
_BEFORE = "before-cpv"
_LEGACY = ".legacy"  # where the pre-commit framework moves a hook that it finds, and runs it
_LOOK_BYTES = 400
_LARGEST_BYTES = 1 << 20
_LAUNCHER = regex(rb"^launcher=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class HookState:
    """How one hook stands. `path` is the file that is ours, None where none is; `is_current` tells whether it
    says what this CPV would write; `launcher` is the git-cpv that it names; `chains` runs first, if there is
    one."""

    name: str
    path: Path | None
    is_current: bool = False
    launcher: Path | None = None
    chains: Path | None = None


def hook_text(name: str, launcher: Path | None) -> bytes:
    """The hook's content. `launcher` is the absolute path of git-cpv; None leaves it to PATH."""
    here = Path(__file__).parent
    text = (here / "begin.sh").read_text() + (here / f"{name}.sh").read_text()
    return text.replace("@NAME@", name).replace("@LAUNCHER@", shlex.quote(str(launcher or ""))).encode()


def hook_state(folder: Path, name: str) -> HookState:
    """Looks for the hook under its name, and where the pre-commit framework would have put it."""
    for path in (folder / name, folder / f"{name}{_LEGACY}"):
        content = _read_ours(path)
        if content is not None:
            named = _LAUNCHER.search(content)
            words = shlex.split(os.fsdecode(named[1])) if named else []
            launcher = Path(words[0]) if words and words[0] else None
            current = content == hook_text(name, launcher) and os.access(path, os.X_OK)
            before = folder / _BEFORE / name
            return HookState(name, path, current, launcher, before if os.access(before, os.X_OK) else None)
    return HookState(name, None)


def install_hook(folder: Path, name: str, launcher: Path | None) -> bool:
    """Puts the hook in place; False where it is there already. After an interruption it may be called again.

    Raises RepositoryError where a hook that was moved aside before would be lost.
    """
    state = hook_state(folder, name)
    if state.is_current and state.launcher == launcher:
        return False
    with _told(folder):
        path = state.path or folder / name
        if state.path is None and os.path.lexists(path):
            _move_aside(path, folder / _BEFORE / name)
        write_atomic(path, hook_text(name, launcher), 0o755)
    return True


def uninstall_hook(folder: Path, name: str) -> bool:
    """Takes the hook away and puts back what was there; False where there is nothing of ours."""
    state = hook_state(folder, name)
    before = folder / _BEFORE / name
    target = state.path or folder / name
    with _told(folder):
        if os.path.lexists(before) and (state.path is not None or not os.path.lexists(target)):
            _put_back(before, target)  # an installation that was interrupted may have left the place empty
        elif state.path is not None:
            state.path.unlink()
        elif _same(before, target):
            before.unlink()  # husky, say, has put its own hook over ours
        else:
            return False
        if before.parent.is_dir() and not any(before.parent.iterdir()):
            before.parent.rmdir()
    return True


def _move_aside(path: Path, before: Path) -> None:
    if os.path.lexists(before):
        if _same(before, path):
            return
        raise RepositoryError(
            f"'{path}' is in the place of CPV's hook, and '{before}' is kept from before",
            hint=f"remove the one that you don't need: rm {shlex.quote(str(before))}",
        )
    before.parent.mkdir(exist_ok=True)
    if _is_relative_link(path):
        before.symlink_to(Path("..") / path.readlink())  # so that it leads where it led
    else:
        path.rename(before)


def _put_back(before: Path, target: Path) -> None:
    if not _is_relative_link(before):
        before.replace(target)
        return
    target.unlink(missing_ok=True)
    target.symlink_to(str(before.readlink()).removeprefix("../"))
    before.unlink()


def _is_relative_link(path: Path) -> bool:
    return path.is_symlink() and not path.readlink().is_absolute()


def _read_ours(path: Path) -> bytes | None:
    """The content of a hook that CPV made; None for any other file."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_LOOK_BYTES)
            return start + stream.read(_LARGEST_BYTES) if _MARK in start and not path.is_symlink() else None
    except OSError:
        return None


def _same(one: Path, other: Path) -> bool:
    """Whether two hooks are one: of equal content, or links, one moved, that lead to one file."""
    if not (one.is_file() and other.is_file()) or one.is_symlink() != other.is_symlink():
        return False
    if one.is_symlink():
        return one.samefile(other)
    return one.read_bytes() == other.read_bytes()


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise disk_error(error, f"cannot change the hooks in '{culprit(error) or folder}'") from error
