"""init: makes a repository CPV's, a new one or one that was there before.

What an existing repository holds stays as it is. Everything is decided first, as a plan; carried out, it
makes the git repository where there is none, prepares the commit, writes what belongs to this machine alone,
and moves the branch last. Typed again it completes what was interrupted, and else changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain import cpvconfig
from cpvlib.domain.names import check_name, check_tag_prefix, name_from
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series
from cpvlib.managers import adoption, placement, templates
from cpvlib.managers.editing import ignoring, joined
from cpvlib.managers.outs import LOG
from cpvlib.managers.scene import Scene, is_new, look, pipeline_outs, refuse_tags, refuse_unready
from cpvlib.managers.settings import Settings
from cpvlib.stores import userconfig

if TYPE_CHECKING:
    from cpvlib.managers.placement import Placement
    from cpvlib.stores.git.commits import Edit
    from cpvlib.stores.git.repository import GitRepository


@dataclass(frozen=True)
class InitRequest:
    """What the user asked of an init; None for what was not said. `commit` off only stages."""

    folder: Path | None = None
    team: str | None = None
    model: str | None = None
    storage: str | None = None
    git_remote_url: str | None = None
    tag_prefix: str | None = None
    commit: bool = True


@dataclass(frozen=True)
class InitPlan:
    """All that an init would do. `repo` is None where there is no git repository yet.

    `edits` are for git; `local_files` (path → content) are written only where there is no such file.
    """

    top: Path
    repo: GitRepository | None
    is_new: bool
    was_adopted: bool
    team: str
    model: str
    placement: Placement
    edits: Mapping[str, Edit]
    local_files: Mapping[str, bytes]
    git_remote: tuple[str, str] | None
    outs: Mapping[str, Series]
    proposals: tuple[adoption.Proposal, ...]
    commit: bool
    default_names: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        verb = "Change the CPV settings of" if self.was_adopted else "Set up CPV for"
        return f"{verb} {self.team}/{self.model}"


@dataclass(frozen=True)
class InitResult:
    """What an init did: `commit` is the one it made, if any; `written` are the paths it changed for git.

    `doubtful` are the options of a storage that was there before which need a word of trust.
    """

    plan: InitPlan
    commit: str | None
    written: tuple[str, ...]
    doubtful: tuple[str, ...] = ()


def plan_init(cwd: Path, request: InitRequest, environ: Mapping[str, str] = os.environ) -> InitPlan:
    """Decides the init; nothing changes.

    RepositoryError for a bare repository, a folder inside another repository, a detached HEAD or an
    unfinished merge; ConfigError for names that can't be, for tags that stand in the way, and for a storage
    that would leave stored objects behind.
    """
    scene = look(cwd, request.folder, request.storage, environ)
    if scene.repo and request.commit:
        refuse_unready(scene.repo)
    team, model, defaulted = _names(scene, request)
    prefix = check_tag_prefix(
        request.tag_prefix if request.tag_prefix is not None else scene.settings.tag_prefix
    )
    if scene.repo and (not scene.was_committed or prefix != (scene.config.get("cpv.tagprefix") or "")):
        refuse_tags(scene.repo, prefix)
    placed = placement.decide(
        scene.settings,
        scene.remote,
        team=team,
        model=model,
        former=scene.former,
        has_pointers=scene.has_pointers,
    )
    placement.refuse_inside(scene.top, placed)
    new = is_new(scene, (team, model))
    outs = _outs(scene, new)
    edits = _edits(scene, request, (team, model), placed, outs, new)
    known = {*outs, *scene.config.model_outs, *scene.config.data_outs, LOG}
    known |= pipeline_outs(scene.repo).keys() if scene.repo else set()
    return InitPlan(
        top=scene.top,
        repo=scene.repo,
        is_new=new,
        was_adopted=scene.was_committed,
        team=team,
        model=model,
        placement=placed,
        edits=edits,
        local_files=templates.data() if new else {},
        git_remote=_git_remote(scene, request),
        outs=outs,
        proposals=() if scene.was_committed else tuple(adoption.propose(scene.top, known)),
        commit=request.commit,
        default_names=defaulted,
    )


def init(plan: InitPlan, environ: Mapping[str, str] = os.environ) -> InitResult:
    """Carries the plan out."""
    from cpvlib.stores.git.commits import land, prepare, stage

    placement.make_folder(plan.placement, "git cpv init --storage FOLDER chooses another")
    repo = plan.repo or _make_repository(plan.top, environ)
    for path, content in plan.local_files.items():
        _write_missing(plan.top / path, content)
    written = changed(repo.top, plan.edits)
    prepared = prepare(repo, plan.edits, plan.message) if plan.commit else None
    placement.write_local_config(repo, plan.placement.edit_personal)
    if prepared:
        land(repo, prepared)
    elif not plan.commit:
        stage(repo, plan.edits)
    if plan.git_remote:
        repo.git.run("remote", "add", "--", *plan.git_remote)
    doubtful = _trust_what_was_typed(repo, plan.placement, environ)
    repo.forget()
    return InitResult(plan, prepared.commit if prepared else None, written, doubtful)


def _names(scene: Scene, request: InitRequest) -> tuple[str, str, tuple[str, ...]]:
    """Team and model, and which of the two nobody said."""
    given = {"team": request.team, "model": request.model}
    fallback = {"team": lambda: name_from(userconfig.login()), "model": lambda: name_from(scene.top.name)}
    names: dict[str, str] = {}
    defaulted = []
    for what, value in given.items():
        value = value or scene.config.get(f"cpv.{what}") or scene.settings.value(f"cpv.{what}")
        if not value:
            value = fallback[what]()
            defaulted.append(what)
        if not value:
            raise ConfigError(f"no {what} name is set", hint=f"git cpv init --{what} NAME")
        names[what] = check_name(what, value)
    chosen = (names["team"], names["model"])
    if scene.former and chosen != scene.former and scene.has_pointers:
        raise ConfigError(
            f"this repository is '{'/'.join(scene.former)}', and its stored objects are kept under that name",
            hint="team and model can't change after the first push",
        )
    return (*chosen, tuple(defaulted))


def _outs(scene: Scene, new: bool) -> dict[str, Series]:
    """The outs to declare: those of the template, or of pointers that nobody has put in a series yet."""
    if new:
        return {templates.MODEL_OUT: Series.MODEL, templates.DATA_OUT: Series.DATA}
    listed_already = {*scene.config.model_outs, *scene.config.data_outs}
    return {path: series for path, series in scene.pointers.items() if path not in listed_already}


def _edits(
    scene: Scene,
    request: InitRequest,
    names: tuple[str, str],
    placed: Placement,
    outs: Mapping[str, Series],
    new: bool,
) -> dict[str, Edit]:
    from cpvlib.stores.dvc import layout
    from cpvlib.stores.dvc.gitignore import add_lines

    edits: dict[str, Edit] = {cpvconfig.FILE: _settings_edit(scene, request, names, outs, new)}
    edits[layout.CONFIG] = placed.edit_shared
    edits[layout.GITIGNORE] = partial(add_lines, lines=layout.GITIGNORE_TEXT.decode().split())
    edits[layout.DVCIGNORE] = lambda data: layout.DVCIGNORE_TEXT if data is None else data
    if new:
        for path, content in templates.code(*names).items():
            edits[path] = _unless_there(content)
        return joined(edits, ignoring((*outs, LOG)))
    return edits


def _settings_edit(
    scene: Scene, request: InitRequest, names: tuple[str, str], outs: Mapping[str, Series], new: bool
) -> Edit:
    """`.cpvconfig` with what this init has to say; the rest of it stays."""
    head = scene.repo.head().commit if scene.repo else None
    adopted = head if scene.has_history and not scene.was_adopted else None

    def edit(data: bytes | None) -> bytes:
        data = cpvconfig.set_value(data, "cpv.team", names[0])
        data = cpvconfig.set_value(data, "cpv.model", names[1])
        if request.tag_prefix is not None:
            data = cpvconfig.set_value(data, "cpv.tagPrefix", request.tag_prefix)
        if adopted:
            data = cpvconfig.set_value(data, "cpv.adopted", adopted)
        for series in Series:
            of_series = [path for path in outs if outs[path] is series]
            data = cpvconfig.add_values(data, f"cpv.{series}.out", *of_series)
        for metric, goal in templates.GOALS.items() if new else ():
            data = cpvconfig.set_value(data, f"cpv.metric.{metric}.goal", goal)
        return data

    return edit


def _unless_there(content: bytes) -> Edit:
    return lambda data: content if data is None else data


def _git_remote(scene: Scene, request: InitRequest) -> tuple[str, str] | None:
    """The git remote to add, by name and URL; ConfigError where that name has another URL."""
    if not request.git_remote_url:
        return None
    name = scene.settings.remote or "origin"
    has = scene.repo.config.get(f"remote.{name}.url") if scene.repo else None
    if has is None:
        return name, request.git_remote_url
    if has == request.git_remote_url:
        return None
    raise ConfigError(
        f"the git remote '{printable(name)}' exists already, with another URL",
        hint=f"git remote set-url {printable(name)} URL changes it",
    )


def _make_repository(top: Path, environ: Mapping[str, str]) -> GitRepository:
    from cpvlib.stores.files import disk_error
    from cpvlib.stores.git.door import Git, clean_environment
    from cpvlib.stores.git.repository import GitRepository

    try:
        top.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, f"cannot make '{top}'") from error
    Git(top, clean_environment(environ)).run("init", "--quiet")
    return GitRepository.discover(top, environ)


def _write_missing(path: Path, content: bytes) -> None:
    from cpvlib.stores.files import disk_error, write_atomic

    if not path.exists():
        try:
            write_atomic(path, content)
        except OSError as error:
            raise disk_error(error, f"cannot write '{path}'") from error


def changed(top: Path, edits: Mapping[str, Edit]) -> tuple[str, ...]:
    """The paths whose worktree files the edits change."""
    changed = []
    for path, edit in edits.items():
        place = top / path
        before = place.read_bytes() if place.is_file() else None
        if edit(before) != before:
            changed.append(path)
    return tuple(sorted(changed))


def _trust_what_was_typed(
    repo: GitRepository, placed: Placement, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """A storage that the user, or the user's settings, named just now needs no other word of trust.

    Returns what still needs it, of one that was there before.
    """
    from cpvlib.managers.place import find_place, is_trusted, trust
    from cpvlib.stores.dvc.config import read_config

    dvc = read_config(repo.top, repo.main_top, environ)
    found = find_place(Settings.of(repo, environ), dvc, repo)
    if placed.typed or not placed.kept:
        trust(repo, found)
    return () if is_trusted(repo, found) else tuple(sorted(found.for_writing))
