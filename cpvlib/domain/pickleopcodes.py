"""Opcodes of pickles (Python's pickletools.py) and their arguments, of which long ones are passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from cpvlib.base.regex import regex
from cpvlib.base.typed import Any, BinaryIO
from cpvlib.base.values import NamedTuple

KEPT_BYTES = 4096
"""Of an argument; no import has so long a name."""
_MAX_LINE = 1 << 16
_MAX_LINES_BYTES = 16 << 20
_NESTED_BYTES = 16 << 20
_SKIP_BYTES = 1 << 20
_LINE, _SIGNED = -1, -3
_SIZE_BYTES = {-2: 1, _SIGNED: 4, -4: 4, -5: 8}
_NESTED = regex(rb"\x80[\x02-\x05]|PK\x03\x04", re.DOTALL)


class MalformedError(Exception):
    """Not a pickle, or no longer one from here on."""


class TooLongError(Exception):
    """More than anybody wants to wait for."""


class Opcode(NamedTuple):
    """`width` is that of its argument (0 for none, below 0 as pickletools' own constants have it); the others
    are what it takes from the stack, down to a mark or so many, and how many it puts there."""

    name: str
    width: int
    n_lines: int
    to_mark: bool
    n_taken: int
    n_put: int


@cache
def opcodes() -> Mapping[int, Opcode]:
    """By the byte that stands for each."""
    import pickletools

    found: Mapping[str, Any] = vars(pickletools)["code2op"]
    table = {}
    for code, opcode in found.items():
        before = [each.name for each in opcode.stack_before]
        to_mark = "mark" in before
        table[ord(code)] = Opcode(
            opcode.name,
            opcode.arg.n if opcode.arg else 0,
            2 if opcode.name in ("GLOBAL", "INST") else 1,
            to_mark,
            before.index("mark") if to_mark else len(before),
            len(opcode.stack_after),
        )
    return table


class Arguments:
    """Those of one stream of opcodes. `nested` is told of bytes that look like another file that a loader
    would unpickle. All raise MalformedError where the stream ends first, and OSError."""

    def __init__(self, stream: BinaryIO, nested: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._nested = nested

    def of(self, opcode: Opcode) -> bytes | None:
        """The next one, which is that opcode's; None where there are too many bytes to keep. Raises
        TooLongError."""
        width = opcode.width
        if width > 0:
            return self.read(width)
        if width == _LINE:
            return self._line() if opcode.n_lines == 1 else self._two_lines()
        size = int.from_bytes(self.read(_SIZE_BYTES[width]), "little", signed=width == _SIGNED)
        if size < 0:
            raise MalformedError
        if size <= KEPT_BYTES:
            return self.read(size)
        self._pass_over(size)
        return None

    def read(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise MalformedError
        return data

    def _line(self) -> bytes | None:
        """Up to its end or, as `pickle.py` has it, up to one byte before that of the file; None for a long
        one."""
        line = self._stream.readline(_MAX_LINE)
        if line.endswith(b"\n"):
            return line
        if not line:
            raise MalformedError
        if len(line) < _MAX_LINE:
            return line[:-1] + b"\n"
        size = len(line)
        while line := self._stream.readline(_MAX_LINE):
            size += len(line)
            if size > _MAX_LINES_BYTES:
                raise TooLongError
            if line.endswith(b"\n"):
                break
        return None

    def _two_lines(self) -> bytes | None:
        """The module's and the name's, which may go through many attributes; None where it is long."""
        module = self._line()
        if module is None:  # no module has so long a name
            raise MalformedError
        name = self._line()
        return None if name is None else module + name

    def _pass_over(self, size: int) -> None:
        begin = self.read(min(size, 4))
        rest = size - len(begin)
        if looks_nested(begin) and size <= _NESTED_BYTES:
            self._nested(begin + self.read(rest))
        else:
            self.skip(rest)

    def skip(self, size: int) -> None:
        """Bytes that are no opcodes. A pickle may claim more than any file has, which lseek(2) refuses."""
        if self._stream.seekable():
            try:
                self._stream.seek(size, 1)
            except (OSError, ValueError) as error:
                raise MalformedError from error
            return
        while size:
            size -= len(self.read(min(size, _SKIP_BYTES)))


def looks_nested(data: bytes) -> bool:
    """Whether these begin a pickle, or an archive that PyTorch would take for one."""
    return _NESTED.match(data) is not None
