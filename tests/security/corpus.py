"""The corpus of hostile repositories: each as its attacker makes it, and what `git cpv clone` says of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from forging import (
    CPVCONFIG,
    DATA_BYTES,
    DATA_OID,
    MANIFEST,
    MODEL_BYTES,
    Content,
    Forged,
    Link,
    forge,
    listing,
    md5,
    pointer,
)
from trap import Trap

ALL = os.environ.get("CPVTEST_HOSTILE") == "all"
"""Whether every command is typed in every clone, rather than those that have most to do with it."""

ESCAPES = "\x1b[2J\x1b]0;pwned\x07\u202e\x9b31m\r"


@dataclass(frozen=True)
class Case:
    """`forged` gets the trap, to name what is in it. `says` is the error of the clone, without what comes
    before its reason, or '' where it is cloned whole; one that ends in '…' may go on. `then` are commands
    worth typing."""

    name: str
    forged: Callable[[Trap], Forged]
    says: str = ""
    then: tuple[str, ...] = ()


def files(name: str, content: dict[str, Content], says: str = "", *then: str) -> Case:
    """Other committed files than usual."""
    return Case(name, lambda _: forge(content), says, then)


def out(path: str, says: str = "", *then: str) -> Case:
    """A pointer that names this out."""
    evil = pointer(path, md5(DATA_BYTES), len(DATA_BYTES))
    return files(f"out {path!a}", {"evil.dvc": evil}, says, *then)


def listed(names: tuple[str, ...], says: str = "", *then: str) -> Case:
    """A folder's listing that names these files."""
    data = listing(*names)
    oid = f"{md5(data)}.dir"
    content: dict[str, Content] = {"data.dvc": pointer("data", oid, 7, len(names))}
    return Case(f"listing {names!a}"[:80], lambda _: forge(content, {oid: data}), says, then)


def link(path: str, target: str, says: str, *then: str) -> Case:
    """A committed link."""
    return files(f"link {path} -> {target}", {path: Link(target)}, says, *then)


def remote(name: str, *lines: str, says: str) -> Case:
    """Options of the storage in the committed `.dvc/config`; {listener} and {canary} stand for the trap's."""
    text = "[core]\n    remote = storage\n['remote \"storage\"']\n" + "".join(
        f"    {line}\n" for line in lines
    )

    def forged(laid: Trap) -> Forged:
        config = text.replace("{listener}", laid.listener.url).replace("{canary}", str(laid.canary))
        return forge({".dvc/config": config})

    return Case(f"remote {name}", forged, says, ("storage trust --json",) if ALL else ())


def tag(name: str, message: str, *then: str) -> Case:
    """A tag `v0.2` with this message."""
    return Case(f"tag {name}", lambda _: forge(tags={"v0.2": message}), "", then)


DAMAGED = "object '{}' in '{{storage}}' is damaged: {}"
MODEL_KEY = f"files/md5/{md5(MODEL_BYTES)[:2]}/{md5(MODEL_BYTES)[2:]}"
BEYOND = "'{}' names an out that cannot be: '{}' {}"
CLONED = "'{}' is a symbolic link that came with the clone, to '{}'"
TEMPORARY = "'{}' is a symlink, where temporary files are to be written"
OUTSIDE = "'{}' is a symlink out of the worktree, to '{}'"
NOT_YET = "storage '{}' can't be used yet: its {} came with the clone, in '.dvc/config'"
V2 = MANIFEST.replace("v0.1", "v0.2")
BIG = "k" * (2 << 20)
DEEP = b"[" * 100_000


def case_table() -> Iterator[Case]:
    for some in (of_pointers, of_listings, of_objects, of_links, of_settings, of_length, of_tags, of_git):
        yield from some()


def of_pointers() -> Iterator[Case]:
    """What pointers name."""
    for path, reason in (
        ("../canary/x", "has a component '..'"),
        ("sub/../../canary/x", "has a component '..'"),
        ("/etc/cron.d/x", "is an absolute path"),
        (".git/hooks/post-checkout", "is inside git's own folder"),
        ("git~1/hooks/x", "is inside git's own folder"),
        (".g\u200cit/hooks/x", "is inside git's own folder"),
        ("..\\canary\\x", "has a backslash, which other systems take for a folder's end"),
        (".dvc/config.local", "is inside DVC's own folder"),
    ):
        shown = {"sub/../../canary/x": "../canary/x"}.get(path, path)
        yield out(path, BEYOND.format("evil.dvc", shown, reason), "push")
    yield out("a\x1b[2Jb", BEYOND.format("evil.dvc", "a\\x1b[2Jb", "has a control character"))
    yield out(
        "s3://bucket/x", "'evil.dvc' names an out that cannot be: 's3://bucket/x' is not in the worktree"
    )
    yield out("evil.dvc", BEYOND.format("evil.dvc", "evil.dvc", "is a pointer"))
    yield out("model.bin/x", "out 'model.bin/x' lies inside out 'model.bin'")
    yield out("-rf", "", "status", "push", "untrack -- -rf")
    yield out("a\u202eb", "", "status", "show", "push")
    above = json.dumps({"wdir": "..", "outs": [{"md5": md5(b""), "hash": "md5", "path": "canary/x"}]})
    yield files("wdir", {"evil.dvc": above}, BEYOND.format("evil.dvc", "../canary/x", "has a component '..'"))


def of_listings() -> Iterator[Case]:
    """What listings name."""
    where = "the listing of a folder: file"
    yield listed(("../canary/x",), f"{where} '../canary/x' has a component '..'", "pull", "verify")
    yield listed(
        (".git/hooks/post-checkout",), f"{where} '.git/hooks/post-checkout' is inside git's own folder"
    )
    yield listed(("sub/.GIT/x",), f"{where} 'sub/.GIT/x' is inside git's own folder")
    yield listed(("..\\x",), f"{where} '..\\x' has a backslash, which other systems take for a folder's end")
    yield listed(("\ud800",), f"{where} '\\ud800' is not valid Unicode")
    yield listed(("a", "a/b"), "the listing of a folder has 'a' both as a file and as a folder")
    deep, long = "a/" * 300 + "a", "a/" * 100_000 + "a"
    yield listed((deep,), f"{where} '{deep[:200]}…' has more than 255 components")
    yield listed((long,), f"{where} '{long[:200]}…' is longer than 4,096 characters")
    yield listed(("a\u202eb", "e\u0301", "\u00e9", "A", "a"), "", "status", "push")
    deep = f"{md5(DEEP)}.dir"
    yield Case(
        "listing that is deep",
        lambda _: forge({"data.dvc": pointer("data", deep)}, {deep: DEEP}),
        "the listing of a folder is not JSON: it is nested too deep",
    )


def of_objects() -> Iterator[Case]:
    """Objects that are not what they are called."""
    yield Case(
        "object of another content",
        lambda _: forge(objects={md5(MODEL_BYTES): MODEL_BYTES[::-1]}),
        DAMAGED.format(MODEL_KEY, "its content is not what its name says"),
        ("verify --deep",),
    )
    yield Case(
        "object that goes on",
        lambda _: forge(objects={md5(MODEL_BYTES): MODEL_BYTES * (2 << 20)}),
        DAMAGED.format(MODEL_KEY, "it has more than 9 bytes"),
        ("verify",),
    )
    yield Case(
        "listing of another content",
        lambda _: forge(objects={DATA_OID: listing("../canary/x")}),
        DAMAGED.format(f"files/md5/{DATA_OID[:2]}/{DATA_OID[2:]}", "its content is not what its name says"),
    )


def of_links() -> Iterator[Case]:
    """Links, placed first."""
    yield link(
        "data",
        "../canary",
        OUTSIDE.format("data", "../canary"),
        "status",
        "pull --force",
        "revert v0.1 --force",
    )
    yield link("data", "../canary/new", "'data' is a broken symlink to '../canary/new'", "pull --force")
    yield link(
        "model.bin", "../canary/precious.txt", OUTSIDE.format("model.bin", "../canary/precious.txt"), "push"
    )
    yield link(
        "model.bin.dvc",
        "../canary/precious.txt",
        "'model.bin.dvc' is a symbolic link, which a pointer may not be",
        "push",
    )
    yield link(
        "metrics.log",
        "../canary/precious.txt",
        OUTSIDE.format("metrics.log", "../canary/precious.txt"),
        "push",
        "diff v0.1",
    )
    yield link("metrics.log", "/dev/zero", OUTSIDE.format("metrics.log", "/dev/zero"), "diff v0.1")
    yield link("checkpoint.json", "../canary/precious.txt", "", "show", "push", "revert v0.1")
    yield link(
        ".cpvconfig", "../canary/precious.txt", "cannot read '.cpvconfig': it is a symbolic link", "status"
    )
    yield link(".cpvconfig", "/dev/zero", "cannot read '.cpvconfig': it is a symbolic link")
    yield link(
        ".dvc/config", "/dev/zero", "'{victim}/.dvc/config' cannot be read: it is a symbolic link", "status"
    )
    yield link(
        ".dvc/config.local",
        "../../canary/precious.txt",
        "'{victim}/.dvc/config.local' line 1 cannot be read: it is neither a section nor 'key = value'",
        "storage trust",
    )
    yield link(".dvc/config.local", "/dev/zero", "'{victim}/.dvc/config.local' cannot be read: it is no file")
    yield link(
        ".dvc/tmp", "../../canary/tmp", TEMPORARY.format("{victim}/.dvc/tmp"), "pull", "revert v0.1", "push"
    )
    yield link(
        ".dvc/tmp/lock",
        "../../../canary/precious.txt",
        TEMPORARY.format("{victim}/.dvc/tmp/lock"),
        "pull",
        "push",
    )
    yield link(".dvc/tmp/cpv", "../../../canary/old", TEMPORARY.format("{victim}/.dvc/tmp/cpv"), "pull")
    yield link(".dvc/cache", "../../canary", CLONED.format("{victim}/.dvc/cache", "../../canary"), "push")
    yield link(
        ".dvc/cache/files", "../../../canary", CLONED.format("{victim}/.dvc/cache/files", "../../../canary")
    )
    yield link(
        ".dvc/cache/cpv", "../../../canary", CLONED.format("{victim}/.dvc/cache/cpv", "../../../canary")
    )
    yield link(
        ".dvc/cache/cpv/tmp",
        "../../../../canary/old",
        CLONED.format("{victim}/.dvc/cache/cpv/tmp", "../../../../canary/old"),
        "pull",
    )
    first = md5(MODEL_BYTES)[:2]
    yield link(
        f".dvc/cache/files/md5/{first}",
        "../../../../../canary",
        CLONED.format(f"{{victim}}/.dvc/cache/files/md5/{first}", "../../../../../canary"),
    )
    yield link(
        f".dvc/cache/files/md5/{first}/{md5(MODEL_BYTES)[2:]}",
        "../../../../../../canary/precious.txt",
        "",
        "push",
        "verify",
    )
    yield files(
        "the whole .dvc as a link",
        {".dvc/config": None, ".dvc/.gitignore": None, ".dvc": Link("../canary")},
        CLONED.format("{victim}/.dvc", "../canary"),
        "pull", "push", "storage trust", "init",
    )  # fmt: skip
    yield link(".gitignore", "../canary/precious.txt", "", "track train.py", "untrack data", "push")
    yield link(".dvcignore", "/dev/zero", "", "status", "push")
    yield link("sub", "../canary", "", "track sub/precious.txt", "track sub", "push --from sub")
    for above, path in (("sub", "sub/x"), ("Sub", "sub/x")):
        beyond = "'sub/x' lies beyond the symlink 'sub'" if above == "sub" else ""
        yield files(
            f"out beyond {above}",
            {above: Link("../canary"), "evil.dvc": pointer(path, md5(DATA_BYTES), 7)},
            beyond, "pull --force", "push",
        )  # fmt: skip
    inside = listing("sub/x")
    yield Case(
        "listing beyond a link",
        lambda _: forge(
            {"data/sub": Link("../../canary"), "data.dvc": pointer("data", f"{md5(inside)}.dir", 7, 1)},
            {f"{md5(inside)}.dir": inside},
        ),
        OUTSIDE.format("data/sub", "../../canary"),
        ("pull --force", "revert v0.1 --force"),
    )


def of_settings() -> Iterator[Case]:
    """What the settings of a clone would choose."""
    yield remote(
        "endpoint",
        "url = s3://bucket/x",
        "endpointurl = {listener}",
        says=NOT_YET.format("s3://bucket/x", "endpointurl"),
    )
    yield remote(
        "profile", "url = s3://bucket/x", "profile = work", says=NOT_YET.format("s3://bucket/x", "profile")
    )
    yield remote(
        "credentials",
        "url = s3://bucket/x",
        "credentialpath = {canary}/precious.txt",
        says=NOT_YET.format("s3://bucket/x", "credentialpath"),
    )
    yield remote(
        "TLS", "url = s3://bucket/x", "ssl_verify = false", says=NOT_YET.format("s3://bucket/x", "ssl_verify")
    )
    yield remote(
        "CA bundle",
        "url = s3://bucket/x",
        "ssl_verify = {canary}/precious.txt",
        says=NOT_YET.format("s3://bucket/x", "ssl_verify"),
    )
    yield remote(
        "something new",
        "url = s3://bucket/x",
        "proxy = {listener}",
        says=NOT_YET.format("s3://bucket/x", "proxy"),
    )
    yield remote("folder", "url = {canary}", says=NOT_YET.format("{folder}/canary", "url"))
    yield remote("folder above", "url = ../../canary", says=NOT_YET.format("{folder}/canary", "url"))
    yield remote("http", "url = {listener}/x", says=NOT_YET.format("{listener}/x", "url"))
    yield remote("itself", "url = remote://storage/x", says="the DVC remote 'storage' has no url")
    yield Case(
        "cache outside",
        lambda laid: forge({".dvc/config": f"[cache]\n    dir = {laid.canary}\n"}),
        "the cache folder '{folder}/canary' can't be used yet: it came with the clone",
        ("push",),
    )
    yield files(
        "cache in git's folder",
        {".dvc/config": "[cache]\n    dir = ../.git/hooks\n"},
        "the cache folder '{victim}/.git/hooks' can't be used yet: it came with the clone",
    )
    yield files(
        "cache inside with a link",
        {".dvc/config": "[cache]\n    dir = ../objects\n", "objects/files": Link("../../canary")},
        CLONED.format("{victim}/objects/files", "../../canary"),
    )

    def unsafe(laid: Trap) -> Forged:
        program = laid.program
        return forge(
            {
                ".cpvconfig": f"{CPVCONFIG}[cpv]\n\tstorage = {laid.canary}\n"
                f"\tendpoint = {laid.listener.url}\n"
                "\tawsProfile = work\n\tremote = evil\n\tlink = symlink\n\tcache = none\n\tpickle = off\n"
                f"[core]\n\tsshCommand = {program}\n\tfsmonitor = {program}\n"
                f"\tpager = {program}\n\thooksPath = hooks\n"
                f"[include]\n\tpath = {laid.canary}/precious.txt\n"
            }
        )

    yield Case("settings of all kinds", unsafe, "", ("status", "push", "storage show"))
    yield files(
        "team above",
        {".cpvconfig": f"{CPVCONFIG}[cpv]\n\tteam = ../../x\n"},
        "'../../x' can't be a team name",
    )
    for prefix in ("--exec=x", "../heads/"):
        yield files(
            f"tags under {prefix}",
            {".cpvconfig": f"{CPVCONFIG}[cpv]\n\ttagPrefix = {prefix}\n"},
            "",
            "list",
            "tag",
            "push",
        )
    yield files("adopted at an option", {".cpvconfig": f"{CPVCONFIG}[cpv]\n\tadopted = --all\n"}, "", "push")
    yield files(
        "automatic versions",
        {".cpvconfig": f'{CPVCONFIG}[cpv]\n\tautotag = "{ESCAPES[:-1]}"\n'},
        "",
        "push",
        "tag --auto",
    )
    yield files(
        "settings without end", {".cpvconfig": CPVCONFIG + "#" * (2 << 20)}, ".cpvconfig is larger than 1 MiB"
    )


def of_length() -> Iterator[Case]:
    """What takes long to read."""
    yield files(
        "YAML aliases",
        {"evil.dvc": "a: &a [x, x]\nb: &b [*a, *a]\nouts: [*b]\n"},
        "'evil.dvc' cannot be read as a pointer: it has YAML anchors or aliases",
    )
    yield files(
        "YAML that is deep",
        {"evil.dvc": "outs: " + "[" * 100_000},
        "'evil.dvc' cannot be read as a pointer: it is nested too deep",
    )
    yield files(
        "YAML without end",
        {"evil.dvc": "outs:\n" + "- path: x\n" * 110_000},
        "'evil.dvc' cannot be read as a pointer: it is larger than 1 MiB",
    )
    yield files(
        "YAML that makes objects",
        {"evil.dvc": "outs: !!python/object/apply:os.system ['true']\n"},
        "'evil.dvc' cannot be read as a pointer: line 1: could not determine a constructor…",
    )
    yield files(
        "facts that are deep", {"checkpoint.json": '{"params": {"a": ' + "[" * 100_000}, "", "show", "push"
    )
    yield from of_patterns()
    yield files(
        "facts with long names",
        {"checkpoint.json": json.dumps({"params": {BIG: dict.fromkeys(map(str, range(20_000)), 1)}})},
        "",
        "show",
        "diff v0.1",
    )
    yield files(
        "facts with escapes",
        {
            "checkpoint.json": json.dumps(
                {
                    "metrics": {ESCAPES: 1},
                    "params": {ESCAPES: ESCAPES},
                    "code": {"commit": ESCAPES, "uncommitted": [ESCAPES]},
                }
            )
        },
        "",
        "show",
        "show --json",
        "diff v0.1",
        "tag --force -m x",
        "list",
    )


def of_patterns() -> Iterator[Case]:
    """What a `.dvcignore` says of long names."""
    parts, whole = "a/" * 250 + "a", "a" * 255
    for pattern in ("*a" * 40 + "*b", "**/a/" * 40 + "b", "*[!b]?/" * 40 + "*[!b]b", "?*" * 500 + "b"):
        then = ("status", "push", f"pull --include '{pattern}'")
        yield Case(f"pattern {pattern[:12]}", partial(_ignoring, pattern, whole, f"x/{parts}"), "", then)
    for name, text in (("long", "a*" * 9_000), ("no", "[z-a]"), ("many", "a\n" * 20_000)):
        yield files(f"{name} patterns", {".dvcignore": text}, "", "status", "push")


def _ignoring(pattern: str, first: str, second: str, _: Trap) -> Forged:
    data = listing(first, second)
    oid = f"{md5(data)}.dir"
    return forge({".dvcignore": f"{pattern}\n", "data.dvc": pointer("data", oid, 14, 2)}, {oid: data})


def of_tags() -> Iterator[Case]:
    """What tags say, and how they and branches are called."""
    metrics = '{"\\u001b[2J": 1, "\\u202e": 2}'
    yield tag(
        "with escapes",
        f"{ESCAPES}\n\n{V2}Cpv-Metrics: {metrics}\nCpv-Params: {metrics}\nCpv-With: {ESCAPES}\n",
        "list",
        "show v0.2",
        "diff v0.1 v0.2",
        "list --json",
        "show v0.2 --json",
    )
    yield tag(
        "forged",
        f"x\n\nCpv-Version: v0.2\nCpv-Out: ../canary/x md5={md5(b'')} size=9\nCpv-Out: -rf md5={md5(b'')}\n",
        "show v0.2",
        "pull v0.2 --output ../out",
        "revert v0.2",
    )
    yield tag("with a refspec", f"{V2}Cpv-With: data/v0.2:refs/heads/main\n", "show v0.2", "push")
    yield tag("of megabytes", "x" * (3 << 20) + f"\n\n{V2}", "list", "show v0.2")
    yield tag(
        "of many outs",
        "x\n\nCpv-Version: v0.2\n" + f"Cpv-Out: a md5={md5(b'')}\n" * 30_000,
        "list",
        "show v0.2",
    )
    odd = ("-x", "data/-x", "v0.2/--all", "alias/-x/1", "alias/x/99999999999", "v99999999999.1", "v0.3\u202e")
    yield Case(
        "tags called like options",
        lambda _: forge(tags=dict.fromkeys(odd, V2)),
        "",
        ("list", "show -- -x", "push"),
    )
    for branch in ("--upload-pack=x", "-", "\u202emain"):
        yield Case(
            f"branch {branch!a}",
            partial(_on_branch, branch),
            "",
            ("status", "push", "revert v0.1"),
        )


def of_git() -> Iterator[Case]:
    """What git itself reads."""

    def of_git(laid: Trap) -> Forged:
        program = f"#!/bin/sh\n{laid.program}\n"
        return forge(
            {
                ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::{laid.program}\n'
                f"\tupdate = !{laid.program}\n",
                ".gitattributes": "* filter=evil diff=evil merge=evil\n",
                ".githooks/post-checkout": program,
                ".husky/pre-push": program,
            }
        )

    yield Case("submodules, filters and hooks", of_git, "", ("status", "push", "revert v0.1"))

    def bare_inside(laid: Trap) -> Forged:
        settings = f"[core]\n\tbare = false\n\tworktree = ..\n\tfsmonitor = {laid.program}\n"
        settings += f"\thooksPath = {laid.folder}/hooks\n"
        return forge(
            {
                "sub/HEAD": "ref: refs/heads/main\n",
                "sub/objects/x": "",
                "sub/refs/x": "",
                "sub/config": settings,
            }
        )

    yield Case("a repository inside", bare_inside, "", ("status", "push", "-C sub status", "-C sub push"))


def _on_branch(branch: str, _: Trap) -> Forged:
    return forge(branch=branch)
