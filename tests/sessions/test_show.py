"""show: one version whole, and the many ways to name it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

DATE = "2026-03-01T12:00:00+0200"
MODEL_MD5 = "fdd830aff05f4fbfdc76b43a77050d13"


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """One model version v0.1, two data versions; the model folder has been pushed once."""
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo", GIT_COMMITTER_DATE=DATE, GIT_AUTHOR_DATE=DATE)
    repo.write("data/train/a.csv", "1\n")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q -m baseline --metric loss=0.245 --param lr=0.1 --param name=größe")
    repo.ok("git cpv tag -m 'the first' -m 'Trained overnight.'")
    repo.ok("git cpv tag --data")
    repo.write("data/train/b.csv", "2\n")
    repo.ok("git cpv push -q --data -m 'more data'")
    repo.ok("git cpv tag --data")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo", GIT_COMMITTER_DATE=DATE, GIT_AUTHOR_DATE=DATE)


def test_a_model_version(repo: Shell) -> None:
    shown = repo.ok("git cpv show v0.1")
    commit, code = repo.git("rev-parse", "v0.1^{commit}"), repo.git("rev-parse", "v0.1~1")
    data = repo.git("show", "v0.1:data.dvc").split()[3]
    time = json.loads(repo.git("show", "v0.1:checkpoint.json"))["time"]
    assert shown == (
        "version v0.1 (pending)\n"
        "tagger  Ada Lovelace <ada@example.org>\n"
        "date    2026-03-01 12:00:00 +0200\n"
        f"commit  {commit}\n"
        "\n"
        "    the first\n"
        "\n"
        "    Trained overnight.\n"
        "\n"
        "metrics\n"
        "  loss  0.245\n"
        "params\n"
        "  lr    0.1\n"
        "  name  größe\n"
        f"code    {code}\n"
        f"data    no version ({data})\n"
        f"pushed  {time}\n"
        "\n"
        "outs\n"
        f"  model.bin  9 B    {MODEL_MD5}"
    )


def test_a_data_version(repo: Shell) -> None:
    shown = repo.ok("git cpv show --data v0.2")
    assert shown.startswith("version data/v0.2 (pending)\n")
    assert shown.splitlines()[-1].split()[0] == "data"
    assert "metrics" not in shown
    assert repo.ok("git cpv show data/v0.2") == shown
    assert repo.ok("git cpv show --data latest") == shown


def test_a_commit_without_a_model_version(repo: Shell) -> None:
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q -m 'second' --metric loss=0.2")
    shown = repo.ok("git cpv show")
    head = repo.git("rev-parse", "HEAD")
    assert shown.startswith(f"commit  {head}\nauthor  Ada Lovelace <ada@example.org>\n")
    assert [line.split()[0] for line in shown.splitlines()[-2:]] == ["data", "model.bin"]
    assert repo.ok("git cpv show HEAD~1 --model").startswith("commit  ")
    assert repo.ok("git cpv show HEAD~1").startswith("version data/v0.2 ")


def test_an_alias_names_its_highest_setting(repo: Shell) -> None:
    for turn, target in ((1, "v0.1"), (9, "data/v0.2"), (10, "v0.1"), (2, "data/v0.2")):
        said = f"Cpv-Alias: production/{turn}\nCpv-Target: {target}"
        repo.git("tag", "-a", "-m", said, f"alias/production/{turn}", f"{target}^{{commit}}")
    assert repo.ok("git cpv show production") == repo.ok("git cpv show v0.1")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("v0.2 --model", "no model version or revision 'v0.2'\nhint: nearest: 'v0.1'; git cpv list"),
        ("v0.11", "no version or revision 'v0.11'\nhint: nearest: 'v0.1' and 'data/v0.1'; git cpv list"),
        ("0.1", "no version or revision '0.1'\nhint: nearest: 'v0.1' and 'data/v0.1'; git cpv list"),
        ("lates", "no version or revision 'lates'\nhint: nearest: 'latest'; git cpv list shows all"),
        ("zzzzzz", "no version or revision 'zzzzzz'\nhint: git cpv list shows the versions"),
        ("-- --exec=x", "no version or revision '--exec=x'\nhint: git cpv list shows the versions"),
        ("$(printf 'a\\033[31mb')", "no version or revision 'a\\x1b[31mb'\nhint: "),
        ("v0.1..v0.2", "no version or revision 'v0.1..v0.2'\nhint: "),
        ("HEAD:model.bin.dvc", "no version or revision 'HEAD:model.bin.dvc'\nhint: "),
        ("HEAD~2", "'HEAD~2' names no checkpoint: its commit has no pointers"),
    ],
)
def test_what_is_no_version(repo: Shell, words: str, error: str) -> None:
    assert repo.fails(f"git cpv show {words}").startswith(f"error: {error}")


def test_a_number_of_the_other_series_is_not_meant(repo: Shell) -> None:
    repo.ok("git cpv tag -f v0.7")
    error = repo.fails("git cpv show --data v0.7")
    assert error.startswith("error: no data version or revision 'v0.7'\n")
    assert repo.ok("git cpv show v0.2").startswith("version data/v0.2 ")


def test_no_versions_at_all(shell: Shell) -> None:
    shell.ok("git cpv init -q --team t --model m repo")
    error = shell.at("repo").fails("git cpv show latest")
    assert error == "error: there are no versions yet\nhint: git cpv tag"


def test_a_manifest_that_differs_from_the_pointers_is_an_error(repo: Shell) -> None:
    forged = repo.git("cat-file", "tag", "v0.1").replace(MODEL_MD5, "0" * 32) + "\n"
    tag = repo.ok("git mktag", stdin=forged)
    repo.git("update-ref", "refs/tags/v0.1", tag)
    done = repo.run("git cpv show v0.1")
    assert done.code == 1
    assert done.err == "warning: the manifest of v0.1 differs from its commit's pointers: 'model.bin'\n"
    assert done.out.splitlines()[-1] == f"  model.bin  9 B    {MODEL_MD5}", "the pointer is the truth"


def test_json(repo: Shell) -> None:
    told = json.loads(repo.ok("git cpv show v0.1 --json"))
    assert told["schema"] == 1
    assert (told["version"], told["series"], told["tag"]) == ("v0.1", "model", "v0.1")
    assert told["metrics"] == {"loss": 0.245} and told["params"] == {"lr": 0.1, "name": "größe"}
    assert told["code"] == {"commit": repo.git("rev-parse", "v0.1~1"), "uncommitted": []}
    assert told["committed"]["message"] == "baseline\n"
    assert told["outs"] == [
        {"path": "model.bin", "md5": MODEL_MD5, "size": 9, "nfiles": None, "series": "model"}
    ]
    assert told["mismatches"] == []


def test_a_broken_checkpoint_file_is_named(repo: Shell) -> None:
    repo.write("checkpoint.json", "{broken")
    repo.git("commit", "-q", "-am", "break it")
    error = repo.fails("git cpv show HEAD")
    assert error.startswith("error: line 1 of 'checkpoint.json' is not JSON")


def test_a_shallow_clone_shows_what_it_has(repo: Shell) -> None:
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.cwd}", "../shallow")
    shallow = repo.at("../shallow")
    assert shallow.ok("git cpv show HEAD").startswith(("version ", "commit "))
    assert shallow.run("git cpv list").code == 0
