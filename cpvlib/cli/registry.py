"""Which commands there are, and the words a git user would try first."""

from __future__ import annotations

from importlib import import_module

from cpvlib.cli.record import Command

COMMANDS = (
    "setup",
    "doctor",
    "init",
    "clone",
    "track",
    "untrack",
    "storage",
    "hooks",
    "push",
    "pull",
    "tag",
    "alias",
    "revert",
    "status",
    "list",
    "show",
    "diff",
    "verify",
    "foreach",
)

GUESSES = {
    "add": "track",
    "checkout": "revert",
    "commit": "push",
    "download": "pull",
    "fetch": "pull",
    "fsck": "verify",
    "info": "show",
    "log": "list",
    "ls": "list",
    "merge": "pull",
    "new": "init",
    "remote": "storage",
    "reset": "revert",
    "restore": "revert",
    "rm": "untrack",
    "save": "push",
    "switch": "revert",
    "tags": "list",
    "undo": "revert",
    "upload": "push",
    "versions": "list",
}
"""What git, or another tool, calls something that is a command here under another name."""

NOTHING_TO_DO = {
    "prune": "nothing needs pruning: what a version names is kept, and 'git cpv list' shows the versions"
}


def load(name: str) -> Command:
    """The record of one of COMMANDS; only that command's module is imported."""
    command: Command = import_module(f"cpvlib.commands.{name}").COMMAND
    return command
