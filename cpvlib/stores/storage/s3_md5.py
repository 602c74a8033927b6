"""md5s as S3 writes them: in an ETag, now and then, and in a header."""

from __future__ import annotations

import base64
import re

from cpvlib.base.typed import Any


def md5_in(answer: Any) -> str | None:
    """The md5 of what one PUT brought: its ETag, save with KMS or customer keys. S3 API: "Object"."""
    encryption = str(answer.get("ServerSideEncryption", ""))
    if encryption.startswith("aws:kms") or "SSECustomerAlgorithm" in answer:
        return None
    etag = str(answer.get("ETag", "")).strip('"')
    return etag if is_md5(etag) else None


def is_md5(text: str) -> bool:
    """Whether it could be one, in hex."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None


def md5_header(md5: str) -> str:
    """A hex md5 as Content-MD5 has it. RFC 1864."""
    return base64.b64encode(bytes.fromhex(md5)).decode()
