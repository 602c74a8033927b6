"""The S3 servers to measure against: one that is given, or one that is started here and ended again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenes import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests"))

from servers import ceph, moto
from servers.processes import free_port, launch, stop_all, wait_for_port

GO = CHECKOUT / ".bench/bin/go"


@dataclass(frozen=True)
class Server:
    """Where it listens, and who asks."""

    name: str
    endpoint: str
    access_key: str
    secret_key: str

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """What tells each contender where to go and as whom, by `endpoint` where it is another way there."""
        place = endpoint or self.endpoint
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": place,
            "S3_ENDPOINT_URL": place,
            "RCLONE_S3_PROVIDER": "Other",
            "RCLONE_S3_ENV_AUTH": "true",
            "RCLONE_S3_REGION": "us-east-1",
            "RCLONE_S3_ENDPOINT": place,
        }

    def make_bucket(self, name: str) -> None:
        self._client().create_bucket(Bucket=name)

    def clear(self, bucket: str, prefix: str) -> None:
        """Removes what a case stored: a server may keep it all in memory."""
        client = self._client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            keys = [{"Key": found["Key"]} for found in page.get("Contents", ())]
            if keys:
                client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )


def _sink(folder: Path) -> str:
    """Builds and starts `bench/sink`. No module is fetched: it needs the standard library alone."""
    if not GO.exists():
        raise SystemExit("bench: the sink needs Go: make bench-peers")
    environment = {
        **os.environ,
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOCACHE": str(CHECKOUT / ".bench/go-cache"),
    }
    program = CHECKOUT / ".bench/sink"
    subprocess.run(
        [GO, "build", "-o", program, "."], cwd=CHECKOUT / "bench/sink", env=environment, check=True
    )
    port = free_port()
    launch(folder, "sink", [str(program), "-addr", f"127.0.0.1:{port}"])
    wait_for_port(port, folder)
    return f"http://127.0.0.1:{port}"


def _ceph(folder: Path) -> str:
    if ceph.missing():
        raise SystemExit(f"bench: Ceph is not installed: {ceph.INSTALL}")
    return ceph.start(folder)


_KINDS: dict[str, tuple[Callable[[Path], str], str, str]] = {
    "moto": (moto.start, "cpvkey", "cpvsecret"),
    "ceph": (_ceph, ceph.ACCESS_KEY, ceph.SECRET_KEY),
    "sink": (_sink, "cpvkey", "cpvsecret"),
}
NAMES = tuple(_KINDS)


@contextmanager
def started(name: str, folder: Path) -> Iterator[Server]:
    """One of `NAMES`, new and empty, for as long as the block runs."""
    start, access_key, secret_key = _KINDS[name]
    folder.mkdir(parents=True)
    try:
        yield Server(name, start(folder), access_key, secret_key)
    finally:
        stop_all(folder)


def given(endpoint: str) -> Server:
    """One that runs already, with the keys of the environment."""
    try:
        keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    except KeyError as error:
        raise SystemExit(f"bench: --endpoint needs {error.args[0]} in the environment") from None
    return Server(endpoint, endpoint, *keys)
