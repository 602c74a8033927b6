"""Models that may run code when they are loaded: told when they come, or refused before any is written."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from desk import Desk
from harm import unharmed
from shell import Shell
from template import MakeTemplate, Template


class _Calls:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


EVIL = pickle.dumps({"weights": [0.1, 0.2], "hook": _Calls()})
CLEAN = pickle.dumps({"weights": [0.1, 0.2]})
NAME = f"{os.system.__module__}.system"
WARNING = f"'model.bin' imports '{NAME}', which may run code when it is loaded"
OF_DATA = WARNING.replace("model.bin", "data/noted.pkl")
REFUSALS = (
    f"error: refused by cpv.pickle: {WARNING}",
    f"error: refused by cpv.pickle: {OF_DATA} (2 files in all)",
)


def two_clones(shell: Shell) -> None:
    """Ann has published v0.1, a pickle of numbers, and v0.2, which calls os.system; Ben has v0.1."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m ann")
    ann = shell.at("ann")
    ann.git("remote", "add", "origin", "../origin.git")
    ann.write("model.bin", CLEAN)
    ann.write("data/a.txt", "data\n")
    ann.ok("git cpv push -q --metric loss=2 && git cpv tag -q && git cpv push -q")
    shell.ok("git cpv clone -q origin.git ben")
    ann.write("model.bin", EVIL)
    ann.write("data/noted.pkl", EVIL)
    ann.write("data/noted.txt", EVIL + b".")
    ann.ok("git cpv push -q --metric loss=1 && git cpv tag -q && git cpv push -q")


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(two_clones)


@pytest.fixture
def ben(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    for name in ("ann", "ben"):
        shell.at(name).git("remote", "set-url", "origin", "../origin.git")
    return shell.at("ben")


def warnings(said: str) -> list[str]:
    return [line.removeprefix("warning: ") for line in said.splitlines() if line.startswith("warning: ")]


def test_pull_tells_one_warning_a_file(ben: Shell) -> None:
    done = ben.run("git cpv pull -q")
    assert (done.code, done.out, warnings(done.err)) == (
        0,
        "",
        [OF_DATA, WARNING],
    )
    assert (ben.cwd / "model.bin").read_bytes() == EVIL
    assert warnings(ben.run("git cpv pull").err) == []


def test_a_clean_pickle_is_never_called_safe(ben: Shell) -> None:
    done = ben.run("git cpv pull -v v0.1 --model")
    assert "1 pickle looked through: no known-dangerous imports found" in done.err.splitlines()
    assert "safe" not in done.err
    assert "looked through" not in ben.run("git cpv pull v0.1 --model").err


def test_json_tells_the_same(ben: Shell) -> None:
    told = json.loads(ben.ok("git cpv pull --json"))
    assert told["pickles"] == [
        {"path": path, "imports": [NAME], "unseen": None} for path in ("data/noted.pkl", "model.bin")
    ]


@pytest.mark.parametrize(
    "command",
    [
        "pull",
        "pull v0.2 --output ../out",
        "pull v0.2",
        "revert v0.2",
        "revert --detach v0.2",
        "pull --from ../origin.git v0.2 --output ../out",
    ],
)
def test_refused_before_anything_is_written(ben: Shell, command: str) -> None:
    ben.git("fetch", "-q", "--tags")
    with unharmed(ben):
        said = ben.run(f"git -c cpv.pickle=refuse cpv {command}")
        assert said.code == 128
        error, hint = said.err.splitlines()[-2:]
        assert error in REFUSALS
        assert hint == "hint: if you trust whoever made it: git -c cpv.pickle=warn cpv …"
    assert not (ben.cwd.parent / "out/model.bin").exists()
    assert (ben.cwd / "model.bin").read_bytes() == CLEAN


def test_a_clone_comes_without_what_is_refused(ben: Shell) -> None:
    outside = ben.at("..")
    said = outside.fails("git cpv clone -q origin.git carl", CPV_PICKLE="refuse")
    assert "without its objects: refused by cpv.pickle: " in said
    assert not (outside.cwd / "carl/model.bin").exists()
    done = outside.run("git cpv clone -q origin.git carl")
    assert (done.code, warnings(done.err)) == (0, [OF_DATA, WARNING])


def test_what_is_off_is_not_looked_for(ben: Shell) -> None:
    ben.git("config", "cpv.pickle", "off")
    assert warnings(ben.run("git cpv pull").err) == []
    ben.git("config", "cpv.pickle", "maybe")
    assert ben.fails("git cpv pull v0.1") == (
        "error: cpv.pickle can't be 'maybe' (git config)\nhint: it is one of warn, refuse, off"
    )


def test_a_clone_can_not_turn_it_off(ben: Shell) -> None:
    with (ben.cwd / ".cpvconfig").open("a") as config:
        config.write("[cpv]\n\tpickle = off\n")
    ben.git("fetch", "-q", "--tags")
    assert warnings(ben.run("git cpv pull v0.2 --model").err) == [WARNING]


def test_revert_and_extract_tell_too(ben: Shell) -> None:
    ben.git("fetch", "-q", "--tags")
    assert warnings(ben.run("git cpv pull v0.2 --model --output ../out").err) == [WARNING]
    assert warnings(ben.run("git cpv revert v0.2").err) == [WARNING]


def test_what_is_only_half_a_pickle_is_told(ben: Shell) -> None:
    ann = ben.at("../ann")
    ann.write("model.bin", CLEAN[:-3])
    ann.ok("git cpv push -q --metric loss=3")
    assert warnings(ben.run("git cpv pull --model").err) == [
        "'model.bin' can't be looked through for dangerous imports: it is not a whole pickle"
    ]


def test_the_python_api_tells_in_its_log(ben: Shell) -> None:
    desk = Desk(ben.cwd.parent)
    said = desk.script(
        """
        from cpvlib import ModelsCheckpointsManage
        manage = ModelsCheckpointsManage("T", "m", repo_path="ben", verbose=True)
        print(manage.download_model_checkpoint("v0.2", output_dir="out", git_url="origin.git").tag)
        """
    )
    assert (said.code, said.out) == (0, "v0.2\n"), str(said)
    assert f"warning: {WARNING}" in said.err
