"""Every message of an error that CPV itself words, read out of its sources.

Found are the calls of CPVError's kinds with a text, and rows of tables in which a kind stands before one. Not
found are messages that come from elsewhere as they are, such as argparse's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

GAP = "…"
"""Stands for what differs from one time to the next: a name, a number, another program's words."""


def messages(package: Path) -> dict[str, str]:
    """Each message, with the place where it stands: `managers/push.py:216`."""
    trees = {file: ast.parse(file.read_text()) for file in sorted(package.rglob("*.py"))}
    kinds = _kinds(trees.values())
    found: dict[str, str] = {}
    for file, tree in trees.items():
        for node in ast.walk(tree):
            for line, told in _told(node, kinds):
                for text in _texts(told):
                    found.setdefault(text, f"{file.relative_to(package)}:{line}")
    return found


def _kinds(trees: object) -> set[str]:
    """CPVError, and each class that is one."""
    kinds = {"CPVError"}
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]  # type: ignore[attr-defined]
    for _ in range(4):
        kinds |= {c.name for c in classes if any(ast.unparse(base) in kinds for base in c.bases)}
    return kinds


def _told(node: ast.AST, kinds: set[str]) -> Iterator[tuple[int, ast.expr]]:
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in kinds:
        yield node.lineno, node.args[0]
    if isinstance(node, ast.Tuple):
        for kind, text in zip(node.elts, node.elts[1:], strict=False):
            if isinstance(kind, ast.Name) and kind.id in kinds:
                yield node.lineno, text


def _texts(node: ast.expr) -> Iterator[str]:
    """What the expression may be, each of an `if`'s two sides; nothing where no words of it are known."""
    for text in _parts(node):
        if sum(map(str.isalpha, text)) > 8:
            yield text


def _parts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [_gaps(node.value)] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(v.value if isinstance(v, ast.Constant) else GAP for v in node.values)]
    if isinstance(node, ast.IfExp):
        return _parts(node.body) + _parts(node.orelse)
    if isinstance(node, ast.BinOp):
        return [left + right for left in _parts(node.left) or [GAP] for right in _parts(node.right) or [GAP]]
    if isinstance(node, ast.Call) and len(node.args) == 1:
        return _parts(node.args[0])  # printable(…)
    return []


def _gaps(text: str) -> str:
    """A row's fields are those of str.format."""
    while "{" in text and "}" in text:
        text = text[: text.index("{")] + GAP + text[text.index("}") + 1 :]
    return text
