"""The CRC64NVME of a whole object, where the server keeps it. S3 user guide, "Checking object integrity":
full-object checksums.

What a server does is found out by doing. One that knows them answers a CreateMultipartUpload with the type
FULL_OBJECT; the first object that is put together there is completed without a checksum of ours, so that the
one it then shows is its own and no echo. From then on ours goes along, and it refuses to complete anything
else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from cpvlib.base.typed import Any, Protocol

_TYPE = "FULL_OBJECT"


class Memory(Protocol):
    """What was found out about a storage before, None where nothing was; a hint that may be lost."""

    def keeps_crc64nvme(self) -> bool | None: ...

    def note_crc64nvme(self, keeps: bool) -> None: ...


class WholeChecksums:
    """What is known of one storage. Usable from many threads."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._keeps: bool | None = None
        self._is_asked = memory is None

    @property
    def keeps(self) -> bool | None:
        """Whether the server computes and keeps them; None where that was not found out yet."""
        if not self._is_asked and self._memory:
            self._is_asked = True
            self._keeps = self._memory.keeps_crc64nvme()
        return self._keeps

    def learn(self, keeps: bool) -> None:
        if keeps is not self.keeps:
            self._keeps = keeps
            if self._memory:
                self._memory.note_crc64nvme(keeps)


WANTED: Mapping[str, Any] = {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": _TYPE}
"""The parameters of a CreateMultipartUpload that asks for them."""


def promised(answer: Mapping[str, Any]) -> bool:
    """Whether the server says that it will keep one, in its answer to a CreateMultipartUpload."""
    return answer.get("ChecksumType") == _TYPE and answer.get("ChecksumAlgorithm") == "CRC64NVME"


def enforced(crc64nvme: int) -> dict[str, Any]:
    """The parameters of a CompleteMultipartUpload that is refused for content with another checksum."""
    return {"ChecksumCRC64NVME": header(crc64nvme), "ChecksumType": _TYPE}


def header(crc64nvme: int) -> str:
    """As `x-amz-checksum-crc64nvme` has it."""
    return base64.b64encode(crc64nvme.to_bytes(8, "big")).decode()


def kept(answer: Mapping[str, Any]) -> int | None:
    """The checksum of the whole that an answer tells, if it is one."""
    try:
        data = base64.b64decode(answer.get("ChecksumCRC64NVME", ""), validate=True)
    except binascii.Error:
        return None
    return (
        int.from_bytes(data, "big")
        if len(data) == 8 and answer.get("ChecksumType") in (None, _TYPE)
        else None
    )
