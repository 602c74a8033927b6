"""Memory at its highest, as the system counted it for a process, while files become more, or longer."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from shell import Shell

FEW, MANY = 2_000, 10_000
# In between, for a process is born as large as the one that starts it, and that counts too.
MEASURED = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
MOST_BYTES = 1_900  # for each file more: its names, stats and md5s, at the moment when most of them are held


def peak_bytes(repo: Shell, *words: str) -> int:
    """The resident memory that a command needed, which has to succeed."""
    return int(repo.ok([sys.executable, "-I", "-c", MEASURED, *words]))


def write(repo: Shell, first: int, end: int) -> None:
    for number in range(first, end):
        repo.write(f"data/{number % 20:02}/{number:06}.txt", f"{number}\n")


def push_and_pull(repo: Shell) -> tuple[int, int]:
    pushed = peak_bytes(repo, "git-cpv-push", "-q")
    shutil.rmtree(repo.cwd / "data")
    shutil.rmtree(repo.cwd / ".dvc/cache")
    return pushed, peak_bytes(repo, "git-cpv-pull", "-q")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts in other units")
def test_a_file_more_needs_little_memory(shell: Shell) -> None:
    repo = shell.at("repo")
    repo.cwd.mkdir()
    repo.ok("git init -q && git cpv init -q --team t --model m && rm -rf data")
    write(repo, 0, FEW)
    repo.ok("git cpv track -q --data data")
    few = push_and_pull(repo)
    write(repo, FEW, MANY)
    many = push_and_pull(repo)
    grown = [(after - before) / (MANY - FEW) for before, after in zip(few, many, strict=True)]
    assert max(grown) < MOST_BYTES, f"bytes for each file more, in push and pull: {grown}"
    assert max(many) < 100 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts in other units")
def test_a_log_is_never_held_whole(shell: Shell) -> None:
    repo = shell.at("repo")
    repo.cwd.mkdir()
    repo.ok("git init -q && git cpv init -q --team t --model m")
    repo.write("model.bin", "weights 1")
    line = '{"loss": 0.5}\n'
    repo.write("metrics.log", line * ((80 << 20) // len(line)))
    assert peak_bytes(repo, "git-cpv-push", "-q") < 64 << 20
    assert json.loads(repo.read("checkpoint.json"))["metrics"] == {"loss": 0.5}
    assert repo.ok("tail -n 1 metrics.log | cut -c -7") == '{"id": '
