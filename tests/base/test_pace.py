"""The pace of transfers, by a clock that the test moves."""

from __future__ import annotations

import threading

import pytest

from cpvlib.base.pace import Pace


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


def nothing() -> None: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_bytes_take_their_time(clock: Clock) -> None:
    pace = Pace(1000, clock, clock.sleep)
    for _ in range(50):
        pace.spend(100, nothing)
    assert clock.now == pytest.approx(105.0)


def test_what_was_not_used_is_kept_for_a_tenth_of_a_second(clock: Clock) -> None:
    pace = Pace(1000, clock, clock.sleep)
    clock.sleep(60)
    pace.spend(100, nothing)
    assert clock.now == 160.0
    pace.spend(100, nothing)
    assert clock.now == pytest.approx(160.1)


def test_threads_share_one_rate(clock: Clock) -> None:
    pace = Pace(1000, clock, clock.sleep)
    threads = [threading.Thread(target=pace.spend, args=(1000, nothing)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now >= 108.0


def test_whoever_waits_can_be_called_off(clock: Clock) -> None:
    pace = Pace(1, clock, clock.sleep)

    def stop() -> None:
        if clock.now > 110:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pace.spend(1_000_000, stop)
    assert clock.now < 111
