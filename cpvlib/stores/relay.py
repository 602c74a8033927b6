"""Objects from one storage to another, each proved on its way; none of them stays on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.parallel import Crew
from cpvlib.base.progress import Progress
from cpvlib.stores.files import disk_error
from cpvlib.stores.sources import FileSource, hash_unchanging
from cpvlib.stores.storage.folder import FolderStorage
from cpvlib.stores.storage.protocol import ObjectMissingError, Proof, Storage
from cpvlib.stores.transfer import DamagedError, KeyOf, Receiver, fetch

_AT_ONCE = 8
"""Each worker may hold one object in a temporary file, however large it is."""

NameOf = Callable[[Path], str]


def relay(
    source: Storage,
    target: Storage,
    sizes: Mapping[str, int | None],
    receive: Callable[[str], Receiver],
    progress: Progress,
    jobs: int | None = None,
    *,
    key: KeyOf,
    name_of: NameOf | None = None,
) -> dict[str, Proof]:
    """Copies every oid of `sizes` from `source` to `target` and says how each was proved there.

    What comes out of `source` is hashed before anything is sent; `name_of` computes an object's name from its
    file where that is not its plain md5. `receive` gives the temporary files. Raises ObjectMissingError for
    what `source` lacks, StorageError for what is damaged there; the first failure stops the rest, and what
    arrived stays. Order: none, so that a caller relays `.dir` objects by a call of their own.
    """
    crew = Crew(min(jobs or _AT_ONCE, _AT_ONCE, source.jobs, target.jobs))

    def on_bytes(n_bytes: int) -> None:
        crew.check()
        progress.advance(n_bytes)

    def unheard(n_bytes: int) -> None:
        crew.check()

    def is_right(oid: str, path: Path, md5: str) -> bool:
        return (name_of(path) if name_of else md5) == oid.removesuffix(".dir")

    def carry(oid: str) -> Proof:
        def is_whole(path: Path) -> bool:
            return is_right(oid, path, hash_unchanging(path, unheard)[0])

        with _on_disk(source, key(oid), lambda: receive(oid), unheard, is_whole) as path:
            md5, seen = hash_unchanging(path, unheard)
            if not is_right(oid, path, md5):
                raise DamagedError(
                    f"object '{key(oid)}' in '{source.url}' is damaged: it is not what its name says",
                    hint="push it again from a clone that has it: 'git cpv push --check'",
                )
            proof = target.put(key(oid), FileSource(path, seen), md5=md5, on_bytes=on_bytes)
        progress.advance(n_files=1)
        return proof

    progress.begin("moving", sum(size or 0 for size in sizes.values()), len(sizes))
    try:
        with target.together():
            return dict(crew.each(carry, sizes))
    finally:
        progress.end()


@contextmanager
def _on_disk(
    source: Storage,
    key: str,
    receive: Callable[[], Receiver],
    on_bytes: Callable[[int], None],
    is_whole: Callable[[Path], bool],
) -> Iterator[Path]:
    """A file of this machine with an object's bytes: where it lies, or a copy for as long as it is needed.

    One that went on from what came before is fetched anew where it is not whole.
    """
    if isinstance(source, FolderStorage):
        path = source.path / key
        if not path.is_file():
            raise ObjectMissingError(key, source.url)
        yield path
        return
    receiver = receive()
    try:
        try:
            have = receiver.have
            fetch(source, key, receiver, have, on_bytes)
            if have and not is_whole(receiver.path):
                receiver.begin_anew()
                fetch(source, key, receiver, (), on_bytes)
        except OSError as error:
            raise disk_error(error, f"cannot take '{key}' from '{source.url}' to this machine") from error
        yield receiver.path
    except DamagedError:
        raise
    except Exception:
        receiver.keep()
        raise
    finally:
        receiver.discard()
