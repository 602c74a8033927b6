"""The repository that the current folder lies in."""

from __future__ import annotations

import os
from pathlib import Path

from cpvlib.domain.text import human_size, listed, plural, printable
from cpvlib.managers.checkup.probe import Patient, Probe, Verdict, failed, ok, warning

_SPARE_BYTES = 1 << 30
_SHORT_BYTES = 100 << 20


def _repository(patient: Patient) -> Verdict:
    ws = patient.ws
    head = ws.repo.head()
    named = f"{ws.settings.team}/{ws.settings.model}" if ws.settings.team else "a repository without a team"
    lead = printable(f"{named}, on {head.branch}" if head.branch else f"{named}, HEAD detached")
    operation = ws.repo.unfinished()
    if operation:
        return warning(f"{lead}; a {operation} is not finished", "git status")
    if head.branch is None:
        return warning(f"{lead}: a push needs a branch", "git switch -c NAME")
    if ws.repo.is_shallow:
        return warning(f"{lead}; it is shallow, and does not know every version", "git fetch --unshallow")
    return ok(lead)


def _files(patient: Patient) -> Verdict:
    """The pointers and DVC's own files, as far as a push or pull would read them."""
    from cpvlib.managers.outs import outs_here
    from cpvlib.stores.git import trees

    ws = patient.ws
    unsettled = sorted(path for path in trees.index_conflicts(ws.repo) if path.endswith(".dvc"))
    if unsettled:
        return failed(f"a merge left {listed(unsettled)} unsettled", "git cpv pull")
    outs = outs_here(ws)
    ws.cache  # noqa: B018  # raises where a clone chose its place
    absent = [path for path in (".dvc/config", ".dvc/.gitignore") if ws.read_worktree(path) is None]
    if absent:
        return warning(f"{listed(absent)} of DVC's are missing", "git cpv init")
    named = sum(out.entry is not None for out in outs.values())
    return ok(f"{plural(len(outs), 'out')}, {plural(named, 'pointer')}")


def _disk(patient: Patient) -> Verdict:
    """Room for one more model as large as today's, and not less than 1 GiB."""
    from cpvlib.managers.outs import outs_here
    from cpvlib.stores.files import free_bytes

    ws = patient.ws
    sizes = [out.entry.size or 0 for out in outs_here(ws).values() if out.entry]
    wanted = max(_SPARE_BYTES, sum(sizes))
    folder = _existing(ws.cache.root)
    free = free_bytes(folder)
    finding = f"{human_size(free)} free where the cache is"
    if free < _SHORT_BYTES:
        return failed(finding, "free some space, or: git config cpv.cache none")
    if free < wanted:
        return warning(
            f"{finding}, and one more checkpoint may need {human_size(wanted)}",
            "free some space, or: git config cpv.cache none",
        )
    return ok(finding)


def _existing(folder: Path) -> Path:
    return folder if folder.is_dir() else _existing(folder.parent)


def _hooks(patient: Patient) -> Verdict:
    """States what git would run; whose it is, its text tells. A merge driver that is gone spoils merges."""
    from cpvlib.stores.hooks import driver

    merging = driver.state(patient.ws.repo)
    if merging.path and merging.launcher and not os.access(merging.launcher, os.X_OK):
        gone = printable(str(merging.launcher))
        return warning(f"the merge driver names '{gone}', which is gone", "git cpv hooks install")
    merges = "; git merge goes by CPV's rules" if merging.path else ""
    folder = patient.ws.repo.hooks_dir
    try:
        names = sorted(
            entry.name
            for entry in os.scandir(folder)
            if not entry.name.endswith(".sample") and entry.is_file() and os.access(entry.path, os.X_OK)
        )
    except OSError:
        names = []
    if not names:
        return ok(f"no hooks are installed{merges}")
    ours = [name for name in names if b"git-cpv" in _head(folder / name)]
    rest = f"; CPV's are {listed(ours)}" if ours else ""
    return ok(f"installed: {listed(names, limit=12)}{rest}{merges}")


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(1 << 16)
    except OSError:
        return b""


PROBES = (
    Probe("repository", _repository),
    Probe("repository.files", _files, needs=("repository",)),
    Probe("disk.free", _disk, needs=("repository",)),
    Probe("hooks", _hooks, needs=("repository",)),
)
