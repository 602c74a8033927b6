"""tag: numbers, refusals, both series, pending versions and their publication."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """A repository whose first model and data are pushed; there is no git remote."""
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo", GIT_COMMITTER_DATE="2026-03-01T12:00:00+0200")
    push(repo, "weights 1", "baseline", "--metric loss=0.245 --param lr=0.1")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo", GIT_COMMITTER_DATE="2026-03-01T12:00:00+0200")


def push(repo: Shell, model: str, message: str, options: str = "--metric loss=0.2") -> None:
    repo.write("model.bin", model)
    repo.ok(f"git cpv push -q -m '{message}' {options}")


def refs(repo: Shell) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)", "refs/tags", "refs/cpv").split()


def test_the_first_version(repo: Shell) -> None:
    done = repo.run("git cpv tag")
    assert (done.code, done.out) == (0, "v0.1\n")
    assert done.masked.err == "v0.1 names <id>; no git remote\n"
    assert refs(repo) == ["refs/cpv/pending/v0.1", "refs/tags/v0.1"]
    assert repo.git("rev-parse", "v0.1^{commit}") == repo.git("rev-parse", "HEAD")
    message = repo.git("for-each-ref", "--format=%(contents)", "refs/tags/v0.1")
    code = repo.git("rev-parse", "HEAD^")
    data = repo.read("data.dvc").split()[3]
    nonce = message.split()[-1]
    assert message == (
        "baseline\n\n"
        "Cpv-Version: v0.1\n"
        "Cpv-Out: model.bin md5=fdd830aff05f4fbfdc76b43a77050d13 size=9\n"
        'Cpv-Metrics: {"loss":0.245}\n'
        'Cpv-Params: {"lr":0.1}\n'
        f"Cpv-Code: {code}\n"
        f"Cpv-Data: md5={data}\n"
        f"Cpv-Nonce: {nonce}"
    )
    assert len(nonce) == 16


def test_numbers_count_on(repo: Shell) -> None:
    assert repo.ok("git cpv tag v0.9") == "v0.9"
    push(repo, "weights 2", "second")
    assert repo.ok("git cpv tag -n") == "v0.10"
    assert repo.ok("git cpv tag") == "v0.10"
    push(repo, "weights 3", "third")
    assert repo.ok("git cpv tag --major") == "v1.0"
    push(repo, "weights 4", "fourth")
    assert repo.ok("git cpv tag") == "v1.1"


def test_numbers_are_unique_over_all_branches(repo: Shell) -> None:
    repo.git("switch", "-q", "-c", "side")
    push(repo, "weights 2", "aside")
    assert repo.ok("git cpv tag") == "v0.1"
    repo.git("switch", "-q", "main")
    repo.ok("git cpv pull -q")
    assert repo.ok("git cpv tag") == "v0.2"


def test_the_same_objects_have_a_version_already(repo: Shell) -> None:
    repo.ok("git cpv tag")
    repo.git("commit", "-q", "--allow-empty", "-m", "unrelated")
    before = refs(repo)
    again = repo.run("git cpv tag")
    assert (again.code, again.out) == (1, "")
    assert again.err == "already v0.1\nhint: git cpv tag --force names it again\n"
    assert repo.fails("git cpv tag v0.7", 1).startswith("already v0.1\n")
    assert refs(repo) == before
    assert repo.ok("git cpv tag --force") == "v0.2"


def test_an_unpushed_change_is_pointed_out(repo: Shell) -> None:
    repo.write("model.bin", "weights 2")
    done = repo.run("git cpv tag")
    assert (done.code, done.out) == (0, "v0.1\n")
    assert done.err.splitlines()[1] == (
        "note: 'model.bin' changed since; v0.1 names what is committed, and git cpv push records the change"
    )
    assert "md5=fdd830aff05f4fbfdc76b43a77050d13" in repo.git("cat-file", "tag", "v0.1")
    assert repo.fails("git cpv tag", 1) == (
        "already v0.1\nhint: 'model.bin' changed since: git cpv push, then git cpv tag"
    )


def test_a_message_is_taken_as_git_takes_it(repo: Shell) -> None:
    repo.ok(["git", "cpv", "tag", "-m", "first", "-m", "Trained overnight."])
    assert repo.git("tag", "-n9", "-l", "v0.1").splitlines()[:3] == [
        "v0.1            first",
        "    ",
        "    Trained overnight.",
    ]
    repo.write("notes.txt", "from a file\n\nCpv-Version: v9.9\n")
    assert repo.ok("git cpv tag -f -F notes.txt") == "v0.2"
    assert repo.ok("git cpv tag -f -F -", stdin="from a pipe\n") == "v0.3"
    assert repo.ok("git cpv tag -f -m ''") == "v0.4"
    texts = repo.ok("git cpv list --format '%(version)|%(message)'")
    assert texts.split("\n\n")[0] == "v0.4|\nv0.3|from a pipe\nv0.2|from a file"
    missing = repo.fails("git cpv tag -f -F absent.txt")
    assert missing == "error: cannot read 'absent.txt': no such file or directory\nhint: `-F -` reads stdin"
    assert "exclude one another" in repo.fails("git cpv tag -m x -F notes.txt", 129)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("1.7", "v1.7"),
        ("V1.7", "v1.7"),
        ("v3", "v3.0"),
        ("v03.7", "v3.7"),
        ("v0", "v0.0"),
        ("v1.0.3", "v1.0"),
        ("v1.0-rc", "v1.0"),
        ("latest", "v1.2"),
        ("main", "v1.2"),
        ("data/1.7", "v1.2"),
        ("", "v1.2"),
        ("v12345678901.0", "v1.2"),
    ],
)
def test_a_malformed_number_is_wrong_usage(repo: Shell, word: str, meant: str) -> None:
    error = repo.fails(["git", "cpv", "tag", word], 129)
    assert error == f"error: '{word}' is not a version\nhint: type it as in: git cpv tag {meant}"


def test_a_number_that_looks_like_an_option(repo: Shell) -> None:
    assert repo.fails("git cpv tag -- --force", 129).startswith("error: '--force' is not a version\n")
    assert refs(repo) == []


def test_a_typed_number_that_is_taken(repo: Shell) -> None:
    repo.ok("git cpv tag v0.4")
    push(repo, "weights 2", "second")
    error = repo.fails("git cpv tag v0.4")
    assert error == "error: tag 'v0.4' exists already\nhint: the next free number is v0.5"
    assert repo.fails("git cpv tag --major v0.6", 129).startswith("error: --major finds the number")
    assert "refs/cpv/typed/v0.4" in refs(repo)


def test_data_versions_count_for_themselves(repo: Shell) -> None:
    assert repo.ok("git cpv tag") == "v0.1"
    assert repo.ok("git cpv tag --data") == "v0.1"
    assert repo.fails("git cpv tag --data", 1).startswith("already data/v0.1\n")
    repo.write("data/train/new.csv", "1,2\n")
    repo.ok("git cpv push -q --data")
    assert repo.fails("git cpv tag", 1).startswith("already v0.1\n")
    assert repo.ok("git cpv tag data/v0.7") == "v0.7"
    assert "data version" in repo.fails("git cpv tag --model data/v0.8", 129)
    message = repo.git("for-each-ref", "--format=%(contents)", "refs/tags/data/v0.7")
    assert "Cpv-Out: data md5=" in message and "Cpv-Metrics" not in message


def test_a_combined_version_has_one_number_free_in_both(repo: Shell) -> None:
    repo.ok("git cpv tag --data v0.6")
    done = repo.run("git cpv tag --combined")
    assert (done.code, done.out) == (0, "v0.7\n")
    assert done.masked.err == "v0.7 and data/v0.7 name <id>; no git remote\n"
    model = repo.git("cat-file", "tag", "v0.7")
    data = repo.git("cat-file", "tag", "data/v0.7")
    assert "\nCpv-With: data/v0.7\n" in model and "\nCpv-With: v0.7\n" in data
    assert next(line for line in model.splitlines() if line.startswith("Cpv-Data")).endswith(" version=v0.7")
    assert repo.git("rev-parse", "v0.7^{commit}") == repo.git("rev-parse", "data/v0.7^{commit}")
    assert repo.fails("git cpv tag --combined", 1).startswith("already v0.7 and data/v0.7\n")
    push(repo, "weights 2", "only the model")
    assert repo.ok("git cpv tag --combined") == "v0.8"


def test_a_model_version_tells_the_data_version_that_came_after_the_push(repo: Shell) -> None:
    repo.ok("git cpv tag --data v0.3")
    repo.ok("git cpv tag")
    shown = json.loads(repo.ok("git cpv show v0.1 --json"))
    assert shown["data"]["version"] == "v0.3"


def test_what_is_not_committed_has_no_version(shell: Shell) -> None:
    assert shell.fails("git cpv tag").startswith("error: ")
    shell.ok("git cpv init -q --team t --model m repo")
    repo = shell.at("repo")
    assert repo.fails("git cpv tag") == "error: no model is committed here yet\nhint: git cpv push --model"
    empty = shell.at("empty")
    shell.git("init", "-q", "empty")
    assert empty.fails("git cpv tag").endswith("\nhint: git cpv init")


def test_no_commit_yet(shell: Shell) -> None:
    shell.ok("git cpv init -q --no-commit --team t --model m repo")
    error = shell.at("repo").fails("git cpv tag")
    assert error == "error: there is no commit yet, so no checkpoint to name\nhint: git cpv push"


def test_a_version_names_only_what_somebody_can_get(repo: Shell) -> None:
    shutil.rmtree(repo.cwd / ".dvc/cache")
    assert repo.ok("git cpv tag") == "v0.1", "the storage is known to have it"
    for record in (repo.cwd / ".git/cpv").glob("confirmed*"):
        record.unlink()
    error = repo.fails("git cpv tag --force")
    assert error == (
        "error: cannot name this checkpoint: 1 object, 'fdd830aff05f4fbfdc76b43a77050d13' among them, is "
        "neither in the cache nor confirmed at the storage\n"
        "hint: git cpv push, where the files are, or git cpv pull, where the storage has them"
    )


def test_a_damaged_cache_object_is_not_taken_for_the_model(repo: Shell) -> None:
    cached = repo.cwd / ".dvc/cache/files/md5/fd/d830aff05f4fbfdc76b43a77050d13"
    cached.chmod(0o644)
    cached.write_bytes(b"weights X")
    cached.chmod(0o444)
    for record in (repo.cwd / ".git/cpv").glob("confirmed*"):
        record.unlink()
    assert "neither in the cache nor confirmed" in repo.fails("git cpv tag")


def test_tags_of_the_code_are_left_alone(repo: Shell) -> None:
    first = repo.git("rev-list", "--max-parents=0", "HEAD")
    repo.git("tag", "v3.7", first)
    repo.git("tag", "-a", "-m", "code", "v0.1", first)
    assert repo.ok("git cpv list") == ""
    assert repo.fails("git cpv tag v3.7").startswith("error: tag 'v3.7' exists already\n")
    assert repo.ok("git cpv tag") == "v0.2", "v0.1 is in the way"


def test_a_tag_by_hand_counts_where_its_commit_has_pointers(repo: Shell) -> None:
    repo.git("tag", "-a", "-m", "by hand", "v1.4")
    assert repo.ok("git cpv tag") == "v1.5"
    assert [line.split()[0] for line in repo.ok("git cpv list").splitlines()] == ["v1.5", "v1.4"]


def test_a_prefix_stands_before_both_series(repo: Shell) -> None:
    repo.git("config", "cpv.tagPrefix", "ckpt-")
    repo.git("tag", "v3.7")
    assert repo.ok("git cpv tag --combined") == "v0.1"
    assert repo.git("tag").split() == ["ckpt-data/v0.1", "ckpt-v0.1", "v3.7"]
    assert json.loads(repo.ok("git cpv show v0.1 --json"))["tag"] == "ckpt-v0.1"
    assert json.loads(repo.ok("git cpv show ckpt-data/v0.1 --json"))["tag"] == "ckpt-data/v0.1"


def test_a_pending_version_can_be_deleted(repo: Shell) -> None:
    repo.ok("git cpv tag v0.3")
    done = repo.run("git cpv tag -d v0.3")
    assert (done.code, done.out, done.err) == (0, "", "deleted v0.3\n")
    assert refs(repo) == []
    repo.ok("git cpv tag --combined")
    assert repo.run("git cpv tag -n -d v0.1").err == "would delete v0.1 and data/v0.1\n"
    assert repo.run("git cpv tag -d v0.1").err == "deleted v0.1 and data/v0.1\n"
    assert refs(repo) == []
    assert repo.fails("git cpv tag -d v0.1").startswith("error: no version or revision 'v0.1'\n")
    error = repo.fails("git cpv tag -d main")
    assert error == "error: 'main' is not the number of a version\nhint: git cpv tag -d v1.2"
    assert repo.fails("git cpv tag -d", 129).endswith("\nhint: git cpv tag -d v1.2")


def test_a_published_version_never_moves(repo: Shell, tmp_path: Path) -> None:
    repo.git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    repo.ok("git cpv tag")
    repo.ok("git cpv push -q")
    assert refs(repo) == ["refs/tags/v0.1"]
    error = repo.fails("git cpv tag -d v0.1")
    assert error.startswith("error: 'v0.1' is published")
    assert refs(repo) == ["refs/tags/v0.1"]


def test_a_pruned_version_is_still_there_and_comes_back(repo: Shell) -> None:
    repo.ok("git cpv tag")
    tag = repo.git("rev-parse", "v0.1")
    repo.git("tag", "-d", "v0.1")
    assert repo.ok("git cpv list").startswith("v0.1 ")
    assert repo.fails("git cpv tag", 1).startswith("already v0.1\n")
    push(repo, "weights 2", "second")
    assert repo.ok("git cpv tag") == "v0.2"
    assert repo.git("rev-parse", "v0.1") == tag
    repo.git("tag", "-d", "v0.2")
    repo.ok("git cpv tag -d v0.2")
    assert refs(repo) == ["refs/cpv/pending/v0.1", "refs/tags/v0.1"]


def test_publishing_at_once(repo: Shell, tmp_path: Path) -> None:
    done = repo.run("git cpv tag --push")
    assert (done.code, done.out) == (0, "v0.1\n")
    assert done.masked.err == "v0.1 names <id>; there is no git remote to publish to\n"
    hub = str(tmp_path / "hub.git")
    repo.git("init", "-q", "--bare", hub)
    repo.git("remote", "add", "origin", hub)
    repo.ok("git cpv push -q")
    push(repo, "weights 2", "second")
    done = repo.run("git cpv tag --combined --push")
    assert (done.code, done.out) == (0, "v0.2\n")
    assert done.err == "v0.2 and data/v0.2 published to origin\n"
    assert repo.git("ls-remote", hub, "refs/tags/*v0.2").count("refs/tags/") == 2
    assert repo.ok("git cpv list --format '%(tag) %(pending)'") == "v0.2 \nv0.1 \ndata/v0.2 "


def test_a_lost_race_gives_the_next_number(repo: Shell, tmp_path: Path) -> None:
    hub = str(tmp_path / "hub.git")
    repo.git("init", "-q", "--bare", hub)
    repo.git("remote", "add", "origin", hub)
    repo.ok("git cpv push -q")
    other = repo.at("../other")
    repo.ok(["git", "cpv", "clone", "-q", hub, "../other"])
    push(other, "weights of Bob", "bob")
    assert other.ok("git cpv tag --push") == "v0.1"
    repo.git("switch", "-q", "-c", "mine")
    push(repo, "weights of Ada", "ada")
    done = repo.run("git cpv tag --push")
    assert (done.code, done.out) == (0, "v0.2\n")
    assert "v0.1 is now v0.2: the number was taken at origin in the meantime\n" in done.err
    winner = repo.git("rev-parse", "v0.1^{commit}")
    assert winner == other.git("rev-parse", "HEAD")


def test_several_at_once_get_a_number_each(repo: Shell) -> None:
    told = repo.ok("for _ in 1 2 3 4; do git cpv tag --combined -f & done; wait").split()
    assert sorted(told) == ["v0.1", "v0.2", "v0.3", "v0.4"]
    made = [ref for ref in refs(repo) if not ref.startswith("refs/cpv/again/")]
    assert len(made) == 16


def test_a_dry_run_changes_nothing(repo: Shell) -> None:
    done = repo.run("git cpv tag --dry-run --combined")
    assert (done.code, done.out) == (0, "v0.1\n")
    assert refs(repo) == []


def test_json_tells_the_same(repo: Shell) -> None:
    told = json.loads(repo.ok("git cpv tag --combined --json"))
    commit = repo.git("rev-parse", "HEAD")
    assert told == {
        "schema": 1,
        "version": "v0.1",
        "commit": commit,
        "tags": [
            {"tag": "v0.1", "series": "model", "version": "v0.1", "pending": True},
            {"tag": "data/v0.1", "series": "data", "version": "v0.1", "pending": True},
        ],
    }
    assert json.loads(repo.ok("git cpv tag -d v0.1 --json"))["deleted"] == ["v0.1", "data/v0.1"]


def test_from_anywhere(repo: Shell) -> None:
    assert repo.at("data/train").ok("git cpv tag") == "v0.1"
    repo.git("switch", "-q", "--detach")
    assert repo.ok("git cpv tag -f") == "v0.2"
    repo.git("worktree", "add", "-q", "-b", "linked", "../linked tree")
    assert repo.at("../linked tree").ok("git cpv tag -f") == "v0.3"
    elsewhere = repo.at("..")
    assert elsewhere.ok(f"git -C '{repo.cwd}' cpv tag -f") == "v0.4"
    assert elsewhere.ok("git -C repo cpv tag -f", GIT_DIR="/nonexistent") == "v0.5"


def test_the_users_own_identity_is_needed(repo: Shell) -> None:
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    error = repo.fails("git cpv tag")
    assert error.startswith("error: git var failed: ") and "hint: git config --global user." in error
    assert refs(repo) == []


def test_tag_l_is_list(repo: Shell) -> None:
    repo.ok("git cpv tag --combined")
    assert repo.ok("git cpv tag -l") == repo.ok("git cpv list")
    assert repo.ok("git cpv tag --list --data") == repo.ok("git cpv list --data")
