"""Which of the two lines to S3 is used, decided once for a storage, and said under `-vv`.

boto3 can do everything, and alone does what takes a multipart upload, a copy or a deletion. obstore goes
before it in what there is much of, wherever it obeys the settings as boto3 would.
"""

from __future__ import annotations

import threading

from cpvlib.base.errors import CPVError
from cpvlib.stores.storage.s3_access import Access, plain_access
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_fast import ElsewhereError, FastLine, obstacle
from cpvlib.stores.storage.s3_settings import S3Settings


class LineChoice:
    """The line to take for a call, decided when the first is made."""

    def __init__(self, line: S3Line) -> None:
        self._line = line
        self._choosing = threading.Lock()
        self._chosen: list[FastLine | None] = []

    def fast(self, *, for_puts: bool = False, for_lists: bool = False) -> FastLine:
        """The line through obstore. ElsewhereError where boto3 is to be asked."""
        with self._choosing:
            if not self._chosen:
                self._chosen.append(_fast_line(self._line.settings, self._line))
        fast = self._chosen[0]
        if (
            fast is None
            or fast.is_down
            or (for_puts and not fast.can_put)
            or (for_lists and not fast.can_list)
        ):
            raise ElsewhereError
        return fast


def _fast_line(settings: S3Settings, line: S3Line) -> FastLine | None:
    """The line through obstore, None where boto3 has to do everything.

    What is wrong with the settings raises nothing here: boto3's first call says it.
    """
    why = obstacle(settings)
    access = None if why else _access(settings, line)
    if access is None:
        line.tell(f"s3 engine: boto3 ({why or 'only it can reach this storage'})")
        return None
    try:
        fast = FastLine(settings, access, line.slots, line.trace)
    except (OSError, ValueError):
        line.tell("s3 engine: boto3 (obstore does not take these settings)")
        return None
    line.tell(f"s3 engine: obstore, with keys from {access.origin}; boto3 where it can't")
    return fast


def _access(settings: S3Settings, line: S3Line) -> Access | None:
    try:
        return plain_access(settings) or line.access()
    except CPVError:
        return None
