"""Configuration as git reads it, and the short way that must agree with git's own."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError
from cpvlib.stores.git.config import GitConfig
from cpvlib.stores.git.door import Git, clean_environment
from shell import Shell

PLAIN = """\
[cpv]
	team = AI-Convo
	model = für

# note
[cpv "model"]
	out = a.bin
	out = b c/d.bin
""".encode()


@pytest.fixture
def git(shell: Shell) -> Git:
    shell.git("init", "-q")
    return Git(shell.cwd, clean_environment(os.environ))


def test_values_scopes_and_kinds(git: Git, shell: Shell) -> None:
    shell.git("config", "--global", "cpv.team", "global")
    shell.git("config", "cpv.team", "local\nline")
    shell.git("config", "Cpv.Model.OUT", "a")
    shell.git("config", "--add", "cpv.Model.out", "b")
    shell.git("config", "cpv.on", "Yes")
    shell.git("config", "cpv.size", "2k")
    shell.write(".git/config", (shell.cwd / ".git/config").read_bytes() + b"[cpv]\n\tbare\n")
    config = GitConfig.load(git)
    assert config.get("CPV.team") == "local\nline"
    assert config.get_all("cpv.team") == ["global", "local\nline"]
    assert config.get_all("cpv.Model.Out") == ["a", "b"]
    assert config.get("cpv.model.out") is None
    assert [config.get_bool(f"cpv.{key}") for key in ("on", "bare", "size", "none")] == [
        True,
        True,
        True,
        None,
    ]
    assert (config.get("cpv.bare"), config.get_int("cpv.size")) == ("true", 2048)
    assert config.subsections("cpv") == ["Model"]
    with pytest.raises(ConfigError, match="neither true nor false"):
        config.get_bool("cpv.model.x") or config.get_bool("cpv.team")


def test_a_plain_file_needs_no_process(git: Git) -> None:
    asked: list[object] = []
    git.trace = lambda *about: asked.append(about)
    config = GitConfig.parse(git, PLAIN, ".cpvconfig")
    assert config.get("cpv.model") == "für"
    assert config.get_all("cpv.model.out") == ["a.bin", "b c/d.bin"]
    assert asked == []


def test_includes_are_not_followed(git: Git, shell: Shell) -> None:
    shell.write("evil", "[cpv]\n\tteam = evil\n")
    config = GitConfig.parse(git, f'[include]\n\tpath = "{shell.cwd}/evil"\n'.encode(), ".cpvconfig")
    assert config.get("cpv.team") is None


def test_a_broken_file_is_named_with_its_line(git: Git, shell: Shell) -> None:
    path = shell.write(".cpvconfig", "[cpv]\n\tteam = a\n[cpv\n")
    with pytest.raises(ConfigError, match=r"line 3 of '\.cpvconfig'"):
        GitConfig.read_file(git, path)
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        GitConfig.parse(git, b"#" * (1 << 21), ".cpvconfig")
    assert GitConfig.read_file(git, shell.cwd / "none") is None


_WORDS = st.text(st.sampled_from("ab Z.-_1\t\"'\\#;=[]\n\r\0é%"), max_size=12)
_LINES = st.lists(
    st.one_of(
        st.sampled_from(["[cpv]", '[cpv "Model"]', "[CPV]", "[a.b]", "", "# x", " ; y", "[x] y = z"]),
        st.builds("\t{} = {}".format, st.sampled_from(["out", "Out", "o-1", "1x", "ö"]), _WORDS),
        _WORDS,
    ),
    max_size=6,
)


@given(lines=_LINES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_short_way_agrees_with_git(git: Git, lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    asked: list[object] = []
    git.trace = lambda *about: asked.append(about)
    try:
        ours = [(each.key, each.value) for each in GitConfig.parse(git, data, "x").settings()]
    except ConfigError:
        return
    if not asked:
        listed = git.run("config", "-z", "--list", "--file", "-", stdin=data).decode().split("\0")[:-1]
        theirs = [(key, value) for key, _, value in (each.partition("\n") for each in listed)]
        assert sorted(ours) == sorted(theirs)
