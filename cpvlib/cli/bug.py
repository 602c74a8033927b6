"""What happens to a mistake of our own: it is written down, and the user is asked for it."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from cpvlib.base.errors import FAILED
from cpvlib.domain.text import printable, without_secrets


def report_bug(program: str, bug: Exception) -> int:
    """Writes the traceback to the user's log folder, says where, and returns the exit code.

    The command line stays out of the log: it may hold a URL with a password.
    """
    text = _text(program, bug)
    last = without_secrets(printable(traceback.format_exception_only(type(bug), bug)[-1].strip()))
    try:
        place = str(_write(text))
    except Exception:  # whatever else is broken here, the traceback must still reach somebody
        print(text, file=sys.stderr)  # noqa: T201
        place = "the lines above"
    lines = (f"error: this is a bug in cpv: {last}", f"hint: please report it, with {printable(place)}")
    print("\n".join(lines), file=sys.stderr)  # noqa: T201
    return FAILED


def _text(program: str, bug: Exception) -> str:
    from cpvlib import __version__

    facts = f"cpv {__version__}, python {sys.version.split()[0]}, {sys.platform}, {program}"
    return without_secrets(f"{facts}\n\n{''.join(traceback.format_exception(bug))}")


def _write(text: str) -> Path:
    from cpvlib.stores.userconfig import log_dir

    folder = log_dir()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    log.touch(mode=0o600, exist_ok=False)
    log.write_text(text, encoding="utf-8", errors="replace")
    return log
