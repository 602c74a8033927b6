"""P3 and P4 on disks that are full or may not be written, and in caches that several worktrees share."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cpvlib.stores import partials
from harm import mortal, small_disk, unharmed
from shell import Shell
from template import MakeTemplate, Template

MIB = 1 << 20
OLD, NEW = bytes(3 * MIB), b"x" * (3 * MIB)


def two_clones(shell: Shell) -> None:
    """Ann has published v0.1 and v0.2; Ben has v0.1."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m ann")
    ann = shell.at("ann")
    ann.git("remote", "add", "origin", "../origin.git")
    ann.write("model.bin", OLD)
    ann.ok("git cpv push -q --model --metric loss=2 && git cpv tag -q && git cpv push -q --model")
    shell.ok("git cpv clone -q origin.git ben")
    ann.write("model.bin", NEW)
    ann.ok("git cpv push -q --model --metric loss=1 && git cpv tag -q && git cpv push -q --model")


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(two_clones)


@pytest.fixture
def ben(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    for name in ("ann", "ben"):
        shell.at(name).git("remote", "set-url", "origin", "../origin.git")
    return shell.at("ben")


def cached(repo: Shell) -> Path:
    """The one object of three MiB in a cache."""
    found = [
        path for path in (repo.cwd / ".dvc/cache/files/md5").glob("*/*") if path.stat().st_size == 3 * MIB
    ]
    assert len(found) == 1
    return found[0]


def linked(repo: Shell) -> Shell:
    """Another worktree of the repository, whose model is a link into the cache of both."""
    repo.git("worktree", "add", "-q", "-b", "side", "../side")
    repo.git("config", "cpv.link", "symlink")
    side = repo.at("../side")
    side.ok("git cpv pull -q --model")
    assert (side.cwd / "model.bin").is_symlink()
    return side


def test_a_clone_that_finds_no_room_goes_on_when_there_is_some(ben: Shell) -> None:
    outside = Shell(ben.cwd.parent)
    with small_disk(outside, "disk", "5m"):
        said = outside.fails("git cpv clone -q origin.git disk/carl")
        assert said.startswith(
            f"error: cloned into '{outside.cwd}/disk/carl', without its objects: cannot write '"
        )
        assert said.endswith(
            ": the disk is full\nhint: cd '{}', then: free some space and run the command again".format(
                outside.cwd / "disk/carl"
            )
        )
        carl = outside.at("disk/carl")
        assert not (carl.cwd / "model.bin").exists()
        assert carl.git("status", "--porcelain") == ""
        outside.ok("mount -o remount,size=20m disk && git cpv clone -q origin.git disk/carl")
        assert (carl.cwd / "model.bin").read_bytes() == NEW


@pytest.mark.parametrize("command", ["pull", "revert v0.2", "pull v0.2 --output out"])
def test_a_full_disk_leaves_all_as_it_was(ben: Shell, command: str) -> None:
    outside = Shell(ben.cwd.parent)
    ben.git("fetch", "-q", "--tags")
    with small_disk(outside, "disk", "17m"):
        outside.ok("cp -a ben disk/ben && git -C disk/ben remote set-url origin $PWD/origin.git")
        repo = outside.at("disk/ben")
        outside.run("head -c 17m /dev/zero >disk/filler; truncate -s -1M disk/filler")
        with unharmed(repo):
            said = repo.fails(f"git cpv {command}")
        assert said.splitlines()[-1] == "hint: free some space and run the command again"
        assert (repo.cwd / "model.bin").read_bytes() == OLD
        outside.ok("rm disk/filler")
        repo.ok(f"git cpv {command} -q")
        assert [path for path in repo.cwd.rglob("model.bin") if path.read_bytes() == NEW]


def test_a_cache_that_may_only_be_read(ben: Shell) -> None:
    dropped = mortal()
    ben.ok("chmod -R a-w .dvc/cache")
    ben.git("fetch", "-q", "--tags")
    with unharmed(ben):
        assert ben.fails(f"{dropped}git cpv pull").startswith("error: cannot write ")
        assert ben.run(f"{dropped}git cpv status").code == 0
    ben.write("model.bin", b"y" * 100)
    with unharmed(ben):
        assert "permission denied" in ben.fails(f"{dropped}git cpv push --model")
    assert (ben.cwd / "model.bin").read_bytes() == b"y" * 100
    ben.ok("chmod -R u+w .dvc/cache && git checkout -q . && rm model.bin && git cpv pull -q")
    assert (ben.cwd / "model.bin").read_bytes() == NEW


def test_a_folder_that_may_not_be_written(ben: Shell) -> None:
    dropped = mortal()
    ben.git("fetch", "-q", "--tags")
    mode = stat.S_IMODE(ben.cwd.stat().st_mode)
    ben.cwd.chmod(0o555)
    try:
        said = ben.fails(f"{dropped}git cpv revert v0.2")
    finally:
        ben.cwd.chmod(mode)
    assert "ermission denied" in said
    assert (ben.cwd / "model.bin").read_bytes() == OLD
    ben.run("git cpv revert --abort")
    assert ben.git("status", "--porcelain") == ""
    ben.ok("git cpv revert -q v0.2")
    assert (ben.cwd / "model.bin").read_bytes() == NEW


def test_work_written_through_a_link_of_another_worktree_is_kept(ben: Shell) -> None:
    """The command that finds the object changed runs in the main worktree; the link is in the other."""
    side = linked(ben)
    ben.ok("rm model.bin")
    cached(ben).chmod(0o644)
    with (side.cwd / "model.bin").open("r+b") as model:
        model.write(b"three days of training")
    work = b"three days of training" + OLD[22:]
    done = ben.run("git cpv pull v0.1 --output ../out")
    assert "an object of the cache was damaged; it is set aside as '" in done.err
    assert (ben.cwd.parent / "out/model.bin").read_bytes() == OLD
    assert not (side.cwd / "model.bin").is_symlink()
    assert (side.cwd / "model.bin").read_bytes() == work
    assert cached(ben).read_bytes() == OLD


def test_an_object_that_was_cut_short_reaches_no_worktree_and_no_storage(ben: Shell, sealed: Path) -> None:
    side = linked(ben)
    place = cached(ben)
    side.ok("rm model.bin")
    place.chmod(0o644)
    place.write_bytes(OLD[:MIB])
    side.ok("git cpv pull -q --model")
    assert (side.cwd / "model.bin").read_bytes() == OLD
    cached(ben).chmod(0o644)
    cached(ben).write_bytes(OLD[:MIB])
    stored = sealed / ".local/share/cpv/storage/T/m" / place.relative_to(ben.cwd / ".dvc/cache")
    stored.unlink()
    said = side.run("git cpv push --check --model")
    assert said.code == 0 or not stored.exists(), str(said)
    assert not stored.exists() or stored.read_bytes() == OLD


def test_what_is_saved_first_has_its_room(shell: Shell) -> None:
    """Copies for the worktree, which are made while large objects arrive, take what is left of the disk."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m ann")
    ann = shell.at("ann")
    ann.git("remote", "add", "origin", "../origin.git")
    for fill in (b"1", b"2"):
        for name in ("model.bin", "other.bin"):
            ann.write(name, fill + name.encode() * (4 * MIB))
        ann.ok(
            "git cpv track -q other.bin; git cpv push -q --metric loss=1 && git cpv tag -q && git cpv push -q"
        )
    size = (ann.cwd / "model.bin").stat().st_size
    assert size > partials.WORTH_BYTES
    with small_disk(shell, "disk", f"{10 * size - 8 * MIB}"):
        shell.ok("git cpv clone -q origin.git disk/ben && rm -r disk/ben/.dvc/cache")
        ben = shell.at("disk/ben")
        ben.write("model.bin", b"a" * size)
        ben.write("other.bin", b"b" * size)
        ben.ok("git cpv revert -q --force v0.1")
        assert (ben.cwd / "other.bin").read_bytes()[:1] == b"1"
