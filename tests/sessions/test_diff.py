"""diff: metrics, parameters and files of two versions, or of one and the worktree."""

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
    """A model that is a folder, and data; two versions of the model, the second combined with the data's."""
    shell.write("repo/ckpt/config.json", "{}")
    shell.write("repo/ckpt/shard 1.bin", b"1" * 5000)
    shell.write("repo/ckpt/shard 2.bin", b"2" * 5000)
    shell.write("repo/ckpt/vocab.txt", "a b c")
    shell.git("init", "-q", "repo")
    repo = shell.at("repo")
    repo.write("train.py", "print()\n")
    repo.git("add", "train.py")
    repo.git("commit", "-q", "-m", "code")
    repo.ok("git cpv init -q --team AI-Convo --model whisper")
    repo.ok("git cpv track -q ckpt")
    repo.write("data/a.csv", "1\n")
    repo.ok("git cpv track -q --data data")
    repo.ok("git cpv push -q -m first --metric loss=0.245 --metric acc=0.9 --param lr=0.1")
    repo.ok("git cpv tag")
    (repo.cwd / "ckpt/vocab.txt").rename(repo.cwd / "ckpt/words.txt")
    (repo.cwd / "ckpt/config.json").unlink()
    repo.write("ckpt/shard 2.bin", b"3" * 5000)
    repo.write("ckpt/shard 3.bin", b"4" * 5000)
    repo.write("data/b.csv", "2\n")
    repo.ok("git cpv push -q -m second --metric loss=0.231 --metric acc=0.9 --param lr=0.05 --param w=true")
    repo.ok("git cpv tag v0.2 --combined")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


WHOLE = """\
metrics
  loss  0.245 -> 0.231  -0.014
params
  lr  0.1 -> 0.05     -0.05
  w   (none) -> true
model: 3 of 4 files changed, 1 file removed, 9.8 KiB new
  D  ckpt/config.json
  M  ckpt/shard 2.bin
  A  ckpt/shard 3.bin
  R  ckpt/vocab.txt -> ckpt/words.txt
data: 1 of 2 files changed, 2 B new
  A  data/b.csv"""


def test_two_versions(repo: Shell) -> None:
    assert repo.ok("git cpv diff v0.1 v0.2") == WHOLE
    assert repo.ok("git cpv diff v0.1..v0.2") == WHOLE
    assert repo.ok("git cpv diff v0.1..") == WHOLE
    assert repo.ok("git cpv diff v0.1") == WHOLE, "the worktree is what v0.2 names"
    assert repo.at("ckpt").ok("git cpv diff v0.1 latest") == WHOLE


def test_one_series(repo: Shell) -> None:
    lines = WHOLE.splitlines()
    assert repo.ok("git cpv diff --model v0.1 v0.2").splitlines() == lines[:-2]
    assert repo.ok("git cpv diff --data HEAD~1 v0.2").splitlines() == lines[-2:]
    assert repo.ok("git cpv diff --combined v0.1 v0.2").splitlines() == lines


def test_two_data_versions_are_compared_as_data(repo: Shell) -> None:
    repo.write("data/c.csv", "3\n")
    repo.write("ckpt/shard 1.bin", b"9")
    repo.ok("git cpv push -q -m third")
    repo.ok("git cpv tag --data")
    found = repo.ok("git cpv diff data/v0.2 data/v0.3")
    assert found == "data: 1 of 3 files changed, 2 B new\n  A  data/c.csv"


def test_the_worktree(repo: Shell) -> None:
    done = repo.run("git cpv diff")
    assert (done.code, done.out, done.err) == (0, "", "v0.2 and worktree are the same\n")
    repo.write("ckpt/shard 1.bin", b"9" * 100)
    repo.write("metrics.log", repo.read("metrics.log") + '{"epoch": 3, "loss": 0.2}\n')
    assert repo.ok("git cpv diff") == (
        "metrics\n"
        "  acc    0.9 -> (none)\n"
        "  epoch  (none) -> 3\n"
        "  loss   0.231 -> 0.2   -0.031\n"
        "model: 1 of 4 files changed\n"
        "  M  ckpt/shard 1.bin"
    )
    assert "shard 1.bin" not in repo.ok("git cpv diff v0.1 HEAD")


def test_exit_codes(repo: Shell) -> None:
    assert repo.run("git cpv diff -q --exit-code v0.1 v0.2").code == 1
    same = repo.run("git cpv diff -q --exit-code v0.2 HEAD")
    assert (same.code, same.out, same.err) == (0, "", "")


def test_markdown_for_a_pull_request(repo: Shell) -> None:
    assert repo.ok("git cpv diff v0.1 v0.2 --markdown") == (
        "### `v0.1` → `v0.2`\n"
        "\n"
        "| metric | `v0.1` | `v0.2` | change |\n"
        "|---|---:|---:|---:|\n"
        "| `loss` | `0.245` | `0.231` | -0.014 |\n"
        "\n"
        "| parameter | `v0.1` | `v0.2` | change |\n"
        "|---|---:|---:|---:|\n"
        "| `lr` | `0.1` | `0.05` | -0.05 |\n"
        "| `w` |  | `true` |  |\n"
        "\n"
        "**model**: 3 of 4 files changed, 1 file removed, 9.8 KiB new\n"
        "\n"
        "- removed `ckpt/config.json`\n"
        "- changed `ckpt/shard 2.bin`\n"
        "- added `ckpt/shard 3.bin`\n"
        "- renamed `ckpt/vocab.txt` → `ckpt/words.txt`\n"
        "\n"
        "**data**: 1 of 2 files changed, 2 B new\n"
        "\n"
        "- added `data/b.csv`"
    )
    assert repo.ok("git cpv diff HEAD v0.2 --markdown").endswith("\n\nNo differences.")


def test_markup_in_names_is_not_read(repo: Shell) -> None:
    repo.write("ckpt/<b>`|@all.txt", "x")
    repo.ok(["git", "cpv", "push", "-q", "--metric", "a|b`<i>=1"])
    page = repo.ok("git cpv diff --model v0.2.. --markdown")
    assert "| `` a\\|b`<i> `` |  | `1` |  |" in page
    assert "- added `` ckpt/<b>`\\|@all.txt ``" in page


def test_json(repo: Shell) -> None:
    told = json.loads(repo.ok("git cpv diff v0.1 v0.2 --json"))
    assert told["schema"] == 1 and told["differs"] is True
    commit = repo.git("rev-parse", "v0.1^{commit}")
    assert told["before"] == {"name": "v0.1", "commit": commit, "version": "v0.1"}
    assert told["metrics"]["loss"]["before"] == 0.245 and told["metrics"]["loss"]["after"] == 0.231
    assert told["params"]["w"] == {"after": True}
    model = told["series"]["model"]
    assert (model["n_files"], model["size_before"], model["size_after"]) == (4, 10007, 15005)
    assert model["new_bytes"] == 10000
    assert [file["change"] for file in model["files"]] == ["removed", "changed", "added", "renamed"]
    here = json.loads(repo.ok("git cpv diff --json"))["after"]
    assert here == {"name": "worktree", "commit": None, "version": None}


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ("a b c", 129, "error: two versions are compared, not more"),
        ("v0.1...v0.2", 129, "error: 'v0.1...v0.2' has three dots"),
        ("v0.1 v0.9", 128, "error: no version or revision 'v0.9'"),
        ("v0.1 -- --output=x", 128, "error: no version or revision '--output=x'"),
    ],
)
def test_bad_input(repo: Shell, words: str, code: int, error: str) -> None:
    assert repo.fails(f"git cpv diff {words}", code).splitlines()[0] == error


def test_a_listing_that_the_cache_lacks_is_fetched(repo: Shell) -> None:
    for listing in (repo.cwd / ".dvc/cache").rglob("*.dir"):
        listing.unlink()
    files = [line for line in repo.ok("git cpv diff v0.1 v0.2").splitlines() if line.startswith("  M")]
    assert files == ["  M  ckpt/shard 2.bin"]
