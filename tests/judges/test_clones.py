"""Plain DVC in clones of what `git cpv push` published: it finds every file of every version."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest

from judge import IN_STEP, NAMES, Dvc, outs
from sealing import sealed_environment, write_identity
from shell import Shell

# DVC's own reading of other revisions takes a pointer's name for a URL: these characters end it, or are lost.
LOST_BY_DVC = re.compile("[#?\t\n\r]")
SHORT_NAMES = [name for name in NAMES if len(name) < 40]
OUTS = [f"names/{name}" for name in SHORT_NAMES if not LOST_BY_DVC.search(name)]
ODD_OUTS = [f"odd/{name}" for name in SHORT_NAMES if LOST_BY_DVC.search(name)]
VERSIONS = ("v0.1", "v0.2", "v0.3")
Tree = dict[str, str]  # path → md5 of what it holds

# Names of all files of each version, and contents of some: a thousand would take a second.
READ = """
import hashlib, json, sys, dvc.api
from dvc.api import DVCFileSystem
def md5(data):
    return hashlib.md5(data).hexdigest()
found = {}
for rev in sys.argv[2:]:
    fs = DVCFileSystem(rev=rev)
    paths = fs.find("/", dvc_only=True)
    found[rev] = {path.lstrip("/"): md5(fs.read_bytes(path)) for path in paths if "data/many" not in path}
    found[rev] |= {path.lstrip("/"): None for path in paths if "data/many" in path}
    for path in json.loads(sys.argv[1]):
        found[rev][path] = md5(dvc.api.read(path, rev=rev, mode="rb"))
        with dvc.api.open(path, rev=rev, mode="rb") as stream:
            assert md5(stream.read()) == found[rev][path], path
print(json.dumps(found))
"""


def checkpoint(shell: Shell, loss: float) -> Tree:
    """Pushes, tags and publishes what is there, and tells what it was."""
    shell.ok(f"git cpv push -q --metric loss={loss} && git cpv tag -q --combined --push")
    return outs(shell)


def team(shell: Shell) -> Shell:
    """A repository with a bare git repository to publish to."""
    shell.git("init", "-q", "--bare", "common.git")
    shell.ok("git cpv init -q --team T --model m --remote ../common.git first")
    return shell.at("first")


def clone(shell: Shell, url: str = "common.git", storage: str = "") -> Shell:
    """A clone without objects; where they are kept is known to DVC too."""
    known = ["--storage", storage] if storage else []
    shell.ok(["git-cpv-clone", "-q", "--no-objects", *known, url, "second"])
    return shell.at("second")


@dataclass(frozen=True)
class History:
    """A repository, its clones' git remote, and what each of its versions holds."""

    first: Shell
    versions: dict[str, Tree]

    def clone(self, shell: Shell) -> Shell:
        folder = self.first.cwd.parent
        return clone(shell, str(folder / "common.git"), str(folder / "home/.local/share/cpv/storage"))


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three versions of files and folders with ordinary and awkward names. Tests only read it."""
    folder = tmp_path_factory.mktemp("history")
    write_identity(folder / "home")
    first = team(Shell(folder, sealed_environment(folder / "home")))
    first.ok(["git-cpv-track", "-q", "shards", "weights/nested.bin", "run", *OUTS])
    for number, name in enumerate(NAMES):
        first.write(f"data/names/{name}", f"{number}\n" if number % 7 else "")
        first.write(f"data/folders/{name}/z", name)
    for number, path in enumerate(OUTS):
        first.write(path, f"{number}\r\n" if number % 7 else "")
    for number in range(1000):
        first.write(f"data/many/{number % 17}/{number:05}.txt", str(number % 101))
    for number in range(3):
        first.write(f"shards/model-0000{number}-of-00003.safetensors", bytes([number]) * 70_000)
    first.write("shards/config.json", "{}")
    first.write("weights/nested.bin", b"")
    first.write("run", "#!/bin/sh\necho model\n").chmod(0o755)
    first.write("model.bin", b"model 1")
    versions = {"v0.1": checkpoint(first, 0.5)}
    first.write("model.bin", b"model 2")
    first.write("shards/model-00001-of-00003.safetensors", b"tuned")
    first.ok("rm -r data/many/3 data/folders weights/nested.bin run names/1")
    first.write("data/many/new", "new")
    first.write("weights/nested.bin/now/a/folder", "x")
    first.write("run", "no program any more")
    first.write("names/1/is a folder", "")
    versions["v0.2"] = checkpoint(first, 0.25)
    first.ok("git cpv revert -q --combined v0.1")
    first.write("model.bin", b"model 3")
    versions["v0.3"] = checkpoint(first, 0.125)
    return History(first, versions)


def test_every_version_is_pulled_read_and_checked_out(dvc: Dvc, shell: Shell, history: History) -> None:
    second = history.clone(shell)
    dvc.ok(second, "pull", "--quiet")
    assert outs(second) == history.versions["v0.3"]
    assert second.git("status", "--porcelain") == ""
    assert dvc.ok(second, "status") == IN_STEP
    assert dvc.ok(second, "status", "-c") == "Cache and remote 'storage' are in sync.\n"
    assert "in step" in second.ok("git cpv status")
    paths = ["model.bin", "data/many/4/00004.txt", "data/names/two\nlines", "data/names/-x", "names/-"]
    read = dvc.program(second, READ, json.dumps(paths), *VERSIONS)
    assert {version: sorted(found) for version, found in read.items()} == {
        version: sorted(files) for version, files in history.versions.items()
    }
    for version, found in read.items():
        contents = {path: md5 for path, md5 in found.items() if md5}
        assert contents.items() <= history.versions[version].items()
    dvc.ok(second, "fetch", "--quiet", "--all-tags")
    for version in ("v0.3", "v0.1", "v0.2"):  # DVC 3.50 can't put a file where a folder was, which v0.2 has
        second.git("switch", "--quiet", "--detach", version)
        dvc.ok(second, "checkout", "--quiet")
        assert outs(second) == history.versions[version]
        assert dvc.ok(second, "status") == IN_STEP
        assert bool((second.cwd / "run").stat().st_mode & 0o100) == (version != "v0.2")


def test_names_that_dvc_reads_only_where_they_are_checked_out(dvc: Dvc, shell: Shell) -> None:
    first = team(shell)
    first.ok(["git-cpv-track", "-q", *ODD_OUTS])
    versions = {}
    for number in (1, 2):
        for path in ODD_OUTS:
            first.write(path, f"{path} {number}")
        versions[f"v0.{number}"] = checkpoint(first, 1 / number)
    second = clone(shell)
    dvc.ok(second, "pull", "--quiet", "--all-tags")
    assert outs(second) == versions["v0.2"]
    second.git("switch", "--quiet", "--detach", "v0.1")
    dvc.ok(second, "checkout", "--quiet")
    assert outs(second) == versions["v0.1"]
    assert dvc.ok(second, "status") == IN_STEP


def test_dvc_has_nothing_to_send_and_finds_no_object_missing(
    dvc: Dvc, shell: Shell, history: History
) -> None:
    assert dvc.ok(history.first, "status") == IN_STEP
    assert dvc.ok(history.first, "push", "--all-tags") == "Everything is up to date.\n"
    second = history.clone(shell)
    dvc.ok(second, "fetch", "--quiet", "--all-tags")
    said = dvc.ok(second, "status", "-c", "--all-tags", "--all-commits")
    assert said == "Cache and remote 'storage' are in sync.\n"


def test_metrics_are_shown_and_compared(dvc: Dvc, shell: Shell) -> None:
    first = team(shell)
    for version, loss in (("v0.1", 0.5), ("v0.2", 0.25)):
        first.write("model.bin", version)
        first.ok(f"git cpv push -q --metric loss={loss} --param rate={loss / 100} && git cpv tag -q")
    shown = json.loads(dvc.ok(first, "metrics", "show", "--json", "checkpoint.json"))
    assert shown[""]["data"]["checkpoint.json"]["data"]["metrics"] == {"loss": 0.25}
    compared = json.loads(
        dvc.ok(first, "metrics", "diff", "--json", "--targets", "checkpoint.json", "--", "v0.1", "v0.2")
    )["checkpoint.json"]
    assert compared["metrics.loss"] == {"old": 0.5, "new": 0.25, "diff": -0.25}
    assert compared["params.rate"] == {"old": 0.005, "new": 0.0025, "diff": -0.0025}
