"""CPV and plain DVC over one bucket, each way: an S3 server over HTTP."""

from __future__ import annotations

import json

import pytest

from judge import IN_STEP, NAMES, Dvc, outs
from servers.s3 import S3Server
from shell import Shell

READ = """
import json, sys, dvc.api
found = {}
for rev in sys.argv[1:]:
    model = dvc.api.read("model.bin", rev=rev, mode="rb")
    with dvc.api.open("data/names/two\\nlines", rev=rev) as stream:
        found[rev] = [len(model), model[:7].decode(), stream.read()]
print(json.dumps(found))
"""
LARGE = b"\0" * (18 << 20)  # more than one part
SOME_NAMES = [*NAMES[::4], "two\nlines"]


@pytest.fixture
def online(shell: Shell, moto_server: S3Server) -> Shell:
    """A shell with a bare git repository, and the credentials that both programs read."""
    shell.git("init", "-q", "--bare", "common.git")
    return shell.at(".", **moto_server.environment)


def write(shell: Shell, text: str) -> None:
    shell.write("model.bin", text.encode() + LARGE)
    for name in SOME_NAMES:
        shell.write(f"data/names/{name}", f"{text} {name}")
    shell.write("data/empty", "")


def test_dvc_reads_what_we_pushed(dvc: Dvc, online: Shell, moto_server: S3Server) -> None:
    bucket = moto_server.new_bucket()
    online.ok(f"git cpv init -q --team T --model m --storage s3://{bucket}/p --remote ../common.git first")
    first = online.at("first")
    versions = {}
    for number in (1, 2):
        write(first, f"model {number}")
        first.ok(f"git cpv push -q --metric loss={1 / number} && git cpv tag -q --push")
        versions[f"v0.{number}"] = outs(first)
    assert dvc.ok(first, "push", "--all-tags") == "Everything is up to date.\n"
    online.git("clone", "-q", "common.git", "second")
    second = online.at("second")
    assert dvc.program(second, READ, *versions) == {
        "v0.1": [len(LARGE) + 7, "model 1", "model 1 two\nlines"],
        "v0.2": [len(LARGE) + 7, "model 2", "model 2 two\nlines"],
    }
    dvc.ok(second, "pull", "--quiet")
    assert outs(second) == versions["v0.2"]
    assert dvc.ok(second, "status") == IN_STEP
    assert dvc.ok(second, "status", "-c") == "Cache and remote 'storage' are in sync.\n"
    second.git("switch", "-q", "--detach", "v0.1")
    dvc.ok(second, "pull", "--quiet")
    assert outs(second) == versions["v0.1"]


def test_we_go_on_with_what_dvc_pushed(dvc: Dvc, shell: Shell, moto_server: S3Server) -> None:
    """All is in DVC's own configuration: the endpoint for everybody, the keys for this clone."""
    bucket = moto_server.new_bucket()
    shell.ok("git init -q --bare common.git && git clone -q common.git first")
    first = shell.at("first")
    dvc.ok(first, "init", "--quiet")
    dvc.ok(first, "remote", "add", "--quiet", "--default", "team", f"s3://{bucket}/their/own place")
    dvc.ok(first, "remote", "modify", "--quiet", "team", "endpointurl", moto_server.endpoint)
    dvc.ok(first, "remote", "modify", "--quiet", "--local", "team", "access_key_id", moto_server.access_key)
    dvc.ok(
        first, "remote", "modify", "--quiet", "--local", "team", "secret_access_key", moto_server.secret_key
    )
    write(first, "model 1")
    dvc.ok(first, "add", "--quiet", "model.bin", "data")
    dvc.ok(first, "push", "--quiet")
    first.ok("git add . && git commit -q -m 'by dvc' && git push -q -u origin HEAD:main")
    before = stored(moto_server, bucket)

    first.ok("git cpv init -q --team T --model m && git cpv storage trust -q")
    first.ok("git cpv tag -q --combined && git cpv push -q")
    assert stored(moto_server, bucket) == before
    write(first, "model 2")
    first.ok("git cpv push -q --metric loss=0.5 && git cpv tag -q --combined --push")

    environment = {key: value for key, value in moto_server.environment.items() if "ENDPOINT" not in key}
    shell.git("clone", "-q", "common.git", "second")
    second = shell.at("second", **environment)
    assert moto_server.secret_key not in str(first.run("git cpv storage show -v"))
    assert "its endpointurl" in second.fails("git cpv pull")
    second.ok("git cpv storage trust -q && git cpv pull -q")
    assert outs(second) == outs(first)
    second.write("model.bin", "model 3")
    dvc.ok(second, "add", "--quiet", "model.bin")
    dvc.ok(second, "push", "--quiet")
    second.ok("git commit -q -a -m 'by dvc' && git push -q")
    first.ok("git cpv pull -q")
    assert outs(first) == outs(second)
    told = json.loads(first.ok("git cpv status --check --json"))
    assert {(out["state"], out["lost"]) for out in told["outs"]} == {("in step", 0)}
    first.ok("git cpv revert -q --combined v0.1")
    assert first.read("data/names/two\nlines") == "model 1 two\nlines"
    assert dvc.ok(first, "status") == IN_STEP


def stored(server: S3Server, bucket: str) -> dict[str, str]:
    """Every object of the bucket: when it was written, by its key."""
    listing = server.client().list_objects_v2(Bucket=bucket)
    return {found["Key"]: str(found["LastModified"]) for found in listing["Contents"]}
