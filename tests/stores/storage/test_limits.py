"""What a mover may take: memory that does not grow with the file, and no time at all after Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpvlib.stores.storage.open import StoragePlace
from cpvlib.stores.storage.parts import Told

from .places import MIB, at, s3_place

WATCHDOG_S = 600
_SETUP = """
import sys
from pathlib import Path
from cpvlib.stores import transfer
from cpvlib.stores.storage.open import StoragePlace, open_storage

class File:
    def __init__(self, path):
        self.path, self.size = path, path.stat().st_size
    def open(self):
        return self.path.open("rb")
    def read(self):
        return self.path.read_bytes()
    def check(self):
        pass

storage = open_storage(StoragePlace({url!r}, {options!r}, "the test", {engine!r}))
file = File(Path({path!r}))
"""
_THERE_AND_BACK = """
storage.put("model", file, md5={md5!r}, on_bytes=lambda n: None)
storage.get("model", Path({path!r} + ".back"), on_bytes=lambda n: None)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
_UPLOAD_MANY = """
import hashlib
files = {{}}
for number in range(9):
    copy = file.path.with_name(f"model-{{number}}.bin")
    copy.write_bytes(b"%d" % number + file.path.read_bytes())
    files[hashlib.md5(copy.read_bytes()).hexdigest()] = File(copy)
print("begun", flush=True)
transfer.upload(storage, files)
"""


def program(text: str, place: StoragePlace, path: Path, **words: str) -> list[str]:
    text = (_SETUP + text).format(
        url=place.url, options=dict(place.options), engine=place.engine, path=str(path), **words
    )
    return [sys.executable, "-c", text]


@pytest.mark.parametrize("kind", ["folder", "ceph"])
def test_memory_does_not_grow_with_the_file(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    place = StoragePlace(str(tmp_path / "storage"))
    if kind == "ceph":
        place = s3_place(request.getfixturevalue("ceph_server"))
    model = tmp_path / "model.bin"
    with model.open("wb") as file:
        file.truncate(400 * MIB)
    md5 = subprocess.run(["md5sum", str(model)], capture_output=True, text=True, check=True).stdout[:32]
    command = program(_THERE_AND_BACK, place, model, md5=md5)
    peak_kib = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(peak_kib) < 200 * 1024
    assert (tmp_path / "model.bin.back").stat().st_size == 400 * MIB


@contextmanager
def silent_server() -> Iterator[tuple[str, socket.socket]]:
    """Accepts connections, reads nothing, answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", listener


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("size", [100, 40 * MIB])
def test_ctrl_c_ends_at_once_though_the_server_hangs(tmp_path: Path, size: int) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(bytes(size))
    with silent_server() as (endpoint, listener):
        options = {
            "endpointurl": endpoint,
            "access_key_id": "a",
            "secret_access_key": "b",
            "read_timeout": "9999",
        }
        command = program(_UPLOAD_MANY, at("s3://bucket", options), model)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            listener.accept()
            os.kill(process.pid, signal.SIGINT)
            # Nothing else ends it: the server hangs as long as this waits.
            assert process.wait(timeout=WATCHDOG_S) == -signal.SIGINT


def test_what_can_be_taken_back_is_a_number() -> None:
    """A file of 64 GiB is told of in 262,144 steps."""
    sums = [0]

    def on_bytes(count: int) -> None:
        sums[0] += count

    told, step = Told(on_bytes), 256 << 10
    tracemalloc.start()
    for _ in range(262_144):
        told(step)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sums == [64 << 30]
    assert peak < MIB
    told.take_back()
    assert sums == [0]
