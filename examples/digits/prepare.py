"""Divide digits.csv.gz into data/train, data/validation and data/test: 70, 15 and 15 % of each digit.

The division depends on --seed alone. The validation and test images are the same with and without --shift, so
that trainings on either can be compared.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

from digits import CLASSES, PIXELS, SPLITS

HERE = Path(__file__).resolve().parent


def shifted(images: np.ndarray) -> np.ndarray:
    """The images, then each moved by one pixel to the left, the right, up and down, with blank pixels."""
    squares = images.reshape(-1, 8, 8)
    padded = np.pad(squares, ((0, 0), (1, 1), (1, 1)))
    moved = [padded[:, 1:9, 2:10], padded[:, 1:9, 0:8], padded[:, 2:10, 1:9], padded[:, 0:8, 1:9]]
    return np.concatenate([squares, *moved]).reshape(-1, PIXELS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shift", action="store_true", help="add training images moved by one pixel")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder to write (default: data)")
    args = parser.parse_args()

    with gzip.open(HERE / "digits.csv.gz", "rt") as source:
        rows = np.loadtxt(source, delimiter=",", dtype=np.int64)
    order = np.random.default_rng(args.seed)
    counts = dict.fromkeys(SPLITS, 0)
    for digit in range(CLASSES):
        images = order.permutation(rows[rows[:, PIXELS] == digit, :PIXELS])
        ends = [len(images) * 70 // 100, len(images) * 85 // 100]
        for split, part in zip(SPLITS, np.split(images, ends), strict=True):
            if split == "train" and args.shift:
                part = shifted(part)
            folder = args.data / split
            folder.mkdir(parents=True, exist_ok=True)
            np.savetxt(folder / f"{digit}.csv", part, fmt="%d", delimiter=",")
            counts[split] += len(part)
    print(", ".join(f"{split}: {count} images" for split, count in counts.items()))


if __name__ == "__main__":
    main()
