from __future__ import annotations

import json
from typing import Any

import pytest

from comfywatchman.findings import NAME_LENGTH, QUOTED_LENGTH, Code, printable, quoted
from comfywatchman.results import Severity

CODE = Code("some_code", Severity.ERROR, "t", "e", "r")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b.png", "'a b.png'"),
        ("naïve 模型.safetensors", "'naïve 模型.safetensors'"),
        ("a\nb\tc", r"'a\nb\tc'"),
        ("\x1b[31mred", r"'\x1b[31mred'"),
        ("gpj.\u202egnp", r"'gpj.\u202egnp'"),
        ("zero\u200bwidth", r"'zero\u200bwidth'"),
        ("\ud800", r"'\ud800'"),
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (0.5, "0.5"),
        (float("nan"), "nan"),
        (10**100, "a huge integer"),
        ([], "a list of 0 entries"),
        ([[[]]], "a list of 1 entry"),
        ({"a": 1, "b": 2}, "an object of 2 entries"),
    ],
)
def test_values_are_quoted_harmlessly(value: Any, shown: str) -> None:
    assert quoted(value) == shown


def test_the_end_of_a_long_name_stays_readable() -> None:
    shown = printable("x" * 10_000 + "model.safetensors")
    assert len(shown) == QUOTED_LENGTH
    assert shown.endswith("model.safetensors")
    assert "…" in shown


def test_depth_and_size_do_not_matter() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert quoted(deep) == "a list of 1 entry"
    assert quoted(["x"] * 1_000_000) == "a list of 1000000 entries"
    while deep:
        deep = deep[0]


def test_a_finding_can_always_be_written_as_json() -> None:
    hostile = "\ud800\x1b]0;x\x07\u202e" * 1000
    finding = CODE.finding(
        f"it is {quoted(hostile)}", node_id=hostile, node_type=hostile, input=hostile
    )
    loaded = json.loads(finding.model_dump_json())
    assert loaded["code"] == "some_code"
    for field in ("node_id", "node_type", "input"):
        assert loaded[field].isprintable()
        assert len(loaded[field]) <= NAME_LENGTH * len(r"\ud800")
