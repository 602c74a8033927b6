"""Files that people edit and break: pointers, .cpvconfig, metrics.log, checkpoint.json, files of numbers."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import pytest

from harm import unharmed
from shell import Shell

BACK = "hint: git checkout HEAD -- model.bin.dvc brings the committed one back"
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as a pointer: it is empty"),
        (b"{{{", "cannot be read as a pointer: line 1: expected the node content, but found '<stream end>'"),
        (b"\xff\xfe", "cannot be read as a pointer: it is not text in UTF-8"),
        (b"outs:\n- md5: 123\n  path: model.bin\n", "cannot be read as a pointer: '123' is not an md5"),
        (
            f"outs:\n- md5: {MD5}\n  size: -4\n  path: model.bin\n".encode(),
            "cannot be read as a pointer: '-4' is not a size",
        ),
        (
            f"outs:\n- md5: {MD5}\n  size: 4\n  path: ../model.bin\n".encode(),
            "names an out that cannot be: '../model.bin' has a component '..'",
        ),
        (b"x" * (1 << 20) + b"x", "cannot be read as a pointer: it is larger than 1 MiB"),
    ],
    ids=range(7),
)
def test_a_broken_pointer(repo: Shell, content: bytes, said: str) -> None:
    repo.write("model.bin.dvc", content)
    with unharmed(repo):
        for command in ("push", "pull", "status"):
            assert repo.fails(f"git cpv {command}") == f"error: 'model.bin.dvc' {said}\n{BACK}"
    repo.ok("git checkout HEAD -- model.bin.dvc && git cpv push")


def test_a_broken_pointer_that_was_committed(repo: Shell) -> None:
    """The versions before it stay in reach."""
    repo.write("model.bin.dvc", "broken: [\n")
    repo.git("commit", "-qam", "break it")
    came = repo.git("rev-parse", "--short", "HEAD")
    back = f"git checkout {came}^ -- model.bin.dvc"
    said = (
        "error: 'model.bin.dvc' cannot be read as a pointer: line 2: expected the node content, but found "
        f"'<stream end>'\nhint: it came with {came}; the one before: {back}"
    )
    with unharmed(repo):
        for command in ("push", "pull", "status", "tag --force", "show", "diff"):
            assert repo.fails(f"git cpv {command}") == said
        assert "v0.1" in repo.ok("git cpv list")
        assert "loss  0.5" in repo.ok("git cpv show v0.1")
    repo.ok(f"{back} && git commit -qm mended && git cpv push")
    assert repo.fails(f"git cpv show {came}").endswith("\nhint: git cpv list shows the other versions")


@pytest.mark.parametrize("text", ["[{1}, {0}]", " [\n {0} , {1} ]\n"], ids=["order", "space"])
def test_a_listing_that_another_program_wrote(repo: Shell, text: str) -> None:
    """Read as DVC reads it: the files come, and are a change until they are pushed, for DVC names the folder
    by a listing of its own."""
    storage = Path(json.loads(repo.ok("git cpv storage show --json"))["url"])
    rows = []
    for name in ("a", "b"):
        oid = hashlib.md5(name.encode()).hexdigest()
        repo.write(f"{storage}/files/md5/{oid[:2]}/{oid[2:]}", name)
        rows.append(json.dumps({"md5": oid, "relpath": name}))
    listing = text.format(*rows)
    oid = hashlib.md5(listing.encode()).hexdigest()
    repo.write(f"{storage}/files/md5/{oid[:2]}/{oid[2:]}.dir", listing)
    repo.write("data.dvc", f"outs:\n- md5: {oid}.dir\n  size: 2\n  nfiles: 2\n  hash: md5\n  path: data\n")
    repo.ok(
        "git add -f data.dvc && git commit -qm 'by another program' && git clone -q . ../other.git --bare"
    )
    repo.ok("git cpv clone -q ../other.git ../clone")
    clone = repo.at("../clone")
    assert clone.files("data") == {"a": b"a", "b": b"b"}
    assert "data   data         modified" in clone.ok("git cpv status")
    clone.ok("git cpv push -q")
    assert "data   data         in step" in clone.ok("git cpv status")
    clone.write("data/a", "other")
    clone.ok("git cpv push -q && git cpv revert -q --data HEAD~2 && git cpv revert -q --data HEAD~1")
    assert clone.files("data") == {"a": b"other", "b": b"b"}


def test_a_broken_pointer_that_is_new(repo: Shell) -> None:
    repo.write("more.dvc", "broken: [\n")
    repo.ok("git add more.dvc && git commit -qm 'break it'")
    came = repo.git("rev-parse", "--short", "HEAD")
    assert repo.fails("git cpv push").endswith(
        f"\nhint: it came with {came}; to be without it: git rm more.dvc"
    )
    repo.ok("git rm -q more.dvc && git commit -qm mended && git cpv push")


def test_a_pointer_that_is_gone_comes_back(repo: Shell) -> None:
    committed = repo.read("model.bin.dvc")
    (repo.cwd / "model.bin.dvc").unlink()
    assert repo.ok("git cpv push -n") == "would restore model.bin.dvc"
    assert repo.run("git cpv push").err == (
        "everything is up to date; no git remote\nrestored model.bin.dvc, as it was committed\n"
    )
    assert repo.read("model.bin.dvc") == committed
    assert repo.git("status", "--short") == ""


def test_a_pointer_that_names_nothing_keeps_what_else_it_says(repo: Shell) -> None:
    repo.write("model.bin.dvc", "# mine\nouts:\n- path: model.bin\n  hash: md5\n")
    repo.ok("git cpv push")
    assert repo.read("model.bin.dvc").startswith("# mine\nouts:\n- path: model.bin\n")
    assert "in step" in repo.ok("git cpv status")


def test_a_pointer_of_another_out(repo: Shell) -> None:
    repo.write("model.bin.dvc", f"outs:\n- md5: {MD5}\n  size: 4\n  hash: md5\n  path: other.bin\n")
    repo.write("model.bin", "weights 2")
    with unharmed(repo):
        assert repo.fails("git cpv push --metric loss=1") == (
            f"error: 'model.bin.dvc' has no out 'model.bin'\n{BACK}"
        )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("mkdir model.bin.dvc", "cannot read 'model.bin.dvc': is a directory"),
        ("ln -s data.dvc model.bin.dvc", "'model.bin.dvc' is a symbolic link, which a pointer may not be"),
    ],
)
def test_a_pointer_that_is_no_file(repo: Shell, make: str, said: str) -> None:
    repo.ok(f"rm model.bin.dvc && {make}")
    with unharmed(repo):
        for command in ("push", "pull", "status"):
            assert repo.fails(f"git cpv {command}") == (
                f"error: {said}\nhint: put it out of the way, then git checkout HEAD -- model.bin.dvc"
            )


SHOWN = "hint: correct it, or see what was last committed: git show HEAD:.cpvconfig"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[cpv\n", ".cpvconfig, line 1: not in git's configuration syntax"),
        (b"[cpv]\n\tteam = T\n\tmodel\n", ".cpvconfig, line 3: 'cpv.model' has no value"),
        (b'[cpv]\n\tteam = "T\n', ".cpvconfig, line 2: not in git's configuration syntax"),
        (b"\0\xff", ".cpvconfig, line 1: not in git's configuration syntax"),
        (b"<<<<<<< HEAD\n[cpv]\n", ".cpvconfig, line 1: not in git's configuration syntax"),
        (b'[cpv "model"]\n\tout = ../x\n', ".cpvconfig: cpv.model.out '../x' has a component '..'"),
        (b'[cpv "data"]\n\tout = .git/x\n', ".cpvconfig: cpv.data.out '.git/x' is inside git's own folder"),
    ],
    ids=range(7),
)
def test_a_broken_cpvconfig(repo: Shell, content: bytes, said: str) -> None:
    repo.write(".cpvconfig", content)
    with unharmed(repo):
        for command in ("push", "status", "init", "track x"):
            assert repo.fails(f"git cpv {command}") == f"error: {said}\n{SHOWN}"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("mkdir .cpvconfig", "it is no file"),
        ("mkfifo .cpvconfig", "it is no file"),
        ("ln -s README.md .cpvconfig", "it is a symbolic link"),
    ],
)
def test_a_cpvconfig_that_is_no_file(repo: Shell, make: str, said: str) -> None:
    repo.ok(f"rm .cpvconfig && {make}")
    for command in ("push", "status", "init"):
        assert repo.fails(f"git cpv {command}") == (
            f"error: cannot read '.cpvconfig': {said}\n"
            "hint: put it out of the way, then git checkout HEAD -- .cpvconfig"
        )


def test_names_that_can_not_be(repo: Shell) -> None:
    repo.write(".cpvconfig", "[cpv]\n\tteam = ../../etc\n\tmodel = m\n")
    assert repo.fails("git cpv init") == (
        "error: '../../etc' can't be a team name\n"
        "hint: use letters, digits, '.', '_' and '-', 64 at most, such as 'etc'"
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cpv.cache=some", "cpv.cache can't be 'some' (git config)\nhint: it is one of auto, copy, none"),
        ("cpv.jobs=many", "cpv.jobs can't be 'many' (git config)\nhint: it is a number from 1 to 1024"),
        (
            "cpv.limitRate=0",
            "cpv.limitRate can't be '0' (git config)\nhint: it is bytes a second, such as 500k, 10M or 1.5G",
        ),
        ("cpv.jobs=0", "cpv.jobs can't be '0' (git config)\nhint: it is a number from 1 to 1024"),
        ("cpv.remote=nope", "cpv.remote names no git remote: 'nope'\nhint: git remote -v"),
        (
            "cpv.tagPrefix=a..b",
            "'a..b' can't begin a tag's name\nhint: set cpv.tagPrefix to something like 'cpv/' or 'model-'",
        ),
    ],
)
def test_settings_that_can_not_be(repo: Shell, setting: str, said: str) -> None:
    repo.write("model.bin", "weights 2")
    command = "tag --force" if "tagPrefix" in setting else "push --metric loss=1"
    with unharmed(repo):
        assert repo.fails(f"git -c {setting} cpv {command}") == f"error: {said}"


LOG = "hint: correct or remove that line of 'metrics.log', or give the metrics with --metric"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"loss": }\n', f"line 2 of 'metrics.log' is not JSON\n{LOG}"),
        ('{"loss": 0.3', f"line 2 of 'metrics.log' is not JSON\n{LOG}"),
        ('ok\n\n{"loss": 0.3,}\n', f"line 4 of 'metrics.log' is not JSON\n{LOG}"),
        (
            '{"loss": NaN}\n',
            "metric 'loss' in line 2 of 'metrics.log' is not a finite number: nan\n"
            "hint: give the metrics with --metric, or correct 'metrics.log'",
        ),
        (
            '{"loss": 1e999}\n',
            "metric 'loss' in line 2 of 'metrics.log' is not a finite number: inf\n"
            "hint: give the metrics with --metric, or correct 'metrics.log'",
        ),
    ],
    ids=range(5),
)
def test_a_broken_line_in_the_log(repo: Shell, line: str, said: str) -> None:
    repo.write("model.bin", "weights 2")
    repo.write("metrics.log", repo.read("metrics.log") + line)
    with unharmed(repo):
        for command in ("push", "push -n"):
            assert repo.fails(f"git cpv {command}") == f"error: {said}"
    repo.ok("git cpv push --metric loss=0.25")
    assert line.rstrip("\n") in repo.read("metrics.log")


@pytest.mark.parametrize("line", ["epoch 1: loss 0.3\n", "[1, 2]\n", '{"loss": "low"}\n', "{}\n", "\n\n"])
def test_lines_that_hold_no_numbers_are_left_alone(repo: Shell, line: str) -> None:
    repo.write("model.bin", "weights 2")
    repo.write("metrics.log", repo.read("metrics.log") + line)
    assert repo.run("git cpv push").err.startswith(
        "warning: no metrics were given for this model (--metric loss=0.2)\nmodel: 1 file, 9 B; "
    )
    assert repo.read("metrics.log").endswith(line)


def test_a_log_that_is_no_file(repo: Shell) -> None:
    repo.write("model.bin", "weights 2")
    repo.ok("mv metrics.log kept && mkdir metrics.log")
    with unharmed(repo):
        assert repo.fails("git cpv push --metric loss=1") == (
            "error: cannot read 'metrics.log', the history of the metrics: is a directory\n"
            "hint: move what is there out of the way, then git cpv pull metrics.log"
        )
    repo.ok("rmdir metrics.log && git cpv pull -q metrics.log && cmp metrics.log kept && git cpv push -q")


NO_NUMBERS = ("", "low", "nan", "inf", "-inf", "1e400", "1,5", "0x10", "1_000", "true", "null", "\u0663")


def test_metrics_that_are_no_numbers(repo: Shell) -> None:
    for value in NO_NUMBERS:
        assert repo.fails(["git", "cpv", "push", "--metric", f"loss={value}"], 129) == (
            f"error: metric 'loss' is not a number: '{value}'\nhint: type it as in --metric loss=0.245"
        )
    for typed, shown in (("loss", "loss"), ("=1", "=1"), ("a\nb=1", "a\\nb=1"), ("\x1b[2J=1", "\\x1b[2J=1")):
        assert repo.fails(["git", "cpv", "push", "--metric", typed], 129) == (
            f"error: a metric is typed as NAME=VALUE, not '{shown}'\nhint: --metric loss=0.245"
        )


SHAPE = 'hint: what is read is an object, as in {"loss": 0.245}'
LEAVE = "hint: correct it or leave it out of 'm.json'"


NO_METRICS = (
    (b"{", f"line 1 of 'm.json' is not JSON: expecting property name enclosed in double quotes\n{SHAPE}"),
    (b"", f"line 1 of 'm.json' is not JSON: expecting value\n{SHAPE}"),
    (b"loss: 0.3\n", f"line 1 of 'm.json' is not JSON: expecting value\n{SHAPE}"),
    (b"[0.3]", f"'m.json' holds no JSON object\n{SHAPE}"),
    (b"\xff", f"'m.json' is not JSON that can be read\n{SHAPE}"),
    (b"[" * 100_000, f"'m.json' is not JSON that can be read\n{SHAPE}"),
    (b'{"loss": "low"}', f"metric 'loss' in 'm.json' is not a finite number: \"low\"\n{LEAVE}"),
    (b'{"loss": NaN}', f"metric 'loss' in 'm.json' is not a finite number: NaN\n{LEAVE}"),
    (b'{"a": {"b": null}}', f"metric 'a.b' in 'm.json' is not a finite number: null\n{LEAVE}"),
    (
        b"<<<<<<< HEAD\n",
        "'m.json' has conflict markers\nhint: settle the conflict in 'm.json', then git add it",
    ),
)


def test_files_of_metrics_that_are_none(repo: Shell) -> None:
    for content, said in NO_METRICS:
        repo.write("m.json", content)
        assert repo.fails("git cpv push --metrics m.json") == f"error: {said}"


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.json", "no such file or directory"), (".", "is a directory")]
)
def test_files_of_numbers_that_can_not_be_read(repo: Shell, name: str, reason: str) -> None:
    for option in ("--metrics", "--params"):
        assert repo.fails(f"git cpv push {option} {name}") == (
            f"error: cannot read '{name}': {reason}\nhint: it is a JSON file; `-` is stdin"
        )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "{",
            "line 1 of 'checkpoint.json' is not JSON: expecting property name enclosed in double quotes\n"
            f"{SHAPE}",
        ),
        (
            "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n",
            "'checkpoint.json' has conflict markers\nhint: git cpv pull settles it",
        ),
    ],
)
def test_a_broken_checkpoint_json(repo: Shell, content: str, said: str) -> None:
    """It may be committed by anybody; a version that was named before stays readable."""
    repo.write("checkpoint.json", content)
    repo.git("commit", "-qam", "break it")
    repo.write("model.bin", "weights 2")
    with unharmed(repo):
        assert repo.fails("git cpv show") == f"error: {said}"
        told = said.replace(
            "'checkpoint.json' has conflict markers", "a merge left 'checkpoint.json' in conflict"
        )
        assert repo.fails("git cpv push --metric loss=1") == f"error: {told}"
        assert "loss  0.5" in repo.ok("git cpv show v0.1")


def test_an_empty_message(repo: Shell) -> None:
    repo.write("model.bin", "weights 2")
    with unharmed(repo):
        for message in ("", " ", "\n"):
            assert repo.fails(f"git cpv push -m {shlex.quote(message)}", 129) == (
                "error: the message is empty\nhint: leave -m out for one that names series and metrics"
            )


def test_numbers_survive_a_push_that_failed(repo: Shell) -> None:
    """What the training logged is told apart from what CPV wrote under it, however often push is typed."""
    repo.write("model.bin", "weights 2")
    repo.write("metrics.log", repo.read("metrics.log") + '{"loss": 0.125}\n')
    lock = repo.write(".git/index.lock", "")
    said = repo.fails("git cpv push --param lr=0.1")
    assert said.startswith(f"error: git update-index failed: Unable to create '{lock}': File exists.\nhint: ")
    assert said.endswith(f": rm {lock}")
    lock.unlink()
    repo.ok("git cpv push")
    assert "loss  0.5 -> 0.125" in repo.ok("git cpv diff v0.1 HEAD")
    assert "lr" in repo.ok("git cpv show")
    assert repo.read("metrics.log").count('"loss": 0.125') == 2
