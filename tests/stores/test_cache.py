"""DVC's cache: what it holds is right, or it does not hold it (P4); the user's file is only read (P3)."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cpvlib.base.errors import RepositoryError, StorageError
from cpvlib.domain.listing import listing_oid, render_listing
from cpvlib.stores.blockhash import crc64nvme
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.statindex import FileStat

MIB = 1 << 20
BIG = bytes(range(256)) * (MIB // 256) * 3 + b"the end"
ABSENT = "0" * 32


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> ObjectCache:
    return reopened(tmp_path)


def reopened(tmp_path: Path) -> ObjectCache:
    """The cache as another process opens it."""
    return ObjectCache(tmp_path / "cache", tmp_path / "cpv" / "objects.db")


def litter(cache: ObjectCache) -> list[str]:
    scratch = cache.root / "cpv" / "tmp"
    return [path.name for path in scratch.iterdir()] if scratch.exists() else []


def held(cache: ObjectCache) -> list[str]:
    root = cache.root / "files"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", [b"", b"small\n", b"x" * MIB, BIG], ids=["empty", "small", "a block", "big"])
def test_snapshot_keeps_the_content_and_only_reads_the_file(
    cache: ObjectCache, tmp_path: Path, data: bytes
) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(data)
    file.chmod(0o640)
    before = file.stat()
    counted: list[int] = []

    oid, seen = cache.snapshot(file, on_bytes=counted.append)
    cache.settle()

    after = file.stat()
    assert (oid, sum(counted)) == (md5(data), len(data))
    assert seen == FileStat.of(before) == FileStat.of(after)
    assert (after.st_mode, after.st_nlink) == (before.st_mode, 1)
    kept = cache.root / "files" / "md5" / oid[:2] / oid[2:]
    assert kept == cache.path(oid)
    assert kept.read_bytes() == data
    assert kept.stat().st_mode & 0o777 == 0o444
    assert kept.stat().st_ino != after.st_ino
    assert reopened(tmp_path).has(oid)
    assert litter(cache) == []


def test_a_write_to_the_file_afterwards_does_not_reach_the_cache(cache: ObjectCache, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(BIG)
    oid, _ = cache.snapshot(file)
    cache.settle()
    with file.open("r+b") as stream:
        stream.write(b"overwritten in place")
    assert md5(cache.path(oid).read_bytes()) == oid


def test_new_objects_take_their_names_when_they_last(cache: ObjectCache, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode())
    oids = [cache.snapshot(tmp_path / name)[0] for name in "abcab"]
    assert held(cache) == []
    cache.settle()
    assert not cache.missing(oids)
    assert len(held(cache)) == 3
    assert litter(cache) == []


def test_of_many_small_objects_the_crc_is_known(cache: ObjectCache, tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(40)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1_000_000)
    sums = {file: cache.crc64nvme(cache.snapshot(file)[0]) for file in files}
    cache.settle()
    update = crc64nvme()
    assert update is not None
    assert [sums[file] for file in files[:5]] == [None] * 5, "a few are not worth it"
    assert [sums[file] for file in files[-5:]] == [update(file.read_bytes(), 0) for file in files[-5:]]


def test_a_file_that_changes_while_it_is_read_is_refused(cache: ObjectCache, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(BIG)

    def training_writes_on(count: int) -> None:
        with file.open("r+b") as stream:
            stream.write(b"epoch 13")

    with pytest.raises(RepositoryError, match=r"'.*model\.bin' changed while it was being read"):
        cache.snapshot(file, on_bytes=training_writes_on)
    cache.settle()
    assert (held(cache), litter(cache)) == ([], [])


def test_a_file_that_is_not_the_one_seen_is_refused(cache: ObjectCache, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"seen")
    seen = FileStat.of(file.stat())
    (tmp_path / "other").write_bytes(b"news")
    (tmp_path / "other").replace(file)
    with pytest.raises(RepositoryError, match="changed while it was being read"):
        cache.snapshot(file, seen=seen)
    cache.settle()
    assert held(cache) == []


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "replaced"])
def test_a_damaged_object_is_set_aside_and_counts_as_absent(
    cache: ObjectCache, tmp_path: Path, damage: str
) -> None:
    (tmp_path / "model.bin").write_bytes(BIG)
    oid, _ = cache.snapshot(tmp_path / "model.bin")
    cache.settle()
    path = cache.path(oid)
    path.chmod(0o644)
    if damage == "truncated":
        os.truncate(path, 1000)
    elif damage == "overwritten":
        with path.open("r+b") as stream:
            stream.write(b"junk")
    else:
        (tmp_path / "junk").write_bytes(b"j" * len(BIG))
        (tmp_path / "junk").replace(path)
    path.chmod(0o444)
    wrong = path.read_bytes()

    again = reopened(tmp_path)
    assert not again.has(oid)
    assert not path.exists()
    assert [place.read_bytes() for place in (cache.root / "cpv" / "damaged").iterdir()] == [wrong]
    with pytest.raises(RepositoryError, match=f"'{oid}' is not in the cache"):
        again.source(oid)

    again.snapshot(tmp_path / "model.bin")
    again.settle()
    assert again.has(oid)


def test_objects_that_dvc_put_there_are_hashed_once(cache: ObjectCache, tmp_path: Path) -> None:
    right, wrong = md5(b"by dvc"), md5(b"something else")
    for oid in (right, wrong):
        cache.path(oid).parent.mkdir(parents=True, exist_ok=True)
        cache.path(oid).write_bytes(b"by dvc")
        cache.path(oid).chmod(0o444)
    assert list(cache.missing([right, wrong, ABSENT])) == sorted([wrong, ABSENT])
    records = sqlite3.connect(tmp_path / "cpv" / "objects.db")
    assert [row[0] for row in records.execute("SELECT path FROM held")] == [
        f"files/md5/{right[:2]}/{right[2:]}"
    ]


def test_a_recorded_object_is_not_read_again(cache: ObjectCache, tmp_path: Path) -> None:
    """Shown by an object whose record vouches for content that it does not have."""
    cache.put_bytes(md5(b"right"), b"right")
    path = cache.path(md5(b"right"))
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    records = sqlite3.connect(tmp_path / "cpv" / "objects.db")
    with records:
        records.execute("UPDATE held SET stat = ?", (FileStat.of(path.stat()),))
    assert reopened(tmp_path).has(md5(b"right"))


@pytest.mark.parametrize("records", [b"no database at all" * 300, None], ids=["rubbish", "unwritable"])
def test_lost_records_cost_only_time(tmp_path: Path, records: bytes | None) -> None:
    place = tmp_path / "cpv"
    if records is None:
        place.write_bytes(b"a file where the folder should be")
    else:
        place.mkdir()
        (place / "objects.db").write_bytes(records)
    cache = reopened(tmp_path)
    cache.put_bytes(md5(b"data"), b"data")
    assert reopened(tmp_path).has(md5(b"data"))


def test_a_download_is_checked_before_it_takes_its_name(cache: ObjectCache, tmp_path: Path) -> None:
    oid = md5(b"what was asked for")
    receiver = cache.receiver(oid)
    receiver.path.write_bytes(b"what came instead")
    with pytest.raises(StorageError, match=f"wrong object under the name '{oid}'"):
        receiver.accept()
    receiver.discard()
    assert (held(cache), litter(cache)) == ([], [])

    receiver = cache.receiver(oid)
    receiver.path.write_bytes(b"what was asked for")
    receiver.accept()
    receiver.discard()
    assert held(cache) == []
    cache.settle()
    assert not reopened(tmp_path).missing([oid])
    assert cache.path(oid).stat().st_mode & 0o777 == 0o444

    receiver = cache.receiver(ABSENT)
    receiver.path.write_bytes(b"half")
    receiver.discard()
    receiver.discard()
    assert litter(cache) == []


def test_listings_are_read_back_and_hostile_ones_refused(cache: ObjectCache) -> None:
    good = render_listing({"a": ABSENT, "sub/b": ABSENT})
    cache.put_bytes(listing_oid(good), good)
    listing = cache.read_listing(listing_oid(good))
    assert listing is not None
    assert dict(listing.entries) == {"a": ABSENT, "sub/b": ABSENT}
    assert cache.read_listing(ABSENT + ".dir") is None
    hostile = render_listing({"../../.bashrc": ABSENT})
    cache.put_bytes(listing_oid(hostile), hostile)
    with pytest.raises(RepositoryError, match=r"\.\.") as caught:
        cache.read_listing(listing_oid(hostile))
    assert caught.value.hint == (
        f"'{listing_oid(hostile)}' came like that, for its md5 is right: git log -- '*.dvc' tells who "
        "committed it, and git cpv list which versions are older"
    )


@pytest.mark.parametrize(
    "oid", ["", "../../../etc/passwd", "0" * 31, "0" * 32 + ".exe", "A" * 32, "0" * 32 + "\n"]
)
def test_names_that_are_no_oids_are_refused(cache: ObjectCache, oid: str) -> None:
    with pytest.raises(RepositoryError, match="is not the md5 of an object"):
        cache.path(oid)


def test_a_source_knows_when_its_file_changed(cache: ObjectCache, tmp_path: Path) -> None:
    cache.put_bytes(md5(b"data"), b"data")
    source = cache.source(md5(b"data"))
    source.check()
    assert (source.size, source.path) == (4, cache.path(md5(b"data")))
    with source.open() as first, source.open() as second:
        assert (first.read(), second.read()) == (b"data", b"data")
    os.utime(cache.path(md5(b"data")), (1, 1))
    with pytest.raises(RepositoryError, match="changed while it was being read"):
        source.check()
    cache.path(md5(b"data")).unlink()
    with pytest.raises(RepositoryError, match="cannot read"):
        source.check()


def test_the_layout_of_dvc_2_names_text_by_md5_dos2unix(cache: ObjectCache, tmp_path: Path) -> None:
    oid = md5(b"one\ntwo\n")
    place = cache.root / oid[:2] / oid[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(b"one\r\ntwo\r\n")
    assert cache.legacy.path(oid) == place
    assert cache.legacy.has(oid)
    assert not cache.has(oid)


def test_what_a_killed_process_left_is_swept(cache: ObjectCache, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from cpvlib.stores.cache import ObjectCache\n"
        "cache = ObjectCache(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "cache.snapshot(Path(sys.argv[3])); os.kill(os.getpid(), 9)"
    )
    (tmp_path / "model.bin").write_bytes(BIG)
    arguments = [str(cache.root), str(tmp_path / "cpv" / "objects.db"), str(tmp_path / "model.bin")]
    killed = subprocess.run([sys.executable, "-c", program, *arguments], cwd=Path(__file__).parents[2])
    assert killed.returncode == -9
    assert len(litter(cache)) == 1
    oid, _ = cache.snapshot(tmp_path / "model.bin")
    cache.settle()
    assert (cache.has(oid), litter(cache)) == (True, [])


def test_hard_links_keep_the_object_trusted(cache: ObjectCache, tmp_path: Path) -> None:
    oid = md5(b"linked")
    cache.put_bytes(oid, b"linked")
    assert cache.link(oid, tmp_path / "link")
    assert (tmp_path / "link").samefile(cache.path(oid))
    cache.settle()
    records = sqlite3.connect(tmp_path / "cpv" / "objects.db")
    [(recorded,)] = records.execute("SELECT stat FROM held")
    assert recorded == FileStat.of(cache.path(oid).stat())


REFLINK = """
set -e
truncate -s 400M "$1/disk"
mkfs.xfs -q -m reflink=1 "$1/disk"
mount -o loop "$1/disk" "$1/mnt"
head -c 50M /dev/urandom >"$1/mnt/model.bin"
sync -f "$1/mnt"
"$2" -c 'if 1:
    import os, sys
    from pathlib import Path
    from cpvlib.stores.cache import ObjectCache
    top = Path(sys.argv[1])
    free = os.statvfs(top).f_bfree
    cache = ObjectCache(top / "cache", top / "objects.db")
    oid, _ = cache.snapshot(top / "model.bin")
    cache.settle()
    cache.copy_to(oid, top / "copy")
    os.sync()
    print((free - os.statvfs(top).f_bfree) * os.statvfs(top).f_bsize < 5 << 20)
    with (top / "model.bin").open("r+b") as file:
        file.write(b"written in place")
    print(ObjectCache(top / "cache", top / "none.db").has(oid))
    print((top / "copy").read_bytes() == cache.path(oid).read_bytes())
' "$1/mnt"
"""


def test_blocks_are_shared_where_the_file_system_can(tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    arguments = ["unshare", "-m", "sh", "-c", REFLINK, "sh", str(tmp_path), sys.executable]
    run = subprocess.run(
        arguments, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    if any(f"{tool}: " in run.stderr for tool in ("unshare", "mount", "mkfs.xfs", "sh")):
        pytest.skip(f"NO XFS: this machine doesn't let tests mount one: {run.stderr.strip()}")
    assert run.stderr == ""
    assert run.stdout.split() == ["True", "True", "True"]


def test_permission_denied_is_an_error_to_act_on(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"not a folder")
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(RepositoryError, match=r"cannot take '.*model\.bin' into the cache"):
        reopened(tmp_path).snapshot(tmp_path / "model.bin")
