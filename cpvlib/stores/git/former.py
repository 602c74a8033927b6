"""What index and worktree held at a few paths, to be put back where a commit fails."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from cpvlib.base.errors import CPVError
from cpvlib.stores.git import indexes
from cpvlib.stores.git.edits import Edit, edit_file, worktree_content
from cpvlib.stores.git.indexes import Entry
from cpvlib.stores.git.repository import GitRepository


class Former:
    """The worktree's files at `paths` as they are now; `entries` is for who changes the index to fill.

    Raises RepositoryError for a file that can't be read.
    """

    def __init__(self, repo: GitRepository, paths: Iterable[str]) -> None:
        self._repo = repo
        self.entries: dict[str, Entry | None] = {}
        self._files = {path: worktree_content(repo, path) for path in paths}

    def put_back(self) -> None:
        """As far as the disk lets it: the failure that led here is what the user has to hear of."""
        with suppress(CPVError):
            now = indexes.entries(self._repo, list(self.entries))
            changed = {path: entry for path, entry in self.entries.items() if now.get(path) != entry}
            indexes.put(self._repo, changed)
        for path, content in self._files.items():
            with suppress(CPVError):
                edit_file(self._repo, path, _back_to(content))
        with suppress(CPVError):
            indexes.refresh(self._repo, [path for path, entry in self.entries.items() if entry])


def _back_to(content: bytes | None) -> Edit:
    return lambda _: content
