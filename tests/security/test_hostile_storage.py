"""A storage that lies: about which objects it has, how large they are, and what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from forging import DATA_OID, MODEL_BYTES, forge, md5
from trap import complaint, harmful, trap

from servers.answering import Answer, Request, answering
from shell import Shell

KEYS = (
    "../../../canary/x",
    "/etc/passwd",
    "T/m/files/md5/../../../../canary/x",
    "T/m/files/md5/\u202e\x9b2J",
)
MODEL_KEY = f"T/m/files/md5/{md5(MODEL_BYTES)[:2]}/{md5(MODEL_BYTES)[2:]}"


def listed(*entries: tuple[str, str]) -> bytes:
    rows = "".join(
        f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>&quot;{'0' * 32}&quot;</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, size in entries
    )
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()


def listing_server(entries: tuple[tuple[str, str], ...]) -> Callable[[Request], Answer]:
    """Answers every LIST with these keys and sizes; of objects it has none."""

    def answer(request: Request) -> Answer:
        if "list-type=2" in request.path or request.path.rstrip("/").endswith("/bucket"):
            return Answer(200, listed(*entries), (("Content-Type", "application/xml"),))
        return Answer(404, b"<Error><Code>NoSuchKey</Code><Message>\x1b[2Jgone</Message></Error>")

    return answer


@pytest.mark.parametrize(
    "entries",
    [
        tuple((key, "1") for key in KEYS),
        ((MODEL_KEY, "-1"),),
        ((MODEL_KEY, "9" * 30),),
        ((f"T/m/files/md5/{DATA_OID[:2]}/{DATA_OID[2:]}", "9" * 30),),
    ],
    ids=["keys that lead out", "a size below nothing", "a size beyond all", "a listing beyond all"],
)
def test_what_a_listing_says(shell: Shell, sealed: Path, entries: tuple[tuple[str, str], ...]) -> None:
    with trap(shell.cwd, sealed) as laid, answering(listing_server(entries)) as server:
        forge(
            {
                ".dvc/config": "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://bucket/T/m\n"
            }
        ).write(shell.cwd / "evil.git", sealed / "nowhere")
        before = laid.seen()
        user = shell.at(".", CPV_ENDPOINT=server.url, AWS_MAX_ATTEMPTS="1", CPV_STORAGE="s3://bucket")
        ran = [user.run("git cpv clone -q evil.git victim")]
        victim = user.at("victim")
        ran += [
            victim.run(f"git cpv {command}")
            for command in ("verify", "verify --json", "status --check", "pull")
        ]
        assert [(result.command, complaint(result)) for result in ran if complaint(result)] == []
        assert ran[1].code == 1, str(ran[1])
        assert not harmful("".join(result.out + result.err for result in ran))
        assert laid.seen() == before
