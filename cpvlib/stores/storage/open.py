"""A storage from its URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError, StorageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from cpvlib.stores.storage.protocol import Storage
    from cpvlib.stores.storage.s3_whole import Memory
    from cpvlib.stores.storage.uploads import UploadRecords


@dataclass(frozen=True)
class StoragePlace:
    """Where a repository's objects live.

    `url` is an `s3://bucket/prefix`, a `file://` URL or an absolute folder path; `options` are those of DVC's
    remote section, by DVC's names; `origin` says, for messages, where both were found: '.dvc/config',
    'CPV_STORAGE', … `engine` is 'auto', or 'boto3' where S3 is to be reached through that alone.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    engine: str = "auto"


def open_storage(
    place: StoragePlace,
    *,
    jobs: int | None = None,
    note: Callable[[str], None] | None = None,
    trace: Callable[[str], None] | None = None,
    uploads: UploadRecords | None = None,
    memory: Memory | None = None,
) -> Storage:
    """The storage at `place`; nothing is asked of it yet, so that it may not exist.

    `note` is told, from any thread, when storage keeps a call waiting, `trace` of each request. `jobs` bounds
    the calls made at once; without it the remote's own `jobs` option or the kind's default does. `uploads`
    remembers interrupted uploads, so that they can go on, `memory` what the storage was found to do. Raises
    StorageError for a kind of storage that is not supported, ConfigError for an option that can't be obeyed.
    """
    jobs = jobs or _jobs_option(place.options)
    scheme, separator, rest = place.url.partition("://")
    if not separator or scheme == "file":
        from urllib.parse import unquote, urlsplit

        from cpvlib.stores.storage.folder import FolderStorage

        folder = unquote(urlsplit(place.url).path) if separator else place.url
        return FolderStorage.of(Path(folder), place.options, jobs=jobs)
    if scheme == "s3":
        from cpvlib.stores.storage.s3 import S3Storage
        from cpvlib.stores.storage.s3_settings import S3Settings

        settings = S3Settings.of(place.url, place.options, jobs=jobs, engine=place.engine)
        return S3Storage(settings, note, trace, uploads, memory)
    raise StorageError(
        printable(
            f"cannot use the storage '{scheme}://{_without_user(rest)}': cpv knows no '{scheme}' storage"
        ),
        hint="use an 's3://bucket/prefix' or a folder",
    )


def _jobs_option(options: Mapping[str, str]) -> int | None:
    value = options.get("jobs")
    if value is None:
        return None
    if not value.isdecimal() or int(value) == 0:
        raise ConfigError(f"remote option 'jobs' is '{printable(value)}', not a number above 0")
    return int(value)


def _without_user(rest: str) -> str:
    """An authority may hold a password before its '@'."""
    authority, slash, path = rest.partition("/")
    return authority.rpartition("@")[2] + slash + path
