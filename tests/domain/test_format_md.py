"""FORMAT.md's examples, read back with the parsers of the code that writes such things."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from cpvlib.domain import metricslog
from cpvlib.domain.alias import AliasTag, parse_setting
from cpvlib.domain.blocks import parse_table, render_table
from cpvlib.domain.checkpoint import Checkpoint, data_md5
from cpvlib.domain.cpvconfig import SAFE_KEYS, CommittedConfig, canonical, entries, is_safe
from cpvlib.domain.gate import Improvement, parse_gate
from cpvlib.domain.listing import listing_oid, parse_listing, render_listing
from cpvlib.domain.manifest import parse_manifest
from cpvlib.domain.pointer import parse_pointer, render_pointer
from cpvlib.domain.query import Condition
from cpvlib.stores.blockhash import new_hasher
from cpvlib.stores.partial import Partials

PAGE = (Path(__file__).parents[2] / "FORMAT.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (.+?) -->\n```\w+\n(.*?)```\n", PAGE, re.DOTALL))

FOLDER_OID = "f9552eea2baa8563236fbfd5b2d191f4.dir"


def example(name: str) -> bytes:
    return str(EXAMPLES[name]).encode()


def test_every_example_is_read_by_a_test() -> None:
    source = Path(__file__).read_text()
    unread = [name for name in EXAMPLES if f'"{name}"' not in source]
    assert len(EXAMPLES) == PAGE.count("<!-- example: ")
    assert unread == []


@pytest.mark.parametrize("name", ["pointer of a file", "pointer of a folder"])
def test_pointers_are_what_cpv_writes(name: str) -> None:
    pointer = parse_pointer("some.dvc", example(name))

    assert render_pointer(pointer.outs[0]) == example(name)
    assert not pointer.outs[0].legacy


def test_the_keys_of_objects_are_those_of_the_pointers() -> None:
    from cpvlib.stores.storage.protocol import files_key, legacy_key

    oid = parse_pointer("model.bin.dvc", example("pointer of a file")).outs[0].oid
    assert oid is not None
    for key in (files_key(oid), files_key(FOLDER_OID), legacy_key(oid)):
        assert f"| `{key}` |" in PAGE


def test_the_listing_has_the_oid_and_size_that_its_pointer_says() -> None:
    data = example("listing").rstrip(b"\n")
    listing = parse_listing(data)
    out = parse_pointer("data.dvc", example("pointer of a folder")).outs[0]

    assert render_listing(listing.entries) == data
    assert listing_oid(data) == out.oid == FOLDER_OID
    assert listing.nfiles == out.nfiles
    contents = {"train/a b.txt": b"first\n", "train/été.txt": b""}
    md5s = {path: hashlib.md5(content).hexdigest() for path, content in contents.items()}
    assert listing.entries == md5s
    assert sum(map(len, contents.values())) == out.size


def test_the_block_table_is_that_of_the_bytes_the_page_names() -> None:
    data = hashlib.shake_128(b"CPV").digest(20 << 20)
    table = parse_table(example("block table"), hashlib.md5(data).hexdigest())
    hasher = new_hasher()
    assert hasher is not None and table is not None
    hasher.update(memoryview(data))

    assert hasher.table(table.md5) == table
    assert render_table(table) == example("block table")


def test_checkpoint_json() -> None:
    checkpoint = Checkpoint.parse(example("checkpoint.json"))

    assert checkpoint.render() == example("checkpoint.json")
    assert set(checkpoint.metrics) == {"accuracy", "loss"}
    assert checkpoint.data is not None and checkpoint.data.md5 == FOLDER_OID


def test_a_folder_in_part(tmp_path: Path) -> None:
    (tmp_path / "cpv").mkdir()
    (tmp_path / "cpv/partial.json").write_bytes(example("partial.json"))
    partials = Partials(tmp_path, lambda oid: None)

    left = partials.left("data")
    assert left == partials.keep(FOLDER_OID, 2, {"train/a b.txt": "eb260e9ae827821beceeed4104f0ad89"}, 6)
    assert left is not None
    listed = (tmp_path / "cpv/partial" / left.rows).read_bytes()
    assert listed == b"eb260e9ae827821beceeed4104f0ad89 train/a b.txt"
    wants = partials.choice.wants()
    assert [path for path in ("data/train/a b.txt", "data/train/été.txt") if wants(path)] == [
        "data/train/été.txt"
    ]
    partials.update({"data": None})
    partials.update({"data": left})
    assert (tmp_path / "cpv/partial.json").read_bytes() == example("partial.json")


def test_nested_metrics_are_joined_as_the_page_says() -> None:
    assert Checkpoint.parse(b'{"metrics": {"eval": {"loss": 1}}}').metrics == {"eval.loss": 1}


def test_the_md5_of_several_data_outs_is_that_of_their_lines() -> None:
    lines = f"{'b' * 32} a\n{FOLDER_OID} data\n".encode()

    assert data_md5({"data": FOLDER_OID, "a": "b" * 32}) == hashlib.md5(lines).hexdigest()
    assert data_md5({"data": FOLDER_OID}) == FOLDER_OID


def test_a_record_of_metrics_log_has_the_id_that_the_page_computes() -> None:
    (record,) = metricslog.records(metricslog.Log.of(example("record")))
    assert record.line() == example("record")

    parts = [record.model, record.metrics, record.params]
    content = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == record.id


def test_the_record_the_checkpoint_and_the_manifest_tell_the_same_facts() -> None:
    checkpoint = Checkpoint.parse(example("checkpoint.json"))
    (record,) = metricslog.records(metricslog.Log.of(example("record")))
    manifest = parse_manifest(example("manifest").decode())

    assert record.metrics == checkpoint.metrics == manifest.metrics
    assert record.params == checkpoint.params == manifest.params
    assert record.time == checkpoint.time
    assert manifest.data == checkpoint.data
    assert manifest.code == checkpoint.code.commit


def test_the_manifest() -> None:
    manifest = parse_manifest(example("manifest").decode())

    assert manifest.render().encode() == example("manifest")
    assert manifest.text == "Two hidden layers, twice the epochs"
    assert [out.path for out in manifest.outs] == ["model.bin", "my tokenizer"]
    assert manifest.companion == "data/v0.2"
    documented = set(re.findall(r"`(Cpv-\w+)`", PAGE))
    assert documented >= {line.partition(":")[0] for line in manifest.render().split("\n\n")[1].splitlines()}


def test_cpvconfig() -> None:
    config = CommittedConfig.parse(example(".cpvconfig"))

    assert {entry.key for entry in entries(example(".cpvconfig"))} == set(config.keys())
    assert config.model_outs == ("model.bin", "tokenizer")
    assert config.data_outs == ("data",)


def test_autotag() -> None:
    gate = parse_gate(example("autotag").decode())
    assert gate is not None
    assert gate.conditions == (
        Improvement("loss"),
        Condition("accuracy", ">=", 0.9),
        Condition("word error rate", "<", 0.1),
        Improvement("bleu", on_last=True),
    )
    signs = set(re.findall(r'"([<>=!]=?)"', example("grammar of autotag").decode().partition("metric ")[2]))
    assert signs >= {"<", "<=", ">", ">=", "=", "==", "!="}
    assert all(parse_gate(f"loss {sign} 1") for sign in signs - {"!"})


def test_the_page_names_exactly_the_keys_that_cpvconfig_may_set() -> None:
    section = PAGE.partition("## .cpvconfig\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = {canonical(key) for row in rows for key in re.findall(r"`(cpv\.[\w.]+)`", row)}

    assert all(is_safe(key) for key in named)
    assert named >= SAFE_KEYS


def test_config_json(tmp_path: Path) -> None:
    from cpvlib.stores.userconfig import read, update

    path = tmp_path / "config.json"
    path.write_bytes(example("config.json"))
    written = tmp_path / "again" / "config.json"
    update(written, lambda content: content.update(read(path)))

    assert written.read_bytes() == example("config.json")
    assert written.stat().st_mode & 0o777 == 0o600


def test_the_program_is_python() -> None:
    """tests/sessions/test_without_cpv.py runs it on a repository."""
    compile(example("restore.py"), "restore.py", "exec")


def test_the_setting_is_what_cpv_writes() -> None:
    message = example("setting").decode()
    setting = parse_setting(message, AliasTag("production", 3))
    assert setting is not None
    assert (setting.target, setting.text) == ("v1.4", "Two weeks in staging without a complaint")
    assert setting.render() == message
    assert parse_setting(message, AliasTag("production", 4)) is None
