"""What an old PyTorch wrote is known to be cut off, and nothing in it is carried out."""

from __future__ import annotations

import pickle
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.modelfiles.inspecting import inspect
from tests.unit.modelfiles import making

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.modelfiles.condition import Condition


def condition(folder: Path, raw: bytes, name: str = "model.pth") -> Condition:
    file = folder / name
    file.write_bytes(raw)
    return inspect(str(file), 0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 300), max_size=300),
    kind=st.sampled_from(
        [("FloatStorage", 4), ("HalfStorage", 2), ("LongStorage", 8), ("NewStorage", 7)]
    ),
    less=st.integers(1, 5000),
)
def test_how_many_bytes_lack(
    tmp_path: Path, sizes: list[int], kind: tuple[str, int], less: int
) -> None:
    raw = making.pickled(sizes, *kind)
    found = condition(tmp_path, raw)
    assert (found.code, found.format) == ("", "pickle")
    assert condition(tmp_path, raw + b"more").code == ""
    numbers = sum(8 + kind[1] * size for size in sizes)
    found = condition(tmp_path, raw[:-less])
    if less < numbers and kind[0] != "NewStorage":
        assert (found.code, found.lacking) == ("model_truncated", less)
    elif numbers < less < numbers + 10:
        assert (found.code, found.lacking) == ("model_truncated", None)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_any_other_pickle(tmp_path: Path, protocol: int) -> None:
    raw = pickle.dumps({"a": [1, 2.5, "text", b"bytes", (None, True)], "b": {3, 4}}, protocol)
    for name in ("model.pkl", "model.pt", "model.bin"):
        assert condition(tmp_path, raw, name).code == ""
        assert condition(tmp_path, raw[:-3], name).code == "model_truncated"


def test_nothing_is_carried_out(tmp_path: Path) -> None:
    made = tmp_path / "made"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(made), "w"))

    assert condition(tmp_path, pickle.dumps(Hostile(), 2)).format == "pickle"
    assert not made.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x80\x02" + b"(" * 900_000 + b".",
        b"\x80\x02" + b"2" * 900_000,
        b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc",
        b"\x80\x02I" + b"9" * 100_000 + b"\n.",
        b"\x80\x02h\x07h\x07\x85Q.",
        b"\x80\x02t.",
        b"\x80\x02\xff\xff\xff",
        making.pickled()[:60] + b"\xff" * 500,
    ],
    ids=count(),
)
def test_hostile_ones_cost_nothing(tmp_path: Path, raw: bytes) -> None:
    condition(tmp_path, raw)


def test_more_instructions_than_are_read_cost_no_claim(tmp_path: Path) -> None:
    found = condition(tmp_path, b"\x80\x02]" + b"2" * 300_000)
    assert (found.code, found.format) == ("", "pickle")
    assert "longer than what is read" in found.detail


def test_damaged_ones_of_an_old_pytorch(tmp_path: Path) -> None:
    assert condition(tmp_path, making.pickled()[:60] + b"\xff" * 500).code == "torch_not_zip"
    assert condition(tmp_path, making.pickled()[:60]).code == "model_truncated"


def test_a_safetensors_header_may_begin_alike(tmp_path: Path) -> None:
    raw = making.safetensors("{}".ljust(0x7D0280), b"")
    assert condition(tmp_path, raw, "model.safetensors").code == ""
