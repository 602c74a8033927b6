"""git cpv verify, as typed: what it finds at the storage, what it reads back, what it mends."""

from __future__ import annotations

import json
from hashlib import md5
from pathlib import Path

import pytest

from servers.s3 import S3Server
from shell import Shell
from template import MakeTemplate, Template

MODEL = "files/md5/" + "/".join((md5(b"weights 1").hexdigest()[:2], md5(b"weights 1").hexdigest()[2:]))
IMAGE = "files/md5/" + "/".join((md5(b"one").hexdigest()[:2], md5(b"one").hexdigest()[2:]))


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(two_versions)


def two_versions(shell: Shell) -> None:
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.write("data/train/1.txt", "one")
    for nth in (1, 2):
        repo.write("model.bin", f"weights {nth}")
        repo.ok(f"git cpv push -q --metric loss=0.{nth} && git cpv tag -q")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


@pytest.fixture
def storage(sealed: Path) -> Path:
    return sealed / ".local/share/cpv/storage/T/m"


def spoil(file: Path, content: bytes | None) -> None:
    file.chmod(0o644)
    file.unlink()
    if content is not None:
        file.write_bytes(content)


def wrong_lines(said: str) -> list[str]:
    """What is told of each wrong object; the last line is the sum."""
    return said.splitlines()[:-1]


def verdict(said: str) -> str:
    return said.splitlines()[-1].split("; ", 1)[1]


def test_all_is_there(repo: Shell) -> None:
    said = repo.ok("git cpv verify")
    assert said.startswith("3 versions and branches: 9 objects, ")
    assert (wrong_lines(said), verdict(said)) == ([], "all there; checked: size")


def test_what_is_wrong_is_told_by_version_and_path_and_mended(repo: Shell, storage: Path) -> None:
    spoil(storage / MODEL, None)
    spoil(storage / IMAGE, b"on")
    done = repo.run("git cpv verify")
    assert done.code == 1
    assert wrong_lines(done.out) == [
        f"wrong size: v0.1: data/train/1.txt, v0.2: data/train/1.txt, main: data/train/1.txt ({IMAGE}; it "
        "has 2 bytes, not 3)",
        f"missing: v0.1: model.bin ({MODEL})",
    ]
    assert verdict(done.out) == "2 not as they should be; checked: size"
    assert "git cpv verify --repair" in done.err
    mended = repo.ok("git cpv verify --repair")
    assert [line.split(":")[0] for line in wrong_lines(mended)] == [
        "repaired, was wrong size",
        "repaired, was missing",
    ]
    assert (storage / MODEL).read_bytes() == b"weights 1"
    assert (storage / IMAGE).read_bytes() == b"one"
    assert wrong_lines(repo.ok("git cpv verify --deep")) == []


def test_only_reading_back_finds_other_bytes_in_the_same_size(repo: Shell, storage: Path) -> None:
    spoil(storage / MODEL, b"weights X")
    assert wrong_lines(repo.ok("git cpv verify")) == []
    done = repo.run("git cpv verify --deep --json")
    facts = json.loads(done.out)
    assert (done.code, facts["whole"], facts["read"], facts["unread"]) == (1, False, 9, 0)
    assert facts["wrong"] == [
        {
            "what": "content",
            "key": MODEL,
            "detail": f"the md5 of its bytes is {md5(b'weights X').hexdigest()}",
            "repaired": False,
            "places": [{"name": "v0.1", "path": "model.bin"}],
        }
    ]
    assert repo.run("git cpv verify --deep --repair").code == 0
    assert (storage / MODEL).read_bytes() == b"weights 1"


def test_samples_get_round_to_everything(repo: Shell, storage: Path) -> None:
    spoil(storage / MODEL, b"weights X")
    codes = [repo.run("git cpv verify --sample 34%").code for _ in range(3)]  # 4 of 9 each
    assert 1 in codes


def test_what_no_cache_has_stays_lost(repo: Shell, storage: Path) -> None:
    spoil(storage / MODEL, None)
    spoil(repo.cwd / ".dvc/cache" / MODEL, None)
    done = repo.run("git cpv verify --repair")
    assert (done.code, wrong_lines(done.out)) == (1, [f"missing: v0.1: model.bin ({MODEL})"])


def test_a_damaged_listing_is_found_and_mended(repo: Shell, storage: Path) -> None:
    listing = next(iter(storage.glob("files/md5/*/*.dir")))
    spoil(listing, b"[]")
    done = repo.run("git cpv verify")
    assert done.code == 1
    assert wrong_lines(done.out)[0].startswith("wrong size: v0.1: data, v0.2: data, main: data (")
    repo.ok("git cpv verify --repair")
    repo.ok("git cpv verify --deep")


def test_a_storage_that_is_gone_says_nothing_of_the_objects(repo: Shell, storage: Path) -> None:
    storage.rename(storage.with_name("elsewhere"))
    assert repo.fails("git cpv verify").startswith(f"error: storage folder '{storage}' does not exist")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("--sample 5", "'5' is not a share such as 5%"),
        ("--sample 0%", "'0%' is not a share such as 5%"),
        ("--deep --max-time soon", "'soon' is not a time such as 90s, 10m or 2h"),
        ("--max-time 10m", "--max-time limits what is read back"),
    ],
)
def test_wrong_usage(repo: Shell, words: str, error: str) -> None:
    assert error in repo.fails(f"git cpv verify {words}", code=129)


def test_on_s3_the_listing_tells_the_checksum(s3_server: S3Server, repo: Shell) -> None:
    bucket = s3_server.new_bucket()
    here = repo.at(".", **s3_server.environment)
    here.ok(f"git cpv storage move -q s3://{bucket}/root")
    said = here.ok("git cpv verify")
    assert verdict(said) == "all there; checked: size, the storage's checksum of 9"
    s3_server.client().put_object(Bucket=bucket, Key=f"root/T/m/{MODEL}", Body=b"weights X")
    s3_server.client().delete_object(Bucket=bucket, Key=f"root/T/m/{IMAGE}")
    done = here.run("git cpv verify")
    assert (done.code, [line.split(":")[0] for line in wrong_lines(done.out)]) == (1, ["missing", "damaged"])
    here.ok("git cpv verify --repair")
    assert verdict(here.ok("git cpv verify --deep --max-time 1h")) == (
        "all there; checked: size, the storage's checksum of 9, the bytes of 9"
    )
