"""The handwritten digits on disk, and the network that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SPLITS = ("train", "validation", "test")
PIXELS, CLASSES = 64, 10
FULL = 16.0  # the brightest pixel

Weights = dict[str, np.ndarray]


def load_split(data: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images, n x 64 from 0 to 1, and their digits, from `data/<split>/<digit>.csv`; ordered by digit."""
    images = [
        np.loadtxt(data / split / f"{digit}.csv", delimiter=",", dtype=np.float32, ndmin=2)
        for digit in range(CLASSES)
    ]
    labels = np.repeat(np.arange(CLASSES), [len(rows) for rows in images])
    return np.concatenate(images) / FULL, labels


def forward(weights: Weights, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hidden activations and each digit's probability. Without a hidden layer: softmax regression."""
    hidden = images
    if "hidden.weight" in weights:
        hidden = np.maximum(images @ weights["hidden.weight"] + weights["hidden.bias"], 0)
    logits = hidden @ weights["output.weight"] + weights["output.bias"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return hidden, odds / odds.sum(axis=1, keepdims=True)


def measure(weights: Weights, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The mean cross-entropy, in nats, and the share of digits read rightly."""
    _, probabilities = forward(weights, images)
    right = probabilities[np.arange(len(labels)), labels]
    return {
        "loss": round(float(-np.log(right + 1e-12).mean()), 4),
        "accuracy": round(float((probabilities.argmax(axis=1) == labels).mean()), 4),
    }
