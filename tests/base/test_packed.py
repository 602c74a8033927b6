"""Maps of very many names behave as dicts do, in the order of their names."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.base.packed import Names, differing, in_order
from cpvlib.domain.listing import Md5s

NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
VALUES = st.integers(0, (1 << 128) - 1).map(lambda number: f"{number:032x}")
MANY = [(f"sub/{number:05}", f"{number:032x}") for number in range(5_000)]


@given(st.lists(st.tuples(NAMES, VALUES)), st.integers(0, 400))
@settings(max_examples=200, deadline=None)
def test_as_a_dict_in_order(rows: list[tuple[str, str]], n_before: int) -> None:
    packed, plain = Md5s(MANY[:n_before]), dict(MANY[:n_before])
    for name, value in rows:
        packed.add(name, value)
        plain[name] = value
        assert packed[name] == value
    assert list(packed.items()) == sorted(plain.items())
    assert list(packed) == sorted(plain)
    assert list(packed.values()) == [plain[name] for name in sorted(plain)]
    assert len(packed) == len(plain)
    assert packed == plain
    assert plain == packed
    assert all(packed.get(name) == value for name, value in plain.items())


def test_many_that_come_in_any_order() -> None:
    packed, plain = Md5s(MANY[::2]), dict(MANY[::2])
    for name, value in [*MANY[1::2][::-1], (MANY[7][0], MANY[8][1])]:
        packed.add(name, value)
        plain[name] = value
    assert list(packed.items()) == sorted(plain.items())
    assert packed == plain


def test_what_is_not_there() -> None:
    packed = Md5s(MANY)
    for name in ("", "a", "sub/", "sub/00000a", "sub/04999a", "z"):
        assert name not in packed
        assert packed.get(name, "none") == "none"
        with pytest.raises(KeyError):
            packed[name]
    assert Md5s() == {}
    assert list(Md5s()) == []
    assert packed != dict(MANY[1:])
    assert packed != dict(MANY) | {MANY[0][0]: MANY[1][1]}


def test_a_copy_grows_apart() -> None:
    packed = Md5s(MANY[:1_000])
    copy = packed.copy()
    copy.update(dict(MANY[1_000:]))
    copy.add(MANY[3][0], MANY[4][1])
    assert packed == dict(MANY[:1_000])
    assert copy == dict(MANY) | {MANY[3][0]: MANY[4][1]}


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.sets(st.integers(0, 999), max_size=5), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_differs(others: dict[str, str], lost: set[int], in_order: bool) -> None:
    plain = dict(MANY[:1_000])
    changed = {name: value for nth, (name, value) in enumerate(plain.items()) if nth not in lost} | others
    packed, again = Md5s(plain.items()), Md5s(sorted(changed.items()) if in_order else changed.items())
    expected = sorted(
        name for name in {**plain, **changed} if plain.get(name, "none") != changed.get(name, "none")
    )
    for one, other in ((packed, again), (again, packed), (plain, again), (packed, changed)):
        assert sorted(differing(one, other)) == expected
    assert list(differing(packed, Md5s(MANY[:1_000]))) == []


def test_names_alone_are_a_collection_in_order() -> None:
    names = Names.of(name for name, _ in MANY)
    assert list(names) == [name for name, _ in MANY]
    assert MANY[77][0] in names
    assert len(names) == len(MANY)


def test_rows_of_any_map_come_by_name() -> None:
    assert list(in_order({"b": 1, "a": 2})) == [("a", 2), ("b", 1)]
    assert list(in_order(Md5s(MANY[:3]))) == MANY[:3]


def test_a_row_takes_its_own_bytes_and_few_more() -> None:
    packed = Md5s(MANY)
    taken = sum(sys.getsizeof(data) for chunk in packed._chunks for data in chunk)
    assert taken < len(MANY) * (len(MANY[0][0]) + 16 + 4)
