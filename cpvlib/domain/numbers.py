"""Numbers as people type them, and as trainings hold them: Python's own, or numpy's and torch's, taken out of
their boxes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from cpvlib.base.regex import regex
from cpvlib.base.typed import Any

_DEEPEST = 20
_TYPED = regex(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


def typed_number(text: str) -> int | float | None:
    """A finite number in any of its usual forms: 12, -0.5, .5, 5., 1e-3. None for anything else."""
    value = float(text) if _TYPED.fullmatch(text) else math.nan
    if not math.isfinite(value):
        return None
    return int(text) if text.lstrip("+-").isdecimal() else value


def plain(value: Any, depth: int = 0) -> Any:
    """The value in JSON's own kinds: a tensor or array of one element as its number, mappings and sequences
    through and through; what has no such form as its text, 'nan' and 'inf' among it."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(inner, depth + 1) for inner in value]
    return _unboxed(value)


def _unboxed(value: Any) -> Any:
    """`item()` is what numpy, torch, jax and tensorflow call it; it refuses where there are several."""
    item = getattr(value, "item", None)
    if callable(item):
        try:
            inner = item()
        except (ValueError, TypeError, RuntimeError):
            return str(value)
        if isinstance(inner, bool | int | float | str):
            return plain(inner)
    return str(value)
