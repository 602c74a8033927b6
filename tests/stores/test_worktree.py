"""Looking at outs, naming their content and keeping it: nothing of the user's is touched (P3)."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Silent
from cpvlib.domain.listing import listing_oid, render_listing
from cpvlib.stores.cache import ObjectCache
from cpvlib.stores.dvc.ignore import DvcIgnore
from cpvlib.stores.look import Look
from cpvlib.stores.reading import Reading
from cpvlib.stores.statindex import FileStat, StatIndex
from cpvlib.stores.worktree import Worktree

MIB = 1 << 20


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    return tmp_path / "repo"


def opened(top: Path) -> Worktree:
    """The worktree as a new process opens it."""
    index = StatIndex(top / ".git" / "cpv" / "index.db")
    return Worktree(top, index, DvcIgnore(top), cache_root=top / ".dvc" / "cache")


def cache_of(top: Path) -> ObjectCache:
    return ObjectCache(top / ".dvc" / "cache", top / ".git" / "cpv" / "objects.db")


def write(top: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(data)


def facts(folder: Path) -> dict[str, tuple[int, ...]]:
    """What must stay of every file: inode, mode, links, mtime."""
    return {
        str(path.relative_to(folder)): (st.st_ino, st.st_mode, st.st_nlink, st.st_mtime_ns)
        for path in folder.rglob("*")
        for st in [path.lstat()]
        if not path.is_dir()
    }


def test_a_file_and_a_folder_are_named_as_dvc_names_them(top: Path) -> None:
    write(
        top,
        {"model.bin": b"weights", "data/train/a.csv": b"1,2", "data/b.csv": b"", "data/.hid den\n": b"dot"},
    )
    (top / "model.bin").chmod(0o755)
    (top / "data" / "empty").mkdir()
    model = opened(top).identify("model.bin")
    assert model is not None
    assert (model.oid, model.size, model.nfiles, model.isexec) == (md5(b"weights"), 7, None, True)
    assert dict(model.files) == {"": md5(b"weights")}
    data = opened(top).identify("data")
    assert data is not None
    files = {"train/a.csv": md5(b"1,2"), "b.csv": md5(b""), ".hid den\n": md5(b"dot")}
    assert dict(data.files) == files
    assert (data.oid, data.size, data.nfiles, data.isexec) == (
        listing_oid(render_listing(files)),
        6,
        3,
        False,
    )


def test_nothing_there_is_no_content(top: Path) -> None:
    write(top, {"file": b""})
    assert opened(top).identify("model.bin") is None
    assert opened(top).look("file/below").kind == "missing"
    with pytest.raises(RepositoryError, match=r"'model\.bin' does not exist"):
        opened(top).snapshot("model.bin", cache_of(top), "auto")


def test_an_empty_folder_is_the_empty_listing(top: Path) -> None:
    (top / "data").mkdir()
    content = opened(top).identify("data")
    assert content is not None
    assert (content.oid, content.size, content.nfiles) == (md5(b"[]") + ".dir", 0, 0)


def test_ignored_files_are_no_content(top: Path) -> None:
    write(
        top,
        {
            ".dvcignore": b"*.tmp\ncheckpoints/\n",
            "data/a": b"a",
            "data/b.tmp": b"",
            "data/checkpoints/c": b"",
        },
    )
    assert opened(top).look("data").files.keys() == {"a"}


def test_files_the_index_vouches_for_are_not_read(top: Path) -> None:
    """Shown by an index that vouches for what a file does not have."""
    write(top, {"data/a": b"aaa", "data/b": b"bbb"})
    st = FileStat.of((top / "data" / "a").stat())
    planted = "f" * 32
    StatIndex(top / ".git/cpv/index.db").save(
        "data", ["a"], lambda _: (st, planted), seen_ns=st.mtime_ns + 10**10
    )
    content = opened(top).identify("data")
    assert content is not None
    assert dict(content.files) == {"a": planted, "b": md5(b"bbb")}
    (top / "data" / "a").write_bytes(b"AAA")
    os.utime(top / "data" / "a", ns=(st.mtime_ns, st.mtime_ns))
    content = opened(top).identify("data")
    assert content is not None
    assert content.files["a"] == md5(b"AAA")


@pytest.mark.parametrize(
    ("ctime_ns", "read_ctime_ns", "is_settled"),
    [
        (1, 1, True),
        (10**19, 10**19, False),  # it may change again with its stat unchanged
        (1, 2, False),  # it was another when it was read
    ],
)
def test_whether_a_change_would_show(ctime_ns: int, read_ctime_ns: int, is_settled: bool) -> None:
    def looked(ctime_ns: int) -> FileStat:
        return FileStat(1, 1, min(ctime_ns, 2**63 - 1), 1, 1)

    reading = Reading(Path("x"), "x", Look("file", {"": looked(ctime_ns)}), [])
    reading.read([""], lambda *_: ("f" * 32, looked(read_ctime_ns)), None, 1)
    assert reading.content().is_settled is is_settled


def test_the_index_forgets_files_that_are_gone(top: Path) -> None:
    write(top, {"data/a": b"aaa"})
    old = FileStat(1, 1, 1, 1, 1)
    StatIndex(top / ".git/cpv/index.db").save("data", ["gone"], lambda _: (old, "f" * 32), seen_ns=10**19)
    opened(top).identify("data")
    rows = sqlite3.connect(top / ".git/cpv/index.db").execute(
        "SELECT relpath FROM stat WHERE relpath = 'gone'"
    )
    assert rows.fetchall() == []


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nowhere", "is a broken symlink to 'nowhere'"),
        ("/etc/hostname", "is a symlink out of the worktree, to '/etc/hostname'"),
        ("/etc", "is a symlink out of the worktree, to '/etc'"),
        ("TOP/.git/config", "is a symlink out of the worktree"),
        ("TOP/sub/.git/config", "is a symlink out of the worktree"),
        ("TOP/.dvc/config.local", "is a symlink out of the worktree"),
    ],
)
@pytest.mark.parametrize("link", ["out", "data/out"])
def test_links_to_what_is_not_the_worktrees_are_refused(top: Path, target: str, says: str, link: str) -> None:
    write(
        top, {".git/config": b"token", "sub/.git/config": b"", ".dvc/config.local": b"secret", "data/a": b""}
    )
    (top / link).symlink_to(target.replace("TOP", str(top)))
    with pytest.raises(RepositoryError) as caught:
        opened(top).look(link.partition("/")[0])
    assert caught.value.message.startswith(f"'{link}' {says}")


def test_pipes_and_sockets_are_no_content(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(top / "pipe")
    with pytest.raises(RepositoryError, match="'pipe' is neither a file nor a folder"):
        opened(top).look("pipe")
    monkeypatch.chdir(top)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("out")
        with pytest.raises(RepositoryError, match="'out' is neither a file nor a folder"):
            opened(top).look("out")


def test_a_name_that_is_not_utf8_is_refused(top: Path) -> None:
    (top / "data").mkdir()
    (Path(os.fsdecode(os.fsencode(top) + b"/data/caf\xe9"))).write_bytes(b"")
    with pytest.raises(RepositoryError, match="is not UTF-8"):
        opened(top).look("data")


def test_a_dvcignore_inside_an_out_is_refused_as_dvc_does(top: Path) -> None:
    write(top, {"data/sub/.dvcignore": b"*.tmp\n"})
    with pytest.raises(RepositoryError, match=r"'data/sub/\.dvcignore' lies inside an out"):
        opened(top).look("data")


def test_links_inside_the_worktree_are_followed_as_dvc_does(top: Path) -> None:
    write(top, {"runs/12/model.bin": b"weights", "data/a": b"a"})
    (top / "model.bin").symlink_to("runs/12/model.bin")
    (top / "model").symlink_to("runs/12")
    (top / "data" / "link").symlink_to("../runs/12/model.bin")
    (top / "data" / "folder").symlink_to("../runs")
    worktree = opened(top)
    model, folder, data = (worktree.identify(path) for path in ("model.bin", "model", "data"))
    assert model is not None and folder is not None and data is not None
    assert model.oid == md5(b"weights")
    assert dict(folder.files) == {"model.bin": md5(b"weights")}
    assert dict(data.files) == {"a": md5(b"a"), "link": md5(b"weights")}


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "a/../../b", ".git/hooks/pre-commit", ".GIT/x", ""]
)
def test_paths_that_leave_the_worktree_are_refused(top: Path, path: str) -> None:
    with pytest.raises(RepositoryError):
        opened(top).identify(path)


def test_an_out_beyond_a_symlink_is_refused(top: Path, tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/model.bin": b"x"})
    (top / "models").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RepositoryError, match=r"'models/model\.bin' lies beyond the symlink 'models'"):
        opened(top).look("models/model.bin")


def test_snapshot_keeps_all_objects_and_touches_nothing(top: Path) -> None:
    write(top, {"data/a": b"aaa", "data/copy of a": b"aaa", "data/sub/big": b"b" * (2 * MIB + 1)})
    (top / "data" / "a").chmod(0o600)
    before = facts(top / "data")
    cache = cache_of(top)

    snapshot = opened(top).snapshot("data", cache, "auto")

    assert facts(top / "data") == before
    oids = {md5(b"aaa"), md5(b"b" * (2 * MIB + 1)), snapshot.content.oid}
    assert {*snapshot.content.files.values(), snapshot.content.oid} == oids
    assert not cache_of(top).missing(oids)
    assert snapshot.uncached == {}
    assert snapshot.listing == cache.path(snapshot.content.oid).read_bytes()
    for oid in oids:
        source = cache.source(oid)
        source.check()
        with source.open() as stream:
            assert md5(stream.read()) == md5(source.read()) == oid.removesuffix(".dir")
    assert opened(top).identify("data") == snapshot.content
    shared = {st[0] for st in before.values()} & {st[0] for st in facts(cache.root).values()}
    assert shared == set()


def test_snapshot_brings_back_what_the_cache_lost(top: Path) -> None:
    write(top, {"data/a": b"aaa", "data/b": b"bbb"})
    first = opened(top).snapshot("data", cache_of(top), "copy")
    cache_of(top).path(md5(b"aaa")).unlink()
    damaged = cache_of(top).path(md5(b"bbb"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"b")
    again = opened(top).snapshot("data", cache_of(top), "copy")
    assert again.content == first.content
    assert not cache_of(top).missing(again.content.files.values())


def test_without_a_cache_the_worktree_is_the_source(top: Path) -> None:
    write(top, {"data/a": b"aaa", "data/b": b"aaa"})
    snapshot = opened(top).snapshot("data", cache_of(top), "none")
    assert not cache_of(top).has(md5(b"aaa"))
    ((oid, source),) = snapshot.uncached.items()
    assert oid == md5(b"aaa")
    assert source.path in (top / "data" / "a", top / "data" / "b")
    source.check()
    assert cache_of(top).path(snapshot.content.oid).read_bytes() == snapshot.listing
    assert source.path is not None
    source.path.write_bytes(b"new")
    with pytest.raises(RepositoryError, match="changed while it was being read"):
        source.check()


class Training(Silent):
    """A training run that goes on while the command reads: it acts once, when the first bytes were read."""

    def __init__(self, act: object) -> None:
        self._act = act

    def advance(self, n_bytes: int = 0, n_files: int = 0) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["auto", "none"])
@pytest.mark.parametrize("what", ["rewrites", "adds", "removes"])
def test_a_folder_that_changes_while_it_is_read_is_refused(top: Path, mode: str, what: str) -> None:
    write(top, {"model/1": b"1" * (2 * MIB), "model/2": b"2" * (2 * MIB)})
    acts = {
        "rewrites": lambda: [(top / "model" / name).write_bytes(b"3") for name in "12"],
        "adds": lambda: (top / "model" / "3").write_bytes(b"3"),
        "removes": lambda: [(top / "model" / name).unlink() for name in "12"],
    }
    with pytest.raises(RepositoryError):
        opened(top).snapshot("model", cache_of(top), mode, progress=Training(acts[what]), jobs=1)


def test_a_source_is_hashed_where_it_lies(top: Path, tmp_path: Path) -> None:
    write(tmp_path, {"blobs/w": b"weights", "epoch_12/config.json": b"{}"})
    (tmp_path / "epoch_12" / "model.safetensors").symlink_to("../blobs/w")  # as Hugging Face's cache has it
    before = facts(tmp_path / "epoch_12")
    snapshot = opened(top).snapshot("model", cache_of(top), "auto", source=tmp_path / "epoch_12")
    assert dict(snapshot.content.files) == {"config.json": md5(b"{}"), "model.safetensors": md5(b"weights")}
    assert facts(tmp_path / "epoch_12") == before
    assert not (top / "model").exists()
    assert opened(top).identify("model") is None
    assert opened(top).identify("model", source=tmp_path / "epoch_12") == snapshot.content


def test_a_source_inside_the_worktree_may_not_lead_out_of_it(top: Path) -> None:
    (top / "runs").mkdir()
    (top / "runs" / "model.bin").symlink_to("/etc/hostname")
    with pytest.raises(RepositoryError, match="is a symlink out of the worktree"):
        opened(top).identify("model", source=top / "runs")


def test_an_out_of_dvc_2_is_named_by_md5_dos2unix(top: Path) -> None:
    write(top, {"data/a.csv": b"one\r\ntwo\r\n", "data/b.bin": b"\x00\r\n"})
    files = {"a.csv": md5(b"one\ntwo\n"), "b.bin": md5(b"\x00\r\n")}
    legacy = opened(top).identify("data", legacy=True)
    assert legacy is not None
    assert (dict(legacy.files), legacy.size) == (files, 13)
    content = opened(top).identify("data")
    assert content is not None
    assert content.files["a.csv"] == md5(b"one\r\ntwo\r\n")
    cache = cache_of(top).legacy
    for path in files:
        receiver = cache.receiver(files[path])
        receiver.path.write_bytes((top / "data" / path).read_bytes())
        receiver.accept()
    listing = render_listing(files)
    cache.put_bytes(listing_oid(listing), listing)
    assert not opened(top).install("data", listing_oid(listing), cache, "copy")
    (top / "data" / "a.csv").unlink()
    opened(top).install("data", listing_oid(listing), cache, "copy")
    assert (top / "data" / "a.csv").read_bytes() == b"one\r\ntwo\r\n"


def test_keep_copies_files_aside(top: Path) -> None:
    write(top, {"model.bin": b"mine", "data/sub/a": b"a", "data/ignored.tmp": b"t"})
    where = top / ".git" / "cpv" / "kept" / "1"
    kept = opened(top).keep(["model.bin", "data", "missing"], where)
    assert kept == [where / "model.bin", where / "data"]
    assert (where / "model.bin").read_bytes() == b"mine"
    assert (where / "data/sub/a").read_bytes() == b"a"
    assert (where / "data/ignored.tmp").read_bytes() == b"t"
    assert (top / "model.bin").read_bytes() == b"mine"


def test_many_files_with_little_content_in_common(top: Path) -> None:
    files = {f"data/{i % 7}/{i}": b"%d" % (i % 1500) for i in range(2000)}
    write(top, files)
    cache = cache_of(top)
    snapshot = opened(top).snapshot("data", cache, "auto", jobs=4)
    assert snapshot.content.nfiles == 2000
    oids = {*snapshot.content.files.values(), snapshot.content.oid}
    assert len(oids) == 1501
    assert not cache_of(top).missing(oids)
    assert list((cache.root / "cpv" / "tmp").iterdir()) == []


class Hands(Silent):
    """Which threads do the work; the first `needed` wait until there are as many at it at once."""

    def __init__(self, needed: int) -> None:
        self._all_there = threading.Barrier(needed, timeout=30)
        self.threads: set[int] = set()

    def advance(self, n_bytes: int = 0, n_files: int = 0) -> None:
        if threading.get_ident() not in self.threads:
            self.threads.add(threading.get_ident())
            self._all_there.wait()


@pytest.mark.parametrize("jobs", [1, 3])
def test_as_many_files_are_hashed_at_once_as_the_setting_says(top: Path, jobs: int) -> None:
    write(top, {f"data/{number}": bytes([number]) * MIB for number in range(jobs)})
    index, hands = StatIndex(top / ".git" / "cpv" / "index.db"), Hands(jobs)
    Worktree(top, index, DvcIgnore(top), jobs=jobs).identify("data", progress=hands)
    assert len(hands.threads) == jobs


def test_each_folder_is_listed_once(top: Path) -> None:
    write(top, {f"data/{number % 5}/{number % 7}/{number}": b"" for number in range(100)})
    listed: list[str] = []
    heard = [listed]  # a hook can't be taken away again

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.scandir", "os.listdir") and heard:
            heard[0].append(str(arguments[0]))

    sys.addaudithook(hear)
    found = opened(top).look("data")
    heard.clear()
    folders = [folder for folder, _, _ in os.walk(top / "data")]
    assert len(found.files) == 100
    assert sorted(listed) == sorted(folders)
