"""`.dir` objects: DVC's bytes, and nothing hostile read from them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.listing import listing_oid, parse_listing, render_listing
from cpvlib.domain.paths import check_relative

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def listing(*paths: str, md5: str = MD5) -> bytes:
    return json.dumps([{"md5": md5, "relpath": path} for path in paths]).encode()


def test_the_bytes_are_dvcs() -> None:
    """Made by dvc 3.67.1 from a folder with these three empty files."""
    data = render_listing({"é": MD5, "b/x y": MD5, 'a"': MD5})
    assert data == (
        b'[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "a\\""}, '
        b'{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "b/x y"}, '
        b'{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "\\u00e9"}]'
    )
    assert listing_oid(data) == "92367ed1a9c447f11033b6358f648a53.dir"


def test_an_empty_folder_has_a_listing_too() -> None:
    assert render_listing({}) == b"[]"
    assert listing_oid(b"[]") == "d751713988987e9331980363e24189ce.dir"
    assert parse_listing(b"[]").nfiles == 0


def allowed(path: str) -> bool:
    try:
        check_relative(path, "file")
    except RepositoryError:
        return False
    return True


def without_clashes(entries: dict[str, str]) -> dict[str, str]:
    folders = {path[:end] for path in entries for end in range(len(path)) if path[end] == "/"}
    return {path: md5 for path, md5 in entries.items() if path not in folders}


PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(allowed)
ENTRIES = st.dictionaries(PATHS, st.text("0123456789abcdef", min_size=32, max_size=32)).map(without_clashes)


@given(ENTRIES)
def test_what_is_written_is_json_dumps_sorted_and_is_read_back(entries: dict[str, str]) -> None:
    rows = [{"md5": entries[path], "relpath": path} for path in sorted(entries)]
    data = render_listing(entries)
    assert data == json.dumps(rows, sort_keys=True).encode()
    assert parse_listing(data).entries == entries


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"{}", "is not a JSON list"),
        (b"null", "is not a JSON list"),
        (b"[1]", "has an entry that is not a JSON object"),
        (b"[[]]", "has an entry that is not a JSON object"),
        (b'[{"md5": "%s"}]' % MD5.encode(), "has an entry without 'relpath'"),
        (b'[{"relpath": 1}]', "has an entry without 'relpath'"),
        (b'[{"relpath": "a"}]', "has no md5 for 'a'"),
        (listing("a", md5="x" * 32), "has no md5 for 'a'"),
        (listing("a", md5=MD5 + ".dir"), "has no md5 for 'a'"),
        (listing("a", md5="../../etc/passwd"), "has no md5 for 'a'"),
        (listing("a", "a"), "has 'a' twice"),
        (listing("a/b", "a"), "has 'a' both as a file and as a folder"),
        (listing("a", "a/b/c"), "has 'a' both as a file and as a folder"),
        (listing("/etc/passwd"), "file '/etc/passwd' is an absolute path"),
        (listing("x/../../y"), "file 'x/../../y' has a component '..'"),
        (listing("\ud800"), "is not valid Unicode"),
        (listing(".git/config"), "file '.git/config' is inside git's own folder"),
    ],
)
def test_hostile_listings_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        parse_listing(data)
    assert reason in refused.value.message


def test_keys_that_dvc_may_add_are_ignored() -> None:
    data = json.dumps([{"md5": MD5, "relpath": "a", "size": 3, "isexec": True}]).encode()
    assert parse_listing(data).entries == {"a": MD5}


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_listing_or_a_repository_error(data: bytes) -> None:
    try:
        parse_listing(data)
    except RepositoryError as error:
        assert "listing of a folder" in error.message


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "a/b", "b c", "é", "..", ".git/x", 'a"', "c\\d"]), st.booleans())
    ),
    st.sampled_from(
        [("", ""), (", ", ","), ("[{", "[ {"), ("}]", "}]\n"), ("relpath", "x"), ("aaaa", "AAAA")]
    ),
)
def test_however_it_is_written_it_is_what_json_says(
    rows: list[tuple[str, bool]], change: tuple[str, str]
) -> None:
    named = [{"md5": "a" * 32 if first else "b" * 32, "relpath": path} for path, first in rows]
    data = json.dumps(named, sort_keys=True).replace(*change, 1).encode()
    try:
        found = parse_listing(data).entries
    except RepositoryError:
        return
    assert found == {row["relpath"]: row["md5"] for row in json.loads(data)}
    assert len(found) == len(rows) and not {"..", ".git/x"} & found.keys()
