"""Train a classifier of handwritten digits, with numpy alone.

Reads data/train and data/validation. Writes model.bin (safetensors), params.json, and one JSON line at the
end of metrics.log with the loss and the accuracy on the validation images.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from digits import CLASSES, PIXELS, Weights, forward, load_split, measure

BATCH = 32


def fresh_weights(hidden: int, seed: int) -> Weights:
    """He's initialisation; no hidden layer where `hidden` is 0."""
    draw = np.random.default_rng(seed)
    sizes = [("hidden", PIXELS, hidden)] if hidden else []
    sizes.append(("output", hidden or PIXELS, CLASSES))
    weights = {}
    for name, n_in, n_out in sizes:
        weights[f"{name}.weight"] = draw.normal(0, np.sqrt(2 / n_in), (n_in, n_out)).astype(np.float32)
        weights[f"{name}.bias"] = np.zeros(n_out, np.float32)
    return weights


def gradients(weights: Weights, images: np.ndarray, labels: np.ndarray) -> Weights:
    """Of the mean cross-entropy over the batch, by each weight."""
    hidden, slope = forward(weights, images)
    slope[np.arange(len(labels)), labels] -= 1
    slope /= len(labels)
    found = {"output.weight": hidden.T @ slope, "output.bias": slope.sum(axis=0)}
    if "hidden.weight" in weights:
        back = (slope @ weights["output.weight"].T) * (hidden > 0)
        found |= {"hidden.weight": images.T @ back, "hidden.bias": back.sum(axis=0)}
    return found


def train(weights: Weights, images: np.ndarray, labels: np.ndarray, args: argparse.Namespace) -> None:
    """Adam, in place (Kingma & Ba 2015, with its usual constants)."""
    order = np.random.default_rng(args.seed + 1)
    mean = {name: np.zeros_like(value) for name, value in weights.items()}
    square = {name: np.zeros_like(value) for name, value in weights.items()}
    step = 0
    for _ in range(args.epochs):
        for rows in np.split(order.permutation(len(labels)), range(BATCH, len(labels), BATCH)):
            step += 1
            for name, slope in gradients(weights, images[rows], labels[rows]).items():
                mean[name] += 0.1 * (slope - mean[name])
                square[name] += 0.001 * (slope**2 - square[name])
                scale = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
                weights[name] -= args.rate * scale * mean[name] / (np.sqrt(square[name]) + 1e-8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=0, help="hidden units; 0 (default): softmax regression")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.002, help="learning rate (default: 0.002)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    data = Path("data")
    weights = fresh_weights(args.hidden, args.seed)
    train(weights, *load_split(data, "train"), args)
    metrics = measure(weights, *load_split(data, "validation"))

    save_file(weights, "model.bin", metadata={"format": "np"})
    Path("params.json").write_text(json.dumps(vars(args), indent=2, sort_keys=True) + "\n")
    with Path("metrics.log").open("a") as log:
        log.write(json.dumps(metrics) + "\n")
    print(f"validation: loss {metrics['loss']}, accuracy {metrics['accuracy']}")


if __name__ == "__main__":
    main()
