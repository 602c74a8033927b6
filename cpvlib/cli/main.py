"""The one way in: finds the command, runs it, and turns how it ended into an exit code and an error line."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from cpvlib.base.errors import DONE, FAILED, INTERRUPTED, CPVError, NegativeAnswer, UsageError
from cpvlib.base.typed import NoReturn
from cpvlib.cli.record import Group
from cpvlib.cli.registry import COMMANDS, GUESSES, NOTHING_TO_DO, load
from cpvlib.domain.text import printable, without_secrets

PROGRAM = "git-cpv"
# What modules and their classes are made of holds no garbage; Python's own 700 look for some twenty times
# while a short command starts, a twentieth of its time.
_OBJECTS_BEFORE_GARBAGE = 50_000


def main() -> None:
    """Runs the command that sys.argv names and ends the process with its exit code."""
    gc.set_threshold(_OBJECTS_BEFORE_GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    name = os.path.basename(sys.argv[0])  # noqa: PTH119  (pathlib is slow to import, and help should be quick)
    code = run(name.removesuffix(".exe"), sys.argv[1:])
    _leave(code)


def run(program: str, words: Sequence[str]) -> int:
    """The exit code of `program` called with `words`; whatever there is to say has been said."""
    try:
        code = _dispatch(program, words)
        sys.stdout.flush()
        return code
    except CPVError as error:
        return _report(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _die_of_broken_pipe()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else DONE
    except Exception as bug:
        from cpvlib.cli.bug import report_bug

        return report_bug(program, bug)


def _dispatch(program: str, words: Sequence[str]) -> int:
    if program.startswith(f"{PROGRAM}-"):
        return _run_command(program.removeprefix(f"{PROGRAM}-"), words)
    if not words or words[0] == "-h" or list(words) == ["help"]:
        return _list_commands()
    if words[0] == "help":
        return _run_command(words[1], ["--help"])
    if words[0] == "--help":
        return _show_manual(PROGRAM) or _list_commands()
    if words[0] == "--version":
        return _print_version()
    if words[0].startswith("-"):
        raise UsageError(f"unknown option '{printable(words[0])}'", hint=f"see '{PROGRAM} -h'")
    return _run_command(words[0], words[1:])


def _run_command(name: str, words: Sequence[str]) -> int:
    if name not in COMMANDS:
        raise _unknown(name)
    command = load(name)
    from cpvlib.cli.arguments import parse
    from cpvlib.cli.ui import UI

    args = parse(command, words)
    if args.manual:
        from cpvlib.cli.parser import make_parser

        _show_manual(command.program)
        make_parser(command).print_help()
        return DONE
    ui = UI(
        quiet=getattr(args, "quiet", False),
        verbose=getattr(args, "verbose", 0),
        json=getattr(args, "json", False),
    )
    try:
        return command.run(args, ui)
    except CPVError as error:
        if isinstance(error, UsageError):
            error.hint = error.hint or f"see 'git cpv {name} -h'"
        ui.failed(error)
        raise


def _unknown(name: str) -> UsageError:
    shown = printable(name)
    if name in GUESSES:
        hint = f"git cpv {GUESSES[name]}"
    elif name in NOTHING_TO_DO:
        hint = NOTHING_TO_DO[name]
    else:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean 'git cpv {near[0]}'?" if near else "'git cpv' lists the commands"
    return UsageError(f"'{shown}' is not a git cpv command", hint=hint)


def _list_commands() -> int:
    commands = [load(name) for name in COMMANDS]
    longest = max(len(command.name) for command in commands)
    lines = ["usage: git cpv <command> [<args>]", ""]
    for group in Group:
        lines.append(group.value)
        lines += [f"   {c.name:<{longest}}   {c.summary}" for c in commands if c.group is group]
        lines.append("")
    lines.append("'git cpv <command> -h' is a short help, 'git cpv <command> --help' the manual page.")
    print("\n".join(lines))  # noqa: T201
    return DONE


def _show_manual(program: str) -> int:
    """Does not return where the page could be opened; DONE, which is false, where not."""
    from cpvlib.cli.manual import open_manual

    open_manual(program)
    return DONE


def _print_version() -> int:
    from cpvlib import __version__

    print(f"git-cpv version {__version__}")  # noqa: T201
    return DONE


def _report(error: CPVError) -> int:
    """One line of what is wrong, then what to type. A negative answer is no error, and does not say so."""
    sys.stdout.flush()
    lead = "" if isinstance(error, NegativeAnswer) else "error: "
    lines = [lead + printable(error.message)]
    if error.hint:
        lines.append(f"hint: {printable(error.hint)}")
    print(without_secrets("\n".join(lines)), file=sys.stderr)  # noqa: T201
    return error.exit_code


def _die_of_broken_pipe() -> int:
    """Ends as git does when its reader leaves: by SIGPIPE, which Python ignores and sockets need ignored."""
    import signal

    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    return FAILED


def _leave(code: int) -> NoReturn:
    """Ends the process, without giving back each object of Python's: the system does that sooner, by a tenth
    of a short command. After an interruption nobody waits for threads that still transfer.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = _die_of_broken_pipe()
    os._exit(code)
