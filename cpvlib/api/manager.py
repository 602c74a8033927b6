"""What the three managers share: finding the repository of a model, and working in it for one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpvlib.api.call import Voice, speaking
from cpvlib.api.options import AllOptions, path_of, settled
from cpvlib.base.errors import ConfigError, RepositoryError
from cpvlib.base.values import dataclass
from cpvlib.domain.names import check_name
from cpvlib.stores.git.repository import NoRepositoryError

if TYPE_CHECKING:
    from cpvlib.api.options import Unpack
    from cpvlib.domain.version import Series
    from cpvlib.managers.versions import Found
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Work:
    """One call at work: the repository that it has open, its options, and whom it talks to."""

    ws: Workspace
    options: Mapping[str, Any]
    voice: Voice

    @property
    def jobs(self) -> int | None:
        value: int | None = self.options.get("jobs")
        return value

    @property
    def dry_run(self) -> bool:
        return bool(self.options.get("dry_run"))

    @property
    def force(self) -> bool:
        return bool(self.options.get("force"))


class Manager:
    """One model's repository. Nothing is opened before the first call, and nothing stays open after one.

    The current folder counts as it was when the object was made.
    """

    def __init__(self, team_name: str, model_name: str, **options: Unpack[AllOptions]) -> None:
        """Raises ConfigError for a name that can't be a team's or a model's, OptionError for an unknown
        keyword."""
        self.team_name = check_name("team", team_name)
        self.model_name = check_name("model", model_name)
        self._defaults = settled({}, options, AllOptions, type(self).__name__)
        self._cwd = Path.cwd()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.team_name!r}, {self.model_name!r})"

    @property
    def repo_path(self) -> str:
        """The top of the repository, or where it would be made."""
        found = self._find(self._defaults, Voice(0, None, None))
        if found is None:
            return str(self._place(self._defaults))
        found.repo.close()
        return str(found.top)

    def _options(self, kind: type, given: Mapping[str, Any], caller: str) -> dict[str, Any]:
        return settled(self._defaults, given, kind, caller)

    @contextmanager
    def _work(self, name: str, options: Mapping[str, Any], *, changes: bool) -> Iterator[Work]:
        """The repository, opened for one call; one that changes it has it alone."""
        with speaking(name, options, changes=changes) as voice, ExitStack() as stack:
            ws = self._find(options, voice)
            if ws is None:
                raise self._missing(options)
            stack.callback(ws.repo.close)
            if changes and not options.get("dry_run"):
                stack.enter_context(ws.alone())
                # Whoever had it meanwhile may have moved HEAD.
                ws = ws.again()
            yield Work(ws, options, voice)

    def _missing(self, options: Mapping[str, Any]) -> RepositoryError:
        return RepositoryError(
            f"there is no repository of '{self.team_name}/{self.model_name}' at '{self._place(options)}'",
            hint="make one with import_model_init(), clone it there with git cpv clone URL, "
            "or say where it is with repo_path=",
        )

    def _place(self, options: Mapping[str, Any]) -> Path:
        """Where the repository is looked for and made, unless the current folder is it."""
        given = options.get("repo_path")
        return self._cwd / (path_of(given) if given is not None else self.model_name)

    def _find(self, options: Mapping[str, Any], voice: Voice) -> Workspace | None:
        """The repository: at `repo_path`; else around the current folder, else below it."""
        is_named = options.get("repo_path") is not None
        if not is_named:
            with suppress(RepositoryError):
                here = open_workspace(self._cwd, options, voice)
                if self._is_mine(here):
                    return here
                here.repo.close()
        place = self._place(options)
        try:
            ws = open_workspace(place, options, voice) if place.is_dir() else None
        except NoRepositoryError:
            return None
        if ws is None or self._is_mine(ws):
            return ws
        ws.repo.close()
        if not is_named and not place.samefile(ws.top):
            return None  # an ordinary folder of that name, in another repository
        raise self._not_mine(ws)

    def _not_mine(self, ws: Workspace) -> ConfigError:
        config = ws.settings.committed
        return ConfigError(
            f"the repository '{ws.top}' is '{config.get('cpv.team')}/{config.get('cpv.model')}', "
            f"not '{self.team_name}/{self.model_name}'",
            hint="say which one is meant with repo_path=",
        )

    def _is_mine(self, ws: Workspace) -> bool:
        config = ws.settings.committed
        return (config.get("cpv.team"), config.get("cpv.model")) == (self.team_name, self.model_name)


def open_workspace(folder: Path, options: Mapping[str, Any], voice: Voice) -> Workspace:
    """The CPV repository around a folder."""
    from cpvlib.managers.workspace import Workspace

    settings = {"cpv.cache": "none"} if options.get("use_cache") is False else None
    ws = Workspace.open(folder, options=settings, note=voice.say, trace=voice.trace, requests=voice.request)
    voice.log_of(ws)
    return ws


def find(work: Work, tag: str | None, series: Series | None) -> Found:
    """The version or revision that `tag` means, HEAD where it is None.

    What is not known here, or may have moved, is asked of the git remote first.
    """
    from cpvlib.base.errors import CheckpointNotFoundError
    from cpvlib.managers import pull, versions

    ws, asked = work.ws, work.options.get("fetch")
    if tag is None:
        return versions.find(ws, "HEAD", series)
    if asked or (asked is None and (tag == versions.LATEST or tag in versions.Tags(ws).aliases)):
        pull.fetch_versions(ws)
    try:
        return versions.find(ws, tag, series)
    except CheckpointNotFoundError:
        if asked is not None or not pull.fetch_versions(ws):
            raise
    return versions.find(ws, tag, series)
