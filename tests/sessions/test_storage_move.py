"""storage move: all that history names arrives at the new place, whole, before anything refers to it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from servers.front import Fault, front_of
from servers.s3 import S3Server
from shell import Shell


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def key(oid: str) -> str:
    return f"files/md5/{oid[:2]}/{oid[2:]}"


def old_place() -> Path:
    return Path(os.environ["HOME"]) / ".local/share/cpv/storage/T/m"


@pytest.fixture
def repo(shell: Shell) -> Shell:
    """On `main` v0.1, an untagged checkpoint and v0.2; on `trial` one more."""
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.write("data/train/a.txt", "one\n")
    repo.write("data/test/b.txt", "two\n")
    for turn in (1, 2, 3):
        repo.write("model.bin", f"weights {turn}")
        repo.ok(f"git cpv push -q --metric loss={turn}")
        if turn != 2:
            repo.ok("git cpv tag -q")
    repo.git("switch", "-q", "-c", "trial")
    repo.write("model.bin", "weights trial")
    repo.ok("git cpv push -q --metric loss=9")
    repo.git("switch", "-q", "main")
    repo.ok("git cpv pull -q")
    return repo


def objects(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: content for name, content in found.items() if name.startswith("files/")}


def bucket_objects(server: S3Server, bucket: str, prefix: str = "T/m/") -> dict[str, bytes]:
    client = server.client()
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        entry["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for entry in listed
    }


def drop_cache(repo: Shell) -> None:
    repo.ok("rm -rf .dvc/cache .git/cpv/cache.db*")


def test_from_the_folder_on_a_laptop_to_s3(repo: Shell, moto_server: S3Server) -> None:
    bucket = moto_server.new_bucket()
    here = repo.at(".", **moto_server.environment)
    before, head = objects(old_place()), repo.git("rev-parse", "HEAD")
    dry = here.ok(f"git cpv storage move -n s3://{bucket}")
    assert dry.splitlines()[0].startswith(f"would copy {len(before)} objects, ")
    assert dry.splitlines()[1] == f"would commit: Move storage to s3://{bucket}/T/m"
    assert (bucket_objects(moto_server, bucket), repo.git("rev-parse", "HEAD")) == ({}, head)

    done = here.run(f"git cpv storage move s3://{bucket}")

    assert done.code == 0, str(done)
    assert done.masked.out.startswith(f"copied {len(before)} objects, ")
    assert done.err == (
        f"nothing was removed from the old place, {old_place()}\nnot yet on 'trial': git merge main there\n"
    )
    assert bucket_objects(moto_server, bucket) == before == objects(old_place())
    assert repo.git("show", "--name-only", "--format=%s", "HEAD").split("\n") == [
        f"Move storage to s3://{bucket}/T/m",
        "",
        ".dvc/config",
    ]
    assert repo.git("status", "--short") == ""
    drop_cache(repo)
    repo.ok("rm -rf model.bin data")
    here.ok("git cpv pull -q", CPV_STORAGE="/nowhere")
    assert (repo.read("model.bin"), repo.read("data/test/b.txt")) == ("weights 3", "two\n")
    here.ok("git cpv revert -q v0.1")
    assert repo.read("model.bin") == "weights 1"
    repo.write("model.bin", "weights 4")
    here.ok("git cpv push -q --metric loss=4")
    assert key(md5(b"weights 4")) in bucket_objects(moto_server, bucket)


def test_without_a_cache_and_from_s3_to_a_folder(repo: Shell, moto_server: S3Server, tmp_path: Path) -> None:
    bucket = moto_server.new_bucket()
    here = repo.at(".", **moto_server.environment)
    before = objects(old_place())
    drop_cache(repo)
    told = json.loads(here.ok(f"git cpv storage move --json s3://{bucket}/deep"))
    assert (told["to"], told["objects"], told["sent"]) == (
        f"s3://{bucket}/deep/T/m",
        len(before),
        len(before),
    )
    assert bucket_objects(moto_server, bucket, "deep/T/m/") == before
    drop_cache(repo)
    done = here.run(["git", "cpv", "storage", "move", str(tmp_path / "disk")])
    assert done.code == 0, str(done)
    assert done.masked.out.endswith("; [main <id>] Move storage to a folder\n")
    assert f"nothing was removed from the old place, s3://{bucket}/deep/T/m\n" in done.err
    assert objects(tmp_path / "disk/T/m") == before
    assert "s3://" not in repo.read(".dvc/config")
    shown = repo.ok("git cpv storage").splitlines()
    assert shown[0] == f"{tmp_path}/disk/T/m (from .dvc/config.local)"
    assert shown[-1] == f"before the move it was s3://{bucket}/deep/T/m"
    assert repo.git("status", "--short") == ""


def test_a_folder_to_a_folder_needs_no_commit(repo: Shell) -> None:
    before, head = objects(old_place()), repo.git("rev-parse", "HEAD")
    repo.ok(["git", "cpv", "storage", "move", "../disk"])
    assert objects(repo.cwd.parent / "disk/T/m") == before
    assert repo.git("rev-parse", "HEAD") == head
    assert (
        repo.ok("git cpv storage").splitlines()[0] == f"{repo.cwd.parent}/disk/T/m (from .dvc/config.local)"
    )


def test_typed_again_after_an_interruption_it_goes_on(repo: Shell, moto_server: S3Server) -> None:
    bucket = moto_server.new_bucket()
    before, head = objects(old_place()), repo.git("rev-parse", "HEAD")
    drop_cache(repo)
    with front_of(moto_server.endpoint) as front:
        broken = repo.at(
            ".", **{**moto_server.environment, "AWS_ENDPOINT_URL": front.endpoint, "AWS_MAX_ATTEMPTS": "1"}
        )
        front.faults.append(Fault("reset", "PUT", key(md5(b"weights 1")), times=99))
        said = broken.fails(f"git cpv storage move -j 1 s3://{bucket}")
        assert said.startswith("error: ")
        assert repo.git("rev-parse", "HEAD") == head
        assert str(old_place()) in repo.ok("git cpv storage")
        front.faults.clear()
        arrived = bucket_objects(moto_server, bucket)
        assert set(arrived) < set(before)
        assert not any(name.endswith(".dir") for name in arrived)
        front.seen.clear()
        broken.ok(f"git cpv storage move s3://{bucket}")
        sent = [line for line in front.seen if line.startswith("PUT ")]
    assert len(sent) == len(before) - len(arrived)
    assert bucket_objects(moto_server, bucket) == before


def test_typed_again_later_it_fetches_what_others_stored_at_the_old_place(
    repo: Shell, moto_server: S3Server
) -> None:
    repo.git("init", "-q", "--bare", "../central.git")
    repo.git("remote", "add", "origin", "../central.git")
    repo.ok("git cpv push -q")
    other = repo.at("..")
    other.ok("git cpv clone -q central.git other")
    bucket = moto_server.new_bucket()
    here = repo.at(".", **moto_server.environment)
    done = here.run(f"git cpv storage move s3://{bucket}")
    assert "the others learn of it by: git cpv push\n" in done.err, str(done)
    other = other.at("other")
    other.git("switch", "-q", "-c", "late")
    other.write("model.bin", "weights late")
    other.ok("git cpv push -q --metric loss=0")
    repo.git("fetch", "-q")
    assert key(md5(b"weights late")) not in bucket_objects(moto_server, bucket)
    again = here.ok(f"git cpv storage move s3://{bucket}")
    assert again.startswith("copied ")
    assert again.endswith("; it is the storage already")
    assert bucket_objects(moto_server, bucket)[key(md5(b"weights late"))] == b"weights late"


def test_what_is_nowhere_stops_it_by_name(repo: Shell) -> None:
    oid = md5(b"weights 1")
    drop_cache(repo)
    (old_place() / key(oid)).unlink()
    head = repo.git("rev-parse", "HEAD")
    assert repo.fails("git cpv storage move ../disk") == (
        f"error: cannot move: 1 object, '{oid}' among them, of 'v0.1' are neither in the cache nor at the "
        "storage\n"
        "hint: push them from the clone that made them; or leave them: git config cpv.allowMissing true"
    )
    assert (repo.git("rev-parse", "HEAD"), (repo.cwd.parent / "disk").exists()) == (head, False)
    done = repo.run("git -c cpv.allowMissing=true cpv storage move ../disk")
    assert done.code == 0, str(done)
    assert "warning: 1 object that commits name is nowhere any more, and stays behind\n" in done.err
    assert set(objects(old_place())) == set(objects(repo.cwd.parent / "disk/T/m"))


def test_what_only_an_old_commit_names_may_be_gone(repo: Shell) -> None:
    drop_cache(repo)
    (old_place() / key(md5(b"weights 2"))).unlink()
    repo.ok("git cpv storage move ../disk")
    assert set(objects(old_place())) == set(objects(repo.cwd.parent / "disk/T/m"))


def test_what_is_damaged_at_the_old_place_does_not_arrive(repo: Shell) -> None:
    damaged = old_place() / key(md5(b"weights 1"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"weights X")
    drop_cache(repo)
    said = repo.fails("git cpv storage move ../disk")
    assert f"object '{key(md5(b'weights 1'))}' in '{old_place()}' is damaged" in said
    assert key(md5(b"weights 1")) not in objects(repo.cwd.parent / "disk/T/m")
    assert str(old_place()) in repo.ok("git cpv storage")


def test_a_bucket_that_refuses_leaves_everything_as_it_was(repo: Shell, ceph_server: S3Server) -> None:
    head, config = repo.git("rev-parse", "HEAD"), repo.read(".dvc/config.local")
    bucket = ceph_server.new_bucket()
    wrong = {**ceph_server.environment, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    assert repo.fails(f"git cpv storage move s3://{bucket}", **wrong).startswith("error: ")
    missing = repo.fails("git cpv storage move s3://no-such-bucket-here", **ceph_server.environment)
    assert "no-such-bucket-here" in missing
    assert (repo.git("rev-parse", "HEAD"), repo.read(".dvc/config.local")) == (head, config)
    told = json.loads(repo.ok(f"git cpv storage move --json s3://{bucket}", **ceph_server.environment))
    assert bucket_objects(ceph_server, bucket) == objects(old_place())
    assert told["commit"] == repo.git("rev-parse", "HEAD")


def test_the_new_place_was_typed_and_so_is_trusted(repo: Shell, moto_server: S3Server) -> None:
    bucket = moto_server.new_bucket()
    here = repo.at(".", **{k: v for k, v in moto_server.environment.items() if k != "AWS_ENDPOINT_URL"})
    here.git("config", "cpv.endpoint", moto_server.endpoint)
    here.ok(f"git cpv storage move -q s3://{bucket}")
    told = json.loads(here.ok("git cpv storage --json"))
    assert (told["url"], told["writable"]) == (f"s3://{bucket}/T/m", True)
    assert f"endpointurl = {moto_server.endpoint}" in repo.read(".dvc/config")
    clone = repo.at("..")
    clone.git("clone", "-q", "repo", "clone")
    told = json.loads(clone.at("clone").ok("git cpv storage --json"))
    assert (told["readable"], told["writable"]) == (False, False)


def test_the_word_before_a_publication_names_it(repo: Shell) -> None:
    repo.git("remote", "add", "origin", "ssh://git.example.org/m.git")
    repo.write("model.bin", "weights 5")
    said = repo.fails("git cpv push")
    assert "hint: git cpv storage move s3://BUCKET; or, for a shared filesystem, " in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("git cpv storage move", "move needs the URL to move to"),
        ("git cpv storage trust s3://bucket", "'trust' takes no URL"),
        ("git cpv storage show -n", "'show' has no --dry-run"),
    ],
)
def test_words_that_do_not_go_together(repo: Shell, command: str, said: str) -> None:
    assert f"error: {said}\n" in repo.fails(command, code=129)


def test_refused_where_a_commit_could_not_be_made(repo: Shell) -> None:
    repo.git("switch", "-q", "--detach")
    assert "HEAD is detached" in repo.fails("git cpv storage move ../disk")
    repo.git("switch", "-q", "main")
    assert "would lie inside of the repository" in repo.fails("git cpv storage move disk")
