"""Automatic versions: the gate in push and in `tag --auto`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """A repository with a git remote, whose first model is v0.1, published, with a loss of 0.3."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.git("config", "cpv.storageShared", "true")
    push(repo, "weights 1", "--metric loss=0.3 --metric accuracy=0.8")
    repo.ok("git cpv tag --push")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def push(repo: Shell, model: str, options: str = "") -> str:
    """What the push says on stderr."""
    repo.write("model.bin", model)
    done = repo.run(f"git cpv push -m m {options}")
    assert done.code == 0, str(done)
    return done.err


def tags(shell: Shell) -> list[str]:
    return shell.git("tag", "-l").split()


def test_off_is_the_default(repo: Shell) -> None:
    push(repo, "weights 2", "--metric loss=0.1")
    assert tags(repo) == ["v0.1"]
    assert repo.run("git cpv tag --auto").code == 0
    assert tags(repo) == ["v0.1"]


def test_changed_names_each_new_model_and_nothing_else(repo: Shell) -> None:
    repo.git("config", "cpv.autotag", "changed")
    told = push(repo, "weights 2")
    assert "v0.2: the model changed\nversions published: v0.2\n" in told
    assert tags(repo.at("../origin.git")) == ["v0.1", "v0.2"]
    assert repo.git("rev-parse", "v0.2^{commit}") == repo.git("rev-parse", "HEAD")
    repo.write("data/train/new.txt", "data alone is no new model")
    assert "v0.3" not in repo.run("git cpv push").err
    push(repo, "weights 1")
    assert tags(repo) == ["v0.1", "v0.2"]
    assert repo.run("git cpv push").err == "everything is up to date\n"


def test_conditions_decide_with_numbers(repo: Shell) -> None:
    repo.git("config", "cpv.autotag", "loss improves, accuracy >= 0.9")
    told = push(repo, "weights 2", "--metric loss=0.31 --metric accuracy=0.85")
    assert told.splitlines()[-1] == (
        "no version: loss 0.31 does not improve on 0.3 (v0.1); accuracy 0.85 is not >= 0.9"
    )
    told = push(repo, "weights 3", "--metric loss=0.2 --metric accuracy=0.95")
    assert "v0.2: loss 0.2 improves on 0.3 (v0.1); accuracy 0.95 is >= 0.9\n" in told
    repo.write("model.bin", "weights 4")
    done = json.loads(repo.ok("git cpv push --json --metric accuracy=1"))
    assert (done["tagged"], done["gate"]) == ([], "loss was not measured")
    repo.write("model.bin", "weights 5")
    done = json.loads(repo.ok("git cpv push --json --metric loss=0.1 --metric accuracy=1"))
    assert (done["tagged"], done["versions"]) == (["v0.3"], ["v0.3"])


def test_only_versions_of_this_history_are_compared_with(repo: Shell) -> None:
    repo.git("switch", "-q", "-c", "side")
    push(repo, "weights 2", "--metric loss=0.1")
    assert repo.ok("git cpv tag") == "v0.2"
    repo.git("switch", "-q", "main")
    repo.ok("git cpv pull -q")
    told = push(repo, "weights 3", "--metric loss=0.2")
    assert "v0.1" not in told
    repo.git("config", "cpv.autotag", "loss improves")
    assert "v0.3: loss 0.15 improves on 0.3 (v0.1)\n" in push(repo, "weights 4", "--metric loss=0.15")


def test_a_push_to_another_branch_is_judged_there(repo: Shell) -> None:
    repo.git("config", "cpv.autotag", "loss improves")
    assert "v0.2: loss 0.2 improves on 0.3 (v0.1)\n" in push(
        repo, "weights 2", "--branch review --metric loss=0.2"
    )
    assert repo.git("rev-parse", "v0.2^{commit}") == repo.git("rev-parse", "review")


def test_a_setting_that_makes_no_sense_stops_a_push_before_it_begins(repo: Shell) -> None:
    head = repo.git("rev-parse", "HEAD")
    repo.git("config", "cpv.autotag", "loss improve")
    repo.write("model.bin", "weights 2")
    said = (
        "error: cpv.autotag (git config), column 6: a comparison or 'improves' after 'loss' is expected, "
        "and 'improve' stands there\n"
        "hint: it is off, changed, or conditions such as: loss improves, accuracy >= 0.9"
    )
    assert repo.fails("git cpv push") == said
    assert repo.fails("git cpv tag --auto") == said
    repo.git("config", "cpv.autotag", "fluency improves")
    assert repo.fails("git cpv push") == (
        "error: whether a lower or a higher 'fluency' is better is not known\n"
        "hint: git config cpv.metric.fluency.goal min, or max"
    )
    assert repo.git("rev-parse", "HEAD") == head


def test_the_committed_settings_say_it_for_everybody(repo: Shell) -> None:
    repo.git("config", "-f", ".cpvconfig", "cpv.autotag", "fluency improves")
    repo.git("config", "-f", ".cpvconfig", "cpv.metric.fluency.goal", "max")
    assert "v0.2: fluency 3 is the first\n" in push(repo, "weights 2", "--metric fluency=3")
    assert "no version: fluency 2 does not improve on 3 (v0.2)\n" in push(
        repo, "weights 3", "--metric fluency=2"
    )


def test_in_a_script(repo: Shell) -> None:
    auto = "git -c cpv.autotag='loss improves' cpv tag --auto"
    for nothing_to_do in ("git cpv tag --auto", auto):
        done = repo.run(nothing_to_do)
        assert (done.code, done.out, done.err) == (0, "", "")
    push(repo, "weights 2", "--metric loss=0.4")
    done = repo.run(auto)
    assert (done.code, done.out) == (1, "")
    assert done.err == "no version: loss 0.4 does not improve on 0.3 (v0.1)\n"
    push(repo, "weights 3", "--metric loss=0.2")
    assert repo.ok(f"{auto} -n") == "v0.2"
    done = repo.run(auto)
    assert (done.code, done.out) == (0, "v0.2\n")
    assert done.masked.err == (
        "loss 0.2 improves on 0.3 (v0.1)\nv0.2 names <id>; pending until git cpv push\n"
    )
    assert repo.run(auto).out == ""
    assert repo.ok("git -c cpv.autotag=changed cpv tag --auto --combined --push") == "v0.3"
    assert tags(repo.at("../origin.git")) == ["data/v0.3", "v0.1", "v0.3"]
    assert repo.fails("git cpv tag --auto v0.9", 129).startswith("error: --auto finds number and message")
    assert repo.fails("git cpv tag --auto --data", 129).startswith("error: --auto is about the model")


def test_before_there_is_anything_to_name_auto_is_silent(shell: Shell) -> None:
    shell.ok("git cpv init -q --team t --model m new")
    done = shell.at("new").run("git -c cpv.autotag=changed cpv tag --auto")
    assert (done.code, done.out, done.err) == (0, "", "")
