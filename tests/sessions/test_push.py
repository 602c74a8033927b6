"""push: what it records, what it stores, what it refuses, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from shell import Shell


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def pointer(content: bytes) -> str:
    return f"outs:\n- md5: {md5(content)}\n  size: {len(content)}\n  hash: md5\n  path: model.bin\n"


@pytest.fixture
def repo(shell: Shell) -> Shell:
    """A new repository with a first model, a data folder, and nothing pushed yet."""
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo")
    repo.write("model.bin", b"weights 1")
    repo.write("data/train/a.txt", "one\n")
    repo.write("data/test/b.txt", "two\n")
    return repo


def storage_of(shell: Shell) -> Path:
    return Path(os.environ["HOME"]) / ".local/share/cpv/storage/AI-Convo/whisper"


def stored(shell: Shell, oid: str) -> bytes:
    return (storage_of(shell) / "files/md5" / oid[:2] / oid[2:]).read_bytes()


def test_first_push_stores_commits_and_says_so(repo: Shell) -> None:
    done = repo.run("git cpv push -m baseline --metric loss=0.245")
    assert done.code == 0, str(done)
    assert done.out == repo.git("rev-parse", "HEAD") + "\n"
    assert done.err.startswith("model: 1 file, 9 B; data: ")
    assert " stored and confirmed (" in done.err
    assert done.masked.err.endswith("s); [main <id>] baseline; no git remote\n")
    assert repo.read("model.bin.dvc") == pointer(b"weights 1")
    assert stored(repo, md5(b"weights 1")) == b"weights 1"
    assert sorted(repo.git("show", "--name-only", "--format=", "HEAD").splitlines()) == [
        "checkpoint.json",
        "data.dvc",
        "metrics.log.dvc",
        "model.bin.dvc",
    ]
    facts = json.loads(repo.read("checkpoint.json"))
    assert facts["metrics"] == {"loss": 0.245}
    assert facts["code"]["commit"] == repo.git("rev-parse", "HEAD^")
    assert repo.git("status", "--short") == ""


def test_nothing_changed_says_so_and_commits_nothing(repo: Shell) -> None:
    repo.ok("git cpv push")
    head = repo.git("rev-parse", "HEAD")
    done = repo.run("git cpv push")
    assert (done.code, done.out, done.err) == (0, f"{head}\n", "everything is up to date; no git remote\n")
    assert repo.git("rev-parse", "HEAD") == head


def test_the_users_file_is_never_touched(repo: Shell) -> None:
    file = repo.cwd / "model.bin"
    before = file.stat()
    repo.ok("git cpv push")
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode, after.st_nlink) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_mode,
        1,
    )


def test_staged_and_unfinished_work_stays_as_it_was(repo: Shell) -> None:
    repo.write("staged.py", "print('staged')\n")
    repo.git("add", "staged.py")
    repo.write("README.md", "unfinished\n")
    repo.write(".gitignore", repo.read(".gitignore") + "# unfinished\n")
    repo.write("untracked.txt", "mine\n")
    before = repo.git("status", "--porcelain")
    ignored = repo.read(".gitignore")
    repo.ok("git cpv push")
    assert repo.git("status", "--porcelain") == before
    assert repo.read(".gitignore") == ignored
    assert "staged.py" not in repo.git("ls-tree", "-r", "--name-only", "HEAD").splitlines()


def test_a_also_commits_tracked_code(repo: Shell) -> None:
    repo.write("train.py", "print('tuned')\n")
    repo.ok("git cpv push -a -m tuned")
    assert repo.git("show", "HEAD:train.py") == "print('tuned')"
    assert json.loads(repo.read("checkpoint.json"))["code"]["uncommitted"] == []


def test_uncommitted_code_is_one_warning_and_is_named(repo: Shell) -> None:
    repo.write("train.py", "print('tuned')\n")
    done = repo.run("git cpv push --metric loss=1")
    assert "warning: uncommitted code is not in this checkpoint: train.py (-a commits it too)\n" in done.err
    assert json.loads(repo.read("checkpoint.json"))["code"]["uncommitted"] == ["train.py"]


def test_metrics_come_from_the_log_that_the_training_appended(repo: Shell) -> None:
    repo.write("metrics.log", '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.4}\n')
    repo.ok("git cpv push")
    assert json.loads(repo.read("checkpoint.json"))["metrics"] == {"epoch": 2, "loss": 0.4}
    lines = repo.read("metrics.log").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[2])["model"] == {"model.bin": md5(b"weights 1")}


def test_numbers_are_not_carried_over_to_another_model(repo: Shell) -> None:
    repo.ok("git cpv push --metric loss=0.5 --param lr=0.1")
    repo.write("model.bin", b"weights 2")
    done = repo.run("git cpv push")
    assert "warning: no metrics were given for this model (--metric loss=0.2)\n" in done.err
    facts = json.loads(repo.read("checkpoint.json"))
    assert (facts["metrics"], facts["params"]) == ({}, {})


def test_metrics_can_be_added_to_the_same_model_later(repo: Shell) -> None:
    repo.ok("git cpv push --metric loss=0.5")
    repo.write("eval.json", '{"eval": {"accuracy": 0.9}}')
    repo.ok("git cpv push --metrics eval.json")
    assert json.loads(repo.read("checkpoint.json"))["metrics"] == {"eval.accuracy": 0.9, "loss": 0.5}


def test_from_takes_a_checkpoint_where_it_lies(repo: Shell) -> None:
    repo.ok("git cpv push")
    repo.write("checkpoints/epoch_12/model.bin", b"weights 12")
    repo.ok("git cpv push --from checkpoints/epoch_12 --metric loss=0.1")
    assert md5(b"weights 12") in repo.read("model.bin.dvc")
    assert stored(repo, md5(b"weights 12")) == b"weights 12"
    assert repo.read("model.bin") == "weights 1"
    assert "behind" in repo.ok("git cpv status")
    repo.ok("git cpv pull")
    assert repo.read("model.bin") == "weights 12"


def test_a_folder_of_shards_is_one_out(shell: Shell) -> None:
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.ok("git cpv untrack -q model.bin && git cpv track -q checkpoint")
    repo.write("checkpoint/model-00001-of-00002.safetensors", b"one")
    repo.write("checkpoint/model-00002-of-00002.safetensors", b"two")
    repo.write("checkpoint/config.json", "{}")
    done = repo.run("git cpv push --metric loss=1")
    assert done.code == 0, str(done)
    assert done.err.startswith("model: 3 files, 8 B; ")
    assert "nfiles: 3" in repo.read("checkpoint.dvc")


def test_branch_commits_without_switching(repo: Shell) -> None:
    repo.ok("git cpv push")
    head = repo.git("rev-parse", "HEAD")
    repo.write("model.bin", b"weights 2")
    commit = repo.ok("git cpv push --branch experiment")
    assert repo.git("rev-parse", "experiment") == commit
    assert (repo.git("rev-parse", "HEAD"), repo.git("branch", "--show-current")) == (head, "main")
    assert md5(b"weights 2") in repo.git("show", "experiment:model.bin.dvc")
    assert md5(b"weights 1") in repo.read("model.bin.dvc")


def test_dry_run_changes_nothing(repo: Shell) -> None:
    before = repo.files()
    said = repo.ok("git cpv push --model -n -m baseline")
    assert said == (
        "would record model.bin: 1 file, 9 B\nwould send 9 B\n"
        "would commit to main: baseline\nwould publish nothing: there is no git remote"
    )
    assert repo.files() == before
    assert not list(storage_of(repo).rglob("*"))


def test_json_tells_the_same_facts(repo: Shell) -> None:
    facts = json.loads(repo.ok("git cpv push --json --metric loss=1"))
    assert facts["schema"] == 1
    assert facts["commit"] == repo.git("rev-parse", "HEAD")
    assert facts["created"] is True
    assert {c["path"]: c["md5"] for c in facts["changes"]}["model.bin"] == md5(b"weights 1")


def test_publishes_to_a_bare_repository_with_its_pending_versions(repo: Shell) -> None:
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.ok("git cpv push --metric loss=1")
    assert repo.git("rev-parse", "origin/main") == repo.git("rev-parse", "HEAD")
    assert repo.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main"
    assert repo.ok("git cpv tag") == "v0.1"
    assert repo.git("ls-remote", "--tags", "origin") == ""
    done = repo.run("git cpv push")
    assert done.err == "published to origin\nversions published: v0.1\n"
    assert "refs/tags/v0.1" in repo.git("ls-remote", "--tags", "origin")
    assert repo.git("for-each-ref", "refs/cpv/pending") == ""


def test_moved_remote_stops_and_says_who(repo: Shell) -> None:
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.ok("git cpv push")
    repo.ok("git cpv clone -q ../origin.git ../other")
    other = repo.at("../other")
    other.write("model.bin", b"theirs")
    other.ok("git -c user.name=Ben cpv push -m 'tuned by Ben'", GIT_AUTHOR_NAME="Ben")
    repo.write("data/train/c.txt", "three\n")
    said = repo.fails("git cpv push")
    assert "error: 'main' has moved on at 'origin' (Ben: tuned by Ben)" in said
    assert "\nhint: " in said
    assert repo.git("ls-remote", "origin", "main").split()[0] == other.git("rev-parse", "HEAD")


def test_behind_is_not_changed(repo: Shell) -> None:
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.ok("git cpv push")
    repo.ok("git cpv clone -q ../origin.git ../other")
    other = repo.at("../other")
    other.write("model.bin", b"weights 2")
    other.ok("git cpv push")
    repo.git("pull", "-q")
    assert repo.fails("git cpv push") == (
        "error: 'model.bin' is behind its pointer: a newer one was committed, "
        "and the file is still the old one\n"
        "hint: git cpv pull"
    )
    repo.ok("git cpv pull")
    assert repo.read("model.bin") == "weights 2"
    assert "everything is up to date" in repo.run("git cpv push").err


def test_behind_is_told_without_any_record(repo: Shell) -> None:
    """A repository that plain git and DVC brought here has no base: the history tells."""
    repo.ok("git cpv push")
    repo.write("model.bin", b"weights 2")
    repo.ok("git cpv push")
    repo.write("model.bin", b"weights 1")
    (repo.cwd / ".git/cpv/bases.json").unlink()
    assert "'model.bin' is behind its pointer" in repo.fails("git cpv push")


def test_changed_on_both_sides_is_a_conflict_by_name(repo: Shell) -> None:
    repo.ok("git cpv push")
    repo.ok("git switch -qc other")
    repo.write("model.bin", b"weights 2")
    repo.ok("git cpv push")
    repo.write("model.bin", b"mine")
    repo.ok("git switch -q main")
    said = repo.fails("git cpv push")
    assert said.startswith("error: 'model.bin' changed here, and so did its pointer\nhint: ")
    repo.ok("git cpv push --force")
    assert md5(b"mine") in repo.git("show", "main:model.bin.dvc")


def test_what_dvc_added_but_nobody_committed_is_committed(repo: Shell) -> None:
    repo.ok("git cpv push")
    new = b"added by dvc"
    repo.write("model.bin", new)
    repo.write("model.bin.dvc", pointer(new))
    repo.ok("git cpv push --metric loss=1")
    assert md5(new) in repo.git("show", "HEAD:model.bin.dvc")
    assert stored(repo, md5(new)) == new


@pytest.mark.parametrize("mode", ["auto", "copy", "none"])
def test_cache_modes(repo: Shell, mode: str) -> None:
    repo.git("config", "cpv.cache", mode)
    repo.ok("git cpv push")
    assert stored(repo, md5(b"weights 1")) == b"weights 1"
    cached = repo.cwd / ".dvc/cache/files/md5" / md5(b"weights 1")[:2] / md5(b"weights 1")[2:]
    assert cached.exists() is (mode != "none")
    if cached.exists():
        assert not cached.samefile(repo.cwd / "model.bin")


def test_objects_go_before_refs(repo: Shell) -> None:
    """Storage refuses: nothing is committed, nothing is published, and the same command heals."""
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    place = storage_of(repo)
    place.rmdir()
    place.write_bytes(b"a file is in the way")
    head = repo.git("rev-parse", "HEAD")
    assert "error: cannot write 'files/md5/" in repo.fails("git cpv push")
    assert repo.git("rev-parse", "HEAD") == head
    assert repo.git("ls-remote", "origin") == ""
    assert repo.git("status", "--short") == ""
    place.unlink()
    repo.ok("git cpv push")
    assert stored(repo, md5(b"weights 1")) == b"weights 1"


def test_objects_of_commits_in_between_are_stored_too(repo: Shell) -> None:
    """Commits that plain git made name objects as well, and are published with the branch."""
    repo.ok("git cpv push")
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    old = b"in between"
    cached = repo.cwd / ".dvc/cache/files/md5" / md5(old)[:2] / md5(old)[2:]
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(old)
    today = repo.read("model.bin.dvc")
    repo.write("model.bin.dvc", pointer(old))
    repo.git("commit", "-qam", "in between")
    repo.write("model.bin.dvc", today)
    repo.git("commit", "-qam", "and back")
    repo.ok("git cpv push")
    assert stored(repo, md5(old)) == old


def test_an_object_that_is_nowhere_stops_the_push(repo: Shell) -> None:
    repo.ok("git cpv push")
    repo.git("init", "-q", "--bare", "../origin.git")
    repo.git("remote", "add", "origin", "../origin.git")
    today = repo.read("model.bin.dvc")
    repo.write("model.bin.dvc", today.replace(md5(b"weights 1"), "ab" * 16))
    repo.git("commit", "-qam", "names nothing")
    repo.write("model.bin.dvc", today)
    repo.git("commit", "-qam", "and back")
    said = repo.fails("git cpv push")
    assert "'abababababababababababababababab'" in said
    assert repo.git("ls-remote", "origin") == ""


def test_files_that_storage_has_need_not_be_in_the_cache(repo: Shell) -> None:
    for name in ("a", "b"):
        repo.write(f"data/{name}.txt", name)
    repo.ok("git cpv push -q")
    repo.ok("git cpv status")  # the files are old enough by now for their stats to be relied on
    repo.ok("rm -rf .dvc/cache/files/md5/" + md5(b"a")[:2])
    repo.write("data/b.txt", "new")

    assert "2 objects stored and confirmed" in repo.run("git cpv push").err
    assert not (repo.cwd / ".dvc/cache/files/md5" / md5(b"a")[:2] / md5(b"a")[2:]).exists()

    (storage_of(repo) / "files/md5" / md5(b"a")[:2] / md5(b"a")[2:]).unlink()
    repo.write("data/b.txt", "newer")
    repo.ok("git cpv push -q --check")
    assert stored(repo, md5(b"a")) == b"a"


def test_a_truncated_object_at_the_storage_is_replaced(repo: Shell) -> None:
    """Plain DVC calls a folder whole when its listing is there."""
    repo.ok("git cpv push")
    whole = storage_of(repo) / "files/md5" / md5(b"one\n")[:2] / md5(b"one\n")[2:]
    whole.chmod(0o644)
    whole.write_bytes(b"on")
    repo.ok("git cpv push --check")
    assert stored(repo, md5(b"one\n")) == b"one\n"


def test_remote_elsewhere_with_storage_here_is_refused_before_hashing(repo: Shell) -> None:
    repo.git("remote", "add", "origin", "ssh://git@bitbucket.example/team/repo.git")
    said = repo.fails("git cpv push")
    assert said.startswith("error: git remote 'origin' is on another machine, but the storage is a folder of")
    assert "\nhint: " in said
    assert not (repo.cwd / "model.bin.dvc").exists()


def test_the_first_push_of_a_repository_without_commits(shell: Shell) -> None:
    shell.git("init", "-q", "repo")
    repo = shell.at("repo")
    repo.write("model.bin", b"weights 1")
    repo.ok("git cpv init -q --team T --model m --no-commit")
    repo.ok("git cpv track -q --no-commit model.bin")
    commit = repo.ok("git cpv push --metric loss=1")
    assert repo.git("rev-list", "--all") == commit
    staged = repo.git("diff", "--cached", "--name-only").splitlines()
    assert ".cpvconfig" in staged
    assert "model.bin.dvc" not in staged


def test_a_model_brought_back_by_hand_keeps_what_was_said_of_it(repo: Shell) -> None:
    repo.ok("git cpv push -q --metric loss=0.5 --param lr=0.1 && git cpv tag -q")
    facts = repo.read("checkpoint.json")
    repo.write("model.bin", b"weights 2")
    repo.ok("git cpv push -q --metric loss=0.4")
    repo.ok("git cpv revert -q --no-commit v0.1")
    done = repo.run("git cpv push")
    assert (done.code, "warning" in done.err) == (0, False), str(done)
    assert repo.read("checkpoint.json") == repo.git("show", "HEAD:checkpoint.json") + "\n" == facts
    assert repo.read("metrics.log").count("\n") == 2


def test_the_first_model_may_come_from_anywhere(shell: Shell) -> None:
    repo = shell.at("training")
    repo.write("checkpoints/epoch_12/model-00001-of-00001.safetensors", b"weights")
    repo.write("checkpoints/epoch_12/config.json", "{}\n")
    before = repo.files()
    repo.ok("git init -q && git cpv init -q --team AI-Convo --model whisper")

    plan = repo.ok("git cpv push --dry-run --from checkpoints/epoch_12")
    assert plan.startswith("would track model\nwould record model: 2 files, 10 B\n")
    assert repo.git("status", "--short") == "?? checkpoints/"

    done = repo.run("git cpv push --from checkpoints/epoch_12 --metric loss=0.2 -m baseline")
    assert done.err.startswith("'model' is now an out; git cpv pull brings it\nmodel: 2 files, 10 B; "), (
        done.err
    )
    assert repo.git("log", "--format=%s") == "baseline\nSet up CPV for AI-Convo/whisper"
    assert repo.ok("git config -f .cpvconfig cpv.model.out") == "model"
    assert before.items() <= repo.files().items()
    repo.ok("git cpv pull -q")
    assert repo.files("model") == repo.files("checkpoints/epoch_12")
    assert repo.git("status", "--short") == "?? checkpoints/"


def test_the_first_model_is_not_put_in_the_place_of_something_else(shell: Shell) -> None:
    repo = shell.at("training")
    repo.write("checkpoints/last.pt", b"weights")
    repo.write("model.pt/notes.txt", "mine\n")
    repo.ok("git init -q && git cpv init -q --team AI-Convo --model whisper")
    refused = repo.fails("git cpv push --from checkpoints/last.pt")
    assert refused == (
        "error: no out belongs to the model, and 'model.pt' holds something else\n"
        "hint: git cpv track --model PATH names one, then push again"
    )
