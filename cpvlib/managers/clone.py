"""clone: git's clone, then the objects of the checkpoint that was checked out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from cpvlib.base.errors import CPVError, RepositoryError, UsageError
from cpvlib.base.faults import step
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.managers import choosing
from cpvlib.managers.choosing import Wish
from cpvlib.managers.settings import Settings
from cpvlib.managers.workspace import Workspace
from cpvlib.stores.hooks import driver

if TYPE_CHECKING:
    from cpvlib.managers.absence import Count
    from cpvlib.managers.restoring import Restored
    from cpvlib.stores.git.repository import GitRepository

_RECORD = "cpv/cloning"  # in the git folder of a clone whose objects are still to come

# What git-clone(1) takes off a URL to name the folder: a '.git' or '.bundle', and slashes, at its end.
_TAIL = regex(r"(?:/+\.git)?/*$|(?:\.git|\.bundle)/*$")


@dataclass(frozen=True)
class CloneRequest:
    """`folder` is named after the URL where None; `storage` is a ROOT to look for the objects under; `wish`
    has the patterns of the files to bring or to leave out; `launcher` is the git-cpv that the merge driver is
    to start.

    `transfers` are settings of transfers that were typed, by key.
    """

    url: str
    folder: Path | None = None
    branch: str | None = None
    storage: str | None = None
    with_objects: bool = True
    wish: Wish = field(default_factory=Wish)
    launcher: Path | None = None
    jobs: int | None = None
    transfers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CloneResult:
    """`restored` is None where no objects were asked for, or the repository is none of CPV's; `absent` counts
    what the patterns left out."""

    top: Path
    is_adopted: bool
    commit: str | None
    restored: Restored | None
    absent: Mapping[str, Count] = field(default_factory=dict)


def clone(
    cwd: Path,
    request: CloneRequest,
    environ: Mapping[str, str] = os.environ,
    *,
    progress: Progress | None = None,
) -> CloneResult:
    """Clones. Where the objects can't be had the clone stays, and the error says so; typed again, it goes on
    from there."""
    listener = progress or Silent()
    folder = destination(cwd, request)
    repo = _unfinished(folder, request, environ) or _cloned(folder, request, environ)
    step("clone:cloned")
    place = {"cpv.storage": request.storage} if request.storage else {}
    settings = Settings.of(repo, environ, {**request.transfers, **place})
    commit = repo.head().commit
    if not settings.is_adopted:
        return CloneResult(repo.top, False, commit, None)
    try:
        driver.install(repo, request.launcher)
        _settle_storage(repo, settings, environ)
        ws = Workspace(repo, settings, note=listener.note)
        ws.partials.update({}, choice=choosing.at_first(request.wish, nothing=not request.with_objects))
        restored, absent = _restore(ws, request, listener) if request.with_objects else (None, {})
    except CPVError as error:
        error.message = f"cloned into '{folder}', without its objects: {error.message}"
        error.hint = f"cd '{folder}', then: {error.hint or 'git cpv pull'}"
        raise
    _record(repo).unlink(missing_ok=True)
    return CloneResult(repo.top, True, commit, restored, absent)


def destination(cwd: Path, request: CloneRequest) -> Path:
    """The folder that will hold the clone. RepositoryError where there is something in it, unless that is a
    clone of the same that lacks its objects yet."""
    folder = cwd / (request.folder or folder_of_url(request.url))
    if folder.is_dir():
        free = not any(folder.iterdir()) or _is_unfinished(folder, request)
    else:
        free = not (folder.exists() or folder.is_symlink())
    if not free:
        raise RepositoryError(
            f"'{folder}' already exists and is not an empty folder",
            hint="git cpv clone URL DIR clones into another; in a clone, git cpv pull brings what is new",
        )
    return folder


def check(cwd: Path, request: CloneRequest, environ: Mapping[str, str] = os.environ) -> Path:
    """What a clone asks before it begins, for a dry run; the folder that it would make."""
    from cpvlib.stores.git import remotes

    folder = destination(cwd, request)
    remotes.check_reachable(request.url, branch=request.branch, environ=environ)
    return folder


def _cloned(folder: Path, request: CloneRequest, environ: Mapping[str, str]) -> GitRepository:
    """git's clone, with a record that its objects are still to come.

    It is made beside the folder and moved into its place whole, so that a killed one does not stand in the
    way of the next. A folder that is there, which may be a mount, is cloned into as it is.
    """
    from contextlib import suppress

    from cpvlib.stores.files import Scratch, remove_tree, write_atomic
    from cpvlib.stores.git import remotes
    from cpvlib.stores.git.repository import GitRepository

    scratch = None if folder.exists() else Scratch(folder.parent / f".{folder.name}.cpv-clone")
    place = folder if scratch is None else Path(scratch.new())
    try:
        repo = remotes.clone(request.url, place, branch=request.branch, environ=environ)
        if request.with_objects:
            write_atomic(_record(repo), _described(request))
        if scratch is None:
            return repo
        repo.close()
        place.rename(folder)
        return GitRepository.discover(folder, environ)
    finally:
        if scratch is not None:
            if place.exists():
                remove_tree(place)
            with suppress(OSError):
                scratch.folder.rmdir()


def _unfinished(folder: Path, request: CloneRequest, environ: Mapping[str, str]) -> GitRepository | None:
    from cpvlib.stores.git.repository import GitRepository

    return GitRepository.discover(folder, environ) if _is_unfinished(folder, request) else None


def _is_unfinished(folder: Path, request: CloneRequest) -> bool:
    try:
        return (folder / ".git" / _RECORD).read_bytes() == _described(request)
    except OSError:
        return False


def _record(repo: GitRepository) -> Path:
    return repo.git_dir / _RECORD


def _described(request: CloneRequest) -> bytes:
    patterns = [request.wish.include, request.wish.exclude] if request.wish.has_patterns else []
    return json.dumps([request.url, request.branch, *patterns]).encode()


def folder_of_url(url: str) -> str:
    """The folder that git clones `url` into when none is named. UsageError where the URL names none."""
    trimmed = url.rstrip("/")
    while (shorter := _TAIL.sub("", trimmed)) != trimmed:
        trimmed = shorter
    name = re.split(r"[/:]", trimmed)[-1]
    name = re.sub(r"[\x00-\x20\x7f]+", " ", name).strip()
    if name in ("", ".", ".."):
        raise UsageError(f"'{url}' does not tell what to call the clone", hint="git cpv clone URL DIR")
    return name


def _settle_storage(repo: GitRepository, settings: Settings, environ: Mapping[str, str]) -> None:
    """Writes down a storage folder of this machine, so that DVC finds it too; trusts a typed ROOT."""
    from cpvlib.domain.names import DVC_REMOTE
    from cpvlib.managers.place import LOCAL_CONFIG, find_place, folder_of, own_place, trust
    from cpvlib.stores.dvc.config import read_config, set_remote
    from cpvlib.stores.files import write_atomic

    dvc = read_config(repo.top, repo.main_top, environ)
    if dvc.remote() is None:
        url = own_place(settings).url
        folder = folder_of(url)
        path = repo.top / LOCAL_CONFIG
        if folder and folder.is_dir() and not path.exists() and not path.parent.is_symlink():
            write_atomic(path, set_remote(None, DVC_REMOTE, url, default=True))
    elif settings.storage_root.origin == "option" and not find_place(settings, dvc, repo).for_writing:
        trust(repo, find_place(Settings.of(repo, environ), dvc, repo))


def _restore(
    ws: Workspace, request: CloneRequest, progress: Progress
) -> tuple[Restored, Mapping[str, Count]]:
    from cpvlib.managers import fetching, restoring, signatures
    from cpvlib.managers.outs import outs_here
    from cpvlib.managers.restoreplan import plan_restoration
    from cpvlib.managers.standing import standings

    outs = {path: out for path, out in outs_here(ws).items() if out.entry is not None}
    signatures.require_content(ws, outs.values())
    found = standings(ws, outs.values(), progress=progress, jobs=request.jobs)
    plan = plan_restoration(ws, {path: out.entry for path, out in outs.items()}, found)
    with fetching.fetched(ws, plan, progress=progress, jobs=request.jobs) as fetched, ws.dvc_lock():
        return restoring.carry_out(ws, plan, fetched, progress=progress, jobs=request.jobs), plan.absent
