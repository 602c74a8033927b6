"""list: what it shows, in which order, and what can be asked of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

MD5_OF_2 = "a27a484d97e2d92d80f8bebe34f2cbbe"
DATE = "2026-03-01T12:00:00+0200"


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """Three model versions, the second combined with a data version; nothing is published."""
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo", GIT_COMMITTER_DATE=DATE, GIT_AUTHOR_DATE=DATE)
    shutil.rmtree(repo.cwd / "data")
    repo.write("data/train.csv", "1" * 100)
    for number, options in (
        (1, "--metric loss=0.245 --metric accuracy=0.8"),
        (2, "--metric loss=0.231 --metric accuracy=0.9"),
        (3, "--metric loss=0.31"),
    ):
        repo.write("model.bin", f"weights {number}")
        repo.ok(f"git cpv push -q -m 'training {number}' {options}")
        repo.ok("git cpv tag" if number != 2 else "git cpv tag --combined -m 'both at once'")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo", GIT_COMMITTER_DATE=DATE, GIT_AUTHOR_DATE=DATE)


def numbers(repo: Shell, options: str) -> list[str]:
    return repo.ok(f"git cpv list {options} --format '%(tag)'").split()


def test_the_whole_table(repo: Shell) -> None:
    repo.git("switch", "-q", "--detach", "v0.2")
    done = repo.run("git cpv list")
    assert (done.code, done.err) == (0, "")
    assert [line.rstrip() for line in done.out.replace("  Ada Lovelace  ", " ").splitlines()] == [
        "v0.3       2026-03-01   9 B  loss=0.31                pending, other branch  training 3",
        "v0.2       2026-03-01   9 B  accuracy=0.9 loss=0.231  pending                both at once",
        "v0.1       2026-03-01   9 B  accuracy=0.8 loss=0.245  pending                training 1",
        "data/v0.2  2026-03-01 100 B                           pending                both at once",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "v0.3 v0.2 v0.1 data/v0.2"),
        ("--model", "v0.3 v0.2 v0.1"),
        ("--data", "data/v0.2"),
        ("--combined", "v0.3 v0.2 v0.1 data/v0.2"),
        ("-n 1", "v0.3 data/v0.2"),
        ("-n2 --model", "v0.3 v0.2"),
        ("--where 'loss < 0.3'", "v0.2 v0.1"),
        ("--where 'loss < 0.3' --where accuracy=0.8", "v0.1"),
        ("--where 'loss<0.3, accuracy>0.85'", "v0.2"),
        ("--where 'nonesuch > 0'", ""),
        ("--sort loss", "v0.2 v0.1 v0.3 data/v0.2"),
        ("--sort -accuracy --model", "v0.2 v0.1 v0.3"),
        ("--best loss", "v0.2"),
        ("--best accuracy -n 5", "v0.2 v0.1"),
    ],
)
def test_what_is_asked(repo: Shell, options: str, expected: str) -> None:
    assert numbers(repo, options) == expected.split()


def test_a_goal_decides_what_is_best(repo: Shell) -> None:
    repo.git("config", "cpv.metric.loss.goal", "max")
    assert numbers(repo, "--best loss") == ["v0.3"]
    error = repo.fails("git cpv list --best latency")
    assert error == (
        "error: whether a lower or a higher 'latency' is better is not known\n"
        "hint: git config cpv.metric.latency.goal min, or max"
    )


def test_the_metric_that_was_asked_for_is_shown_first(repo: Shell) -> None:
    assert "  loss=0.231 accuracy=0.9  " in repo.ok("git cpv list --sort loss").splitlines()[0]


def test_formats(repo: Shell) -> None:
    form = "%(version) %(series) %(date) %(isodate) %(author) <%(email)> %(size) %(metrics:loss)%0a100%%"
    assert repo.ok(["git", "cpv", "list", "-n1", "--model", "--format", form]) == (
        "v0.3 model 2026-03-01 2026-03-01T12:00:00+02:00 Ada Lovelace <ada@example.org> 9 0.31\n100%"
    )
    assert repo.ok("git cpv list -n1 --model --format '%(metrics)|%(params:lr)|%(data)|%(pending)'") == (
        "loss=0.31||v0.2|pending"
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--where 'loss < low'", "error: 'loss < low' is no comparison of a metric with a number"),
        ("--where loss", "error: 'loss' is no comparison of a metric with a number"),
        ("--format '%(nonesuch)'", "error: a format has no field 'nonesuch'"),
        ("--format '50%'", "error: a '%' in a format begins %(field), %0a, or is typed %%"),
        ("-n 0", "error: argument -n/--count: '0' is not a whole number above 0"),
        ("--sort loss --best loss", "error: argument --best: not allowed with argument --sort"),
    ],
)
def test_wrong_usage(repo: Shell, options: str, error: str) -> None:
    assert repo.fails(f"git cpv list {options}", 129).splitlines()[0] == error


def test_json(repo: Shell) -> None:
    told = json.loads(repo.ok("git cpv list --json"))
    assert told["schema"] == 1
    second = told["versions"][1]
    assert second.pop("commit") == repo.git("rev-parse", "v0.2^{commit}")
    assert second.pop("code") == {"commit": repo.git("rev-parse", "v0.2~1"), "uncommitted": 0}
    assert second == {
        "version": "v0.2",
        "series": "model",
        "tag": "v0.2",
        "pending": True,
        "aliases": [],
        "on_branch": True,
        "author": "Ada Lovelace",
        "email": "ada@example.org",
        "date": "2026-03-01T12:00:00+02:00",
        "message": "both at once",
        "size": 9,
        "metrics": {"loss": 0.231, "accuracy": 0.9},
        "params": {},
        "data": {"md5": repo.read("data.dvc").split()[3], "version": "v0.2"},
        "with": "data/v0.2",
        "outs": [{"path": "model.bin", "md5": MD5_OF_2, "size": 9, "nfiles": None}],
    }


def test_no_versions_yet(shell: Shell) -> None:
    shell.ok("git cpv init -q --team t --model m repo")
    done = shell.at("repo").run("git cpv list")
    assert (done.code, done.out, done.err) == (0, "", "there are no versions yet (git cpv tag makes one)\n")


def test_a_hostile_tag_is_text(repo: Shell) -> None:
    commit = repo.git("rev-parse", "HEAD")
    body = (
        f"object {commit}\ntype commit\ntag v6.6\ntagger \x1b[31mEve\u202e <e@x> 99999999999999 +0000\n\n"
        'hello\x1b]0;owned\x07\n\nCpv-Version: v6.6\nCpv-Metrics: {"lo\\u001b[1mss": 1e999}\n'
        "Cpv-Out: ../../etc/passwd md5=zzz\n"
    )
    tag = repo.ok("git hash-object -t tag -w --literally --stdin", stdin=body)
    repo.git("update-ref", "refs/tags/v6.6", tag)
    formatted = "list --format '%(author)%(message)'"
    for command in ("list", "list --json", "show v6.6", "diff v0.1 v6.6", formatted):
        done = repo.run(f"git cpv {command}")
        assert "\x1b" not in done.out + done.err and "\u202e" not in done.out + done.err
        assert done.code in (0, 1), str(done)
    assert repo.ok("git cpv list --model -n1").startswith("v6.6 ")


def test_old_versions_stay_listed_without_the_network(repo: Shell) -> None:
    repo.git("config", "cpv.storage", "/nonexistent")
    assert numbers(repo, "--model") == ["v0.3", "v0.2", "v0.1"]
