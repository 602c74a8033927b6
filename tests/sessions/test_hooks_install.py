"""hooks: putting them in place beside what is there, and taking them away without a trace."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

USUAL = {"post-commit", "pre-push"}
THEIRS = '#!/bin/sh\nprintf "%s|" "$0" "$@" >>../told\ncat >>../told\n'


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    shell.at("repo").ok("rm -f .git/hooks/*.sample")
    shell.git("init", "-q", "--bare", "origin.git")
    shell.at("repo").git("remote", "add", "origin", "../origin.git")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def snapshot(folder: Path) -> dict[str, tuple[str, int, bytes]]:
    """Everything in a folder: where links lead, modes, contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        link = str(path.readlink()) if path.is_symlink() else ""
        content = path.read_bytes() if path.is_file() else b""
        found[path.relative_to(folder).as_posix()] = (link, path.lstat().st_mode, content)
    return found


def hook(repo: Shell, name: str, text: str, folder: str = ".git/hooks") -> Path:
    path = repo.write(f"{folder}/{name}", text)
    path.chmod(0o755)
    return path


def test_installed_twice_is_as_once_and_uninstalled_is_as_never(repo: Shell) -> None:
    hooks = repo.cwd / ".git/hooks"
    before = snapshot(hooks)
    assert repo.fails("git cpv hooks", 1) == "hint: git cpv hooks install"
    assert repo.ok("git cpv hooks install") == "post-commit: installed\npre-push: installed\nmerge: installed"
    once = snapshot(hooks)
    assert {name for name in once if once[name][1] & 0o111} == USUAL
    again = repo.ok("git cpv hooks install")
    assert again == (
        "post-commit: was installed already\npre-push: was installed already\nmerge: was installed already"
    )
    assert snapshot(hooks) == once
    assert repo.ok("git cpv hooks status") == (
        "post-commit: installed\npre-push: installed\npost-checkout: not installed\n"
        "post-merge: not installed\nmerge: installed"
    )
    assert repo.ok("git cpv hooks uninstall") == "uninstalled post-commit, pre-push, merge"
    assert snapshot(hooks) == before
    assert repo.ok("git cpv hooks uninstall") == "no hooks of CPV's were installed"


def test_the_hooks_for_files_are_asked_for_and_stay(repo: Shell) -> None:
    repo.ok("git cpv hooks install -q --files")
    assert set(snapshot(repo.cwd / ".git/hooks")) == USUAL | {"post-checkout", "post-merge"}
    assert "post-merge: was installed already" in repo.ok("git cpv hooks install")
    state = json.loads(repo.ok("git cpv hooks status --json"))
    assert (state["well"], [each["installed"] for each in state["hooks"]]) == (True, [True] * 5)
    repo.ok("git cpv hooks uninstall")
    assert snapshot(repo.cwd / ".git/hooks") == {}


def test_hooks_that_were_there_run_first_and_come_back(repo: Shell) -> None:
    hooks = repo.cwd / ".git/hooks"
    hook(repo, "pre-push", THEIRS)
    hook(repo, "real", "#!/usr/bin/env python3\nprint('from python')\n")
    (hooks / "post-commit").symlink_to("real")
    hook(repo, "post-merge", "#!/bin/sh\n").chmod(0o644)
    before = snapshot(hooks)
    assert repo.ok("git cpv hooks install --files").splitlines() == [
        "post-commit: installed, after the hook that was there",
        "pre-push: installed, after the hook that was there",
        "post-checkout: installed",
        "post-merge: installed",
        "merge: installed",
    ]
    assert repo.run("git commit -q --allow-empty -m x").err.splitlines() == ["from python"]
    repo.git("push", "-q", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/b")
    head, null = repo.git("rev-parse", "HEAD"), "0" * 40
    told = (repo.cwd / "../told").read_text().replace(str(hooks), ".git/hooks")
    assert told == (
        ".git/hooks/pre-push|origin|../origin.git|"
        f"HEAD {head} refs/heads/a {null}\nHEAD {head} refs/heads/b {null}\n"
    )
    repo.ok("git cpv hooks uninstall")
    assert snapshot(hooks) == before


def test_a_hook_that_refuses_stops_the_push_before_cpv_looks(repo: Shell) -> None:
    hook(repo, "pre-push", "#!/bin/bash\necho 'not on a friday' >&2\nexit 3\n")
    repo.ok("git cpv hooks install")
    said = repo.fails("git push -q origin HEAD:refs/heads/a", 1)
    assert said.splitlines()[0] == "not on a friday"
    assert repo.at("../origin.git").git("for-each-ref") == ""


def test_a_hook_that_does_not_read_its_stdin_does_no_harm(repo: Shell) -> None:
    hook(repo, "pre-push", "#!/bin/sh -e\ntrue\n")
    repo.ok("git cpv hooks install")
    refs = " ".join(f"HEAD:refs/heads/branch-{'x' * 100}-{n}" for n in range(600))
    done = repo.run(f"git push -q origin {refs}")
    assert (done.code, done.err) == (0, "")


HUSKY = '#!/usr/bin/env sh\n. "$(dirname "$0")/h"'
HUSKYS_H = """#!/usr/bin/env sh
n=$(basename "$0")
s=$(dirname "$(dirname "$0")")/$n
[ ! -f "$s" ] && exit 0
sh -e "$s" "$@"
c=$?
[ $c != 0 ] && echo "husky - $n script failed (code $c)"
exit $c
"""


def test_huskys_hooks_are_chained(repo: Shell) -> None:
    """husky 9: hooks of its own in .husky/_, each looking by its name for the team's in .husky."""
    repo.git("config", "core.hooksPath", ".husky/_")
    hook(repo, ".gitignore", "*", ".husky/_").chmod(0o644)
    hook(repo, "h", HUSKYS_H, ".husky/_")
    for name in ("pre-push", "post-commit", "pre-commit"):
        hook(repo, name, HUSKY, ".husky/_")
    repo.write(".husky/pre-push", THEIRS.partition("\n")[2])
    before = snapshot(repo.cwd / ".husky")
    repo.ok("git cpv hooks install")
    repo.git("push", "-q", "origin", "HEAD:refs/heads/a")
    assert f"HEAD {repo.git('rev-parse', 'HEAD')} refs/heads/a " in (repo.cwd / "../told").read_text()
    repo.write(".husky/pre-push", "exit 9\n")
    assert "husky - pre-push script failed (code 9)" in repo.run("git push origin HEAD:refs/heads/b").out + (
        repo.run("git push origin HEAD:refs/heads/b").err
    )
    repo.write(".husky/pre-push", THEIRS.partition("\n")[2])
    assert "??" not in repo.git("status", "--short", "--", ".husky/_")
    hook(repo, "pre-push", HUSKY, ".husky/_")  # npm install has husky write its own again
    assert "pre-push: not installed" in repo.run("git cpv hooks status").out
    repo.ok("git cpv hooks install")
    assert repo.run("git cpv hooks status").code == 0
    repo.ok("git cpv hooks uninstall")
    assert snapshot(repo.cwd / ".husky") == before


def test_the_teams_committed_hooks_are_not_written_to(repo: Shell) -> None:
    """husky 8 and home-made ones: the folder is committed."""
    repo.git("config", "core.hooksPath", ".husky")
    hook(repo, "pre-push", THEIRS, ".husky")
    before = snapshot(repo.cwd / ".husky")
    assert repo.fails("git cpv hooks install") == (
        "error: core.hooksPath is '.husky', whose hooks are committed and so everybody's\n"
        "hint: add the line 'git cpv hooks run pre-push -- \"$@\"' to '.husky/pre-push', and "
        "'git cpv hooks run post-commit' to '.husky/post-commit'"
    )
    assert snapshot(repo.cwd / ".husky") == before
    hook(repo, "pre-push", '#!/bin/sh\nexec git cpv hooks run pre-push -- "$@"\n', ".husky")
    repo.write("model.bin", "weights")
    repo.ok("git cpv push -q")
    repo.git("push", "-q", "origin", "HEAD:refs/heads/other")


@pytest.mark.parametrize("scope", ["--global", "-c"])
def test_hooks_of_all_repositories_are_refused_with_a_reason(repo: Shell, scope: str) -> None:
    shared = repo.cwd.parent / "hooks"
    hook(repo, "pre-push", THEIRS, "../hooks")
    before = snapshot(shared)
    if scope == "-c":
        command = f"git -c core.hooksPath={shared} cpv hooks install"
    else:
        repo.git("config", "--global", "core.hooksPath", str(shared))
        command = "git cpv hooks install"
    assert repo.fails(command) == (
        f"error: core.hooksPath is set to '{shared}', which is not this repository's alone: a hook there "
        "would run in others too\n"
        f"hint: git config core.hooksPath {repo.cwd}/.git/hooks gives this repository its own; or call "
        "'git cpv hooks run pre-push -- \"$@\"' and 'git cpv hooks run post-commit' from the hooks there"
    )
    assert snapshot(shared) == before
    repo.git("config", "core.hooksPath", str(repo.cwd / ".git/hooks"))
    if scope == "--global":
        repo.ok("git cpv hooks install")


PRE_COMMIT = """#!/usr/bin/env bash
# File generated by pre-commit: https://pre-commit.com
ARGS=(hook-impl --config=.pre-commit-config.yaml --hook-type={name})
HERE="$(cd "$(dirname "$0")" && pwd)"
ARGS+=(--hook-dir "$HERE" -- "$@")
echo "${{ARGS[@]}}" >>../told
if [ -x "$HERE/{name}.legacy" ]; then "$HERE/{name}.legacy" "$@"; fi
"""


def test_the_pre_commit_frameworks_hooks_are_chained(repo: Shell) -> None:
    """Its scripts find their place by $0."""
    hook(repo, "pre-push", PRE_COMMIT.format(name="pre-push"))
    before = snapshot(repo.cwd / ".git/hooks")
    repo.ok("git cpv hooks install")
    repo.git("push", "-q", "origin", "HEAD:refs/heads/a")
    assert repo.at("..").read("told") == (
        "hook-impl --config=.pre-commit-config.yaml --hook-type=pre-push "
        f"--hook-dir {repo.cwd}/.git/hooks -- origin ../origin.git\n"
    )
    repo.ok("git cpv hooks uninstall")
    assert snapshot(repo.cwd / ".git/hooks") == before


def test_the_pre_commit_framework_installed_later_runs_ours(repo: Shell) -> None:
    """It moves what it finds to NAME.legacy, and runs it."""
    hook(repo, "pre-push", THEIRS)
    repo.ok("git cpv hooks install")
    hooks = repo.cwd / ".git/hooks"
    (hooks / "pre-push").rename(hooks / "pre-push.legacy")
    hook(repo, "pre-push", PRE_COMMIT.format(name="pre-push"))
    assert "pre-push: installed as pre-push.legacy, after the hook" in repo.ok("git cpv hooks status")
    repo.git("push", "-q", "origin", "HEAD:refs/heads/a")
    told = repo.at("..").read("told")
    assert "hook-impl" in told and "pre-push|origin|../origin.git|HEAD " in told
    repo.ok("git cpv hooks install")
    assert b"pre-commit" in (hooks / "pre-push").read_bytes()
    repo.ok("git cpv hooks uninstall")
    assert (hooks / "pre-push.legacy").read_text() == THEIRS
    assert b"pre-commit" in (hooks / "pre-push").read_bytes()
    assert not (hooks / "before-cpv").exists()


def test_from_a_linked_worktree_they_are_the_repositorys(repo: Shell) -> None:
    repo.git("worktree", "add", "-q", "../linked", "-b", "linked")
    repo.at("../linked").ok("git cpv hooks install")
    assert set(snapshot(repo.cwd / ".git/hooks")) == USUAL
    assert repo.run("git cpv hooks status").code == 0


def test_what_an_interrupted_installation_left_is_healed(repo: Shell) -> None:
    hooks = repo.cwd / ".git/hooks"
    hook(repo, "pre-push", THEIRS)
    before = snapshot(hooks)
    for finish in ("install", "uninstall"):
        (hooks / "before-cpv").mkdir()
        (hooks / "pre-push").rename(hooks / "before-cpv/pre-push")  # killed after this
        repo.ok(f"git cpv hooks {finish}")
        repo.ok("git cpv hooks uninstall")
        assert snapshot(hooks) == before


def test_two_hooks_for_one_place_are_not_decided_for_the_user(repo: Shell) -> None:
    hook(repo, "pre-push", THEIRS)
    repo.ok("git cpv hooks install")
    hook(repo, "pre-push", "#!/bin/sh\n: another\n")
    said = repo.fails("git cpv hooks install")
    assert "is in the place of CPV's hook, and" in said
    assert (repo.cwd / ".git/hooks/before-cpv/pre-push").read_text() == THEIRS


def test_a_hook_that_names_a_launcher_that_is_gone_is_renewed(repo: Shell, tmp_path: Path) -> None:
    repo.ok("git cpv hooks install")
    path = repo.cwd / ".git/hooks/pre-push"
    good = path.read_text()
    line = next(line for line in good.splitlines() if line.startswith("launcher="))
    assert Path(line.removeprefix("launcher=")).name == "git-cpv"
    path.write_text(good.replace(line, "launcher=/gone/git-cpv"))
    bare = ":".join(p for p in os.environ["PATH"].split(":") if not (Path(p) / "git-cpv").exists())
    cpv = line.removeprefix("launcher=")
    assert "neither at '/gone/git-cpv' nor on PATH" in repo.run(f"{cpv} hooks status", PATH=bare).out
    repo.ok(f"{cpv} hooks install", PATH=bare)
    assert path.read_text() == good


def test_wrong_words(repo: Shell) -> None:
    assert repo.fails("git cpv hooks run", 129).startswith("error: run needs a hook's name")
    assert repo.fails("git cpv hooks status pre-push", 129).startswith("error: 'status' takes no hook's name")
    assert repo.fails("git cpv hooks status --files", 129).startswith("error: 'status' has no --files")
    assert repo.fails("git cpv hooks run commit-msg", 129)


def test_only_a_repository_of_cpvs_gets_them(shell: Shell) -> None:
    shell.git("init", "-q")
    assert "is not a CPV repository" in shell.fails("git cpv hooks install")
