"""A repository opened for a command: every store it may need, each made when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

from cpvlib.base.errors import ConfigError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING, BinaryIO
from cpvlib.domain.cpvconfig import FILE, CommittedConfig
from cpvlib.domain.text import listed
from cpvlib.managers.outs import LOG, Roles
from cpvlib.managers.settings import Settings

if TYPE_CHECKING:
    from cpvlib.base.pace import Pace
    from cpvlib.managers.place import FoundPlace
    from cpvlib.stores.blocktables import BlockTables
    from cpvlib.stores.cache import ObjectCache
    from cpvlib.stores.dvc.config import DvcConfig
    from cpvlib.stores.git.door import Trace
    from cpvlib.stores.git.repository import GitRepository
    from cpvlib.stores.journal import Journal
    from cpvlib.stores.partial import Partials
    from cpvlib.stores.state import Bases, Confirmations
    from cpvlib.stores.storage.open import StoragePlace
    from cpvlib.stores.storage.protocol import Storage
    from cpvlib.stores.storage.uploads import UploadRecords
    from cpvlib.stores.worktree import Worktree

_POINTER_LIMIT_BYTES = 1 << 20

_WAYS_OUT = {
    "merge": "git merge --continue, or git merge --abort",
    "rebase": "git rebase --continue, or git rebase --abort",
    "cherry-pick": "git cherry-pick --continue, or git cherry-pick --abort",
    "revert": "git revert --continue, or git revert --abort",
    "am": "git am --continue, or git am --abort",
}


def _back(path: str) -> str:
    from shlex import quote

    return f"put it out of the way, then git checkout HEAD -- {quote(path)}"


def _way_in(repo: GitRepository) -> str:
    """A branch from before the adoption, or one of other code, lies beside those that are CPV's."""
    from shlex import quote

    from cpvlib.stores.git.refs import refs

    branches = [ref.removeprefix("refs/heads/") for ref in refs(repo, "refs/heads")][:100]
    found = repo.objects.read_all([f"refs/heads/{branch}:{FILE}" for branch in branches])
    having = [branch for branch, config in zip(branches, found, strict=True) if config is not None]
    if not having:
        return "git cpv init"
    branch = "main" if "main" in having else having[0]
    return f"'{branch}' has one: git switch {quote(branch)}; to adopt this branch too: git cpv init"


class Workspace:
    """One worktree of a CPV repository. `note` takes lines worth saying at once, such as what is waited
    for."""

    def __init__(
        self,
        repo: GitRepository,
        settings: Settings,
        *,
        note: Callable[[str], None] = lambda _: None,
        requests: Callable[[str], None] | None = None,
    ) -> None:
        self.repo = repo
        self.settings = settings
        self.top: Path = repo.top
        self.note = note
        self._requests = requests
        self._storages: dict[bool, Storage] = {}
        self._places: dict[bool, StoragePlace] = {}
        self._roles: dict[str, Roles] = {}
        self._pointer_blobs: dict[str, dict[str, str]] = {}

    @classmethod
    def open(
        cls,
        cwd: Path,
        environ: Mapping[str, str] = os.environ,
        options: Mapping[str, str] | None = None,
        *,
        note: Callable[[str], None] = lambda _: None,
        trace: Trace | None = None,
        requests: Callable[[str], None] | None = None,
    ) -> Workspace:
        """The repository that `cwd` lies in; `trace` is told of each git process, `requests` of each request
        to S3, from any thread. Raises RepositoryError where there is none, or none of CPV's."""
        from cpvlib.stores.git.repository import GitRepository, NoRepositoryError

        repo = GitRepository.discover(cwd, environ, trace)
        settings = Settings.of(repo, environ, options)
        if not settings.is_adopted:
            raise NoRepositoryError(
                f"'{repo.top}' is not a CPV repository: it has no '{FILE}'", hint=_way_in(repo)
            )
        return cls(repo, settings, note=note, requests=requests)

    @cached_property
    def dvc(self) -> DvcConfig:
        from cpvlib.stores.dvc.config import read_config

        return read_config(self.top, self._main_top)

    @property
    def _main_top(self) -> Path:
        """Where the cache and `config.local` are: the main worktree, unless there is none."""
        return self.repo.main_top or self.top

    @cached_property
    def cache_root(self) -> Path:
        """Where the cache is, without loading what it takes to use it."""
        from cpvlib.managers.place import cache_folder

        return cache_folder(self.dvc, self.repo)

    @cached_property
    def cache(self) -> ObjectCache:
        """The main worktree's cache, for linked ones too."""
        from cpvlib.stores.cache import ObjectCache

        return ObjectCache(
            self.cache_root,
            self.repo.common_dir / "cpv" / "cache.db",
            tables=self.tables,
            jobs=self.settings.jobs,
            note=self.note,
            release=self._release,
        )

    def _release(self, place: Path) -> None:
        """Makes files of their own of the links to `place`, an object of the cache that is to go, in every
        worktree: DVC's links and those of `cpv.link = symlink`. What was written through one is work."""
        from cpvlib.stores.install import own_what_links_to

        for top in self.repo.tops():
            own_what_links_to(place, top)

    @cached_property
    def tables(self) -> BlockTables:
        """The block tables that were made in any worktree."""
        from cpvlib.stores.blocktables import BlockTables

        return BlockTables(self.repo.common_dir / "cpv" / "blocks")

    @cached_property
    def worktree(self) -> Worktree:
        from cpvlib.stores.dvc.ignore import DvcIgnore
        from cpvlib.stores.statindex import StatIndex
        from cpvlib.stores.worktree import Worktree

        index = StatIndex(self.repo.git_dir / "cpv" / "stat.db")
        return Worktree(
            self.top,
            index,
            DvcIgnore(self.top),
            cache_root=self.cache_root,
            tables=self.tables,
            partials=self.partials,
            jobs=self.settings.jobs,
        )

    @cached_property
    def partials(self) -> Partials:
        """What is left out of this worktree's folders."""
        from cpvlib.stores.partial import Partials

        def entries(oid: str) -> Mapping[str, str] | None:
            listing = self.cache.read_listing(oid)
            return listing.entries if listing else None

        return Partials(self.repo.git_dir, entries)

    @cached_property
    def bases(self) -> Bases:
        from cpvlib.stores.state import Bases

        return Bases(self.repo.git_dir)

    @cached_property
    def found_place(self) -> FoundPlace:
        """Where the objects are kept, as configured; fit for nothing yet but to be looked at."""
        from cpvlib.managers.place import find_place

        return find_place(self.settings, self.dvc, self.repo)

    @cached_property
    def journal(self) -> Journal:
        from cpvlib.stores.journal import Journal

        return Journal(self.repo.git_dir)

    @cached_property
    def confirmed(self) -> Confirmations:
        from cpvlib.stores.state import Confirmations

        return Confirmations(self.repo.common_dir, self.found_place.place.url)

    @cached_property
    def uploads(self) -> UploadRecords:
        from cpvlib.stores.storage.uploads import UploadRecords

        return UploadRecords(self.repo.common_dir / "cpv" / "uploads")

    def storage(self, *, write: bool = False) -> Storage:
        """The storage, proved fit for reading, or for writing. Raises ConfigError where it is not trusted."""
        if write not in self._storages:
            self._storages[write] = self.open_storage(self.place(write=write))
        return self._storages[write]

    def open_storage(self, place: StoragePlace, jobs: int | None = None) -> Storage:
        """Any storage, with this repository's settings, its memory of what was found out there and of uploads
        that were interrupted, and within `cpv.limitRate` together with all others of this workspace."""
        from cpvlib.stores.state import Abilities
        from cpvlib.stores.storage.open import open_storage

        storage = open_storage(
            place,
            jobs=jobs or self.settings.jobs,
            note=self.note,
            trace=self._requests,
            uploads=self.uploads,
            memory=Abilities(self.repo.common_dir, place.url),
        )
        if self._pace is None:
            return storage
        from cpvlib.stores.storage.paced import PacedStorage

        return PacedStorage(storage, self._pace)

    @cached_property
    def _pace(self) -> Pace | None:
        from cpvlib.base.pace import Pace

        rate = self.settings.limit_rate
        return None if rate is None else Pace(rate)

    def place(self, *, write: bool = False) -> StoragePlace:
        """Where the storage is, proved fit as `storage` does, without opening it."""
        if write not in self._places:
            from cpvlib.managers.place import fit_place

            self._places[write] = fit_place(self.found_place, self.repo, write=write)
        return self._places[write]

    def dvc_lock(self) -> AbstractContextManager[None]:
        """DVC's own lock on the repository, held for local edits only."""
        from cpvlib.stores.dvc.lock import held

        return held(self.top, self.note, hardlink=self.dvc.hardlink_lock)

    def again(self) -> Workspace:
        """The same worktree as it is now, with nothing remembered; the two share one repository to close."""
        self.repo.forget()
        settings = Settings.of(self.repo, self.settings.environ, self.settings.options)
        return Workspace(self.repo, settings, note=self.note, requests=self._requests)

    def alone(self) -> AbstractContextManager[int]:
        """No other thread or process that asks for the same changes the repository meanwhile; when the last
        one did: see `repolock.alone`."""
        from cpvlib.stores.repolock import alone

        return alone(self.repo.common_dir / "cpv" / "lock", self.note)

    @property
    def log_path(self) -> Path:
        """The repository's log, named after its team and model; nothing is created."""
        from cpvlib.stores.logfile import log_path

        try:
            config = self.settings.committed
            names = (config.get("cpv.team"), config.get("cpv.model"))
        except ConfigError:
            names = (None, None)
        return log_path(*names, self.repo.common_dir)

    def pointer_blobs(self, commit: str) -> dict[str, str]:
        """The pointers of a commit: path to blob."""
        if commit not in self._pointer_blobs:
            from cpvlib.stores.git import trees

            self._pointer_blobs[commit] = trees.files_at(self.repo, commit, ".dvc")
        return self._pointer_blobs[commit]

    def roles_at(self, commit: str) -> Roles:
        """Which series each path belonged to at `commit`; today's where it had no `.cpvconfig`."""
        if commit not in self._roles:
            from cpvlib.stores.git import trees

            data = trees.read_file(self.repo, commit, FILE)
            config: CommittedConfig | Settings = (
                self.settings if data is None else CommittedConfig.parse(data)
            )
            self._roles[commit] = Roles(config.model_outs, config.data_outs)
        return self._roles[commit]

    def read_worktree(self, path: str) -> bytes | None:
        """A small committed file as the worktree has it; None where it is missing. Symlinks are not
        followed."""
        place = self.top / path
        if place.is_symlink():
            raise RepositoryError(
                f"'{path}' is a symbolic link, which a pointer may not be", hint=_back(path)
            )
        try:
            with place.open("rb") as stream:
                return stream.read(_POINTER_LIMIT_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RepositoryError(
                f"cannot read '{path}': {(error.strerror or '').lower()}", hint=_back(path)
            ) from error

    def open_log(self) -> BinaryIO | None:
        """`metrics.log`, None where there is none. A link to an object of the cache is followed, and none
        that leaves the worktree: it may have come with a clone."""
        try:
            self.worktree.look(LOG)
            return (self.top / LOG).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RepositoryError(
                f"cannot read '{LOG}', the history of the metrics: {(error.strerror or '').lower()}",
                hint=f"move what is there out of the way, then git cpv pull {LOG}",
            ) from error

    def refuse_unfinished(self) -> None:
        """Raises RepositoryError in the middle of a merge, rebase, cherry-pick or am, or of a revert, git's
        or CPV's."""
        self.refuse_unfinished_git()
        if self.journal.read() is None:
            return
        from cpvlib.managers.resuming import settle_or_refuse

        settle_or_refuse(self)

    def refuse_unfinished_git(self) -> None:
        """The same for what git has not finished."""
        operation = self.repo.unfinished()
        if operation is None:
            return
        from cpvlib.managers.marked import in_conflict

        conflicts = in_conflict(self, operation)
        if conflicts:
            raise RepositoryError(
                f"a {operation} is not finished here, with {listed(conflicts)} in conflict",
                hint="git cpv pull settles it",
            )
        raise RepositoryError(
            f"a {operation} is not finished here", hint=_WAYS_OUT.get(operation, "git status")
        )
