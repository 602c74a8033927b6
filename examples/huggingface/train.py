"""Train a small GPT-2 on the manual of the Python language, and save it as Hugging Face does.

The text is that of `help()`'s topics, which every Python carries (`pydoc_data.topics`). After every epoch a
folder checkpoints/epoch_N holds what `save_pretrained` writes: config.json, generation_config.json, the
tokenizer's files, and the tensors in several safetensors files with their index. The loss on the text held
back goes to eval_results.json there, and to metrics.log as a JSON line.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors.numpy import save_file
from tokenizers import ByteLevelBPETokenizer

from gpt2 import GPT2, Shape, Weights, fresh_weights
from manual import cut, read_text

BATCH = 16
END = "<|endoftext|>"


class Adam:
    """In place, with a rate that falls to a tenth along a cosine (Kingma & Ba 2015)."""

    def __init__(self, weights: Weights, rate: float, steps: int) -> None:
        self.weights, self.rate, self.steps, self.step = weights, rate, steps, 0
        self.mean = {name: np.zeros_like(value) for name, value in weights.items()}
        self.square = {name: np.zeros_like(value) for name, value in weights.items()}

    def move(self, slopes: Weights) -> None:
        self.step += 1
        rate = self.rate * (0.55 + 0.45 * math.cos(math.pi * self.step / self.steps))
        rate *= math.sqrt(1 - 0.99**self.step) / (1 - 0.9**self.step)
        for name, slope in slopes.items():
            self.mean[name] += 0.1 * (slope - self.mean[name])
            self.square[name] += 0.01 * (slope**2 - self.square[name])
            self.weights[name] -= np.float32(rate) * self.mean[name] / (np.sqrt(self.square[name]) + 1e-8)


def save_pretrained(folder: Path, model: GPT2, tokenizer: ByteLevelBPETokenizer, shard_bytes: int) -> None:
    """The files of transformers' method of this name, for a tokenizer and a GPT2LMHeadModel."""
    folder.mkdir(parents=True, exist_ok=True)
    split = split_state_dict_into_shards_factory(
        model.weights,
        get_storage_size=lambda tensor: tensor.nbytes,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=shard_bytes,
    )
    for name, tensors in split.filename_to_tensors.items():
        save_file(
            {tensor: model.weights[tensor] for tensor in tensors}, folder / name, metadata={"format": "pt"}
        )
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        write_json(folder / "model.safetensors.index.json", index)
    end = tokenizer.token_to_id(END)
    shape = model.shape
    write_json(
        folder / "config.json",
        {
            "activation_function": "gelu_new",
            "architectures": ["GPT2LMHeadModel"],
            "bos_token_id": end,
            "eos_token_id": end,
            "layer_norm_epsilon": 1e-05,
            "model_type": "gpt2",
            "n_ctx": shape.n_positions,
            "n_embd": shape.n_embd,
            "n_head": shape.n_head,
            "n_layer": shape.n_layer,
            "n_positions": shape.n_positions,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "vocab_size": shape.vocab_size,
        },
    )
    write_json(folder / "generation_config.json", {"bos_token_id": end, "eos_token_id": end})
    special = {"bos_token": END, "eos_token": END, "unk_token": END}
    write_json(folder / "special_tokens_map.json", special)
    write_json(
        folder / "tokenizer_config.json",
        {**special, "model_max_length": shape.n_positions, "tokenizer_class": "GPT2TokenizerFast"},
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--rate", type=float, default=0.003, help="learning rate at the start (default: 0.003)"
    )
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--text", type=int, default=60_000, help="characters to read (default: 60000)")
    parser.add_argument("--vocabulary", type=int, default=512)
    parser.add_argument("--shard-bytes", type=int, default=200_000, help="largest safetensors file")
    parser.add_argument("--output", type=Path, default=Path("checkpoints"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    text, held_back = read_text(args.text)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        [text], vocab_size=args.vocabulary, special_tokens=[END], show_progress=False
    )
    shape = Shape(tokenizer.get_vocab_size(), n_layer=args.layers)
    training = cut(tokenizer.encode(text).ids, shape.n_positions)
    validation = cut(tokenizer.encode(held_back).ids, shape.n_positions)

    model = GPT2(shape, fresh_weights(shape, args.seed))
    batches = math.ceil(len(training) / BATCH)
    optimizer = Adam(model.weights, args.rate, args.epochs * batches)
    order = np.random.default_rng(args.seed)
    for epoch in range(1, args.epochs + 1):
        for rows in np.array_split(order.permutation(len(training)), batches):
            optimizer.move(model.gradients(training[rows])[1])
        loss = model.loss(validation)
        folder = args.output / f"epoch_{epoch}"
        save_pretrained(folder, model, tokenizer, args.shard_bytes)
        metrics = {"epoch": epoch, "eval_loss": round(loss, 4), "perplexity": round(math.exp(loss), 2)}
        write_json(folder / "eval_results.json", metrics)
        with Path("metrics.log").open("a") as log:
            log.write(json.dumps(metrics) + "\n")
        print(f"epoch {epoch}: validation loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
