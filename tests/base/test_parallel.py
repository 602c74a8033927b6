"""Threads that share work: they stop together, and nobody goes on behind the caller's back."""

from __future__ import annotations

import threading

import pytest

from cpvlib.base.parallel import Cancelled, Crew


def test_each_result_comes_with_its_item() -> None:
    assert sorted(Crew(3).each(lambda n: n * n, range(20))) == [(n, n * n) for n in range(20)]


def test_no_items_are_no_work() -> None:
    assert list(Crew(3).each(lambda n: n, list[int]())) == []


@pytest.mark.parametrize("failure", [ValueError("first"), Cancelled()])
def test_when_it_ends_the_others_have_ended(failure: BaseException) -> None:
    crew, begun, ended = Crew(4), threading.Barrier(4), list[int]()

    def work(number: int) -> None:
        begun.wait()
        if number == 0:
            raise failure
        try:
            while True:
                crew.check()
        finally:
            ended.append(number)

    with pytest.raises(type(failure)):
        list(crew.each(work, range(9)))
    assert sorted(ended) == [1, 2, 3]  # and no more was handed out


def test_who_wants_no_more_ends_the_work_under_way() -> None:
    crew, begun, ended = Crew(2), threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number:
            begun.set()
            try:
                while True:
                    crew.check()
            finally:
                ended.set()
        begun.wait()
        return number

    for _, result in crew.each(work, range(2)):
        assert result == 0
        break
    assert ended.wait(60)
