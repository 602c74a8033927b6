"""Repositories that plain DVC made, adopted by `git cpv init`: CPV goes on with them, and DVC reads on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from judge import IN_STEP, NAMES, Dvc, JudgeTemplate, outs
from shell import Shell

FOREIGN = """\
# the speech team's
wdir: ../common
desc: all of it
frozen: true
outs:
- md5: 9dd4e461268c8034f5c8564e155c67a6 # the first
  size: 1
  hash: md5
  path: x y
  labels: [a, b]
- path: z
  md5: fbade9e36a3f36d3d676c1b808451dd7
  size: 1
  hash: md5
  desc: 'quoted: yes'
meta: {anything: [1, 2]}
"""


def made_by_dvc(dvc: Dvc, shell: Shell) -> None:
    """Two commits of plain DVC's, pushed to a storage that its committed configuration names, and to git."""
    shell.ok("git init -q --bare common.git && git init -q first")
    first = shell.at("first")
    first.git("remote", "add", "origin", "../common.git")
    dvc.ok(first, "init", "--quiet")
    dvc.ok(first, "remote", "add", "--quiet", "--default", "store", "../store")
    first.write("train.py", "print('training')\n")
    first.write("model.bin", b"model 1")
    for name in NAMES:
        first.write(f"data/names/{name}", name)
    dvc.ok(first, "add", "--quiet", "model.bin", "data")
    first.write("common/x y", "x")
    first.write("common/z", "z")
    first.write("common/.gitignore", "/x y\n/z\n")
    first.write("models/all.dvc", FOREIGN)
    dvc.ok(first, "commit", "--quiet", "--force", "models/all.dvc")
    assert first.read("models/all.dvc") == FOREIGN
    commit(first, "first")
    first.write("model.bin", b"model 2")
    first.write("data/more/file", "more")
    dvc.ok(first, "add", "--quiet", "model.bin", "data")
    commit(first, "second")
    dvc.ok(first, "push", "--quiet", "--all-commits")
    first.git("push", "-q", "-u", "origin", "main")


@pytest.fixture
def theirs(dvc: Dvc, shell: Shell, sealed: Path, judge_template: JudgeTemplate) -> Shell:
    judge_template(dvc, made_by_dvc).copy(sealed, shell.cwd)
    return shell.at("first")


def commit(shell: Shell, message: str) -> None:
    shell.git("add", ".")
    shell.git("commit", "-q", "-m", message)


def states(shell: Shell) -> dict[str, str]:
    return {out["path"]: out["state"] for out in json.loads(shell.ok("git cpv status --json"))["outs"]}


def test_nothing_is_touched_and_all_is_in_step(dvc: Dvc, theirs: Shell) -> None:
    before, stored = theirs.files(), theirs.files("../store")
    theirs.ok("git cpv init -q --team T --model m")
    after = theirs.files()
    assert after.pop(".cpvconfig")
    assert after == before
    assert states(theirs) == {
        "data": "in step",
        "metrics.log": "absent",
        "model.bin": "in step",
        "common/x y": "in step",
        "common/z": "in step",
    }
    assert theirs.ok("git cpv tag -q") == "v0.1"
    theirs.ok("git cpv storage trust -q")
    theirs.ok("git cpv push -q")
    assert theirs.files("../store") == stored
    assert dvc.ok(theirs, "status") == IN_STEP
    assert dvc.ok(theirs, "status", "-c") == "Cache and remote 'store' are in sync.\n"


def test_the_road_goes_on_from_there_and_back(dvc: Dvc, theirs: Shell, shell: Shell) -> None:
    theirs.ok("git cpv init -q --team T --model m && git cpv storage trust -q")
    versions = {"v0.1": outs(theirs)}
    theirs.ok("git cpv tag -q --combined")
    theirs.write("model.bin", b"model 3")
    theirs.write("common/z", "retrained")
    theirs.write("data/names/-x", "relabelled")
    theirs.ok("git cpv push -q --metric loss=0.5 && git cpv tag -q --combined --push")
    versions["v0.2"] = outs(theirs)
    assert theirs.read("models/all.dvc") == FOREIGN.replace(
        "fbade9e36a3f36d3d676c1b808451dd7\n  size: 1", f"{md5(b'retrained')}\n  size: 9"
    )
    theirs.ok("git cpv revert -q --combined v0.1")
    versions["v0.3"] = outs(theirs)
    assert theirs.read("models/all.dvc") == FOREIGN
    assert {**versions["v0.3"], "metrics.log": ""} == {**versions["v0.1"], "metrics.log": ""}
    theirs.ok("git cpv tag -q --combined --force --push && git cpv push -q")

    shell.git("clone", "-q", "common.git", "second")
    second = shell.at("second")
    dvc.ok(second, "pull", "--quiet")
    assert outs(second) == versions["v0.3"]
    assert dvc.ok(second, "status") == IN_STEP
    for version in versions:
        second.git("switch", "-q", "--detach", version)
        dvc.ok(second, "pull", "--quiet")
        assert outs(second) == versions[version]
        assert dvc.ok(second, "status") == IN_STEP


def test_what_dvc_pushes_later_is_pulled_and_named(dvc: Dvc, theirs: Shell, shell: Shell) -> None:
    theirs.ok("git cpv init -q --team T --model m && git cpv storage trust -q && git cpv push -q")
    shell.git("clone", "-q", "common.git", "second")
    second = shell.at("second")
    dvc.ok(second, "pull", "--quiet")
    second.write("model.bin", b"model 3")
    second.write("data/names/-x", "relabelled")
    dvc.ok(second, "add", "--quiet", "model.bin", "data")
    dvc.ok(second, "push", "--quiet")
    commit(second, "by dvc")
    second.git("push", "-q")

    theirs.ok("git cpv pull -q")
    assert outs(theirs) == outs(second)
    assert set(states(theirs).values()) == {"in step", "absent"}
    assert theirs.ok("git cpv tag -q --push") == "v0.1"
    assert dvc.ok(theirs, "status") == IN_STEP
    stopped = shell.run("git cpv clone -q common.git third")
    assert (stopped.code, "hint: cd" in stopped.err, "storage trust" in stopped.err) == (128, True, True)
    shell.at("third").ok("git cpv storage trust -q && git cpv pull -q")
    assert outs(shell.at("third")) == outs(second)


def test_outs_that_are_kept_elsewhere(dvc: Dvc, shell: Shell) -> None:
    """Imports from a URL are stored as any out; imports from a repository, and what is to stay, are not."""
    source = shell.at("source")
    source.cwd.mkdir()
    dvc.repository(source)
    source.write("base.pt", "their model")
    dvc.ok(source, "add", "--quiet", "base.pt")
    commit(source, "theirs")
    shell.write("downloads/vocabulary.txt", "a b c\n")
    first = shell.at("first")
    first.cwd.mkdir()
    dvc.repository(first)
    dvc.ok(first, "remote", "add", "--quiet", "--default", "--local", "store", str(shell.cwd / "store"))
    dvc.ok(first, "import", "--quiet", "../source", "base.pt")
    dvc.ok(first, "import-url", "--quiet", "../downloads/vocabulary.txt")
    first.write("private.bin", "not to leave")
    first.write("model.bin", "model 1")
    dvc.ok(first, "add", "--quiet", "private.bin", "model.bin")
    first.write("private.bin.dvc", first.read("private.bin.dvc") + "  push: false\n")
    first.write("report.json", "{}")
    first.write(
        "report.dvc", f"outs:\n- md5: {md5(b'{}')}\n  hash: md5\n  cache: false\n  path: report.json\n"
    )
    commit(first, "outs of every kind")
    assert dvc.ok(first, "status") == IN_STEP

    first.ok("git cpv init -q --team T --model m && git cpv tag -q && git cpv push -q")
    stored = {md5(content) for content in shell.files("store").values()}
    assert stored == {md5(b"model 1"), md5(b"a b c\n")}
    first.write("private.bin", "trained in private")
    first.write("model.bin", "model 2")
    first.ok("git cpv push -q --metric loss=1")
    now = {md5(content) for content in shell.files("store").values()} - stored
    assert now == {md5(b"model 2"), md5((first.cwd / "metrics.log").read_bytes())}
    assert first.read("private.bin.dvc").endswith("  push: false\n")
    assert json.loads(first.ok("git cpv status --check --json"))["to_push"] is False
    first.ok("git cpv verify")

    shell.git("clone", "-q", "first", "second")
    second = shell.at("second")
    second.write(".dvc/config.local", first.read(".dvc/config.local"))
    pulled = second.run("git cpv pull")
    assert pulled.code == 0, str(pulled)
    assert "'base.pt'" in pulled.err
    assert "'private.bin'" in pulled.err
    assert outs(second).keys() == {"vocabulary.txt", "model.bin", "metrics.log"}
    second.write("model.bin", "model 3")
    aside = second.run("git cpv pull v0.1 --output ../aside")
    assert (aside.code, "'private.bin'" in aside.err) == (0, True), str(aside)
    assert shell.files("aside") == {"model.bin": b"model 1", "vocabulary.txt": b"a b c\n"}
    second.git("remote", "remove", "origin")
    second.ok("git cpv push -q --metric loss=1 && git cpv tag -q && git cpv revert -q v0.1")
    assert outs(second)["model.bin"] == md5(b"model 1")
    dvc.ok(second, "pull", "--quiet", "base.pt.dvc")
    assert outs(second)["base.pt"] == md5(b"their model")
    assert states(second)["base.pt"] == "in step"


PIPELINE = """\
stages:
  train:
    cmd: sh train.sh ${epochs}
    wdir: work
    outs:
    - weights-${epochs}
    metrics:
    - scores.json:
        cache: false
vars:
- epochs: 3
"""


def test_what_a_pipeline_writes_stays_dvcs(dvc: Dvc, shell: Shell) -> None:
    """DVC refuses every command where a pointer names what a stage writes."""
    dvc.repository(shell)
    shell.write("dvc.yaml", PIPELINE)
    shell.write(
        "work/train.sh", "mkdir -p weights-$1; echo trained >weights-$1/model.bin; echo '{}' >scores.json\n"
    )
    dvc.ok(shell, "repro", "--quiet")
    commit(shell, "a pipeline")
    assert "track" not in shell.run("git cpv init --team T --model m").err
    for path in ("work/weights-3", "work/weights-3/model.bin", "work"):
        said = shell.fails(["git-cpv-track", path])
        assert said == (
            f"error: '{path}' is DVC's own: stage 'train' of 'dvc.yaml' writes it\n"
            f"hint: record it under a name of its own: git cpv push --from {path}"
        )
    shell.ok("git cpv push -q --from work/weights-3 --metric loss=1 && git cpv pull -q")
    assert shell.read("model/model.bin") == "trained\n"
    assert dvc.ok(shell, "status") == IN_STEP


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Dvc2:
    """Writes what DVC 2 left: outs named by md5-dos2unix, their objects without `files/md5`."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.stores = [Path(".dvc/cache"), Path("../store")]

    def keep(self, content: bytes, *, is_listing: bool = False) -> str:
        """The oid of a content that is in the cache and in the storage now; bytes are kept as they are."""
        text = content if b"\0" in content else content.replace(b"\r\n", b"\n")
        oid = md5(text) + (".dir" if is_listing else "")
        for store in self.stores:
            self.shell.write(f"{store}/{oid[:2]}/{oid[2:]}", content).chmod(0o444)
        return oid

    def add(self, path: str, content: bytes) -> None:
        self.shell.write(path, content)
        self.shell.write(
            f"{path}.dvc", f"outs:\n- md5: {self.keep(content)}\n  size: {len(content)}\n  path: {path}\n"
        )

    def add_folder(self, path: str, files: dict[str, bytes]) -> None:
        rows = [{"md5": self.keep(files[name]), "relpath": name} for name in sorted(files)]
        for name, content in files.items():
            self.shell.write(f"{path}/{name}", content)
        oid = self.keep(json.dumps(rows, sort_keys=True).encode(), is_listing=True)
        size = sum(map(len, files.values()))
        text = f"outs:\n- md5: {oid}\n  size: {size}\n  nfiles: {len(files)}\n  path: {path}\n"
        self.shell.write(f"{path}.dvc", text)


def made_by_dvc_2(dvc: Dvc, shell: Shell) -> None:
    """A repository that DVC 2 made: text with DOS line ends, whose md5 is another now, and binaries."""
    shell.ok("git init -q --bare common.git && git init -q first")
    first = shell.at("first")
    first.git("remote", "add", "origin", "../common.git")
    dvc.ok(first, "init", "--quiet")
    dvc.ok(first, "remote", "add", "--quiet", "--default", "--local", "store", "../store")
    old = Dvc2(first)
    old.add("model.bin", b"\0model 1\r\n")
    old.add("vocabulary.txt", b"a\r\nb\r\n")
    old.add_folder("data", {"train.csv": b"1,2\r\n", "sub/image": b"\0\r\n", "plain": b"1\n"})
    first.write(".gitignore", "/model.bin\n/vocabulary.txt\n/data\n")
    commit(first, "by DVC 2")
    first.git("push", "-q", "-u", "origin", "main")
    assert dvc.ok(first, "status") == IN_STEP
    assert dvc.ok(first, "status", "-c") == "Cache and remote 'store' are in sync.\n"


@pytest.fixture
def dvc2(dvc: Dvc, shell: Shell, sealed: Path, judge_template: JudgeTemplate) -> Shell:
    judge_template(dvc, made_by_dvc_2).copy(sealed, shell.cwd)
    return shell.at("first")


def test_a_repository_of_dvc_2_is_read_as_it_is(dvc: Dvc, dvc2: Shell, shell: Shell) -> None:
    dvc2.ok("git cpv init -q --team T --model m")
    before = dvc2.files()
    assert set(states(dvc2).values()) == {"in step", "absent"}
    assert dvc2.ok("git cpv tag -q --combined") == "v0.1"
    dvc2.ok("git cpv push -q")
    assert dvc2.files() == before
    shell.ok(["git", "clone", "-q", "common.git", "second"])
    second = shell.at("second")
    second.write(".dvc/config.local", dvc2.read(".dvc/config.local"))
    second.ok("git cpv pull -q")
    assert outs(second) == outs(dvc2)
    assert set(states(second).values()) == {"in step", "absent"}
    assert dvc.ok(second, "status") == IN_STEP


def test_only_what_changes_leaves_dvc_2s_ways(dvc: Dvc, dvc2: Shell, shell: Shell) -> None:
    dvc2.ok("git cpv init -q --team T --model m && git cpv tag -q --combined")
    versions = {"v0.1": outs(dvc2)}
    pointers = {name: dvc2.read(name) for name in ("model.bin.dvc", "vocabulary.txt.dvc", "data.dvc")}
    dvc2.write("vocabulary.txt", b"a\r\nb\r\nc\r\n")
    dvc2.write("data/new.csv", b"3,4\r\n")
    dvc2.ok("git cpv push -q && git cpv tag -q --combined --push")
    dvc2.ok("git cpv verify --deep")
    versions["v0.2"] = outs(dvc2)
    assert dvc2.read("model.bin.dvc") == pointers["model.bin.dvc"]
    assert "  hash: md5\n" in dvc2.read("vocabulary.txt.dvc")
    assert "  hash: md5\n" in dvc2.read("data.dvc")
    dvc2.ok("git cpv revert -q --combined v0.1")
    assert {name: dvc2.read(name) for name in pointers} == pointers
    assert {**outs(dvc2), "metrics.log": ""} == {**versions["v0.1"], "metrics.log": ""}
    assert set(states(dvc2).values()) <= {"in step", "absent"}
    dvc2.ok("git cpv push -q")

    shell.git("clone", "-q", "common.git", "second")
    second = shell.at("second")
    second.write(".dvc/config.local", dvc2.read(".dvc/config.local"))
    dvc.ok(second, "pull", "--quiet")
    for version in versions:
        second.git("switch", "-q", "--detach", version)
        dvc.ok(second, "pull", "--quiet", "--force")  # the text that DVC 2 named looks unsaved to DVC 3
        assert outs(second) == versions[version]
        assert dvc.ok(second, "status") == IN_STEP


def test_what_dvc_2_named_is_behind_and_not_changed(dvc: Dvc, dvc2: Shell, shell: Shell) -> None:
    """Forwards and backwards over the commit where the text's md5 changes its meaning."""
    dvc2.ok("git cpv init -q --team T --model m && git cpv tag -q && git cpv push -q")
    shell.git("clone", "-q", "common.git", "second")
    second = shell.at("second")
    second.write(".dvc/config.local", dvc2.read(".dvc/config.local"))
    second.ok("git cpv pull -q")
    second.write("vocabulary.txt", b"a\r\nb\r\nc\r\n")
    second.ok("git cpv push -q")
    dvc2.git("pull", "-q")
    assert states(dvc2)["vocabulary.txt"] == "behind"
    dvc2.ok("git cpv pull -q")
    assert outs(dvc2) == outs(second)
    dvc2.git("switch", "-q", "-c", "back", "v0.1")
    assert states(dvc2)["vocabulary.txt"] == "behind"
    dvc2.ok("git cpv pull -q")
    assert dvc2.read("vocabulary.txt").split() == ["a", "b"]
    assert dvc.ok(dvc2, "status") == IN_STEP
