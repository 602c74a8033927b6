"""Bytes that take their time: a rate which all threads together keep to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST_S = 0.1
_WAKE_S = 0.2


class Pace:
    """A bucket that fills at `rate` bytes a second and holds what a tenth of a second brings.

    `clock` tells seconds, `sleep` lets some pass.
    """

    def __init__(
        self,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()
        self._lock = threading.Lock()

    def spend(self, n_bytes: int, awake: Callable[[], None]) -> None:
        """Returns when these bytes have had their time, after those of other threads that came before.

        `awake` is called now and then meanwhile; what it raises ends the waiting.
        """
        with self._lock:
            self._due = max(self._due, self._clock() - _BURST_S) + n_bytes / self.rate
            due = self._due
        while (left := due - self._clock()) > 0:
            self._sleep(min(left, _WAKE_S))
            awake()
