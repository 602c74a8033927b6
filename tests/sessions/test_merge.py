"""Two people pushed: `git cpv pull` brings the two together, and `git cpv push` publishes that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from people import Pair, clone, data, logged, logged_in_time, loss, push, push_data, settled
from shell import Shell


def test_what_each_changed_is_taken_and_the_data_merges_file_by_file(pair: Pair) -> None:
    ada, bob = pair
    push_data(bob, b=None, d="d\n")
    push(bob, "weights 2", 0.4)
    push_data(ada, a="A\n", e="e\n")
    refused = ada.run("git cpv push")
    assert refused.err == (
        "error: 'main' has moved on at 'origin' (Bob: Update model (loss=0.4); Bob: Update data)\n"
        "hint: what is committed is stored; take theirs in and publish: git cpv pull && git cpv push\n"
    )
    before = ada.files()
    assert ada.ok("git cpv pull --dry-run").splitlines() == [
        "would merge 2 commits from origin",
        "'metrics.log' and 'model.bin' as there",
        "'data' of both sides",
        "would bring data",
        "would bring metrics.log",
        "would bring model.bin",
    ]
    assert {path: ada.files()[path] for path in before} == before
    assert ada.run("git cpv pull").err == (
        "merged 2 commits from origin; 'metrics.log' and 'model.bin' as there; 'data' of both sides; "
        "'data', 'metrics.log' and 'model.bin': 4 files changed; 329 B fetched and verified\n"
    )
    assert data(ada) == {"a": "A", "c": "c", "d": "d", "e": "e"}
    assert (ada.read("model.bin"), loss(ada), logged(ada)) == ("weights 2", 0.4, [0.5, 0.4])
    assert ada.git("log", "-1", "--format=%s|%an") == "Merge branch 'main' of origin|Ada"
    assert ada.git("rev-list", "--count", "HEAD^1..HEAD^2") == "2"
    ada.ok("git cpv push -q")
    settled(ada)
    bob.ok("git cpv pull -q")
    assert (data(bob), bob.files()["data.dvc"]) == (data(ada), ada.files()["data.dvc"])
    assert "size: 8\n  nfiles: 4\n" in bob.read("data.dvc")
    settled(bob)
    assert ada.git("tag", "--list") == "v0.1"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_model_that_both_changed_is_a_conflict_that_a_side_settles(pair: Pair, side: str) -> None:
    ada, bob = pair
    push(bob, "weights b", 0.4)
    push_data(ada, d="d\n")
    push(ada, "weights a", 0.3)
    before, head = ada.files(), ada.git("rev-parse", "HEAD")
    for way in ("", " --dry-run"):
        assert ada.fails(f"git cpv pull{way}") == (
            "error: 'model.bin' changed on both sides: here and at 'origin' (Bob: Update model (loss=0.4))\n"
            "hint: git cpv pull --ours keeps what this branch has, git cpv pull --theirs takes the other's; "
            "neither is lost"
        )
        assert ada.git("rev-parse", "HEAD") == head
        assert {path: ada.files()[path] for path in before} == before
    said = json.loads(ada.ok(f"git cpv pull --json --{side}"))
    assert said["merge"]["outs"] == {"data": "ours", "metrics.log": "merged", "model.bin": side}
    assert (ada.read("model.bin"), loss(ada)) == (
        ("weights a", 0.3) if side == "ours" else ("weights b", 0.4)
    )
    assert (logged_in_time(ada), data(ada)["d"]) == ([0.3, 0.4, 0.5], "d")
    assert f"model.bin: {side}" in ada.git("log", "-1", "--format=%b")
    ada.ok("git cpv push -q")
    settled(ada)
    other = "HEAD^2" if side == "ours" else "HEAD^1"
    ada.ok(f"git cpv pull -q --model --output ../other $(git rev-parse {other})")
    assert ada.at("../other").read("model.bin") == ("weights b" if side == "ours" else "weights a")


def test_a_model_of_several_outs_is_one_thing(pair: Pair) -> None:
    ada, bob = pair
    ada.write("vocab.txt", "v1\n")
    ada.ok("git cpv track -q vocab.txt && git cpv push -q --metric loss=0.45")
    bob.ok("git cpv pull -q")
    bob.write("vocab.txt", "v2\n")
    bob.ok("git cpv push -q --metric loss=0.4")
    push(ada, "weights a", 0.3)
    assert ada.fails("git cpv pull").startswith(
        "error: 'model.bin' and 'vocab.txt' changed on both sides: here and at 'origin'"
    )
    ada.ok("git cpv pull -q --theirs && git cpv push -q")
    assert (ada.read("model.bin"), ada.read("vocab.txt"), loss(ada)) == ("weights 1", "v2\n", 0.4)
    settled(ada)


def test_a_file_of_the_data_that_both_changed_is_a_conflict_by_name(pair: Pair) -> None:
    ada, bob = pair
    push_data(bob, a="from bob\n", b=None, d="d\n")
    push_data(ada, a="from ada\n", b="more\n", e="e\n")
    assert ada.fails("git cpv pull").startswith(
        "error: 'data/a.txt' changed on both sides, 'data/b.txt' changed here and removed there: here and at "
    )
    ada.ok("git cpv pull -q --theirs")
    assert data(ada) == {"a": "from bob", "c": "c", "d": "d", "e": "e"}
    ada.ok("git cpv push -q")
    settled(ada)


def test_a_file_that_was_renamed_takes_the_others_change_along(pair: Pair) -> None:
    ada, bob = pair
    push_data(bob, a="better\n")
    ada.ok(
        "mkdir data/old && mv data/a.txt data/old/z.txt && mv data/c.txt data/sea.txt && git cpv push -q || :"
    )
    ada.ok("git cpv pull -q && git cpv push -q")
    assert data(ada) == {"old/z": "better", "b": "b", "sea": "c"}
    settled(ada)


def test_outs_come_and_go_on_both_sides(pair: Pair) -> None:
    ada, bob = pair
    for who, name in ((bob, "eval set"), (ada, "extra")):
        who.write(f"{name}/x.txt", f"{name}\n")
        who.ok(f"git cpv track -q --data '{name}'")
        who.run("git cpv push -q")
    bob.ok("git cpv untrack -q data && git cpv push -q")
    ada.ok("git cpv pull -q")
    assert ada.git("config", "-f", ".cpvconfig", "--get-all", "cpv.data.out").split("\n") == [
        "extra",
        "eval set",
    ]
    assert {"/extra", "/eval set"} <= set(ada.read(".gitignore").splitlines())
    assert ada.read("eval set/x.txt") == "eval set\n"
    assert "data.dvc" not in ada.files()
    ada.ok("rm -r data")
    ada.ok("git cpv push -q")
    settled(ada)


def test_numbers_of_one_model_merge_key_by_key(pair: Pair) -> None:
    ada, bob = pair
    bob.ok("git cpv push -q --metric wer=9")
    ada.run("git cpv push -q --metric f1=0.9")
    ada.ok("git cpv pull -q && git cpv push -q")
    assert json.loads(ada.read("checkpoint.json"))["metrics"] == {"f1": 0.9, "loss": 0.5, "wer": 9}
    settled(ada)


def test_code_that_git_can_merge_is_merged_by_git(pair: Pair) -> None:
    ada, bob = pair
    bob.write("train.py", "ONE\ntwo\nthree\n")
    push(bob, "weights 2", 0.4, "-a")
    ada.ok("git mv train.py fit.py")
    ada.write("fit.py", "one\ntwo\nTHREE\n")
    push_data(ada, d="d\n")
    ada.git("commit", "-qam", "Rename")
    ada.ok("git cpv pull -q && git cpv push -q")
    assert ada.read("fit.py") == "ONE\ntwo\nTHREE\n"
    settled(ada)


def in_code(pair: Pair) -> None:
    ada, bob = pair
    bob.write("train.py", "bob\ntwo\nthree\n")
    push(bob, "weights 2", 0.4, "-a")
    ada.write("train.py", "ada\ntwo\nthree\n")
    ada.git("commit", "-qam", "Faster")
    push_data(ada, d="d\n")


@pytest.mark.parametrize("end", ["git commit -q --no-edit", "git cpv pull -q"])
def test_a_conflict_in_code_is_left_as_git_leaves_it(pair: Pair, end: str) -> None:
    in_code(pair)
    ada = pair[0]
    done = ada.run("git cpv pull")
    assert (done.code, done.err) == (
        128,
        "merged 1 commit from origin; 'data' as here; 'metrics.log' and 'model.bin' as there; "
        "327 B fetched and verified\n"
        "error: 'train.py' changed on both sides, which git leaves to you; the pointers are settled\n"
        "hint: edit it, git add it, then git cpv pull, which ends the merge "
        "(git merge --abort gives it up)\n",
    )
    assert "<<<<<<< HEAD\nada\n" in ada.read("train.py")
    assert ada.git("status", "--short").splitlines() == [
        *("M  checkpoint.json", "M  metrics.log.dvc", "M  model.bin.dvc", "UU train.py"),
    ]
    assert (ada.read("model.bin"), data(ada)["d"]) == ("weights 1", "d")
    assert ada.fails("git cpv push").startswith("error: a merge is not finished here\n")
    ada.write("train.py", "both\ntwo\nthree\n")
    ada.ok(f"git add train.py && {end}; git cpv pull -q && git cpv push -q")
    assert ada.read("model.bin") == "weights 2"
    assert ada.git("log", "-1", "--format=%s") == "Merge branch 'main' of origin"
    settled(ada)


def test_a_merge_can_be_given_up(pair: Pair) -> None:
    in_code(pair)
    ada = pair[0]
    head, before = ada.git("rev-parse", "HEAD"), ada.files()
    assert ada.run("git cpv pull").code == 128
    ada.ok("git merge --abort")
    assert ada.git("rev-parse", "HEAD") == head
    assert {path: ada.files()[path] for path in before} == before
    assert "in step" in ada.ok("git cpv status")
    assert "not finished" not in ada.ok("git cpv status")


def test_what_is_in_the_making_stops_the_merge_before_anything_happens(pair: Pair) -> None:
    ada, bob = pair
    push(bob, "weights 2", 0.4)
    push_data(ada, d="d\n")
    ada.write("model.bin", "in the making")
    ada.write("notes.txt", "mine\n")
    head = ada.git("rev-parse", "HEAD")
    assert ada.fails("git cpv pull").startswith("error: 'model.bin' changed here and would be overwritten\n")
    assert (ada.git("rev-parse", "HEAD"), ada.read("model.bin")) == (head, "in the making")
    assert "your own files are kept in" in ada.run("git cpv pull --force").err
    assert (ada.read("model.bin"), ada.read("notes.txt")) == ("weights 2", "mine\n")


def test_a_changed_file_of_code_in_the_way_stops_the_merge_too(pair: Pair) -> None:
    ada, bob = pair
    bob.write("train.py", "bob\n")
    push(bob, "weights 2", 0.4, "-a")
    push_data(ada, d="d\n")
    ada.write("train.py", "not committed\n")
    head = ada.git("rev-parse", "HEAD")
    assert "train.py" in ada.fails("git cpv pull")
    assert (ada.git("rev-parse", "HEAD"), ada.read("model.bin")) == (head, "weights 1")


def test_a_training_that_writes_its_log_meanwhile_loses_no_line(pair: Pair) -> None:
    ada, bob = pair
    push(bob, "weights 2", 0.4)
    push_data(ada, d="d\n")
    with (ada.cwd / "metrics.log").open("a") as log:
        log.write('{"loss": 0.35}\n')
    ada.ok("git cpv pull -q")
    assert [line.count("0.35") for line in ada.read("metrics.log").splitlines()] == [0, 0, 1]
    assert '"loss": 0.4' in ada.read("metrics.log")


def test_objects_that_only_the_other_side_has_are_not_needed_to_merge(pair: Pair) -> None:
    """The merged listing is stored by the push, with what it names there already."""
    ada, bob = pair
    push_data(bob, d="d\n")
    push_data(ada, a="A\n")
    ada.ok("git cpv pull -q --model")
    assert sorted(data(ada)) == ["a", "b", "c"]
    row = next(line for line in ada.ok("git cpv status").splitlines() if line.startswith("data"))
    assert row.split()[2] == "behind"
    assert "size: 8\n  nfiles: 4\n" in ada.read("data.dvc")
    ada.ok("git cpv hooks install -q")
    assert ada.run("git push -q").err == "1 object stored and confirmed before the push\n"
    ada.ok("git cpv pull -q")
    settled(ada)


def test_without_the_listing_that_both_began_with_the_folder_is_in_conflict_as_a_whole(pair: Pair) -> None:
    """Nobody could tell a file that one added from one that the other removed."""
    ada, bob = pair
    oid = ada.git("show", "v0.1:data.dvc").split()[3]
    push_data(bob, b="from bob\n")
    push_data(ada, a="from ada\n")
    storage = Path(json.loads(ada.ok("git cpv storage show --json"))["url"])
    for root in (storage, ada.cwd / ".dvc/cache"):
        (root / "files/md5" / oid[:2] / oid[2:]).unlink()
    assert ada.fails("git cpv pull").startswith("error: 'data' changed on both sides: here and at 'origin'")
    ada.ok("git cpv pull -q --theirs")
    assert data(ada) == {"a": "a", "b": "from bob", "c": "c"}


def test_histories_that_cross_are_merged_from_what_both_began_with(pair: Pair) -> None:
    """Each merges the other's branch, and resolves it; then the two merges meet."""
    ada, bob = pair
    push_data(bob, b="from bob\n")
    bob.git("push", "-q", "origin", "main:refs/heads/bobs")
    push(ada, "weights a", 0.4)
    ada.git("push", "-q", "--no-verify", "origin", "main:refs/heads/adas")
    ada.ok("git fetch -q && git merge -q --no-edit origin/bobs && git cpv pull -q metrics.log data model.bin")
    bob.ok("git fetch -q && git merge -q --no-edit origin/adas")
    bob.ok("git cpv pull -q && git cpv push -q")
    push_data(bob, c="from bob too\n")
    push_data(ada, a="from ada\n")
    assert len(ada.git("merge-base", "--all", "main", "origin/main").splitlines()) <= 2
    ada.ok("git cpv pull -q && git cpv push -q")
    assert data(ada) == {"a": "from ada", "b": "from bob", "c": "from bob too"}
    assert (ada.read("model.bin"), logged(ada)) == ("weights a", [0.5, 0.4])
    settled(ada)


def test_three_people_end_with_the_same(pair: Pair, shell: Shell) -> None:
    people = {"ada": pair[0], "bob": pair[1], "cy o": clone(shell, "cy o")}
    for number, (name, who) in enumerate(people.items()):
        push_data(who, **{name: f"{name}\n"})
        who.ok(f"git cpv push -q --metric n{number}={number} || :")
    for who in (*people.values(), *people.values()):
        who.ok("git cpv pull -q && git cpv push -q")
    for who in people.values():
        assert data(who) == {"a": "a", "ada": "ada", "b": "b", "bob": "bob", "c": "c", "cy o": "cy o"}
        assert json.loads(who.read("checkpoint.json"))["metrics"] == {"loss": 0.5, "n0": 0, "n1": 1, "n2": 2}
        settled(who)
    assert len({who.read("metrics.log") for who in people.values()}) == 1


def test_a_linked_worktree_merges_as_any(pair: Pair) -> None:
    ada, bob = pair
    ada.git("switch", "-q", "-c", "elsewhere")
    ada.git("worktree", "add", "-q", "../linked tree", "main")
    linked = ada.at("../linked tree")
    linked.ok("git cpv pull -q")
    push_data(bob, b="from bob\n")
    push_data(linked, a="from ada\n")
    linked.ok("git cpv pull -q && git cpv push -q")
    assert data(linked) == {"a": "from ada", "b": "from bob", "c": "c"}
    assert data(ada)["a"] == "a"
    settled(linked)


def test_histories_without_a_common_commit_are_left_alone(pair: Pair) -> None:
    ada = pair[0]
    ada.git("checkout", "-q", "--orphan", "fresh")
    ada.git("commit", "-qm", "Anew")
    ada.git("branch", "-q", "--set-upstream-to=origin/main")
    assert ada.fails("git cpv pull").startswith(
        "error: the branch here and the one at the git remote have no commit in common\n"
    )


def test_no_version_is_made_of_a_merge(pair: Pair) -> None:
    ada, bob = pair
    ada.git("config", "cpv.autotag", "changed")
    ada.ok("git cpv hooks install -q")
    push(bob, "weights 2", 0.4)
    push_data(ada, d="d\n")
    ada.ok("git cpv pull -q && git cpv push -q")
    assert ada.git("tag", "--list") == "v0.1"
