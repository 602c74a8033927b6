"""Measures CPV against DVC and git, in one run, each command in turn with its peers, and prints ratios.

    make bench                               # all cases
    make bench BENCH='--runs 3 status list'  # those whose name has one of these words

DVC comes from `make judges`; without it, CPV is measured against git alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cases import CASES, Sizes, made
from scenes import DVC, sealed_environment
from timing import Timing, interleaved


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown, for the note that reports it."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def compared(timings: Sequence[Timing]) -> str:
    """What the others took, as multiples of CPV's time."""
    ours = timings[0].median_s
    return ", ".join(
        f"{t.contender.name} {milliseconds(t.median_s)} ({t.median_s / ours:.2g} x)" for t in timings[1:]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="cases whose name has one of these words")
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each command (default: 7)")
    parser.add_argument("--model-mib", type=int, default=Sizes.model_mib, help="size of the model")
    parser.add_argument("--files", type=int, default=Sizes.files, help="files of a large data folder")
    parser.add_argument("--file-kib", type=int, default=Sizes.file_kib, help="size of each of them")
    parser.add_argument("--versions", type=int, default=Sizes.versions, help="versions to list")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    sizes = Sizes(args.model_mib, args.files, args.file_kib, args.versions)
    chosen = [case for case in CASES if not args.words or any(word in case.name for word in args.words)]
    if not DVC.exists():
        print("DVC is not installed (make judges): measuring against git alone", file=sys.stderr)

    rows = [["", "CPV", "others", "budget"]]
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        root = Path(folder).resolve()
        environment = sealed_environment(root / "home")
        for case in chosen:
            with made(case, root, environment, sizes) as contenders:
                timings = interleaved(contenders, args.runs, environment)
            rows.append([case.name, milliseconds(timings[0].median_s), compared(timings), case.budget])
            print(f"{case.name}: {rows[-1][1]}; {rows[-1][2]}", file=sys.stderr)
    print(
        f"medians of {args.runs} interleaved runs on {os.cpu_count()} cores; model {args.model_mib} MiB, "
        f"{args.files:,} files of {args.file_kib} KiB, {args.versions:,} versions\n"
    )
    print(table(rows))


if __name__ == "__main__":
    main()
