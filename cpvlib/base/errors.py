"""The errors a user can meet, each with its exit code and what to type next.

Deep code raises one of these; only the command's `main` prints it. A message is lower case, has no full stop,
quotes names in '…' and says which and what before why. The hint says what to type.
"""

from __future__ import annotations

DONE = 0
NEGATIVE = 1
FAILED = 128
USAGE = 129
INTERRUPTED = 130


class CPVError(Exception):
    """A failure that the user can understand and act on."""

    exit_code = FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """As a traceback shows it: the message, and the hint below."""
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(CPVError):
    """The command line itself is wrong."""

    exit_code = USAGE


class OptionError(UsageError, TypeError):
    """A call of the Python API has a keyword that its method does not take, or a value of the wrong kind."""


class NegativeAnswer(CPVError):  # noqa: N818 - an answer, not an error
    """The command worked and the answer is no: already tagged, nothing to revert, differences found."""

    exit_code = NEGATIVE


class ConfigError(CPVError):
    """A setting, in whichever of its places, is missing, malformed or not trusted."""


class CredentialError(CPVError):
    """Storage or the git remote does not know who is asking."""


class StorageError(CPVError):
    """Storage is out of reach, refuses, is full, or holds something other than what its name promises."""


class GitError(CPVError):
    """A git command failed; the message quotes git's own last line."""


class CheckpointNotFoundError(CPVError):
    """No version, alias or revision of that name, or it names no checkpoint."""


class RepositoryError(CPVError):
    """The repository or worktree is not in a state in which the command can run."""
