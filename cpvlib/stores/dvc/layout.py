"""The files that make a folder a DVC repository, byte for byte as `dvc init` writes them."""

from __future__ import annotations

from collections.abc import Mapping

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


def initial_files(remote: str | None = None, url: str | None = None) -> Mapping[str, bytes]:
    """Path → content of a new DVC repository's files, with `url` as its default remote where there is one.

    For `.dvc/.gitignore` and `.dvcignore` that exist already, keep what is there; DVC needs the three lines
    of the former (`gitignore.add_line`), the latter may be anything.
    """
    config = set_remote(None, remote, url, default=True) if remote and url else b""
    return {CONFIG: config, GITIGNORE: GITIGNORE_TEXT, DVCIGNORE: DVCIGNORE_TEXT}
