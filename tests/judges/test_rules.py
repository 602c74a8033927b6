"""What CPV understands of DVC's configuration, ignore files and lock is what DVC does with them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from cpvlib.base.errors import ConfigError
from cpvlib.stores.dvc.config import read_config, set_remote, set_remote_option
from cpvlib.stores.dvc.ignore import DvcIgnore
from cpvlib.stores.dvc.lock import held
from judge import Dvc
from shell import Shell

REMOTES = """
import json
from dvc.config import Config
from dvc.fs import get_fs_config
config = Config.from_cwd()
remotes = {name: get_fs_config(config, name=name) for name in config["remote"]}
found = {name: {key: str(value) for key, value in remote.items()} for name, remote in remotes.items()}
default, cache = config["core"].get("remote"), config["cache"].get("dir")
print(json.dumps({"default": default, "cache": cache, "remotes": found}))
"""
CONFIG = """\
# the team's
[Core]
    remote = Main-Store   # shouted
[cache]
dir = ../../cache
['remote "Main-Store"']
    url = s3://bucket/pre
    endpointurl = 'http://127.0.0.1:9000'
['remote "relative"']
    url = ../../storage dir
['remote "below"']
    url = remote://relative/sub/dir
['remote "home"']
    url = ~/storage
['remote "absolute"']
    url = "/srv/a, b # c"
['remote "odd"']
    url = '''/srv/it's "so"'''
"""
LOCAL = """\
['remote "main-store"']
    profile = team
    url = s3://other/place
    credentialpath = keys/aws
['remote "mine"']
url=../elsewhere
"""


def test_remotes_are_where_dvc_finds_them(dvc: Dvc, shell: Shell, sealed: Path) -> None:
    dvc.repository(shell)
    shell.write(".dvc/config", CONFIG)
    shell.write(".dvc/config.local", LOCAL)
    (sealed / ".config/dvc").mkdir(parents=True)
    (sealed / ".config/dvc/config").write_text("['remote \"main-store\"']\nregion = eu-1\nprofile = user\n")
    config = read_config(shell.cwd)
    theirs = dvc.program(shell, REMOTES)
    assert config.default_remote == theirs["default"]
    assert str(config.cache_dir) == theirs["cache"]
    ours = {}
    for name in config.remote_names:
        remote = config.remote(name)
        assert remote is not None
        ours[name] = {"url": remote.url, **remote.options}
    # DVC adds its defaults, which are no user's choice.
    chosen = {
        name: {key: value for key, value in remote.items() if key in ours[name]}
        for name, remote in theirs["remotes"].items()
    }
    assert ours == chosen


def test_edits_are_read_by_dvc_as_they_were_meant(dvc: Dvc, shell: Shell) -> None:
    dvc.repository(shell)
    draw = random.Random(7)
    data: bytes | None = CONFIG.encode()
    wanted: dict[str, str] = {}
    for number in range(60):
        url = "s3://b/" + "".join(draw.choice("ab ,#'\"=[]$/é;\\%()s") for _ in range(draw.randint(1, 9)))
        name = f"r{number % 40}"
        try:
            data = set_remote(data, name, url, default=number == 59)
            data = set_remote_option(data, name, "profile", url[7:])
        except ConfigError:
            continue
        wanted[name] = url
    shell.write(".dvc/config", data or b"")
    config = dvc.program(shell, REMOTES)
    assert config["default"] == "r19"
    assert {name: config["remotes"][name]["url"] for name in wanted} == wanted
    assert {name: config["remotes"][name]["profile"] for name in wanted} == {
        name: url[7:] for name, url in wanted.items()
    }


PATTERNS = [
    *("*.txt", "!a.txt", "a", "a/", "/a", "b/a.txt", "**/c", "c/**", "!c", "b/*", "!b/", "?", "[ab]", "\\!x"),
    *("*.*t*", "**/b/**/a*", "/a/**/b/**/c", "d*/*/[!b]*"),
    *("d/**/a", "*", "!*/", "!/b/c", "**", "/*", "b", "!b/a.txt", "c/", "#c", "  a  ", "a.txt "),
]
WALK = """
import json, os, sys
from dvc.fs import LocalFileSystem
from dvc.ignore import DvcIgnoreFilter
fs, seen = LocalFileSystem(), {}
for top in sorted(os.listdir(".")):
    path = os.path.abspath(top)
    walk = DvcIgnoreFilter(fs, path).walk(fs, path)
    found = [os.path.join(root, name) for root, dirs, files in walk for name in dirs + files]
    seen[top] = sorted(os.path.relpath(name, path) for name in found)
print(json.dumps(seen))
"""


def random_tree(draw: random.Random, folder: Path, depth: int = 0) -> None:
    folder.mkdir()
    if draw.random() < (0.25 if depth else 0.9):
        (folder / ".dvcignore").write_text("\n".join(draw.choices(PATTERNS, k=draw.randint(1, 4))))
    if depth and draw.random() < 0.05:
        (folder / ".dvc").mkdir()
    for name in ("a", "b", "c", "a.txt", "x", "d"):
        kind = draw.random()
        if kind < 0.3:
            (folder / name).touch()
        elif kind < 0.55 and depth < 3:
            random_tree(draw, folder / name, depth + 1)


def seen(top: Path, ignore: DvcIgnore, folder: str = "") -> list[str]:
    found = []
    for path in (top / folder).iterdir():
        relpath = path.relative_to(top).as_posix()
        if ignore.keeps(relpath, path.is_dir()):
            found += [relpath, *(seen(top, ignore, relpath) if path.is_dir() else [])]
    return found


def test_the_same_files_are_ignored_in_random_trees(dvc: Dvc, shell: Shell) -> None:
    if not dvc.is_newest:
        pytest.skip(
            "DVC 3.50 reads some patterns otherwise than the newest, which is the one that CPV follows"
        )
    draw = random.Random(11)
    for number in range(150):
        random_tree(draw, shell.cwd / f"{number:03}")
    ours = {top.name: sorted(seen(top, DvcIgnore(top))) for top in shell.cwd.iterdir()}
    assert ours == dvc.program(shell, WALK)


@pytest.mark.parametrize("hardlink", [False, True])
def test_dvc_waits_for_our_lock_and_we_for_dvcs(dvc: Dvc, shell: Shell, hardlink: bool) -> None:
    dvc.repository(shell)
    if hardlink:
        shell.write(".dvc/config", "[core]\n    hardlink_lock = true\n")
        (shell.cwd / ".dvc/tmp/lock").unlink(missing_ok=True)
    assert read_config(shell.cwd).hardlink_lock == hardlink
    shell.write("m", "x")
    notes: list[str] = []
    with held(shell.cwd, notes.append, hardlink=hardlink):
        refused = dvc.run(shell, "add", "m")
    assert refused.code != 0
    assert "Unable to acquire lock" in refused.err
    dvc.ok(shell, "add", "--quiet", "m")
    holder = holding(dvc, shell)

    def note(line: str) -> None:
        notes.append(line)
        assert holder.stdin is not None
        holder.stdin.close()

    with held(shell.cwd, note, hardlink=hardlink):
        assert holder.wait(600) == 0
    (line,) = notes
    who = "another process" if hardlink else f"process {holder.pid} (python"
    assert line.startswith(f"waiting for {who}")


HOLD = """
import sys
from dvc.repo import Repo
with Repo().lock:
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(dvc: Dvc, shell: Shell) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [dvc.python, "-c", HOLD], cwd=shell.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process
