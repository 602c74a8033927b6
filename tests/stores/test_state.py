"""Bases and confirmations: what may be lost, and what may not be half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpvlib.stores.state import Bases, Confirmations

A, B = "a" * 32, "b" * 32 + ".dir"


def test_bases_are_updated_and_forgotten(tmp_path: Path) -> None:
    bases = Bases(tmp_path)
    assert bases.read() == {}
    bases.update({"model.bin": A, "odd \n name": B})
    bases.update({"model.bin": None, "never there": None})
    assert Bases(tmp_path).read() == {"odd \n name": B}
    assert [path.name for path in (tmp_path / "cpv").iterdir()] == ["bases.json"]


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"\xff", b'{"model.bin": 3}'])
def test_broken_bases_count_as_not_recorded(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "cpv").mkdir()
    (tmp_path / "cpv" / "bases.json").write_bytes(broken)
    assert Bases(tmp_path).read() == {}
    Bases(tmp_path).update({"model.bin": A})
    assert Bases(tmp_path).read() == {"model.bin": A}


def test_confirmations_belong_to_one_storage(tmp_path: Path) -> None:
    here, there = Confirmations(tmp_path, "s3://here/x"), Confirmations(tmp_path, "s3://there/x")
    here.add([A, B])
    here.add([A])
    there.add([A])
    assert (here.has(A), here.has(B), there.has(B)) == (True, True, False)
    assert Confirmations(tmp_path, "s3://here/x").known([A, B, "c" * 32]) == {A, B}
    here.clear()
    assert (here.has(A), there.has(A)) == (False, True)


def test_confirmations_count_for_one_generation_of_a_storage(tmp_path: Path) -> None:
    here, other = Confirmations(tmp_path, "s3://here/x"), Confirmations(tmp_path, "s3://there/x")
    late = Confirmations(tmp_path, "s3://here/x")
    for each in (here, other):
        each.add([A])
    assert (late.has(A), late.move_to(""), late.is_current) == (True, False, True)
    assert (here.move_to("2"), here.has(A), other.has(A)) == (True, False, True)
    late.add([B])  # found in the former generation, by a process that does not know of the new one
    assert (here.has(B), Confirmations(tmp_path, "s3://here/x").has(B)) == (False, False)
    here.add([A])
    assert (here.move_to("2"), here.has(A)) == (False, True)
    assert Confirmations(tmp_path, "s3://here/x").has(A)


def test_lost_confirmations_are_none(tmp_path: Path) -> None:
    Confirmations(tmp_path, "s3://here/x").add([A])
    (tmp_path / "cpv" / "confirmed.db").write_bytes(b"rubbish" * 1000)
    assert not Confirmations(tmp_path, "s3://here/x").has(A)
