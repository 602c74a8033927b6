"""Sets of oids hold what was added, and nothing that only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.oids import Oids

MD5S = st.integers(0, (1 << 128) - 1).map(lambda number: f"{number:032x}")


class Many(Oids):
    """As a set of a million is kept."""

    FEW = 0


class Some(Oids):
    """Which becomes that while it is made."""

    FEW = 2


@pytest.mark.parametrize("kind", [Oids, Some, Many])
@given(added=st.lists(MD5S | MD5S.map(lambda md5: f"{md5}.dir")), others=st.lists(MD5S))
def test_as_a_set_in_order(kind: type[Oids], added: list[str], others: list[str]) -> None:
    oids = kind(added)
    assert list(oids) == sorted(set(added))
    assert (len(oids), bool(oids)) == (len(set(added)), bool(added))
    assert all(oid in oids for oid in added)
    assert [oid in oids for oid in others] == [oid in set(added) for oid in others]
    for oid in others:
        oids.add(oid)
    assert list(oids) == sorted({*added, *others})


def test_what_lies_across_two_of_them_is_none() -> None:
    first, second = "abc" + "0" * 29, "abc" + "1" * 29
    across = "abc" + "0" * 5
    oids = Many(["0" * 8 + across + "abc" + "f" * 13, second])
    assert first not in oids
    heap = Many(["abcabc" + "a" * 26, "abcb" + "c" * 28])
    joined = "abcabc" + "a" * 26 + "abcb" + "c" * 28
    for at in range(2, 32, 2):
        assert joined[at : at + 32] not in heap
    assert list(heap) == ["abcabc" + "a" * 26, "abcb" + "c" * 28]
