"""What only a check-up asks of S3: the time there, versioning, a multipart upload of next to nothing."""

from __future__ import annotations

import io
from datetime import datetime
from email.utils import parsedate_to_datetime

from cpvlib.base.errors import CPVError, StorageError
from cpvlib.base.typed import Any
from cpvlib.stores.storage.parts import Part
from cpvlib.stores.storage.s3_client import S3Line
from cpvlib.stores.storage.s3_multipart import begun
from cpvlib.stores.storage.s3_settings import S3Settings


class S3Checkup:
    """One bucket, asked with the patience of its settings."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self._line = S3Line(settings, lambda _: None)

    def now(self) -> datetime:
        """The server's clock, from the Date of an answer (RFC 9110, 6.6.1); a refusal has one too."""
        try:
            with self._line.asking("list", "") as client:
                answer: Any = client.list_objects_v2(Bucket=self.settings.bucket, MaxKeys=1)
        except CPVError as error:
            answer = getattr(error.__cause__, "response", None)
            if answer is None:
                raise
        stamp = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if not stamp:
            raise StorageError(f"{self.settings.host} does not say what time it is")
        return parsedate_to_datetime(stamp)

    def versioning(self) -> str:
        """'Enabled', 'Suspended', or '' where it was never turned on. S3 API: GetBucketVersioning."""
        with self._line.asking("ask for the versioning of", "") as client:
            return str(client.get_bucket_versioning(Bucket=self.settings.bucket).get("Status") or "")

    def put_in_parts(self, key: str, data: bytes) -> None:
        """A multipart upload of one part; aborted where it fails."""
        with begun(self._line, key) as upload:
            whole = Part(1, 0, len(data))
            upload.complete([upload.send(whole, lambda: io.BytesIO(data), lambda _: None)])
