"""DVC's configuration: levels, names, places and edits, as DVC has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError
from cpvlib.stores.dvc.config import DvcConfig, read_config, set_remote, set_remote_option
from cpvlib.stores.dvc.configtext import parse, remove_entry, set_entry

# Written by `dvc remote add -d store s3://bucket/pre`, then `dvc remote add other ../x`, with dvc 3.67.1.
STORE = b"[core]\n    remote = store\n['remote \"store\"']\n    url = s3://bucket/pre\n"
OTHER = STORE + b"['remote \"other\"']\n    url = ../../x\n"


class Levels:
    """The four files, in folders of a test."""

    def __init__(self, root: Path) -> None:
        self.top = root / "top"
        self.environ = {"DVC_GLOBAL_CONFIG_DIR": str(root / "g"), "DVC_SYSTEM_CONFIG_DIR": str(root / "s")}
        self.files = {
            "system": root / "s/config",
            "global": root / "g/config",
            "repo": self.top / ".dvc/config",
            "local": self.top / ".dvc/config.local",
        }

    def write(self, level: str, text: str) -> None:
        self.files[level].parent.mkdir(parents=True, exist_ok=True)
        self.files[level].write_text(text)

    def read(self) -> DvcConfig:
        return read_config(self.top, environ=self.environ)


@pytest.fixture
def levels(tmp_path: Path) -> Levels:
    return Levels(tmp_path)


def test_no_files_at_all(levels: Levels) -> None:
    config = levels.read()
    assert config.remote() is None
    assert config.remote("store") is None
    assert config.cache_dir is None
    assert config.remote_names == ()


def test_a_new_file_is_what_dvc_remote_add_writes() -> None:
    data = set_remote(None, "store", "s3://bucket/pre", default=True)
    assert data == STORE
    assert set_remote(data, "other", "../../x", default=False) == OTHER


def test_a_remote_takes_its_values_from_all_levels_and_knows_which(levels: Levels) -> None:
    levels.write("system", "['remote \"store\"']\nregion = eu-1\nprofile = a\n")
    levels.write("global", "['remote \"store\"']\nprofile = b\n")
    levels.write("repo", STORE.decode() + "    endpointurl = http://evil\n")
    levels.write("local", "['remote \"store\"']\n    endpointurl = http://mine # here\n")
    remote = levels.read().remote()
    assert remote is not None
    assert (remote.name, remote.url, remote.level) == ("store", "s3://bucket/pre", "repo")
    assert remote.options == {"region": "eu-1", "profile": "b", "endpointurl": "http://mine"}
    assert remote.levels == {"region": "system", "profile": "global", "endpointurl": "local"}


def test_names_are_compared_in_lower_case(levels: Levels) -> None:
    levels.write("repo", "[CORE]\nREMOTE = My-Store\n['remote \"MY-store\"']\nURL = s3://Bucket/Pre\n")
    config = levels.read()
    remote = config.remote("MY-STORE")
    assert remote == config.remote()
    assert remote is not None
    assert (remote.name, remote.url) == ("my-store", "s3://Bucket/Pre")
    assert config.remote_names == ("my-store",)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://b/p", "s3://b/p"),
        ("/srv/models", "/srv/models"),
        ("../storage", "{top}/storage"),
        ("../../storage", "{root}/storage"),
        ("storage/", "{top}/.dvc/storage"),
        ("~/storage", "{home}/storage"),
        ("'with # and , in it'", "{top}/.dvc/with # and , in it"),
        ('"""it\'s "so"/x"""', '{top}/.dvc/it\'s "so"/x'),
    ],
)
def test_folders_are_relative_to_the_file_that_names_them(
    levels: Levels, sealed: Path, url: str, expected: str
) -> None:
    levels.write("repo", f"['remote \"r\"']\nurl = {url}\n")
    remote = levels.read().remote("r")
    assert remote is not None
    assert remote.url == expected.format(top=levels.top, root=levels.top.parent, home=sealed)


def test_the_global_file_has_its_own_folder(levels: Levels) -> None:
    levels.write("global", "[cache]\ndir = ../cache\n['remote \"r\"']\nurl = x\ncredentialpath = keys\n")
    config = levels.read()
    remote = config.remote("r")
    assert remote is not None
    assert remote.url == f"{levels.top.parent}/g/x"
    assert remote.options["credentialpath"] == f"{levels.top.parent}/g/keys"
    assert config.cache_dir == levels.top.parent / "cache"
    assert config.level("cache", "dir") == "global"


def test_a_linked_worktree_uses_the_main_ones_local_file(levels: Levels, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    (linked / ".dvc").mkdir(parents=True)
    (linked / ".dvc/config").write_bytes(STORE)
    levels.write("local", "['remote \"store\"']\nurl = ../here\n")
    remote = read_config(linked, levels.top, environ=levels.environ).remote()
    assert remote is not None
    assert (remote.url, remote.level) == (f"{levels.top}/here", "local")


def test_a_remote_within_another_one(levels: Levels) -> None:
    levels.write("local", "['remote \"base\"']\nurl = s3://b/p\nprofile = x\nregion = y\n")
    levels.write("repo", "['remote \"in\"']\nurl = remote://Base/sub/dir\nregion = z\n")
    remote = levels.read().remote("in")
    assert remote is not None
    assert (remote.url, remote.level) == ("s3://b/p/sub/dir", "repo")
    assert remote.options == {"profile": "x", "region": "z"}
    assert remote.levels == {"profile": "local", "region": "repo"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[core]\nremote = gone\n", "names 'gone' as its remote, and has no such remote"),
        ("[core]\nremote = r\n['remote \"r\"']\nprofile = x\n", "the DVC remote 'r' has no url"),
        ("[core]\nremote = r\n['remote \"r\"']\nurl = remote://r/x\n", "the DVC remote 'r' has no url"),
        ("[core]\nremote = r\n['remote \"r\"']\nurl = remote://none/x\n", "the DVC remote 'none' has no url"),
        ("nonsense\n", "line 1 cannot be read: it is neither a section nor 'key = value'"),
        ("[core]\nremote = a\nremote = b\n", "line 3 cannot be read: 'remote' is there twice"),
        ("[core]\n\n[core]\n", "line 3 cannot be read: section 'core' is there twice"),
        ("remote = a\n", "line 1 cannot be read: 'remote' is in no section"),
        ("[core]\nremote = 'a\n", "line 2 cannot be read: its value is badly quoted"),
        ("[core]\nremote = '''a\nb\n", "line 2 cannot be read: its value is badly quoted"),
        ("['remote \"r\"']\nurl = a, b\n", "line 2: 'url' of [remote \"r\"] is not one plain value"),
        ("['remote \"r\"']\nurl = %(x)s\n", "line 2: 'url' of [remote \"r\"] is not one plain value"),
        ("['remote \"r\"']\nurl = ~nobody-here/x\n", "names a home folder that does not exist"),
    ],
)
def test_what_cannot_be_used_is_an_error_with_its_place(levels: Levels, text: str, message: str) -> None:
    levels.write("repo", text)
    with pytest.raises(ConfigError) as refused:
        levels.read().remote()
    assert message in refused.value.message


def test_a_file_that_is_not_text(levels: Levels) -> None:
    levels.write("repo", "")
    levels.files["repo"].write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        levels.read()


def test_no_error_shows_a_secret(levels: Levels) -> None:
    levels.write("local", "['remote \"r\"']\nsecret_access_key = hunter2, %(x)s\n")
    with pytest.raises(ConfigError) as refused:
        levels.read()
    assert "hunter2" not in refused.value.message


EDITED = b"""\
# ours
[cache]
type = "reflink,copy"   # fast
['remote "Store"']   # the team's
\turl = s3://old
\tregion = eu-1

[core]
    autostage = true"""


def test_an_edit_keeps_every_other_byte() -> None:
    new = set_remote(EDITED, "store", "s3://new", default=True)
    expected = EDITED.replace(b"s3://old", b"s3://new") + b"\n    remote = store\n"
    assert new == expected
    assert set_remote(new, "store", "s3://new", default=True) == new
    assert set_remote_option(EDITED, "store", "profile", "x").splitlines()[6] == b"    profile = x"


def test_core_goes_before_other_sections_and_a_new_remote_last() -> None:
    data = b"# note\n['remote \"a\"']\n    url = x\n"
    assert set_remote(data, "b", "y", default=True) == (
        b"# note\n[core]\n    remote = b\n['remote \"a\"']\n    url = x\n['remote \"b\"']\n    url = y\n"
    )


def test_an_entry_is_removed_with_its_section_when_it_was_the_last() -> None:
    assert remove_entry(STORE, "core", "remote") == STORE[STORE.index(b"['remote") :]
    two = set_remote_option(STORE, "store", "region", "eu-1")
    assert remove_entry(two, 'remote "store"', "region") == STORE
    assert remove_entry(STORE, "core", "absent") == STORE


@pytest.mark.parametrize("name", ["", 'a"b', "a'b", "a\nb", "a]", "a#b"])
def test_names_that_the_syntax_cannot_hold(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a DVC remote"):
        set_remote(None, name, "s3://b", default=False)


@pytest.mark.parametrize("value", ["a\nb", "%(x)s", "'''\"\"\""])
def test_values_that_the_syntax_cannot_hold(value: str) -> None:
    with pytest.raises(ConfigError, match="cannot stand in DVC's configuration"):
        set_entry(None, "core", "x", value)


TEXT = st.text(st.sampled_from("ab ,#'\"=[]%()s/\té;\\"), max_size=12)


@given(st.lists(st.tuples(st.sampled_from(["core", "cache", 'remote "x"']), st.sampled_from("abc"), TEXT)))
def test_what_is_set_is_read_back_whatever_came_before(edits: list[tuple[str, str, str]]) -> None:
    data: bytes | None = None
    wanted: dict[tuple[str, str], str] = {}
    for section, key, value in edits:
        try:
            data = set_entry(data, section, key, value)
        except ConfigError:
            assert ("'" in value and '"' in value) or "%(" in value
            continue
        wanted[section, key] = value
    sections = parse((data or b"").decode(), "config")
    found = {
        (name, key): entry.value for name, here in sections.items() for key, entry in here.entries.items()
    }
    assert found == wanted


@given(st.text(st.sampled_from("[]'\"=#,\n core remote ur"), max_size=60))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    try:
        parse(text, "config")
    except ConfigError as error:
        assert error.message.startswith("'config' line ")
