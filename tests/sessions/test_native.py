"""At home in git: from any folder, in any worktree, under anybody's settings, beside any other work."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harm import state, unharmed
from shell import Shell
from template import MakeTemplate, Template


def made(shell: Shell) -> None:
    """Two versions of the model and one of the data, published; the newer model is what lies there."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q --metric loss=0.5 -m first && git cpv tag -q --combined")
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q --metric loss=0.4 -m second && git cpv tag -q && git cpv push -q")


@pytest.fixture(scope="session")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


AWKWARD = "a b/größe/new\nline"


class TestAnyFolder:
    def test_commands_mean_the_repository_and_paths_the_folder(self, repo: Shell) -> None:
        (repo.cwd / AWKWARD).mkdir(parents=True)
        here = repo.at(AWKWARD)
        repo.write("model.bin", "weights 3")
        assert "modified" in here.ok("git cpv status")
        assert here.ok("git cpv push --metric loss=0.3") == repo.git("rev-parse", "HEAD")
        assert here.ok("git cpv tag") == "v0.3"
        here.ok("git cpv revert -q v0.1")
        assert repo.read("model.bin") == "weights 1"
        here.ok("rm ../../../model.bin && git cpv pull ../../../model.bin")
        assert repo.read("model.bin") == "weights 1"
        here.write("other model.bin", "more")
        here.ok("git cpv track -q 'other model.bin' && git cpv push -q --metric loss=0.2")
        path = f"{AWKWARD}/other model.bin.dvc"
        assert repo.git("ls-files", "-z", "--", path) == f"{path}\0"
        here.ok("git cpv pull -q v0.1 -o out")
        assert (here.cwd / "out/model.bin").read_text() == "weights 1"
        here.ok("git cpv untrack -q 'other model.bin'")
        assert here.read("other model.bin") == "more"

    def test_git_dash_c_and_paths_from_there(self, repo: Shell) -> None:
        outside = repo.at("..")
        repo.write("sub/model.bin", "weights of sub")
        assert outside.ok("git -C repo cpv tag --force") == "v0.3"
        outside.ok("git -C repo/sub cpv push -q --from model.bin --metric loss=1")
        assert repo.git("log", "-1", "--format=%s") == "Update model (loss=1)"
        assert outside.ok("git --git-dir=repo/.git --work-tree=repo cpv list") == repo.ok("git cpv list")

    def test_the_folder_one_stands_in_stays(self, repo: Shell) -> None:
        (repo.cwd / "sub").mkdir()
        here = repo.at("sub")
        here.ok("git cpv track -q later.bin && git cpv untrack -q later.bin && test -d ../sub")

    def test_a_repository_with_an_awkward_place(self, shell: Shell) -> None:
        shell.ok(["git", "cpv", "init", "-q", "--team", "T", "--model", "m", AWKWARD])
        repo = shell.at(AWKWARD)
        repo.write("model.bin", "weights 1")
        repo.ok("git cpv push -q --metric loss=1 && git cpv tag -q")
        repo.write("model.bin", "weights 2")
        repo.ok("git cpv push -q --metric loss=0.5 && git cpv revert -q v0.1 && git cpv status")
        assert repo.read("model.bin") == "weights 1"
        shell.ok(["git", "cpv", "clone", "-q", AWKWARD, "clone"])
        assert shell.read("clone/model.bin") == "weights 1"

    def test_through_a_symlink(self, repo: Shell) -> None:
        (repo.cwd / "../link").symlink_to("repo")
        link = repo.at("../link")
        link.write("new.bin", "x")
        link.ok("git cpv track -q new.bin && git cpv push -q --metric loss=1")
        assert repo.git("ls-files", "new.bin.dvc") == "new.bin.dvc"


class TestWorktrees:
    def test_a_linked_worktree_is_one_of_its_own(self, repo: Shell) -> None:
        repo.git("worktree", "add", "-q", "-b", "feature", "../linked")
        linked = repo.at("../linked")
        with worktree_unharmed(repo):
            linked.ok("git cpv pull -q")
            assert linked.read("model.bin") == "weights 2"
            linked.write("model.bin", "weights of the feature")
            linked.ok("git cpv push -q --metric loss=0.1")
            assert linked.ok("git cpv tag") == "v0.3"
            linked.ok("git cpv revert -q v0.1 && git cpv push -q")
        assert not (linked.cwd / ".dvc/cache").exists()
        assert repo.git("rev-parse", "origin/feature") == linked.git("rev-parse", "HEAD")
        assert "in step" in repo.ok("git cpv status")

    def test_a_linked_worktree_of_a_bare_repository(self, repo: Shell) -> None:
        repo.at("../origin.git").git("worktree", "add", "-q", "../beside", "main")
        beside = repo.at("../beside")
        beside.ok("git cpv pull -q")
        beside.write("model.bin", "weights 3")
        beside.ok("git cpv push -q --metric loss=0.3")
        assert beside.git("log", "-1", "--format=%s") == "Update model (loss=0.3)"

    def test_a_submodule_is_not_its_superproject(self, repo: Shell) -> None:
        repo.git("init", "-q", "../super")
        above = repo.at("../super")
        above.ok("git -c protocol.file.allow=always submodule --quiet add ../origin.git sub")
        above.git("commit", "-qm", "with a submodule")
        sub = above.at("sub")
        sub.ok("git cpv pull -q")
        sub.write("model.bin", "weights 3")
        sub.ok("git cpv push -q --metric loss=0.3 && git cpv tag -q && git cpv push -q")
        assert above.git("status", "--porcelain") == " M sub"
        assert above.fails("git cpv status").startswith("error: '")
        assert repo.git("ls-remote", "origin", "v0.3").endswith("refs/tags/v0.3")

    def test_a_sparse_checkout(self, repo: Shell) -> None:
        """Pointers that are not checked out are not taken for deleted."""
        repo.write("deep/other.bin", "x")
        repo.ok("git cpv track -q deep/other.bin && git cpv push -q --metric loss=1")
        repo.ok("git sparse-checkout init --cone && git sparse-checkout set data")
        repo.write("model.bin", "weights 3")
        repo.ok("git cpv push -q --metric loss=0.3")
        assert repo.git("ls-tree", "-r", "--name-only", "HEAD", "deep").splitlines() == [
            "deep/.gitignore",
            "deep/other.bin.dvc",
        ]
        assert repo.git("status", "--porcelain") == ""


@contextmanager
def worktree_unharmed(repo: Shell) -> Iterator[None]:
    """Refs are shared by all worktrees; files, index and HEAD are not."""
    own = ("files", "index", "status", "head")
    before = state(repo)
    yield
    after = state(repo)
    assert {key: after[key] for key in own} == {key: before[key] for key in own}


class TestHostileEnvironment:
    @pytest.fixture
    def other(self, shell: Shell) -> Shell:
        """Somebody's repository, which is none of ours."""
        shell.git("init", "-q", "other")
        other = shell.at("other")
        other.write("file", "theirs\n")
        other.git("add", "file")
        other.git("commit", "-qm", "theirs")
        other.write("file", "theirs, staged\n")
        other.git("add", "file")
        return other

    @pytest.mark.parametrize(
        "variables",
        [
            {"GIT_DIR": "{other}/.git"},
            {"GIT_DIR": "{other}/.git", "GIT_WORK_TREE": "{other}"},
            {"GIT_DIR": "{other}/.git", "GIT_INDEX_FILE": "{other}/.git/index", "GIT_PREFIX": "sub/"},
            {"GIT_INDEX_FILE": "{other}/.git/index"},
            {"GIT_OBJECT_DIRECTORY": "{other}/.git/objects", "GIT_COMMON_DIR": "{other}/.git"},
            {"GIT_NAMESPACE": "elsewhere", "GIT_LITERAL_PATHSPECS": "1", "GIT_ICASE_PATHSPECS": "1"},
            {
                "GIT_CONFIG": "/dev/null",
                "GIT_SHALLOW_FILE": "{other}/.git/shallow",
                "GIT_ATTR_SOURCE": "HEAD",
            },
            {"GIT_QUARANTINE_PATH": "{other}", "GIT_ALTERNATE_OBJECT_DIRECTORIES": "{other}/.git/objects"},
            {"GIT_REPLACE_REF_BASE": "refs/heads/", "GIT_NO_REPLACE_OBJECTS": "1"},
            {"GIT_GLOB_PATHSPECS": "1", "GIT_NOGLOB_PATHSPECS": "1", "GIT_DIFF_OPTS": "-u0"},
            {"GIT_EXTERNAL_DIFF": "false", "GIT_PAGER": "false", "PAGER": "false", "LESS": "-X"},
            {"GIT_OPTIONAL_LOCKS": "1", "GIT_FLUSH": "1", "GIT_TRACE": "2", "GIT_ASKPASS": "false"},
            {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LANG": "C", "COLUMNS": "3", "TERM": ""},
            {"GIT_EDITOR": "false", "VISUAL": "false", "EDITOR": "false", "GIT_SEQUENCE_EDITOR": "false"},
            {"CDPATH": "/", "POSIXLY_CORRECT": "1", "GREP_OPTIONS": "-v", "PYTHONPATH": "{other}"},
            {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "error", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "2"},
        ],
        ids=lambda variables: next(iter(variables)),
    )
    def test_variables_of_another_repository(
        self, repo: Shell, other: Shell, variables: dict[str, str]
    ) -> None:
        """As a hook of another repository, or a careless profile, leaves them."""
        env = {name: value.format(other=other.cwd) for name, value in variables.items()}
        here = repo.at(".", **env)
        repo.write("model.bin", "weights 3")
        with unharmed(other):
            here.ok("git-cpv-push -q --metric loss=0.3 && git-cpv-tag -q && git-cpv-push -q")
            here.ok("git-cpv-revert -q v0.1 && git-cpv-pull -q && git-cpv-track -q x.bin && git-cpv-status")
        assert repo.git("log", "-4", "--format=%s").splitlines() == [
            "Track x.bin",
            "Revert model to v0.1",
            "Update model (loss=0.3)",
            "second",
        ]
        assert repo.git("status", "--porcelain") == ""
        assert repo.git("fsck", "--strict") == ""
        assert repo.git("rev-parse", "v0.3^{commit}") == repo.git("rev-parse", "origin/main")

    def test_inside_a_hook_of_the_repository_itself(self, repo: Shell) -> None:
        """post-commit runs with GIT_INDEX_FILE and GIT_DIR set, relative to the top."""
        repo.write(".git/hooks/post-commit", "#!/bin/sh\ncd data && git cpv tag --force -q\n").chmod(0o755)
        repo.ok("echo '# more' >>train.py && git commit -qam code")
        assert repo.git("tag", "--points-at", "HEAD") == "v0.3"
        assert repo.git("status", "--porcelain") == ""


SETTINGS = """
[color]
    ui = always
    status = always
[core]
    pager = false
    quotePath = false
    abbrev = 4
    autocrlf = true
    safecrlf = true
    fileMode = false
    untrackedCache = true
    logAllRefUpdates = false
    commentChar = "%"
    ignoreCase = true
    warnAmbiguousRefs = false
    attributesFile = {home}/attributes
    excludesFile = {home}/excludes
    hooksPath = {home}/hooks
[status]
    showUntrackedFiles = no
    short = true
    branch = true
    renames = copies
    relativePaths = true
    submoduleSummary = true
[diff]
    external = false
    noprefix = true
    mnemonicPrefix = true
    renames = copies
    ignoreSubmodules = all
    orderFile = {home}/order
    wsErrorHighlight = all
[log]
    showSignature = true
    decorate = full
    date = relative
    follow = true
[format]
    pretty = %h nonsense
[i18n]
    commitEncoding = ISO-8859-1
    logOutputEncoding = ISO-8859-1
[column]
    ui = always
[tag]
    sort = -taggerdate
[branch]
    sort = -committerdate
    autoSetupMerge = always
    autoSetupRebase = always
[push]
    default = nothing
    followTags = true
    gpgSign = if-asked
    recurseSubmodules = check
[fetch]
    prune = true
    output = compact
    recurseSubmodules = true
[pull]
    rebase = true
    ff = only
[merge]
    ff = false
    log = true
    conflictStyle = diff3
[rebase]
    autoStash = true
[commit]
    template = {home}/template
    cleanup = scissors
    verbose = true
    status = false
[index]
    version = 4
    threads = true
[feature]
    manyFiles = true
[transfer]
    fsckObjects = true
[advice]
    statusHints = false
[alias]
    cpv-hook = !false
    push = !false
    status = !false
[pager]
    status = false
    config = false
    rev-parse = false
    tag = false
[submodule]
    recurse = true
[init]
    defaultBranch = trunk
    templateDir = {home}/nowhere
[gc]
    auto = 1
[maintenance]
    auto = false
[help]
    autoCorrect = 1
[url "file:///nowhere/"]
    insteadOf = gh:
"""


def journey(shell: Shell) -> Shell:
    """What a person does in a morning, beside somebody else."""
    ann = shell.at("repo")
    shell.ok("git cpv clone -q origin.git ben")
    ben = shell.at("ben")
    ann.write("model.bin", "weights 3")
    ann.write("data/train/größe.csv", "1\n")
    ann.ok("git cpv push -q --metric loss=0.3 && git cpv tag -q --combined && git cpv push -q")
    ben.ok("git cpv pull -q")
    assert ben.read("model.bin") == "weights 3"
    assert ben.read("data/train/größe.csv") == "1\n"
    ben.ok("git cpv revert -q v0.1 && git cpv push -q")
    ann.ok("git cpv pull -q && git cpv track -q --data 'more data' && git cpv untrack -q 'more data'")
    assert ann.read("model.bin") == "weights 1"
    ann.write("model.bin", "weights 4")
    ann.ok("git cpv push -q --branch side --metric loss=0.2 && git cpv list && git cpv show && git cpv diff")
    return ann


class TestSettings:
    def test_awkward_settings_change_nothing(self, repo: Shell, sealed: Path) -> None:
        """The files that git holds are the same as without them, whatever the user likes to see."""
        (sealed / "hooks").mkdir()
        (sealed / "attributes").write_text("* text=auto eol=crlf\n*.json diff=json\n")
        (sealed / "excludes").write_text("*.dvc\n.cpvconfig\ncheckpoint.json\n")
        (sealed / "order").write_text("*\n")
        (sealed / "template").write_text("Ticket: \n")
        with (sealed / ".gitconfig").open("a") as config:
            config.write(SETTINGS.format(home=sealed))
        ann = journey(repo.at(".."))
        assert ann.git("-c", "core.autocrlf=false", "status", "--porcelain") == ""
        for path in ("model.bin.dvc", "data.dvc", "checkpoint.json", ".cpvconfig", ".gitignore"):
            assert "\r" not in ann.git("show", f"HEAD:{path}")
        assert ann.git("for-each-ref", "--format=%(refname:short)", "refs/tags").splitlines() == [
            *("data/v0.1", "data/v0.3", "v0.1", "v0.2", "v0.3")
        ]

    def test_the_same_without_them(self, repo: Shell) -> None:
        ann = journey(repo.at(".."))
        assert ann.git("status", "--porcelain") == ""

    def test_tags_that_are_pruned_by_a_fetch_come_back(self, repo: Shell) -> None:
        """fetch.pruneTags takes every tag away that the git remote lacks; a pending version outlives it."""
        repo.git("config", "fetch.pruneTags", "true")
        repo.git("config", "fetch.prune", "true")
        repo.write("model.bin", "weights 3")
        repo.ok("git cpv push -q --metric loss=0.3 && git cpv tag -q")
        repo.git("fetch", "-q")
        assert "v0.3" in repo.ok("git cpv list")
        repo.ok("git cpv push -q")
        assert repo.git("ls-remote", "origin", "v0.3").endswith("refs/tags/v0.3")

    def test_a_signature_without_a_key(self, repo: Shell) -> None:
        repo.write("model.bin", "weights 3")
        repo.git("config", "commit.gpgSign", "true")
        repo.git("config", "gpg.program", "false")
        hint = (
            "hint: name a key, git config user.signingKey KEY; "
            "or sign nothing, git config commit.gpgSign false"
        )
        with unharmed(repo):
            for command in ("push --metric loss=1", "revert v0.1", "track x.bin", "untrack model.bin"):
                repo.write("model.bin", "weights 2" if command.startswith("revert") else "weights 3")
                assert repo.fails(f"git cpv {command}") == (
                    f"error: git commit-tree failed: gpg failed to sign the data\n{hint}"
                )
                repo.write("model.bin", "weights 3")
        assert repo.ok("git -c commit.gpgSign=false cpv push -q --metric loss=1") == repo.git(
            "rev-parse", "HEAD"
        )

    def test_nobody_is_known(self, repo: Shell, sealed: Path) -> None:
        (sealed / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
        repo.write("model.bin", "weights 3")
        hint = "hint: git config --global user.email MAIL"
        with unharmed(repo):
            assert repo.fails("git cpv push --metric loss=1") == (
                "error: git commit-tree failed: no email was given and auto-detection is disabled\n" + hint
            )
            assert repo.fails("git cpv tag --force") == (
                "error: git var failed: no email was given and auto-detection is disabled\n" + hint
            )

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_repository_of_somebody_elses(self, repo: Shell) -> None:
        for folder, names, files in os.walk(repo.cwd):
            for name in (*names, *files, "."):
                os.chown(Path(folder, name), 12345, 12345, follow_symlinks=False)
        assert repo.fails("git cpv status") == (
            f"error: '{repo.cwd}' is in a repository of another user's\n"
            f"hint: git config --global --add safe.directory {repo.cwd}"
        )


class TestHooks:
    def test_those_of_git_commit_run_for_code_only(self, repo: Shell, tmp_path: Path) -> None:
        """A commit of pointers is CPV's own; one of code (-a) is looked at as git would."""
        hooks = tmp_path / "hooks"
        hooks.mkdir()
        repo.git("config", "core.hooksPath", str(hooks))
        for name in ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "pre-push"):
            (hooks / name).write_text(f'#!/bin/sh\necho {name} >>"{tmp_path}/ran"\n')
            (hooks / name).chmod(0o755)
        repo.write("model.bin", "weights 3")
        repo.ok("git cpv push -q --metric loss=0.3")
        assert (tmp_path / "ran").read_text() == "pre-push\n"
        repo.write("train.py", "tuned\n")
        repo.ok("git cpv push -q -a")
        assert (tmp_path / "ran").read_text() == (
            "pre-push\npre-commit\nprepare-commit-msg\ncommit-msg\npre-push\n"
        )
        (hooks / "pre-commit").write_text("#!/bin/sh\necho 'no tabs, please' >&2\nexit 1\n")
        repo.write("train.py", "\ttuned\n")
        with unharmed(repo):
            assert repo.fails("git cpv push -a") == (
                "no tabs, please\nerror: the 'pre-commit' hook refused the commit\n"
                "hint: what it says stands above"
            )

    def test_a_pre_push_hook_that_refuses_is_quoted(self, repo: Shell) -> None:
        hook = repo.write(".git/hooks/pre-push", "#!/bin/sh\necho 'not on Fridays' >&2\nexit 1\n")
        hook.chmod(0o755)
        repo.write("model.bin", "weights 3")
        assert repo.fails("git cpv push --metric loss=0.3") == (
            "error: git push failed: not on Fridays\n"
            "hint: see to the git remote; what was committed is stored, and git cpv push publishes it then"
        )
        hook.unlink()
        assert repo.run("git cpv push").err == "published to origin\n"

    def test_a_hook_that_lets_no_ref_move(self, repo: Shell) -> None:
        hook = repo.write(".git/hooks/reference-transaction", "#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
        repo.write("model.bin", "weights 3")
        said = (
            "error: git update-ref failed: ref updates aborted by hook\n"
            "hint: the reference-transaction hook refuses: ls $(git rev-parse --git-path hooks)"
        )
        with unharmed(repo):
            assert repo.fails("git cpv push") == (
                f"warning: no metrics were given for this model (--metric loss=0.2)\n{said}"
            )
            assert repo.fails("git cpv tag --force") == said
            assert repo.fails("git cpv track x.bin") == said
        hook.unlink()
        repo.ok("git cpv push -q --metric loss=0.3")


class TestIdentity:
    def test_commits_and_tags_are_the_users_own(self, repo: Shell) -> None:
        who = {
            "GIT_AUTHOR_NAME": "Grace Hopper",
            "GIT_AUTHOR_EMAIL": "grace@example.org",
            "GIT_AUTHOR_DATE": "2001-02-03T04:05:06+0200",
            "GIT_COMMITTER_NAME": "Bot",
            "GIT_COMMITTER_EMAIL": "bot@example.org",
            "GIT_COMMITTER_DATE": "2002-03-04T05:06:07-0300",
        }
        repo.write("model.bin", "weights 3")
        repo.ok("git cpv push -q --metric loss=1 && git cpv tag -q", **who)
        form = "%an <%ae> %aI | %cn <%ce> %cI"
        assert repo.git("log", "-1", f"--format={form}", "main") == (
            "Grace Hopper <grace@example.org> 2001-02-03T04:05:06+02:00 | "
            "Bot <bot@example.org> 2002-03-04T05:06:07-03:00"
        )
        assert repo.git("cat-file", "tag", "v0.3").splitlines()[3] == (
            "tagger Bot <bot@example.org> 1015229167 -0300"
        )

    def test_dash_c_and_conditional_includes(self, repo: Shell, sealed: Path) -> None:
        (sealed / "work").write_text("[user]\n\tname = Ada at Work\n")
        with (sealed / ".gitconfig").open("a") as config:
            config.write(f'[includeIf "gitdir:{repo.cwd}/"]\n\tpath = {sealed}/work\n')
        repo.ok("git cpv track -q x.bin")
        assert repo.git("log", "-1", "--format=%an <%ae>") == "Ada at Work <ada@example.org>"
        repo.ok("git -c user.name=Somebody cpv untrack -q x.bin")
        assert repo.git("log", "-1", "--format=%an") == "Somebody"


def code(repo: Shell) -> None:
    repo.write("both.py", "1\n")
    repo.write("renamed.py", "a file that is going to be renamed, long enough to be known again\n")
    for name in ("gone.py", "untracked-by-index.py", "assumed.py", "skipped.py", "script.sh"):
        repo.write(name, "1\n")
    repo.git("add", "*.py", "*.sh")
    repo.git("commit", "-qm", "code")


def mess(repo: Shell) -> None:
    """Every kind of work that can be under way beside a model, in that code."""
    repo.write("both.py", "2 staged\n")
    repo.git("add", "both.py")
    repo.write("both.py", "3 unstaged\n")
    repo.write("new.py", "new and staged\n")
    repo.git("add", "new.py")
    repo.write("meant.py", "meant to be added\n")
    repo.git("add", "-N", "meant.py")
    repo.git("mv", "renamed.py", "under-another-name.py")
    (repo.cwd / "gone.py").unlink()
    repo.git("rm", "-q", "--cached", "untracked-by-index.py")
    repo.write("assumed.py", "2\n")
    repo.write("skipped.py", "2\n")
    repo.git("update-index", "--assume-unchanged", "assumed.py")
    repo.git("update-index", "--skip-worktree", "skipped.py")
    repo.git("update-index", "--chmod=+x", "script.sh")
    repo.write(".gitignore", repo.read(".gitignore") + "# staged\n")
    repo.git("add", ".gitignore")
    repo.write(".gitignore", repo.read(".gitignore") + "# unfinished\n")
    repo.write(".cpvconfig", repo.read(".cpvconfig") + "# unfinished\n")
    repo.write(".dvcignore", repo.read(".dvcignore") + "# unfinished\n")
    repo.write("README.md", "unfinished\n")
    repo.write("notes.txt", "nobody's\n")
    (repo.cwd / "link").symlink_to("README.md")


COMMANDS = {
    "push": "git cpv push -q --metric loss=0.3",
    "push from": "git cpv push -q --from model.bin --metric loss=0.3",
    "push onto a branch": "git cpv push -q --branch side --metric loss=0.3",
    "tag": "git cpv tag -q --force && git cpv tag -q --data --force --major",
    "revert": "git cpv revert -q --force v0.1",
    "revert on a branch": "git cpv revert -q --branch side v0.1",
    "pull": "git cpv pull -q",
    "track": "git cpv track -q later.bin",
    "untrack": "git cpv untrack -q model.bin",
    "init": "git cpv init -q",
}
OURS = re.compile(r"(^|/|\t)(checkpoint\.json|\S+\.dvc|metrics\.log|model\.bin)$")


class TestWorkUnderWay:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_it_stays_exactly_as_it_was(self, repo: Shell, command: str) -> None:
        code(repo)
        if command == "pull":
            repo.git("push", "-q")
            repo.ok("git cpv clone -q ../origin.git ../ben")
            repo.at("../ben").write("model.bin", "weights of Ben")
            repo.at("../ben").ok("git cpv push -q --metric loss=0.35")
        mess(repo)
        if command not in ("pull", "init"):
            repo.write("model.bin", "weights 3")
        before, status = self.work(repo), self.status(repo)
        commits = int(repo.git("rev-list", "--count", "--all"))
        repo.ok(COMMANDS[command])
        assert self.work(repo) == before
        assert self.status(repo) == status
        made = int(repo.git("rev-list", "--count", "--all")) - commits
        assert made == (0 if command in ("tag", "init") else 1)
        if command == "pull":
            assert repo.read("model.bin") == "weights of Ben"

    def status(self, repo: Shell) -> list[str]:
        """What git tells of the work, letters only: a shared file's ids follow CPV's line in it."""
        lines = repo.git("status", "--porcelain", "--untracked-files=all").splitlines()
        return [line for line in lines if "model.bin" not in line]

    def work(self, repo: Shell) -> dict[str, object]:
        """Files and index of all but what CPV itself writes, its lines in shared files left out."""
        index = repo.git("ls-files", "--stage", "-v").splitlines()
        own = ("/later.bin", "/model.bin", "\tout = later.bin", "\tout = model.bin", '[cpv "model"]')
        files = {
            path: [line for line in data.decode("utf-8", "replace").splitlines() if line not in own]
            for path, data in repo.files().items()
            if not OURS.search(path) and not path.startswith((".dvc/cache", ".dvc/tmp"))
        }
        shared = (".gitignore", ".cpvconfig")
        staged = {
            path: [line for line in repo.git("show", f":{path}").splitlines() if line not in own]
            for path in shared
        }
        kept = [line for line in index if not line.endswith(tuple(f"\t{path}" for path in shared))]
        return {
            "files": files,
            "index": [line for line in kept if not OURS.search(line)],
            "shared": staged,
            "stash": repo.git("stash", "list"),
        }

    def test_staged_pointers_of_others_are_left_staged(self, repo: Shell) -> None:
        """What DVC staged for another out is not swept into a checkpoint."""
        repo.write("other.bin.dvc", repo.read("model.bin.dvc").replace("model.bin", "other.bin"))
        repo.git("add", "-f", "other.bin.dvc")
        repo.write("model.bin", "weights 3")
        repo.ok("git cpv push -q --metric loss=0.3")
        assert repo.git("status", "--porcelain") == "A  other.bin.dvc"
        assert "other.bin.dvc" not in repo.git("show", "--name-only", "--format=", "HEAD")

    def test_dry_runs_touch_nothing(self, repo: Shell) -> None:
        code(repo)
        mess(repo)
        repo.write("model.bin", "weights 3")
        with unharmed(repo):
            for command in COMMANDS.values():
                for each in command.split(" && "):
                    repo.ok(f"{each} -n")
