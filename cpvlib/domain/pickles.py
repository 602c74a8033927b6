"""What a pickle would import, found without loading it.

Its opcodes (Python's pickletools.py) are walked with a stack of what matters: names, numbers, and what was
made of which import. Long values are passed over, not read. Where a name is not in the pickle itself but
computed while it is loaded, that is told.

What is loaded up to a mistake has run by then. So a file counts as noise only where Python's own unpickler
stumbles too, and not where this one merely loses its way.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from functools import cache

from cpvlib.base.regex import regex
from cpvlib.base.typed import Any, BinaryIO
from cpvlib.base.values import NamedTuple, dataclass
from cpvlib.domain.pickleimports import is_dangerous
from cpvlib.domain.pickleopcodes import (
    KEPT_BYTES,
    Arguments,
    MalformedError,
    Opcode,
    TooLongError,
    looks_nested,
    opcodes,
)

MAX_OPCODES = 2_000_000  # some seconds
_MAX_DIGITS = 4000  # of what Python takes for a number, whatever its version
_MAX_STACK = 1_000_000
_MAX_PICKLES = 64
_DTYPE = regex(r"[<>=|]?([A-Za-z])(\d{0,9})")
_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"

HIDDEN = "a name that is computed"


@dataclass(frozen=True)
class Looked:
    """What a file that a loader unpickles would import that is known to be dangerous, sorted; `unseen` is why
    that may not be all, '' where it is."""

    dangerous: tuple[str, ...] = ()
    unseen: str = ""

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.dangerous or self.unseen)


class Walk:
    """Pickles of one file, one after the other: `imports` has the dangerous ones as soon as they are seen.
    `names_any` says whether there is one at all that is named, by the pickle or by what it computes;
    `is_lost`, that more may be loaded than could be followed.

    `nested` is told of bytes in it that look like another file that a loader would unpickle.
    """

    def __init__(self, nested: Callable[[bytes], None] = lambda _: None) -> None:
        self.imports: set[str] = set()
        self.names_any = False
        self.is_lost = False
        self.n_opcodes = 0
        self.nested = nested

    def all(self, stream: BinaryIO) -> bool:
        """Walks what is there; whether it began with a whole pickle. Raises TooLongError, OSError.

        PyTorch's files of before 1.6 have five pickles and then their numbers, which are none.
        """
        for nth in range(_MAX_PICKLES):
            try:
                _Machine(stream, self).run()
            except MalformedError:
                return nth > 0
        return True


class _Import(NamedTuple):
    path: str


class _Made(NamedTuple):
    """What calling an import gave."""

    by: object
    args: object


_MARK = object()
_UNKNOWN = object()  # what only the loading finds out, or too long to be kept: a text, perhaps
_STOP = b"."


class _Machine:
    """One pickle's stack and memo."""

    def __init__(self, stream: BinaryIO, walk: Walk) -> None:
        self._stream = stream
        self._arguments = Arguments(stream, walk.nested)
        self._walk = walk
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._extends = False

    def run(self) -> None:
        """To its STOP. Raises MalformedError before it, TooLongError."""
        steps, read, walk = _steps(), self._stream.read, self._walk
        argument_of = self._arguments.of
        while code := read(1):
            step = steps.get(code[0])
            if step is None:
                break
            walk.n_opcodes += 1
            if walk.n_opcodes > MAX_OPCODES or len(self._stack) > _MAX_STACK:
                raise TooLongError
            if code == _STOP:
                if self._top() is _MARK:
                    break
                return
            if self._extends:
                walk.imports.add(HIDDEN)  # something is done with it
            opcode, act = step
            argument = argument_of(opcode) if opcode.width else None
            if act is None:
                self._usual(opcode)
            else:
                act(self, argument)
        raise MalformedError

    def _usual(self, opcode: Opcode) -> None:
        """What pickletools says that an opcode takes from the stack and puts there."""
        if opcode.to_mark:
            self._to_mark()
        if opcode.n_taken > len(self._stack):
            raise MalformedError
        if opcode.n_taken:
            del self._stack[-opcode.n_taken :]
        self._stack += [None] * opcode.n_put

    def _pop(self) -> Any:
        if not self._stack:
            raise MalformedError
        return self._stack.pop()

    def _top(self) -> Any:
        if not self._stack:
            raise MalformedError
        return self._stack[-1]

    def _to_mark(self) -> list[Any]:
        items = []
        while (item := self._pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _bring(self, module: str, name: str) -> _Import:
        self._walk.names_any = True
        if is_dangerous(module, name):
            self._walk.imports.add(f"{module}.{name}")
        return _Import(f"{module}.{name}")

    # What the opcodes do that names, or the arrays of joblib, go through; `_usual` sees to the others.

    def _mark(self, _: bytes | None) -> None:
        self._stack.append(_MARK)

    def _drop(self, _: bytes | None) -> None:
        self._pop()

    def _double(self, _: bytes | None) -> None:
        self._stack.append(self._top())

    def _text(self, argument: bytes | None) -> None:
        try:
            text = _UNKNOWN if argument is None else argument.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise MalformedError from error
        self._stack.append(text)

    def _old_text(self, argument: bytes | None) -> None:
        self._stack.append(_UNKNOWN if argument is None else argument.decode("latin-1"))

    def _quoted_text(self, argument: bytes | None) -> None:
        if argument is None:
            self._stack.append(_UNKNOWN)
            return
        text = argument.strip()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
            raise MalformedError
        try:
            self._stack.append(codecs.escape_decode(text[1:-1])[0].decode("latin-1"))
        except ValueError as error:
            raise MalformedError from error

    def _escaped_text(self, argument: bytes | None) -> None:
        try:
            text = _UNKNOWN if argument is None else argument[:-1].decode("raw-unicode-escape")
        except UnicodeDecodeError as error:
            raise MalformedError from error
        self._stack.append(text)

    def _bytes(self, argument: bytes | None) -> None:
        if argument is not None and looks_nested(argument):
            self._walk.nested(argument)
        self._stack.append(None)

    def _number(self, argument: bytes | None) -> None:
        self._stack.append(int.from_bytes(argument or b"", "little", signed=True))

    def _unsigned(self, argument: bytes | None) -> None:
        self._stack.append(int.from_bytes(argument or b"", "little"))

    def _global(self, argument: bytes | None) -> None:
        self._stack.append(self._named(argument))

    def _named(self, argument: bytes | None) -> object:
        if argument is None:
            return self._hidden()
        try:
            module, name, _ = argument.decode("utf-8").split("\n")
        except ValueError as error:
            raise MalformedError from error
        return self._bring(module.strip(), name.strip())

    def _stack_global(self, _: bytes | None) -> None:
        name, module = self._pop(), self._pop()
        if isinstance(name, str) and isinstance(module, str):
            self._stack.append(self._bring(module, name))
        elif any(each is _UNKNOWN or isinstance(each, _Made | _Import) for each in (module, name)):
            self._stack.append(self._hidden())
        else:  # which Python refuses
            self._walk.imports.add(HIDDEN)
            self._stack.append(_UNKNOWN)

    def _hidden(self) -> object:
        self._walk.names_any = True
        self._walk.imports.add(HIDDEN)
        return _UNKNOWN

    def _extension(self, argument: bytes | None) -> None:
        """A number for an import that only the loading program's registry knows (PEP 307). It alone does
        nothing."""
        self._extends = True
        self._stack.append(_UNKNOWN)

    def _persistent(self, _: bytes | None) -> None:
        """What the loading program makes of a name."""
        self._stack.append(_UNKNOWN)

    def _persistent_of(self, _: bytes | None) -> None:
        self._pop()
        self._stack.append(_UNKNOWN)

    def _instance(self, argument: bytes | None) -> None:
        made = self._named(argument)
        self._make(made, tuple(self._to_mark()))

    def _object(self, _: bytes | None) -> None:
        items = self._to_mark()
        self._make(items[0] if items else None, tuple(items[1:]))

    def _call(self, _: bytes | None) -> None:
        args, made_by = self._pop(), self._pop()
        self._make(made_by, args)

    def _call_named(self, _: bytes | None) -> None:
        _, args, made_by = self._pop(), self._pop(), self._pop()
        self._make(made_by, args)

    def _make(self, made_by: object, args: object) -> None:
        if made_by is _UNKNOWN:
            self._hidden()
        self._stack.append(_Made(made_by, args))

    def _tuple(self, _: bytes | None) -> None:
        self._stack.append(tuple(self._to_mark()))

    def _short_tuple(self, count: int) -> None:
        self._stack.append(tuple([self._pop() for _ in range(count)][::-1]))

    def _dict(self, _: bytes | None) -> None:
        self._stack.append({})

    def _append(self, _: bytes | None) -> None:
        self._pop()
        self._top()

    def _append_all(self, _: bytes | None) -> None:
        """To a list; where there is nothing to append Python takes whatever is there, and leaves it."""
        self._to_mark()
        self._top()

    def _set_one(self, _: bytes | None) -> None:
        value, key = self._pop(), self._pop()
        self._fill([key, value])

    def _set_all(self, _: bytes | None) -> None:
        self._fill(self._to_mark())

    def _fill(self, items: list[Any]) -> None:
        facts = self._top()
        if isinstance(facts, dict) and len(facts) < KEPT_BYTES:
            facts.update(
                (key, value)
                for key, value in zip(items[::2], items[1::2], strict=False)
                if isinstance(key, str)
            )

    def _keep(self, at: int) -> None:
        self._memo[at] = self._top()

    def _put(self, argument: bytes | None) -> None:
        self._keep(_index(argument))

    def _put_at(self, argument: bytes | None) -> None:
        self._keep(int.from_bytes(argument or b"", "little"))

    def _memoize(self, _: bytes | None) -> None:
        self._keep(len(self._memo))

    def _get(self, argument: bytes | None) -> None:
        self._fetch(_index(argument))

    def _get_at(self, argument: bytes | None) -> None:
        self._fetch(int.from_bytes(argument or b"", "little"))

    def _fetch(self, at: int) -> None:
        if at not in self._memo:
            raise MalformedError
        self._stack.append(self._memo[at])

    def _build(self, _: bytes | None) -> None:
        state, made = self._pop(), self._top()
        if isinstance(made, _Made) and made.by == _Import(_ARRAY) and isinstance(state, dict):
            self._pass_over_array(state)

    def _pass_over_array(self, state: Mapping[str, Any]) -> None:
        """joblib writes an array's numbers right into the pickle, an array of objects as one of its own."""
        dtype, shape = state.get("dtype"), state.get("shape")
        args = dtype.args if isinstance(dtype, _Made) and isinstance(dtype.args, tuple) else ()
        form = _DTYPE.fullmatch(args[0]) if args and isinstance(args[0], str) else None
        if form is None or not isinstance(shape, tuple) or not all(isinstance(each, int) for each in shape):
            self._walk.is_lost = True
            raise MalformedError
        if form[1] == "O":
            _Machine(self._stream, self._walk).run()
            return
        size = int(form[2] or 1) * (4 if form[1] == "U" else 1)
        for each in shape:
            size *= each
        if size < 0:
            self._walk.is_lost = True
            raise MalformedError
        if state.get("numpy_array_alignment_bytes") is not None:
            self._arguments.read(self._arguments.read(1)[0])
        self._arguments.skip(size)


def _index(argument: bytes | None) -> int:
    if argument is None or len(argument) > _MAX_DIGITS:
        raise TooLongError
    try:
        return int(argument.partition(b"\0")[0])  # where C ends it
    except ValueError as error:
        raise MalformedError from error


_Act = Callable[[_Machine, "bytes | None"], None]
_ACTS: Mapping[str, _Act] = {
    "MARK": _Machine._mark,
    "POP": _Machine._drop,
    "DUP": _Machine._double,
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _Machine._text),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), _Machine._old_text),
    "STRING": _Machine._quoted_text,
    "UNICODE": _Machine._escaped_text,
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), _Machine._bytes),
    **dict.fromkeys(("BININT", "LONG1", "LONG4"), _Machine._number),
    **dict.fromkeys(("BININT1", "BININT2"), _Machine._unsigned),
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _Machine._extension),
    "PERSID": _Machine._persistent,
    "BINPERSID": _Machine._persistent_of,
    "INST": _Machine._instance,
    "OBJ": _Machine._object,
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine._call),
    "NEWOBJ_EX": _Machine._call_named,
    "TUPLE": _Machine._tuple,
    "EMPTY_TUPLE": lambda machine, _: machine._short_tuple(0),
    "TUPLE1": lambda machine, _: machine._short_tuple(1),
    "TUPLE2": lambda machine, _: machine._short_tuple(2),
    "TUPLE3": lambda machine, _: machine._short_tuple(3),
    "EMPTY_DICT": _Machine._dict,
    "APPEND": _Machine._append,
    **dict.fromkeys(("APPENDS", "ADDITEMS"), _Machine._append_all),
    "SETITEM": _Machine._set_one,
    "SETITEMS": _Machine._set_all,
    "PUT": _Machine._put,
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine._put_at),
    "MEMOIZE": _Machine._memoize,
    "GET": _Machine._get,
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine._get_at),
    "BUILD": _Machine._build,
}


@cache
def _steps() -> Mapping[int, tuple[Opcode, _Act | None]]:
    """By its byte each opcode and what it does; without an act only what pickletools says."""
    return {code: (opcode, _ACTS.get(opcode.name)) for code, opcode in opcodes().items()}
