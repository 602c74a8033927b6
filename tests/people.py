"""Ada and Bob, who work on one branch of one model, each in a clone of their own; a plugin of pytest's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

Pair = tuple[Shell, Shell]


@pytest.fixture(scope="session")
def made_pair(make_template: MakeTemplate) -> Template:
    return make_template(make_pair)


@pytest.fixture
def pair(made_pair: Template, shell: Shell, sealed: Path) -> Pair:
    """Ada and Bob, who have published and changed nothing yet."""
    return copied(made_pair, shell, sealed)


def copied(template: Template, shell: Shell, sealed: Path) -> Pair:
    """Ada and Bob as a template has them."""
    template.copy(sealed, shell.cwd)
    for name in ("ada", "bob"):
        shell.at(name).git("remote", "set-url", "origin", "../hub.git")
    return shell.at("ada"), shell.at("bob")


def make_pair(shell: Shell) -> None:
    """Ada's repository, with a model, data and code, published as v0.1, and Bob's clone of it."""
    shell.git("init", "-q", "--bare", "hub.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper --remote ../hub.git ada")
    ada = shell.at("ada")
    ada.ok("rm -r data")
    for name in ("a", "b", "c"):
        ada.write(f"data/{name}.txt", f"{name}\n")
    ada.write("train.py", "one\ntwo\nthree\n")
    ada.git("add", "train.py")
    push(ada, "weights 1", 0.5, "-a")
    ada.ok("git cpv tag -q --push")
    clone(shell, "bob")
    ada.git("config", "user.name", "Ada")


def clone(shell: Shell, name: str) -> Shell:
    shell.ok(f"git cpv clone -q hub.git '{name}'")
    person = shell.at(name)
    person.git("config", "user.name", name.capitalize())
    return person


def push(repo: Shell, model: str, loss: float, *words: str) -> str:
    """What a push of a new model says, whether or not the git remote has moved on."""
    repo.write("model.bin", model)
    return repo.run(["git-cpv-push", "--metric", f"loss={loss}", *words]).err


def push_data(repo: Shell, **files: str | None) -> None:
    """Commits new, changed and (None) removed files of the data, and publishes them where that can be."""
    for name, content in files.items():
        if content is None:
            (repo.cwd / f"data/{name}.txt").unlink()
        else:
            repo.write(f"data/{name}.txt", content)
    repo.run("git cpv push -q")


def data(repo: Shell) -> dict[str, str]:
    """The data as the worktree has it."""
    return {name.removesuffix(".txt"): text.decode().strip() for name, text in repo.files("data").items()}


def loss(repo: Shell) -> float:
    """What `checkpoint.json` says of the model."""
    return float(json.loads(repo.read("checkpoint.json"))["metrics"]["loss"])


def logged(repo: Shell) -> list[float]:
    """The losses in `metrics.log`, in its order."""
    return [json.loads(line)["metrics"]["loss"] for line in repo.read("metrics.log").splitlines()]


def logged_in_time(repo: Shell) -> list[float]:
    """The losses in `metrics.log`, least first, whose records lie in the order of their times: those of one
    second have none of their own."""
    times = [json.loads(line)["time"] for line in repo.read("metrics.log").splitlines()]
    assert times == sorted(times)
    return sorted(logged(repo))


def settled(repo: Shell) -> None:
    """Nothing is unfinished, uncommitted or left to do, and everything is published and stored."""
    assert repo.git("status", "--short") == ""
    assert repo.ok("git cpv status --check").splitlines()[-1] == "nothing to push"
    assert repo.git("ls-remote", "origin", "main").split()[0] == repo.git("rev-parse", "HEAD")
