"""What a quick command asks the system of the files of a data folder: with thousands, that is its time."""

from __future__ import annotations

import re
import shutil
from collections import Counter

import pytest

from shell import Shell

FILES = [f"{folder}/{number}.csv" for folder in ("train", "train/more", "test") for number in range(8)]


@pytest.fixture
def repo(shell: Shell) -> Shell:
    shell.ok("git cpv init -q --team t --model m repo")
    repo = shell.at("repo")
    for name in FILES:
        repo.write(f"data/{name}", name)
    repo.ok("git cpv push -q")
    return repo


def asked(repo: Shell, line: str) -> Counter[tuple[str, str]]:
    """How often the line made which call for which file of the data."""
    trace = repo.cwd.parent / "trace"
    done = repo.run(f"strace -f -s 4096 -e trace=file -o {trace} {line}")
    if "ptrace" in done.err:
        pytest.skip(f"NOTHING CAN BE TRACED HERE: {done.err.strip()}")
    assert done.code == 0, str(done)
    calls = re.findall(r"^\d+ +(\w+)\(.*?\"[^\"]*/data/([^\"]+\.csv)\"", trace.read_text(), re.MULTILINE)
    return Counter((call, name) for call, name in calls if name in FILES)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("line", ["git-cpv status", "git-cpv push"])
def test_an_unchanged_file_is_asked_for_its_stat_once(repo: Shell, line: str) -> None:
    for _ in range(20):  # what was written a moment before it was read is read once more
        calls = asked(repo, line)
        if not any(call.startswith("open") for call, _ in calls):
            break
    assert sorted(name for _, name in calls.elements()) == sorted(FILES)
    assert len({call for call, _ in calls}) == 1
    assert "stat" in next(iter(calls))[0]
