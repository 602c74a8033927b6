"""Manual pages, completions and packaging say what the records say."""

from __future__ import annotations

import configparser
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cpvlib.cli.record import Argument, Command
from cpvlib.cli.registry import COMMANDS, GUESSES, NOTHING_TO_DO, load
from sealing import CHECKOUT
from shell import Shell

PAGES = sorted((CHECKOUT / "man").rglob("git-cpv*.[17]"))
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO")


def other_pythons() -> list[str]:
    """Each Python of 3.10 or newer on this machine, by its own path."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    found = [shutil.which(f"python3.{minor}") for minor in range(10, 15)]
    found += sorted(str(path) for path in home.glob(".pyenv/versions/3.1[0-9].*/bin/python"))
    answers = {}
    for python in filter(None, found):
        script = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2])"
        done = subprocess.run([python, "-c", script], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.split()[1] in {f"3.{minor}" for minor in range(10, 15)}:
            answers[done.stdout.split()[1]] = done.stdout.split()[0]
    return list(answers.values())


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    return load(request.param)


def test_committed_files_are_what_the_records_say_now() -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.stdout + done.stderr == ""


def test_they_are_the_same_on_every_python() -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("no other Python on this machine")
    libraries = {str(Path(__import__(name).__file__).parent.parent) for name in ("argparse_manpage", "shtab")}
    for python in pythons:
        done = subprocess.run(
            [python, CHECKOUT / "tools" / "generate.py", "--check"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *libraries])},
            capture_output=True,
            text=True,
        )
        assert (python, done.stdout + done.stderr) == (python, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_nothing_to_warn_about(page: Path) -> None:
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_every_command_has_a_page_with_every_section(command: Command) -> None:
    source = (CHECKOUT / "man" / "man1" / f"{command.program}.1").read_text()
    found = [line.removeprefix(".SH ") for line in source.splitlines() if line.startswith(".SH ")]
    assert [section for section in SECTIONS if section not in found] == []


def test_every_option_is_on_its_page(command: Command) -> None:
    source = (CHECKOUT / "man" / "man1" / f"{command.program}.1").read_text().replace("\\-", "-")
    names = [name for argument in command.arguments for name in argument.names]
    assert [name for name in names if f"\\fB{name}\\fR" not in source] == []


def test_a_record_reads_like_git_would_write_it(command: Command) -> None:
    assert command.name == command.name.lower()
    assert command.summary[0].isupper() and not command.summary.endswith(".")
    assert len(command.summary) <= 70
    assert command.description.rstrip().endswith(".")
    assert len(command.examples) >= 2
    for argument in command.arguments:
        assert re.match(r"[a-z`'-]|[A-Z][A-Z0-9]", argument.help), argument.names
        assert not argument.help.endswith("."), argument.names


def test_examples_can_be_typed(command: Command) -> None:
    """Each word of an example that is an option is one the command takes."""
    from cpvlib.cli.record import HELP, MANUAL
    from cpvlib.cli.words import sort_words

    every: tuple[Argument, ...] = (*command.arguments, HELP, MANUAL)
    typed = 0
    for example in command.examples:
        words = shlex.split(example.line.replace("$(", "").replace(")", ""), comments=True)
        while words:
            end = next((i for i, word in enumerate(words) if word in ("&&", "|", "||")), len(words))
            if words[:3] == ["git", "cpv", command.name]:
                sort_words(words[3:end], every)
                typed += 1
            words = words[end + 1 :]
    assert typed


def test_see_also_names_commands_that_exist(command: Command) -> None:
    assert [name for name in command.see_also if "(" not in name and name not in COMMANDS] == []


def test_guesses_lead_to_commands() -> None:
    assert set(GUESSES.values()) <= set(COMMANDS)
    assert not {*GUESSES, *NOTHING_TO_DO} & set(COMMANDS)


def test_every_program_has_a_launcher() -> None:
    launchers = {file.name for file in (CHECKOUT / "bin").iterdir()}
    assert launchers == {"git-cpv", *(f"git-cpv-{name}" for name in COMMANDS)}


def test_settings_on_the_page_are_settings() -> None:
    from cpvlib.managers.settings import RULES

    page = (CHECKOUT / "man" / "man1" / "git-cpv.1").read_text()
    shown = {match.lower() for match in re.findall(r"^\\fB(cpv\.\w+)\\fR$", page, re.MULTILINE)}
    assert shown
    assert shown <= set(RULES)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_has_a_program_for_each_command(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(name).decode())
    programs = {"git-cpv", *(f"git-cpv-{name}" for name in COMMANDS)}
    assert dict(scripts["console_scripts"]) == dict.fromkeys(programs, "cpvlib.cli.main:main")


def test_the_wheel_carries_pages_and_completions(wheel: zipfile.ZipFile) -> None:
    shared = {name.split(".data/data/")[1] for name in wheel.namelist() if ".data/data/" in name}
    for program in ("git-cpv", *(f"git-cpv-{name}" for name in COMMANDS)):
        assert f"share/man/man1/{program}.1" in shared
        assert f"share/bash-completion/completions/{program}" in shared
        assert f"share/fish/vendor_completions.d/{program}.fish" in shared
    assert {
        "share/man/man7/git-cpv.7",
        "share/zsh/site-functions/_git-cpv",
        "share/zsh/site-functions/_git_cpv",
        "share/fish/vendor_conf.d/git-cpv.fish",
    } <= shared


def test_install_and_uninstall(shell: Shell) -> None:
    """With what it depends on left out, and built with what is here, so that nothing is downloaded."""
    before = shell.files()
    prefix = shell.cwd / "a prefix"
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}
    install = ["sh", str(CHECKOUT / "tools" / "install"), sys.executable]
    at_checkout = Shell(CHECKOUT, offline)
    at_checkout.ok([*install, str(prefix)])
    installed = shell.at(".", PATH=f"{prefix}/bin:/usr/local/bin:/usr/bin:/bin")
    assert installed.ok("command -v git-cpv-push") == f"{prefix}/bin/git-cpv-push"
    assert installed.ok("git cpv --version").startswith("git-cpv version ")
    assert installed.ok("git cpv push -h").startswith("usage: git cpv push ")
    if shutil.which("man"):
        assert "GIT-CPV-PUSH(1)" in installed.ok("git cpv push --help", MANPAGER="cat", PAGER="cat")
    at_checkout.ok(["sh", str(CHECKOUT / "tools" / "uninstall"), str(prefix)])
    assert shell.files() == before


def test_install_into_a_package_folder(shell: Shell) -> None:
    """With DESTDIR everything goes below it, while the launchers name the place without it."""
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}
    root = shell.cwd / "package"
    words = ["sh", str(CHECKOUT / "tools" / "install"), sys.executable, "/opt/cpv", str(root)]
    Shell(CHECKOUT, offline).ok(words)
    assert '"/opt/cpv/lib/cpv"' in (root / "opt/cpv/bin/git-cpv").read_text()
    assert {path.name for path in root.iterdir()} == {"opt"}
