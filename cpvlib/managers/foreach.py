"""foreach: one command over many repositories, several at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import CPVError, RepositoryError
from cpvlib.base.values import dataclass
from cpvlib.domain.cpvconfig import FILE, CommittedConfig
from cpvlib.managers.settings import read_committed

_DEPTH = 3
"""How far below a folder repositories are looked for: TEAM/MODEL lie at 2."""
_JOBS = 8


@dataclass(frozen=True)
class Site:
    """A CPV repository, by the path that leads to it from where the user is."""

    path: str
    folder: Path
    team: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a command in one repository; `code` None: it was not started, after a failure elsewhere.

    `err` also holds our own word where the program could not be started.
    """

    site: Site
    code: int | None
    out: str = ""
    err: str = ""
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.code not in (0, None)


def find_sites(cwd: Path, paths: Sequence[str], team: str | None = None) -> list[Site]:
    """The CPV repositories that `paths` (none: `cwd`) are, or that lie below them, each once and in order.

    Symbolic links and hidden folders are not gone into. RepositoryError for a path that is no folder, or that
    leads to no repository; of `team`, where it is given, there may be none.
    """
    sites: dict[str, Site] = {}
    for path in paths or ["."]:
        folder = cwd / path
        if not folder.is_dir():
            raise RepositoryError(f"'{path}' is not a folder")
        found = list(_below(folder, _DEPTH))
        if not found:
            raise RepositoryError(
                f"there is no CPV repository in '{path}'", hint="git cpv init makes a folder one"
            )
        for place in found:
            site = _site(cwd, path, folder, place)
            if team in (None, site.team):
                sites.setdefault(os.path.realpath(place), site)
    return list(sites.values())


def run_each(
    sites: Sequence[Site],
    words: Sequence[str],
    *,
    jobs: int | None = None,
    go_on: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Outcome]:
    """The outcomes in the order of `sites`, each as soon as it and those before it are there.

    After a failure no more are started, unless `go_on`; those under way end in peace.
    """
    from cpvlib.base.parallel import Crew

    stopping = threading.Event()

    def work(site: Site) -> Outcome:
        if stopping.is_set():
            return Outcome(site, None)
        outcome = _run(site, words, environ)
        if outcome.failed and not go_on:
            stopping.set()
        return outcome

    done: dict[str, Outcome] = {}
    waiting = list(sites)
    threads = jobs or min(_JOBS, 2 * (os.cpu_count() or 1))
    for site, outcome in Crew(threads).each(work, sites):
        done[site.path] = outcome
        while waiting and waiting[0].path in done:
            yield done.pop(waiting.pop(0).path)


def _run(site: Site, words: Sequence[str], environ: Mapping[str, str]) -> Outcome:
    from cpvlib.stores.running import run

    try:
        ran = run(words, site.folder, environ)
    except CPVError as error:
        return Outcome(site, error.exit_code, err=f"error: {error.message}\n")
    return Outcome(site, ran.code, ran.out, ran.err, ran.seconds)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The folder itself, if it is a repository; else those in it, by name."""
    if (folder / FILE).is_file() and (folder / ".git").exists():
        yield folder
        return
    if depth == 0:
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )
    except OSError:
        return
    for name in names:
        yield from _below(folder / name, depth - 1)


def _site(cwd: Path, path: str, folder: Path, place: Path) -> Site:
    below = place.relative_to(folder).as_posix()
    shown = Path(path) / below if below != "." else Path(path)
    try:
        config = CommittedConfig.parse(read_committed(place), str(shown / FILE))
    except CPVError:
        config = CommittedConfig({})  # the command itself will say what is wrong there
    return Site(str(shown), place, config.get("cpv.team"), config.get("cpv.model"))
