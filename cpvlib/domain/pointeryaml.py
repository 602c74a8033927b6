"""YAML as pointers have it: read with nothing hostile in it, changed with its form kept, written as DVC does.

The only module that imports ruamel.yaml, the library that DVC reads and writes its pointers with.
"""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.markers import has_markers
from cpvlib.domain.text import printable

MAX_BYTES = 1 << 20
_MAX_DEPTH = 50
_MAX_EVENTS = 20_000  # of YAML's: a second's work, and some thousand outs

Fields = dict[str, "str | int | bool"]
Document = dict[str, list[Fields]]


def load(path: str, data: bytes) -> Mapping[str, object]:
    """A foreign pointer's document, in YAML's safe types; what could make reading it costly is refused."""
    if len(data) > MAX_BYTES:
        raise broken(path, "it is larger than 1 MiB")
    if has_markers(data):
        raise RepositoryError(
            f"'{printable(path)}' has the conflict markers of an unfinished merge",
            hint="git cpv pull settles it",
        )
    if not data.strip():
        raise broken(path, "it is empty")
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = data.decode("utf-8")
        _refuse_bombs(path, text)
        document = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise broken(path, _reason(error)) from error
    if not isinstance(document, Mapping):
        raise broken(path, "it is not a YAML mapping")
    return document


def _reason(error: Exception) -> str:
    """YAML's errors name the problem and its place in fields of their own; marks count lines from 0."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "").partition("\n")[0]
    if mark is not None and problem:
        context = f"{getattr(error, 'context', '')}, " if problem.startswith("but ") else ""
        return f"line {mark.line + 1}: {context}{problem}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return str(error).strip().partition("\n")[0]


def _refuse_bombs(path: str, text: str) -> None:
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = 0
    for nth, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            raise broken(path, "it has YAML anchors or aliases")
        if depth > _MAX_DEPTH:
            raise broken(path, "it is nested too deep")
        if nth > _MAX_EVENTS:
            raise broken(path, "it says more than any pointer has to say")


def load_keeping_form(data: bytes) -> Document:
    """The same for a file that `load` has accepted, with the comments and order that `dump` writes back."""
    from ruamel.yaml import YAML

    document: Document = YAML().load(data.decode("utf-8"))
    return document


def dump(document: Document) -> bytes:
    """The bytes DVC writes. Raises RepositoryError for an out's path that they cannot hold."""
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    stream = StringIO()
    yaml.dump(document, stream)
    text = stream.getvalue()
    # ruamel.yaml (0.19, and DVC with it) loses line separators such as U+2028 from a quoted name.
    read_back = YAML(typ="safe", pure=True).load(text)
    for wrote, read in zip(document["outs"], read_back["outs"], strict=True):
        if wrote["path"] != read["path"]:
            raise RepositoryError(
                f"'{printable(str(wrote['path']))}' has characters that DVC's pointers cannot hold"
            )
    return text.encode("utf-8")


class BrokenPointerError(RepositoryError):
    """The pointer file at `path` can't be read, or names what can't be an out."""

    def __init__(self, message: str, path: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or comes_back(path))
        self.path = path


def broken(path: str, reason: str) -> BrokenPointerError:
    """`reason` may quote the file."""
    return BrokenPointerError(f"'{printable(path)}' cannot be read as a pointer: {printable(reason)}", path)


def comes_back(path: str) -> str:
    """What to type where a pointer file is broken."""
    from shlex import quote

    return f"git checkout HEAD -- {quote(path)} brings the committed one back"
