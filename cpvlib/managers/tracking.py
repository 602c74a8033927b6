"""track and untrack: which paths of the worktree are outs, and of which series.

An out is declared in `.cpvconfig` and kept out of git by a line in `.gitignore`; its pointer comes with the
first push. Neither command touches the file or folder itself.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cpvlib.base.errors import RepositoryError, UsageError
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain import cpvconfig
from cpvlib.domain.paths import check_relative
from cpvlib.domain.text import listed, plural, printable
from cpvlib.domain.version import Series
from cpvlib.managers.editing import ignoring, unignoring
from cpvlib.managers.outs import CHECKPOINT, LOG, outs_here, refuse_held_by_git
from cpvlib.managers.scene import pipeline_outs, refuse_unready

if TYPE_CHECKING:
    from cpvlib.managers.outs import Out
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.commits import Edit

_OURS = frozenset({CHECKPOINT, cpvconfig.FILE, ".gitignore", ".dvcignore", ".gitattributes"})
_DEFAULT_OUT = {Series.MODEL: "model", Series.DATA: "data"}
_NAME_IT = "name the file or folder that holds the model or the data"
_SPECIAL = regex(r"[\\\[\]!*#? ]")


@dataclass(frozen=True)
class TrackPlan:
    """What a track or untrack would do: `changes` gives each path its new series, None for no out any more.

    `same` are the paths that were that already; `absent` those where there is nothing yet.
    """

    changes: Mapping[str, Series | None]
    edits: Mapping[str, Edit]
    message: str
    same: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrackResult:
    """`commit` is None where nothing had to be committed, or it was only staged."""

    plan: TrackPlan
    commit: str | None


def out_path(ws: Workspace, cwd: Path, text: str) -> str:
    """The path from the top that a user in `cwd` means by `text`; a pointer's name means its out.

    RepositoryError for one outside of the worktree or beyond a symbolic link, and for the whole worktree.
    """
    lexical = Path(os.path.normpath(cwd / text))
    place = Path(os.path.realpath(lexical.parent)) / lexical.name
    try:
        path = place.relative_to(ws.top).as_posix()
    except ValueError:
        raise RepositoryError(
            f"'{text}' is outside of the repository '{ws.top}'",
            hint="name a path inside it; what lies elsewhere is recorded by git cpv push --from PATH",
        ) from None
    if path == ".":
        raise RepositoryError("the whole repository can't be an out", hint=_NAME_IT)
    if lexical.is_relative_to(ws.top) and lexical != place:
        raise RepositoryError(f"'{text}' lies beyond a symbolic link", hint=f"name it as '{path}'")
    try:
        return check_relative(path if place.name == ".dvc" else path.removesuffix(".dvc"), "the out")
    except RepositoryError as error:
        raise RepositoryError(error.message, hint=_NAME_IT) from error


def default_out(series: Series, content: Path) -> str:
    """What the first out of a series is called where only its content is given: `model`, or `model.pt` for a
    file of that kind."""
    return f"{_DEFAULT_OUT[series]}{content.suffix if content.is_file() else ''}"


def plan_track(
    ws: Workspace, paths: Sequence[str], series: Series, exclude: Sequence[str] = (), *, commit: bool = True
) -> TrackPlan:
    """Decides how `paths` (from the top) become outs of `series`, without what `exclude` matches below them.

    RepositoryError for paths that git holds, that CPV or DVC need themselves or a pipeline writes, that lie
    in one another or in an out, or that are neither a file nor a folder.
    """
    _refuse_unready(ws, commit)
    outs = outs_here(ws)
    kinds = {path: _kind(ws, path) for path in dict.fromkeys(paths)}
    for path in kinds:
        _refuse_reserved(path)
    _refuse_nested(kinds, outs)
    _refuse_written_by_pipelines(ws, kinds)
    refuse_held_by_git(ws, list(kinds), "track again")
    listed_outs = {path: out.series for path, out in outs.items() if out.series is not None}
    changes = {path: series for path in kinds if listed_outs.get(path) is not series}
    edits = {cpvconfig.FILE: _declaring(changes)} if changes else {}
    edits |= _ignoring(ws, list(kinds))
    if exclude:
        edits[".dvcignore"] = _excluding(kinds, exclude)
    return TrackPlan(
        changes,
        edits,
        message=_message("Track", list(changes) or list(kinds)),
        same=tuple(path for path in kinds if path not in changes),
        absent=tuple(path for path, kind in kinds.items() if kind == "nothing"),
    )


def plan_untrack(ws: Workspace, paths: Sequence[str], *, commit: bool = True) -> TrackPlan:
    """Decides how `paths` stop being outs. RepositoryError for one that is none, or shares its pointer."""
    _refuse_unready(ws, commit)
    outs = outs_here(ws)
    edits: dict[str, Edit] = {}
    changes: dict[str, Series | None] = {}
    for path in dict.fromkeys(paths):
        _refuse_reserved(path)
        out = outs.get(path)
        if out is None:
            raise RepositoryError(f"'{path}' is not an out", hint=f"the outs are {listed(_names(outs))}")
        _refuse_shared_pointer(path, out, outs)
        changes[path] = None
        edits[out.pointer_path] = lambda _: None
    edits |= unignoring(changes)
    edits[cpvconfig.FILE] = _declaring(changes)
    return TrackPlan(changes, edits, message=_message("Untrack", list(changes)))


def carry_out(ws: Workspace, plan: TrackPlan, *, commit: bool = True) -> TrackResult:
    """Commits the plan, or with `commit` off stages it; the outs themselves are not touched."""
    from cpvlib.stores.git.commits import land, prepare, stage

    if not plan.edits:
        return TrackResult(plan, None)
    with ws.dvc_lock():
        ws.partials.update({path: None for path, series in plan.changes.items() if series is None})
        prepared = prepare(ws.repo, plan.edits, plan.message) if commit else None
        if prepared:
            land(ws.repo, prepared)
        else:
            stage(ws.repo, plan.edits)
    gone = {path: None for path, series in plan.changes.items() if series is None}
    if gone:
        ws.bases.update(gone)
    return TrackResult(plan, prepared.commit if prepared else None)


def _refuse_unready(ws: Workspace, commit: bool) -> None:
    if commit:
        refuse_unready(ws.repo)


def _kind(ws: Workspace, path: str) -> str:
    """'file', 'folder' or 'nothing'. RepositoryError for anything else, and for a link that leads nowhere."""
    place = ws.top / path
    try:
        mode = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if place.is_symlink():
            raise RepositoryError(
                f"'{path}' is a symbolic link to nothing", hint="mend it, or remove it"
            ) from None
        return "nothing"
    except OSError as error:
        raise RepositoryError(f"cannot look at '{path}': {(error.strerror or '').lower()}") from error
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    raise RepositoryError(f"'{path}' is neither a file nor a folder", hint=_NAME_IT)


def _refuse_reserved(path: str) -> None:
    if path == LOG:
        raise RepositoryError(f"'{LOG}' is the history of the metrics, and an out always", hint=_NAME_IT)
    if path in _OURS or path.endswith("/.gitignore"):
        raise RepositoryError(f"'{path}' belongs in git, and can't be an out", hint=_NAME_IT)


def _refuse_nested(paths: Iterable[str], outs: Mapping[str, Out]) -> None:
    known = {*paths, *outs}
    for path in sorted(known):
        around = next((str(parent) for parent in PurePosixPath(path).parents if str(parent) in known), None)
        if around:
            raise RepositoryError(
                f"'{path}' lies inside '{around}', and one out can't hold another",
                hint=f"track only one; git cpv untrack '{path if path in outs else around}' frees the other",
            )


def _refuse_written_by_pipelines(ws: Workspace, paths: Iterable[str]) -> None:
    from shlex import quote

    for (out, (stage, file)), path in itertools.product(pipeline_outs(ws.repo).items(), paths):
        if f"{out}/".startswith(f"{path}/") or path.startswith(f"{out}/"):
            raise RepositoryError(
                f"'{path}' is DVC's own: stage '{printable(stage)}' of '{file}' writes it",
                hint=f"record it under a name of its own: git cpv push --from {quote(path)}",
            )


def _refuse_shared_pointer(path: str, out: Out, outs: Mapping[str, Out]) -> None:
    others = [
        other.path for other in outs.values() if other.pointer_path == out.pointer_path and other.path != path
    ]
    if others:
        raise RepositoryError(
            f"the pointer '{out.pointer_path}' names {listed(others)} as well",
            hint="split it by hand, or remove all of it: dvc remove",
        )


def _declaring(changes: Mapping[str, Series | None]) -> Edit:
    def edit(data: bytes | None) -> bytes:
        for each in Series:
            mine = [path for path, series in changes.items() if series is each]
            others = [path for path in changes if changes[path] is not each]
            data = cpvconfig.remove_values(data, f"cpv.{each}.out", *others)
            data = cpvconfig.add_values(data, f"cpv.{each}.out", *mine)
        return data or b""

    return edit


def _ignoring(ws: Workspace, paths: list[str]) -> dict[str, Edit]:
    """The edits of `.gitignore` files that keep the paths out of git, where nothing does yet."""
    from cpvlib.stores.git.trees import ignored

    done = ignored(ws.repo, paths)
    return ignoring(path for path in paths if path not in done)


def _excluding(kinds: Mapping[str, str], exclude: Sequence[str]) -> Edit:
    """The edit of `.dvcignore`: each pattern, below each folder only. gitignore(5)."""
    from cpvlib.stores.dvc.ignore import append_pattern

    files = [path for path, kind in kinds.items() if kind == "file"]
    if files:
        raise UsageError(f"--exclude leaves out files of a folder, and '{files[0]}' is a file")
    patterns = [_below(path, pattern) for path in kinds for pattern in exclude]

    def edit(data: bytes | None) -> bytes:
        for pattern in patterns:
            data = append_pattern(data, pattern)
        return data or b""

    return edit


def _below(path: str, pattern: str) -> str:
    from cpvlib.domain.patterns import is_pattern

    if not is_pattern(pattern) or pattern.startswith("!"):
        raise UsageError(f"'{pattern}' is not a pattern that leaves files out")
    anchored = "/" in pattern.rstrip("/")
    escaped = _SPECIAL.sub(r"\\\g<0>", path)
    return f"/{escaped}/{pattern.lstrip('/')}" if anchored else f"/{escaped}/**/{pattern}"


def _names(outs: Mapping[str, Out]) -> list[str]:
    return [path for path in outs if path != LOG] or [LOG]


def _message(verb: str, paths: list[str]) -> str:
    return f"{verb} {paths[0]}" if len(paths) == 1 else f"{verb} {plural(len(paths), 'out')}"
