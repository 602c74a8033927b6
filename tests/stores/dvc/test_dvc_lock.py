"""DVC's lock, held against other processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cpvlib.base.errors import RepositoryError
from cpvlib.stores.dvc.lock import held

# What zc.lockfile, DVC's lock, does: flock, then ' <pid>' in the file.
HOLDER = """
import fcntl, os, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
file.write(f" {os.getpid()}\\n"); file.flush()
print("held", flush=True)
sys.stdin.read()
"""


def other_process(top: Path) -> subprocess.Popen[str]:
    lock = top / ".dvc/tmp/lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_holder_writes_its_number_as_dvc_does(tmp_path: Path) -> None:
    notes: list[str] = []
    lock = tmp_path / ".dvc/tmp/lock"
    for _ in range(2):
        with held(tmp_path, notes.append):
            assert lock.read_bytes() == f" {os.getpid()}\n".encode()
            refused = subprocess.run(
                [sys.executable, "-c", HOLDER, str(lock)], capture_output=True, text=True, input=""
            )
            assert "BlockingIOError" in refused.stderr
    assert notes == []


def test_who_waits_says_for_whom_and_goes_on_when_the_lock_is_free(tmp_path: Path) -> None:
    process = other_process(tmp_path)
    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        assert process.stdin is not None
        process.stdin.close()

    with held(tmp_path, note, timeout_s=600):
        assert process.wait(600) == 0
    (line,) = notes
    assert line.startswith(f"waiting for process {process.pid}")
    assert line.endswith("which holds DVC's lock")


def test_the_wait_ends(tmp_path: Path) -> None:
    process = other_process(tmp_path)
    with (
        pytest.raises(RepositoryError, match=rf"^process {process.pid} .*holds DVC's lock '.*tmp/lock'\n"),
        held(tmp_path, lambda line: None, timeout_s=0),
    ):
        pass
    process.communicate()


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path, lambda line: None):
        raise KeyError
    with held(tmp_path, lambda line: None, timeout_s=0):
        pass


def test_two_threads_exclude_each_other(tmp_path: Path) -> None:
    inside = threading.Semaphore(1)
    clashes = []

    def work() -> None:
        for _ in range(5):
            with held(tmp_path, lambda line: None, timeout_s=600):
                if not inside.acquire(blocking=False):
                    clashes.append(1)
                    continue
                inside.release()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []


def test_a_place_where_no_lock_can_be(tmp_path: Path) -> None:
    (tmp_path / ".dvc").write_text("a file")
    with pytest.raises(RepositoryError, match="cannot be opened"), held(tmp_path, lambda line: None):
        pass


def test_by_hard_link_the_lock_is_there_only_while_it_is_held(tmp_path: Path) -> None:
    lock = tmp_path / ".dvc/tmp/lock"
    with held(tmp_path, lambda line: None, hardlink=True):
        assert lock.stat().st_nlink == 2
        with (
            pytest.raises(RepositoryError, match=rf"^process {os.getpid()} .*holds DVC's lock"),
            held(tmp_path, lambda line: None, timeout_s=0, hardlink=True),
        ):
            pass
    assert list(lock.parent.iterdir()) == []


def test_a_hard_link_whose_holder_was_killed_is_taken_over(tmp_path: Path) -> None:
    program = (
        "import os, signal; from pathlib import Path; from cpvlib.stores.dvc.lock import held\n"
        f"with held(Path({str(tmp_path)!r}), print, hardlink=True): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / ".dvc/tmp/lock").exists()
    with held(tmp_path, lambda line: None, timeout_s=0, hardlink=True):
        pass
