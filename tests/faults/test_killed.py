"""kill -9 at every named step: the promises hold, and the same command typed again completes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from faults.checker import check
from sealing import CHECKOUT
from shell import Shell
from template import MakeTemplate, Template

KILLED = 137

PUSH_STEPS = (
    "push:gathered",
    "push:stored",
    "push:prepared",
    "push:logged",
    "land:staged",
    "push:committed",
    "push:settled",
    "push:landed",
    "publish:pushed",
)
TAG_STEPS = ("tag:written", "tag:made", "publish:pushed")
ALIAS_STEPS = ("alias:written", "alias:made", "publish:pushed")
RESTORE_STEPS = ("restore:saved", "restore:installed-1", "restore:installed-2", "restore:recorded")
REVERT_STEPS = ("revert:fetched", "revert:begun", *RESTORE_STEPS, "land:staged", "revert:landed")
PULL_STEPS = ("pull:fetched", "pull:forwarded", *RESTORE_STEPS)
SETTLE_STEPS = ("pull:fetched", "pull:settled", "pull:concluded", *RESTORE_STEPS)

OLD, NEW = "weights 2", "weights 1"
OLD_DATA, NEW_DATA = {"a.txt": "data 2\n", "c.txt": "more\n"}, {"a.txt": "data 1\n", "b.txt": "less\n"}


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(two_versions)


def two_versions(shell: Shell) -> None:
    """A published repository with two combined versions, of which the second is checked out, and a clone of
    it."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m --remote ../origin.git repo")
    repo = shell.at("repo")
    repo.ok("rm -r data")
    for number, data in ((1, NEW_DATA), (2, OLD_DATA)):
        repo.ok("rm -rf data")
        repo.write("model.bin", f"weights {number}")
        for name, content in data.items():
            repo.write(f"data/{name}", content)
        repo.ok(f"git cpv push -q --metric loss=0.{number} && git cpv tag -q --combined && git cpv push -q")
    shell.ok("git cpv clone -q origin.git clone")


def users_files(shell: Shell) -> dict[str, bytes]:
    """All of the worktree but DVC's own folders of objects and locks."""
    return {
        path: content
        for path, content in shell.files().items()
        if not path.startswith((".dvc/cache/", ".dvc/tmp/"))
    }


class Scene:
    """The repository, its clone, its git remote and its storage."""

    def __init__(self, shell: Shell) -> None:
        self.origin = shell.cwd / "origin.git"
        self.repo, self.clone = shell.at("repo"), shell.at("clone")
        for each in (self.repo, self.clone):
            each.git("remote", "set-url", "origin", "../origin.git")
        self.storage = Path(json.loads(self.repo.ok("git cpv storage show --json"))["url"])

    def killed(self, shell: Shell, command: str, step: str) -> None:
        """Runs the command up to the step; whatever it left, the promises hold."""
        assert shell.run(f"exec git-cpv-{command}", CPV_KILL_AT=step).code in (KILLED, -9), step
        check(shell, self.origin, self.storage)

    def settled(self, shell: Shell) -> None:
        """Nothing is unfinished, and nothing is left to do."""
        assert shell.git("status", "--short") == ""
        said = shell.ok("git cpv status")
        assert "not finished" not in said
        assert "nothing to push" in said
        assert "; all there; " in shell.ok("git cpv verify")
        check(shell, self.origin, self.storage)


@pytest.fixture
def scene(template: Template, shell: Shell, sealed: Path) -> Scene:
    template.copy(sealed, shell.cwd)
    return Scene(shell)


@pytest.mark.parametrize("step", PUSH_STEPS)
def test_push(scene: Scene, step: str) -> None:
    repo = scene.repo
    repo.ok("git cpv tag -q --force")
    repo.write("model.bin", "weights 3")
    repo.write("data/d.txt", "yet more\n")
    before = repo.files("data")
    scene.killed(repo, "push --metric loss=0.3", step)
    assert (repo.read("model.bin"), repo.files("data")) == ("weights 3", before)
    repo.ok("git cpv push --metric loss=0.3")
    assert (repo.read("model.bin"), repo.files("data")) == ("weights 3", before)
    assert len(repo.git("rev-list", "main").splitlines()) == 4
    assert repo.read("metrics.log").count('"loss": 0.3}') == 1
    assert repo.git("ls-remote", "origin", "main").split()[0] == repo.git("rev-parse", "main")
    assert "refs/tags/v0.3" in repo.git("ls-remote", "origin")
    scene.settled(repo)


@pytest.mark.parametrize("step", TAG_STEPS)
def test_combined_tag(scene: Scene, step: str) -> None:
    repo = scene.repo
    scene.killed(repo, "tag --combined --force --push", step)
    local = {tag for tag in repo.git("tag").splitlines() if tag.endswith("v0.3")}
    assert local in (set(), {"v0.3", "data/v0.3"})
    repo.ok("git cpv push" if local else "git cpv tag --combined --force --push")
    assert repo.git("ls-remote", "--tags", "--refs", "origin", "*v0.3").count("v0.3") == 2
    scene.settled(repo)


@pytest.mark.parametrize("step", ALIAS_STEPS)
def test_alias(scene: Scene, step: str) -> None:
    repo = scene.repo
    scene.killed(repo, "alias production v0.1 --push", step)
    repo.run("git cpv alias production v0.1 --push")
    assert (
        repo.git("ls-remote", "--tags", "--refs", "origin", "alias/*").count("refs/tags/alias/production/")
        == 1
    )
    assert "v0.1" in repo.ok("git cpv alias production")
    scene.settled(repo)


@pytest.mark.parametrize("step", REVERT_STEPS)
@pytest.mark.parametrize("way", ["again", "continue", "abort"])
def test_revert(scene: Scene, step: str, way: str) -> None:
    repo = scene.repo
    repo.write("staged.py", "print('staged')\n")
    repo.git("add", "staged.py")
    repo.write("README.md", "unfinished\n")
    before, head = users_files(repo), repo.git("rev-parse", "HEAD")
    scene.killed(repo, "revert --combined v0.1", step)
    assert repo.read("model.bin") in (OLD, NEW)
    begun = step not in ("revert:fetched",)
    if begun and step != "revert:landed":
        assert "a revert to v0.1 is not finished" in repo.ok("git cpv status")
        assert "error: a revert to v0.1 is not finished here" in repo.fails("git cpv push")
    if way == "abort" and begun and step != "revert:landed":
        repo.ok("git cpv revert --abort")
        assert (users_files(repo), repo.git("rev-parse", "HEAD")) == (before, head)
        assert repo.git("status", "--short") == " M README.md\nA  staged.py"
        assert "nothing to push" in repo.ok("git cpv status")
        return
    if way == "continue" and begun:
        repo.ok("git cpv revert --continue")
    else:
        assert repo.run("git cpv revert --combined v0.1").code in (0, 1)
    assert repo.read("model.bin") == NEW
    assert {name: repo.read(f"data/{name}") for name in repo.files("data")} == NEW_DATA
    assert repo.git("rev-parse", "HEAD^") == head
    assert repo.git("status", "--short") == " M README.md\nA  staged.py"
    assert repo.fails("git cpv revert --continue", code=1) == "no revert is unfinished here"


@pytest.mark.parametrize("step", PULL_STEPS)
def test_pull(scene: Scene, step: str) -> None:
    scene.repo.ok("git cpv revert -q --combined v0.1 --push")
    clone = scene.clone
    scene.killed(clone, "pull", step)
    assert clone.read("model.bin") in (OLD, NEW)
    clone.ok("git cpv pull")
    assert clone.read("model.bin") == NEW
    assert {name: clone.read(f"data/{name}") for name in clone.files("data")} == NEW_DATA
    scene.settled(clone)


LOSSES = {"d": "0.71", "e": "0.72"}


def went_apart(scene: Scene) -> None:
    """Both trained a model and changed the data; the repository was first to publish."""
    for each, letter in ((scene.repo, "d"), (scene.clone, "e")):
        each.write("model.bin", f"weights {letter}")
        each.write(f"data/{letter}.txt", f"{letter}\n")
        each.write("train.py", f"print('{letter}')\n")
        each.run(f"git cpv push -q --metric loss={LOSSES[letter]}")


def together(clone: Shell, model: str) -> None:
    assert clone.read("model.bin") == model
    assert sorted(clone.files("data")) == ["a.txt", "c.txt", "d.txt", "e.txt"]
    assert [clone.read("metrics.log").count(LOSSES[letter]) for letter in "de"] == [1, 1]
    assert len(clone.git("rev-list", "--merges", "HEAD").splitlines()) == 1


@pytest.mark.parametrize("step", PULL_STEPS)
def test_pull_that_merges(scene: Scene, step: str) -> None:
    went_apart(scene)
    clone = scene.clone
    clone.ok("git checkout -q train.py")
    scene.killed(clone, "pull --theirs", step)
    assert clone.read("model.bin") in ("weights d", "weights e")
    clone.ok("git cpv pull --theirs")
    together(clone, "weights d")
    clone.ok("git cpv push -q")
    scene.settled(clone)


@pytest.mark.parametrize("step", SETTLE_STEPS)
def test_pull_that_settles_what_git_left(scene: Scene, step: str) -> None:
    went_apart(scene)
    clone = scene.clone
    clone.ok("git checkout -q train.py")
    assert clone.run("git pull -q --no-rebase").code == 1
    scene.killed(clone, "pull --theirs", step)
    assert clone.read("model.bin") in ("weights d", "weights e")
    clone.ok("git cpv pull --theirs")
    together(clone, "weights d")
    clone.ok("git cpv push -q")
    scene.settled(clone)


@pytest.mark.parametrize("step", ["pull:fetched", "pull:begun", "pull:forwarded"])
def test_pull_that_leaves_code_in_conflict(scene: Scene, step: str) -> None:
    went_apart(scene)
    clone = scene.clone
    scene.repo.ok("git commit -qam Faster && git push -q")
    clone.ok("git commit -qam Slower")
    scene.killed(clone, "pull --ours", step)
    assert clone.run("git cpv pull --ours").code == 128
    assert clone.read("model.bin") == "weights e"
    assert clone.git("diff", "--name-only", "--diff-filter=U") == "train.py"
    clone.ok("git add train.py && git cpv pull && git cpv push -q")
    together(clone, "weights e")
    scene.settled(clone)


@pytest.mark.parametrize("step", ["clone:cloned", "restore:installed-1", "restore:recorded"])
def test_clone(scene: Scene, shell: Shell, step: str) -> None:
    assert shell.run("exec git-cpv-clone origin.git third", CPV_KILL_AT=step).code in (KILLED, -9)
    shell.ok("git cpv clone -q origin.git third")
    third = shell.at("third")
    assert third.read("model.bin") == OLD
    scene.settled(third)


@pytest.fixture
def part(scene: Scene, shell: Shell) -> Shell:
    """A clone that has `a.txt` of the data, and not `c.txt`."""
    shell.ok("git cpv clone -q --exclude 'c.*' origin.git part")
    return shell.at("part")


def data(shell: Shell) -> dict[str, str]:
    return {name: shell.read(f"data/{name}") for name in shell.files("data")}


@pytest.mark.parametrize("step", ["push:committed", "push:settled"])
def test_push_of_a_folder_in_part(scene: Scene, part: Shell, step: str) -> None:
    part.write("data/d.txt", "yet more\n")
    part.write("data/c.txt", "mine\n")
    part.write("data/a.txt", "less\n")
    part.write("model.bin", "weights 3")
    scene.killed(part, "push --metric loss=0.3", step)
    part.ok("git cpv push --metric loss=0.3")
    part.ok("rm data/c.txt && git cpv push")
    assert data(part) == {"a.txt": "less\n", "d.txt": "yet more\n"}
    scene.settled(part)
    scene.repo.ok("git cpv pull -q")
    assert data(scene.repo) == data(part)


@pytest.mark.parametrize(
    ("command", "step"),
    [("pull data/a.txt", "restore:installed-1"), ("pull --all", "restore:begun")],
)
def test_first_pull_of_a_part(scene: Scene, shell: Shell, command: str, step: str) -> None:
    """Whatever is here when it was killed, the next push takes nothing out of the folder."""
    shell.ok("git cpv clone -q --no-objects origin.git part")
    part = shell.at("part")
    scene.killed(part, command, step)
    part.write("data/d.txt", "yet more\n")
    part.ok("git cpv push -q --data")
    scene.repo.ok("git cpv pull -q")
    assert data(scene.repo) == {**OLD_DATA, "d.txt": "yet more\n"}
    part.ok("git cpv pull -q --all")
    assert data(part) == data(scene.repo)
    scene.settled(part)


@pytest.mark.parametrize("step", ["pull:forwarded", "restore:installed-2"])
def test_pull_of_a_folder_in_part(scene: Scene, part: Shell, step: str) -> None:
    scene.repo.write("data/c.txt", "yet more\n")
    scene.repo.write("data/d.txt", "new\n")
    scene.repo.write("data/a.txt", "other\n")
    scene.repo.write("model.bin", "weights 3")
    scene.repo.ok("git cpv push -q --metric loss=0.3")
    scene.killed(part, "pull", step)
    part.run("git cpv push -q")
    assert scene.repo.git("ls-remote", "origin", "main").split()[0] == scene.repo.git("rev-parse", "main")
    part.ok("git cpv pull -q")
    assert data(part) == {"a.txt": "other\n", "d.txt": "new\n"}
    scene.settled(part)
    part.ok("git cpv pull -q --all")
    assert data(part) == data(scene.repo)


@pytest.mark.parametrize("step", ["restore:installed-1"])
@pytest.mark.parametrize("way", ["continue", "abort"])
def test_revert_of_a_folder_in_part(scene: Scene, part: Shell, step: str, way: str) -> None:
    before = users_files(part), part.files(".git/cpv").get("partial.json"), part.ok("git cpv status")
    scene.killed(part, "revert --combined v0.1", step)
    if way == "abort":
        part.ok("git cpv revert --abort")
        assert before == (
            users_files(part),
            part.files(".git/cpv")["partial.json"],
            part.ok("git cpv status"),
        )
        return
    part.ok("git cpv revert --continue")
    assert data(part) == NEW_DATA
    part.ok("git cpv push -q && git cpv revert -q --combined v0.2")
    assert data(part) == {"a.txt": "data 2\n"}
    part.ok("git cpv push -q")
    scene.settled(part)


def test_no_step_is_left_out() -> None:
    """Each step that the code names is one at which a test ends a command."""
    code = "".join(path.read_text() for path in (CHECKOUT / "cpvlib").rglob("*.py"))
    tests = "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py"))
    named = set(re.findall(r'step(?:_done)?\(f?"([a-z]+:[a-z]+)', code))
    assert len(named) > 20
    assert named - set(re.findall(r'"([a-z]+:[a-z]+)[-"]', tests)) == set()
