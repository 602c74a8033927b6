"""Files that a loader unpickles: what they import, found without loading or reading them whole."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import os
import pickle
import pickletools
import random
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpvlib.domain.pickles import HIDDEN, Looked
from cpvlib.stores.pickles import LookedThrough, look_through

CLEAN = Looked()
PLAIN = OrderedDict(a=[1, 2.5, "x", b"y", (1, 2), {3}, None, True, 10**30], b={"c": {"d": "e"}})
# joblib.dump of arrays of numbers, of objects and of text, and of what calls os.system when it is loaded.
JOBLIB = (
    "c-n<hOH0E*5N`Ugr9NsAAK=wPz2qPsJP57y=0XHPJW1H3s~gRWY(fnv#6z`(_2lI4@AA*oNussZgTu};OJ=_LzK<l;^rKY7BXp!P"
    "1i5kR8MbApZsho}?px-a%|N!b?0FIdG`<X|@3R2jVE+lSsfLIQ)22dztmRW6>+XPNz1Spcf>WOXDU-@GzPw<7!&2#EJqTm`!W-We"
    "c9*XYVKRP!bLfzYRE|N@w9_d@evwiLhHO&X_J+FSP#?x}w_uv@)2VIUxDIne-H1abfUHMGb2^JcYSP84hX*skeD9^?%LS=;z^jEY"
    "Ugu4|Ov)qRt9*^Ocw3gwj^^1tEU@b$JH9>PJK5T#mcD+YZsi<R-Sh&cI*}b(g*|db518q>A`Buk%-#CyASsQYuNY9QRdPa=dCUGM"
    "HMz<rHHM{{_GenfqE=;I>&3wjEZ;;>(jZmR$Tf}&jjieLpa^SVrhBs;`190!PgwULmqaW==470!D44+r!6Wq(UT^%h"
)


class Calls:
    """What calls `what` when it is loaded."""

    def __init__(self, what: Callable[..., object], *args: object) -> None:
        self.call = (what, args)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def looked(folder: Path, data: bytes, name: str = "model.bin") -> Looked | None:
    file = folder / name
    file.write_bytes(data)
    return look_through(file)


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    """As torch.save writes it: one folder with the pickle and the numbers of each tensor."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def text(name: str) -> bytes:
    """SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(name)]) + name.encode()


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(tmp_path: Path, protocol: int) -> None:
    assert looked(tmp_path, pickle.dumps(PLAIN, protocol)) == CLEAN
    evil = {"weights": PLAIN, "hook": Calls(os.system, "true")}
    assert looked(tmp_path, pickle.dumps(evil, protocol)) == Looked((f"{os.system.__module__}.system",))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"\x80\x04" + text("os") + text("system") + b"\x93)R.", "os.system"),
        # the names fetched from the memo, doubled, written with escapes
        (b"\x80\x04" + text("os") + b"\x940" + text("system") + b"\x940h\x00h\x01\x93)R.", "os.system"),
        (b"\x80\x04" + text("code") + b"2\x93)R.", "code.code"),
        (b"V\\u006fs\nV\\u0073ystem\n\x93)R.", "os.system"),
        (b"S'\\x6fs'\nS'system'\n\x93)R.", "os.system"),
        (b"\x80\x04cbuiltins\ngetattr\n)R.", "builtins.getattr"),
        (b"\x80\x02c__builtin__\neval\n)R.", "__builtin__.eval"),
        (
            b"\x80\x04" + text("torch") + text("serialization.os.system") + b"\x93)R.",
            "torch.serialization.os.system",
        ),
        (
            b"\x80\x04" + text("collections") + text("OrderedDict.__init__") + b"\x93.",
            "collections.OrderedDict.__init__",
        ),
        (b"\x80\x04ctorch.hub\nload\n)R.", "torch.hub.load"),
        (b"\x80\x04cnumpy.testing._private.utils\nrunstring\n)R.", "numpy.testing._private.utils.runstring"),
        (b"\x80\x04cuuid\n_get_command_stdout\n)R.", "uuid._get_command_stdout"),
        # computed, or only in the registry of the program that loads it
        (b"\x80\x04" + text("os") + b"N\x93)R.", HIDDEN),
        (b"\x80\x04\x82\x05)R.", HIDDEN),
        # what stands before a mistake is loaded
        (b"\x80\x04cos\nsystem\n)R\xff", "os.system"),
        # in a pickle after the first
        (b"\x80\x04K\x01.\x80\x04cos\nsystem\n)R.", "os.system"),
        (b"\x80\x04K\x01.cos\nsystem\n)R.", "os.system"),
    ],
)
def test_ways_to_name_an_import(tmp_path: Path, data: bytes, found: str) -> None:
    verdict = looked(tmp_path, data)
    assert verdict is not None
    assert verdict.dangerous == (found,)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch", "FloatStorage"),
        ("torch.nn.modules.linear", "Linear"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("sklearn.linear_model._base", "LinearRegression"),
        ("collections", "OrderedDict"),
        ("argparse", "Namespace"),
        ("pathlib", "PosixPath"),
        ("__main__", "Net"),
        ("mine.models", "Outer.Inner"),
    ],
)
def test_what_models_are_made_of(tmp_path: Path, module: str, name: str) -> None:
    assert looked(tmp_path, b"\x80\x04" + text(module) + text(name) + b"\x93)R.") == CLEAN


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"(hello)\n", b"GGUF\x03\0\0\0", b"\x08\0\0\0\0\0\0\0{}", b"\x93NUMPY\x01\0"]
)
def test_other_files_are_none(tmp_path: Path, data: bytes) -> None:
    assert looked(tmp_path, data) is None


def test_a_pickle_that_is_cut_off_is_told(tmp_path: Path) -> None:
    assert looked(tmp_path, pickle.dumps(PLAIN)[:-5]) == Looked((), "it is not a whole pickle")


def test_the_pickles_of_a_zip_are_read_and_nothing_else(tmp_path: Path) -> None:
    evil = pickle.dumps(Calls(os.system, "true"), 2)
    whole = {"m/data.pkl": pickle.dumps(PLAIN, 2), "m/data/0": evil, "m/version": b"3\n"}
    assert looked(tmp_path, zipped(whole)) == CLEAN
    found = Looked((f"{os.system.__module__}.system",))
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert looked(tmp_path, zipped({**whole, "m/data.pkl": evil}, how)) == found
    assert looked(tmp_path, zipped({**whole, "other/data.pkl": evil})) == found
    assert looked(tmp_path, zipped({"m/data/0": evil})) is None


def test_a_zip_that_is_damaged_is_told(tmp_path: Path) -> None:
    data = zipped({"m/data.pkl": pickle.dumps(Calls(os.system, "true"), 2)})
    flags = data.rindex(b"PK\x01\x02") + 8  # PyTorch does not mind the flag of an encrypted member
    for broken in (data[:-10], data[:flags] + b"\x01" + data[flags + 1 :]):
        assert looked(tmp_path, broken) == Looked((), "its zip folder is damaged")


def test_a_zip_whose_folder_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    data = zipped({"m/data.pkl": pickle.dumps(PLAIN, 2)})
    size = data.rindex(b"PK\x05\x06") + 12
    huge = data[:size] + (3 << 30).to_bytes(4, "little") + data[size + 4 :]
    assert looked(tmp_path, huge) == Looked((), "its zip folder is damaged")


def test_arrays_of_objects(tmp_path: Path) -> None:
    evil = pickle.dumps(Calls(os.system, "true"))

    def array(descr: str, data: bytes) -> bytes:
        header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}".ljust(117).encode() + b"\n"
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data

    found = Looked((f"{os.system.__module__}.system",))
    assert looked(tmp_path, array("'|O'", evil)) == found
    assert looked(tmp_path, array("[('a', '<i4'), ('b', '|O')]", evil)) == found
    assert looked(tmp_path, array("'<f8'", evil)) is None
    assert looked(tmp_path, zipped({"a.npy": array("'|O'", evil)})) == found


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_joblibs_arrays_lie_within_the_pickle(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = zlib.decompress(base64.b85decode(JOBLIB))
    assert looked(tmp_path, pack(data)) == Looked(("posix.system",))
    cut = data.replace(b"posix", b"mine_").replace(b"system", b"myself")
    assert looked(tmp_path, pack(cut)) == CLEAN


def test_a_file_within_a_value_is_looked_at_too(tmp_path: Path) -> None:
    evil = pickle.dumps(Calls(os.system, "true"), 2)
    found = Looked((f"{os.system.__module__}.system",))
    assert looked(tmp_path, pickle.dumps({"tensor": evil})) == found
    assert (
        looked(tmp_path, pickle.dumps({"tensor": zipped({"m/data.pkl": evil, "m/data/0": b"0" * 9000})}))
        == found
    )
    assert looked(tmp_path, pickle.dumps({"noise": b"\x80\x04 and no pickle"})) == CLEAN


def test_long_values_are_passed_over(tmp_path: Path) -> None:
    """A terabyte that is not there would take a while to read."""
    file = tmp_path / "model.pkl"
    with file.open("wb") as stream:
        stream.write(b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little"))
        stream.seek(1 << 40, io.SEEK_CUR)
        stream.write(b"0cos\nsystem\n)R.")
    assert look_through(file) == Looked(("os.system",))


def test_a_pickle_that_begins_like_an_archive(tmp_path: Path) -> None:
    """BINBYTES, of as many bytes as the rest of bzip2's sign is as a number."""
    file = tmp_path / "model.bin"
    packed = bz2.compress(b"harmless")
    with file.open("wb") as stream:
        stream.write(packed)
        stream.seek(5 + int.from_bytes(packed[1:5], "little"))
        stream.write(b"0cos\nsystem\n)R.")
    assert look_through(file) == Looked(("os.system",))


@pytest.mark.parametrize("opcode", [b"\x8d", b"\x8e", b"\x96"], ids=["text", "bytes", "bytearray"])
@pytest.mark.parametrize("sizes", [[2**64 - 1], [2**63 - 1], [2**62, 2**62, 2**62]], ids=len)
def test_a_value_that_claims_more_than_any_file_has(tmp_path: Path, opcode: bytes, sizes: list[int]) -> None:
    """Weights that are no pickle may look like the beginning of one."""
    claims = b"".join(opcode + size.to_bytes(8, "little") + b"abcd" for size in sizes)
    assert looked(tmp_path, b"\x80\x04" + claims + b"weights", "model.pkl") == Looked(
        (), "it is not a whole pickle"
    )


def test_a_little_that_unpacks_to_very_much(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\x80\x04B" + (0xFFFFFFFF).to_bytes(4, "little") + bytes(64 << 20), 1)
    assert looked(tmp_path, bomb) == Looked((), "it is not a whole pickle")


@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                b"(",
                b"t",
                b"R",
                b"\x93",
                b"\x94",
                b"h\0",
                b"2",
                b"0",
                b"cos\nsystem\n",
                text("os"),
                b"b",
                b"u",
                b"}",
                b".",
                b"\x80\x04",
            ]
        )
    ).map(b"".join)
)
def test_nothing_breaks_it(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.bin"
    file.write_bytes(data)
    verdict = look_through(file)
    assert verdict is None or isinstance(verdict, Looked)


_OPCODES = [ord(code) for code in vars(pickletools)["code2op"]]
_BEGINNINGS = [b"", b"\x80\x04", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x1f\x8b\x08\0", b"BZh9"]
_BEGINNINGS += [b"\xfd7zXZ\x00", b"\x5d\x00\x00", b"\x78\x01", b"\x78\x9c"]


def test_weights_that_begin_like_one(tmp_path: Path) -> None:
    """Random bytes are text that is none, archives that are none, and pickles that never end."""
    source = random.Random(2)
    for _ in range(50):
        noise = source.randbytes(200)
        opcodes = bytes(source.choices(_OPCODES, k=100))
        for begin in _BEGINNINGS:
            looked(tmp_path, begin + noise)
            looked(tmp_path, begin + opcodes + noise)


def test_text_that_is_none(tmp_path: Path) -> None:
    assert looked(tmp_path, b"\x8c\x02o\x9a.") is None
    assert looked(tmp_path, b"cos\nsystem\n\x8c\x02o\x9a.") == Looked(("os.system",))


LONG = "path.os." * 10_000 + "mkdir"
"""A name that Python follows through its attributes, and longer than any value or line that is kept."""
MIDDLE = "path.os." * 600 + "mkdir"


def long_text(name: str) -> bytes:
    """BINUNICODE."""
    return b"X" + len(name).to_bytes(4, "little") + name.encode()


@pytest.mark.parametrize(
    "start",
    [
        text("os") + long_text(MIDDLE) + b"\x93",
        text("os") + b"V" + MIDDLE.encode() + b"\n\x93",
        text("os") + b"V" + LONG.encode() + b"\n\x93",
        text("os") + b"S'" + LONG.encode() + b"'\n\x93",
        b"cos\n" + LONG.encode() + b"\n",
        text("os") + b"p" + b"0" * 40 + b"7\n0g7\n" + text("mkdir") + b"\x93",
        text("os") + b"p7\0\n0g7\0 8\n" + text("mkdir") + b"\x93",
        text("os") + b"(e" + text("mkdir") + b"\x93",
    ],
    ids=[
        "text",
        "line",
        "long line",
        "string",
        "global",
        "many digits",
        "digits that end",
        "nothing appended",
    ],
)
@pytest.mark.parametrize("load", [pickle.loads, pickle._loads], ids=["C", "Python"])
def test_a_file_that_ends_in_a_mistake_has_run_by_then(
    tmp_path: Path, load: Callable[[bytes], object], start: bytes
) -> None:
    """Protocol 4 is declared late: no sign of a pickle stands at the beginning."""
    made = tmp_path / "made by the pickle"
    evil = b"]0\x80\x04" + start + text(str(made)) + b"\x85R\xff"
    with pytest.raises((pickle.UnpicklingError, KeyError, ValueError, AttributeError)):
        load(evil)
    assert made.exists() or (load is pickle._loads and (b"\0" in start or b"(e" in start))
    found = looked(tmp_path, evil)
    assert found is not None
    assert found.dangerous or found.unseen


PIECES = [
    *(b"(", b"0", b"1", b"2", b"N", b")", b"]", b"}", b"\x85", b"\x86", b"t", b"l", b"d", b"s", b"u", b"a"),
    *(b"e", b"\x90", b"\x94", b"q\0", b"q\1", b"h\0", b"h\1", b"p1\n", b"g01\n", b"p1_0\n", b"g10\n"),
    *(text("os"), text("system"), b"\x93", b"\x93", b"R", b"b", b"\x81", b"\x92", b"o", b"Vos\n", b"Vsystem"),
    *(b"S'os'\n", b"U\2os", long_text(MIDDLE), b"cmine\nC\n", b"(imine\nC\n", b"cos\nsystem\n", b"P1\n"),
    *(b"Q", b"\x80\4", b"\x80\2", b".", b"\xff", b"K\1", b"C\1a", b"cos\nsystemX", b"ios\nsystemX", b"I1\n"),
]


def looked_up(unpickler: Any, data: bytes) -> list[str]:
    """The modules that one of Python's unpicklers asks for something; what it gets is harmless."""
    modules = []

    class Recording(unpickler):  # type: ignore[misc]  # one of two
        def find_class(self, module: str, name: str) -> object:
            modules.append(module)
            return lambda *args: "os"

        def persistent_load(self, pid: object) -> object:
            return "os"

    with suppress(Exception):
        Recording(io.BytesIO(data)).load()
    return modules


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), min_size=3, max_size=12).map(b"".join))
def test_nothing_that_python_finds_is_missed(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for unpickler in (pickle.Unpickler, pickle._Unpickler):
        if "os" in looked_up(unpickler, data):
            assert looked(tmp_path_factory.getbasetemp(), data), data


def test_a_call_on_the_last_line_of_a_file_without_an_end(tmp_path: Path) -> None:
    """By Python's own unpickler, of which joblib's is one."""
    made = tmp_path / "made by the pickle"
    evil = f"(V{made}\nios\nmkdir!".encode()
    with pytest.raises(EOFError):
        pickle._loads(evil)
    assert made.exists()
    assert looked(tmp_path, evil) == Looked(("os.mkdir",))


def test_an_array_of_joblibs_that_can_not_be_followed(tmp_path: Path) -> None:
    """What stands behind its numbers is loaded."""
    array = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + text("dtype")
    array += b"cnumpy\ndtype\n" + text("(2,)f8") + b"\x85R" + text("shape") + b"K\x01\x85ub"
    assert looked(tmp_path, array + bytes(16) + b"cos\nsystem\n") == Looked((), "it is not a whole pickle")


def test_noise_is_no_reason_to_warn(tmp_path: Path) -> None:
    assert looked(tmp_path, b"\x82\x01 and other noise") is None
    assert looked(tmp_path, b"NN\x93 and other noise") is None
    assert looked(tmp_path, b"\x82\x01. and other noise") == CLEAN, "an extension that nothing is done with"
    assert looked(tmp_path, b".\x82\x01)R. and other noise") is None, "no pickle ends with nothing"
    assert looked(tmp_path, b"NN\x93.") == Looked((HIDDEN,))
    called = b"cbuiltins\nstr\n)R" + text("x") + b"\x93 and other noise"
    assert looked(tmp_path, called) == Looked((HIDDEN,)), "which has run when the noise is reached"


def test_arrays_of_objects_within_one_another(tmp_path: Path) -> None:
    array = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + text("dtype")
    array += b"cnumpy\ndtype\n" + text("O8") + b"\x85R" + text("shape") + b"K\x01\x85ub"
    assert looked(tmp_path, array * 3 + b"N...." + b"." * 9) == CLEAN
    assert looked(tmp_path, array * 10_000) == Looked((), "it is too long to be looked through")


def test_each_object_is_looked_through_once(tmp_path: Path) -> None:
    memory = LookedThrough(tmp_path)
    assert memory.of(["a", "b"]) == {}
    memory.add({"a": None, "b": Looked(("os.system",), "x")})
    assert LookedThrough(tmp_path).of(["a", "b", "c"]) == {"a": None, "b": Looked(("os.system",), "x")}
