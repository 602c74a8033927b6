"""What only S3 can do wrong: networks that break, servers that refuse, credentials that are not."""

from __future__ import annotations

import base64
import re
from itertools import pairwise
from pathlib import Path

import pytest

from cpvlib.base.errors import ConfigError, CPVError, CredentialError, StorageError
from cpvlib.base.parallel import Cancelled
from cpvlib.domain.spans import Span
from cpvlib.stores.storage.open import open_storage
from cpvlib.stores.storage.parts import parts_of
from cpvlib.stores.storage.s3_settings import S3Settings
from servers.front import Fault, Front
from servers.s3 import S3Server

from .places import MIB, Bytes, Count, at, fetch, key_of, md5, open_s3, s3_place, some_bytes, store

pytestmark = pytest.mark.usefixtures("engine")


@pytest.mark.parametrize("kind", ["refuse", "reset", "lose"])
@pytest.mark.parametrize("size", [100, 5 * MIB, 20 * MIB])
def test_a_put_goes_on_after_trouble(
    moto_server: S3Server, front: Front, tmp_path: Path, kind: str, size: int
) -> None:
    storage, data, sent = open_s3(moto_server, front.endpoint), some_bytes(size), Count()
    front.faults.append(Fault(kind, "PUT"))
    storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=sent)
    assert fetch(storage, key_of(data), tmp_path / "back") == data
    assert sent.total == size


def test_bytes_that_are_sent_again_are_taken_back(moto_server: S3Server, front: Front) -> None:
    storage, data, sent = open_s3(moto_server, front.endpoint), some_bytes(5 * MIB), Count()
    front.faults.append(Fault("reset", "PUT"))
    storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=sent)
    assert sent.least == -5 * MIB
    assert sent.total == 5 * MIB


@pytest.mark.parametrize("kind", ["refuse", "reset", "cut"])
@pytest.mark.parametrize("size", [100, 5 * MIB, 20 * MIB])
def test_a_get_goes_on_after_trouble(
    moto_server: S3Server, front: Front, tmp_path: Path, kind: str, size: int
) -> None:
    storage, data, received = open_s3(moto_server, front.endpoint), some_bytes(size), Count()
    key = store(storage, data)
    front.faults.append(Fault(kind, "GET", times=2))
    storage.get(key, tmp_path / "back", on_bytes=received)
    assert (tmp_path / "back").read_bytes() == data
    assert received.total == size


def test_a_broken_body_is_asked_for_from_where_it_broke(
    moto_server: S3Server, front: Front, tmp_path: Path
) -> None:
    storage, data, received = open_s3(moto_server, front.endpoint), some_bytes(4 * MIB), Count()
    key = store(storage, data)
    front.faults.append(Fault("cut", "GET"))
    storage.get(key, tmp_path / "back", on_bytes=received)
    assert (received.least, received.total) == (0, 4 * MIB)
    assert sum(line.startswith("GET") for line in front.seen) == 2


def test_only_the_rest_of_an_object_goes_over_the_wire(
    moto_server: S3Server, front: Front, tmp_path: Path
) -> None:
    storage, data = open_s3(moto_server, front.endpoint), some_bytes(41 * MIB)
    key = store(storage, data)
    (tmp_path / "back").write_bytes(data[: 40 * MIB])
    front.clear()
    storage.get(key, tmp_path / "back", have=[Span(0, 40 * MIB)], on_bytes=Count())
    assert (tmp_path / "back").read_bytes() == data
    assert [line.split()[0] for line in front.seen] == ["HEAD", "GET"]
    assert front.sent_bytes == MIB


def test_an_object_that_is_replaced_while_it_is_read(
    moto_server: S3Server, front: Front, tmp_path: Path
) -> None:
    storage, data = open_s3(moto_server, front.endpoint), some_bytes(41 * MIB)
    key = store(storage, data)

    def replace(span: Span) -> None:
        if span.start == 0:
            storage.put(key, Bytes(data[::-1]), md5=md5(data[::-1]), on_bytes=Count())

    with pytest.raises(StorageError, match="was replaced while it was read"):
        storage.get(key, tmp_path / "back", on_span=replace, on_bytes=Count())


def test_the_answer_to_a_completion_is_lost(moto_server: S3Server, front: Front, tmp_path: Path) -> None:
    storage, data = open_s3(moto_server, front.endpoint), some_bytes(20 * MIB)
    front.faults.append(Fault("lose", "POST", "uploadId="))
    storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=Count())
    assert fetch(storage, key_of(data), tmp_path / "back") == data


def test_a_failed_multipart_upload_leaves_no_parts(s3_server: S3Server) -> None:
    place = s3_place(s3_server)
    source = Bytes(some_bytes(20 * MIB))
    source.spoil()
    with pytest.raises(CPVError, match="changed"):
        open_storage(place).put("files/md5/aa/bb", source, md5="0" * 32, on_bytes=Count())
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=place.url.split("/")[2])


def test_a_cancelled_multipart_upload_leaves_no_parts(s3_server: S3Server) -> None:
    place, sent = s3_place(s3_server), Count()

    def cancel_later(n_bytes: int) -> None:
        sent(n_bytes)
        if sent.total > 10 * MIB:
            raise Cancelled

    with pytest.raises(Cancelled):
        open_storage(place).put("f", Bytes(some_bytes(40 * MIB)), md5="0" * 32, on_bytes=cancel_later)
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=place.url.split("/")[2])


def test_a_server_that_stores_something_else(moto_server: S3Server, front: Front) -> None:
    storage = open_s3(moto_server, front.endpoint)
    with pytest.raises(StorageError, match="other than it was sent, and was removed there"):
        storage.put(key_of(b"model"), Bytes(b"maddel"), md5=md5(b"model"), on_bytes=Count())
    assert storage.stat(key_of(b"model")) is None


def test_trouble_that_lasts_is_said_and_then_is_one_line(
    moto_server: S3Server, front: Front, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    notes: list[str] = []
    storage = open_storage(s3_place(moto_server, front.endpoint), note=notes.append)
    front.faults.append(Fault("refuse", times=1000))
    with pytest.raises(StorageError) as caught:
        storage.get_bytes("cpv/generation", limit=10)
    assert caught.value.message == f"'{storage.url}' asks for fewer requests and went on asking"
    assert caught.value.hint == "try with --jobs 4"
    assert notes == [f"waiting for {front.endpoint[7:]}: it answers 503; 2 tries so far"]
    assert sum(line.startswith("GET") for line in front.seen) == (4 if engine == "auto" else 3)


class TestRefusals:
    """On Ceph, which checks who is asking."""

    def test_a_wrong_secret(self, ceph_server: S3Server) -> None:
        self.refused(
            open_s3(ceph_server, secret_access_key="not-the-secret"),
            CredentialError,
            "refuses the secret access key as wrong",
        )

    def test_an_unknown_key(self, ceph_server: S3Server) -> None:
        storage = open_s3(ceph_server, access_key_id="AKIAUNKNOWN")
        self.refused(storage, CredentialError, "does not know this access key")

    def test_nobody(self, ceph_server: S3Server) -> None:
        place = s3_place(ceph_server, allow_anonymous_login="true")
        self.refused(open_storage(place), StorageError, r"access denied: may not \w+ in 's3://test-")

    def test_no_credentials(self, ceph_server: S3Server) -> None:
        place = s3_place(ceph_server)
        options = {name: place.options[name] for name in ("endpointurl", "region")}
        self.refused(open_storage(at(place.url, options)), CredentialError, "no AWS credentials for")

    def test_a_bucket_that_is_not_there(self, ceph_server: S3Server) -> None:
        place = at("s3://no-such-bucket/a", s3_place(ceph_server).options)
        self.refused(open_storage(place), StorageError, "bucket 'no-such-bucket' does not exist at 127.0.0.1")

    def test_a_bucket_that_can_not_be(self, ceph_server: S3Server) -> None:
        place = at("s3://no such bucket/a", s3_place(ceph_server).options)
        self.refused(open_storage(place), ConfigError, "S3 can't have the name")

    @staticmethod
    def refused(storage, kind: type[CPVError], message: str) -> None:  # type: ignore[no-untyped-def]
        """Whatever is asked, the answer is the same kind of error, with a hint, and without a secret."""
        for ask in (
            lambda: storage.stat("files/md5/aa/bb"),
            lambda: storage.has(["files/md5/aa/bb"]),
            lambda: list(storage.list("")),
            lambda: storage.put_bytes("files/md5/aa/bb", b"model"),
            lambda: storage.get_bytes("files/md5/aa/bb", 10),
            lambda: storage.put("f", Bytes(some_bytes(17 * MIB)), md5="0" * 32, on_bytes=Count()),
        ):
            with pytest.raises(kind, match=message) as caught:
                ask()
            assert caught.value.hint
            assert "secret" not in (caught.value.message + caught.value.hint).replace("secret access key", "")


def test_nobody_is_there(tmp_path: Path) -> None:
    options = {
        "endpointurl": "http://user:password@127.0.0.1:9",
        "access_key_id": "a",
        "secret_access_key": "b",
    }
    storage = open_storage(at("s3://bucket/a", options))
    with pytest.raises(StorageError) as caught:
        storage.stat("files/md5/aa/bb")
    assert caught.value.message == "cannot reach 127.0.0.1:9"
    assert "password" not in repr(storage.settings)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"profile": "nobody"}, CredentialError, "there is no AWS profile 'nobody'"),
        ({"endpointurl": "localhost"}, ConfigError, "the endpoint of 's3://bucket/a' is not a URL"),
        ({"credentialpath": "/nowhere"}, CredentialError, "credentials file '/nowhere' does not exist"),
        ({"access_key_id": "a"}, CredentialError, "the AWS credentials are incomplete"),
    ],
)
@pytest.mark.parametrize("largest", [0, 64 * MIB])
def test_settings_that_are_found_wrong_on_use(
    options: dict[str, str], kind: type[CPVError], message: str, largest: int
) -> None:
    """Where a large object is announced, a thread beside finds out first, and leaves it to the first call."""
    storage = open_storage(at("s3://bucket/a", options))
    with storage.together(largest), pytest.raises(kind, match=re.escape(message)) as caught:
        storage.stat("files/md5/aa/bb")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version_aware": "true"}, "'version_aware' is not supported"),
        ({"worktree": "true"}, "'worktree' is not supported"),
        ({"requester_pays": "true"}, "'requester_pays' is not supported"),
        ({"use_ssl": "maybe"}, "neither true nor false"),
        ({"read_timeout": "soon"}, "not a number of seconds"),
        ({"jobs": "many"}, "not a number above 0"),
        ({"acl": "private", "grant_read": "id=1"}, "exclude each other"),
        ({"sse_customer_key": "%%%"}, "is not base64"),
    ],
)
def test_options_that_can_not_be_obeyed_are_refused_by_name(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_storage(at("s3://bucket/a", options))


def test_options_of_dvc() -> None:
    settings = S3Settings.of(
        "s3://bucket/team/model/",
        {
            "version_aware": "false",
            "sse": "aws:kms",
            "sse_kms_key_id": "alias/models",
            "acl": "bucket-owner-full-control",
            "ssl_verify": "/etc/ca.pem",
            "read_timeout": "5",
            "secret_access_key": "hush",
        },
        jobs=3,
    )
    assert (settings.bucket, settings.prefix, settings.jobs) == ("bucket", "team/model", 3)
    assert settings.writing == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "alias/models",
        "ACL": "bucket-owner-full-control",
    }
    assert (settings.verify_tls, settings.read_timeout_s) == ("/etc/ca.pem", 5)
    assert "hush" not in repr(settings)


def test_what_a_new_object_is_given(moto_server: S3Server) -> None:
    place = s3_place(moto_server, sse="aws:kms", sse_kms_key_id="alias/models")
    storage, client, bucket = open_storage(place), moto_server.client(), place.url.split("/")[2]
    for data in (b"small", some_bytes(17 * MIB)):
        key = store(storage, data)
        head = client.head_object(Bucket=bucket, Key=f"team/model/{key}")
        assert head["ServerSideEncryption"] == "aws:kms"
        assert storage.stat(key).md5 in (None, md5(data))  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [100, 3 * MIB, 17 * MIB])
def test_a_customers_own_key(ceph_server: S3Server, tmp_path: Path, size: int) -> None:
    place = s3_place(ceph_server, sse_customer_key=base64.b64encode(b"k" * 32).decode())
    storage, data = open_storage(place), some_bytes(size)
    key = store(storage, data)
    assert fetch(storage, key, tmp_path / "back") == data
    keyless = {name: value for name, value in place.options.items() if name != "sse_customer_key"}
    with pytest.raises(StorageError):
        fetch(open_storage(at(place.url, keyless)), key, tmp_path / "back")


def test_list_objects_version_1(s3_server: S3Server) -> None:
    storage = open_s3(s3_server, listobjects="true")
    keys = {f"many/{number:04}" for number in range(1001)}
    for key in keys:
        storage.put_bytes(key, b"")
    assert {found.key for found in storage.list("many/")} == keys


def test_credentials_from_a_file_and_a_profile(s3_server: S3Server, tmp_path: Path) -> None:
    keys = f"aws_access_key_id = {s3_server.access_key}\naws_secret_access_key = {s3_server.secret_key}\n"
    (tmp_path / "credentials").write_text(f"[default]\naws_access_key_id = x\n[team]\n{keys}")
    given = {"endpointurl": s3_server.endpoint, "credentialpath": str(tmp_path / "credentials")}
    place = at(f"s3://{s3_server.new_bucket()}", {**given, "profile": "team"})
    storage = open_storage(place)
    assert fetch(storage, store(storage, b"model"), tmp_path / "back") == b"model"


@pytest.mark.parametrize("size", [1, 8 * MIB, 8 * MIB + 1, 80_000 * MIB, 80_000 * MIB + 1, 5 * MIB * MIB])
def test_parts_cover_a_file_of_any_size(size: int) -> None:
    parts = parts_of(size)
    assert parts[0].start == 0
    assert parts[-1].end == size
    assert all(before.end == after.start for before, after in pairwise(parts))
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) <= 10_000
    assert all(part.size == parts[0].size >= 5 * MIB for part in parts[:-1])


def test_more_than_s3_keeps() -> None:
    with pytest.raises(StorageError, match="more than S3 keeps"):
        parts_of(5 * MIB * MIB + 1)
