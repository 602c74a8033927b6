"""The files that make a folder a DVC repository, byte for byte as `dvc init` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from cpvlib.base.errors import RepositoryError
from cpvlib.stores.dvc.config import set_remote

CONFIG = ".dvc/config"
CONFIG_LOCAL = ".dvc/config.local"
GITIGNORE = ".dvc/.gitignore"
DVCIGNORE = ".dvcignore"

GITIGNORE_TEXT = b"/config.local\n/tmp\n/cache\n"
DVCIGNORE_TEXT = (
    b"# Add patterns of files dvc should ignore, which could improve\n"
    b"# the performance. Learn more at\n"
    b"# https://dvc.org/doc/user-guide/dvcignore\n"
)


def own_tmp(top: Path) -> Path:
    """DVC's folder for temporary files, which git ignores, in the repository at `top`.

    Raises RepositoryError where it, or what is above it, is a link: one that came with a clone leads where
    files of the user's would be locked, overwritten or swept away.
    """
    folder = top / ".dvc" / "tmp"
    for place in (folder.parent, folder):
        refuse_link(place)
    return folder


def refuse_link(place: Path) -> None:
    if place.is_symlink():
        raise RepositoryError(
            f"'{place}' is a symlink, where temporary files are to be written", hint=f"rm {quote(str(place))}"
        )


def initial_files(remote: str | None = None, url: str | None = None) -> Mapping[str, bytes]:
    """Path → content of a new DVC repository's files, with `url` as its default remote where there is one.

    For `.dvc/.gitignore` and `.dvcignore` that exist already, keep what is there; DVC needs the three lines
    of the former (`gitignore.add_lines`), the latter may be anything.
    """
    config = set_remote(None, remote, url, default=True) if remote and url else b""
    return {CONFIG: config, GITIGNORE: GITIGNORE_TEXT, DVCIGNORE: DVCIGNORE_TEXT}
