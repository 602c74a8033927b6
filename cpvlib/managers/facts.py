"""What a push records of its checkpoint besides the bytes: metrics, parameters, code, data, and the log's new
line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from cpvlib.base.errors import CPVError, RepositoryError, UsageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.checkpoint import Checkpoint, Code, DataUsed, Number, data_md5, utc
from cpvlib.domain.metricslog import Record, last_training_metrics, records
from cpvlib.domain.text import listed, printable
from cpvlib.domain.version import Series
from cpvlib.managers import metricslog
from cpvlib.managers.metricslog import LogThen, OpenLog
from cpvlib.managers.outs import CHECKPOINT, LOG, Out

if TYPE_CHECKING:
    from cpvlib.managers.pushplan import PushRequest
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Decision:
    """The new `checkpoint.json` and log line, None where there is nothing new to say, and what to warn of."""

    checkpoint: Checkpoint | None
    log: LogThen | None
    warnings: tuple[str, ...] = ()


def decide(
    ws: Workspace,
    request: PushRequest,
    oids: Mapping[Out, str],
    committed: Mapping[str, Out],
    before: Checkpoint | None,
) -> Decision:
    """What the checkpoint will say, given what each out will name (`oids`) and what the tip's pointers name.

    It describes the model: new data alone makes no new one.

    Numbers describe the model they were given with: where the model changed and nothing was given, they are
    those that the training logged since the last push, or that the log has of this very model, as an
    interrupted push leaves it, or none. They are never carried over to another model. A model that came back
    with its `checkpoint.json`, by `revert --no-commit` or by hand, keeps that.
    """
    model = {out.path: oid for out, oid in oids.items() if out.series is Series.MODEL}
    if not model:
        return Decision(None, None)
    model_changed = any(_changed(path, oid, committed) for path, oid in model.items())
    back = _brought_back(ws, oids, before) if model_changed and not _given(request) else None
    with metricslog.opened(ws, committed.get(LOG) if model_changed or _given(request) else None) as log:
        if back is not None:
            return Decision(back, _addition(log, model, back))
        old = before or Checkpoint()
        logged = _logged(log, model) if model_changed and request.metrics is None else None
        metrics = _metrics(request, log, logged or old, kept=logged is not None or not model_changed)
        params = _params(request, logged or old, kept=logged is not None or not model_changed)
        if not model_changed and (metrics, params) == (old.metrics, old.params):
            return Decision(None, None)
        warnings: tuple[str, ...] = ()
        code, data = old.code, old.data
        if model_changed:
            code, warnings = (request.code, ()) if request.code else code_now(ws, clean=request.also_tracked)
            data = _data_used(ws, _data_oids(committed, oids))
        if model_changed and not metrics:
            warnings += ("no metrics were given for this model (--metric loss=0.2)",)
        new = Checkpoint(metrics, params, code, data, utc())
        return Decision(new, _addition(log, model, new), warnings)


def _given(request: PushRequest) -> bool:
    return not (request.metrics is None and request.params is None and request.code is None)


def _brought_back(ws: Workspace, oids: Mapping[Out, str], before: Checkpoint | None) -> Checkpoint | None:
    """The worktree's `checkpoint.json`, where it is not the committed one and the pointers beside it name
    this model already."""
    if any(out.oid != oid for out, oid in oids.items() if out.series is Series.MODEL):
        return None
    content = ws.read_worktree(CHECKPOINT)
    found = Checkpoint.parse(content) if content is not None else None
    return found if found != before else None


def default_message(changed: Iterable[Out], checkpoint: Checkpoint | None) -> str:
    """The commit message of a push without `-m`: which series changed, and the metrics."""
    names = {str(out.series) for out in changed if out.series is not None}
    subject = f"Update {' and '.join(sorted(names, reverse=True))}" if names else "Update metrics"
    if "data" in names and len(names) == 1:
        return subject
    metrics = (
        [f"{name}={value:g}" for name, value in sorted(checkpoint.metrics.items())] if checkpoint else []
    )
    text = ", ".join(metrics)
    return f"{subject} ({printable(text)})" if text and len(text) <= 50 else subject


def _changed(path: str, oid: str, committed: Mapping[str, Out]) -> bool:
    return path not in committed or committed[path].oid != oid


def refuse_without_model(ws: Workspace, request: PushRequest, outs: Iterable[Out]) -> None:
    """Raises RepositoryError or UsageError where numbers were given and there is no model, among these outs,
    that they could describe. Nothing is read for that."""
    if not (request.metrics or request.params):
        return
    from_source = request.source is not None and request.source_series is Series.MODEL
    models = [out for out in outs if out.series is Series.MODEL]
    if not any(from_source or out.oid or os.path.lexists(ws.worktree.place(out.path)) for out in models):
        raise _no_model(ws, request)


def _no_model(ws: Workspace, request: PushRequest) -> CPVError:
    if Series.MODEL not in request.series:
        return UsageError(
            "metrics and parameters describe the model, which --data leaves out",
            hint="leave --data out, or the numbers",
        )
    outs = ws.settings.model_outs
    if not outs:
        return RepositoryError(
            "there is no model that the metrics could describe", hint="git cpv track PATH names its files"
        )
    there = "is not there" if len(outs) == 1 else "are not there"
    return RepositoryError(
        f"there is no model that the metrics could describe: {listed(outs)} {there}",
        hint="put it there, or name it where it is: git cpv push --from PATH",
    )


def _logged(log: OpenLog, model: Mapping[str, str]) -> Record | None:
    having = next(iter(model.values())).encode()
    return next((record for record in records(log, having) if record.model == model), None)


def _metrics(
    request: PushRequest, log: OpenLog, before: Checkpoint | Record, *, kept: bool
) -> Mapping[str, Number]:
    known = before.metrics if kept else {}
    if request.metrics is not None:
        return {**known, **request.metrics}
    return last_training_metrics(log) or known


def _params(request: PushRequest, before: Checkpoint | Record, *, kept: bool) -> Mapping[str, object]:
    return {**(before.params if kept else {}), **(request.params or {})}


def _addition(log: OpenLog, model: Mapping[str, str], new: Checkpoint) -> LogThen | None:
    if not (new.metrics or new.params):
        return None
    return LogThen.with_record(log, Record(model, new.metrics, new.params, new.time))


def code_now(ws: Workspace, *, clean: bool = False) -> tuple[Code, tuple[str, ...]]:
    """HEAD, with the tracked files that are not committed (none where it is to be `clean`), and a warning of
    those. A training that starts now starts from it; else it is as near as git can tell.
    """
    from cpvlib.stores.git import trees

    commit = ws.repo.head().commit
    if commit is None or clean:
        return Code(commit), ()
    own = (CHECKPOINT, ".cpvconfig", ".gitignore", ".dvcignore")
    names = tuple(
        name
        for name in trees.changed_tracked(ws.repo)
        if not name.endswith((".dvc", ".gitignore")) and name not in own and not name.startswith(".dvc/")
    )
    if not names:
        return Code(commit), ()
    listed = ", ".join(printable(name) for name in names[:3]) + (", …" if len(names) > 3 else "")
    return Code(commit, names), (f"uncommitted code is not in this checkpoint: {listed} (-a commits it too)",)


def _data_oids(committed: Mapping[str, Out], oids: Mapping[Out, str]) -> dict[str, str]:
    """The data that the checkpoint goes with: where only the model is pushed, the committed one."""
    before = {path: out.oid for path, out in committed.items() if out.series is Series.DATA and out.oid}
    return before | {out.path: oid for out, oid in oids.items() if out.series is Series.DATA}


def _data_used(ws: Workspace, data: Mapping[str, str]) -> DataUsed | None:
    md5 = data_md5(data)
    return DataUsed(md5, _data_version(ws, data)) if md5 is not None else None


def _data_version(ws: Workspace, data: Mapping[str, str]) -> str | None:
    """The newest data version that names exactly these contents."""
    from cpvlib.domain.manifest import parse_manifest
    from cpvlib.domain.version import TagName
    from cpvlib.stores.git import refs

    prefix = ws.settings.tag_prefix
    found = []
    for tag in refs.read_tags(ws.repo, [f"refs/tags/{prefix}data/"]):
        name = TagName.parse(tag.name, prefix)
        outs = {out.path: out.oid for out in parse_manifest(tag.message).outs}
        if name is not None and outs == dict(data):
            found.append(name.version)
    return str(max(found)) if found else None
