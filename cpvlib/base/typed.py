"""What annotations are written with, without loading `typing`, which takes 3 ms of every command.

To a type checker each is typing's own. No annotation is evaluated here; so what stands in one, or makes a
class that has no instances of its own, need not be anything.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it

if TYPE_CHECKING:
    from typing import Any as Any
    from typing import BinaryIO as BinaryIO
    from typing import Literal as Literal
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
    from typing import TextIO as TextIO
    from typing import TypeVar as TypeVar
    from typing import cast as cast
else:
    Any = BinaryIO = NoReturn = TextIO = object
    Literal = type("Literal", (), {"__class_getitem__": lambda *_: str})

    class Protocol:
        """As `typing.Protocol`, for classes that are only named in annotations."""

    def TypeVar(name, **_):  # noqa: N802
        """As `typing.TypeVar`."""
        return name

    def cast(_, value):
        """As `typing.cast`."""
        return value
