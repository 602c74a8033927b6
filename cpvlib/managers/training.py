"""A training as it goes: its lines in `metrics.log`, and its checkpoints taken out of its hands at once.

The log gets one line at a time, whole, so that it may be read meanwhile and is complete whenever the process
ends. A checkpoint is taken where that is instant, or the files are few; the rest is read where it lies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import dataclass, field
from cpvlib.domain.checkpoint import Code, Number, flat, is_number, utc
from cpvlib.domain.metricslog import START
from cpvlib.domain.numbers import plain
from cpvlib.managers.outs import LOG

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

_COPIED_BYTES = 64 << 20
"""What may be copied while the training waits: a twentieth of a second."""


@dataclass
class Start:
    """What a training began with, and the last value of each metric since."""

    run_id: str
    top: Path
    git_dir: Path
    code: Code
    params: Mapping[str, Any]
    latest: dict[str, Number] = field(default_factory=dict)


def begin(
    ws: Workspace, params: Mapping[str, Any], *, branch: str | None = None, dry_run: bool = False
) -> tuple[Start | None, tuple[str, ...]]:
    """Takes the code down and writes the first line (in a dry run: nothing); what to warn of besides.

    Raises RepositoryError where a push could not be made from here: no commit yet, a detached HEAD (unless
    pushes go to a `branch`), an unfinished merge.
    """
    from cpvlib.managers import metricslog
    from cpvlib.managers.facts import code_now

    ws.refuse_unfinished()
    head = ws.repo.head()
    if head.branch is None and branch is None:
        raise RepositoryError(
            "HEAD is detached: the checkpoints of this training would belong to no branch",
            hint="git switch -c NAME, or push them onto a branch with branch='NAME'",
        )
    code, warnings = code_now(ws)
    if dry_run:
        return None, warnings
    start = Start(os.urandom(4).hex(), ws.top, ws.repo.git_dir, code, flat(plain(params)))
    metricslog.make_own(ws)
    _append(
        ws.top / LOG,
        {
            "cpv": START,
            "run": start.run_id,
            "time": utc(),
            "params": start.params,
            "code": {"commit": code.commit, "uncommitted": list(code.uncommitted)},
        },
    )
    return start, warnings


def log_values(start: Start, values: Mapping[str, Any]) -> None:
    """One line of metrics. A value that is no finite number is written as text, 'nan' for one, and is no
    metric of the next checkpoint."""
    facts = flat(plain(values))
    _append(start.top / LOG, {**facts, "run": start.run_id, "time": utc()})
    for name, value in facts.items():
        start.latest.pop(name, None)
        if is_number(value):
            start.latest[name] = value


def take(start: Start, path: Path) -> Path | None:
    """A file or folder as it is now, in a place where it stays so; None where that would take long.

    Blocks are shared where the file system can, whatever the size; else a small one is copied. Raises
    RepositoryError where nothing is there. The caller removes what it got.
    """
    from cpvlib.stores.files import Scratch, disk_error, remove_tree

    files = dict(_files(path))
    target = Path(Scratch(start.git_dir / "cpv" / "runs").new())
    small = sum(Path(source).stat().st_size for source in files.values()) <= _COPIED_BYTES
    try:
        for name, source in files.items():
            place = target / name if name else target
            place.parent.mkdir(parents=True, exist_ok=True)
            if not _take_file(source, place, copy=small):
                remove_tree(target)
                return None
    except OSError as error:
        if target.exists():
            remove_tree(target)
        raise disk_error(error, f"cannot take '{path}'") from error
    return target


def _take_file(source: str, target: Path, *, copy: bool) -> bool:
    from cpvlib.stores.files import clone, copy_contents

    with FileIO(source) as reader, FileIO(target, "x") as writer:
        os.fchmod(writer.fileno(), os.fstat(reader.fileno()).st_mode & 0o777 | 0o600)
        if copy:
            copy_contents(reader, writer, lambda _: None)
            return True
        return clone(reader, writer)


def _files(path: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder by its name there, '' for `path` itself; links to files count as files."""
    if path.is_file():
        yield "", str(path)
        return
    if not path.is_dir():
        raise RepositoryError(f"'{path}' does not exist")
    for folder, _, names in os.walk(path):
        for name in names:
            place = Path(folder, name)
            yield place.relative_to(path).as_posix(), str(place)


def _append(log: Path, facts: Mapping[str, Any]) -> None:
    from cpvlib.managers.metricslog import append
    from cpvlib.stores.files import disk_error

    line = json.dumps(facts, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"
    try:
        append(log, line)
    except OSError as error:
        raise disk_error(error, f"cannot write '{log}'") from error
