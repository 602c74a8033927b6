"""The merge driver: what makes plain `git merge`, `git rebase` and their like merge CPV's files by its rules.

gitattributes(5), "Defining a custom merge driver": a few lines in `info/attributes` of the repository say
which files, and `merge.cpv.driver` in its configuration says how. Linked worktrees share both.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from cpvlib.base.regex import regex
from cpvlib.stores.files import disk_error, write_atomic
from cpvlib.stores.git.repository import GitRepository
from cpvlib.stores.hooks.files import HookState

NAME = "merge"
_MARK = b"# Made by git cpv hooks install. git cpv hooks uninstall takes these lines away.\n"
_LINES = _MARK + b"".join(
    pattern + b" merge=cpv\n" for pattern in (b"*.dvc", b"/checkpoint.json", b"/.cpvconfig", b".gitignore")
)
_OURS = regex(re.escape(_MARK) + rb"(?:\S+ merge=cpv\n)*")
_TITLE = "CPV: pointers, checkpoint.json and what belongs to them"
# Without git-cpv files merge as text, whose conflict markers git cpv pull settles later.
_COMMAND = (
    'cpv={launcher}; [ -x "$cpv" ] || cpv=$(command -v git-cpv) || '
    "{{ git merge-file --marker-size=%L %A %O %B; exit; }}; "
    '"$cpv" hooks run merge -- %O %A %B %L %P'
)
_LAUNCHER = regex(r"cpv=(.*?); \[")


def state(repo: GitRepository) -> HookState:
    """How it stands; `path` is the attributes file, None unless both parts are there."""
    place = _place(repo)
    command = repo.config.get("merge.cpv.driver")
    found = _OURS.search(_read(place))
    if command is None or found is None:
        return HookState(NAME, None)
    named = _LAUNCHER.match(command)
    words = shlex.split(named[1]) if named else []
    launcher = Path(words[0]) if words and words[0] else None
    return HookState(NAME, place, found[0] == _LINES and command == _command(launcher), launcher)


def install(repo: GitRepository, launcher: Path | None) -> bool:
    """Puts it in place; False where it is there already. The user's own attributes stay stronger."""
    now = state(repo)
    if now.is_current and now.launcher == launcher:
        return False
    place = _place(repo)
    before = _read(place)
    _write(place, _LINES + _OURS.sub(b"", before, count=1))
    for key, value in (("name", _TITLE), ("driver", _command(launcher))):
        repo.git.run("config", "--local", "--replace-all", f"merge.cpv.{key}", value)
    repo.forget()
    return True


def uninstall(repo: GitRepository) -> bool:
    """Takes it away, and leaves everything else as it is; False where there is nothing of it."""
    place = _place(repo)
    before = _read(place)
    after = _OURS.sub(b"", before, count=1)
    if after != before:
        _write(place, after)
    removed = repo.git.ask("config", "--local", "--remove-section", "merge.cpv").code == 0
    repo.forget()
    return removed or after != before


def _command(launcher: Path | None) -> str:
    return _COMMAND.format(launcher=shlex.quote(os.fspath(launcher or "")))


def _place(repo: GitRepository) -> Path:
    return repo.common_dir / "info" / "attributes"


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise disk_error(error, f"cannot read '{place}'") from error


def _write(place: Path, content: bytes) -> None:
    try:
        if content:
            place.parent.mkdir(exist_ok=True)
            write_atomic(place, content)
        else:
            place.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, f"cannot write '{place}'") from error
