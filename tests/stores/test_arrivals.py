"""A name stands for a whole file that lasts: until then the file has another."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cpvlib.stores.arrivals import Arrivals


def waiting(folder: Path, name: str, data: bytes = b"whole") -> tuple[str, str, int]:
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "tmp" / name).write_bytes(data)
    return str(folder / "tmp" / name), str(folder / name[:1] / name), len(data)


def named(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[abc]/*"))


def test_files_take_their_names_when_settled(tmp_path: Path) -> None:
    entered: list[str] = []
    arrivals = Arrivals(entered=entered.append)
    for name in ("a1", "a2", "b1"):
        arrivals.add(*waiting(tmp_path, name))
    assert named(tmp_path) == []
    arrivals.settle()
    assert named(tmp_path) == ["a1", "a2", "b1"]
    assert entered == [str(tmp_path / name[:1] / name) for name in ("a1", "a2", "b1")]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_many_files_do_not_all_wait(tmp_path: Path) -> None:
    some = threading.Event()
    arrivals = Arrivals(entered=lambda path: some.set())
    for number in range(5000):
        arrivals.add(*waiting(tmp_path, f"a{number}"))
    assert some.wait(60)
    assert 0 < len(named(tmp_path)) < 5000
    arrivals.settle()
    assert len(named(tmp_path)) == 5000


def test_what_fails_while_more_is_written_is_raised_with_the_next(tmp_path: Path) -> None:
    failed = threading.Event()

    def refuse(folder: str) -> list[Path]:
        failed.set()
        raise PermissionError(folder)

    arrivals = Arrivals(make_folder=refuse)
    for number in range(4096):
        arrivals.add(*waiting(tmp_path, f"a{number}"))
    assert failed.wait(60)
    late = waiting(tmp_path, "b1")
    assert arrivals.claim(late[1])
    arrivals.add(*late)
    with pytest.raises(PermissionError):
        arrivals.settle()
    assert (named(tmp_path), list((tmp_path / "tmp").iterdir())) == ([], [])
    assert arrivals.claim(late[1])
    arrivals.settle()


def test_a_large_file_takes_its_name_at_once(tmp_path: Path) -> None:
    arrivals = Arrivals()
    temporary, path, _ = waiting(tmp_path, "a1")
    arrivals.add(temporary, path, 1 << 30)
    assert named(tmp_path) == ["a1"]


def test_one_that_cannot_have_its_name_leaves_nothing(tmp_path: Path) -> None:
    arrivals = Arrivals()
    (tmp_path / "b").write_text("a file where a folder should be")
    first, second = waiting(tmp_path, "b1"), waiting(tmp_path, "c1")
    assert arrivals.claim(first[1])
    assert not arrivals.claim(first[1])
    arrivals.add(*first)
    arrivals.add(*second)
    with pytest.raises(NotADirectoryError):
        arrivals.settle()
    assert (named(tmp_path), list((tmp_path / "tmp").iterdir())) == ([], [])
    assert arrivals.claim(first[1])
    arrivals.settle()
