"""Work spread over threads that never hold the process back.

`concurrent.futures` joins its threads at exit, so that Ctrl-C would wait for a slow network; these are
daemons.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from cpvlib.base.typed import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from queue import SimpleQueue

T = TypeVar("T")
R = TypeVar("R")

_FAILURE_GRACE_S = 10.0
_INTERRUPT_GRACE_S = 1.0
_WAKE_S = 0.05


class Cancelled(BaseException):
    """Raised inside a worker whose crew was told to stop; no `Exception`, as no retry loop may swallow it."""


class Crew:
    """A number of threads that share one list of work, and stop together."""

    def __init__(self, threads: int) -> None:
        self._threads = max(1, threads)
        self._stopped = threading.Event()

    def check(self) -> None:
        """For workers, between two steps of long work: raises Cancelled once the crew was told to stop."""
        if self._stopped.is_set():
            raise Cancelled

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        """`(item, work(item))` soon after each is done, in any order; items are handed out in theirs, and
        asked for when they are: from any thread, one at a time.

        The first failure is raised here after no more work is handed out and the work under way has ended, or
        has had ten seconds to `check` and clean up after itself; after Ctrl-C, or where nobody wants more, it
        has one. Used once for a crew.
        """
        rest = iter(items)
        first = list(islice(rest, self._threads))
        if not first:
            return
        from queue import SimpleQueue

        take = _handing_out(chain(first, rest))
        done: deque[tuple[T, R]] = deque()
        ends: SimpleQueue[BaseException | None] = SimpleQueue()
        args = work, take, done, ends
        threads = [threading.Thread(target=self._work, args=args, daemon=True) for _ in first]
        n_working = len(threads)
        grace_s = _INTERRUPT_GRACE_S
        try:
            for thread in threads:
                thread.start()
            while n_working:
                ended = _next(ends)
                while done:
                    yield done.popleft()
                for error in ended:
                    if error is not None:
                        raise error
                    n_working -= 1
        except (Exception, Cancelled):
            grace_s = _FAILURE_GRACE_S
            raise
        finally:
            self._stopped.set()
            _join(threads, grace_s)

    def _work(
        self,
        work: Callable[[T], R],
        take: Callable[[], list[T]],
        done: deque[tuple[T, R]],
        ends: SimpleQueue[BaseException | None],
    ) -> None:
        try:
            while not self._stopped.is_set():
                if not (some := take()):
                    ends.put(None)
                    return
                done.append((some[0], work(some[0])))
        except BaseException as error:
            ends.put(error)


def _handing_out(items: Iterator[T]) -> Callable[[], list[T]]:
    """Gives the next item, alone in a list, or an empty one where none is left. For any thread."""
    lock = threading.Lock()

    def take() -> list[T]:
        with lock:
            return list(islice(items, 1))

    return take


def _next(ends: SimpleQueue[T]) -> list[T]:
    """What ends next, alone in a list, or an empty one where nothing does soon.

    Whoever waits wakes now and then: to be woken for each of thousands of results would take the interpreter
    from those who work. And a signal that comes just before Python blocks is else seen when the wait ends.
    """
    from queue import Empty

    try:
        return [ends.get(timeout=_WAKE_S)]
    except Empty:
        return []


def _join(threads: Iterable[threading.Thread], grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
