"""What OpenSSH says when it could not log in, as one line that names the cause, and what to type.

Its messages are not translated, and have kept their words for twenty years. The first row that fits holds.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from cpvlib.base.errors import ConfigError, CPVError, CredentialError, GitError
from cpvlib.domain.text import printable

_PORT = "where port 22 is closed: git cpv setup bitbucket --port 443"

# {host} and {key} are filled in, and {said}: ssh's own line. {path} is the key for a shell.
_CAUSES: tuple[tuple[tuple[str, ...], type[CPVError], str, str], ...] = (
    (
        ("HOST IDENTIFICATION HAS CHANGED",),
        CredentialError,
        "the key that '{host}' shows is not the one it is known by",
        "somebody may be listening in; if its owner says that it changed: ssh-keygen -R {host}, "
        "then git cpv setup bitbucket --host-key SHA256:…",
    ),
    (
        ("Host key verification failed", "host key is known for"),
        CredentialError,
        "the host key of '{host}' is not known here",
        "git cpv setup bitbucket sees to that",
    ),
    (
        ("UNPROTECTED PRIVATE KEY", "bad permissions"),
        CredentialError,
        "ssh does not use the key{key}: others may read it",
        "chmod 600 {path}",
    ),
    (
        ("Bad owner or permissions", "Bad configuration option", "bad configuration options"),
        ConfigError,
        "ssh can't use its configuration: {said}",
        "correct that file, or its modes: chmod 600",
    ),
    (
        ("Permission denied (", "Too many authentication failures"),
        CredentialError,
        "'{host}' refuses the key{key}",
        "add its public half to your account there; one with a passphrase is loaded first: ssh-add",
    ),
    (("timed out",), GitError, "'{host}' does not answer", f"check the network; {_PORT}"),
    (
        ("Could not resolve", "unreachable", "No route to host"),
        GitError,
        "'{host}' can't be reached: {said}",
        "check the network and the host's name",
    ),
    (
        ("Connection refused", "Connection closed", "Connection reset", "kex_exchange_identification"),
        GitError,
        "'{host}' turns the connection away: {said}",
        f"check the port; {_PORT}",
    ),
)


def explain(err: str, host: str, key: Path | None) -> CPVError:
    """The error for what ssh wrote to stderr before it ended with 255."""
    said = next((line for line in err.splitlines() if "Bad " in line), None) or last_line(err.encode())
    words = {
        "host": printable(host),
        "key": f" '{key}'" if key else "",
        "path": shlex.quote(str(key)) if key else "KEY",
        "said": printable(said),
    }
    for signs, kind, text, hint in _CAUSES:
        if any(sign in err for sign in signs):
            return kind(text.format(**words), hint=hint.format(**words))
    return GitError(
        f"cannot log in to '{words['host']}': {words['said']}", hint=f"see why: ssh -vT git@{words['host']}"
    )


def last_line(data: bytes) -> str:
    """The last line with something in it."""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"
