"""Read a checkpoint's folder back, as `from_pretrained` does, and print its loss on the text held back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.numpy import load_file
from tokenizers import Tokenizer

from gpt2 import GPT2, Shape, Weights
from manual import cut, read_text


def load_pretrained(folder: Path) -> GPT2:
    """The network that config.json describes, with the tensors of every file that the index names."""
    config = json.loads((folder / "config.json").read_text())
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    weights: Weights = {}
    for name in sorted(set(index["weight_map"].values())):
        weights |= load_file(folder / name)
    shape = Shape(**{name: config[name] for name in Shape.__dataclass_fields__})
    return GPT2(shape, weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text", type=int, default=60_000, help="characters to read (default: 60000)")
    args = parser.parse_args()
    model = load_pretrained(args.folder)
    tokenizer = Tokenizer.from_file(str(args.folder / "tokenizer.json"))
    _, held_back = read_text(args.text)
    rows = cut(tokenizer.encode(held_back).ids, model.shape.n_positions)
    print(f"validation loss {model.loss(rows):.4f}")


if __name__ == "__main__":
    main()
