"""The tag message: a manifest that comes back whole, and messages from anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.domain.checkpoint import DataUsed
from cpvlib.domain.manifest import (
    Manifest,
    ManifestOut,
    parse_brief,
    parse_manifest,
    quote_path,
    unquote_path,
)
from cpvlib.domain.version import Version

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
WHOLE = Manifest(
    text="baseline\n\nTrained overnight.",
    version=Version(0, 2),
    outs=(
        ManifestOut("model.bin", MD5, 1024),
        ManifestOut("my shards", MD5 + ".dir", 3221225472, 9),
        ManifestOut("old", MD5),
    ),
    metrics={"loss": 0.231, "acc": 1},
    params={"lr": 0.001, "note": "größer"},
    code="4be1d0c0" * 5,
    uncommitted=2,
    data=DataUsed(MD5 + ".dir", "v0.3"),
    companion="data/v0.2",
    nonce="0f1e2d3c4b5a6978",
)
MESSAGE = f"""\
baseline

Trained overnight.

Cpv-Version: v0.2
Cpv-Out: model.bin md5={MD5} size=1024
Cpv-Out: "my shards" md5={MD5}.dir size=3221225472 nfiles=9
Cpv-Out: old md5={MD5}
Cpv-Metrics: {{"acc":1,"loss":0.231}}
Cpv-Params: {{"lr":0.001,"note":"gr\\u00f6\\u00dfer"}}
Cpv-Code: 4be1d0c04be1d0c04be1d0c04be1d0c04be1d0c0 uncommitted=2
Cpv-Data: md5={MD5}.dir version=v0.3
Cpv-With: data/v0.2
Cpv-Nonce: 0f1e2d3c4b5a6978
"""


def test_a_whole_manifest():
    assert WHOLE.render() == MESSAGE
    assert parse_manifest(MESSAGE) == WHOLE
    assert WHOLE.size is None and Manifest(outs=WHOLE.outs[:2]).size == 3221226496


def test_a_manifest_without_text():
    bare = Manifest(version=Version(1, 0))
    assert bare.render() == "Cpv-Version: v1.0\n"
    assert parse_manifest(bare.render()) == bare


@pytest.mark.parametrize("kind", ["PGP", "SSH"])
def test_a_signature_is_left_out(kind: str):
    signature = f"-----BEGIN {kind} SIGNATURE-----\n\niQEzBAABCAAdFiEE\n-----END {kind} SIGNATURE-----\n"
    assert parse_manifest(MESSAGE + signature) == WHOLE


def test_trailers_of_others_stay_text():
    read = parse_manifest(MESSAGE + "Signed-off-by: Ana <ana@example.org>\n")
    assert read.text == WHOLE.text + "\n\nSigned-off-by: Ana <ana@example.org>"
    assert read.outs == WHOLE.outs


@pytest.mark.parametrize(
    "message",
    [
        "release 1.2\n",
        "Cpv-Out: model.bin md5=x\n\nCpv-Version: one\n",
        f"text\n\nCpv-Out: a md5={MD5}\n",
        "Cpv-Version: v0.1\n\nnot the last paragraph\n",
        "",
    ],
)
def test_a_foreign_message_is_text(message: str):
    assert parse_manifest(message) == Manifest(text=message.strip("\n"))


@pytest.mark.parametrize(
    "line",
    [
        "Cpv-Out: a md5=short",
        f"Cpv-Out: md5={MD5}",
        f"Cpv-Out: a md5={MD5} size=-1",
        f"Cpv-Out: a md5={MD5} junk",
        f'Cpv-Out: "\\377" md5={MD5}',
        'Cpv-Metrics: {"loss":NaN}',
        'Cpv-Metrics: {"loss":"low"}',
        "Cpv-Metrics: [",
        "Cpv-Code: HEAD",
        "Cpv-Data: version=v0.1",
        "Cpv-With: a b",
        "Cpv-Nonce: \x1b[31m",
        "Cpv-Version: v9.9",
    ],
)
def test_a_line_that_does_not_parse_is_text(line: str):
    read = parse_manifest(f"hello\n\nCpv-Version: v0.1\n{line}\n")
    assert read == Manifest(text=f"hello\n\n{line}", version=Version(0, 1))


def test_paths_are_quoted_as_git_does():
    assert quote_path("models/größe.bin") == "models/größe.bin"
    assert quote_path('a b"c\\d\ne\x1b') == '"a b\\"c\\\\d\\ne\\033"'
    assert quote_path("x\u202ey") == '"x\\342\\200\\256y"'


@given(st.text(min_size=1))
def test_any_path_comes_back(path: str):
    quoted = quote_path(path)
    assert "\n" not in quoted and quoted.isprintable()
    assert unquote_path(quoted) == path


@given(st.text(max_size=400))
def test_any_message_is_parsed(message: str):
    parse_manifest(message)
    parse_manifest(f"{message}\n\nCpv-Version: v0.1\n{message}")


PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
COUNTS = st.none() | st.integers(0, 10**15)
OUTS = st.builds(ManifestOut, PATHS, st.sampled_from([MD5, MD5 + ".dir"]), COUNTS, COUNTS)


@given(st.lists(OUTS, max_size=4), st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_manifest_comes_back(outs: list[ManifestOut], text: str):
    manifest = Manifest(text=text.strip("\n"), version=Version(0, 1), outs=tuple(outs))
    assert parse_manifest(manifest.render()) == manifest


@given(
    st.lists(
        st.sampled_from(MESSAGE.split("\n"))
        | st.sampled_from(['Cpv-Metrics: {"loss":NaN}', "Cpv-Out: a", "x"]),
        max_size=8,
    ),
    st.sampled_from(["", "\n", "text\n\n", "\n\n"]),
)
def test_the_brief_is_that_of_the_whole(lines: list[str], before: str):
    message = before + "\n".join(lines)
    assert parse_brief(message) == parse_manifest(message).brief
    assert parse_brief(MESSAGE) == WHOLE.brief == ("baseline", None, {"loss": 0.231, "acc": 1})


def test_the_brief_of_a_single_out():
    lines = f'Cpv-Version: v0.1\nCpv-Out: m md5={MD5} size=5\nCpv-Metrics: {{"a":1}}\nCpv-Nonce: 0f1e2d3c\n'
    message = f"one\n\n{lines}"
    assert parse_brief(message) == parse_manifest(message).brief == ("one", 5, {"a": 1})
