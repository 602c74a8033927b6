"""Out of the repository: a version's files in a folder of their own, or the worktree brought up to date."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpvlib.api.call import Voice, speaking
from cpvlib.api.describing import Description, describe
from cpvlib.api.manager import Manager, Work, find
from cpvlib.api.options import DownloadOptions, path_of, patterns_of
from cpvlib.base.errors import OptionError
from cpvlib.domain.text import human_size, plural
from cpvlib.domain.version import Series
from cpvlib.managers import signatures
from cpvlib.stores.repolock import alone

if TYPE_CHECKING:
    from cpvlib.managers.choosing import Wish
    from cpvlib.managers.pickling import Pickles


def download(
    manager: Manager, series: Series, tag: str | None, options: Mapping[str, Any], name: str
) -> tuple[Path, Description]:
    """The folder that now holds the outs, at their paths in it, and what they are."""
    settled = manager._options(DownloadOptions, options, name)
    if settled.get("git_url"):
        return _borrow(manager, series, tag, settled, name)
    in_place = tag is None and settled.get("output_dir") is None
    with manager._work(name, settled, changes=in_place) as work:
        return _pull(work, series) if in_place else _extract(manager, work, series, tag)


def _borrow(
    manager: Manager, series: Series, tag: str | None, options: Mapping[str, Any], name: str
) -> tuple[Path, Description]:
    """From the repository at a URL, which is cloned for as long as that takes."""
    from cpvlib.managers.extract import borrowed

    if tag is None:
        raise OptionError(f"{name}(): 'git_url' needs a tag")
    with speaking(name, options, changes=True) as voice, ExitStack() as stack:
        ws = stack.enter_context(borrowed(options["git_url"], note=voice.say, trace=voice.trace))
        return _extract(manager, Work(ws, options, voice), series, tag)


def _pull(work: Work, series: Series) -> tuple[Path, Description]:
    from cpvlib.domain.merging import Side
    from cpvlib.managers import moved
    from cpvlib.managers.pull import PullRequest, plan_pull, pull, refuse_code

    prefer = work.options.get("prefer")
    side = Side(prefer) if prefer else None
    request = PullRequest(frozenset({series}), _wish(work), work.force, work.jobs, side)
    plan = plan_pull(work.ws, request, dry_run=work.dry_run, progress=work.voice)
    ws = work.ws
    if work.dry_run:
        work.voice.close(f"would bring {plural(len(plan.coming.steps), 'out')} up to date")
    else:
        result = pull(ws, plan, request, progress=work.voice)
        refuse_code(plan)
        _warn(work, result.restored.pickles)
        if result.restored.kept:
            work.voice.say(f"your own files are kept in '{result.restored.kept}'")
        n_files = plural(result.restored.n_files, "file")
        work.voice.close("everything is up to date" if result.up_to_date else f"pulled: {n_files} changed")
        ws = ws.again()
    if plan.moved:
        raise moved.error(plan.git_remote or "", plan.moved)
    return ws.top, describe(ws, find(work, plan.commit if work.dry_run else None, series), series)


def _wish(work: Work) -> Wish:
    """The patterns of the call."""
    from cpvlib.managers.choosing import wish

    include, exclude = work.options.get("include"), work.options.get("exclude")
    return wish((), patterns_of(include), patterns_of(exclude))


def _extract(manager: Manager, work: Work, series: Series, tag: str | None) -> tuple[Path, Description]:
    """A version's files, whole and checked: in `output_dir`, else in the user's cache folder."""
    found = find(work, tag, series)
    what = describe(work.ws, found, series)
    signatures.require(work.ws, found, what.outs)
    label = f"{series} {what.tag or what.commit[:7]}"
    given = work.options.get("output_dir")
    folder = manager._cwd / path_of(given) if given is not None else _own_folder(manager, work, series, what)
    if work.dry_run:
        work.voice.close(f"would download {label} to '{folder}'")
    elif given is not None:
        _fill(work, folder, what, label, series)
    else:
        with alone(folder.with_name(f".{folder.name}.lock"), work.voice.say):
            _fill(work, folder, what, label, series, own=True)
    return folder, what


def _fill(
    work: Work, folder: Path, what: Description, label: str, series: Series, *, own: bool = False
) -> None:
    """Sees to it that the folder holds the version; one of our own gets its name when it is complete."""
    from cpvlib.managers import extract
    from cpvlib.stores.files import Scratch

    anew = work.options.get("use_cache") is False
    if not anew and extract.holds(work.ws, folder, what.outs, _wish(work)):
        work.voice.close(f"{label} is in '{folder}' already")
        return
    if own or work.force:
        _set_aside(folder, work.voice)
    place = Path(Scratch(folder.parent / ".coming").new()) if own else folder
    request = extract.ExtractRequest(what.commit, frozenset({series}), place, _wish(work), work.jobs)
    result = extract.extract(work.ws, request, anew=anew, progress=work.voice)
    _warn(work, result.pickles)
    if own:
        place.rename(folder)
    fetched = f"{plural(result.n_fetched, 'object')}, {human_size(result.fetched_bytes)} fetched"
    work.voice.close(f"downloaded {label} to '{folder}' ({fetched})")


def _warn(work: Work, pickles: Pickles) -> None:
    for warning in pickles.warnings:
        work.voice.say(f"warning: {warning}")


def _own_folder(manager: Manager, work: Work, series: Series, what: Description) -> Path:
    from cpvlib.stores.userconfig import cache_dir

    name, wish = f"{what.tag or 'commit'}-{what.commit[:12]}", _wish(work)
    if wish.has_patterns:
        name += f"-{hashlib.sha256(repr(wish).encode()).hexdigest()[:12]}"
    return cache_dir() / "downloads" / manager.team_name / manager.model_name / str(series) / name


def _set_aside(folder: Path, voice: Voice) -> None:
    """What is in the way is kept under another name: somebody may have written it."""
    if folder.is_dir():
        if not any(folder.iterdir()):
            folder.rmdir()
            return
        place = folder.with_name(f"{folder.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        folder.rename(place)
        voice.say(f"what was in '{folder}' is now in '{place}'")
