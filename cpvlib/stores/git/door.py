"""The one place that starts git: its environment, its errors, its running."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from cpvlib.base.errors import CPVError, CredentialError, GitError
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.process import NOWHERE, PIPE, pieces
from cpvlib.stores.git.process import start as start_process

if TYPE_CHECKING:
    from cpvlib.stores.git.process import Running

OLDEST = "2.25"
_DIED = 128  # how git ends that says "fatal: "

# `git rev-parse --local-env-vars`: they name one repository, and a hook of another one may have set them.
# GIT_CONFIG_PARAMETERS and GIT_CONFIG_COUNT are local too, but `git -c key=value cpv …` speaks through them.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
# They change what a path, a ref or an attribute means to the commands below.
_MEANINGS = (
    "GIT_ATTR_SOURCE",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
)

# What git adds to the word of ssh, or of the other side, that says more.
_ADVICE = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)
# How a push ends that a hook here has refused, in words that come before it.
_OUTCOME = "error: failed to push some refs to "
_PASSWORD = regex(r"(\w://[^/\s:@']*):[^/\s@']*@")
_NO_CREDENTIALS = regex(
    r"Permission denied \(|Authentication failed|could not read (Username|Password)|terminal prompts disabled"
    r"|Host key verification failed|invalid credentials",
    re.IGNORECASE,
)
# What git says, and what to type then; the first that fits.
_HINTS = (
    (
        "no email was given|auto-detection is disabled|unable to auto-detect email",
        "git config --global user.email MAIL",
    ),
    ("no name was given|empty ident name", "git config --global user.name NAME"),
    (
        r"failed to sign|user\.signingkey",
        "name a key, git config user.signingKey KEY; or sign nothing, git config commit.gpgSign false",
    ),
    ("No space left on device|Disk quota exceeded", "free some space and run the command again"),
    ("insufficient permission|Permission denied", "see who may write there: ls -ld .git .git/*"),
    ("aborted by hook", "the reference-transaction hook refuses: ls $(git rev-parse --git-path hooks)"),
    ("does not appear to be a git repository|[Rr]epository .*not (found|exist)", "look at 'git remote -v'"),
    (
        "Could not resolve|Connection (refused|timed out|reset)|Network is unreachable|Failed to connect",
        "check the network, and the URL: git remote -v",
    ),
)


class Completed(NamedTuple):
    """What a git process left behind."""

    code: int
    out: bytes
    err: str


Trace = Callable[[Sequence[str], float, int], None]


class Asked:
    """A git that was asked something, and may not have answered yet."""

    def __init__(self, git: Git, args: Sequence[str], process: Running) -> None:
        self._git = git
        self._cwd = git.cwd
        self._args = args
        self._process = process
        self._started = perf_counter()

    def answer(self, stdin: bytes | None = None) -> Completed:
        """Waits for it; see `Git.ask`."""
        with self._process as process:
            try:
                out, err = process.communicate(stdin)
            except BaseException:  # Ctrl-C, for one: git goes with us
                process.kill()
                raise
        code = process.wait()
        if self._git.trace:
            self._git.trace(self._args, perf_counter() - self._started, code)
        if code == _DIED and not self._cwd.is_dir():
            raise _no_folder(self._cwd)
        return Completed(code, out or b"", os.fsdecode(err or b""))

    def run(self) -> bytes:
        """What it prints. Raises as `Git.run` does."""
        done = self.answer()
        if done.code:
            raise failure(self._args, done)
        return done.out

    def drop(self) -> None:
        """Nobody wants to know any more; who writes what nobody reads is ended by that."""
        with self._process:
            pass

    def __del__(self) -> None:
        if self._process.returncode is None:
            self.drop()


class Git:
    """Runs git in `cwd` with exactly `env` (see `clean_environment`).

    `trace`, where given, is told of each process: its arguments after `git`, seconds, exit code.
    """

    def __init__(self, cwd: Path, env: Mapping[str, str], trace: Trace | None = None) -> None:
        self.cwd = cwd
        self.env = dict(env)
        self.trace = trace

    def ask(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        show: bool = False,
    ) -> Completed:
        """What git says, whatever its exit code. With `show`, all of that goes to stderr instead.

        `env` is laid over the usual one. Raises GitError where git itself can't be started.
        """
        process = self._begin(
            args,
            env=env,
            stdin=NOWHERE if stdin is None else PIPE,
            stdout=_stderr() if show else PIPE,
            stderr=None if show else PIPE,
        )
        return Asked(self, args, process).answer(stdin)

    def begin(self, *args: str, env: Mapping[str, str] | None = None) -> Asked:
        """Asks, as `ask` does, and goes on: the answer is taken later, while git and this process work at
        once. What is not taken any more must be dropped."""
        return Asked(self, args, self._begin(args, env=env, stderr=PIPE))

    def run(
        self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None, show: bool = False
    ) -> bytes:
        """What git prints. Raises GitError, or CredentialError where a remote wants to know who is asking."""
        done = self.ask(*args, stdin=stdin, env=env, show=show)
        if done.code:
            raise failure(args, done)
        return done.out

    def text(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """What git prints, without the newline at its end."""
        return os.fsdecode(self.run(*args, stdin=stdin, env=env)).removesuffix("\n")

    def start(self, *args: str) -> Running:
        """A git that stays, to be talked with over its stdin and stdout; its stderr goes nowhere."""
        if not self.cwd.is_dir():
            raise _no_folder(self.cwd)
        if self.trace:
            self.trace(args, 0.0, 0)
        return self._begin(args, stdin=PIPE)

    def stream(self, *args: str, stdin: bytes | None = None) -> Iterator[bytes]:
        """What git prints, in pieces, as it comes. Raises as `run` does, after the last piece."""
        started = perf_counter()
        with self._begin(args, stdin=NOWHERE if stdin is None else PIPE) as process:
            yield from pieces(process, stdin)
        code = process.wait()
        if self.trace:
            self.trace(args, perf_counter() - started, code)
        if code:
            raise failure(args, self.ask(*args, stdin=stdin))  # the second time for what it says

    def _begin(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int = NOWHERE,
        stdout: int = PIPE,
        stderr: int | None = NOWHERE,
    ) -> Running:
        words, env = ["git", "-C", os.fspath(self.cwd), *args], {**self.env, **env} if env else self.env
        try:
            return start_process(words, env, stdin=stdin, stdout=stdout, stderr=stderr)
        except OSError as error:
            raise _not_started(error) from error

    def hook(self, hooks_dir: Path, name: str, *args: str, env: Mapping[str, str] | None = None) -> None:
        """Run a hook, if it is there, as `git commit` would. Raises GitError where it refuses."""
        done = self.ask("hook", "run", "--ignore-missing", name, "--", *args, env=env, show=True)
        if done.code == 1 and self._before_hook_run():  # `git hook` came with git 2.36
            program = hooks_dir / name
            if not os.access(program, os.X_OK):
                return
            shell = {**(env or {}), "CPV_HOOK": os.fspath(program)}
            done = self.ask("-c", 'alias.cpv-hook=!"$CPV_HOOK"', "cpv-hook", *args, env=shell, show=True)
        if done.code:
            raise GitError(f"the '{name}' hook refused the commit", hint="what it says stands above")

    def _before_hook_run(self) -> bool:
        return (version(self) or (9, 9)) < (2, 36)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what ties git to another repository, and with git set up to be read by a program.

    Messages are untranslated while the user's character set stays; nothing asks where there is no terminal;
    CPV_IN_HOOK tells CPV's own hooks that CPV is already at work.
    """
    env = _without_bare(without_repository(environ))
    everything = env.pop("LC_ALL", "")
    if everything:
        env["LC_CTYPE"] = everything
    env.update(LC_MESSAGES="C", LANGUAGE="C", GIT_OPTIONAL_LOCKS="0", CPV_IN_HOOK="1")
    if not on_terminal():
        env["GIT_TERMINAL_PROMPT"] = "0"
    return env


def _without_bare(env: dict[str, str]) -> dict[str, str]:
    """Without bare repositories that are only found: one may lie in a folder of a clone, with settings that
    run programs. git-config(1), `safe.bareRepository`, since 2.38."""
    count = env.get("GIT_CONFIG_COUNT", "")
    nth = int(count) if count.isdecimal() else 0
    more = {f"GIT_CONFIG_KEY_{nth}": "safe.bareRepository", f"GIT_CONFIG_VALUE_{nth}": "explicit"}
    return {**env, **more, "GIT_CONFIG_COUNT": str(nth + 1)}


def without_repository(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what ties git to one repository, for a program that runs in another."""
    return {key: value for key, value in environ.items() if key not in _LOCAL and key not in _MEANINGS}


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def batch_ssh(env: Mapping[str, str], ssh_command: str | None) -> dict[str, str]:
    """What keeps ssh from asking where there is no terminal, for a command that reaches out: laid over `env`.

    `ssh_command` is git's core.sshCommand. Another program than OpenSSH is left alone: its options differ.
    """
    if on_terminal():
        return {}
    command = env.get("GIT_SSH_COMMAND") or ssh_command
    if command is None and env.get("GIT_SSH"):
        return {}
    command = command or "ssh"
    program = command.split(maxsplit=1)[0].replace("\\", "/").rsplit("/", 1)[-1].lower()
    if program.removesuffix(".exe") != "ssh":
        return {}
    return {"GIT_SSH_COMMAND": f"{command} -o BatchMode=yes"}


def lines(out: bytes) -> list[str]:
    """What git printed, by its own ends of lines: names of refs may hold others, such as U+2028."""
    return os.fsdecode(out).removesuffix("\n").split("\n") if out else []


def last_word(err: str) -> str:
    """The line of git's stderr that says what is wrong, with the names it lists and without any password."""
    lines = [line.rstrip() for line in _PASSWORD.sub(r"\1@", err).splitlines() if line.strip()]
    lines = [line for line in lines if line not in _ADVICE and not line.startswith(_OUTCOME)] or lines
    for start in ("fatal: ", "error: "):
        for at in range(len(lines) - 1, -1, -1):
            if lines[at].startswith(start):
                return _with_names(lines, at)[len(start) :]
    return lines[-1].strip() if lines else ""


def _with_names(lines: Sequence[str], at: int) -> str:
    if not lines[at].endswith(":"):
        return lines[at]
    names = []
    for line in lines[at + 1 :]:
        if not line.startswith("\t"):
            break
        names.append(line.strip())
    return f"{lines[at]} {', '.join(names)}" if names else lines[at]


def failure(args: Sequence[str], done: Completed) -> CPVError:
    """The error that stands for a git command that failed."""
    verb = next((arg for arg in args if not arg.startswith("-") and "=" not in arg), args[0])
    said = last_word(done.err) or f"exit code {done.code}"
    if _NO_CREDENTIALS.search(done.err):
        return CredentialError(f"git {verb} is not let in: {said}", hint=_credential_hint(done.err))
    return GitError(f"git {verb} failed: {said}", hint=_hint(done.err))


def _credential_hint(err: str) -> str:
    if "Host key verification failed" in err:
        return "connect once by hand, 'ssh HOST', and accept the host's key"
    if "Permission denied (" in err:
        return "load a key that the host knows, 'ssh-add', or set core.sshCommand"
    return "set up a credential helper, 'git help credentials', or use an SSH URL"


def _hint(err: str) -> str | None:
    if "File exists" in err:
        from cpvlib.stores.git import leftlocks

        if (hint := leftlocks.hint(err)) is not None:
            return hint
    return next((hint for said, hint in _HINTS if re.search(said, err)), None)


def version(git: Git) -> tuple[int, ...] | None:
    """git's version as numbers; None where it does not say one."""
    found = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", git.ask("version").out)
    return tuple(int(part) for part in found.groups(b"0")) if found else None


def _no_folder(cwd: Path) -> GitError:
    return GitError(f"there is no folder '{cwd}'")


def _not_started(error: OSError) -> GitError:
    if isinstance(error, FileNotFoundError):
        return GitError("git is not on PATH", hint=f"install git {OLDEST} or newer")
    return GitError(f"git cannot be started: {error.strerror}")


def _stderr() -> int:
    """Where a hook's words go: this process's stderr, or nowhere when there is none."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return NOWHERE
