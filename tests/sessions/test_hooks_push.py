"""The pre-push hook: objects before refs, by plain git push."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """A repository with a git remote, a first model and data published, and hooks installed."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.write("model.bin", "weights 1")
    repo.write("data/train/a.txt", "one")
    repo.ok("git cpv push -q --metric loss=0.3")
    repo.ok("git cpv hooks install")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def md5(content: str) -> str:
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


def pointer(content: str) -> str:
    return f"outs:\n- md5: {md5(content)}\n  size: {len(content)}\n  hash: md5\n  path: model.bin\n"


def add_model(repo: Shell, content: str, *, cached: bool = True, message: str = "model") -> None:
    """What `dvc add` and `git commit` do."""
    oid = md5(content)
    if cached:
        repo.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}", content)
    repo.write("model.bin", content)
    repo.write("model.bin.dvc", pointer(content))
    repo.git("commit", "-q", "-m", message, "model.bin.dvc")


def storage(model: str = "AI-Convo/whisper") -> Path:
    return Path(os.environ["HOME"]) / ".local/share/cpv/storage" / model


def is_stored(content: str, model: str = "AI-Convo/whisper") -> bool:
    oid = md5(content)
    return (storage(model) / "files/md5" / oid[:2] / oid[2:]).is_file()


def remote_refs(repo: Shell) -> dict[str, str]:
    lines = repo.at("../origin.git").git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split() for line in lines)


def test_what_storage_lacks_is_stored_before_the_refs_move(repo: Shell) -> None:
    add_model(repo, "weights 2")
    add_model(repo, "weights 3")
    done = repo.run("git push -q")
    assert (done.code, done.err) == (0, "2 objects stored and confirmed before the push\n")
    assert is_stored("weights 2") and is_stored("weights 3")
    assert remote_refs(repo)["refs/heads/main"] == repo.git("rev-parse", "HEAD")
    assert repo.run("git push -q").err == ""


def test_a_push_of_what_is_nowhere_is_stopped_with_a_list(repo: Shell) -> None:
    before = remote_refs(repo)
    add_model(repo, "weights 2", cached=False)
    add_model(repo, "weights 3")
    add_model(repo, "weights 4", cached=False)
    done = repo.run("git push -q").masked
    assert done.code == 1
    assert done.err.splitlines()[:4] == [
        "missing: model.bin at <id>: <id>",
        "missing: model.bin at <id>: <id>",
        "error: objects of 2 outs that would be published are neither in the cache nor at the storage",
        "hint: bring the files back where they are, and git cpv push there",
    ]
    assert (remote_refs(repo), is_stored("weights 3")) == (before, False)


def test_a_folder_that_lacks_files_is_named_with_their_number(repo: Shell) -> None:
    rows = ", ".join(f'{{"md5": "{md5(name)}", "relpath": "{name}.txt"}}' for name in ("a", "b"))
    listing = f"[{rows}]"
    oid = md5(listing)
    repo.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}.dir", listing)
    repo.write("data.dvc", f"outs:\n- md5: {oid}.dir\n  size: 2\n  nfiles: 2\n  hash: md5\n  path: data\n")
    repo.git("commit", "-q", "-m", "data", "data.dvc")
    done = repo.run("git push -q")
    head = repo.git("rev-parse", "--short=7", "HEAD")
    assert done.err.splitlines()[0] == f"missing: data at {head}: 2 objects"
    for name in ("a", "b"):
        repo.write(f".dvc/cache/files/md5/{md5(name)[:2]}/{md5(name)[2:]}", name)
    assert repo.run("git push -q").err == "3 objects stored and confirmed before the push\n"


@pytest.mark.parametrize("refspec", ["HEAD:refs/heads/new", "HEAD:refs/tags/any", "v0.1", "HEAD:refs/x/y"])
def test_any_ref_is_looked_at(repo: Shell, refspec: str) -> None:
    add_model(repo, "weights 2")
    repo.ok("git cpv tag")
    cache = repo.cwd / ".dvc/cache/files/md5" / md5("weights 2")[:2]
    shutil.rmtree(cache)
    assert "error: objects of 1 out that" in repo.run(f"git push -q origin {refspec}").err
    assert len(remote_refs(repo)) == 1
    repo.write(f".dvc/cache/files/md5/{md5('weights 2')[:2]}/{md5('weights 2')[2:]}", "weights 2")
    assert repo.run(f"git push -q origin {refspec}").code == 0
    assert is_stored("weights 2")


def test_what_needs_no_objects_needs_no_storage(repo: Shell) -> None:
    shutil.rmtree(storage())
    repo.git("commit", "-q", "--allow-empty", "-m", "code")
    done = repo.run("git push -q origin HEAD:refs/heads/code")
    assert (done.code, done.err) == (0, "")
    assert repo.run("git push -q origin :refs/heads/code").code == 0
    repo.ok("git switch -q --orphan pages && git commit -q --allow-empty -m page")
    assert repo.run("git push -q origin pages").code == 0


def test_both_halves_of_a_combined_version_or_neither(repo: Shell) -> None:
    repo.ok("git cpv tag --combined")
    before = remote_refs(repo)
    for half, other in (("v0.1", "data/v0.1"), ("data/v0.1", "v0.1")):
        said = repo.run(f"git push -q origin {half}").err
        assert said.splitlines()[:2] == [
            f"error: '{half}' and '{other}' are one version, and only '{half}' would be published",
            "hint: git cpv push publishes both or neither",
        ]
    assert remote_refs(repo) == before
    assert repo.run("git push -q --tags").code == 0
    assert {"refs/tags/v0.1", "refs/tags/data/v0.1"} < remote_refs(repo).keys()
    repo.at("../origin.git").git("tag", "-d", "v0.1")
    assert repo.run("git push -q origin v0.1").code == 0
    assert repo.run("git cpv push").code == 0


def test_the_past_before_the_adoption_may_be_lost(shell: Shell) -> None:
    repo = adopted(shell)
    repo.git("push", "-q", "-u", "origin", "main")
    add_model(repo, "weights 4", cached=False)
    add_model(repo, "weights 5")
    done = repo.run("git push -q")
    assert done.code == 1
    assert done.err.splitlines()[2] == (
        "hint: git cpv push where they are; or, for old commits, git config cpv.allowMissing true"
    )
    repo.git("config", "cpv.allowMissing", "true")
    done = repo.run("git push -q")
    assert (done.code, done.err) == (
        0,
        "1 object stored and confirmed before the push\n"
        "warning: 1 out of old commits lack objects that are nowhere (cpv.allowMissing)\n",
    )
    add_model(repo, "weights 6", cached=False)
    assert repo.run("git push -q").code == 1


def test_neither_does_cpvs_own_push_ask_for_it(shell: Shell) -> None:
    repo = adopted(shell)
    repo.write("model.bin", "weights 4")
    done = repo.run("git cpv push")
    assert done.code == 0, str(done)
    assert is_stored("weights 4", "t/m")


def adopted(shell: Shell) -> Shell:
    """Adopted from DVC: the objects of its first commits are long gone."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.git("init", "-q", "repo")
    repo = shell.at("repo")
    repo.write(".gitignore", "/model.bin\n")
    repo.write(".dvc/config", "")
    repo.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    repo.git("add", "-A")
    for n, cached in ((1, False), (2, False), (3, True)):
        repo.write("model.bin.dvc", "")
        repo.git("add", "model.bin.dvc")
        add_model(repo, f"weights {n}", cached=cached)
    repo.git("remote", "add", "origin", "../origin.git")
    repo.ok("git cpv init -q --team t --model m")
    repo.ok("git cpv hooks install")
    return repo


def test_five_hundred_commits_in_one_pass(repo: Shell, tmp_path: Path) -> None:
    stream = ["reset refs/heads/long\nfrom refs/heads/main\n"]
    for n in range(500):
        text = pointer(f"weights {n}")
        stream.append(
            f"commit refs/heads/long\ncommitter A <a@b> {1_700_000_000 + n} +0000\ndata 1\nx\n"
            f"M 644 inline model.bin.dvc\ndata {len(text)}\n{text}\n"
        )
        oid = md5(f"weights {n}")
        repo.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}", f"weights {n}")
    repo.ok(["git", "fast-import", "--quiet"], stdin="".join(stream))
    trace = tmp_path / "trace"
    done = repo.run("git push -q origin long", GIT_TRACE=str(trace))
    assert done.err == "499 objects stored and confirmed before the push\n"
    assert all(is_stored(f"weights {n}") for n in range(500))
    assert trace.read_text().count("trace: built-in: git ") < 40


def test_cpvs_own_push_is_not_looked_at_twice(repo: Shell) -> None:
    repo.ok("git cpv hooks uninstall")
    hook = repo.write(".git/hooks/pre-push", "#!/bin/sh\ncat >>../told\n")
    hook.chmod(0o755)
    repo.ok("git cpv hooks install")
    repo.write("model.bin", "weights 2")
    assert "before the push" not in repo.run("git cpv push").err
    assert len(repo.at("..").read("told").splitlines()) == 1


def lose_launcher(repo: Shell) -> str:
    """A PATH without git-cpv, for hooks that name one that is gone."""
    path = repo.cwd / ".git/hooks/pre-push"
    text = path.read_text()
    line = next(line for line in text.splitlines() if line.startswith("launcher="))
    path.write_text(text.replace(line, "launcher=/gone/git-cpv"))
    return ":".join(p for p in os.environ["PATH"].split(":") if not (Path(p) / "git-cpv").exists())


@pytest.mark.parametrize("with_another", [False, True])
def test_without_git_cpv_only_pointers_are_held_back(repo: Shell, with_another: bool) -> None:
    if with_another:
        repo.ok("git cpv hooks uninstall")
        repo.write(".git/hooks/pre-push", "#!/bin/sh\n: theirs\n").chmod(0o755)
        repo.ok("git cpv hooks install")
    bare = lose_launcher(repo)
    repo.git("commit", "-q", "--allow-empty", "-m", "code")
    assert repo.run("git push -q", PATH=bare).code == 0
    assert repo.run("git push -q origin HEAD:refs/heads/new HEAD:refs/heads/other", PATH=bare).code == 0
    assert repo.run("git push -q origin :refs/heads/other", PATH=bare).code == 0
    add_model(repo, "weights 2")
    for refspec in ("main", "HEAD:refs/heads/another", "HEAD~1:refs/tags/x"):
        done = repo.run(f"git push -q origin {refspec}", PATH=bare)
        assert done.code == 1
        error, hint = done.err.splitlines()[:2]
        assert error.startswith("error: this push publishes pointers, and git-cpv, which sees to it")
    repo.ok(hint.partition("remove this hook: ")[2])
    hook = repo.cwd / ".git/hooks/pre-push"
    assert (hook.read_text() if hook.exists() else None) == (
        "#!/bin/sh\n: theirs\n" if with_another else None
    )
    assert repo.run("git push -q", PATH=bare).code == 0


def test_a_folder_of_this_machine_is_no_storage_for_others(repo: Shell) -> None:
    repo.git("config", "cpv.storageShared", "false")
    add_model(repo, "weights 2")
    head = repo.git("rev-parse", "HEAD")
    line = f"refs/heads/main {head} refs/heads/main {'0' * 40}\n"
    done = repo.run("git cpv hooks run pre-push -- origin git@host:repo.git", stdin=line)
    assert done.code == 128
    assert "is on another machine, but the storage is a folder of this one" in done.err


def test_from_a_worktree_that_has_no_checkpoints(repo: Shell) -> None:
    add_model(repo, "weights 2")
    repo.ok("git switch -q --orphan pages && git commit -q --allow-empty -m page")
    assert "error: a branch with checkpoints is pushed from a worktree that has none checked out" in (
        repo.run("git push -q origin main").err
    )
    assert repo.run("git push -q origin pages").code == 0


def test_as_a_hook_of_the_pre_commit_framework(repo: Shell) -> None:
    """It keeps the stdin for itself and sets variables."""
    add_model(repo, "weights 2", cached=False)
    told = {
        "PRE_COMMIT": "1",
        "PRE_COMMIT_FROM_REF": repo.git("rev-parse", "HEAD~1"),
        "PRE_COMMIT_TO_REF": repo.git("rev-parse", "HEAD"),
        "PRE_COMMIT_REMOTE_NAME": "origin",
        "PRE_COMMIT_REMOTE_URL": "../origin.git",
        "PRE_COMMIT_REMOTE_BRANCH": "refs/heads/main",
    }
    assert "error: objects of 1 out" in repo.fails("git cpv hooks run pre-push", **told)
    assert repo.fails("git cpv hooks run pre-push", **{**told, "PRE_COMMIT_TO_REF": ""})
    oid = md5("weights 2")
    repo.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}", "weights 2")
    assert repo.run("git cpv hooks run pre-push", **told).code == 0
    assert is_stored("weights 2")


def test_pushing_by_url_and_by_expression(repo: Shell) -> None:
    add_model(repo, "weights 2", message="two words")
    assert repo.run("git push -q ../origin.git ':/two words:refs/heads/found'").code == 0
    assert is_stored("weights 2")


def test_the_working_folder_makes_no_difference(repo: Shell, shell: Shell) -> None:
    add_model(repo, "weights 2")
    shell.git("init", "-q", "other")
    there = repo.cwd
    git = f"git --git-dir={there}/.git --work-tree={there}"
    assert shell.at("other").run(f"{git} push -q {there}/../origin.git main").code == 0
    assert is_stored("weights 2")
