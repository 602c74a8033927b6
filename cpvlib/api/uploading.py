"""Into the repository: making it, its first outs, its data, and what an upload records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpvlib.api.manager import Manager, Work, open_workspace
from cpvlib.api.options import InitOptions, StrPath, UploadOptions, path_of
from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import in_order
from cpvlib.domain.text import human_size, listed, plural
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from cpvlib.domain.checkpoint import Number
    from cpvlib.managers.push import PushResult
    from cpvlib.managers.pushplan import PushRequest
    from cpvlib.managers.workspace import Workspace


def initialise(manager: Manager, data_path: StrPath | None, options: Mapping[str, Any], name: str) -> str:
    """Makes or adopts the repository, then takes the data in; the top of the repository."""
    from cpvlib.api.call import speaking
    from cpvlib.stores.repolock import alone
    from cpvlib.stores.userconfig import cache_dir

    settled = manager._options(InitOptions, options, name)
    source = manager._cwd / path_of(data_path) if data_path is not None else None
    with speaking(name, settled, changes=True) as voice:
        if source is not None and not source.exists():
            raise RepositoryError(f"the data '{source}' does not exist")
        found = manager._find(settled, voice)
        top = found.top if found else manager._place(settled)
        if found is not None:
            found.repo.close()
        if settled.get("dry_run"):
            voice.close(f"would set up '{top}'" + (f" with the data of '{source}'" if source else ""))
            return str(_make(manager, top, settled, with_samples=False, dry_run=True))
        with alone(cache_dir() / "init.lock", voice.say):
            made = _make(manager, top, settled, with_samples=source is None, dry_run=False)
        line = f"set up {manager.team_name}/{manager.model_name} in '{made}'"
        ws = open_workspace(made, settled, voice)
        try:
            with ws.alone():
                if source is not None:
                    commit = _import_data(Work(ws, settled, voice), source)
                    line += f", with the data of '{source}' as {commit[:7]}"
        finally:
            ws.repo.close()
        voice.close(line)
    return str(made)


def _make(
    manager: Manager, top: Path, options: Mapping[str, Any], *, with_samples: bool, dry_run: bool
) -> Path:
    """The repository's top, once it is CPV's; without samples a new one gets no data to start from."""
    from cpvlib.base.values import replace
    from cpvlib.managers.init import InitRequest, init, plan_init

    request = InitRequest(
        folder=top,
        team=manager.team_name,
        model=manager.model_name,
        storage=_storage(manager, options.get("storage")),
        git_remote_url=options.get("git_remote"),
        tag_prefix=options.get("tag_prefix"),
    )
    plan = plan_init(manager._cwd, request)
    try:
        if not dry_run:
            init(plan if with_samples else replace(plan, local_files={}))
    finally:
        if plan.repo is not None:
            plan.repo.close()
    return plan.top


def _storage(manager: Manager, given: str | None) -> str | None:
    """A folder counts from the current one, as it was when the manager was made."""
    if not given or "://" in given:
        return given
    return str(manager._cwd / path_of(given))


def _import_data(work: Work, source: Path) -> str:
    from cpvlib.managers.importing import import_data
    from cpvlib.managers.pushplan import PushRequest

    ws = with_outs(work, source, Series.DATA)
    request = PushRequest(frozenset({Series.DATA}), message=f"Import data from {source.name}", jobs=work.jobs)
    result = import_data(ws, source, request, force=work.force, progress=work.voice)
    return _commit_of(result)


def upload(
    manager: Manager,
    series: Series,
    source: StrPath | None,
    metrics: Mapping[str, Any] | StrPath | None,
    options: Mapping[str, Any],
    name: str,
) -> str:
    """Pushes one series; the commit that now holds it."""
    settled = manager._options(UploadOptions, options, name)
    path = manager._cwd / path_of(source) if source is not None else None
    with manager._work(name, settled, changes=True) as work:
        given = _metrics(metrics, manager._cwd)
        ws = with_outs(work, path, series)
        return carry_out(ws, work, _request(ws, work, series, path, given))


def carry_out(ws: Workspace, work: Work, request: PushRequest) -> str:
    """One push, told as it goes; the commit, '' in a dry run before the first."""
    from cpvlib.managers.push import push
    from cpvlib.managers.pushplan import plan_push

    plan = plan_push(ws, request, dry_run=work.dry_run, progress=work.voice)
    for warning in plan.warnings:
        work.voice.say(f"warning: {warning}")
    _refuse_nothing(ws, request, [change.out.path for change in plan.changes])
    if work.dry_run:
        changed = listed([change.out.path for change in plan.changes]) or "nothing"
        work.voice.close(f"would upload {changed} and commit to '{plan.branch}': {plan.message}")
        return plan.tip or ""
    result = push(ws, plan, request, progress=work.voice)
    for oid, proof in in_order(result.stored.proofs):
        work.voice.detail(f"{oid}: {proof.how}")
    work.voice.close(_told(result))
    return _commit_of(result)


def _request(
    ws: Workspace, work: Work, series: Series, path: Path | None, metrics: dict[str, Number] | None
) -> PushRequest:
    from cpvlib.domain.checkpoint import flat
    from cpvlib.domain.numbers import plain
    from cpvlib.managers.importing import own_out
    from cpvlib.managers.pushplan import PushRequest

    options = work.options
    if path is not None and not path.exists():
        raise RepositoryError(f"'{path}' does not exist")
    params = options.get("params")
    return PushRequest(
        series=frozenset({series}),
        source=None if path is None or own_out(ws, path, series) else path,
        message=options.get("message"),
        metrics=metrics,
        params=flat(plain(params)) if params else None,
        also_tracked=bool(options.get("commit_code")),
        branch=options.get("branch"),
        check=bool(options.get("check")),
        force=work.force,
        jobs=work.jobs,
    )


def _metrics(given: Mapping[str, Any] | StrPath | None, cwd: Path) -> dict[str, Number] | None:
    """Metrics from a mapping, nested or not, or from a JSON file; numbers of numpy and torch count as
    such."""
    from cpvlib.domain.checkpoint import flat_metrics, metrics_file
    from cpvlib.domain.numbers import plain

    if given is None:
        return None
    if isinstance(given, Mapping):
        return flat_metrics(plain(given), "metrics")
    path = cwd / path_of(given)
    try:
        return metrics_file(path.read_bytes(), str(given))
    except OSError as error:
        raise RepositoryError(f"cannot read '{given}': {error.strerror}") from error


def with_outs(work: Work, path: Path | None, series: Series) -> Workspace:
    """The repository, in which the series has outs: `path` makes the first where there is none."""
    from cpvlib.managers import importing, tracking

    plan = importing.plan_first_out(work.ws, path, series) if path is not None else None
    if plan is None or work.dry_run:
        return work.ws
    tracking.carry_out(work.ws, plan)
    work.voice.say(f"{listed(plan.changes)} is now an out of the {series}")
    return work.ws.again()


def _refuse_nothing(ws: Workspace, request: PushRequest, changed: list[str]) -> None:
    """An upload of a series that has no content is a mistake, and not "up to date"."""
    from cpvlib.managers.outs import in_series, outs_here

    mine = in_series(outs_here(ws), request.series)
    if any(path in mine for path in changed) or any(out.oid for out in mine.values()):
        return
    what = " and ".join(str(series) for series in sorted(request.series))
    if mine:
        raise RepositoryError(
            f"there is no {what} to upload: {listed(mine)} does not exist",
            hint=f"write it there, or say where it is with {what}_path=",
        )
    raise RepositoryError(
        f"no out belongs to the {what}",
        hint=f"say where it is with {what}_path=, or git cpv track --{what} PATH",
    )


def _commit_of(result: PushResult) -> str:
    assert result.commit is not None  # push refuses where there is nothing to commit at all
    return result.commit


def _told(result: PushResult) -> str:
    """`uploaded 2 objects, 3.1 GiB; [main 4be1d0c] baseline; published to origin`."""
    plan = result.plan
    if result.up_to_date:
        return "everything is up to date"
    parts = [f"uploaded {plural(result.stored.n_sent, 'object')}, {human_size(result.stored.sent_bytes)}"]
    if result.created and result.commit:
        parts.append(f"[{plan.branch} {result.commit[:7]}] {plan.message.splitlines()[0]}")
    parts += [f"{version.name}: {result.reason or 'the model changed'}" for version in result.versions]
    if result.reason and not result.versions:
        parts.append(f"no version: {result.reason}")
    publication = result.publication
    if publication is None:
        parts.append("no git remote")
        return "; ".join(parts)
    if publication.is_news:
        parts.append(f"published to {publication.git_remote}")
    parts += [f"{old} is now {new}" for old, new in publication.renamed.items()]
    return "; ".join(parts)
