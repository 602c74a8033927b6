"""Measures CPV against its peers, in one run, each command in turn with the others, and prints ratios.

    make bench                                                  # storage in a folder, then moto
    make bench BENCH='--runs 3 status list'                     # cases whose name has one of these words
    make bench BENCH='--on sink --on ceph --model-mib 2048'     # at these servers, at this size
    make bench BENCH='--on sink --wan'                          # behind 40 ms and 50 MB/s
    make bench BENCH='--endpoint https://… --bucket NAME'       # at a server of your own

Peers come from `make judges`, `make models` and `make bench-peers`; who is not there is left out, and said.
`bench/README.md` says how to read what is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import growth
import local
import moving
import peers
from cases import Case, Sizes, Stage, made
from places import NAMES, Server, given, started
from report import Result, budget_lines, table
from scenes import CHECKOUT, Place, sealed_environment
from timing import Contender, Traffic, interleaved, run
from wire import wire_to

_RESULTS = CHECKOUT / "bench/results"
_BUCKET = "bench"
_WAN = {"latency_s": 0.040, "bytes_per_s": 50e6}


@dataclass(frozen=True)
class Arena:
    """Where a round of cases is played: with storage in a folder, or at a server, near or far."""

    name: str
    server: Server | None = None
    bucket: str = _BUCKET
    is_far: bool = False

    def play(
        self,
        case: Case,
        root: Path,
        environment: dict[str, str],
        sizes: Sizes,
        runs: int,
        *,
        counts: bool = True,
    ) -> Result:
        """Traffic is not counted without `counts`, nor without a server."""
        name = case.title.translate(str.maketrans(" ,()%", "-----"))
        folder = root / self.name / name
        folder.mkdir(parents=True)
        url = f"s3://{self.bucket}/{name}" if self.server else str(folder / "storage")
        with ExitStack() as stack:
            if self.server:
                stack.callback(self.server.clear, self.bucket, f"{name}/")
                way = stack.enter_context(wire_to(self.server.endpoint, **_WAN)) if self.is_far else None
                environment = environment | self.server.environment(way.endpoint if way else None)
            stage = Stage(folder, Place(url), environment, sizes)
            contenders = stack.enter_context(made(case, stage))
            count = self._counting(environment) if self.server and counts else None
            timings = interleaved(contenders, runs, environment, count)
            verdicts = [budget.verdict(timings) for budget in case.budgets(stage)]
        return Result(case.title, timings, verdicts)

    def _counting(self, environment: dict[str, str]):  # type: ignore[no-untyped-def]
        server = self.server
        assert server is not None

        def count(contender: Contender) -> Traffic:
            with wire_to(server.endpoint) as wire:
                run(contender, environment | server.environment(wire.endpoint))
                return wire.traffic()

        return count


@contextmanager
def arenas(args: argparse.Namespace, root: Path) -> Iterator[list[Arena]]:
    with ExitStack() as stack:
        found = []
        names = args.on or ["folder", "moto"] if not args.endpoint else args.on or []
        for name in names:
            if name == "folder":
                found.append(Arena("folder"))
                continue
            server = stack.enter_context(started(name, root / f"server-{name}"))
            server.make_bucket(_BUCKET)
            found.append(Arena(name, server))
        if args.endpoint:
            found.append(Arena("endpoint", given(args.endpoint), args.bucket))
        if args.wan:
            found += [replace(a, name=f"{a.name}-far", is_far=True) for a in found if a.server]
        yield found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="cases whose name has one of these words")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each command (default: 3)")
    parser.add_argument(
        "--on", action="append", choices=("folder", *NAMES), help="storage (default: folder, then moto)"
    )
    parser.add_argument("--endpoint", help="an S3 server that runs already, with the keys of the environment")
    parser.add_argument("--bucket", default=_BUCKET, help="a bucket there that may be filled")
    parser.add_argument("--wan", action="store_true", help="each server also behind a wide-area link")
    parser.add_argument(
        "--growth", action="store_true", help="only the plots of how cost grows with size and count"
    )
    parser.add_argument("--model-mib", type=int, default=Sizes.model_mib, help="size of the model")
    parser.add_argument("--files", type=int, default=Sizes.files, help="files of a large data folder")
    parser.add_argument("--file-kib", type=int, default=Sizes.file_kib, help="size of each of them")
    parser.add_argument("--versions", type=int, default=Sizes.versions, help="versions to list")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    return parser.parse_args()


def main() -> None:
    args = parsed()
    sizes = Sizes(args.model_mib, args.files, args.file_kib, args.versions)
    _RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="cpv-bench-") as folder:
        root = Path(folder).resolve()
        environment = sealed_environment(root / "home")
        with arenas(args, root) as places:
            for arena in places:
                if not args.growth:
                    results = []
                    for case in chosen(args.words, arena):
                        results.append(told(arena.play(case, root, environment, sizes, args.runs)))
                        keep(arena, results, sizes, args.runs)  # in case the run is ended before its end
                    print(page_of(arena).read_text())
                if not args.words and not arena.is_far:
                    growth.measure(arena, root, environment, sizes, args.runs, _RESULTS)


def chosen(words: Sequence[str], arena: Arena) -> list[Case]:
    """What is not about moving bytes is measured on the folder alone."""
    cases = (*local.CASES, *moving.CASES) if arena.server is None else moving.CASES
    return [case for case in cases if not words or any(word in case.title for word in words)]


def told(result: Result) -> Result:
    print(f"{result.title}: {', '.join(f'{row[1]} {row[2]}' for row in result.rows())}", file=sys.stderr)
    return result


def page_of(arena: Arena) -> Path:
    return _RESULTS / f"{arena.name}.md"


def keep(arena: Arena, results: Sequence[Result], sizes: Sizes, runs: int) -> None:
    """Writes the table, and every figure beside it, to `bench/results`."""
    programs = peers.versions()
    far = f", {_WAN['latency_s'] * 1000:.0f} ms and {_WAN['bytes_per_s'] / 1e6:.0f} MB/s away" * arena.is_far
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=CHECKOUT, capture_output=True, text=True
    )
    text = (
        f"## {arena.name}\n\n"
        f"Medians of {runs} interleaved runs on {os.cpu_count()} cores{far}; model {sizes.model_mib} MiB, "
        f"{sizes.files:,} files of {sizes.file_kib} KiB, {sizes.versions:,} versions; commit "
        f"{commit.stdout.strip()}.\n"
        + "; ".join(f"{name} {version}" for name, version in programs.items())
        + f"\n\n{table(results)}\n\n{budget_lines(results)}\n"
    )
    page_of(arena).write_text(text)
    facts = {"versions": programs, "sizes": vars(sizes), "cases": [result.facts() for result in results]}
    page_of(arena).with_suffix(".json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
