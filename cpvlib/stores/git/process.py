"""A process and its pipes, as `subprocess` has them, which takes as long to load as two gits to run."""

from __future__ import annotations

import errno
import os
import select
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from cpvlib.base.typed import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import subprocess
    from typing import TypeAlias

    Running: TypeAlias = "Process | subprocess.Popen[bytes]"

PIPE, NOWHERE = -1, -3
"""In place of a descriptor, by the numbers that `subprocess` has for them."""

_PIECE_BYTES = 1 << 16  # what a pipe holds
_HIGHEST = 2  # of the numbers of stdin, stdout and stderr


def start(
    words: Sequence[str], env: Mapping[str, str], *, stdin: int, stdout: int, stderr: int | None
) -> Running:
    """A program, found on the PATH of `env`. Each of its ends is PIPE, NOWHERE, a descriptor, or None for
    this process's own. Raises OSError where it can't be started.

    A child that another thread forks (a DataLoader's worker) holds none of the pipes open.
    """
    ends = (stdin, stdout, stderr)
    with _spawning:
        if hasattr(os, "posix_spawn") and hasattr(select, "poll"):
            process: Running = Process(words, env, ends)
        else:  # Windows
            import subprocess

            process = subprocess.Popen(words, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
        _fed.difference_update([other for other in _fed if other.stdin is None or other.stdin.closed])
        if process.stdin is not None:
            _fed.add(process)
    return process


class Process:
    """What was started. As a context it ends by closing the pipes and waiting."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], ends: Sequence[int | None]) -> None:
        # `signal` itself gives each number a name first, which takes as long as starting the process.
        from _signal import SIGPIPE, SIGXFSZ  # type: ignore[import-not-found]

        self.returncode: int | None = None
        pipes: dict[int, tuple[int, int]] = {}  # by the number in the child, its end and ours
        try:
            for number, end in enumerate(ends):
                if end == PIPE:
                    reading, writing = _pipe()
                    pipes[number] = (writing, reading) if number else (reading, writing)
            actions = [_action(number, end, pipes) for number, end in enumerate(ends) if end is not None]
            self._pid = os.posix_spawn(
                _found(words[0], env), [*words], env, file_actions=actions, setsigdef=(SIGPIPE, SIGXFSZ)
            )
        except BaseException:
            for _, ours in pipes.values():
                os.close(ours)
            raise
        finally:
            for theirs, _ in pipes.values():
                os.close(theirs)
        self.stdin, self.stdout, self.stderr = (
            os.fdopen(pipes[number][1], "rb" if number else "wb") if number in pipes else None
            for number in range(_HIGHEST + 1)
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdout, self.stderr, self.stdin):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self.wait()

    def wait(self) -> int:
        """Its exit code, or the negative number of the signal that ended it."""
        if self.returncode is None:
            try:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            except ChildProcessError:  # whoever embeds us ignores SIGCHLD: nobody can tell any more
                self.returncode = 0
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            from _signal import SIGKILL

            with suppress(ProcessLookupError):
                os.kill(self._pid, SIGKILL)

    def communicate(self, given: bytes | None = None) -> tuple[bytes | None, bytes | None]:
        """Feeds it while it reads what it says, so that neither waits for the other; then waits for it."""
        told: dict[BinaryIO, list[bytes]] = {pipe: [] for pipe in (self.stdout, self.stderr) if pipe}
        for pipe, piece in self.exchange(given):
            told[pipe].append(piece)
        self.wait()
        out, err = (b"".join(told[pipe]) if pipe else None for pipe in (self.stdout, self.stderr))
        return out, err

    def exchange(self, given: bytes | None = None) -> Iterator[tuple[BinaryIO, bytes]]:
        """Feeds it, and gives what it says as it comes, with the pipe that it came from."""
        ends = {pipe.fileno(): pipe for pipe in (self.stdin, self.stdout, self.stderr) if pipe is not None}
        rest = memoryview(given or b"")
        poll = select.poll()
        for fd, pipe in ends.items():
            poll.register(fd, select.POLLOUT if pipe is self.stdin else select.POLLIN)
        while ends:
            for fd, _ in poll.poll():
                pipe = ends[fd]
                if pipe is self.stdin:
                    rest = rest[_written(fd, rest[: select.PIPE_BUF]) :]
                    is_over = not rest
                else:
                    piece = os.read(fd, _PIECE_BYTES)
                    is_over = not piece
                    if piece:
                        yield pipe, piece
                if is_over:
                    poll.unregister(fd)
                    ends.pop(fd).close()


def pieces(process: Running, given: bytes | None = None) -> Iterator[bytes]:
    """What it prints, as it comes, while it is fed."""
    if isinstance(process, Process):
        yield from (piece for _, piece in process.exchange(given))
    else:
        yield process.communicate(given)[0]


def _found(program: str, env: Mapping[str, str]) -> str:
    """Where it is. Not left to posix_spawnp(3), which looks along the PATH of this process."""
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder or '.'}/{program}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def _pipe() -> tuple[int, int]:
    """Its two ends, neither with a number that a child's stdin, stdout or stderr has: where those of this
    process are closed, the system would give these."""
    pair = os.pipe()
    if min(pair) > _HIGHEST:
        return pair
    import fcntl

    reading, writing = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGHEST + 1) for fd in pair)
    for fd in pair:
        os.close(fd)
    return reading, writing


def _action(number: int, end: int, pipes: Mapping[int, tuple[int, int]]) -> tuple[Any, ...]:
    """What makes the child's descriptor of this number what it is to be."""
    if end == NOWHERE:
        return os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0
    return os.POSIX_SPAWN_DUP2, pipes[number][0] if end == PIPE else end, number


def _written(fd: int, data: memoryview) -> int:
    """How much need not be written again: all, where nobody reads it any more."""
    try:
        return os.write(fd, data)
    except BrokenPipeError:
        return sys.maxsize


_spawning = threading.Lock()
_fed: set[Running] = set()


def _let_go() -> None:
    """In a child that was forked: git would wait for the end of its input as long as the child lives."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for process in _fed:
        if process.stdin is not None and not process.stdin.closed:
            os.dup2(nowhere, process.stdin.fileno(), inheritable=False)  # the number stays taken
    os.close(nowhere)
    _spawning.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_spawning.acquire, after_in_parent=_spawning.release, after_in_child=_let_go)
