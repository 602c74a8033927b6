"""Somebody else collects garbage in the storage while a push relies on what it knew: P1 holds.

The collector is played by the test: it takes away an object, and changes the storage's generation.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpvlib.managers import generation
from cpvlib.stores.storage.folder import FolderStorage
from faults.checker import check
from servers.front import Front, front_of
from servers.s3 import S3Server
from shell import Shell
from template import MakeTemplate, Template

FIRST, SECOND = "weights 1", "weights 2"


def key_of(content: str) -> str:
    md5 = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def two_checkpoints(shell: Shell, *, storage: str = "") -> None:
    """A model that was published twice."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok(f"git cpv init -q --team T --model m {storage} --remote ../origin.git repo")
    repo = shell.at("repo")
    repo.ok("rm -r data")
    for nth, content in enumerate((FIRST, SECOND)):
        repo.write("model.bin", content)
        repo.ok(f"git cpv push -q --metric loss={nth}")


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(two_checkpoints)


class Scene:
    """The repository, its git remote and its storage in a folder."""

    def __init__(self, shell: Shell) -> None:
        self.repo = shell.at("repo")
        self.repo.git("remote", "set-url", "origin", "../origin.git")
        self.origin = shell.cwd / "origin.git"
        self.storage = Path(json.loads(self.repo.ok("git cpv storage show --json"))["url"])
        self.first = self.storage / key_of(FIRST)

    def collect(self) -> None:
        """FIRST is garbage, thinks somebody."""
        self.first.unlink()
        generation.begin(FolderStorage(self.storage))

    def collect_while_committing(self) -> None:
        """The same once the next push has seen that FIRST is at the storage, and before it publishes."""
        place = shlex.quote(str(self.storage))
        hook = self.repo.write(
            ".git/hooks/pre-commit",
            f"#!/bin/sh\nrm -f {place}/{key_of(FIRST)}\necho other >{place}/cpv/generation\nrm -f $0\n",
        )
        hook.chmod(0o755)

    def tip(self) -> str:
        return Shell(self.origin, self.repo.env).git("rev-parse", "main")

    def check(self) -> None:
        check(self.repo, self.origin, self.storage)


@pytest.fixture
def scene(template: Template, shell: Shell, sealed: Path) -> Scene:
    template.copy(sealed, shell.cwd)
    return Scene(shell)


def test_a_generation_is_one_line_of_hex_and_never_the_same(tmp_path: Path) -> None:
    seen = set()
    for _ in range(3):
        generation.begin(FolderStorage(tmp_path))
        seen.add((tmp_path / "cpv/generation").read_text())
    assert len(seen) == 3
    assert {(len(text), text[-1], len(bytes.fromhex(text))) for text in seen} == {(33, "\n", 16)}


def test_a_push_stores_again_what_was_taken_while_it_ran(scene: Scene) -> None:
    scene.collect_while_committing()
    scene.repo.write("model.bin", FIRST)
    scene.repo.ok("git cpv push -q -a --metric loss=3")
    assert scene.first.read_text() == FIRST
    scene.check()


def test_what_the_cache_lacks_is_stored_from_the_worktree(scene: Scene) -> None:
    scene.collect_while_committing()
    (scene.repo.cwd / ".dvc/cache" / key_of(FIRST)).unlink()
    scene.repo.write("model.bin", FIRST)
    scene.repo.ok("git -c cpv.cache=none cpv push -q -a --metric loss=3")
    assert not (scene.repo.cwd / ".dvc/cache" / key_of(FIRST)).exists()
    scene.check()


def test_the_worktree_serves_a_rerun_as_well(scene: Scene) -> None:
    """Stored and committed, not published; then storage and cache lose it."""
    scene.repo.write("model.bin", FIRST)
    scene.repo.git("remote", "set-url", "origin", "../elsewhere.git")
    scene.repo.fails("git -c cpv.cache=none cpv push -q --metric loss=3")
    scene.repo.git("remote", "set-url", "origin", "../origin.git")
    scene.repo.ok("git cpv status")
    (scene.repo.cwd / ".dvc/cache" / key_of(FIRST)).unlink()
    scene.collect()
    scene.repo.ok("git cpv push -q")
    assert scene.first.read_text() == FIRST
    scene.check()


def test_nothing_is_published_that_is_nowhere(scene: Scene) -> None:
    before = scene.tip()
    scene.repo.git("switch", "-q", "-c", "other", "HEAD~1")
    scene.repo.ok("git cpv pull -q && git cpv tag -q")
    (scene.repo.cwd / ".dvc/cache" / key_of(FIRST)).unlink()
    (scene.repo.cwd / "model.bin").unlink()
    scene.collect()
    said = scene.repo.fails("git cpv tag --push v0.2 --force")
    assert "cannot publish: 1 object of 1" in said
    assert "are neither in the cache nor at the storage" in said
    assert scene.tip() == before
    assert Shell(scene.origin, scene.repo.env).git("tag") == ""


@pytest.mark.parametrize(
    "publish",
    [
        "git cpv push -q --branch older",
        "git cpv tag -q --push",
        "git cpv hooks install -q && git push -q origin HEAD:refs/heads/older",
    ],
)
def test_whatever_publishes_asks_again_after_a_collection(scene: Scene, publish: str) -> None:
    """FIRST was confirmed when it was pushed, and is to be published anew, by a ref of its own."""
    scene.repo.git("switch", "-q", "-c", "older", "HEAD~1")
    scene.repo.ok("git cpv pull -q")
    scene.repo.git("-C", str(scene.origin), "update-ref", "-d", "refs/heads/main")
    scene.repo.git("update-ref", "-d", "refs/remotes/origin/main")
    scene.collect()
    scene.repo.ok(publish)
    assert scene.first.read_text() == FIRST
    scene.check()


@pytest.mark.parametrize(
    "overwrite",
    [
        "git cpv revert -q v0.1",
        "git cpv revert -q --no-commit v0.1",
        "git switch -q --detach HEAD~1 && git cpv pull -q",
        "git cpv hooks install -q --files && git checkout -q HEAD~1",
    ],
)
def test_the_only_copy_is_kept_before_it_is_overwritten(scene: Scene, overwrite: str) -> None:
    """SECOND was confirmed, and only the worktree has it: another clone's collection took it away."""
    scene.repo.git("switch", "-q", "--detach", "HEAD~1")
    scene.repo.ok("git cpv pull -q && git cpv tag -q && git switch -q main && git cpv pull -q")
    (scene.repo.cwd / ".dvc/cache" / key_of(SECOND)).unlink()
    (scene.storage / key_of(SECOND)).unlink()
    generation.begin(FolderStorage(scene.storage))
    scene.repo.ok(overwrite)
    assert scene.repo.read("model.bin") == FIRST
    assert (scene.repo.cwd / ".dvc/cache" / key_of(SECOND)).read_text() == SECOND


@pytest.mark.parametrize("collected", [False, True])
def test_a_copy_that_the_storage_vouches_for_is_not_made_again(scene: Scene, collected: bool) -> None:
    """Nor is one made where nothing was confirmed under a former generation; where storage is away, it is."""
    scene.repo.git("switch", "-q", "--detach", "HEAD~1")
    scene.repo.ok("git cpv pull -q && git cpv tag -q && git switch -q main && git cpv pull -q")
    (scene.repo.cwd / ".dvc/cache" / key_of(SECOND)).unlink()
    if collected:
        scene.storage.rename(scene.storage.with_name("not mounted"))
    scene.repo.ok("git cpv revert -q v0.1")
    assert (scene.repo.cwd / ".dvc/cache" / key_of(SECOND)).exists() is collected


class Bucket:
    """The same over S3, through a front that sees each request."""

    def __init__(self, repo: Shell, front: Front) -> None:
        self.repo, self.front = repo, front

    def requests(self, command: str) -> list[str]:
        del self.front.seen[:]
        self.repo.ok(command)
        return [line.partition("?")[0].rpartition("/T/m/")[2] for line in self.front.seen]


@pytest.fixture
def bucket(shell: Shell, moto_server: S3Server) -> Iterator[Bucket]:
    with front_of(moto_server.endpoint) as front:
        here = shell.at(".", **{**moto_server.environment, "AWS_ENDPOINT_URL": front.endpoint})
        two_checkpoints(here, storage=f"--storage s3://{moto_server.new_bucket()}")
        yield Bucket(here.at("repo"), front)


def test_a_push_asks_twice_and_one_with_nothing_to_do_not_at_all(bucket: Bucket) -> None:
    assert bucket.requests("git cpv push -q") == []
    assert bucket.requests("git cpv tag -q && git cpv status && git cpv push -q --dry-run") == []
    assert bucket.requests("git cpv push -q") == ["cpv/generation"]  # publishes the version
    bucket.repo.write("model.bin", "weights 3")
    asked = bucket.requests("git cpv push -q --metric loss=3")
    assert [asked.count("cpv/generation"), asked[-1]] == [2, "cpv/generation"]
    assert key_of("weights 3") in asked[1:-1]


def test_a_revert_asks_once_and_only_for_what_the_cache_lacks(bucket: Bucket) -> None:
    bucket.repo.ok("git cpv tag -q && git switch -q --detach HEAD~1 && git cpv pull -q && git cpv tag v0.2")
    bucket.repo.ok("git switch -q main && git cpv pull -q")
    assert bucket.requests("git cpv revert -q v0.2") == []
    shutil.rmtree(bucket.repo.cwd / ".dvc/cache")
    asked = bucket.requests("git cpv revert -q v0.1")
    assert asked.count("cpv/generation") == 1
