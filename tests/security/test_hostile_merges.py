"""P8 where two people work on one branch, and one of them is an attacker.

The victim cloned, and has work of their own that is not pushed; then the attacker pushes. What they pushed
is merged by `git cpv pull`, and by plain git with CPV's driver.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpus import ALL, BIG, DEEP, ESCAPES
from forging import CPVCONFIG, DATA_BYTES, Content, Forged, Link, forge, listing, md5, pointer
from trap import Trap, complaint, trap, type_it

from cpvlib.domain.text import printable
from shell import Shell
from template import MakeTemplate, Template

PLACE = ".local/share/cpv/storage/T/m"
BAD_PATHS = (
    ("../canary/x", "has a component '..'"),
    (".git/hooks/post-merge", "is inside git's own folder"),
    ("/etc/cron.d/x", "is an absolute path"),
    ("a\x1b[2Jb", "has a control character"),
)
CONFLICT = "changed on both sides: here and at 'origin' (Eve: Train)"
MARKED = "changed on both sides: in what was merged at <id>"
OVERWRITTEN = "would be overwritten by what is in git at <id>"
MISSING = f"object 'files/md5/9d/{md5(b'x')[2:]}' is missing from '{{storage}}'"


@dataclass(frozen=True)
class Case:
    """What the attacker commits upon what the victim cloned; `says` is the error of the pull, if any."""

    name: str
    forged: Callable[[Trap], Forged]
    says: str = ""


def files(name: str, content: dict[str, Content], says: str = "", **objects: bytes) -> Case:
    return Case(name, lambda _: Forged(content, {md5(data): data for data in objects.values()}), says)


def folder(name: str, *names: str, says: str = "", data: bytes | None = None) -> Case:
    """The data are this listing; or that of these files and what was there."""
    body = listing("a.txt", "b.txt", *names) if data is None else data
    oid = f"{md5(body)}.dir"
    content: dict[str, Content] = {"data.dvc": pointer("data", oid, 7, 2 + len(names))}
    return Case(f"listing {name}", lambda _: Forged(content, {oid: body}), says)


def out(path: str, says: str = "", at: str = "evil.dvc") -> Case:
    return files(f"out {path!a}", {at: pointer(path, md5(DATA_BYTES), 7)}, says)


def log(name: str, body: bytes, says: str = "") -> Case:
    return Case(
        f"log {name}",
        lambda _: Forged(
            {"metrics.log.dvc": pointer("metrics.log", md5(body), len(body))}, {md5(body): body}
        ),
        says,
    )


def marked(ours: str, theirs: str, label: str = "x") -> str:
    return f"<<<<<<< {label}\n{ours}\n=======\n{theirs}\n>>>>>>> {label}\n"


def cases() -> Iterator[Case]:
    yield from of_markers()
    yield from of_listings()
    yield from of_facts()
    yield from of_pointers()
    yield from of_settings()
    yield from of_history()


def of_markers() -> Iterator[Case]:
    """Conflicts that nobody had."""
    mine, shown = pointer("model.bin", md5(DATA_BYTES), 7), printable(ESCAPES[:-1])
    for path, reason in BAD_PATHS[:2]:
        yield files(
            f"markers around {path}",
            {"model.bin.dvc": marked(pointer(path, md5(b""), 0), mine)},
            f"'model.bin.dvc' names an out that cannot be: '{path}' {reason}",
        )
    yield files(
        "markers with escapes",
        {"model.bin.dvc": marked(mine, pointer("model.bin", md5(b""), 0), ESCAPES[:-1])},
        f"'model.bin' {MARKED}, '{shown}' and '{shown}'",
    )
    yield files(
        "markers in markers",
        {"checkpoint.json": marked(marked("{}", "{}"), marked("", "")) * 3000},
        f"'checkpoint.json' {MARKED}, 'x' and 'x'",
    )
    yield files(
        "markers without end",
        {"checkpoint.json": "<<<<<<< x\n" * 30_000, "data.dvc": "<<<<<<< x\n"},
        f"'checkpoint.json' {CONFLICT}",
    )
    yield files(
        "markers in settings",
        {".cpvconfig": CPVCONFIG + marked("[cpv]\n\tteam = ../x", "[include]\n\tpath = x")},
        f"'.cpvconfig' {MARKED}, 'x' and 'x'",
    )
    yield files("markers in ignores", {".gitignore": marked("/model.bin", "!/model.bin")})


def of_listings() -> Iterator[Case]:
    """Names in a folder that both changed."""
    where = "the listing of a folder: file"
    yield folder("above", "../canary/x", says=f"{where} '../canary/x' has a component '..'")
    yield folder(
        "of hooks",
        ".git/hooks/post-merge",
        says=f"{where} '.git/hooks/post-merge' is inside git's own folder",
    )
    yield folder("of cases", "A.TXT", "MINE.txt", "Own/x", "e\u0301", "\u00e9", "own/\u212b", "a\u202eb")
    yield folder(
        "in the way",
        "mine.txt/x",
        "own/x.txt/y",
        "own.d",
        says=f"'data/mine.txt' and 'data/own/x.txt' {CONFLICT}",
    )
    yield folder("below a file", "own", says=f"'data/own' {CONFLICT}")
    yield folder("that is deep", data=DEEP, says="the listing of a folder is not JSON: it is nested too deep")
    yield files(
        "listing that is none",
        {"data.dvc": pointer("data", f"{md5(b'x')}.dir", 7, 2)},
        MISSING.replace("' is", ".dir' is"),
    )


def of_facts() -> Iterator[Case]:
    """`checkpoint.json` and `metrics.log`, which both changed."""
    yield files(
        "facts that are deep",
        {"checkpoint.json": '{"params": {"a": ' + "[" * 100_000},
        f"'checkpoint.json' {CONFLICT}",
    )
    yield files("facts with long names", {"checkpoint.json": json.dumps({"metrics": {BIG: 1}})})
    yield files(
        "facts that are no numbers",
        {"checkpoint.json": '{"metrics": {"loss": NaN, "x": 1e999}, "time": 3}'},
        f"'checkpoint.json' {CONFLICT}",
    )
    yield files("facts of another kind", {"checkpoint.json": b"\xff\xfe[1]"}, f"'checkpoint.json' {CONFLICT}")
    yield files(
        "facts with escapes",
        {
            "checkpoint.json": json.dumps(
                {"metrics": {ESCAPES: 2}, "params": {ESCAPES: ESCAPES}, "code": {"commit": ESCAPES}}
            )
        },
    )
    yield files(
        "facts as a link",
        {"checkpoint.json": Link("../canary/precious.txt")},
        "'checkpoint.json' is to be a file, and is a symlink, a folder or a submodule",
    )
    forged = {
        "id": "0" * 16,
        "time": ESCAPES,
        "model": {ESCAPES: ESCAPES},
        "metrics": {ESCAPES: 1},
        "params": {},
    }
    yield log(
        "with escapes",
        f"{ESCAPES}\n{json.dumps(forged)}\n{json.dumps(forged, ensure_ascii=False)}\n".encode()
        + b"\xff\xfe\0\r\n",
    )
    yield log("of a long line", b'{"loss": 0.4, "x": "' + b"x" * (8 << 20) + b'"}')
    yield log("that is deep", b'{"id": ' + DEEP + b"\n" + b'{"loss": 1e999}\n{"loss": NaN}\n')


def of_pointers() -> Iterator[Case]:
    """Outs that come with the merge."""
    for path, reason in BAD_PATHS:
        yield out(path, f"'evil.dvc' names an out that cannot be: '{printable(path)}' {reason}")
    yield out("model.bin/x", "out 'model.bin/x' lies inside out 'model.bin'")
    yield out("Model.bin", at="Model.bin.dvc")
    yield out("e\u0301", at="\u00e9.dvc")
    yield out("-rf", at="-rf.dvc")
    above = json.dumps({"wdir": "..", "outs": [{"md5": md5(b""), "hash": "md5", "path": "canary/x"}]})
    yield files(
        "wdir",
        {"evil.dvc": above},
        "'evil.dvc' names an out that cannot be: '../canary/x' has a component '..'",
    )
    yield files("a link as out", {"model.bin": Link("../canary/precious.txt")}, f"'model.bin' {OVERWRITTEN}")
    yield files("a link as data", {"data": Link("../canary")}, f"'data' {OVERWRITTEN}")
    yield files(
        "a link as pointer",
        {"data.dvc": Link("../canary/precious.txt")},
        f"'data' {CONFLICT.replace('on both sides', 'here and removed there')}",
    )
    yield files(
        "an out in git",
        {"model.bin": "x", "data/mine.txt": "x"},
        f"'data/mine.txt' and 'model.bin' {OVERWRITTEN}",
    )
    yield files(
        "the whole .dvc as a link",
        {".dvc/config": None, ".dvc/.gitignore": None, ".dvc": Link("../canary")},
        f"'.dvc' {OVERWRITTEN}",
    )
    yield files("the lock as a link", {".dvc/tmp": Link("../../canary/tmp")}, f"'.dvc/tmp' {OVERWRITTEN}")
    yield files(
        "the object of another content", {"model.bin.dvc": pointer("model.bin", md5(b"x"), 1)}, MISSING
    )


def of_settings() -> Iterator[Case]:
    """Settings that come with the merge, into a clone that is in use."""

    def of_dvc(laid: Trap) -> Forged:
        url = f"url = s3://bucket/x\n    endpointurl = {laid.listener.url}\n"
        return Forged({".dvc/config": f"[core]\n    remote = x\n['remote \"x\"']\n    {url}"})

    def of_all(laid: Trap) -> Forged:
        program = laid.program
        return Forged(
            {
                ".cpvconfig": f"{CPVCONFIG}[cpv]\n\tstorage = {laid.canary}\n\tawsProfile = work\n"
                f"\tpickle = off\n[core]\n\tsshCommand = {program}\n\thooksPath = hooks\n"
                f"[include]\n\tpath = {laid.canary}/precious.txt\n",
                ".gitattributes": "* merge=evil filter=evil\n",
                ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::{program}\n',
                ".husky/pre-push": f"#!/bin/sh\n{program}\n",
            }
        )

    def of_cache(laid: Trap) -> Forged:
        return Forged({".dvc/config": f"[cache]\n    dir = {laid.canary}\n"})

    yield Case("another storage", of_dvc)
    yield Case("another cache", of_cache)
    yield Case("settings of all kinds", of_all)
    yield files(
        "outs above",
        {".cpvconfig": CPVCONFIG.replace("model.bin", "../canary/x")},
        ".cpvconfig: cpv.model.out '../canary/x' has a component '..'",
    )
    yield files("no settings", {".cpvconfig": None})
    yield files(
        "settings that can't be read",
        {".cpvconfig": b"[cpv\xff\0"},
        ".cpvconfig, line 1: not in git's configuration syntax",
    )


def of_history() -> Iterator[Case]:
    """Who committed, and upon what."""
    change: dict[str, Content] = {"model.bin.dvc": pointer("model.bin", md5(DATA_BYTES), 7)}
    yield Case(
        "a name with escapes",
        lambda _: Forged(change, who=f"{ESCAPES[:-1]} <{ESCAPES[:3]}>", subject=ESCAPES),
    )
    yield Case("a name like an option", lambda _: Forged(change, who="--exec=x <->", subject="--exec=x"))


CASES = {case.name: case for case in cases()}


def make_victim(shell: Shell) -> None:
    """A clone with work that is not published: data, code, a log and facts."""
    forge().write(shell.cwd / "evil.git", shell.cwd.parent / "home" / PLACE)
    shell.ok("git cpv clone -q evil.git victim")
    victim = shell.at("victim")
    victim.git("remote", "set-url", "origin", "../nowhere.git")
    for name in ("mine.txt", "own/x.txt"):
        victim.write(f"data/{name}", f"{name}\n")
    victim.write("train.py", "print('more')\n")
    victim.fails("git cpv push -q -a --metric loss=0.3 --param lr=1")
    victim.git("remote", "set-url", "origin", "../evil.git")


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(make_victim)


@pytest.fixture
def laid(template: Template, shell: Shell, sealed: Path) -> Iterator[Trap]:
    template.copy(sealed, shell.cwd)
    with trap(shell.cwd, sealed) as laid:
        yield laid


@pytest.mark.parametrize("name", CASES)
def test_hostile_merge(laid: Trap, shell: Shell, sealed: Path, name: str) -> None:
    case = CASES[name]
    case.forged(laid).follow(shell.cwd / "evil.git", sealed / PLACE)
    shutil.copytree(shell.cwd / "victim", shell.cwd / "other", symlinks=True)
    before = laid.seen()
    victim, other = shell.at("victim"), shell.at("other")
    pulled = type_it(victim, "pull")
    ran = [pulled, other.run("git fetch -q && git merge -q --no-edit origin/main")]
    assert ran[1].code in (0, 1, 2, 128), str(ran[1])
    if ALL or "--theirs" in pulled.err:
        ran += [type_it(victim, "pull --theirs"), type_it(other, "pull --ours")]
    if ALL:
        ran += [type_it(victim, "push"), type_it(other, "status")]
    assert [(result.command, complaint(result)) for result in ran if complaint(result)] == []
    laid.check(before)
    told = next((line[7:] for line in pulled.err.splitlines() if line.startswith("error: ")), "")
    for place, stands_for in ((shell.cwd, "{folder}"), (sealed / PLACE, "{storage}")):
        told = told.replace(str(place), stands_for)
    assert re.sub(r"\b[0-9a-f]{7}\b", "<id>", told) == case.says


def test_histories_that_cross_for_ever_are_merged(shell: Shell, sealed: Path) -> None:
    """Each of two branches took in the other, hundreds of times: there are as many bases of bases."""
    forge().write(shell.cwd / "evil.git", sealed / PLACE)
    evil = shell.at("evil.git")
    tree, one = evil.git("rev-parse", "main^{tree}", "main").splitlines()
    lines = [f"reset refs/heads/main\nfrom {one}\n\nreset refs/heads/other\nfrom {one}\n\n"]
    for level in range(350):
        for nth, branch in enumerate(("main", "other")):
            who = f"committer Eve <e@x> {level} +0000\ndata 1\n{nth}\n"
            mine, theirs = 2 * level + nth - 1, 2 * level - nth
            parents = f"from :{mine}\nmerge :{theirs}\n" if level else f"from {one}\n"
            lines.append(f"commit refs/heads/{branch}\nmark :{2 * level + nth + 1}\n{who}{parents}\n")
    evil.ok(["git", "fast-import", "--quiet", "--force"], stdin="".join(lines))
    assert evil.git("rev-parse", "main^{tree}") == tree
    assert len(evil.git("merge-base", "--all", "main", "other").split()) == 2
    shell.ok("git cpv clone -q evil.git victim")
    evil.git("update-ref", "refs/heads/main", "other")
    victim = shell.at("victim")
    victim.write("data/mine.txt", "mine")
    victim.fails("git cpv push -q")
    pulled = type_it(victim, "pull")
    assert (pulled.code, complaint(pulled)) == (0, None), str(pulled)
