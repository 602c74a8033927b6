"""Large folders in part: files that are absent by choice, and stay part of the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

DATA = {
    "data/train/1.png": "one",
    "data/train/2.png": "two",
    "data/raw/1.wav": "long one",
    "data/raw/2.wav": "long two",
    "data/labels.csv": "1,2\n",
}


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(published)


def published(shell: Shell) -> None:
    """A repository with a data folder of five files and two versions, published."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m --remote ../origin.git ann")
    ann = shell.at("ann")
    ann.ok("rm -r data")
    ann.write("model.bin", "weights 1")
    for path, content in DATA.items():
        ann.write(path, content)
    ann.ok("git cpv push -q --metric loss=0.2 && git cpv tag -q --combined --push")


@pytest.fixture
def ann(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    ann = shell.at("ann")
    ann.git("remote", "set-url", "origin", "../origin.git")
    return ann


def clone(shell: Shell, *options: str) -> Shell:
    shell.ok(["git-cpv-clone", "-q", *options, "origin.git", "ben"])
    return shell.at("ben")


def data(shell: Shell) -> dict[str, str]:
    return {f"data/{path}": content.decode() for path, content in shell.files("data").items()}


def states(shell: Shell) -> dict[str, tuple[str, int]]:
    outs = json.loads(shell.ok("git cpv status --json"))["outs"]
    return {out["path"]: (out["state"], out["absent"]) for out in outs}


def pointer(shell: Shell, path: str = "data.dvc") -> str:
    return shell.read(path)


def test_a_clone_without_objects_works(ann: Shell, shell: Shell) -> None:
    said = shell.ok("git cpv clone --no-objects origin.git ben")
    assert said == "cloned into 'ben'; no objects (git cpv pull PATH brings some, git cpv pull --all all)"
    ben = shell.at("ben")
    rows = [line.split(maxsplit=2) for line in ben.ok("git cpv status").splitlines()[2:5]]
    assert [(row[1], row[2].rpartition("B  ")[2]) for row in rows] == [
        ("data", "5 files absent by choice"),
        ("metrics.log", "1 file absent by choice"),
        ("model.bin", "1 file absent by choice"),
    ]
    assert ben.run("git cpv push").err == "everything is up to date\n"
    assert ben.run("git cpv pull").err == (
        "everything is up to date\n"
        "data (5 files), metrics.log (1 file), model.bin (1 file) absent by choice "
        "(git cpv pull --all brings all)\n"
    )
    assert ben.fails("git cpv tag", code=1).startswith("already v0.1")
    ben.ok("git cpv pull -q model.bin")
    assert (ben.read("model.bin"), ben.files("data")) == ("weights 1", {})
    ben.write("model.bin", "weights 2")
    ben.ok("git cpv push -q --metric loss=0.1 && git cpv tag -q --push && git cpv revert -q v0.1 --push")
    assert ben.read("model.bin") == "weights 1"
    assert [line.count("loss") for line in ben.read("metrics.log").splitlines()] == [1, 1]
    assert ben.files("data") == {}
    assert states(ben)["data"] == ("not pulled", 5)
    ann.ok("git cpv pull -q")
    assert data(ann) == DATA


def test_a_part_is_brought_and_the_rest_stays_in_the_folder(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--no-objects")
    assert ben.run("git cpv pull data/train data/labels.csv").err == (
        "'data': 3 files changed; 10 B fetched and verified\n"
        "data (2 of 5 files) absent by choice (git cpv pull --all brings all)\n"
        "dvc status calls a folder in part modified; do not dvc add or dvc commit it\n"
    )
    part = {path: DATA[path] for path in DATA if not path.startswith("data/raw")}
    assert data(ben) == part
    assert ben.ok("git cpv status").splitlines()[2] == (
        "data   data         in step      26 B  2 of 5 files absent by choice"
    )
    ben.write("data/train/3.png", "three")
    assert ben.run("git cpv push --dry-run").out.splitlines()[0] == "would record data: 6 files, 31 B"
    said = ben.run("git cpv push -m 'one more'").masked.err
    assert said.startswith("data: 6 files (2 of them absent here), 31 B; ")
    assert "in 2 objects stored and confirmed" in said
    ben.write("data/train/1.png", "one changed")
    (ben.cwd / "data/labels.csv").unlink()
    ben.ok("git cpv push -q")
    assert states(ben)["data"] == ("in step", 2)
    ann.ok("git cpv pull -q")
    assert data(ann) == {
        "data/train/1.png": "one changed",
        "data/train/2.png": "two",
        "data/train/3.png": "three",
        "data/raw/1.wav": "long one",
        "data/raw/2.wav": "long two",
    }


def test_a_push_from_a_part_is_that_from_the_whole(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--include", "data/train/", "--include", "model.bin")
    assert data(ben) == {"data/train/1.png": "one", "data/train/2.png": "two"}
    for each in (ann, ben):
        each.git("switch", "-q", "-c", each.cwd.name)
        each.write("data/train/3.png", "three")
        each.write("data/raw/1.wav", "another one")
        each.ok("rm data/train/2.png && git cpv push -q")
    assert pointer(ben) == pointer(ann)


def test_a_file_in_the_place_of_an_absent_one_replaces_it(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--exclude", "raw/")
    assert states(ben)["data"] == ("in step", 2)
    ben.write("data/raw/1.wav", "my own one")
    assert states(ben)["data"] == ("modified", 1)
    ben.ok("git cpv push -q")
    ann.ok("git cpv pull -q")
    assert data(ann) == {**DATA, "data/raw/1.wav": "my own one"}
    assert "  size: 28\n" in pointer(ben)
    (ben.cwd / "data/raw/1.wav").unlink()
    ben.ok("git cpv push -q")
    ann.ok("git cpv pull -q")
    assert data(ann) == {path: DATA[path] for path in DATA if path != "data/raw/1.wav"}
    assert "  size: 18\n" in pointer(ben)


def test_files_put_into_a_folder_that_is_not_here_join_it(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--no-objects")
    ben.write("data/train/3.png", "three")
    ben.write("data/train/1.png", "first")
    before = ben.files(".git/cpv")["partial.json"]
    assert ben.ok("git cpv push --dry-run").splitlines()[0] == "would record data: 6 files, 33 B"
    assert ben.files(".git/cpv")["partial.json"] == before
    assert "bases.json" not in ben.files(".git/cpv")
    ben.ok("git cpv push -q")
    assert states(ben)["data"] == ("in step", 4)
    ann.ok("git cpv pull -q")
    assert data(ann) == {**DATA, "data/train/3.png": "three", "data/train/1.png": "first"}
    assert "  size: 33\n" in pointer(ann)


def test_what_changes_upstream_stays_absent(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--exclude", "raw/")
    ann.write("data/raw/1.wav", "longer one")
    ann.write("data/raw/3.wav", "long three")
    ann.write("data/train/2.png", "second")
    ann.ok("rm data/raw/2.wav && git cpv push -q")
    assert ben.run("git cpv pull").err.splitlines() == [
        "1 commit from origin; 'data': 1 file changed; 6 B fetched and verified",
        "data (2 of 5 files) absent by choice (git cpv pull --all brings all)",
        "dvc status calls a folder in part modified; do not dvc add or dvc commit it",
    ]
    assert states(ben)["data"] == ("in step", 2)
    assert ben.read("data/train/2.png") == "second"
    ben.write("data/labels.csv", "1,2,3\n")
    ben.ok("git cpv push -q")
    ann.ok("git cpv pull -q")
    assert data(ann) == {
        "data/train/1.png": "one",
        "data/train/2.png": "second",
        "data/raw/1.wav": "longer one",
        "data/raw/3.wav": "long three",
        "data/labels.csv": "1,2,3\n",
    }
    ben.ok("git cpv pull -q --all")
    assert data(ben) == data(ann)
    assert states(ben)["data"] == ("in step", 0)
    assert not (ben.cwd / ".git/cpv/partial.json").exists()
    assert list((ben.cwd / ".git/cpv/partial").iterdir()) == []


def test_behind_and_conflict_are_what_they_are_for_whole_folders(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--include", "train/", "--include", "model.bin")
    ann.write("data/raw/1.wav", "longer one")
    ann.ok("git cpv push -q")
    ben.git("pull", "-q")
    assert states(ben)["data"] == ("behind", 3)
    assert "'data' is behind its pointer" in ben.fails("git cpv push")
    ben.write("data/train/3.png", "three")
    assert states(ben)["data"] == ("conflict", 3)
    assert "would be overwritten" in ben.fails("git cpv pull")
    ben.ok("git cpv pull -q --force")
    assert states(ben)["data"] == ("in step", 3)
    assert data(ben) == {"data/train/1.png": "one", "data/train/2.png": "two"}
    (kept,) = (ben.cwd / ".git/cpv/kept").rglob("3.png")
    assert kept.read_text() == "three"


def test_more_is_brought_beside_unsaved_work(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--include", "train/")
    ben.write("data/train/3.png", "three")
    said = ben.run("git cpv pull data/raw/2.wav").err
    assert said.startswith("'data': 1 file changed; 8 B fetched and verified\nleft as changed here: 'data'\n")
    assert data(ben) == {
        "data/train/1.png": "one",
        "data/train/2.png": "two",
        "data/train/3.png": "three",
        "data/raw/2.wav": "long two",
    }
    ben.ok("git cpv push -q")
    ann.ok("git cpv pull -q")
    assert data(ann) == {**DATA, "data/train/3.png": "three"}


def test_revert_keeps_to_the_choice(ann: Shell, shell: Shell) -> None:
    ann.write("data/raw/1.wav", "longer one")
    ann.write("data/train/2.png", "second")
    ann.ok("git cpv push -q && git cpv tag -q --data --push")
    ben = clone(shell, "--exclude", "raw/")
    ben.ok("git cpv revert -q --data v0.1 --push")
    assert data(ben) == {path: DATA[path] for path in DATA if not path.startswith("data/raw")}
    assert states(ben)["data"] == ("in step", 2)
    ann.ok("git cpv pull -q")
    assert data(ann) == DATA
    ben.ok("git cpv revert -q --data v0.2 && git cpv revert -q --detach v0.1")
    assert states(ben)["data"] == ("in step", 2)
    ben.ok("git switch -q main && git cpv pull -q --all")
    assert data(ben) == {**DATA, "data/raw/1.wav": "longer one", "data/train/2.png": "second"}


def test_remove_takes_absent_files_out(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--exclude", "raw/")
    assert ben.fails("git cpv push --remove data/train") == (
        "error: 'data/train' is in the worktree: 'data/train/1.png' and 'data/train/2.png'\n"
        "hint: delete what is there, and git cpv push records that"
    )
    assert ben.fails("git cpv push --remove data/raw/9.wav") == (
        "error: 'data/raw/9.wav' is no file or folder of 'data'\nhint: git cpv status"
    )
    assert ben.fails("git cpv push --remove model.bin") == (
        "error: 'model.bin' lies in no out\n"
        "hint: git cpv untrack lets an out go; --remove takes files out of one"
    )
    assert ben.ok("git cpv push -n --remove data/raw").splitlines()[0] == "would record data: 3 files, 10 B"
    ben.at("data").ok("git cpv push -q --remove raw/1.wav")
    assert states(ben)["data"] == ("in step", 1)
    ann.ok("git cpv pull -q")
    assert data(ann) == {path: DATA[path] for path in DATA if path != "data/raw/1.wav"}
    assert "  size: 18\n" in pointer(ann)
    ben.ok("git cpv push -q --remove data/raw")
    assert states(ben)["data"] == ("in step", 0)
    shell.ok("git clone -q origin.git plain")
    plain = shell.at("plain")
    plain.ok("git cpv push -q --remove data/train")
    ann.ok("git cpv pull -q")
    assert data(ann) == {"data/labels.csv": "1,2\n"}
    assert states(plain)["data"] == ("in step", 1)
    plain.ok("git cpv pull -q")
    assert data(plain) == data(ann)


def test_a_version_in_part_in_a_folder_of_its_own(ann: Shell) -> None:
    said = ann.run("git cpv pull v0.1 -o ../out --include data/train/ --include '*.bin' --exclude '2.*'").err
    assert said.endswith("; 4 files left out\n")
    out = ann.at("../out")
    assert sorted(out.files()) == ["data/train/1.png", "model.bin"]
    ann.ok("git cpv pull -q v0.1 -o ../out --include 'data/raw/'")
    assert sorted(out.files()) == [
        "data/raw/1.wav",
        "data/raw/2.wav",
        "data/train/1.png",
        "model.bin",
    ]


def test_patterns_that_mean_nothing_are_told(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--no-objects")
    assert ben.fails("git cpv pull --include 'train/*.png'") == (
        "error: no file matches 'train/*.png'\n"
        "hint: patterns begin at the top of the repository: 'data/train/*.png'"
    )
    assert ben.fails("git cpv pull data/trian") == (
        "error: 'data/trian' is no file or folder of 'data'\nhint: git cpv pull data"
    )
    assert ben.fails("git cpv pull --include '#'", code=129) == (
        "error: '#' is not a pattern\nhint: as in .gitignore: 'data/raw/', '*.png'"
    )
    assert ben.fails("git cpv pull --all --exclude '*.png'", code=129) == (
        "error: --all brings everything, and patterns leave something out\nhint: give one of them"
    )
    assert states(ben)["data"] == ("not pulled", 5)
    ben.ok("git cpv pull -q .")
    assert data(ben) == DATA
    assert not (ben.cwd / ".git/cpv/partial.json").exists()


def test_a_version_is_not_taken_for_a_path(ann: Shell) -> None:
    assert ann.run("git cpv pull data/v0.1").err == "v0.1: 'data' in the cache; the worktree is as it was\n"


def test_a_damaged_record_deletes_nothing(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--exclude", "raw/")
    (rows,) = (ben.cwd / ".git/cpv/partial").iterdir()
    rows.write_bytes(rows.read_bytes()[:-1])
    assert states(ben)["data"] == ("in step", 2)
    ben.ok("rm -r .dvc/cache")
    assert "can't be read" in ben.fails("git cpv status")
    ben.ok("git cpv pull -q data/labels.csv")
    ben.write("data/train/3.png", "three")
    ben.ok("git cpv push -q")
    ann.ok("git cpv pull -q")
    assert data(ann) == {**DATA, "data/train/3.png": "three"}
    record = ben.write(".git/cpv/partial.json", "{")
    for command in ("status", "push", "pull"):
        assert "which tells which files are left out here, can't be read" in ben.fails(f"git cpv {command}")
    record.unlink()
    ben.ok("git cpv pull -q --force")
    assert data(ben) == data(ann)


def test_untrack_forgets_what_was_left_out(ann: Shell, shell: Shell) -> None:
    ben = clone(shell, "--exclude", "raw/")
    ben.ok("git cpv untrack -q data && git cpv track -q --data data")
    assert states(ben)["data"] == ("new", 0)
