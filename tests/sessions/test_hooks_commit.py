"""The post-commit hook: what names a version, and all that does not."""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """A repository with a first model pushed, hooks installed, and automatic versions for what changed."""
    shell.ok("git cpv init -q --team AI-Convo --model whisper repo")
    repo = shell.at("repo")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q -a -m baseline --metric loss=0.3")
    repo.git("config", "cpv.autotag", "changed")
    repo.ok("git cpv tag -q")
    repo.ok("git cpv hooks install")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def add_model(repo: Shell, content: str, folder: str = ".") -> None:
    """What `dvc add` does, and `git add`."""
    data = content.encode()
    oid = hashlib.md5(data, usedforsecurity=False).hexdigest()
    repo.write(f"{folder}/model.bin", data)
    cached = Path(repo.git("rev-parse", "--path-format=absolute", "--git-common-dir")).parent
    if not (cached / ".dvc").is_dir():
        cached = repo.cwd / folder
    cached = cached / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
    cached.parent.mkdir(parents=True, exist_ok=True)
    if not cached.exists():
        cached.write_bytes(data)
        cached.chmod(0o444)
    pointer = f"outs:\n- md5: {oid}\n  size: {len(data)}\n  hash: md5\n  path: model.bin\n"
    repo.write(f"{folder}/model.bin.dvc", pointer)
    repo.git("-C", folder, "add", "model.bin.dvc")


def tags(repo: Shell) -> list[str]:
    return repo.git("tag", "-l").split()


def test_a_plain_commit_of_a_pointer_is_named(repo: Shell) -> None:
    add_model(repo, "weights 2")
    done = repo.run("git commit -q -m 'better weights'")
    assert (done.code, done.out, done.err) == (0, "", "v0.2: the model changed; git cpv push publishes it\n")
    assert repo.git("rev-parse", "v0.2^{commit}") == repo.git("rev-parse", "HEAD")
    assert repo.git("for-each-ref", "--format=%(refname)", "refs/cpv").split() == [
        "refs/cpv/pending/v0.1",
        "refs/cpv/pending/v0.2",
    ]
    assert repo.git("cat-file", "tag", "v0.2").split("\n\n")[1] == "better weights"


def test_the_gate_refuses_in_one_line_and_the_commit_stands(repo: Shell) -> None:
    repo.git("config", "cpv.autotag", "loss < 0.1")
    add_model(repo, "weights 2")
    done = repo.run("git commit -q -m more")
    assert (done.code, done.err) == (0, "no version: loss 0.3 is not < 0.1\n")
    assert (tags(repo), repo.git("log", "-1", "--format=%s")) == (["v0.1"], "more")
    repo.git("config", "cpv.autotag", "loss <")
    add_model(repo, "weights 3")
    done = repo.run("git commit -q -m again")
    assert done.code == 0
    assert done.err == (
        "warning: post-commit: cpv.autotag (git config), column 7: a number is expected, "
        "and the end stands there\n"
    )


def test_a_commit_of_code_starts_no_python(repo: Shell, tmp_path: Path) -> None:
    use_witness(repo, tmp_path)
    repo.write("train.py", "print('faster')\n")
    repo.git("commit", "-q", "-a", "-m", "faster")
    repo.git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert not (tmp_path / "called").exists()
    add_model(repo, "weights 2")
    repo.git("commit", "-q", "-m", "model")
    assert (tmp_path / "called").read_text() == "hooks run post-commit\n"


def test_a_commit_of_other_pointers_starts_none_either(repo: Shell, witness: Path) -> None:
    data = f"outs:\n- md5: {'a' * 32}.dir\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: data\n"
    repo.write("data.dvc", data)
    repo.git("commit", "-q", "-m", "data", "data.dvc")
    repo.git("config", "--unset", "cpv.autotag")
    commit_model(repo, "weights 2")
    assert calls(witness) == 0
    repo.git("config", "-f", ".cpvconfig", "cpv.autotag", "changed")
    commit_model(repo, "weights 3")
    assert calls(witness) == 1
    repo.write("data.dvc", data.replace("a" * 32, "b" * 32))
    repo.ok("git rm -q --cached model.bin.dvc && mv model.bin.dvc all.dvc && git add all.dvc data.dvc")
    repo.git("commit", "-q", "-m", "a pointer of another name")
    assert calls(witness) == 1


def use_witness(repo: Shell, folder: Path) -> None:
    """The hooks call this in git-cpv's place: it only writes down its words."""
    witness = folder / "git-cpv"
    witness.write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(folder / "called"))}\n')
    witness.chmod(0o755)
    hooks = Path(repo.git("rev-parse", "--path-format=absolute", "--git-path", "hooks"))
    for hook in hooks.glob("p*-*"):
        text = hook.read_text()
        line = next((line for line in text.splitlines() if line.startswith("launcher=")), None)
        if line:
            hook.write_text(text.replace(line, f"launcher={shlex.quote(str(witness))}"))


def calls(folder: Path) -> int:
    called = folder / "called"
    count = len(called.read_text().splitlines()) if called.exists() else 0
    called.unlink(missing_ok=True)
    return count


@pytest.fixture
def witness(repo: Shell, tmp_path: Path) -> Path:
    use_witness(repo, tmp_path)
    return tmp_path


def commit_model(repo: Shell, content: str, words: str = "-m model") -> None:
    add_model(repo, content)
    repo.ok(f"git commit -q {words}")


def test_amends_and_fixups_are_not_new(repo: Shell, witness: Path) -> None:
    commit_model(repo, "weights 2")
    assert calls(witness) == 1
    commit_model(repo, "weights 3", "--amend --no-edit")
    commit_model(repo, "weights 4", "--fixup HEAD")
    commit_model(repo, "weights 5", "--squash HEAD --no-edit")
    add_model(repo, "weights 6")
    if modern(repo):
        repo.ok("git commit -q --fixup=amend:HEAD~2", GIT_EDITOR="true")
    assert calls(witness) == 0


def modern(repo: Shell) -> bool:
    return tuple(map(int, repo.git("version").split()[2].split(".")[:2])) >= (2, 32)


def test_reverts_and_cherry_picks_are_not_new(repo: Shell, witness: Path) -> None:
    commit_model(repo, "weights 2")
    commit_model(repo, "weights 3")
    calls(witness)
    repo.git("revert", "--no-edit", "HEAD")
    repo.git("revert", "--no-edit", "HEAD")
    repo.ok("git revert --no-commit HEAD && git commit -q --no-edit")
    repo.git("switch", "-q", "-c", "side", "HEAD~4")
    repo.git("cherry-pick", "main~3")
    assert calls(witness) == 0
    commit_model(repo, "weights 9")
    assert calls(witness) == 1
    conflict = repo.run("git cherry-pick main")
    assert conflict.code != 0
    repo.ok("git checkout -q --theirs model.bin.dvc && git add -u && git commit -q --no-edit")
    assert calls(witness) == 0
    conflict = repo.run("git revert --no-edit HEAD~1")
    assert conflict.code != 0
    repo.ok("git checkout -q --theirs model.bin.dvc; git add -u; git commit -q --no-edit")
    assert calls(witness) == 0


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_a_rebase_names_nothing(repo: Shell, witness: Path, backend: str) -> None:
    commit_model(repo, "weights 2")
    commit_model(repo, "weights 3")
    calls(witness)
    repo.git("switch", "-q", "-c", "base", "HEAD~2")
    repo.git("commit", "-q", "--allow-empty", "-m", "elsewhere")
    repo.git("switch", "-q", "main")
    repo.git("rebase", "-q", backend, "base")
    assert calls(witness) == 0


def test_an_interactive_rebase_names_nothing(repo: Shell, witness: Path) -> None:
    commit_model(repo, "weights 2", "-m second")
    commit_model(repo, "weights 3", "-m third")
    commit_model(repo, "weights 4", "--fixup HEAD")
    calls(witness)
    repo.ok("git rebase -q -i --autosquash HEAD~3", GIT_SEQUENCE_EDITOR="true", GIT_EDITOR="true")
    repo.ok("git rebase -q -i HEAD~2", GIT_SEQUENCE_EDITOR="sed -i '2s/pick/reword/'", GIT_EDITOR="true")
    repo.ok("git rebase -q -i HEAD~2", GIT_SEQUENCE_EDITOR="sed -i '1s/pick/edit/'")
    commit_model(repo, "weights in the middle")
    repo.run("git rebase --continue", GIT_EDITOR="true")
    repo.run("git rebase --abort")
    repo.ok("git rebase -q --exec 'git commit -q --allow-empty -m between' HEAD~1", GIT_EDITOR="true")
    assert calls(witness) == 0


def test_what_is_continued_after_a_conflict_names_nothing(repo: Shell, witness: Path) -> None:
    commit_model(repo, "weights 2")
    commit_model(repo, "weights 3")
    repo.ok("git format-patch -q -1 --stdout >../model.patch")
    repo.git("switch", "-q", "-c", "side", "HEAD~2")
    commit_model(repo, "weights 9")
    commit_model(repo, "weights 10")
    calls(witness)
    for begin, go_on in (
        ("git cherry-pick main", "git cherry-pick --continue"),
        ("git revert --no-edit HEAD~1", "git revert --continue"),
        ("git am -q -3 ../model.patch", "git am -q --continue"),
        ("git rebase -q main", "git rebase --continue"),
    ):
        assert repo.run(begin).code != 0
        for n in range(9):
            add_model(repo, f"settled, {go_on} {n}")
            assert repo.ok("git -c cpv.autotag=changed cpv tag --auto") == ""
            if repo.run(go_on, GIT_EDITOR="true").code == 0:
                break
        assert "--continue" not in repo.git("status"), go_on
    assert calls(witness) == 0


def test_am_and_stash_name_nothing(repo: Shell, witness: Path) -> None:
    commit_model(repo, "weights 2")
    calls(witness)
    repo.ok("git format-patch -q -1 --stdout >../model.patch && git reset -q --hard HEAD~1")
    repo.git("am", "-q", "../model.patch")
    add_model(repo, "weights 3")
    repo.git("stash", "-q")
    repo.git("stash", "pop", "-q", "--index")
    assert calls(witness) == 0


def test_merges(repo: Shell, witness: Path) -> None:
    repo.git("switch", "-q", "-c", "side")
    commit_model(repo, "weights 2")
    calls(witness)
    repo.git("switch", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "--no-edit", "side")
    assert calls(witness) == 0
    commit_model(repo, "weights 3")
    repo.git("switch", "-q", "side")
    commit_model(repo, "weights 4")
    calls(witness)
    assert repo.run("git merge -q main").code != 0
    add_model(repo, "weights 5")
    repo.git("commit", "-q", "--no-edit")
    assert calls(witness) == 1


def test_a_merge_that_a_person_settled_is_named(repo: Shell) -> None:
    repo.git("switch", "-q", "-c", "side")
    commit_model(repo, "weights 2")
    repo.git("switch", "-q", "main")
    commit_model(repo, "weights 3")
    assert repo.run("git merge -q side").code != 0
    add_model(repo, "weights 4")
    done = repo.run("git commit -q --no-edit")
    assert done.err == "v0.4: the model changed; git cpv push publishes it\n"


def test_the_first_commit_of_a_repository(repo: Shell) -> None:
    repo.git("checkout", "-q", "--orphan", "afresh")
    add_model(repo, "weights 2")
    done = repo.run("git commit -q -m first")
    assert repo.git("log", "-g", "-1", "--format=%gs").startswith("commit (initial): ")
    assert done.err == "v0.2: the model changed; git cpv push publishes it\n"


def test_cpvs_own_commits_are_left_alone(repo: Shell, witness: Path) -> None:
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q")
    repo.ok("git cpv revert -q v0.1")
    repo.ok("git commit -q --allow-empty -m x", CPV_IN_HOOK="1")
    add_model(repo, "weights 3")
    repo.ok("git commit -q -m x", CPV_IN_HOOK="1")
    assert calls(witness) == 0
    assert tags(repo) == ["v0.1", "v0.2"]


def test_in_a_linked_worktree(repo: Shell) -> None:
    repo.git("worktree", "add", "-q", "../linked", "-b", "linked")
    linked = repo.at("../linked")
    add_model(linked, "weights 2")
    done = linked.run("git commit -q -m model")
    assert done.err == "v0.2: the model changed; git cpv push publishes it\n"
    assert repo.git("rev-parse", "v0.2^{commit}") == linked.git("rev-parse", "HEAD")
    linked.write("deeper/notes.txt", "n")
    linked.git("add", "deeper")
    add_model(linked, "weights 3")
    done = linked.at("deeper").run("git commit -q -m 'from a subfolder'")
    assert done.err == "v0.3: the model changed; git cpv push publishes it\n"


def test_in_a_submodule(repo: Shell, shell: Shell) -> None:
    outer = shell.at("outer")
    outer.cwd.mkdir()
    outer.git("init", "-q")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../repo", "model")
    inner = outer.at("model")
    inner.git("config", "cpv.autotag", "changed")
    inner.ok("git cpv hooks install -q")
    assert Path(inner.git("rev-parse", "--path-format=absolute", "--git-path", "hooks/post-commit")).is_file()
    data = b"weights 2"
    oid = hashlib.md5(data, usedforsecurity=False).hexdigest()
    inner.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}", data)
    inner.write("model.bin.dvc", f"outs:\n- md5: {oid}\n  size: 9\n  hash: md5\n  path: model.bin\n")
    done = inner.run("git commit -q -a -m model")
    assert (done.code, done.err) == (0, "v0.2: the model changed; git cpv push publishes it\n")
    assert outer.git("tag", "-l") == ""
    outer.git("commit", "-q", "-a", "-m", "the submodule")
    assert outer.git("tag", "-l") == ""


def test_in_the_environment_of_a_gui(repo: Shell) -> None:
    """Started from a desktop: no terminal, a short PATH, no profile, GIT_DIR set."""
    add_model(repo, "weights 2")
    git = repo.ok("command -v git")
    words = ["env", "-i", f"HOME={os.environ['HOME']}", f"PATH={Path(git).parent}", "GIT_DIR=.git"]
    words += [f"GIT_CONFIG_GLOBAL={os.environ['GIT_CONFIG_GLOBAL']}", "GIT_ASKPASS=echo", "LC_ALL=C"]
    done = repo.run([*words, git, "commit", "-q", "-m", "from a window"])
    assert (done.code, done.err) == (0, "v0.2: the model changed; git cpv push publishes it\n")


def test_with_another_repository_in_the_environment(repo: Shell, shell: Shell) -> None:
    shell.git("init", "-q", "other")
    add_model(repo, "weights 2")
    elsewhere = shell.at("other")
    there = repo.cwd
    done = elsewhere.run(f"git --git-dir={there}/.git --work-tree={there} commit -q -m model")
    assert done.code == 0, str(done)
    assert tags(repo) == ["v0.1", "v0.2"]
    assert elsewhere.git("tag", "-l") == ""


def test_without_a_reflog_nothing_is_named(repo: Shell) -> None:
    repo.git("config", "core.logAllRefUpdates", "false")
    repo.ok("rm -rf .git/logs")
    commit_model(repo, "weights 2")
    assert tags(repo) == ["v0.1"]


@pytest.mark.parametrize("path", ["PATH", ""])
def test_a_launcher_that_is_gone_is_passed_over_silently(repo: Shell, path: str) -> None:
    hook = repo.cwd / ".git/hooks/post-commit"
    lines = hook.read_text().splitlines(keepends=True)
    hook.write_text("".join("launcher=/gone/git-cpv\n" if x.startswith("launcher=") else x for x in lines))
    add_model(repo, "weights 2")
    git = repo.ok("command -v git")
    empty = str(Path(git).parent) if path else ""
    done = repo.run([git, "commit", "-q", "-m", "model"], PATH=empty)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert tags(repo) == ["v0.1"]


def test_another_git_cpv_on_path_is_found(repo: Shell) -> None:
    hook = repo.cwd / ".git/hooks/post-commit"
    lines = hook.read_text().splitlines(keepends=True)
    hook.write_text("".join("launcher=/gone/git-cpv\n" if x.startswith("launcher=") else x for x in lines))
    add_model(repo, "weights 2")
    repo.git("commit", "-q", "-m", "model")
    assert tags(repo) == ["v0.1", "v0.2"]


def test_on_a_branch_without_cpv_the_hook_is_silent(repo: Shell) -> None:
    repo.ok("git switch -q --orphan bare && git commit -q --allow-empty -m start")
    repo.write("other.dvc", "outs: []\n")
    done = repo.run("git add other.dvc && git commit -q -m pointer")
    assert (done.code, done.err) == (0, "")


def test_a_failing_hook_of_the_users_own_keeps_its_word(repo: Shell, witness: Path) -> None:
    repo.ok("git cpv hooks uninstall")
    repo.write(".git/hooks/post-commit", "#!/bin/sh\necho theirs\nexit 3\n").chmod(0o755)
    repo.ok("git cpv hooks install")
    done = repo.run("git commit -q --allow-empty -m x")
    assert (done.code, done.err.splitlines()[0]) == (0, "theirs")
