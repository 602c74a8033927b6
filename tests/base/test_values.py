"""Values are what dataclasses are: each case is held against Python's own."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import pytest

from cpvlib.base import values

Make = Callable[..., Any]


def classes(dataclass: Make, field: Make) -> dict[str, type[Any]]:
    """The same classes, made by one or the other."""

    @dataclass(frozen=True)
    class Point:
        x: int
        y: int = 0
        tags: Mapping[str, int] = field(default_factory=dict)
        secret: str | None = field(default=None, repr=False)

        @property
        def far(self) -> bool:
            return self.x > 9

        @cached_property
        def slow(self) -> int:
            return self.x * 2

    @dataclass(frozen=True)
    class Named(Point):
        y: int = 7
        name: str = ""

        def __str__(self) -> str:
            return self.name

    @dataclass(frozen=True, order=True)
    class Version:
        major: int
        minor: int = 1
        note: str = field(default="", compare=False)

    @dataclass
    class Open:
        rows: list[int] = field(default_factory=list)

    @dataclass(frozen=True)
    class Empty:
        pass

    return {each.__name__: each for each in (Point, Named, Version, Open, Empty)}


@pytest.fixture(params=["ours", "python's"])
def made(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "ours":
        return classes(values.dataclass, values.field)
    return classes(dataclasses.dataclass, dataclasses.field)


def test_values_are_made_compared_and_shown(made: dict[str, Any]) -> None:
    point, named = made["Point"], made["Named"]
    assert repr(point(1, secret="s")).endswith("Point(x=1, y=0, tags={})")
    assert (point(1), point(1, 0, {}, None), point(y=2, x=1)) == (point(x=1), point(1), point(1, 2))
    assert (point(1) == point(1, secret="s"), point(1) == named(1, 0), point(1) == 1) == (False, False, False)
    assert (named(1).y, named(1, 2, {}, None, "n").name, str(named(1, name="m"))) == (7, "n", "m")
    assert (point(10).far, point(10).slow, point(10)) == (True, 20, copy.copy(point(10)))
    assert (made["Empty"](), len({made["Empty"](), made["Empty"]()})) == (made["Empty"](), 1)


def test_what_was_looked_up_is_no_part_of_a_value(made: dict[str, Any]) -> None:
    seen = made["Named"](3)
    assert seen.slow == 6
    assert (seen == made["Named"](3), seen.slow) == (True, 6)


def test_frozen_values_can_be_keys_and_do_not_change(made: dict[str, Any]) -> None:
    version, opened = made["Version"], made["Open"]
    assert len({version(1), version(1, 1), version(2)}) == 2
    with pytest.raises(AttributeError):
        version(1).minor = 2
    with pytest.raises(AttributeError):
        del version(1).minor
    with pytest.raises(TypeError):
        hash(opened())
    first, second = opened(), opened()
    first.rows.append(1)
    assert (first, second) == (opened([1]), opened())


def test_order_goes_by_the_fields(made: dict[str, Any]) -> None:
    version, point = made["Version"], made["Point"]
    some = [version(1, 10), version(0, 3), version(1, 9)]
    assert sorted(some) == [version(0, 3), version(1, 9), version(1, 10)]
    assert (version(1, note="a") == version(1), len({version(1, note="a"), version(1)})) == (True, 1)
    assert not version(1) < version(1, note="a")
    assert (max(some), version(1) <= version(1), version(1) >= version(2)) == (version(1, 10), True, False)
    for wrong in (lambda: version(1) < 1, lambda: point(1) < point(2)):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize(
    ("args", "named"),
    [((), {}), ((1, 2, {}, None, 5), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})],
)
def test_what_does_not_fit_is_refused(
    made: dict[str, Any], args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        made["Point"](*args, **named)


def test_replacing_makes_another() -> None:
    ours, pythons = classes(values.dataclass, values.field), classes(dataclasses.dataclass, dataclasses.field)
    for each, replace in ((ours, values.replace), (pythons, dataclasses.replace)):
        before = each["Named"](1, name="a")
        assert replace(before, x=2) == each["Named"](2, name="a")
        assert before.x == 1
        with pytest.raises(TypeError):
            replace(before, z=1)


class PythonsRow(NamedTuple):
    name: str
    size: int = 0
    tags: tuple[str, ...] = ()

    @property
    def big(self) -> bool:
        return self.size > 9


class OurRow(values.NamedTuple):
    name: str
    size: int = 0
    tags: tuple[str, ...] = ()

    @property
    def big(self) -> bool:
        return self.size > 9


@pytest.fixture(params=[OurRow, PythonsRow])
def row(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_named_tuples_are_tuples(row: Any) -> None:
    name, size, tags = made = row("a", tags=("x",))
    assert (name, size, tags) == ("a", 0, ("x",)) == made
    assert (made.name, made.size, made.tags, made.big, row("b", 10).big) == ("a", 0, ("x",), False, True)
    assert (repr(made), row._fields) == (
        f"{row.__name__}(name='a', size=0, tags=('x',))",
        ("name", "size", "tags"),
    )
    assert len({made, row(size=0, name="a", tags=("x",)), row("a")}) == 2
    assert sorted([row("b"), row("a", 2), row("a", 1)]) == [("a", 1, ()), ("a", 2, ()), ("b", 0, ())]
    assert made._replace(size=3) == row("a", 3, ("x",)) != made
    assert row._make(["a", 0, ("x",)]) == made
    assert (copy.copy(made), type(copy.deepcopy(made)), pickle.loads(pickle.dumps(made))) == (made, row, made)


def test_named_tuples_do_not_change(row: Any) -> None:
    for name in ("size", "other"):
        with pytest.raises(AttributeError):
            setattr(row("a"), name, 1)


@pytest.mark.parametrize(
    ("args", "named"),
    [((), {}), (("a", 1, (), 4), {}), (("a",), {"name": "a"}), (("a",), {"z": 1}), ((), {"size": 1})],
)
def test_what_does_not_fit_a_named_tuple_is_refused(
    row: Any, args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        row(*args, **named)
    with pytest.raises((TypeError, ValueError)):
        row("a")._replace(z=1)
