"""revert: a version comes back as a new commit, and nothing that is not saved is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(three_versions)


def three_versions(shell: Shell) -> None:
    """Three versions of the model, two of the data, of which v0.2 of both are on one commit."""
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    for number, loss in ((1, 0.3), (2, 0.2), (3, 0.1)):
        repo.write("model.bin", f"weights {number}")
        if number < 3:
            repo.write("data/train/a.txt", f"data {number}\n")
        both = "--combined" if number < 3 else ""
        repo.ok(f"git cpv push -q --metric loss={loss} && git cpv tag -q {both}")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def test_brings_the_model_back_and_prints_the_undo(repo: Shell) -> None:
    done = repo.run("git cpv revert v0.1")
    assert done.code == 0, str(done)
    assert done.masked.err == "[main <id>] Revert model to v0.1; 1 file changed (undo: git cpv revert v0.3)\n"
    assert repo.read("model.bin") == "weights 1"
    assert json.loads(repo.read("checkpoint.json"))["metrics"] == {"loss": 0.3}
    assert repo.git("log", "-1", "--format=%s") == "Revert model to v0.1"
    assert repo.git("symbolic-ref", "--short", "HEAD") == "main"
    assert repo.git("status", "--short") == ""
    assert repo.read("data/train/a.txt") == "data 2\n"
    repo.ok("git cpv revert v0.3")
    assert repo.read("model.bin") == "weights 3"


def test_the_data_series_and_both(repo: Shell) -> None:
    repo.ok("git cpv revert --data v0.1")
    assert (repo.read("model.bin"), repo.read("data/train/a.txt")) == ("weights 3", "data 1\n")
    repo.ok("git cpv revert --combined v0.2")
    assert (repo.read("model.bin"), repo.read("data/train/a.txt")) == ("weights 2", "data 2\n")
    assert repo.git("log", "-1", "--format=%s") == "Revert model and data to v0.2"


def test_already_there_is_a_negative_answer(repo: Shell) -> None:
    assert repo.fails("git cpv revert v0.3", code=1) == "this is v0.3; the one before is v0.2"
    assert repo.fails("git cpv revert latest", code=1) == "this is v0.3; the one before is v0.2"


def test_unsaved_changes_are_refused_and_force_keeps_a_copy(repo: Shell) -> None:
    repo.write("model.bin", "precious")
    head = repo.git("rev-parse", "HEAD")
    said = repo.fails("git cpv revert v0.1")
    assert said == (
        "error: 'model.bin' changed here and would be overwritten\n"
        "hint: git cpv push saves the changes as a checkpoint; --force keeps a copy aside and goes on"
    )
    assert (repo.read("model.bin"), repo.git("rev-parse", "HEAD")) == ("precious", head)
    done = repo.run("git cpv revert --force v0.1")
    assert done.code == 0, str(done)
    place = Path(done.err.splitlines()[0].removeprefix("your own files are kept in "))
    assert (place / "model.bin").read_text() == "precious"
    assert repo.read("model.bin") == "weights 1"


def test_only_files_that_differ_are_touched(repo: Shell) -> None:
    repo.write("data/train/same.txt", "same\n")
    repo.ok("git cpv push -q && git cpv tag -q --data")
    repo.write("data/train/a.txt", "data 9\n")
    repo.ok("git cpv push -q")
    before = (repo.cwd / "data/train/same.txt").stat()
    repo.ok("git cpv revert --data v0.3")
    after = (repo.cwd / "data/train/same.txt").stat()
    assert repo.read("data/train/a.txt") == "data 2\n"
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)


def test_files_that_stay_need_not_be_in_the_cache(repo: Shell) -> None:
    for text in ("one", "another"):
        repo.write("data/train/same.txt", "same")
        repo.write("data/train/a.txt", text)
        repo.ok("git cpv push -q && git cpv tag -q --data")
    storage = Path(json.loads(repo.ok("git cpv storage show --json"))["url"])
    for place in (repo.cwd / ".dvc/cache", storage):
        (place / "files/md5/51/037a4a37730f52c8732586d3aaa316").unlink()
    done = repo.run("git cpv revert --data v0.3")
    assert done.masked.err == (
        "[main <id>] Revert data to v0.3; 1 file changed (undo: git cpv revert --data v0.4)\n"
    )
    assert (repo.read("data/train/a.txt"), repo.read("data/train/same.txt")) == ("one", "same")


def test_of_two_folders_with_one_content_each_gets_what_it_lacks(repo: Shell) -> None:
    def write(folder: str, a: str, b: str) -> None:
        repo.write(f"{folder}/a.txt", a)
        repo.write(f"{folder}/b.txt", b)

    write("one", "1", "same")
    write("two", "1", "same")
    repo.ok("git cpv track -q --data one two && git cpv push -q && git cpv tag -q --data")
    write("one", "2", "3")
    write("two", "4", "same")
    repo.ok("git cpv push -q && rm -rf .dvc/cache")
    repo.ok("git cpv revert --data v0.3")
    files = [repo.read(f"{folder}/{name}.txt") for folder in ("one", "two") for name in "ab"]
    assert files == ["1", "same", "1", "same"]


def test_objects_are_there_before_anything_is_touched(repo: Shell) -> None:
    repo.ok("rm -rf .dvc/cache")
    storage = Path(json.loads(repo.ok("git cpv storage show --json"))["url"])
    for item in storage.rglob("*"):
        if item.is_file() and item.read_bytes() == b"weights 1":
            item.unlink()
    head = repo.git("rev-parse", "HEAD")
    said = repo.fails("git cpv revert v0.1")
    assert "is missing from" in said
    assert (repo.read("model.bin"), repo.git("rev-parse", "HEAD")) == ("weights 3", head)
    assert repo.git("status", "--short") == ""


def test_a_wrong_object_is_never_installed(repo: Shell) -> None:
    repo.ok("rm -rf .dvc/cache")
    storage = Path(json.loads(repo.ok("git cpv storage show --json"))["url"])
    for item in storage.rglob("*"):
        if item.is_file() and item.read_bytes() == b"weights 1":
            item.chmod(0o644)
            item.write_bytes(b"weightsX1")
    said = repo.fails("git cpv revert v0.1")
    assert "is damaged" in said
    assert repo.read("model.bin") == "weights 3"


def test_no_commit_stages(repo: Shell) -> None:
    head = repo.git("rev-parse", "HEAD")
    repo.ok("git cpv revert --no-commit v0.1")
    assert repo.git("rev-parse", "HEAD") == head
    assert repo.git("diff", "--cached", "--name-only").splitlines() == ["checkpoint.json", "model.bin.dvc"]
    assert repo.read("model.bin") == "weights 1"


def test_branch_leaves_the_worktree_alone(repo: Shell) -> None:
    repo.ok("git cpv revert --branch hotfix v0.1")
    assert repo.read("model.bin") == "weights 3"
    assert repo.git("log", "-1", "--format=%s", "hotfix") == "Revert model to v0.1"
    assert repo.git("show", "hotfix:model.bin.dvc") == repo.git("show", "v0.1:model.bin.dvc")


def test_a_revert_that_fails_halfway_says_how_to_go_on(repo: Shell) -> None:
    lock = repo.write(".git/refs/heads/main.lock", "")
    before = repo.read("model.bin")
    refused = repo.fails("git cpv revert v0.1")
    assert refused.endswith("; then git cpv revert --continue, or git cpv revert --abort"), refused
    lock.unlink()
    repo.ok("git cpv revert --abort")
    assert repo.read("model.bin") == before


@pytest.mark.parametrize(("way", "then"), [("--continue", "weights 1"), ("--abort", "weights 3")])
def test_what_was_changed_amid_a_revert_is_kept_where_its_end_is_forced(
    repo: Shell, way: str, then: str
) -> None:
    lock = repo.write(".git/refs/heads/main.lock", "")
    repo.fails("git cpv revert v0.1")
    lock.unlink()
    repo.write("model.bin", "my own weights")
    refused = repo.fails(f"git cpv revert {way}")
    assert "--force keeps a copy aside and goes on" in refused
    assert repo.read("model.bin") == "my own weights"
    said = repo.run(f"git cpv revert {way} --force").err
    assert repo.read("model.bin") == then
    place = re.search(r"^your own files are kept in (.*)$", said, re.MULTILINE)
    assert place, said
    assert (Path(place[1]) / "model.bin").read_text() == "my own weights"


def test_a_branch_that_has_the_version_already(repo: Shell) -> None:
    repo.ok("git cpv revert -q --branch prod v0.1")
    tip = repo.git("rev-parse", "prod")
    assert repo.fails("git cpv revert --branch prod v0.1", 1).startswith("this is v0.1")
    assert repo.git("rev-parse", "prod") == tip


def test_detach_checks_the_version_out_whole(repo: Shell) -> None:
    done = repo.run("git cpv revert --detach v0.1")
    assert done.code == 0, str(done)
    assert repo.git("rev-parse", "HEAD") == repo.git("rev-parse", "v0.1^{commit}")
    assert (repo.read("model.bin"), repo.read("data/train/a.txt")) == ("weights 1", "data 1\n")
    repo.ok("git switch -q main && git cpv pull")
    assert (repo.read("model.bin"), repo.read("data/train/a.txt")) == ("weights 3", "data 2\n")


def test_detach_tells_where_it_keeps_what_was_changed(repo: Shell) -> None:
    repo.write("model.bin", "my own weights")
    repo.fails("git cpv revert --detach v0.1")
    told = json.loads(repo.ok("git cpv revert --detach v0.1 --force --json"))
    assert (Path(told["kept"]) / "model.bin").read_text() == "my own weights"


def test_push_publishes(repo: Shell) -> None:
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    done = repo.run("git cpv revert --push v0.1")
    assert done.err.endswith(
        "published to origin\nversions published: v0.1, v0.2, v0.3, data/v0.1, data/v0.2\n"
    ), str(done)
    assert repo.git("ls-remote", "origin", "main").split()[0] == repo.git("rev-parse", "HEAD")


def test_dry_run_changes_nothing(repo: Shell) -> None:
    before, head = repo.files(), repo.git("rev-parse", "HEAD")
    assert repo.ok("git cpv revert -n v0.1") == (
        "would bring back model.bin\nwould commit: Revert model to v0.1"
    )
    assert (repo.files(), repo.git("rev-parse", "HEAD")) == (before, head)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("v0.9", "error: no model version or revision 'v0.9'\nhint: nearest: "),
        ("v1", "error: no model version or revision 'v1'\nhint: nearest: "),
        ("-- --force", "error: no model version or revision '--force'\n"),
        ("nonsense", "error: no model version or revision 'nonsense'\nhint: git cpv list shows the versions"),
    ],
)
def test_unknown_versions(repo: Shell, version: str, said: str) -> None:
    assert repo.fails(f"git cpv revert {version}").startswith(said)


def test_outs_that_the_version_did_not_have_go_and_come_back(repo: Shell) -> None:
    repo.write("tokenizer.json", "{}")
    repo.ok("git cpv track -q tokenizer.json && git cpv push -q --metric loss=0.05 && git cpv tag -q")
    repo.ok("git cpv revert v0.3")
    assert not (repo.cwd / "tokenizer.json").exists()
    assert not (repo.cwd / "tokenizer.json.dvc").exists()
    assert "tokenizer.json" not in repo.read(".cpvconfig")
    assert repo.git("status", "--short") == ""
    repo.ok("git cpv revert v0.4")
    assert repo.read("tokenizer.json") == "{}"
    assert "nothing to push" in repo.ok("git cpv status")


def test_refused_while_a_merge_is_unfinished(repo: Shell) -> None:
    repo.ok(
        "git switch -qc side HEAD~1 && git commit -q --allow-empty -m side && git merge -q "
        "--no-commit --no-ff main"
    )
    said = repo.fails("git cpv revert v0.1")
    assert said == "error: a merge is not finished here\nhint: git merge --continue, or git merge --abort"
