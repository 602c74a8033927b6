"""Plain text as man(7) source, for argparse-manpage to build pages from and for what it leaves to us."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

# Private-use characters mark what is typed until the text around it has been escaped.
BOLD_ON, BOLD_OFF, BEGIN = "\ue000", "\ue001", "\ue002"
_TYPED = re.compile(r"`([^`]*)`")
_LINE_LENGTH = 100


def mark(text: str) -> str:
    """A record's text with its backquotes as marks that survive escaping."""
    return BEGIN + _TYPED.sub(rf"{BOLD_ON}\1{BOLD_OFF}", text)


def escape(text: str) -> str:
    """groff_char(7): bare, a hyphen or quote may become typographic; what is typed must stay ASCII."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return escaped.replace("^", "\\(ha").replace("~", "\\(ti")


def unmark(text: str) -> str:
    """Marks as roff; text that begins with a dot, as requests do, gets an invisible character first."""
    text = text.replace(f"{BEGIN}.", "\\&.").replace(BEGIN, "")
    return text.replace(BOLD_ON, "\\fB").replace(BOLD_OFF, "\\fR")


def bold(text: str) -> str:
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    return f"\\fI{escape(text)}\\fR"


def prose(text: str) -> str:
    """Paragraphs, set apart by a blank line, as escaped lines with `.PP` between."""
    return "\n.PP\n".join(unmark(escape(mark(" ".join(part.split())))) for part in text.split("\n\n"))


def tagged(pairs: Iterable[tuple[str, str]]) -> str:
    """Each term, already roff, with its plain description."""
    return "\n".join(f".TP\n{term}\n{prose(text)}" for term, text in pairs)


def literal(line: str) -> str:
    """A line to type, indented, neither filled nor broken."""
    return f".PP\n.in +4n\n.nf\n{_guard(bold(line))}\n.fi\n.in"


def _guard(line: str) -> str:
    return f"\\&{line}" if line.startswith(".") else line


def fold(source: str) -> str:
    """Text lines broken at spaces, so that a change reads well in a diff; requests stay whole."""
    lines: list[str] = []
    filled = True
    for line in source.splitlines():
        if line.startswith(".nf"):
            filled = False
        elif line.startswith(".fi"):
            filled = True
        if line.startswith(".") or not filled:
            lines.append(line)
        else:
            lines += [_guard(part) for part in _wrap(line)]
    return "\n".join(lines) + "\n"


def _wrap(line: str) -> list[str]:
    return textwrap.wrap(line, _LINE_LENGTH, break_long_words=False, break_on_hyphens=False)
