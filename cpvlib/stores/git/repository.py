"""One repository as seen from one folder: its places, its HEAD, its configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.config import GitConfig
from cpvlib.stores.git.door import (
    OLDEST,
    Asked,
    Completed,
    Git,
    Trace,
    clean_environment,
    failure,
    last_word,
    version,
)
from cpvlib.stores.git.objects import ObjectReader

__all__ = ["GitConfig", "GitRepository", "Head"]

# No path that git prints holds '//', so a path with newlines can't be taken for two. rev-parse echoes it.
_END = "--//"
_FACTS = (
    *("--is-bare-repository", "--is-inside-work-tree"),
    *("--is-shallow-repository", "--show-object-format", _END),
    *("--git-dir", _END, "--git-common-dir", _END, "--git-path", "hooks", _END, "--show-prefix", _END),
    *("--show-toplevel", _END, "HEAD", _END, "--symbolic-full-name", "HEAD"),
)
_OID = regex(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


class NoRepositoryError(RepositoryError):
    """There is no repository, or none of CPV's."""


class Head(NamedTuple):
    """Where HEAD is: `branch` is the short name, None when detached; `commit` is None on an unborn branch."""

    branch: str | None
    commit: str | None


class _Facts(NamedTuple):
    top: Path
    git_dir: Path
    common_dir: Path
    hooks_dir: Path
    prefix: str
    is_shallow: bool
    object_format: str
    head: Head | None


class GitRepository:
    """A worktree and its repository. Paths given to and taken from git are posix, relative to `top`.

    HEAD is read once and remembered; `forget` makes the next `head` look again.
    """

    def __init__(self, git: Git, facts: _Facts, config: Asked | None = None) -> None:
        self.git = git
        self.top = facts.top
        self.git_dir = facts.git_dir
        self.common_dir = facts.common_dir
        self.hooks_dir = facts.hooks_dir
        self.prefix = facts.prefix
        self.is_shallow = facts.is_shallow
        self.object_format = facts.object_format
        self.null_oid = "0" * (64 if facts.object_format == "sha256" else 40)
        self.written: set[str] = set()
        """Ids of objects that were written through here."""
        self._head = facts.head
        self._config = config

    @classmethod
    def discover(
        cls, cwd: Path, environ: Mapping[str, str] | None = None, trace: Trace | None = None
    ) -> GitRepository:
        """The repository around `cwd`; where there is none, the one that GIT_DIR names.

        A hook, or a hostile environment, may name another repository: the one around `cwd` wins, unless
        GIT_WORK_TREE (`git --git-dir=A --work-tree=B`) is a folder at or below its top that `cwd` is in.
        Raises RepositoryError outside of a repository, in a bare one and inside `.git`; GitError without git,
        or with one that is too old.
        """
        environ = os.environ if environ is None else environ
        cwd = Path(os.path.realpath(cwd))
        git = Git(cwd, clean_environment(environ), trace)
        told = _told(environ, cwd)
        asked, config = git.begin("rev-parse", *_FACTS), GitConfig.ask(git)  # both are at work at once
        try:
            facts = _facts(git, asked.answer())
        except BaseException as error:
            config.drop()
            if not told or not isinstance(error, RepositoryError):
                raise
            facts = None
        if facts and not _meant(told, facts, cwd):
            git.cwd = facts.top
            return cls(git, facts, config)
        if facts:
            config.drop()
        git.env.update(told)
        top = Path(os.path.realpath(told.get("GIT_WORK_TREE", cwd)))
        if top.is_dir() and not cwd.is_relative_to(top):
            git.cwd = top  # where git itself goes, from wherever it was called
        facts = _facts(git, git.ask("rev-parse", *_FACTS))
        git.env.update(GIT_DIR=os.fspath(facts.git_dir), GIT_WORK_TREE=os.fspath(facts.top))
        git.cwd = facts.top
        return cls(git, facts)

    @cached_property
    def config(self) -> GitConfig:
        """git's configuration as of the first look."""
        asked, self._config = self._config, None
        return GitConfig.load(self.git, asked)

    @cached_property
    def objects(self) -> ObjectReader:
        """A git that stays to read objects. `close` ends it; it ends by itself with this process."""
        return ObjectReader(self.git)

    def close(self) -> None:
        """End what was left running."""
        reader = self.__dict__.pop("objects", None)
        if reader is not None:
            reader.close()
        self._drop_config()

    def head(self) -> Head:
        """Where HEAD is."""
        if self._head is None:
            done = self.git.ask("rev-parse", "HEAD", "--symbolic-full-name", "HEAD")
            commit, _, ref = os.fsdecode(done.out).rstrip("\n").partition("\n")
            self._head = _head(commit, ref)
        return self._head or self._doubtful_head()

    def _doubtful_head(self) -> Head:
        """HEAD on an unborn branch, or where somebody called a branch or tag HEAD too."""
        symbolic = self.git.ask("symbolic-ref", "--quiet", "HEAD")
        ref = os.fsdecode(symbolic.out).removesuffix("\n")
        commit = os.fsdecode(self.git.ask("rev-parse", "--verify", "--quiet", "HEAD").out).rstrip("\n")
        self._head = _head(commit, ref or "HEAD") or Head(ref.removeprefix("refs/heads/"), None)
        return self._head

    def forget_head(self) -> None:
        """HEAD may have moved."""
        self._head = None

    def forget(self) -> None:
        """HEAD, or git's configuration, may have changed."""
        self._head = None
        self.__dict__.pop("config", None)
        self._drop_config()

    def _drop_config(self) -> None:
        asked, self._config = self._config, None
        if asked is not None:
            asked.drop()

    def resolve(self, rev: str) -> str | None:
        """The commit that a revision names, tags peeled; None where it names none. gitrevisions(7).

        Safe for text from anywhere: an option, a range, or what holds control characters names nothing.
        """
        if not rev or rev.startswith("-") or any(char < " " or char == "\x7f" for char in rev):
            return None
        peel = "" if rev.startswith(":/") else "^{commit}"  # what follows ':/' is a text to search for
        done = self.git.ask("rev-parse", "--verify", "--quiet", rev + peel)
        commit = os.fsdecode(done.out).rstrip("\n")
        return commit if done.code == 0 and _OID.fullmatch(commit) else None

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether `commit` is, or descends from, `ancestor`; both are object ids."""
        args = ("merge-base", "--is-ancestor", ancestor, commit)
        done = self.git.ask(*args)
        if done.code not in (0, 1):
            raise failure(args, done)
        return done.code == 0

    def unfinished(self) -> str | None:
        """What is under way in this worktree: 'rebase', 'am', 'merge', 'cherry-pick', 'revert', or None."""
        if (self.git_dir / "rebase-merge").is_dir():
            return "rebase"
        if (self.git_dir / "rebase-apply").is_dir():
            return "am" if (self.git_dir / "rebase-apply" / "applying").exists() else "rebase"
        for name, what in (("MERGE", "merge"), ("CHERRY_PICK", "cherry-pick"), ("REVERT", "revert")):
            if self._has_pseudoref(f"{name}_HEAD"):
                return what
        try:
            todo = (self.git_dir / "sequencer" / "todo").read_bytes()
        except OSError:
            return None
        return "revert" if todo.lstrip().startswith(b"revert") else "cherry-pick"

    def _has_pseudoref(self, name: str) -> bool:
        if (self.git_dir / name).exists():
            return True
        if not (self.git_dir / "reftable").is_dir():
            return False
        return self.git.ask("rev-parse", "--verify", "--quiet", name).code == 0

    @cached_property
    def main_top(self) -> Path:
        """The top of the main worktree, for a linked one; its own where the repository itself is bare."""
        if self.git_dir == self.common_dir:
            return self.top
        elsewhere = self.config.get("core.worktree")  # a submodule's
        if elsewhere:
            return Path(os.path.normpath(self.common_dir / elsewhere))
        if self.config.get_bool("core.bare") or self.common_dir.name != ".git":
            return self.top
        return self.common_dir.parent

    def tops(self) -> list[Path]:
        """The tops of all worktrees that are there, linked ones too. gitrepository-layout(5), `worktrees`."""
        tops = dict.fromkeys([self.top, self.main_top])
        for place in sorted(self.common_dir.glob("worktrees/*/gitdir")):
            with suppress(OSError):
                there = os.fsdecode(place.read_bytes()).removesuffix("\n")  # relative, where git was told so
                tops[Path(os.path.normpath(place.parent / there)).parent] = None
        return [top for top in tops if top.is_dir()]


def _told(environ: Mapping[str, str], cwd: Path) -> dict[str, str]:
    """What `git --git-dir=A --work-tree=B` put in the environment, made absolute."""
    if not environ.get("GIT_DIR"):
        return {}
    names = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR")
    return {name: os.path.normpath(cwd / environ[name]) for name in names if environ.get(name)}


def _meant(told: Mapping[str, str], facts: _Facts, cwd: Path) -> bool:
    """Whether the environment's worktree is nearer to `cwd` than the one that was found around it."""
    if "GIT_WORK_TREE" not in told:
        return False
    top = Path(os.path.realpath(told["GIT_WORK_TREE"]))
    return cwd.is_relative_to(top) and top.is_relative_to(facts.top)


def _facts(git: Git, done: Completed) -> _Facts:
    parts = os.fsdecode(done.out).split(f"\n{_END}\n")
    words = parts[0].split()
    if len(words) < 4:
        raise _no_repository(git, done.err)
    if words[3].startswith("--"):
        raise _too_old(git)
    if words[0] == "true":
        raise _bare(git)
    if words[1] != "true" or len(parts) < 6:
        raise _not_in_worktree(git)
    git_dir, common_dir, hooks_dir = (Path(os.path.normpath(git.cwd / each)) for each in parts[1:4])
    head = _head(parts[6], parts[7].removesuffix("\n")) if len(parts) > 7 else None
    is_shallow = words[2] == "true"
    return _Facts(Path(parts[5]), git_dir, common_dir, hooks_dir, parts[4], is_shallow, words[3], head)


def _head(commit: str, ref: str) -> Head | None:
    if not _OID.fullmatch(commit) or not ref:
        return None
    return Head(ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None, commit)


def _bare(git: Git) -> RepositoryError:
    from shlex import quote

    return RepositoryError(
        f"'{git.cwd}' is a bare repository", hint=f"git cpv clone {quote(str(git.cwd))} DIR, and work there"
    )


def _not_in_worktree(git: Git) -> RepositoryError:
    return RepositoryError(f"'{git.cwd}' is not in a worktree", hint="cd to the worktree's top")


def _no_repository(git: Git, err: str) -> RepositoryError:
    if "cannot use bare repository" in err:  # as the door has git say it of one that is only found
        return _not_in_worktree(git) if ".git" in git.cwd.parts else _bare(git)
    allow = re.search(r"^\s*(git config --global --add safe\.directory .*)$", err, re.MULTILINE)
    if allow:
        return RepositoryError(f"'{git.cwd}' is in a repository of another user's", hint=allow[1])
    if "not a git repository" in err:
        return NoRepositoryError(f"'{git.cwd}' is not in a git repository", hint="git cpv init")
    return RepositoryError(f"the repository at '{git.cwd}' cannot be read: {last_word(err)}")


def _too_old(git: Git) -> GitError:
    found = ".".join(map(str, version(git) or ())) or "older"
    return GitError(f"git is {found}, and {OLDEST} or newer is needed", hint="update git")
