"""The text to learn: the manual of the Python language, which `help()` shows and every Python has."""

from __future__ import annotations

from pydoc_data.topics import topics

import numpy as np

VALIDATION = 0.1  # the share of the text, its end, that is held back


def read_text(characters: int) -> tuple[str, str]:
    """The text to train on and the text held back: the topics by name, their first so many characters."""
    text = "\n\n".join(topics[name] for name in sorted(topics))[:characters]
    border = int(len(text) * (1 - VALIDATION))
    return text[:border], text[border:]


def cut(tokens: list[int], length: int) -> np.ndarray:
    """Rows of `length` + 1 tokens, each beginning with the last of the row before; the rest is dropped."""
    starts = range(0, len(tokens) - length, length)
    return np.array([tokens[start : start + length + 1] for start in starts])
