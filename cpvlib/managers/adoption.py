"""What `init` finds in a repository that was there before: large paths that could be outs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass
from cpvlib.domain.version import Series

_WEIGHTS = regex(
    r"\.(bin|safetensors|pt|pth|ckpt|onnx|h5|hdf5|keras|gguf|ggml|pb|tflite|joblib|pkl|msgpack|mlmodel"
    r"|caffemodel|params|pdparams|engine|npz)"
)
_DATA_SUFFIX = regex(
    r"\.(csv|tsv|json|jsonl|xml|parquet|arrow|feather|txt|wav|flac|mp3|jpg|jpeg|png|tfrecord|tar|zip|gz|lmdb"
    r"|avro|npy)"
)
_DATA_NAME = regex(
    r"data|datasets?|corpus|corpora|raw|train|training|val|valid|validation|tests?|eval|images|labels|audio"
    r"|features"
)
_SOURCE = regex(r"\.(py|ipynb|sh|c|cc|cpp|cu|rs|go|java|js|ts)")
_NOT_SEARCHED = frozenset({".git", ".dvc", "node_modules", "__pycache__", "site-packages", ".tox", ".nox"})
_SMALL_BYTES = 1 << 20
_LARGE_BYTES = 32 << 20
_ENTRIES_LIMIT = 200_000


@dataclass(frozen=True)
class Proposal:
    """A path that is worth an out. `siblings` counts folders like it beside it: then it is one of several
    checkpoints, the newest, and the model to push from rather than an out."""

    path: str
    series: Series
    size_bytes: int
    n_files: int
    siblings: int = 0


@dataclass
class _Folder:
    """A folder's own files, and what lies below it."""

    path: str
    weights: dict[str, os.stat_result]
    others: dict[str, os.stat_result]
    has_source: bool = False
    total_bytes: int = 0
    total_files: int = 0

    @property
    def newest_ns(self) -> int:
        return max((found.st_mtime_ns for found in self.weights.values()), default=0)


def series_of(path: str) -> Series:
    """The series that a path most likely belongs to, by its names."""
    pure = PurePosixPath(path.lower())
    if _WEIGHTS.fullmatch(pure.suffix):
        return Series.MODEL
    if any(map(_DATA_NAME.fullmatch, pure.parts)) or _DATA_SUFFIX.fullmatch(pure.suffix):
        return Series.DATA
    return Series.MODEL


def propose(top: Path, taken: Collection[str]) -> list[Proposal]:
    """Large paths below `top` that are no outs yet (`taken` are), by path. Reads names and sizes only.

    A folder is proposed whole where weights lie in it and no source code does. Gives up quietly on very large
    trees: it is a proposal.
    """
    folders = {folder.path: folder for folder in _walk(top, frozenset(taken))}
    found = [*_data_folders(folders)]
    covered = {proposal.path for proposal in found}
    free = [folder for folder in folders.values() if not _is_below(folder.path, covered)]
    found += _model_folders(free)
    covered |= {folder.path for folder in free if folder.path and folder.weights and not folder.has_source}
    found += [p for folder in free if not _is_below(folder.path, covered) for p in _files(folder)]
    return sorted(found, key=lambda proposal: proposal.path)


def _walk(top: Path, taken: Collection[str]) -> Iterator[_Folder]:
    """Every folder that may hold proposals, with the totals of all below it; symlinks are not followed."""
    budget = _ENTRIES_LIMIT
    order: list[_Folder] = []
    waiting = [""]
    while waiting:
        folder = _Folder(waiting.pop(), {}, {})
        for entry in _entries(top / folder.path):
            budget -= 1
            path = f"{folder.path}/{entry.name}".lstrip("/")
            if path in taken:
                continue
            if entry.is_dir(follow_symlinks=False):
                if _is_searched(entry):
                    waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                _sort_in(folder, entry)
        order.append(folder)
        if budget < 0:
            return
    _add_up(order)
    yield from order


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_searched(entry: os.DirEntry[str]) -> bool:
    if entry.name in _NOT_SEARCHED:
        return False
    return not any(Path(entry.path, marker).exists() for marker in ("pyvenv.cfg", "conda-meta", ".git"))


def _sort_in(folder: _Folder, entry: os.DirEntry[str]) -> None:
    suffix = PurePosixPath(entry.name).suffix.lower()
    if _SOURCE.fullmatch(suffix):
        folder.has_source = True
        return
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return
    folder.total_files += 1
    folder.total_bytes += found.st_size
    if _WEIGHTS.fullmatch(suffix):
        if found.st_size >= _SMALL_BYTES:
            folder.weights[entry.name] = found
    elif found.st_size >= _LARGE_BYTES:
        folder.others[entry.name] = found


def _add_up(order: Iterable[_Folder]) -> None:
    """Parents come before their children in `order`, so totals are carried up from its end."""
    by_path = {folder.path: folder for folder in order}
    for folder in reversed(list(by_path.values())):
        if folder.path:
            parent = by_path[_parent(folder.path)]
            parent.total_bytes += folder.total_bytes
            parent.total_files += folder.total_files
            parent.has_source |= folder.has_source and bool(parent.path)


def _data_folders(folders: Mapping[str, _Folder]) -> Iterator[Proposal]:
    """Folders at the top that are named as data are, and hold some."""
    for folder in folders.values():
        is_data = _DATA_NAME.fullmatch(folder.path.lower()) and not folder.has_source
        if is_data and (folder.total_bytes >= _SMALL_BYTES or folder.total_files >= 100):
            yield Proposal(folder.path, Series.DATA, folder.total_bytes, folder.total_files)


def _model_folders(folders: Iterable[_Folder]) -> Iterator[Proposal]:
    """Folders with weights; of several side by side, which are checkpoints of one training, the newest."""
    groups: dict[str, list[_Folder]] = {}
    for folder in folders:
        if folder.path and folder.weights and not folder.has_source:
            groups.setdefault(_parent(folder.path), []).append(folder)
    chosen: set[str] = set()
    for group in groups.values():
        newest = max(group, key=lambda folder: (folder.newest_ns, folder.path))
        if not _is_below(newest.path, chosen):
            chosen.add(newest.path)
            yield Proposal(
                newest.path, Series.MODEL, newest.total_bytes, newest.total_files, siblings=len(group) - 1
            )


def _files(folder: _Folder) -> Iterator[Proposal]:
    for name, found in (folder.weights | folder.others).items():
        path = f"{folder.path}/{name}".lstrip("/")
        yield Proposal(path, series_of(path), found.st_size, 1)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _is_below(path: str, roots: Collection[str]) -> bool:
    """Whether `path` is one of `roots` or lies under one."""
    return path in roots or any(str(parent) in roots for parent in PurePosixPath(path).parents)
