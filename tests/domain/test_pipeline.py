"""What DVC's pipelines write."""

from __future__ import annotations

import pytest

from cpvlib.domain.pipeline import stage_outs

PIPELINE = b"""\
stages:
  prepare:
    cmd: x
    deps: [raw]
    outs: [clean, ../common/words, ./a/../b]
  train:
    foreach: [1, 2]
    do:
      cmd: x ${item}
      wdir: runs
      outs:
      - model-${item}
      - checkpoints:
          persist: true
      metrics:
      - scores.json:
          cache: false
      plots: [curve.csv]
"""
LOCK = b"""\
schema: '2.0'
stages:
  train@1:
    cmd: x 1
    outs:
    - path: model-1
      hash: md5
      md5: 9dd4e461268c8034f5c8564e155c67a6
"""


def test_every_out_has_its_stage() -> None:
    assert stage_outs("in/", PIPELINE, LOCK) == {
        "in/clean": "prepare",
        "common/words": "prepare",
        "in/b": "prepare",
        "in/runs/checkpoints": "train",
        "in/runs/scores.json": "train",
        "in/runs/curve.csv": "train",
        "in/runs/model-1": "train@1",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[",
        b"- a",
        b"stages: 1",
        b"stages: {a: 1, b: {outs: x}, c: {outs: {x: y}}}",
        b"<<<<<<< HEAD\n",
        b"stages: {a: {outs: [&x y]}}",
    ],
)
def test_what_is_no_pipeline_writes_nothing(data: bytes) -> None:
    assert stage_outs("", data, data) == {}
