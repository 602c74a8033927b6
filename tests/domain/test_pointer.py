"""Pointers: DVC's bytes in and out, foreign forms kept, hostile ones refused."""

from __future__ import annotations

import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.pointer import OutEntry, Pointer, parse_pointer, render_pointer, update_pointer

A, B = "9dd4e461268c8034f5c8564e155c67a6", "acbd18db4cc2f85cedef654fccc4a4d8"

# name → the pointer's `path:` lines, as dvc 3.67.1 and 3.50.0 write them.
NAMES = {
    "model.bin": "path: model.bin",
    "my model.bin": "path: my model.bin",
    "模型.bin": "path: 模型.bin",
    "😀": "path: 😀",
    "-x": "path: -x",
    ".x": "path: .x",
    "two\nlines": 'path: "two\\nlines"',
    "a\tb": 'path: "a\\tb"',
    "a #b": "path: 'a #b'",
    "a: b": "path: 'a: b'",
    "a:b": "path: a:b",
    "#x": "path: '#x'",
    "1": "path: '1'",
    "0x1": "path: '0x1'",
    "1e3": "path: '1e3'",
    "2020-01-01": "path: '2020-01-01'",
    "1:30": "path: 1:30",
    ".inf": "path: '.inf'",
    "yes": "path: yes",
    "true": "path: 'true'",
    "Null": "path: 'Null'",
    "~": "path: '~'",
    "=": "path: '='",
    "<<": "path: '<<'",
    "a'b": "path: a'b",
    "'": 'path: "\'"',
    " lead": "path: ' lead'",
    "[x]": "path: '[x]'",
    "!x": "path: '!x'",
    "- a": "path: '- a'",
}


@pytest.mark.parametrize(("name", "line"), NAMES.items(), ids=map(ascii, NAMES))
def test_a_new_pointer_has_dvcs_bytes(name: str, line: str) -> None:
    entry = OutEntry(name, A, 1)
    data = render_pointer(entry)
    assert data.decode() == f"outs:\n- md5: {A}\n  size: 1\n  hash: md5\n  {line}\n"
    assert parse_pointer("x.dvc", data) == Pointer("x.dvc", ".", (entry,))


def test_a_folder_and_an_executable() -> None:
    folder, program = OutEntry("data", f"{A}.dir", 20, nfiles=2), OutEntry("run", B, 3, isexec=True)
    assert render_pointer(folder).decode() == (
        f"outs:\n- md5: {A}.dir\n  size: 20\n  nfiles: 2\n  hash: md5\n  path: data\n"
    )
    assert render_pointer(program).decode() == (
        f"outs:\n- md5: {B}\n  size: 3\n  isexec: true\n  hash: md5\n  path: run\n"
    )
    assert folder.is_dir
    assert not program.is_dir


@pytest.mark.parametrize("md5", ["1" * 32, "0" * 31 + "1", "12e" + "3" * 29, "0b" + "01" * 15])
def test_an_md5_that_looks_like_a_number_is_quoted(md5: str) -> None:
    entry = OutEntry("m", md5, 1)
    data = render_pointer(entry)
    assert f"- md5: '{md5}'\n".encode() in data
    assert parse_pointer("m.dvc", data).outs == (entry,)


def through_ruamel(entry: OutEntry) -> bytes:
    """The same pointer as DVC makes it: by ruamel.yaml's default writer (dvc/utils/serialize/_yaml.py)."""
    from io import StringIO

    from ruamel.yaml import YAML

    keys = {"md5": entry.oid, "size": entry.size, "nfiles": entry.nfiles}
    out = {key: value for key, value in keys.items() if value is not None}
    out |= {"isexec": True} if entry.isexec else {}
    stream = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump({"outs": [out | {"hash": "md5", "path": entry.path}]}, stream)
    return stream.getvalue().encode()


MD5S = st.text("0123456789abcdef", min_size=32, max_size=32)
OIDS = MD5S | st.text("01234567", min_size=32, max_size=32) | MD5S.map(lambda md5: md5 + ".dir")
NUMBERS = st.none() | st.integers(0, 10**17)
MARKS = " ._-:#'\"!&*?|>%@`~=+<[]{}\\\n\té模\u200b"
WORDS = st.text(string.ascii_letters + string.digits + MARKS, min_size=1)
ENTRY = st.builds(
    OutEntry,
    path=WORDS | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    oid=OIDS,
    size=NUMBERS,
    nfiles=NUMBERS,
    isexec=st.booleans(),
)


@given(ENTRY)
def test_every_pointer_is_what_ruamel_writes_and_is_read_back(entry: OutEntry) -> None:
    try:
        data = render_pointer(entry)
    except RepositoryError as error:
        assert "characters that DVC's pointers cannot hold" in error.message
        assert set(entry.path) & set("\x85\u2028\u2029") or through_ruamel_differs(entry)
        return
    assert data == through_ruamel(entry)
    assert parse_pointer("x.dvc", data).outs == (entry,)


def through_ruamel_differs(entry: OutEntry) -> bool:
    from ruamel.yaml import YAML

    document = YAML(typ="safe", pure=True).load(through_ruamel(entry).decode())
    return bool(document["outs"][0]["path"] != entry.path)


def test_reading_and_writing_the_usual_form_starts_no_yaml_library() -> None:
    import subprocess

    program = (
        "import sys; from cpvlib.domain.pointer import *\n"
        f"e = OutEntry('models/my model-1.bin', '{A}', 5)\n"
        "data = render_pointer(e)\n"
        "assert update_pointer('x.dvc', data, parse_pointer('x.dvc', data).outs[0]) == data\n"
        "sys.exit('ruamel' in ' '.join(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_changed_pointer_keeps_its_order_and_new_keys_go_last() -> None:
    """What dvc 3.67.1 makes of a pointer of DVC 2: by `dvc add`, chmod +x, and then a folder in its place."""
    old = f"outs:\n- md5: {B}\n  size: 3\n  path: foo\n".encode()
    assert parse_pointer("foo.dvc", old).outs == (OutEntry("foo", B, 3, legacy=True),)
    new = update_pointer("foo.dvc", old, OutEntry("foo", A, 4))
    assert new == f"outs:\n- md5: {A}\n  size: 4\n  path: foo\n  hash: md5\n".encode()
    new = update_pointer("foo.dvc", new, OutEntry("foo", A, 4, isexec=True))
    assert new == f"outs:\n- md5: {A}\n  size: 4\n  path: foo\n  hash: md5\n  isexec: true\n".encode()
    new = update_pointer("foo.dvc", new, OutEntry("foo", f"{B}.dir", 2, nfiles=1))
    assert new == f"outs:\n- md5: {B}.dir\n  size: 2\n  path: foo\n  hash: md5\n  nfiles: 1\n".encode()
    assert parse_pointer("foo.dvc", new).outs == (OutEntry("foo", f"{B}.dir", 2, 1),)


FOREIGN = f"""\
# the speech team's
wdir: ../common
desc: all of it
outs:
- md5: {A}   # the first
  size: 1
  hash: md5
  path: 'x y'
  desc: "quoted: yes"
  labels: [a, b]
- path: z
  md5: {B}
  size: 3
  remote: other
  push: false
frozen: true
meta: {{anything: [1, 2]}}
"""


def test_a_foreign_pointer_is_understood() -> None:
    pointer = parse_pointer("models/all.dvc", FOREIGN.encode())
    first = OutEntry("x y", A, 1)
    second = OutEntry("z", B, 3, legacy=True, remote="other", push=False)
    assert pointer == Pointer("models/all.dvc", "../common", (first, second))
    assert [pointer.out_path(out) for out in pointer.outs] == ["common/x y", "common/z"]


def test_updating_one_out_of_a_foreign_pointer_leaves_all_else() -> None:
    new = update_pointer("models/all.dvc", FOREIGN.encode(), OutEntry("z", A, 9)).decode()
    expected = FOREIGN.replace("'x y'", "x y").replace('"quoted: yes"', "'quoted: yes'")
    expected = expected.replace(f"md5: {B}\n  size: 3", f"md5: {A}\n  size: 9")
    assert new == expected.replace("push: false\n", "push: false\n  hash: md5\n")


def test_what_a_version_aware_remote_knew_of_the_old_content_is_dropped() -> None:
    old = f"outs:\n- md5: {A}\n  size: 1\n  hash: md5\n  path: m\n  cloud:\n    s3:\n      version_id: abc\n"
    new = update_pointer("m.dvc", old.encode(), OutEntry("m", B, 2))
    assert new == f"outs:\n- md5: {B}\n  size: 2\n  hash: md5\n  path: m\n".encode()


def test_imports_are_known_and_not_rewritten() -> None:
    data = f"md5: {B}\nfrozen: true\ndeps:\n- path: a\n  repo:\n    url: u\nouts:\n- md5: {A}\n  path: m\n"
    assert parse_pointer("m.dvc", data.encode()).imported
    with pytest.raises(RepositoryError, match=r"'m\.dvc' imports its content from elsewhere"):
        update_pointer("m.dvc", data.encode(), OutEntry("m", B, 2))


def test_an_out_that_is_not_in_the_pointer() -> None:
    with pytest.raises(RepositoryError, match=r"'m\.dvc' has no out 'n'"):
        update_pointer("m.dvc", render_pointer(OutEntry("m", A, 1)), OutEntry("n", B, 2))


def test_dvcs_leniency_with_md5s() -> None:
    outs = [
        f"- md5: {A.upper()}\n  path: a",
        "- md5: ''\n  path: b",
        "- path: c",
        f"- md5: {'1' * 32}\n  path: d",
    ]
    pointer = parse_pointer("x.dvc", "\n".join(["outs:", *outs]).encode())
    assert [out.oid for out in pointer.outs] == [A, None, None, "1" * 32]


CONFLICT = f"outs:\n<<<<<<< HEAD\n- md5: {A}\n=======\n- md5: {B}\n>>>>>>> theirs\n  size: 1\n  path: m\n"
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nouts: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ("just text", "it is not a YAML mapping"),
        ("[1]", "it is not a YAML mapping"),
        ("outs: 3", "'outs' and 'deps' are lists"),
        ("wdir: [x]", "'wdir' is a name"),
        ("outs: [3]", "an out has no path"),
        ("outs:\n- md5: x", "an out has no path"),
        ("outs:\n- path: 3", "an out has no path"),
        ("outs:\n- md5: xyz\n  path: m\n", "'xyz' is not an md5"),
        ("outs:\n- md5: ../../../etc/passwd\n  path: m\n", "'../../../etc/passwd' is not an md5"),
        ("outs:\n- md5: true\n  path: m\n", "'True' is not an md5"),
        ("outs:\n- size: -1\n  path: m\n", "'-1' is not a size"),
        ("outs:\n- size: 1.5\n  path: m\n", "'1.5' is not a size"),
        ("outs:\n- size: true\n  path: m\n", "'True' is not a size"),
        (f"outs:\n- nfiles: {10**30}\n  path: m\n", "is not a nfiles"),
        ("outs:\n- isexec: 3\n  path: m\n", "'isexec' is neither true nor false"),
        ("outs:\n- hash: sha256\n  path: m\n", "'m' is named by 'sha256', not by md5"),
        ("outs:\n- files: []\n  path: m\n", "version-aware layout"),
        ("cmd: rm -rf /\nouts: []", "it is a pipeline stage"),
        ("stages: {}", "it is a pipeline stage"),
        ("outs:\n- path: m\n  path: n\n", "line 3: found duplicate key"),
        ("!!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "line 2: expected a single document in the stream, but found another document"),
        ("outs:\n- {", "line 2: expected the node content"),
        (BOMB, "it has YAML anchors or aliases"),
        ("a: *a", "it has YAML anchors or aliases"),
        ("[" * 20_000, "it is nested too deep"),
        ("x: " + "9" * 5000, "Exceeds the limit"),
        ("outs: []\n" + "#" * (1 << 20), "it is larger than 1 MiB"),
        (CONFLICT, "conflict markers of an unfinished merge"),
    ],
    ids=range(31),
)
def test_broken_and_hostile_pointers_are_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        parse_pointer("m.dvc", text.encode())
    assert refused.value.message.startswith("'m.dvc' ")
    assert message in refused.value.message
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_a_hostile_name_cannot_add_a_line_to_the_message() -> None:
    with pytest.raises(RepositoryError) as refused:
        Pointer("m.dvc", ".", ()).out_path(OutEntry("../x\nhint: do this", A))
    assert refused.value.message == (
        "'m.dvc' names an out that cannot be: '../x\\nhint: do this' has a component '..'"
    )


@pytest.mark.parametrize(
    ("pointer", "wdir", "out", "message"),
    [
        ("m.dvc", ".", "/etc/passwd", "is an absolute path"),
        ("m.dvc", ".", "../m", "has a component '..'"),
        ("a/m.dvc", "../..", "m", "has a component '..'"),
        ("a/m.dvc", "/tmp", "m", "is an absolute path"),
        ("m.dvc", ".", ".git/hooks/pre-push", "is inside git's own folder"),
        ("m.dvc", ".git", "config", "is inside git's own folder"),
        ("m.dvc", ".", ".dvc/config", "is inside DVC's own folder"),
        ("m.dvc", ".", ".", "has a component '.'"),
        ("a/m.dvc", ".", "../a", "'a' holds the pointer itself"),
        ("m.dvc", ".", "other.dvc", "'other.dvc' is a pointer"),
        ("m.dvc", ".", "back\\slash", "has a backslash"),
        ("m.dvc", ".", "s3://bucket/key", "'s3://bucket/key' is not in the worktree"),
    ],
)
def test_outs_that_leave_the_worktree_are_refused(pointer: str, wdir: str, out: str, message: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        Pointer(pointer, wdir, ()).out_path(OutEntry(out, A))
    assert message in refused.value.message


SCRAPS = [
    "outs:",
    "- ",
    "  ",
    "\n",
    "md5: ",
    "size: ",
    "path: ",
    "hash: md5",
    A,
    "1",
    "'",
    '"',
    "#",
    "&a ",
    "*a",
]
YAML_LIKE = st.lists(st.sampled_from(SCRAPS), max_size=25).map("".join)


@given(YAML_LIKE.map(str.encode) | st.binary(max_size=100))
def test_any_bytes_are_a_pointer_or_a_repository_error(data: bytes) -> None:
    try:
        pointer = parse_pointer("m.dvc", data)
    except RepositoryError as error:
        assert error.message.startswith("'m.dvc' ")
        return
    for out in pointer.outs:
        assert out.oid is None or len(out.oid.removesuffix(".dir")) == 32
