"""A training that is recorded while it runs: `with cpvlib.run(team, model) as run`."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cpvlib.api.call import harmless, speaking
from cpvlib.api.manager import Manager
from cpvlib.api.options import Options, StrPath, path_of
from cpvlib.api.options import settled as settle
from cpvlib.base.errors import CPVError, RepositoryError

if TYPE_CHECKING:
    from cpvlib.api.options import Unpack
    from cpvlib.domain.checkpoint import Number
    from cpvlib.managers.training import Start

_WAITING = 8


class RunOptions(Options, total=False):
    """Options of `run`."""

    branch: str | None
    """Push onto this branch, so that trainings that share one clone don't meet; it is made if need be."""


class Upload:
    """One checkpoint on its way."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._commit: str | None = None
        self.error: CPVError | None = None
        """Why it was not recorded, once that is known."""

    @property
    def done(self) -> bool:
        """Whether it is recorded and stored, or never will be."""
        return self._over.is_set()

    @property
    def commit(self) -> str | None:
        """The commit that holds it, once it is stored and committed."""
        return self._commit

    def wait(self, timeout_s: float | None = None) -> str | None:
        """The commit, when it is there; None after the time is up, and for a rank that records nothing.

        Raises the error that kept the checkpoint from being recorded.
        """
        self._over.wait(timeout_s)
        if self.error is not None:
            raise self.error
        return self._commit

    def _end(self, commit: str | None = None, error: CPVError | None = None) -> None:
        self._commit, self.error = commit, error
        self._over.set()


class _Order:
    """A checkpoint to push: `taken` is a copy that stands still, None where `path` is read where it lies."""

    def __init__(
        self, path: Path | None, taken: Path | None, metrics: Mapping[str, Number], message: str | None
    ) -> None:
        self.path = path
        self.taken = taken
        self.metrics = metrics
        self.message = message
        self.upload = Upload()

    def clear(self) -> None:
        """Removes the copy."""
        from cpvlib.stores.files import remove_tree

        if self.taken is not None and self.taken.exists():
            remove_tree(self.taken)


class Run:
    """A training under way; made by `cpvlib.run`. Its methods may be called from any thread.

    `id` is what its lines in `metrics.log` have as their `run`. Where another process of a distributed
    training is the first, `is_recording` is False and every method does nothing.
    """

    def __init__(self, manager: Manager, start: Start | None, options: Mapping[str, Any]) -> None:
        self._manager = manager
        self._start = start
        self._options = options
        self._pid = os.getpid()
        self._orders: deque[_Order] = deque()
        self._change = threading.Condition()
        self._worker: threading.Thread | None = None
        self._last: Upload | None = None
        self._finished = False
        self.id: str = start.run_id if start else ""

    @property
    def is_recording(self) -> bool:
        return self._start is not None and self._pid == os.getpid()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters as they were recorded."""
        return dict(self._start.params) if self._start else {}

    @property
    def code_commit(self) -> str | None:
        """The commit that the training started from."""
        return self._start.code.commit if self._start else None

    def log(self, values: Mapping[str, Any] | None = None, /, **metrics: Any) -> None:
        """Adds one line to `metrics.log`: `run.log(step=10, loss=0.3)` or `run.log({"eval": {"loss": 0.4}})`.

        Numbers of numpy and torch count as numbers. The line is in the file when this returns. The last value
        of each metric goes with the next checkpoint.
        """
        from cpvlib.managers.training import log_values

        if self._start is not None and self.is_recording:
            log_values(self._start, {**(values or {}), **metrics})

    def checkpoint(
        self,
        path: StrPath | None = None,
        metrics: Mapping[str, Any] | None = None,
        message: str | None = None,
    ) -> Upload:
        """Pushes a checkpoint in the background: stores it, commits it, publishes it.

        `path` is a file or folder, wherever it lies; without it, the model's place in the repository.
        `metrics` come on top of the last ones logged. Files of up to 64 MiB together are copied before this
        returns, larger ones where the file system can share their blocks; else they must stay as they are
        until the upload is `done`. Of more than eight that wait, the oldest is left out.
        """
        if self._start is None or not self.is_recording:
            idle = Upload()
            idle._end()
            return idle
        order = self._order(self._start, path, metrics, message)
        with self._change:
            if self._finished:
                order.clear()
                raise RepositoryError("the run is finished, and takes no more checkpoints")
            self._orders.append(order)
            self._last = order.upload
            if len(self._orders) > _WAITING:
                self._leave_out(self._orders.popleft(), "left out: too many checkpoints waited")
            if self._worker is None:
                # Python waits for it at the end, so that a program that just ends loses no checkpoint.
                self._worker = threading.Thread(target=self._work, name=f"cpv-run-{self.id}")
                self._worker.start()
            self._change.notify_all()
        return order.upload

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until every checkpoint is done; whether it is."""
        with self._change:
            return self._change.wait_for(lambda: self._worker is None, timeout_s)

    def finish(self) -> None:
        """Waits for the checkpoints that are under way, and ends the run; a second call does nothing.

        Raises what kept the last checkpoint from being recorded.
        """
        if not self.is_recording or self._finished:
            return
        self.wait()
        self._finished = True
        if self._last is not None and self._last.error is not None:
            raise self._last.error

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `finish`; after an error of the training, that error stands.

        After Ctrl-C only the checkpoint under way is completed, unless Ctrl-C is pressed again.
        """
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._drop_waiting()
            return
        try:
            self.finish()
        except CPVError:
            if kind is None:
                raise

    def _order(
        self, start: Start, path: StrPath | None, metrics: Mapping[str, Any] | None, message: str | None
    ) -> _Order:
        from cpvlib.domain.checkpoint import flat_metrics
        from cpvlib.domain.numbers import plain
        from cpvlib.managers.training import take

        given = {**start.latest, **flat_metrics(plain(metrics or {}), "metrics")}
        place = self._manager._cwd / path_of(path) if path is not None else None
        return _Order(place, take(start, place) if place is not None else None, given, message)

    def _drop_waiting(self) -> None:
        with self._change:
            self._finished = True
            while self._orders:
                self._leave_out(self._orders.popleft(), "left out: the training was interrupted")

    def _leave_out(self, order: _Order, why: str) -> None:
        order.clear()
        order.upload._end(error=RepositoryError(why))

    def _work(self) -> None:
        """The background: one checkpoint after the other, until none waits."""
        while True:
            with self._change:
                if not self._orders:
                    self._worker = None
                    self._change.notify_all()
                    return
                order = self._orders.popleft()
            try:
                order.upload._end(self._push(order))
            except CPVError as error:
                order.upload._end(error=error)
            except Exception as bug:  # the training must go on, and whoever waits must hear of it
                told = RepositoryError(f"the checkpoint was not recorded: {type(bug).__name__}: {bug}")
                told.__cause__ = bug
                order.upload._end(error=told)
            finally:
                order.clear()

    def _push(self, order: _Order) -> str:
        from cpvlib.api.uploading import carry_out, with_outs
        from cpvlib.domain.version import Series
        from cpvlib.managers.importing import own_out
        from cpvlib.managers.pushplan import PushRequest

        assert self._start is not None
        with self._manager._work("run.checkpoint", self._options, changes=True) as work:
            ws = with_outs(work, order.path, Series.MODEL)
            is_own = order.path is not None and own_out(ws, order.path, Series.MODEL)
            request = PushRequest(
                series=frozenset({Series.MODEL}),
                source=order.taken or (None if is_own else order.path),
                source_is_own=is_own,
                message=order.message,
                metrics=order.metrics,
                params=self._start.params,
                code=self._start.code,
                branch=self._options.get("branch"),
                force=work.force,
                jobs=work.jobs,
            )
            return carry_out(ws, work, request)


def run(
    team_name: str,
    model_name: str,
    *,
    params: Mapping[str, Any] | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Records a training: `with cpvlib.run("AI-Convo", "whisper", params={"lr": 1e-4}) as run: ...`

    Takes the code's commit and the parameters down at once. `run.log(...)` adds to `metrics.log`, line by
    line; `run.checkpoint(path)` pushes in the background. Leaving the block waits for what is under way.

    No signal is caught. A process that is killed leaves each line that it logged and each checkpoint that was
    done; to have the others finished on SIGTERM too, turn it into an exit:
    `signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))`.

    `dry_run` checks that all of this could be done, and records nothing. Where RANK, SLURM_PROCID or
    OMPI_COMM_WORLD_RANK is not 0 nothing is recorded, which is said once on stderr. Raises RepositoryError
    where there is no repository, or checkpoints could not be committed in it.
    """
    from cpvlib.domain.ranks import other_rank

    settled = settle({}, options, RunOptions, "run")
    manager = Manager(team_name, model_name)
    rank = other_rank(os.environ)
    if rank is not None:
        _say_once(rank)
        return Run(manager, None, settled)
    from cpvlib.managers.training import begin

    with speaking("run", settled, changes=False) as voice:
        ws = manager._find(settled, voice)
        if ws is None:
            raise manager._missing(settled)
        try:
            begun = begin(
                ws, params or {}, branch=settled.get("branch"), dry_run=bool(settled.get("dry_run"))
            )
        finally:
            ws.repo.close()
        start, warnings = begun
        for warning in warnings:
            voice.say(f"warning: {warning}")
        if start is None:
            return Run(manager, None, settled)
        voice.say(f"run {start.run_id} starts from {(start.code.commit or 'no commit')[:7]}")
    # Wherever the process goes, the run stays in the repository that it began in.
    return Run(manager, start, {**settled, "repo_path": start.top})


@cache
def _say_once(rank: str) -> None:
    line = f"cpv: {rank}: this process records nothing; rank 0 does"
    print(harmless(line), file=sys.stderr)  # noqa: T201
