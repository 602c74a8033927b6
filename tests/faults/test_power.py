"""What is left when the power goes: every name that a push relies on at the storage was synced by then."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from shell import Shell

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

CALLS = "mkdir,mkdirat,rename,renameat,renameat2,fsync,fdatasync,syncfs"


def traced(repo: Shell, line: str) -> list[tuple[str, str]]:
    """The calls that make names, each with the new name, and those that make them last, with what they sync,
    in their order."""
    trace = repo.cwd.parent / "trace"
    done = repo.run(f"strace -f -y -s 4096 -e trace={CALLS} -o {trace} {line}")
    if "ptrace" in done.err:
        pytest.skip(f"NOTHING CAN BE TRACED HERE: {done.err.strip()}")
    assert done.code == 0, str(done)
    found = []
    for call, given in re.findall(r"^\d+ +(\w+)\((.*)", trace.read_text(), re.MULTILINE):
        names = re.findall(r'"([^"]*)"' if call.startswith(("mkdir", "rename")) else r"<(/[^>]*)>", given)
        found.append((call, names[-1]))
    return found


def unsynced(calls: list[tuple[str, str]], place: Path) -> set[str]:
    """The names below `place` that may be gone when the power is."""
    names: set[str] = set()
    for call, path in calls:
        if call.startswith(("mkdir", "rename")):
            names.add(path)
        elif call == "syncfs":
            names.clear()
        else:
            names = {name for name in names if str(Path(name).parent) != path}
    return {name for name in names if name.startswith(f"{place}/storage") and "/cpv/tmp" not in name}


@pytest.fixture
def repo(shell: Shell) -> Shell:
    shell.ok(f"git cpv init -q --team T --model m --storage {shell.cwd}/storage repo")
    repo = shell.at("repo")
    repo.write("model.bin", "weights 1")
    return repo


def test_the_storage_lasts_once_it_is_made(shell: Shell) -> None:
    calls = traced(shell, f"git-cpv init -q --team T --model m --storage {shell.cwd}/storage repo")
    assert f"{shell.cwd}/storage/T/m" in [name for _, name in calls]
    assert unsynced(calls, shell.cwd) == set()


@pytest.mark.parametrize("n_files", [1, 40])
def test_new_objects_last_with_the_folders_that_were_made_for_them(repo: Shell, n_files: int) -> None:
    for number in range(n_files):
        repo.write(f"data/{number}.csv", f"{number}")
    storage = repo.cwd.parent / "storage/T/m"

    calls = traced(repo, "git-cpv push -q")

    made = [name for call, name in calls if name.startswith(f"{storage}/files")]
    assert len({name for name in made if name.count("/") == str(storage).count("/") + 4}) >= n_files + 2
    assert unsynced(calls, repo.cwd.parent) == set()


def test_objects_that_another_brought_just_now_last_before_a_push_relies_on_them(repo: Shell) -> None:
    repo.ok("git cpv push -q")
    md5 = hashlib.md5(b"weights 1").hexdigest()
    found = repo.cwd.parent / "storage/T/m/files/md5" / md5[:2] / md5[2:]
    other = repo.cwd.parent / "other"
    repo.ok(f"git cpv init -q --team T --model m --storage {other.parent}/storage {other}")
    repo.at(other).write("model.bin", "weights 1")

    calls = traced(repo.at(other), "git-cpv push -q")

    assert [name for call, name in calls if call.startswith("rename") and name == str(found)] == []
    synced = {path for call, path in calls if call == "fsync"}
    assert {str(found.parent), str(found.parent.parent)} <= synced
