"""Other repositories: pushing with a claim, fetching, cloning. Every command here may use the network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import ConfigError, GitError
from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.config import GitConfig
from cpvlib.stores.git.door import Completed, Git, Trace, batch_ssh, clean_environment, failure, lines
from cpvlib.stores.git.repository import GitRepository
from cpvlib.stores.git.trees import refuse_overwriting

OK = "ok"
UP_TO_DATE = "up-to-date"
REJECTED_MOVED = "rejected-moved"
REJECTED_LEASE = "rejected-lease"
REFUSED = "refused"
WITHHELD = "withheld"

_NO_ATOMIC = "does not support --atomic"
_SCP = regex(r"[^/]*:")
_DRIVE = regex(r"[A-Za-z]:[\\/]")
_RESULT = regex(r"([ +*!=-])\t([^\t]*):([^\t:]*)\t(.*)", re.DOTALL)
_REJECTED = regex(r"^ ! \[rejected\]\s+\S+\s+-> (\S+)\s+\(", re.MULTILINE)
# What is said to the one who loses a race, by git push itself and by servers of several ages.
_LOST = ("stale info", "reference already exists", "but expected ", "incorrect old value", "File exists")
_BEHIND = ("non-fast-forward", "fetch first", "needs force", "already exists")


class RefPush(NamedTuple):
    """One ref to move at a remote: `src` is an object id or ref here, '' deletes; `dst` is a full ref there.

    `lease` is what `dst` must hold there now ('': it must not exist); None: it may only move forward.
    """

    src: str
    dst: str
    lease: str | None = None


class PushResult(NamedTuple):
    """What became of `dst`.

    'ok', 'up-to-date'; 'rejected-moved': the remote has commits that are not here; 'rejected-lease': the ref
    holds something else than the lease says; 'refused': by a hook or rule there, with its words as `reason`;
    'withheld': not tried, because another ref of the same push failed.
    """

    dst: str
    status: str
    reason: str


class NoAtomicPushError(GitError):
    """The server can't move several refs as one. Nothing was moved."""


class LogEntry(NamedTuple):
    """A commit, for a line about it. Text from anywhere: escape it before it is shown."""

    commit: str
    author: str
    subject: str


def upstream(repo: GitRepository, branch: str | None = None) -> tuple[str, str] | None:
    """The git remote, and the full ref there, that a branch (HEAD's, unless named) follows, if any."""
    branch = branch or repo.head().branch
    if branch is None:
        return None
    git_remote, ref = (repo.config.get(f"branch.{branch}.{key}") for key in ("remote", "merge"))
    return (git_remote, ref) if git_remote and ref and git_remote != "." else None


def choose_remote(repo: GitRepository, settings_remote: str | None) -> str | None:
    """The upstream's git remote, else `settings_remote` (cpv.remote), else 'origin', else None.

    Raises ConfigError where `settings_remote` is no remote of this repository.
    """
    follows = upstream(repo)
    if follows:
        return follows[0]
    known = [name for name in repo.config.subsections("remote") if repo.config.get(f"remote.{name}.url")]
    if settings_remote:
        if settings_remote not in known:
            raise ConfigError(f"cpv.remote names no git remote: '{settings_remote}'", hint="git remote -v")
        return settings_remote
    return "origin" if "origin" in known else None


def url_of(repo: GitRepository, git_remote: str) -> str:
    """The URL that a push to `git_remote` (a name or a URL) goes to, url.*.insteadOf applied."""
    if repo.config.get(f"remote.{git_remote}.url"):
        return repo.git.text("remote", "get-url", "--push", "--", git_remote)
    return git_remote


def is_local(url: str) -> bool:
    """Whether a git URL names a folder of this machine. git-clone(1), "GIT URLS"."""
    if url.startswith("file://"):
        return url[len("file://") :].partition("/")[0] in ("", "localhost")
    if _DRIVE.match(url):
        return True
    return "://" not in url and not _SCP.match(url)


class SshHost(NamedTuple):
    """Where an SSH URL leads; `user` is '' and `port` None where the URL leaves them to ssh."""

    user: str
    name: str
    port: int | None


def ssh_host(url: str) -> SshHost | None:
    """The host of a git URL for SSH, in either of its forms; None for any other. git-clone(1), "GIT URLS"."""
    if is_local(url):
        return None
    scheme, separator, rest = url.partition("://")
    if separator and scheme not in ("ssh", "git+ssh", "ssh+git"):
        return None
    authority = rest.partition("/")[0] if separator else url.partition(":")[0]
    user, _, host = authority.rpartition("@")
    name, _, port = host.partition(":") if not host.startswith("[") else (host, "", "")
    return SshHost(user, name, int(port) if port.isdecimal() else None)


def try_push(repo: GitRepository, git_remote: str, ref: str) -> None:
    """Asks whether HEAD might be pushed as a new `ref`, and pushes nothing. git-push(1), `--dry-run`.

    Raises GitError or CredentialError where the remote can't be reached or lets nobody of this name write.
    """
    args = ("push", "--dry-run", "--no-verify", "--porcelain", "--", git_remote, f"HEAD:{ref}")
    done = _reach(repo, *args)
    if done.code:
        raise failure(args, done)


def push(repo: GitRepository, git_remote: str, updates: Sequence[RefPush]) -> list[PushResult]:
    """Move refs at the remote, all or none; the results are in the order of `updates`.

    Raises NoAtomicPushError where the server can't do that for several at once, GitError or CredentialError
    where the remote can't be reached. git-push(1), `--porcelain`.
    """
    if not updates:
        return []
    args = ["push", "--porcelain", "--no-follow-tags", *(["--atomic"] if len(updates) > 1 else [])]
    args += [f"--force-with-lease={each.dst}:{each.lease}" for each in updates if each.lease is not None]
    args += ["--", git_remote, *(f"{each.src}:{each.dst}" for each in updates)]
    done = _reach(repo, *args)
    if done.code and _NO_ATOMIC in done.err:
        error = failure(args, done)
        raise NoAtomicPushError(error.message, hint=error.hint)
    found = _push_results(done, {each.dst for each in updates if each.lease is not None})
    missing = [each.dst for each in updates if each.dst not in found]
    if missing:
        raise failure(args, done)
    return [found[each.dst] for each in updates]


def _push_results(done: Completed, leased: set[str]) -> dict[str, PushResult]:
    words = remote_words(done.err)
    found = {}
    for line in os.fsdecode(done.out).split("\n"):
        match = _RESULT.fullmatch(line)
        if match:
            flag, _, dst, summary = match.groups()
            found[dst] = _result(flag, dst, summary, dst in leased, words)
    if found and all(result.status == WITHHELD for result in found.values()):
        why = " ".join(words)  # which names none of them
        return {dst: each._replace(status=REFUSED, reason=why or each.reason) for dst, each in found.items()}
    return found


def _result(flag: str, dst: str, summary: str, leased: bool, words: Sequence[str]) -> PushResult:
    if flag == "=":
        return PushResult(dst, UP_TO_DATE, "")
    if flag != "!":
        return PushResult(dst, OK, "")
    reason = summary.partition(" (")[2].removesuffix(")") or summary
    if summary.startswith("[rejected]") and reason in _BEHIND:
        return PushResult(dst, REJECTED_MOVED, reason)
    # A server that could not move the ref says why in words of its own: "cannot lock ref 'refs/…': …"
    about = [reason, *(line for line in words if f"'{dst}'" in line)]
    if any(sign in line for line in about for sign in _LOST):
        return PushResult(dst, REJECTED_LEASE if leased else REJECTED_MOVED, " ".join(about[1:]) or reason)
    if "atomic" in reason and len(about) == 1:
        return PushResult(dst, WITHHELD, reason)
    return PushResult(dst, REFUSED, f"{' '.join(words)} ({reason})" if words else reason)


def remote_words(err: str) -> list[str]:
    """What the other side said in git's stderr, line by line."""
    said = (line[len("remote:") :].strip() for line in err.splitlines() if line.startswith("remote:"))
    return [line for line in said if line]


def fetch(repo: GitRepository, git_remote: str, refspecs: Sequence[str] = ()) -> list[str]:
    """Fetch `refspecs`, or what the remote is set up for; no tags but those asked for, and nothing is pruned.

    Returns the refs here that were left as they are because the remote's is another: a tag, or a branch
    without '+' that would not move forward. Raises GitError or CredentialError. git-fetch(1).
    """
    return _fetch(repo, git_remote, refspecs)


def _fetch(repo: GitRepository, git_remote: str, refspecs: Sequence[str], *more: str) -> list[str]:
    options = ("--no-tags", "--no-prune", "--no-prune-tags", "--no-recurse-submodules", *more)
    args = ("-c", "fetch.output=full", "fetch", *options, "--", git_remote, *refspecs)
    done = _reach(repo, *args)
    kept = _REJECTED.findall(done.err)
    if done.code and not kept:
        raise failure(args, done)
    return kept


def fetch_objects(repo: GitRepository, git_remote: str, refs: Sequence[str]) -> None:
    """Bring the objects that full ref names of the remote hold; no ref of this repository changes."""
    if refs:
        _fetch(repo, git_remote, refs, "--refmap=")


def ls_remote(repo: GitRepository, git_remote: str, patterns: Sequence[str] = ()) -> dict[str, str]:
    """Full ref name to object id at the remote, tags not peeled. git-ls-remote(1)."""
    args = ("ls-remote", "--quiet", "--refs", "--", git_remote, *patterns)
    done = _reach(repo, *args)
    if done.code:
        raise failure(args, done)
    listed = (line.partition("\t") for line in lines(done.out))
    return {ref: oid for oid, _, ref in listed}


def log(repo: GitRepository, commits: str, limit: int) -> list[LogEntry]:
    """The newest `limit` commits of a range of full ref names or ids: 'refs/heads/a..refs/remotes/b'."""
    form = ("--format=%x00%an%x00%s%x00", "--encoding=UTF-8")
    listed = repo.git.run("rev-list", f"--max-count={limit}", *form, commits, "--").decode(errors="replace")
    fields = listed.split("\0")
    return [
        LogEntry(fields[at].strip().removeprefix("commit "), fields[at + 1], fields[at + 2])
        for at in range(0, len(fields) - 1, 3)
    ]


def set_upstream(repo: GitRepository, branch: str, git_remote: str, ref: str) -> None:
    """Let `branch` follow `ref` (a full name) of `git_remote`."""
    repo.git.run("config", "--replace-all", f"branch.{branch}.remote", git_remote)
    repo.git.run("config", "--replace-all", f"branch.{branch}.merge", ref)
    repo.forget()


def fast_forward(repo: GitRepository, commit: str) -> None:
    """Move HEAD's branch, index and worktree forward to `commit`, keeping changes that are not in the way.

    Raises GitError, with nothing changed, where it isn't a descendant or files are in the way.
    """
    head = repo.head().commit
    if head is not None:
        refuse_overwriting(repo, head, commit)
    args = ("merge", "--ff-only", "--quiet", "--no-stat", commit)
    done = repo.git.ask(*args, env={"GIT_REFLOG_ACTION": "pull"})
    repo.forget_head()
    if done.code:
        raise failure(args, done)


def checkout_detached(repo: GitRepository, commit: str) -> None:
    """Check `commit` out on a detached HEAD. Raises GitError where files are in the way."""
    head = repo.head().commit
    if head is not None:
        refuse_overwriting(repo, head, commit)
    repo.git.run("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit, "--")
    repo.forget_head()


def clone(
    url: str,
    folder: Path,
    *,
    branch: str | None = None,
    checkout: bool = True,
    environ: Mapping[str, str] | None = None,
    trace: Trace | None = None,
) -> GitRepository:
    """Clone `url` into `folder`, which must not exist or be empty. Raises GitError or CredentialError."""
    options = [*([f"--branch={branch}"] if branch else []), *([] if checkout else ["--no-checkout"])]
    git = _nowhere(environ, trace)
    _reach_url(git, "clone", "--quiet", *options, "--", url, os.fspath(folder))
    return GitRepository.discover(folder, git.env, trace)


def check_reachable(
    url: str,
    *,
    branch: str | None = None,
    environ: Mapping[str, str] | None = None,
    trace: Trace | None = None,
) -> None:
    """Ask for the branch or tag `branch`, or for anything. Raises GitError or CredentialError.

    git-ls-remote(1).
    """
    wanted = [f"refs/heads/{branch}", f"refs/tags/{branch}"] if branch else ["HEAD"]
    said = _reach_url(_nowhere(environ, trace), "ls-remote", "--quiet", "--", url, *wanted)
    if branch and not said:
        raise GitError(f"'{url}' has no branch or tag '{branch}'", hint=f"git ls-remote {url}")


def _nowhere(environ: Mapping[str, str] | None, trace: Trace | None) -> Git:
    """git without a repository, in the current folder, where relative URLs begin."""
    return Git(Path.cwd(), clean_environment(os.environ if environ is None else environ), trace)


def _reach_url(git: Git, *args: str) -> bytes:
    anywhere = Git(Path(git.cwd.anchor), git.env)  # the repository around us, if any, has no say in this
    reach = batch_ssh(git.env, GitConfig.load(anywhere).get("core.sshcommand"))
    done = git.ask(*args, env=reach)
    if done.code:
        raise failure(args, done)
    return done.out


def _reach(repo: GitRepository, *args: str) -> Completed:
    return repo.git.ask(*args, env=batch_ssh(repo.git.env, repo.config.get("core.sshcommand")))


class Tracking(NamedTuple):
    """What a branch follows, by its short name ('origin/main'), and the commits by which the two differ."""

    name: str
    ahead: int
    behind: int


def tracking(repo: GitRepository) -> Tracking | None:
    """How HEAD's branch stands to its upstream as last fetched; None where it follows nothing known."""
    branch = repo.head().branch
    if branch is None or upstream(repo, branch) is None or repo.head().commit is None:
        return None
    form = "%(upstream:short)%00%(upstream:track,nobracket)"
    name, _, track = repo.git.text("for-each-ref", f"--format={form}", f"refs/heads/{branch}").partition("\0")
    if not name or track == "gone":
        return None
    counts = dict(word.split(" ") for word in track.split(", ")) if track else {}
    return Tracking(name, int(counts.get("ahead", 0)), int(counts.get("behind", 0)))
