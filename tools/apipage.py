"""docs/api.md: the Python API from the sources' own signatures and docstrings.

Read as text (ast), not imported: the page must come out the same on every Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LEAD = """\
# The Python API

<!-- Made by 'make generate' from the docstrings in cpvlib/. -->

Everything is imported from `cpvlib`. [Use it from Python](python.md) shows it at work. Nothing prints unless
`verbose` asks for it, and nothing of the process is changed: neither its folder nor its environment, signal
handlers or logging. Objects may be shared between threads. `StrPath` is a `str` or a path of `pathlib`.
"""

_API = "cpvlib/api"
_CLASSES = (
    ("Set up", (("config", "CPVConfig"), ("config", "Checks"))),
    (
        "Checkpoints",
        (
            ("manager", "Manager"),
            ("models", "ModelsCheckpointsManage"),
            ("data", "DataCheckpointsManage"),
            ("combined", "CombinedCheckpointsManage"),
            ("artifacts", "ModelArtifacts"),
            ("artifacts", "DataArtifacts"),
        ),
    ),
    ("In a training", (("run", "run"), ("run", "Run"), ("run", "Upload"))),
)
_OPTIONS = (
    ("options", "Options"),
    ("options", "AllOptions"),
    ("options", "InitOptions"),
    ("options", "UploadOptions"),
    ("options", "DownloadOptions"),
    ("options", "TagOptions"),
    ("options", "RevertOptions"),
    ("options", "ReadOptions"),
    ("run", "RunOptions"),
    ("config", "ConfigOptions"),
    ("config", "SetupOptions"),
    ("config", "AwsOptions"),
    ("config", "BitbucketOptions"),
    ("config", "ValidateOptions"),
)
Definition = ast.ClassDef | ast.FunctionDef


def page(top: Path) -> str:
    parts = [LEAD]
    for title, members in _CLASSES:
        parts.append(f"## {title}\n")
        for module, name in members:
            parts.append(_shown(_find(top / _API / f"{module}.py", name)))
    parts.append("## Keyword options\n")
    parts.append(
        "An unknown one raises `OptionError`, which names the nearest. Those of `AllOptions` may also be "
        "given to a constructor, as the default of its calls.\n"
    )
    parts += [_option_group(_find(top / _API / f"{module}.py", name)) for module, name in _OPTIONS]
    parts.append("## Errors\n")
    parts.append("Each has `message`, and `hint` with what to do, or None.\n")
    parts.append("".join(_errors(top / "cpvlib/base/errors.py")))
    return "\n".join(parts)


def _find(file: Path, name: str) -> Definition:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return node
    raise LookupError(f"{file} has no {name}")


def _shown(node: Definition) -> str:
    if isinstance(node, ast.FunctionDef):
        return f"### {node.name}\n\n{_signature(node)}{_prose(node)}"
    parts = [f"### {node.name}\n", _prose(node)]
    if node.name == "Manager":
        parts.append("The three classes that follow are managers; the class itself is not imported.\n")
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    if fields:
        parts += ["```python", *(ast.unparse(each).split(" = field")[0] for each in fields), "```\n"]
    for member in _public(node):
        title = member.name if member.name == node.name else f"{node.name}.{member.name}"
        parts += [f"#### {title}\n", _signature(member) + _prose(member)]
    return "\n".join(parts)


def _public(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for member in node.body:
        if not isinstance(member, ast.FunctionDef) or not _prose(member).strip():
            continue
        if member.name == "__init__":
            member.name, member.returns = node.name, ast.Name(node.name)  # as it is called
        if not member.name.startswith("_"):
            yield member


def _signature(node: ast.FunctionDef) -> str:
    """As one would write a call, a parameter a line where it is long; `**options` names its group."""
    result = ast.unparse(node.returns) if node.returns else "None"
    if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
        return f"```python\n{node.name}: {result}\n```\n\n"
    words = list(_parameters(node.args))
    line = f"{node.name}({', '.join(words)}) -> {result}"
    if len(line) > 100:
        line = f"{node.name}(\n" + "".join(f"    {word},\n" for word in words) + f") -> {result}"
    return f"```python\n{line}\n```\n\n"


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    for argument, default in zip(positional, [*defaults, *arguments.defaults], strict=True):
        if argument.arg != "self":
            yield _parameter(argument, default)
        if arguments.posonlyargs and argument is arguments.posonlyargs[-1]:
            yield "/"
    if arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.kwarg:
        yield f"**{_parameter(arguments.kwarg, None)}"


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = ast.unparse(argument.annotation) if argument.annotation else "Any"
    kind = re.sub(r"Unpack\[(\w+)\]", r"\1", kind)
    return f"{argument.arg}: {kind}" + (f" = {ast.unparse(default)}" if default is not None else "")


def _prose(node: ast.AST) -> str:
    assert isinstance(node, (ast.ClassDef, ast.FunctionDef))
    return f"{ast.get_docstring(node) or ''}\n"


def _option_group(node: Definition) -> str:
    assert isinstance(node, ast.ClassDef)
    bases = [ast.unparse(base) for base in node.bases]
    inherited = "" if bases == ["TypedDict"] else f" And those of `{bases[0]}`."
    parts = [f"### {node.name}\n", f"{ast.get_docstring(node)}{inherited}\n"]
    entries = [
        f"- `{ast.unparse(each)}`: {' '.join(str(told.value.value).split())}"
        for each, told in zip(node.body, node.body[1:], strict=False)
        if isinstance(each, ast.AnnAssign)
        and isinstance(told, ast.Expr)
        and isinstance(told.value, ast.Constant)
    ]
    return "\n".join([*parts, *entries, ""])


def _errors(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef):
            bases = ", ".join(ast.unparse(base) for base in node.bases)
            text = " ".join((ast.get_docstring(node) or "").split())
            yield f"- `{node.name}({bases})`: {text}\n"
