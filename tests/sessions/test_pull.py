"""pull: objects first, checked; then the branch; then only the files that differ."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(two_clones)


def two_clones(shell: Shell) -> None:
    """Ann's repository and Ben's clone of it, with one published version."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m ann")
    ann = shell.at("ann")
    ann.git("remote", "add", "origin", "../origin.git")
    ann.write("model.bin", "weights 1")
    ann.write("data/train/a.txt", "data 1\n")
    ann.ok("git cpv push -q --metric loss=0.3 && git cpv tag -q --combined && git cpv push -q")
    shell.ok("git cpv clone -q origin.git ben")


@pytest.fixture
def pair(template: Template, shell: Shell, sealed: Path) -> tuple[Shell, Shell]:
    template.copy(sealed, shell.cwd)
    for name in ("ann", "ben"):
        shell.at(name).git("remote", "set-url", "origin", "../origin.git")
    return shell.at("ann"), shell.at("ben")


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def stored(oid: str) -> Path:
    place = Path(os.environ["HOME"]) / ".local/share/cpv/storage/T/m"
    return place / "files/md5" / oid[:2] / oid[2:]


def cached(shell: Shell) -> set[str]:
    return {path.parent.name + path.name for path in (shell.cwd / ".dvc/cache/files/md5").glob("*/*")}


def test_clone_and_pull_bring_what_was_pushed(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    assert (ben.read("model.bin"), ben.read("data/train/a.txt")) == ("weights 1", "data 1\n")
    ann.write("model.bin", "weights 2")
    ann.ok("git cpv push -q --metric loss=0.2 && git cpv tag -q && git cpv push -q")
    done = ben.run("git cpv pull")
    assert done.err == (
        "1 commit from origin; 'metrics.log' and 'model.bin': 2 files changed; 327 B fetched and verified\n"
    )
    assert ben.read("model.bin") == "weights 2"
    assert ben.git("rev-parse", "HEAD") == ann.git("rev-parse", "HEAD")
    assert ben.git("tag").splitlines() == ["data/v0.1", "v0.1", "v0.2"]
    assert ben.run("git cpv pull").err == "everything is up to date\n"


def test_unsaved_work_is_never_overwritten(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    ann.write("model.bin", "weights 2")
    ann.ok("git cpv push -q")
    ben.write("model.bin", "precious")
    head = ben.git("rev-parse", "HEAD")
    assert ben.fails("git cpv pull").startswith(
        "error: 'model.bin' changed here and would be overwritten\nhint: "
    )
    assert (ben.read("model.bin"), ben.git("rev-parse", "HEAD")) == ("precious", head)
    done = ben.run("git cpv pull --force")
    place = Path(done.err.splitlines()[0].removeprefix("your own files are kept in "))
    assert ((place / "model.bin").read_text(), ben.read("model.bin")) == ("precious", "weights 2")


def test_a_change_whose_pointer_did_not_move_stays(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    ann.write("data/train/b.txt", "more\n")
    ann.ok("git cpv push -q")
    ben.write("model.bin", "in the making")
    done = ben.run("git cpv pull")
    assert done.code == 0, str(done)
    assert done.err.endswith("left as changed here: 'model.bin'\n")
    assert (ben.read("model.bin"), ben.read("data/train/b.txt")) == ("in the making", "more\n")


def test_logs_that_grew_on_both_sides_become_their_union(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    ann.write("metrics.log", ann.read("metrics.log") + '{"loss": 0.29}\n')
    ann.ok("git cpv push -q")
    ben.write("metrics.log", ben.read("metrics.log") + '{"loss": 0.28}\n')
    ben.ok("git cpv pull")
    assert '{"loss": 0.29}' in ben.read("metrics.log")
    assert '{"loss": 0.28}' in ben.read("metrics.log")


def test_histories_that_went_apart_may_be_rebased_as_well(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    ann.write("model.bin", "weights 2")
    ann.ok("git cpv push -q")
    ben.git("commit", "-q", "--allow-empty", "-m", "ben's own")
    ben.ok("git pull -q --rebase && git cpv pull")
    assert ben.read("model.bin") == "weights 2"
    assert ben.git("log", "-1", "--format=%s") == "ben's own"


def test_paths_bring_only_those(pair: tuple[Shell, Shell]) -> None:
    _, ben = pair
    ben.ok("rm -r model.bin data")
    ben.at("data/..").ok("git cpv pull data") if (ben.cwd / "data").exists() else ben.ok("git cpv pull data")
    assert (ben.cwd / "data/train/a.txt").exists()
    assert not (ben.cwd / "model.bin").exists()


def test_no_objects_then_pull(pair: tuple[Shell, Shell], shell: Shell) -> None:
    shell.ok("git cpv clone -q --no-objects origin.git lean")
    lean = shell.at("lean")
    assert not (lean.cwd / "model.bin").exists()
    assert "not pulled" in lean.ok("git cpv status")
    assert "everything is up to date" in lean.run("git cpv push").err
    lean.ok("git cpv pull --all")
    assert lean.read("model.bin") == "weights 1"


def test_a_plain_git_clone_finds_the_storage(pair: tuple[Shell, Shell], shell: Shell) -> None:
    shell.git("clone", "-q", "origin.git", "plain")
    plain = shell.at("plain")
    plain.ok("git cpv pull")
    assert plain.read("model.bin") == "weights 1"


def test_version_into_a_folder_leaves_the_worktree(pair: tuple[Shell, Shell]) -> None:
    ann, _ = pair
    ann.write("model.bin", "weights 2")
    ann.ok("git cpv push -q && git cpv tag -q")
    ann.write("model.bin", "unsaved")
    before = ann.files()
    ann.ok("git cpv pull v0.1 --model --output ../old")
    assert (ann.cwd / "../old/model.bin").read_text() == "weights 1"
    assert ann.files() == before
    assert sorted(ann.at("../old").files()) == ["model.bin"]
    ann.ok("git cpv pull v0.1 --output ../old")  # what an interrupted run left is completed
    assert sorted(ann.at("../old").files())[-1] == "model.bin"
    ann.write("../old/model.bin", "mine")
    assert ann.fails("git cpv pull v0.1 --output ../old").startswith("error: the folder '")
    assert ann.at("../old").read("model.bin") == "mine"


def test_version_into_the_cache_only(pair: tuple[Shell, Shell]) -> None:
    ann, _ = pair
    ann.ok("rm -rf .dvc/cache")
    done = ann.run("git cpv pull v0.1 --model")
    assert done.err == "v0.1: 'model.bin' in the cache; the worktree is as it was (1 object, 9 B fetched)\n"
    assert len(list((ann.cwd / ".dvc/cache/files/md5").rglob("*/*"))) == 1


def test_from_a_url_needs_no_clone(pair: tuple[Shell, Shell], shell: Shell) -> None:
    facts = json.loads(shell.ok("git cpv pull --from origin.git latest --model -o deployed --json"))
    assert facts["version"] == "v0.1"
    assert shell.at("deployed").files() == {"model.bin": b"weights 1"}


def test_dry_run_changes_nothing(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    ann.write("model.bin", "weights 2")
    ann.ok("git cpv push -q")
    before, refs = ben.files(), ben.git("for-each-ref")
    said = ben.ok("git cpv pull -n")
    assert said == "would take in 1 commit from origin\nwould bring model.bin"
    assert (ben.files(), ben.git("for-each-ref")) == (before, refs)


def test_a_truncated_cache_object_is_never_installed(pair: tuple[Shell, Shell]) -> None:
    _, ben = pair
    for item in (ben.cwd / ".dvc/cache/files/md5").rglob("*"):
        if item.is_file() and item.read_bytes() == b"weights 1":
            item.chmod(0o644)
            item.write_bytes(b"weig")
            item.chmod(0o444)
    done = ben.run("rm model.bin && git cpv pull")
    assert "an object of the cache was damaged; it is set aside as '" in done.err
    assert ben.read("model.bin") == "weights 1"


def test_a_pull_that_stops_keeps_what_it_has(pair: tuple[Shell, Shell]) -> None:
    ann, ben = pair
    for name in "abc":
        ann.write(f"data/{name}.txt", f"new {name}\n")
    ann.ok("git cpv push -q")
    here = {md5(f"new {name}\n".encode()): name for name in "abc"}
    last = max(here)  # they come in the order of their md5s
    away = stored(last)
    away.rename(away.with_suffix(".away"))

    assert "is missing from" in ben.fails("git cpv pull -j 1")
    assert not (ben.cwd / "data/a.txt").exists()
    assert here.keys() & cached(ben) == here.keys() - {last}
    assert list((ben.cwd / ".dvc/cache/cpv/tmp").iterdir()) == []

    away.with_suffix(".away").rename(away)
    assert ben.run("git cpv pull").err.endswith("; 6 B fetched and verified\n")
    assert ben.read(f"data/{here[last]}.txt") == f"new {here[last]}\n"


@pytest.mark.parametrize("evil", ["../evil", "/tmp/evil", ".git/hooks/post-checkout", "sub/../../evil"])
def test_no_path_leaves_the_worktree(pair: tuple[Shell, Shell], evil: str) -> None:
    _, ben = pair
    ben.write("model.bin.dvc", ben.read("model.bin.dvc").replace("path: model.bin", f"path: {evil}"))
    ben.ok("rm model.bin")
    assert ben.fails("git cpv pull").startswith("error: ")
    assert not (ben.cwd / "../evil").exists()
    assert not (ben.cwd / ".git/hooks/post-checkout").exists()
