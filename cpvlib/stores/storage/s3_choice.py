"""Which of the two lines to S3 is used, decided once for a storage, and said under `-vv`.

boto3 can do everything, and alone does what takes a multipart upload, a copy or a deletion. obstore goes
before it in what there is much of, wherever it obeys the settings as boto3 would.
"""

from __future__ import annotations

from collections.abc import Callable

from cpvlib.base.errors import CPVError
from cpvlib.domain.text import printable
from cpvlib.stores.storage.s3_access import Access, plain_access
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_fast import FastLine, obstacle
from cpvlib.stores.storage.s3_settings import S3Settings


def fast_line(settings: S3Settings, line: S3Line, trace: Callable[[str], None]) -> FastLine | None:
    """The line through obstore, None where boto3 has to do everything.

    What is wrong with the settings raises nothing here: boto3's first call says it.
    """
    why = obstacle(settings)
    access = None if why else _access(settings, line)
    if access is None:
        trace(f"s3 engine: boto3 ({why or 'only it can reach this storage'})")
        return None
    try:
        fast = FastLine(settings, access, line.slots, trace)
    except (OSError, ValueError):
        trace("s3 engine: boto3 (obstore does not take these settings)")
        return None
    trace(printable(f"s3 engine: obstore, with keys from {access.origin}; boto3 where it can't"))
    return fast


def _access(settings: S3Settings, line: S3Line) -> Access | None:
    try:
        return plain_access(settings) or line.access()
    except CPVError:
        return None
