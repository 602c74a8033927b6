"""docs/team.md: its policies allow what it says and no more, on a server that obeys them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

import console
from servers import ceph
from servers.s3 import S3Server
from shell import Shell

PAGE = (console.CHECKOUT / "docs/team.md").read_text()
POLICIES = dict(re.findall(r"<!-- policy: (\w+) -->\n```json\n(.*?)```", PAGE, re.DOTALL))

Allow = Callable[[str], Shell]


@pytest.fixture
def allow(shell: Shell, ceph_server: S3Server) -> Allow:
    """Gives the member one of the page's policies, in a bucket that holds a version; the member's shell."""
    bucket = ceph_server.new_bucket()
    owner = shell.at(".", **ceph_server.environment)
    owner.ok(f"git cpv init -q --team AI-Convo --model whisper --storage s3://{bucket} whisper")
    owner.write("whisper/model.bin", "weights 1")
    owner.at("whisper").ok("git cpv push -q --metric loss=1 && git cpv tag -q")
    keys = {"AWS_ACCESS_KEY_ID": ceph.MEMBER_KEY, "AWS_SECRET_ACCESS_KEY": ceph.MEMBER_SECRET}
    member = owner.at(".", **keys, CPV_STORAGE=f"s3://{bucket}", CPV_ENDPOINT=ceph_server.endpoint)

    def give(name: str) -> Shell:
        policy = json.loads(POLICIES[name].replace(":::checkpoints", f":::{bucket}"))
        for statement in policy["Statement"]:
            statement["Principal"] = {"AWS": [ceph.MEMBER]}
        ceph_server.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        return member

    return give


def states(shell: Shell) -> dict[str, str]:
    checks = json.loads(shell.run("git cpv doctor --json aws storage").out)["checks"]
    return {check["id"]: check["state"] for check in checks}


def test_a_reader_reads_and_no_more(allow: Allow) -> None:
    member = allow("reader")
    member.ok("git cpv clone -q whisper read")
    assert member.read("read/model.bin") == "weights 1"
    member.write("read/model.bin", "weights 2")
    assert "error: access denied: may not write" in member.at("read").fails("git cpv push -q --metric loss=2")
    assert states(member.at("read"))["storage.write"] == "failed"


def test_a_writer_pushes_and_removes_nothing(allow: Allow) -> None:
    member = allow("writer")
    member.ok("git cpv clone -q whisper written")
    repo = member.at("written")
    repo.write("model.bin", b"weights 2" * 2_000_000)  # large enough for parts
    repo.ok("git config push.default nothing && git cpv push -q --branch candidates --metric loss=2")
    repo.ok("git cpv pull -q candidates --output out", CPV_CACHE="none")
    found = states(repo)
    assert (found["storage.multipart"], found["storage.delete"]) == ("ok", "warning")


def test_a_maintainer_deletes_and_is_told_all(allow: Allow, ceph_server: S3Server) -> None:
    member = allow("maintainer")
    member.ok("git cpv clone -q whisper kept")
    found = states(member.at("kept"))
    assert {found[check] for check in ("storage.write", "storage.multipart", "storage.read")} == {"ok"}
    assert found["storage.versioning"] == "warning"  # it is off in this bucket, and the member may know
    # One by one: Ceph asks for the right to delete several at once on the bucket itself.
    client = replace(ceph_server, access_key=ceph.MEMBER_KEY, secret_key=ceph.MEMBER_SECRET).client()
    bucket = member.env["CPV_STORAGE"].removeprefix("s3://")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    client.delete_object(Bucket=bucket, Key=keys[0])
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == len(keys) - 1


def test_a_policy_is_of_one_team(allow: Allow) -> None:
    member = allow("writer")
    member.ok("git cpv init -q --team Others --model whisper others")
    member.write("others/model.bin", "weights")
    denied = member.at("others").fails("git cpv push -q --metric loss=2")
    assert "error: access denied: may not" in denied
