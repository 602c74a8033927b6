"""checkpoint.json: what is written, what is read back, what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import CPVError, RepositoryError, UsageError
from cpvlib.domain import checkpoint
from cpvlib.domain.checkpoint import Checkpoint, Code, DataUsed

FACTS = Checkpoint(
    metrics={"loss": 0.245, "eval.accuracy": 1},
    params={"lr": 1e-3, "layers": [64, 32], "name": "größer", "none": None},
    code=Code("4be1d0c" + "0" * 33, ("train.py", "data.py")),
    data=DataUsed("0cc175b9c0f1b6a831c399e269772661.dir", "v0.2"),
    time="2026-03-01T12:00:00Z",
)


def test_a_key_a_line_sorted():
    assert FACTS.render().decode() == (
        "{\n"
        '  "code": {\n'
        '    "commit": "4be1d0c000000000000000000000000000000000",\n'
        '    "uncommitted": ["data.py", "train.py"]\n'
        "  },\n"
        '  "data": {\n'
        '    "md5": "0cc175b9c0f1b6a831c399e269772661.dir",\n'
        '    "version": "v0.2"\n'
        "  },\n"
        '  "metrics": {\n'
        '    "eval.accuracy": 1,\n'
        '    "loss": 0.245\n'
        "  },\n"
        '  "params": {\n'
        '    "layers": [64, 32],\n'
        '    "lr": 0.001,\n'
        '    "name": "größer",\n'
        '    "none": null\n'
        "  },\n"
        '  "time": "2026-03-01T12:00:00Z"\n'
        "}\n"
    )


def test_an_empty_checkpoint():
    rendered = Checkpoint().render()
    assert json.loads(rendered)["data"] is None
    assert Checkpoint.parse(rendered) == Checkpoint()


def test_what_is_rendered_is_read_back():
    read = Checkpoint.parse(FACTS.render())
    assert read.metrics == FACTS.metrics and read.params == FACTS.params
    assert read.code == Code(FACTS.code.commit, ("data.py", "train.py"))
    assert (read.data, read.time) == (FACTS.data, FACTS.time)


def test_keys_of_a_later_cpv_are_passed_over():
    assert Checkpoint.parse(b'{"metrics": {"loss": 1}, "gpu": "H100"}').metrics == {"loss": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n  "metrics": {,\n', "line 2 of 'checkpoint.json' is not JSON"),
        (b"[1]", "'checkpoint.json' holds no JSON object"),
        (b'{"metrics": 3}', "'metrics' in 'checkpoint.json' is not an object"),
        (b'{"metrics": {"loss": NaN}}', "metric 'loss' in 'checkpoint.json' is not a finite number: NaN"),
        (b'{"metrics": {"a": "low"}}', "metric 'a' in 'checkpoint.json' is not a finite number: \"low\""),
        (b'{"metrics": {"ok": true}}', "metric 'ok' in 'checkpoint.json' is not a finite number: true"),
        (b'{\n<<<<<<< HEAD\n"time": ""}', "'checkpoint.json' has conflict markers"),
        (b"\xff\xfe{}", "'checkpoint.json' is not JSON that can be read"),
        (b"[" * 100_000, "'checkpoint.json' is not JSON that can be read"),
    ],
)
def test_a_broken_file_is_named(content: bytes, message: str):
    with pytest.raises(RepositoryError) as raised:
        Checkpoint.parse(content)
    assert raised.value.message.startswith(message)


def test_typed_metrics():
    typed = checkpoint.typed_metrics(["loss=0.245", " acc = 1e-1", "steps=12", "wer=.5", "bleu=+30."])
    assert typed == {"loss": 0.245, "acc": 0.1, "steps": 12, "wer": 0.5, "bleu": 30.0}


@pytest.mark.parametrize(
    "pair",
    [
        "loss",
        "=1",
        "loss=",
        "loss=low",
        "loss=nan",
        "loss=NaN",
        "loss=1e999",
        "loss=" + "9" * 5000,
        "loss=true",
        "a\nb=1",
    ],
)
def test_a_typed_metric_is_a_finite_number(pair: str):
    with pytest.raises(UsageError):
        checkpoint.typed_metrics([pair])


def test_typed_params_are_json_where_they_can_be():
    typed = checkpoint.typed_params(["lr=1e-3", "name=adam", "amp=true", "sizes=[1, 2]", "no=null", "x=a=b"])
    assert typed == {"lr": 1e-3, "name": "adam", "amp": True, "sizes": [1, 2], "no": None, "x": "a=b"}


def test_nested_files_are_flattened():
    content = b'{"eval": {"loss": 0.1, "top": {"k": 5}}, "epoch": 3}'
    assert checkpoint.metrics_file(content, "m.json") == {"eval.loss": 0.1, "eval.top.k": 5, "epoch": 3}
    assert checkpoint.params_file(b'{"a": {}, "b": {"c": [1]}}', "p.json") == {"a": {}, "b.c": [1]}


def test_a_metric_that_is_none_is_named_with_its_file():
    with pytest.raises(RepositoryError, match=r"metric 'eval.name' in 'm.json' is not a finite number"):
        checkpoint.metrics_file(b'{"eval": {"name": "x"}}', "m.json")


def test_the_md5_of_data():
    assert checkpoint.data_md5({}) is None
    assert checkpoint.data_md5({"data": "a" * 32 + ".dir"}) == "a" * 32 + ".dir"
    two = {"data": "a" * 32 + ".dir", "extra.csv": "b" * 32}
    assert checkpoint.data_md5(two) == checkpoint.data_md5(dict(reversed(two.items())))
    assert checkpoint.data_md5(two) != checkpoint.data_md5({**two, "extra.csv": "c" * 32})


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_checkpoint_or_a_named_error(content: bytes):
    try:
        Checkpoint.parse(content)
    except CPVError as error:
        assert "checkpoint.json" in error.message


@given(
    st.dictionaries(st.characters(), st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)),
    st.dictionaries(st.characters(), st.none() | st.booleans() | st.lists(st.integers(), max_size=3)),
)
def test_any_facts_come_back(metrics: dict[str, float], params: dict[str, object]):
    read = Checkpoint.parse(Checkpoint(metrics, params).render())
    assert read.metrics == metrics and read.params == params
