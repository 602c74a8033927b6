"""obstore and boto3 side by side: which is used, that both obey, and that one takes over from the other."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cpvlib.base.errors import CPVError, StorageError
from cpvlib.base.values import replace
from cpvlib.stores.storage.open import StoragePlace, open_storage
from cpvlib.stores.storage.protocol import Storage
from servers.front import Fault, Front, front_of
from servers.s3 import S3Server

from .places import Bytes, Count, fetch, key_of, md5, s3_place, store

OBSTORE = "s3 engine: obstore, with keys from the remote's options; boto3 where it can't"


class Traced:
    """A storage, and what it told of its requests."""

    def __init__(self, place: StoragePlace) -> None:
        self.lines: list[str] = []
        self.storage = open_storage(place, trace=self.lines.append)

    def operations(self) -> list[str]:
        return [line.split()[1] for line in self.lines if not line.startswith("s3 engine")]


def use(storage: Storage, folder: Path) -> None:
    """Every kind of call that obstore helps with, and one that it does not."""
    key = store(storage, b"model")
    assert fetch(storage, key, folder / "back") == b"model"
    assert storage.has([key, key_of(b"absent")]) == {key: 5}
    assert storage.get_bytes(key, 10) == b"model"
    assert [found.key for found in storage.list("files/md5/")] == [key]
    storage.delete([key])


def test_what_is_asked_and_of_whom(moto_server: S3Server, tmp_path: Path) -> None:
    place = s3_place(moto_server)
    traced = Traced(place)
    use(traced.storage, tmp_path)
    host, there = moto_server.endpoint[7:], f"/{place.url[5:]}"
    stored, absent = key_of(b"model"), key_of(b"absent")
    found = f"s3 HeadObject {host} {there}/{stored}: 200"
    assert found in traced.lines[3:6]
    traced.lines.remove(
        found
    )  # one of two threads has it; the other misses its object, then asks for the bucket
    assert traced.lines == [
        OBSTORE,
        f"s3 PutObject {host} {there}/{stored}: 200",
        f"s3 GetObject {host} {there}/{stored}: 206",
        f"s3 HeadObject {host} {there}/{absent}: 404",
        f"s3 ListObjectsV2 {host} {there}/files/md5/none/: 200",
        f"s3 GetObject {host} {there}/{stored}: 206",
        f"s3 ListObjectsV2 {host} {there}/files/md5/: 200",
        f"s3 DeleteObjects {host} ?delete: 200",
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sse_customer_key": base64.b64encode(b"k" * 32).decode()}, "sse_customer_key"),
        ({"endpointurl": "http://me:hush@127.0.0.1:9"}, "only it can reach this storage"),
        ({"profile": "nobody"}, "only it can reach this storage"),
    ],
)
def test_what_obstore_can_not_obey(moto_server: S3Server, options: dict[str, str], why: str) -> None:
    place = s3_place(moto_server)
    traced = Traced(replace(place, options={**place.options, "read_timeout": "1", **options}))
    try:
        traced.storage.has([key_of(b"absent")])
    except CPVError as error:
        assert "hush" not in error.message
    assert traced.lines[0] == f"s3 engine: boto3 ({why})"


@pytest.mark.parametrize("name", ["AWS_SERVER_SIDE_ENCRYPTION", "AWS_CHECKSUM_ALGORITHM"])
def test_a_variable_that_only_obstore_reads(
    moto_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "AES256")
    traced = Traced(s3_place(moto_server))
    use(traced.storage, tmp_path)
    assert traced.lines[0] == f"s3 engine: boto3 ({name})"


def test_variables_do_not_get_past_the_settings(
    moto_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ENDPOINT": "http://127.0.0.1:9",
        "AWS_REGION": "nowhere",
        "AWS_SESSION_TOKEN": "anothers",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_UNSIGNED_PAYLOAD": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_BUCKET": "another",
    }.items():
        monkeypatch.setenv(name, value)
    traced = Traced(s3_place(moto_server))
    use(traced.storage, tmp_path)
    assert traced.lines[0].startswith("s3 engine: obstore")
    assert not [line for line in traced.lines[1:] if line.rpartition(" ")[2] not in ("200", "206", "404")]


def test_boto3_alone(moto_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)  # what an environment without it looks like
    traced = Traced(s3_place(moto_server))
    use(traced.storage, tmp_path)
    assert traced.lines[0] == "s3 engine: boto3 (obstore is not installed)"


def test_what_decides_who_may_read_goes_through_boto3(moto_server: S3Server) -> None:
    place = s3_place(moto_server, acl="bucket-owner-full-control")
    traced = Traced(place)
    key = store(traced.storage, b"model")
    assert traced.storage.has([key]) == {key: 5}
    acl = moto_server.client().get_object_acl(Bucket=place.url.split("/")[2], Key=f"team/model/{key}")
    assert acl["Grants"]


@pytest.mark.usefixtures("engine")
def test_an_object_whose_etag_proves_nothing(moto_server: S3Server, front: Front) -> None:
    place = s3_place(moto_server, front.endpoint)
    storage = open_storage(place)
    front.faults.append(Fault("encrypt", times=99))
    for data in (b"one", b"two"):
        proof = storage.put(key_of(data), Bytes(data), md5=md5(data), on_bytes=Count())
        assert proof.how in ("SHA-256 in transit and size", "md5 in transit and size")
        assert storage.proven_md5(key_of(data)) is None


def test_boto3_takes_over_in_the_middle_of_a_listing(moto_server: S3Server, front: Front) -> None:
    traced = Traced(s3_place(moto_server, front.endpoint))
    keys = {store(traced.storage, str(number).encode()) for number in range(1200)}
    seen = len(front.seen)
    listing = traced.storage.list("files/md5/")
    found = [next(listing).key]
    front.faults.append(Fault("reset", "GET"))
    found += [each.key for each in listing]
    assert len(found) == len(set(found)) == 1200
    assert set(found) == keys
    assert len(front.seen) - seen == 3


def test_boto3_takes_over_where_obstore_always_fails(moto_server: S3Server, front: Front) -> None:
    """As if the server took nothing that obstore signs: each second request, the first of a call, is cut."""
    traced = Traced(replace(s3_place(moto_server, front.endpoint)))
    for number in range(40):
        if number < 32:
            front.faults.append(Fault("reset", "PUT"))
        store(traced.storage, str(number).encode())
    assert len(front.seen) == 32 * 2 + 8


def test_keys_that_end_are_asked_for_again(ceph_server: S3Server, sealed: Path, tmp_path: Path) -> None:
    """With a profile whose keys a program gives for a minute at a time, of which each is about to end."""
    current = tmp_path / "current"
    program = tmp_path / "keys"
    program.write_text(
        f"#!/bin/sh\ncat '{current}'\ndate -u -d '+1 minute' '+\"Expiration\": \"%Y-%m-%dT%H:%M:%SZ\"}}'\n"
    )
    program.chmod(0o755)
    (sealed / ".aws").mkdir()
    (sealed / ".aws/config").write_text(f"[profile lent]\ncredential_process = {program}\n")

    def lend(secret: str) -> None:
        keys = {"Version": 1, "AccessKeyId": ceph_server.access_key, "SecretAccessKey": secret}
        current.write_text(json.dumps(keys)[:-1] + ", ")

    place = s3_place(ceph_server)
    options = {name: place.options[name] for name in ("endpointurl", "region")} | {"profile": "lent"}
    traced = Traced(StoragePlace(place.url, options))
    lend(ceph_server.secret_key)
    key = store(traced.storage, b"model")
    lend("another")
    with pytest.raises(CPVError, match="refuses the secret access key as wrong"):
        traced.storage.has([key])
    lend(ceph_server.secret_key)
    assert traced.storage.has([key]) == {key: 5}
    assert traced.lines[0] == "s3 engine: obstore, with keys from AWS's chain; boto3 where it can't"
    assert [line.rpartition(": ")[2] for line in traced.lines if " HeadObject " in line] == [
        "403",
        "403",
        "200",
    ]


@pytest.mark.usefixtures("engine")
def test_through_a_proxy(
    moto_server: S3Server, front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = s3_place(moto_server, "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", front.endpoint)
    use(open_storage(place), tmp_path)
    assert front.seen
    assert all("http://127.0.0.1:9/test-" in line for line in front.seen)


@pytest.mark.usefixtures("engine")
def test_past_a_proxy(moto_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    traced = Traced(s3_place(moto_server))
    use(traced.storage, tmp_path)
    assert not [line for line in traced.lines[1:] if line.rpartition(" ")[2] not in ("200", "206", "404")]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """An authority of our own and, in one file with its key, the certificate that it gave to 127.0.0.1."""
    whole, key, ca = (tmp_path / name for name in ("server.pem", "key.pem", "ca.pem"))
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    subject = ["-subj", "/CN=cpv", "-addext", "subjectAltName=IP:127.0.0.1"]
    of_server = ["-addext", "basicConstraints=critical,CA:FALSE"]
    command = ["openssl", "req", *kind, *subject, *of_server, "-keyout", str(key), "-out", str(ca)]
    subprocess.run(command, check=True, capture_output=True)
    whole.write_text(key.read_text() + ca.read_text())
    return whole


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("how", ["option", "AWS_CA_BUNDLE", "unverified"])
def test_an_authority_of_ones_own(
    moto_server: S3Server, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    options = {"option": {"ssl_verify": str(tmp_path / "ca.pem")}, "unverified": {"ssl_verify": "false"}}
    if how == "AWS_CA_BUNDLE":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with front_of(moto_server.endpoint, certificate) as front:
        traced = Traced(s3_place(moto_server, front.endpoint, **options.get(how, {})))
        use(traced.storage, tmp_path)
    assert not [line for line in traced.lines[1:] if line.rpartition(" ")[2] not in ("200", "206", "404")]


@pytest.mark.usefixtures("engine")
def test_a_certificate_of_nobody(moto_server: S3Server, certificate: Path) -> None:
    with front_of(moto_server.endpoint, certificate) as front:
        storage = open_storage(s3_place(moto_server, front.endpoint))
        with pytest.raises(StorageError) as caught:
            storage.has([key_of(b"model")])
    assert caught.value.message == (
        f"no trusted connection to {front.endpoint[8:]}: its certificate was not accepted"
    )


FORKED = """
import os, signal, sys
from cpvlib.stores.storage.open import StoragePlace, open_storage
storage = open_storage(StoragePlace({url!r}, {options!r}))
storage.put_bytes("one", b"parent")
child = os.fork()
if not child:
    signal.alarm(20)
    storage.put_bytes("two", b"child")
    open_storage(StoragePlace({url!r}, {options!r})).put_bytes("three", b"child")
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_process_that_was_forked(moto_server: S3Server) -> None:
    place = s3_place(moto_server)
    program = FORKED.format(url=place.url, options=dict(place.options))
    subprocess.run([sys.executable, "-c", program], check=True)
    assert {found.key for found in open_storage(place).list("")} == {"one", "two", "three"}


def test_both_spell_keys_alike(moto_server: S3Server, tmp_path: Path) -> None:
    place = s3_place(moto_server)
    place = replace(place, url=f"{place.url}/a b (new)/v=1,2+3@x:y_z.0 - it")
    traced = Traced(place)
    use(traced.storage, tmp_path)
    key = store(traced.storage, b"model")
    assert traced.lines[0] == OBSTORE
    assert fetch(open_storage(replace(place, engine="boto3")), key, tmp_path / "back") == b"model"
    odd = Traced(replace(place, url=f"{place.url}/modèle"))
    use(odd.storage, tmp_path)
    assert odd.lines[0] == "s3 engine: boto3 (the characters of the prefix)"
