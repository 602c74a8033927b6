"""The house stands as planned: imports go down, what is outside has one door, floors 0 to 3 are silent."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import cpvlib
from servers.s3 import S3Server
from shell import Shell

HOUSE = Path(cpvlib.__file__).parent
FLOORS = {"base": 0, "domain": 1, "stores": 2, "managers": 3, "cli": 4, "api": 4, "commands": 5}
"""The command line and the Python API stand beside one another on the managers."""

ROOF = 6
"""`cpvlib` itself, which only the user's programs import."""

PROCESSES = {
    "cpvlib.stores.git.process": "git",
    "cpvlib.stores.ssh": "ssh and ssh-keygen",
    "cpvlib.stores.running": "what foreach was given",
    "cpvlib.stores.dvc.program": "dvc",
    "cpvlib.cli.pager": "the user's pager",
    "cpvlib.cli.manual": "man",
}
HEAVY = {
    "anycrc",
    "blake3",
    "boto3",
    "botocore",
    "obstore",
    "git",
    "dvc",
    "rich",
    "ruamel",
    "pathspec",
    "asyncio",
    "logging",
}

SLOW = {
    "argparse",  # cpvlib.cli.arguments
    "dataclasses",  # cpvlib.base.values
    "datetime",
    "inspect",
    "signal",
    "sqlite3",  # cpvlib.stores.hints
    "subprocess",  # cpvlib.stores.git.process
    "typing",  # cpvlib.base.typed
}
"""Of Python's own, each with what is there instead."""


@dataclass(frozen=True)
class Import:
    module: str
    name: str
    at_top: bool
    line: int


def modules() -> Iterator[tuple[str, Path]]:
    for file in sorted(HOUSE.rglob("*.py")):
        parts = ("cpvlib", *file.relative_to(HOUSE).with_suffix("").parts)
        if "templates" in parts:
            continue  # what `init` writes into the user's repository, not part of the house
        yield ".".join(part for part in parts if part != "__init__"), file


def floor(module: str) -> int:
    parts = module.split(".")
    return FLOORS.get(parts[1], ROOF) if len(parts) > 1 else ROOF


def imports() -> Iterator[Import]:
    for module, file in modules():
        tree = ast.parse(file.read_text())
        typing_only = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
            for node in ast.walk(block)
        }
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            at_top = id(node) not in inside and id(node) not in typing_only
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(module, alias.name, at_top, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module} imports relatively: a floor should be seen in each import"
                for alias in node.names:
                    name = f"{node.module}.{alias.name}" if node.module in PACKAGES else str(node.module)
                    yield Import(module, name, at_top, node.lineno)


PACKAGES = {
    ".".join(("cpvlib", *folder.relative_to(HOUSE).parts)) for folder in HOUSE.rglob("*") if folder.is_dir()
} | {"cpvlib"}


def test_imports_go_down() -> None:
    upward = [
        f"{found.module}:{found.line} imports {found.name}"
        for found in imports()
        if found.name.startswith("cpvlib.")
        and found.name != "cpvlib.__version__"
        and floor(found.name) > floor(found.module)
    ]
    assert upward == []


def test_every_module_is_on_a_floor() -> None:
    assert {module.split(".")[1] for module, _ in modules() if "." in module} - {"__main__"} == set(FLOORS)


def test_each_outside_package_has_one_owner() -> None:
    owners = defaultdict(set)
    for found in imports():
        top = found.name.split(".")[0]
        if top != "cpvlib" and top not in sys.stdlib_module_names:
            owners[top].add(found.module)
    shared = {package: sorted(modules) for package, modules in owners.items() if len(modules) > 1}
    assert owners
    assert shared == {}


def test_outside_packages_are_imported_when_used() -> None:
    at_once = [
        f"{found.module}:{found.line} imports {found.name}"
        for found in imports()
        if found.at_top and found.name.split(".")[0] not in {*sys.stdlib_module_names, "cpvlib"}
    ]
    assert at_once == []


def test_a_module_begins_without_what_takes_long() -> None:
    """What is in its place: `cpvlib.base.typed`, `cpvlib.base.regex`, `cpvlib.base.values`."""
    at_once = [
        f"{found.module}:{found.line} imports {found.name}"
        for found in imports()
        if found.at_top
        and found.name in ("typing", "dataclasses")
        and not found.module.startswith("cpvlib.api")
    ]
    compiled = [f"{module}:{line} compiles a pattern" for module, line in patterns_at_top()]
    assert at_once + compiled == []


def patterns_at_top() -> Iterator[tuple[str, int]]:
    for module, file in modules():
        tree = ast.parse(file.read_text())
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "re.compile"
                and id(node) not in inside
            ):
                yield module, node.lineno


def test_programs_are_started_by_their_owners_only() -> None:
    starters = {
        module
        for module, file in modules()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and re.match(r"subprocess\.|os\.(exec|spawn|system|popen|posix_spawn)", ast.unparse(node.func))
    }
    assert starters == set(PROCESSES)


def test_no_network_library_but_the_owned_ones() -> None:
    doors = {"socket", "urllib.request", "ssl", "ftplib", "smtplib"}
    found = {(found.module, found.name) for found in imports() if found.name in doors}
    assert found == {("cpvlib.stores.bitbucket", "urllib.request")}


def test_the_lower_floors_are_silent() -> None:
    speaking = []
    for module, file in modules():
        if floor(module) > FLOORS["managers"]:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            printing = isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stderr.write")
            if printing or (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.stdout"):
                speaking.append(f"{module}:{node.lineno}")
    assert speaking == []


LISTING = """
import sys
from cpvlib.cli.main import run
code = run("git-cpv", sys.argv[1:])
print("loaded:", *sys.modules, file=sys.stderr)
sys.exit(code)
"""


def loaded_by(shell: Shell, *words: str) -> set[str]:
    """The modules that are loaded when `git-cpv` with these words ends."""
    result = shell.run([sys.executable, "-I", "-c", LISTING, *words])
    assert result.code == 0, str(result)
    names = set(result.err.rpartition("loaded:")[2].split())
    assert "cpvlib.cli.main" in names
    return names


def heavy(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in HEAVY}


@pytest.mark.parametrize("words", [["-h"], ["--version"], ["push", "-h"], ["list", "-h"]])
def test_help_loads_nothing_heavy(shell: Shell, words: list[str]) -> None:
    names = loaded_by(shell, *words)
    assert heavy(names) == set()
    assert {name for name in names if name.startswith(("cpvlib.managers.", "cpvlib.stores."))} == set()


@pytest.fixture
def versioned(shell: Shell) -> Shell:
    """A repository with a model of one version."""
    shell.git("init", "-q")
    shell.write("model.bin", b"weights")
    shell.ok("git cpv init --team t --model m")
    shell.ok("git cpv track model.bin")
    shell.ok("git cpv push -q --metric loss=0.5")
    return shell


@pytest.mark.parametrize("words", [["tag"], ["list"], ["status"], ["show"], ["push"]])
def test_the_quick_commands_load_nothing_heavy(versioned: Shell, words: list[str]) -> None:
    if words == ["show"]:
        versioned.ok("git cpv tag")
    names = loaded_by(versioned, *words)
    assert heavy(names) == set()
    assert names & SLOW == set()
    if words in (["tag"], ["list"]):  # which ask the cache nothing
        assert "cpvlib.stores.cache" not in names


def test_a_push_to_s3_with_plain_keys_does_without_boto3(shell: Shell, moto_server: S3Server) -> None:
    here = shell.at(".", **moto_server.environment)
    here.git("init", "-q")
    here.write("model.bin", b"weights")
    here.ok(f"git cpv init --team t --model m --storage s3://{moto_server.new_bucket()}")
    here.ok("git cpv track model.bin")
    first = loaded_by(here, "push", "-q", "--metric", "loss=0.5")
    assert heavy(first) >= {"obstore"}
    assert not {name for name in first if name.split(".")[0] in ("boto3", "botocore")}
    assert heavy(loaded_by(here, "push", "-q")) == set()


def test_only_the_command_asked_for_is_imported(shell: Shell) -> None:
    names = loaded_by(shell, "push", "-h")
    assert {name for name in names if name.startswith("cpvlib.commands.")} == {"cpvlib.commands.push"}


def test_the_python_that_runs_the_tests_is_the_checkouts() -> None:
    """Else the tests above would look at another installation."""
    answer = subprocess.run(
        [sys.executable, "-I", "-c", "import cpvlib; print(cpvlib.__file__)"], capture_output=True, text=True
    )
    assert Path(answer.stdout.strip()) == Path(cpvlib.__file__)


def test_the_python_api_and_the_command_line_stand_apart() -> None:
    pairs = {"api": ("cpvlib.cli", "cpvlib.commands"), "cli": ("cpvlib.api",), "commands": ("cpvlib.api",)}
    across = [
        f"{found.module}:{found.line} imports {found.name}"
        for found in imports()
        if found.name.startswith(pairs.get(found.module.split(".")[1] if "." in found.module else "", ("-",)))
    ]
    assert across == []


@pytest.mark.parametrize(
    "name", ["cpvlib", *(f"cpvlib.{name}" for name in cpvlib.__all__ if name != "__version__")]
)
def test_the_python_api_loads_nothing_heavy(name: str) -> None:
    program = f"import cpvlib, sys; {name}; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    names = set(answer.stdout.split())
    assert heavy(names) == set()
    if name == "cpvlib":
        assert {module for module in names if module.startswith("cpvlib.")} == set()
