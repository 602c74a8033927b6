"""Putting content into the worktree: each file the old or the new one, nothing else touched (P3, P8)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cpvlib.base.errors import RepositoryError
from cpvlib.base.values import replace
from cpvlib.domain.listing import listing_oid, render_listing
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.dvc.ignore import DvcIgnore
from cpvlib.stores.statindex import FileStat, StatIndex
from cpvlib.stores.worktree import Worktree

MIB = 1 << 20
CHECKOUT = Path(__file__).parents[2]


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    return tmp_path / "repo"


@pytest.fixture
def cache(top: Path) -> ObjectCache:
    return ObjectCache(top / ".dvc" / "cache", top / ".git" / "cpv" / "objects.db")


@pytest.fixture
def worktree(top: Path) -> Worktree:
    index = StatIndex(top / ".git" / "cpv" / "index.db")
    return Worktree(top, index, DvcIgnore(top), cache_root=top / ".dvc" / "cache")


def store(cache: ObjectCache, content: bytes | dict[str, bytes]) -> str:
    """Put a file or a folder into the cache; its oid."""
    if isinstance(content, bytes):
        cache.put_bytes(md5(content), content)
        return md5(content)
    listing = render_listing({path: store(cache, data) for path, data in content.items()})
    cache.put_bytes(listing_oid(listing), listing)
    return listing_oid(listing)


def tree(place: Path) -> dict[str, bytes | str | None]:
    """Everything below: contents of files, targets of links, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def litter(top: Path) -> list[Path]:
    return [*(top / ".dvc" / "tmp").glob("cpv/*"), *top.rglob("*.part")]


def did(plan: object) -> list[tuple[str, str]]:
    return [(change.action, change.path) for change in plan.changes]  # type: ignore[attr-defined]


def test_a_file_comes_with_the_umasks_permissions(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    old = os.umask(0o027)
    try:
        plan = worktree.install("models/a.bin", store(cache, b"weights"), cache, "copy")
        worktree.install("run.sh", store(cache, b"#!/bin/sh\n"), cache, "copy", isexec=True)
    finally:
        os.umask(old)
    assert did(plan) == [("add", "models/a.bin")]
    assert (top / "models/a.bin").read_bytes() == b"weights"
    assert (top / "models/a.bin").stat().st_mode & 0o777 == 0o640
    assert (top / "run.sh").stat().st_mode & 0o777 == 0o750
    assert (top / "models/a.bin").stat().st_ino != cache.path(md5(b"weights")).stat().st_ino
    assert litter(top) == []
    assert not worktree.install("run.sh", md5(b"#!/bin/sh\n"), cache, "copy", isexec=True)
    assert did(worktree.install("run.sh", md5(b"#!/bin/sh\n"), cache, "copy")) == [("replace", "run.sh")]
    assert (top / "run.sh").stat().st_mode & 0o111 == 0


def test_only_what_differs_is_touched(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    worktree.install("data", store(cache, {"same": b"s", "sub/old": b"o", "moves/x/y": b"m"}), cache, "copy")
    (top / "data" / "empty").mkdir()
    same = FileStat.of((top / "data" / "same").stat())
    new = store(cache, {"same": b"s", "sub/old": b"O", "added/n": b"n"})
    expected = [("add", "data/added/n"), ("remove", "data/moves/x/y"), ("replace", "data/sub/old")]

    assert did(worktree.plan_install("data", new, cache)) == expected
    assert (top / "data/sub/old").read_bytes() == b"o"
    assert did(worktree.install("data", new, cache, "copy")) == expected

    assert tree(top / "data") == {
        "added": None,
        "added/n": b"n",
        "empty": None,
        "same": b"s",
        "sub": None,
        "sub/old": b"O",
    }
    assert FileStat.of((top / "data" / "same").stat()) == same
    assert did(worktree.install("data", new, cache, "copy")) == []


def test_what_was_found_before_counts_as_long_as_nothing_changed(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    """Told by an md5 that the file does not have, so that only one who read it anew would see the change."""
    worktree.install("data", store(cache, {"a": b"a", "b": b"b"}), cache, "copy")
    new = store(cache, {"a": b"new", "b": b"b"})
    read = worktree.identify("data")
    assert read is not None
    found = replace(read, files={"a": md5(b"new"), "b": md5(b"b")}, oid=new, is_settled=True)

    assert did(worktree.plan_install("data", new, cache, found=found)) == []
    unsettled = replace(found, is_settled=False)
    assert did(worktree.plan_install("data", new, cache, found=unsettled)) == [("replace", "data/a")]
    (top / "data/b").write_bytes(b"user's")
    changed = [("replace", "data/a"), ("replace", "data/b")]
    assert did(worktree.plan_install("data", new, cache, found=found)) == changed
    with pytest.raises(RepositoryError, match="'data' changed while this was under way"):
        worktree.install("data", new, cache, "copy", was=new, found=found)
    (top / "data/b").unlink()
    assert did(worktree.plan_install("data", new, cache, found=found)) == [
        ("replace", "data/a"),
        ("add", "data/b"),
    ]


def test_what_changes_meanwhile_beside_the_files_to_be_touched_stays(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    worktree.install("data", store(cache, {"a": b"a", "b": b"b", "c": b"c"}), cache, "copy")
    new = store(cache, {"a": b"new", "b": b"b"})
    read = worktree.identify("data")
    assert read is not None
    found = replace(read, is_settled=True)

    def install() -> list[tuple[str, str]]:
        return did(worktree.install("data", new, cache, "copy", was=found.oid, found=found))

    for touched in ("a", "c"):
        before = (top / "data" / touched).read_bytes()
        (top / "data" / touched).write_bytes(b"user's")
        with pytest.raises(RepositoryError, match="'data' changed while this was under way"):
            install()
        assert (top / "data" / touched).read_bytes() == b"user's"
        (top / "data" / touched).write_bytes(before)
        found = replace(worktree.identify("data") or found, is_settled=True)
    (top / "data/b").write_bytes(b"user's")
    (top / "data/more").write_bytes(b"user's, too")
    assert install() == [("replace", "data/a"), ("remove", "data/c")]
    assert tree(top / "data") == {"a": b"new", "b": b"user's", "more": b"user's, too"}


def test_an_empty_folder_is_made(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    worktree.install("data", store(cache, {}), cache, "copy")
    assert (top / "data").is_dir()


def test_an_out_that_is_no_more_is_removed_but_not_what_else_lies_there(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    worktree.install("data", store(cache, {"a": b"a", "sub/b": b"b"}), cache, "copy")
    worktree.install("gone", store(cache, {"x/y/z": b"z"}), cache, "copy")
    worktree.install("model.bin", store(cache, b"m"), cache, "copy")
    (top / ".dvcignore").write_bytes(b"*.tmp\n")
    (top / "data" / "mine.tmp").write_bytes(b"mine")
    worktree = Worktree(top, StatIndex(top / ".git/cpv/index.db"), DvcIgnore(top))
    for out in ("data", "gone", "model.bin", "never"):
        worktree.install(out, None, cache, "copy")
    assert tree(top / "data") == {"mine.tmp": b"mine"}
    assert not (top / "gone").exists()
    assert not (top / "model.bin").exists()


def test_a_file_becomes_a_folder_and_back(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    file, folder = store(cache, b"one file"), store(cache, {"1": b"1", "sub/2": b"2"})
    worktree.install("model", file, cache, "copy")
    worktree.install("model", folder, cache, "copy")
    assert tree(top / "model") == {"1": b"1", "sub": None, "sub/2": b"2"}
    worktree.install("model", file, cache, "copy")
    assert (top / "model").read_bytes() == b"one file"
    assert litter(top) == []


def test_inside_a_folder_files_and_folders_change_places(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    before = store(cache, {"a": b"file", "b/x": b"x", "b/y/z": b"z"})
    after = store(cache, {"a/deep/er": b"now a folder", "b": b"now a file"})
    for oid in (before, after, before):
        worktree.install("data", oid, cache, "copy")
        content = worktree.identify("data")
        assert content is not None
        assert content.oid == oid


def test_a_folder_with_something_of_the_users_does_not_become_a_file(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    worktree.install("data", store(cache, {"b/x": b"x"}), cache, "copy")
    (top / ".dvcignore").write_bytes(b"*.tmp\n")
    (top / "data/b/mine.tmp").write_bytes(b"mine")
    worktree = Worktree(top, StatIndex(top / ".git/cpv/index.db"), DvcIgnore(top))
    with pytest.raises(RepositoryError, match="not part of 'data' is in the way of 'data/b'"):
        worktree.install("data", store(cache, {"b": b"file"}), cache, "copy")
    assert tree(top / "data") == {"b": None, "b/mine.tmp": b"mine", "b/x": b"x"}


def test_an_ignored_file_is_not_overwritten(top: Path, cache: ObjectCache) -> None:
    (top / ".dvcignore").write_bytes(b"*.tmp\n")
    (top / "data").mkdir()
    (top / "data/x.tmp").write_bytes(b"mine")
    worktree = Worktree(top, StatIndex(top / ".git/cpv/index.db"), DvcIgnore(top))
    with pytest.raises(RepositoryError, match=r"in the way of 'data/x\.tmp'"):
        worktree.install("data", store(cache, {"a": b"a", "x.tmp": b"theirs"}), cache, "copy")
    assert tree(top / "data") == {"x.tmp": b"mine"}
    worktree.install("data", store(cache, {"a": b"a", "x.tmp": b"mine"}), cache, "copy")
    assert tree(top / "data") == {"a": b"a", "x.tmp": b"mine"}


def test_no_symlink_leads_out_of_the_worktree(
    top: Path, tmp_path: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    oid = store(cache, {"train/a": b"a"})
    (top / "data").mkdir()
    (top / "inside").mkdir()
    (top / "data" / "train").symlink_to(top / "inside")
    with pytest.raises(RepositoryError, match="in the way of 'data/train/a'"):
        worktree.install("data", oid, cache, "copy")
    (top / "data" / "train").unlink()
    (top / "data" / "train").symlink_to(outside)
    (top / "models").symlink_to(outside)
    for out in ("data", "models/data"):
        with pytest.raises(RepositoryError, match="symlink"):
            worktree.install(out, oid, cache, "copy")
    assert tree(outside) == {}
    assert tree(top / "inside") == {}


def test_staging_does_not_follow_a_symlink_either(
    top: Path, tmp_path: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    oid = store(cache, {"a": b"a"})
    (tmp_path / "outside").mkdir()
    (top / ".dvc" / "tmp").symlink_to(tmp_path / "outside")
    with pytest.raises(RepositoryError, match=r"'.*/\.dvc/tmp' is a symlink"):
        worktree.install("data", oid, cache, "copy")
    assert tree(tmp_path / "outside") == {}


def test_into_a_folder_that_is_no_repository(top: Path, tmp_path: Path, cache: ObjectCache) -> None:
    (tmp_path / "plain").mkdir()
    plain = Worktree(tmp_path / "plain", StatIndex(tmp_path / "index.db"), DvcIgnore(tmp_path / "plain"))
    plain.install("models/a", store(cache, {"x": b"x", "y/z": b"z"}), cache, "copy")
    assert tree(tmp_path / "plain") == {
        "models": None,
        "models/a": None,
        "models/a/x": b"x",
        "models/a/y": None,
        "models/a/y/z": b"z",
    }


def test_a_link_is_replaced_and_what_it_leads_to_stays(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    (top / "runs" / "12").mkdir(parents=True)
    (top / "runs/12/model.bin").write_bytes(b"epoch 12")
    (top / "model.bin").symlink_to("runs/12/model.bin")
    (top / "model").symlink_to("runs/12")
    runs = tree(top / "runs")
    worktree.install("model.bin", store(cache, b"v0.1"), cache, "copy")
    worktree.install("model", store(cache, {"model.bin": b"v0.1"}), cache, "copy")
    assert tree(top / "runs") == runs
    assert (top / "model.bin").read_bytes() == b"v0.1"
    assert not (top / "model.bin").is_symlink()
    assert not (top / "model").is_symlink()
    assert tree(top / "model") == {"model.bin": b"v0.1"}


def test_a_link_to_the_same_content_stays(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    (top / "runs").mkdir()
    (top / "runs" / "model.bin").write_bytes(b"epoch 12")
    (top / "model").symlink_to("runs")
    assert not worktree.install("model", store(cache, {"model.bin": b"epoch 12"}), cache, "copy")
    assert (top / "model").readlink() == Path("runs")


def test_removing_an_out_that_is_a_link_removes_the_link(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    (top / "runs").mkdir()
    (top / "runs" / "model.bin").write_bytes(b"epoch 12")
    (top / "model").symlink_to("runs")
    worktree.install("model", None, cache, "copy")
    assert not (top / "model").is_symlink()
    assert tree(top / "runs") == {"model.bin": b"epoch 12"}


def test_hard_links_and_symlinks_to_the_cache(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    oid = store(cache, {"a": b"a", "empty": b""})
    worktree.install("hard", oid, cache, "hardlink")
    worktree.install("soft", oid, cache, "symlink")
    assert (top / "hard/a").samefile(cache.path(md5(b"a")))
    assert not (top / "hard/empty").samefile(cache.path(md5(b"")))
    assert (top / "soft/a").readlink() == cache.path(md5(b"a"))
    for out in ("hard", "soft"):
        content = worktree.identify(out)
        assert content is not None
        assert content.oid == oid
    other = store(cache, {"a": b"b", "empty": b""})
    for out in ("hard", "soft"):
        worktree.install(out, other, cache, "copy")
        assert (top / out / "a").read_bytes() == b"b"
    assert cache.has(md5(b"a"))
    worktree.install("tool", store(cache, b"exec"), cache, "hardlink", isexec=True)
    assert cache.path(md5(b"exec")).stat().st_mode & 0o777 == 0o444


def test_only_some_files_of_a_folder(top: Path, worktree: Worktree, cache: ObjectCache) -> None:
    oid = store(cache, {"train/a": b"a", "test/b": b"b"})
    worktree.install("data", oid, cache, "copy", only=lambda path: path.startswith("train/"))
    assert tree(top / "data") == {"train": None, "train/a": b"a"}
    (top / "data" / "mine").write_bytes(b"mine")
    worktree.install("data", oid, cache, "copy", only=lambda path: path.startswith("test/"))
    assert tree(top / "data") == {
        "mine": b"mine",
        "test": None,
        "test/b": b"b",
        "train": None,
        "train/a": b"a",
    }


def test_a_damaged_object_does_not_reach_the_worktree(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    old, new = store(cache, b"old"), store(cache, b"new")
    worktree.install("model.bin", old, cache, "copy")
    cache.path(new).chmod(0o644)
    cache.path(new).write_bytes(b"bad")
    with pytest.raises(RepositoryError, match=f"object '{new}' is not in the cache"):
        worktree.install("model.bin", new, cache, "copy")
    assert (top / "model.bin").read_bytes() == b"old"
    assert litter(top) == []


def test_a_file_written_since_the_plan_is_not_overwritten(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    from cpvlib.base.progress import Silent
    from cpvlib.stores.install import execute

    worktree.install("data", store(cache, {"a": b"old", "b": b"old b"}), cache, "copy")
    replaces = worktree.plan_install("data", store(cache, {"a": b"new", "b": b"old b"}), cache)
    removes = worktree.plan_install("data", store(cache, {"b": b"old b"}), cache)
    adds = worktree.plan_install("data", store(cache, {"a": b"old", "b": b"old b", "c": b"new"}), cache)
    (top / "data" / "a").write_bytes(b"training")
    (top / "data" / "c").write_bytes(b"training")
    for plan in (replaces, removes, adds):
        with pytest.raises(RepositoryError, match="changed while it was being read"):
            execute(worktree, plan, cache, "copy", Silent(), None)
    assert tree(top / "data") == {"a": b"training", "b": b"old b", "c": b"training"}
    assert litter(top) == []


KILLED = """
import os, sys
from pathlib import Path
from cpvlib.base.progress import Silent
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.dvc.ignore import DvcIgnore
from cpvlib.stores.statindex import StatIndex
from cpvlib.stores.worktree import Worktree

top, oid, after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def hook(event, arguments):
    global after
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
        after -= 1
        if after < 0:
            os.kill(os.getpid(), 9)

worktree = Worktree(top, StatIndex(top / ".git/cpv/index.db"), DvcIgnore(top))
cache = ObjectCache(top / ".dvc/cache", top / ".git/cpv/objects.db")
sys.addaudithook(hook)
worktree.install("data", oid, cache, "copy")
"""


def test_killed_at_every_step_each_file_is_old_or_new_and_a_rerun_heals(
    top: Path, worktree: Worktree, cache: ObjectCache
) -> None:
    old = {"same": b"s", "changes": b"o" * 5000, "goes/away": b"g", "was/folder": b"f", "file": b"F"}
    new = {"same": b"s", "changes": b"n" * 5000, "comes/new": b"c", "was": b"w", "file/folder": b"D"}
    old_oid, new_oid = store(cache, old), store(cache, new)
    states = 0
    for step in range(100):
        worktree.install("data", old_oid, cache, "copy")
        arguments = [str(top), new_oid, str(step)]
        run = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=CHECKOUT, check=False)
        found = {path: data for path, data in tree(top / "data").items() if data is not None}
        for path, data in found.items():
            assert data in (old.get(path), new.get(path)), path
        assert found["same"] == b"s"
        assert found["changes"] in (old["changes"], new["changes"])
        states += 1
        if run.returncode == 0:
            break
        assert run.returncode == -9
        worktree.install("data", new_oid, cache, "copy")
        content = worktree.identify("data")
        assert content is not None
        assert content.oid == new_oid
        assert litter(top) == []
    assert states > 10


SMALL_DISK = """
import sys
from pathlib import Path
from cpvlib.base.progress import Silent
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.dvc.ignore import DvcIgnore
from cpvlib.stores.files import DiskFullError
from cpvlib.stores.statindex import StatIndex
from cpvlib.stores.worktree import Worktree

top, case, oid = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
worktree = Worktree(top, StatIndex(top / ".git/cpv/index.db"), DvcIgnore(top))
cache = ObjectCache(top / ".dvc/cache", top / ".git/cpv/objects.db")
try:
    if case == "install":
        worktree.install("data", oid, cache, "copy")
        print("installed")
    else:
        snapshot = worktree.snapshot("model.bin", cache, case)
        print(snapshot.content.oid, len(snapshot.uncached))
        for source in snapshot.uncached.values():
            source.check()
except DiskFullError as error:
    print("full:", error.message)
"""


def on_a_small_disk(
    top: Path, mounted: str, size: str, case: str, oid: str = "-", after: str = "true"
) -> list[str]:
    """What the program says with a small file system at `mounted`, in a mount namespace of its own."""
    script = f'mount -t tmpfs -o size={size} none "$1" && "$2" -c "$3" "$4" {case} {oid} && {after}'
    arguments = [str(top / mounted), sys.executable, SMALL_DISK, str(top)]
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *arguments], cwd=CHECKOUT, capture_output=True, text=True
    )
    if "unshare: " in run.stderr or "mount: " in run.stderr:
        pytest.skip(f"NO SMALL DISK: this machine doesn't let tests mount one: {run.stderr.strip()}")
    assert run.stderr == ""
    return run.stdout.splitlines()


def test_a_full_disk_is_an_error_and_nothing_is_half_written(top: Path, cache: ObjectCache) -> None:
    oid = store(cache, {"1": b"1" * MIB, "2": b"2" * MIB, "3": b"3" * MIB})
    (top / "data").mkdir()
    said = on_a_small_disk(top, "data", "2500k", "install", oid, after=f"ls -A {top}/data | sort")
    assert said[0] == "full: cannot write 'data': the disk is full"
    assert set(said[1:]) <= {"1", "2"}


def test_onto_another_file_system(top: Path, cache: ObjectCache) -> None:
    oid = store(cache, {"1": b"1" * MIB, "sub/2": b"2"})
    (top / "data").mkdir()
    said = on_a_small_disk(top, "data", "3m", "install", oid, after=f"find {top}/data -type f | sort")
    assert said == ["installed", f"{top}/data/1", f"{top}/data/sub/2"]


def test_a_cache_that_fills_up_while_many_files_are_kept(top: Path, cache: ObjectCache) -> None:
    for number in range(100):
        path = top / "model.bin" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([number]) * 50_000)
    (top / ".dvc" / "cache").mkdir()
    (said,) = on_a_small_disk(top, ".dvc/cache", "6m", "auto")
    content = Worktree(top, StatIndex(top / "index.db"), DvcIgnore(top)).identify("model.bin")
    assert content is not None
    oid, uncached = said.split()
    assert oid == content.oid
    assert 1 < int(uncached) < 100
    (full,) = on_a_small_disk(top, ".dvc/cache", "6m", "copy")
    assert full.startswith(f"full: the disk is full: '{top}/model.bin/")


def test_a_cache_that_is_full(top: Path, cache: ObjectCache) -> None:
    data = os.urandom(3 * MIB)
    (top / "model.bin").write_bytes(data)
    (top / ".dvc" / "cache").mkdir()
    assert on_a_small_disk(top, ".dvc/cache", "2m", "auto") == [f"{md5(data)} 1"]
    (full,) = on_a_small_disk(top, ".dvc/cache", "2m", "copy")
    assert full.startswith(f"full: the disk is full: '{top}/model.bin' needs 3.0 MiB in the cache")
