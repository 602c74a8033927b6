"""Pages with console examples: what they type is run in one shell, what it says is compared with the page.

    ```console
    $ git cpv tag
    v0.1
    ```

A command may go on in lines that begin with "> ", or are ">" alone. A line `...` in the output stands for any
number of lines.
A page may say, in a comment of its own, what stands ready before it begins:

    <!-- before: cp -R "$EXAMPLES/digits" digits -->

`python tests/console.py PAGE` prints the page with every output renewed.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE_HOME = "/home/ada"

_BLOCK = re.compile(r"^( *)```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_CONTINUED = re.compile(r"^>(?: |$)")
_MARK = "\036"
_BEFORE = re.compile(r"<!-- before: (.*?) -->", re.DOTALL)
_VARYING = (
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?Z?)?"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)? m?s\b"), "<seconds>"),
    (re.compile(r"(?<![v.\w])[-+]?\d+\.\d+(?:e-?\d+)?"), "<number>"),
    (re.compile(r" +(?=<)|(?<=>) +"), " "),
)


@dataclass(frozen=True)
class Example:
    """What is typed, and what the page says it answers, which is the page's text from `start` to `stop`."""

    command: str
    answer: str
    start: int
    stop: int


def examples(page: str) -> list[Example]:
    """In the order in which they are typed."""
    found = []
    for block in _BLOCK.finditer(page):
        parts = re.split(r"^\$ ", block[2], flags=re.MULTILINE)
        at = block.start(2) + len(parts[0])
        for part in parts[1:]:
            lines = part.splitlines(keepends=True)
            n_typed = 1
            while n_typed < len(lines) and lines[n_typed].startswith(("> ", ">\n")):
                n_typed += 1
            typed = "".join(_CONTINUED.sub("", line) for line in lines[:n_typed]).rstrip("\n")
            start = at + 2 + sum(map(len, lines[:n_typed]))
            found.append(Example(typed, "".join(lines[n_typed:]), start, at + 2 + len(part)))
            at += 2 + len(part)
    return found


def run(page: str, home: Path, environment: Mapping[str, str]) -> list[str]:
    """What each example answers on a terminal, stdout and stderr in one; `home` is spelled as in the page."""
    script = home.parent / "typed"
    parts = [f"{line}\n" for line in _BEFORE.findall(page)]
    parts += [f"printf '{_MARK}'\n{example.command}\n" for example in examples(page)]
    script.write_text("".join(parts) + f"printf '{_MARK}'\n")
    variables = {
        **environment,
        "HOME": str(home),
        "EXAMPLES": str(CHECKOUT / "examples"),
        "GIT_PAGER": "cat",
        "PATH": f"{CHECKOUT / 'bin'}:{Path(sys.executable).parent}:{environment['PATH']}",
    }
    shown = on_terminal(["/bin/sh", str(script)], home, variables)
    before, *answers, after = shown.replace(str(home), PAGE_HOME).split(_MARK)
    if before or after or len(answers) != len(examples(page)):
        raise AssertionError(f"the page's commands cannot be typed: {before}{after}")
    return answers


def on_terminal(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> str:
    """All that the command writes to a terminal; there is nobody to answer it."""
    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST  # newlines stay newlines
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = bytearray()
    with suppress(OSError):  # Linux tells the end by EIO
        while block := os.read(ours, 1 << 16):
            shown += block
    os.close(ours)
    process.wait()
    return shown.decode()


def matches(expected: str, actual: str) -> bool:
    """Whether they say the same, ids, times and measured numbers aside."""
    pattern = re.escape(masked(expected)).replace(re.escape("...\n"), "(?:.*\n)*")
    return re.fullmatch(pattern, masked(actual)) is not None


def masked(text: str) -> str:
    for pattern, sign in _VARYING:
        text = pattern.sub(sign, text)
    return text


def renewed(page: str, answers: Iterable[str]) -> str:
    """The page with these answers, except where an answer with `...` still holds."""
    pieces, at = [], 0
    for example, answer in zip(examples(page), answers, strict=True):
        shortened = "...\n" in example.answer and matches(example.answer, answer)
        kept = example.answer if shortened else answer
        pieces += [page[at : example.start], kept]
        at = example.stop
    return "".join([*pieces, page[at:]])


def main(path: str) -> None:
    from sealing import sealed_environment, write_identity

    page = Path(path).read_text()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve() / "ada"
        write_identity(home)
        sys.stdout.write(renewed(page, run(page, home, sealed_environment(home))))


if __name__ == "__main__":
    main(*sys.argv[1:])
