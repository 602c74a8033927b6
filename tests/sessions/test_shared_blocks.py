"""A new version of a large file: what an earlier version has is neither sent nor fetched again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from cpvlib.base.parallel import Crew
from cpvlib.domain.pointer import OutEntry
from cpvlib.managers.beginnings import Beginnings
from cpvlib.managers.outs import outs_here
from cpvlib.managers.workspace import Workspace
from servers.front import Fault, Front
from servers.s3 import S3Server
from shell import Shell

MIB = 1 << 20
BLOCK = 8 * MIB


def some_bytes(size: int, seed: int = 1) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(size)


MODEL = some_bytes(3 * BLOCK + 5)
TUNED = MODEL[:BLOCK] + some_bytes(100, seed=2) + MODEL[BLOCK + 100 :]


@pytest.fixture
def repo(shell: Shell, moto_server: S3Server, front: Front) -> Shell:
    """A model of 24 MiB whose first version is stored."""
    shell.ok(f"git cpv init -q --team T --model m --storage s3://{moto_server.new_bucket()} repo")
    repo = shell.at("repo", **moto_server.environment | {"AWS_ENDPOINT_URL": front.endpoint})
    repo.write("model.bin", MODEL)
    repo.ok("git cpv push -q --metric loss=2")
    front.clear()
    return repo


def test_a_push_sends_what_changed(repo: Shell, front: Front) -> None:
    repo.write("model.bin", TUNED)
    done = repo.run("git cpv push -v --metric loss=1")
    assert done.code == 0, str(done)
    assert "model: 1 file, 24 MiB; 24 MiB in 2 objects stored and confirmed, 8.0 MiB of it sent (" in done.err
    md5 = hashlib.md5(TUNED).hexdigest()
    assert f"{md5}: part checksums and their checksum and size\n" in done.err
    assert front.received_bytes < BLOCK + MIB
    repo.ok("rm -r .dvc/cache model.bin && git cpv pull -q")
    assert (repo.cwd / "model.bin").read_bytes() == TUNED


def test_json_says_it_too(repo: Shell) -> None:
    repo.write("model.bin", TUNED)
    facts = json.loads(repo.ok("git cpv push --json --metric loss=1"))
    log = (repo.cwd / "metrics.log").stat().st_size
    assert (facts["sent_bytes"], facts["copied_bytes"]) == (BLOCK + log, 2 * BLOCK + 5)


def test_a_clone_without_the_old_version_asks_the_storage_for_its_table(repo: Shell, front: Front) -> None:
    repo.ok("rm -r .dvc/cache .git/cpv/blocks")
    repo.write("model.bin", TUNED)
    repo.ok("git cpv push -q --metric loss=1")
    assert front.received_bytes < BLOCK + MIB


def test_a_version_that_was_gone_back_to_is_of_use_as_well(repo: Shell, front: Front) -> None:
    """The pointer before is another model altogether; the one before it is alike."""
    repo.write("model.bin", some_bytes(2 * BLOCK + 7, seed=3))
    repo.ok("git cpv push -q --metric loss=3")
    repo.write("model.bin", TUNED)
    front.clear()
    repo.ok("git cpv push -q --metric loss=1")
    assert front.received_bytes < BLOCK + MIB


def test_where_the_old_version_is_gone_all_is_sent(repo: Shell, front: Front, moto_server: S3Server) -> None:
    repo.write("model.bin", TUNED)
    md5 = hashlib.md5(MODEL).hexdigest()
    bucket = repo.ok("git cpv storage show").partition("s3://")[2].partition("/")[0]
    moto_server.client().delete_object(Bucket=bucket, Key=f"T/m/files/md5/{md5[:2]}/{md5[2:]}")
    repo.ok("git cpv push -q --metric loss=1")
    assert front.received_bytes > len(TUNED)
    repo.ok("rm -r .dvc/cache model.bin && git cpv pull -q")
    assert (repo.cwd / "model.bin").read_bytes() == TUNED


def test_a_push_that_was_interrupted_goes_on(repo: Shell, front: Front) -> None:
    """Of two changed blocks one is stored when the push is killed; the next sends the other."""
    repo.write("model.bin", some_bytes(BLOCK, seed=5) + MODEL[BLOCK : 2 * BLOCK] + some_bytes(BLOCK, seed=6))
    front.faults.append(Fault("silent", "PUT", "partNumber=3", times=99))
    words = ["git-cpv-push", "-q", "--metric", "loss=1", "--jobs", "1"]
    process = subprocess.Popen(words, cwd=repo.cwd, env={**os.environ, **repo.env})
    assert front.left_waiting.wait(60)
    process.kill()
    process.wait()
    front.faults.clear()
    front.clear()
    repo.ok("git cpv push -q --metric loss=1")
    assert BLOCK <= front.received_bytes < BLOCK + MIB


def test_a_renamed_file_is_not_sent(repo: Shell, front: Front) -> None:
    md5 = hashlib.md5(repo.write("data/one.bin", some_bytes(2 * BLOCK + 9, seed=4)).read_bytes()).hexdigest()
    repo.ok("git cpv push -q")
    (repo.cwd / "data" / "one.bin").rename(repo.cwd / "data" / "another.bin")
    front.clear()
    repo.ok("git cpv push -q")
    assert front.received_bytes < 100_000
    repo.ok("rm -r .dvc/cache data && git cpv pull -q")
    assert hashlib.md5((repo.cwd / "data" / "another.bin").read_bytes()).hexdigest() == md5
    assert not (repo.cwd / "data" / "one.bin").exists()


def test_a_dry_run_tells_what_would_be_sent(repo: Shell, front: Front) -> None:
    repo.write("model.bin", TUNED)
    told = repo.ok("git cpv push --dry-run --metric loss=1").splitlines()
    assert told[:2] == [
        "would record model.bin: 1 file, 24 MiB",
        "would send 8.0 MiB, copy 16 MiB within the storage",
    ]
    facts = json.loads(repo.ok("git cpv push --dry-run --json --metric loss=1"))
    assert facts["bytes"] == {"send": BLOCK, "copy": 2 * BLOCK + 5, "skip": 0}
    assert not any(line.startswith(("PUT", "POST")) for line in front.seen)
    assert "model.bin" in repo.ok("git cpv status")


def test_a_dry_run_in_a_folder_skips_what_is_there(repo: Shell) -> None:
    repo.write("more/a.txt", b"a" * 1000)
    repo.write("more/b.txt", b"b" * 500)
    repo.ok("git cpv track -q --data more && git cpv push -q")
    repo.write("more/c.txt", b"c" * 10)
    facts = json.loads(repo.ok("git cpv push --dry-run --json"))
    listing = 3 * len(f'{{"md5": "{"0" * 32}", "relpath": "a.txt"}}, ')
    assert facts["bytes"] == {"send": 10 + listing, "copy": 0, "skip": 1500}


@pytest.mark.parametrize("the_old_is", ["in the cache", "in the worktree only"])
def test_a_pull_fetches_what_changed(repo: Shell, front: Front, the_old_is: str) -> None:
    repo.ok("git clone -q . ../clone")
    clone = repo.at("../clone", **repo.env)
    clone.ok("git cpv pull -q && git cpv status -q")
    if the_old_is == "in the worktree only":
        clone.ok("rm -r .dvc/cache")
    repo.write("model.bin", TUNED)
    repo.ok("git cpv push -q --metric loss=1")
    clone.git("pull", "-q")
    front.clear()
    clone.ok("git cpv pull -q")
    assert (clone.cwd / "model.bin").read_bytes() == TUNED
    assert front.sent_bytes < BLOCK + MIB


def test_an_old_version_that_goes_away_meanwhile_is_no_loss(repo: Shell, tmp_path: Path) -> None:
    """A training replaces the file in the worktree while another version is fetched."""
    repo.write("new.bin", TUNED)
    repo.ok("git cpv status -q")  # a push that follows a write at once does not yet vouch for the file's stat
    repo.ok("git cpv push -q --from new.bin --metric loss=1 && rm -r .dvc/cache")
    ws = Workspace.open(repo.cwd, {**os.environ, **repo.env})
    entries = [out.entry for out in outs_here(ws).values() if out.entry and out.path == "model.bin"]
    beginnings = Beginnings(ws, ws.storage(), ws.cache, entries)
    md5, target = hashlib.md5(TUNED).hexdigest(), tmp_path / "arriving"
    assert sum(span.size for span in beginnings.begin(md5, target)) == 2 * BLOCK + 5
    (repo.cwd / "model.bin").unlink()
    assert beginnings.begin(md5, target) == []


def test_many_large_files_are_one_walk_of_the_history(repo: Shell, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []
    environ = {**os.environ, **repo.env}
    ws = Workspace.open(repo.cwd, environ, trace=lambda command, *_: asked.append(tuple(command)))
    entries = [OutEntry(f"{number}.bin", f"{number:032x}", 3 * BLOCK) for number in range(8)]
    beginnings = Beginnings(ws, ws.storage(), ws.cache, entries)
    found = Crew(8).each(lambda entry: beginnings.begin(entry.oid or "", tmp_path / entry.path), entries)
    assert [spans for _, spans in found] == [[]] * 8
    assert [command[0] for command in asked].count("rev-list") == 1
