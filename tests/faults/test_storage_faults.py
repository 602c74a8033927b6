"""Every command of the road through an S3 that misbehaves: it retries, or fails with one clear error while
the server goes on misbehaving, and the promises hold either way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from faults.checker import check
from harm import unharmed
from servers.front import Fault, Front, front_of
from servers.s3 import S3Server
from shell import Shell
from template import MakeTemplate, Template

COMMANDS = {
    "push": "git cpv push --metric loss=3",
    "tag": "git cpv tag --push",
    "pull": "git cpv pull",
    "clone": "git cpv clone ../origin.git ../clone",
    "revert": "git cpv revert v0.1",
    "verify": "git cpv verify --deep",
}
SAID = {
    "refuse": "asks for fewer requests and went on asking",
    "reset": "",
    "silent": "",
    "expire": "expired",
}


@dataclass(frozen=True)
class Made:
    template: Template
    bucket: str


@dataclass(frozen=True)
class Scene:
    """A repository that reaches its bucket through the front."""

    repo: Shell
    front: Front
    server: S3Server
    bucket: str

    def ready(self, name: str) -> None:
        """Brings about that the command has something to ask of the storage."""
        # The bucket is the module's: a content that another test stored there would not be sent again.
        new = f"weights {uuid4()}"
        if name == "push":
            self.repo.write("model.bin", new)
        if name == "tag":
            self.repo.write("model.bin", new)
            self.repo.ok("git cpv push -q --metric loss=4")
            (self.repo.cwd / ".git/cpv/confirmed.db").unlink()
        if name in ("pull", "revert"):
            shutil.rmtree(self.repo.cwd / ".dvc/cache")
        if name == "pull":
            (self.repo.cwd / "model.bin").unlink()

    def check(self, folder: Path) -> None:
        """The promises, from the storage's own side."""
        client = self.server.client()
        for found in client.list_objects_v2(Bucket=self.bucket, Prefix="T/m/").get("Contents", ()):
            place = folder / found["Key"]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(client.get_object(Bucket=self.bucket, Key=found["Key"])["Body"].read())
        check(self.repo, self.repo.cwd / "../origin.git", folder / "T/m")


@pytest.fixture(scope="module")
def made(make_template: MakeTemplate, moto_server: S3Server) -> Made:
    bucket = moto_server.new_bucket()

    def two_versions(shell: Shell) -> None:
        shell.git("init", "-q", "--bare", "origin.git")
        here = shell.at(".", **moto_server.environment)
        here.ok(f"git cpv init -q --team T --model m --storage s3://{bucket} --remote ../origin.git repo")
        repo = here.at("repo")
        for nth in (1, 2):
            repo.write("model.bin", f"weights {nth}")
            repo.write("data/train/1.txt", f"image {nth}")
            repo.ok(f"git cpv push -q --metric loss={nth} && git cpv tag -q --push")

    return Made(make_template(two_versions), bucket)


@pytest.fixture
def scene(made: Made, shell: Shell, sealed: Path, moto_server: S3Server) -> Iterator[Scene]:
    made.template.copy(sealed, shell.cwd)
    with front_of(moto_server.endpoint) as front:
        through = {**moto_server.environment, "AWS_ENDPOINT_URL": front.endpoint}
        yield Scene(shell.at("repo", **through), front, moto_server, made.bucket)


@pytest.mark.parametrize(
    ("name", "engine"), [*((name, "auto") for name in COMMANDS), ("push", "boto3"), ("pull", "boto3")]
)
def test_trouble_that_passes_is_retried(scene: Scene, tmp_path: Path, name: str, engine: str) -> None:
    scene.repo.git("config", "cpv.engine", engine)
    scene.ready(name)
    kinds = ("refuse", "reset", "lose")
    scene.front.faults += [*(Fault(kind) for kind in kinds), Fault("cut", "GET", "files/md5")]
    done = scene.repo.run(COMMANDS[name])
    assert done.code == 0, str(done)
    assert [fault.times for fault in scene.front.faults[:3]] == [0, 0, 0]
    scene.check(tmp_path / "seen")


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in COMMANDS for kind in ("refuse", "expire")]
    + [("push", "reset"), ("pull", "reset"), ("push", "silent"), ("pull", "silent")],
)
def test_trouble_that_lasts_is_one_error_and_no_harm(
    scene: Scene, tmp_path: Path, name: str, kind: str
) -> None:
    scene.ready(name)
    local = scene.repo.cwd / ".dvc/config.local"
    before = local.read_text() if local.exists() else ""
    local.write_text(f"{before}['remote \"storage\"']\n    read_timeout = 1\n")
    # The name that a tag --push gave is kept for the next push.
    with nullcontext() if name == "tag" else unharmed(scene.repo):
        expired_while_sending = (name, kind) == ("push", "expire")
        scene.front.faults.append(Fault(kind, "PUT" if expired_while_sending else "", times=999))
        said = scene.repo.at(".", AWS_MAX_ATTEMPTS="2").fails(COMMANDS[name])
    assert said.count("error: ") == 1, said
    assert "hint: " in said
    assert SAID[kind] in said
    scene.check(tmp_path / "seen")
    scene.front.faults.clear()
    scene.repo.ok(COMMANDS[name])
    assert "; all there; " in scene.repo.ok("git cpv verify")


@pytest.mark.parametrize("name", ["pull", "clone", "revert"])
def test_altered_bytes_are_never_installed(scene: Scene, name: str) -> None:
    scene.ready(name)
    scene.front.faults.append(Fault("alter", "GET", "files/md5", times=999))
    with unharmed(scene.repo):
        said = scene.repo.fails(COMMANDS[name])
    assert said.count("error: ") == 1
    assert "object 'files/md5/" in said
    assert "is damaged: its content is not what its name says" in said
    scene.front.faults.clear()
    scene.repo.ok(COMMANDS[name])
