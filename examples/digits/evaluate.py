"""Read the test images with a model and say how many were read rightly."""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.numpy import load_file

from digits import load_split, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="model.bin")
    args = parser.parse_args()
    found = measure(load_file(args.model), *load_split(Path("data"), "test"))
    print(f"test: loss {found['loss']}, accuracy {found['accuracy']}")


if __name__ == "__main__":
    main()
