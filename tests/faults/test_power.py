"""What is left when the power goes: what a push relies on at the storage was synced by then, names and bytes,
and so were copies of what --force replaces."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

import pytest

from shell import Shell

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

CALLS = "mkdir,mkdirat,rename,renameat,renameat2,fsync,fdatasync,syncfs"
ON_AN_OLD_KERNEL = f"setarch {os.uname().machine} --uname-2.6"  # whose syncfs tells of no failure


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


@pytest.fixture
def old_kernel() -> str:
    if shutil.which("setarch") is None:
        pytest.skip("SETARCH IS NOT INSTALLED")
    return ON_AN_OLD_KERNEL


def test_many_objects_are_synced_each_where_syncfs_tells_nothing(repo: Shell, old_kernel: str) -> None:
    for number in range(40):
        repo.write(f"data/{number}.csv", f"{number}")
    storage = repo.cwd.parent / "storage/T/m"

    calls = [call for call in traced(repo, f"{old_kernel} git-cpv push -q") if call[0] != "syncfs"]

    for arriving in (f"{storage}/cpv/tmp/", f"{repo.cwd}/.dvc/cache/cpv/tmp/"):
        assert len({path for call, path in calls if call == "fsync" and path.startswith(arriving)}) >= 42
    assert unsynced(calls, repo.cwd.parent) == set()


def test_copies_of_what_force_replaces_are_synced_each_too(repo: Shell, old_kernel: str) -> None:
    repo.ok("git cpv push -q --metric loss=1 && git cpv tag -q")
    repo.write("model.bin", "another")

    calls = traced(repo, f"{old_kernel} git-cpv pull -q --force")

    assert repo.read("model.bin") == "weights 1"
    (kept,) = repo.cwd.glob(".git/cpv/**/model.bin")
    synced = {path for call, path in calls if call == "fsync"}
    assert {str(kept), str(kept.parent), str(kept.parent.parent)} <= synced
