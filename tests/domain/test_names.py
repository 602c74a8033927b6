"""Names of teams and models, and prefixes of tags. Git is the judge of the latter."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError
from cpvlib.domain.names import check_name, check_tag_prefix, name_from


@pytest.mark.parametrize("name", ["a", "AI-Convo", "faster-whisper", "gpt_2", "v1.5", "7b", "a" * 64])
def test_names_that_people_use(name: str) -> None:
    assert check_name("team", name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "-a", "_a", "a.", "a..b", "x.git", "x.LOCK", "é", "a b", "a\n", "a" * 65, "%2e"],
)
def test_names_that_make_no_folder_or_key(name: str) -> None:
    with pytest.raises(ConfigError, match="can't be a model name"):
        check_name("model", name)


@example("0.GIT:.LOCK")
@example("a" * 60 + ".gitx")
@given(st.text(max_size=80))
def test_the_nearest_name_is_a_name(text: str) -> None:
    name = name_from(text)
    if name is not None:
        assert check_name("team", name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [("Ada Lovelace", "Ada-Lovelace"), ("my.model.git", "my.model"), ("größe", "gr-e"), ("??", None)],
)
def test_the_nearest_name(text: str, name: str | None) -> None:
    assert name_from(text) == name


PREFIXES = st.text(st.sampled_from("abZ0/-._@{}~^:?*[\\ \t\x7f") | st.characters(), max_size=12)


@settings(max_examples=200, deadline=None)
@given(PREFIXES)
def test_a_prefix_that_passes_is_one_that_git_takes(prefix: str) -> None:
    try:
        check_tag_prefix(prefix)
    except ConfigError:
        return
    for name in (f"refs/tags/{prefix}v0.1", f"refs/tags/{prefix}data/v0.1"):
        assert subprocess.run(["git", "check-ref-format", name]).returncode == 0


@pytest.mark.parametrize("prefix", ["", "cpv/", "model-", "a/b/", "m.", "größe-"])
def test_prefixes_that_people_use(prefix: str) -> None:
    assert check_tag_prefix(prefix) == prefix
