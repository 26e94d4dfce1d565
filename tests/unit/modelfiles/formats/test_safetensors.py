"""safetensors files are taken exactly if the package ``safetensors`` takes them."""

from __future__ import annotations

import gzip
import json
import random
import struct
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from comfywatchman.modelfiles.inspecting import inspect
from comfywatchman.modelfiles.source import MOST
from tests.unit.modelfiles import making

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.modelfiles.condition import Condition

A = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


def takes(file: Path) -> bool:
    try:
        with safetensors.safe_open(file, "np"):
            return True
    except (safetensors.SafetensorError, OSError):
        return False


def condition(folder: Path, raw: bytes) -> Condition:
    file = folder / "model.safetensors"
    file.write_bytes(raw)
    return inspect(str(file), 0)


def agree(file: Path) -> bool:
    """Hold what is said against what the package does; returns whether it took the file."""
    found, taken = inspect(str(file), 0), takes(file)
    assert (not found.code) == taken, found
    return taken


def test_it_says_what_the_package_says_of_changed_headers(tmp_path: Path) -> None:
    chance = random.Random(15)
    file = tmp_path / "model.safetensors"
    whole = making.weights(2)
    odd = making.safetensors(
        '{"b":{"shape":[3,0],"dtype":"F8_E4M3","data_offsets":[4,4],"note":[[1.5e3]]},'
        '"a":["F4",[2,4],[0,4]],"__metadata__":null}  ',
        bytes(4),
    )
    bare = making.safetensors("{}")
    taken = 0
    for _ in range(300):
        for raw, header in ((whole, len(whole) - 128), (odd, len(odd)), (bare, 10)):
            changed = bytearray(making.mutated(chance, raw, header))
            if chance.random() < 0.5:  # the length fits again, so that the rest is looked at
                changed[:8] = struct.pack("<Q", max(8, changed.rfind(b"}") + 1) - 8)
            file.write_bytes(changed)
            taken += agree(file)
    assert 20 < taken < 450  # both sides of the line are seen


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
SIZES = st.integers(0, 5) | VALUES


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(["F32", "U8", "F4", "BOOL", {"F32": None}, {"F32": {}}, 7]),
    shape=st.lists(SIZES, max_size=3) | VALUES,
    offsets=st.tuples(st.just(0), SIZES) | st.lists(SIZES, max_size=3),
    more=st.dictionaries(st.sampled_from(["dtype", "x", "shape"]), VALUES, max_size=2),
    metadata=VALUES,
)
def test_it_says_what_the_package_says_of_any_header_that_is_json(
    tmp_path: Path, dtype: Any, shape: Any, offsets: Any, more: dict[str, Any], metadata: Any
) -> None:
    tensor = {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}
    for header in (
        {"a": tensor},
        {"a": tensor, "__metadata__": metadata},
        {"a": list(tensor.values())},
    ):
        file = tmp_path / "model.safetensors"
        for size in (0, 4):
            file.write_bytes(making.safetensors(json.dumps(header), bytes(size)))
            agree(file)


def with_field(value: str) -> str:
    return A.replace("[0,4]", f'[0,4],"x":{value}') + "}"


@pytest.mark.parametrize(
    "header",
    [
        A + "}",
        "\t\n " + A + "} \n\r",
        A + "}\0",
        A + "}x",
        "\ufeff" + A + "}",
        A + ',"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"a":5,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        A + ',"__metadata__":{},"__metadata__":{}}',
        A + ',"__metadata__":null,"__metadata__":null}',
        A + ',"__metadata__":{"a":"1","a":"2"}}',
        *(A + f',"__metadata__":{value}}}' for value in ("null", "[]", "0", '""', '{"a":null}')),
        A + ',"__met\\u0061data__":{"a":1}}',
        '{"a":["F32",[1],[0,4]]}',
        '{"a":["F32",[1],[0,4],1]}',
        '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","x":1,"x":2,"shape":[1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,5]}}',
        '{"":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
        '{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1099511627776,1099511627776,0],"data_offsets":[0,0]}}',
        '{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
        '{"a":{"dtype":"X7","shape":[4],"data_offsets":[0,4]}}',
        "",
        "[]",
        "null",
        "{" * 100_000,
        "[" * 100_000,
        "1" * 100_000,
        *map(with_field, ("1.0", "-0", "01", "1e400", "0e99999999999", "1" * 308, "1" * 400)),
        *map(with_field, ("NaN", "-Infinity", "1" * 5000 + "e-5000", "0." + "0" * 5000, '"\x01"')),
        *map(with_field, (r'"\ud83d\ude00"', r'"\ude00"', r'"\\ud800"')),
        *(with_field("[" * depth + "]" * depth) for depth in (125, 126, 2000)),
        *(with_field('{"a":' * depth + "1" + "}" * depth) for depth in (125, 126)),
    ],
    ids=count(),
)
@pytest.mark.parametrize("size", [0, 4, 8])
def test_it_says_what_the_package_says_of_odd_headers(
    tmp_path: Path, header: str, size: int
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(making.safetensors(header, bytes(size)))
    agree(file)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tensors=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.tuples(
            st.sampled_from(
                ["f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", "c8"]
            ),
            st.lists(st.integers(0, 4), max_size=4),
        ),
        max_size=6,
    ),
    metadata=st.none() | st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=3),
    less=st.integers(1, 12),
)
def test_what_the_package_writes_is_in_order(
    tmp_path: Path,
    tensors: dict[str, tuple[str, list[int]]],
    metadata: dict[str, str] | None,
    less: int,
) -> None:
    file = tmp_path / "model.safetensors"
    tensors.pop("__metadata__", None)
    arrays = {name: np.zeros(shape, dtype=kind) for name, (kind, shape) in tensors.items()}
    save_file(arrays, file, metadata or None)  # it writes an empty one so that nobody reads it
    found = inspect(str(file), 0)
    assert (found.code, found.format) == ("", "safetensors")
    raw = file.read_bytes()
    found = condition(tmp_path, raw + bytes(less))
    assert (found.code, found.extra) == ("model_trailing_bytes", less)
    if sum(array.nbytes for array in arrays.values()) >= less:
        found = condition(tmp_path, raw[:-less])
        assert (found.code, found.lacking) == ("model_truncated", less)


def test_a_cut_within_the_header_is_one_of_the_header(tmp_path: Path) -> None:
    raw = making.weights()
    (length,) = struct.unpack("<Q", raw[:8])
    found = condition(tmp_path, raw[:100])
    assert (found.code, found.lacking) == ("safetensors_header", 8 + length - 100)
    assert found.detail == f"it ends within its header: at least {8 + length - 100} bytes lack"


def test_a_header_longer_than_what_is_read_costs_no_claim(tmp_path: Path) -> None:
    names = {f"{n:060}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for n in range(9999)}
    raw = making.safetensors(names)
    assert len(raw) > MOST
    assert condition(tmp_path, raw) == condition(tmp_path, raw + b"\0" * 99)
    found = condition(tmp_path, raw)
    assert (found.code, found.format) == ("", "safetensors")
    assert "longer than what is read" in found.detail
    assert condition(tmp_path, raw[: 2**20]).lacking == len(raw) - 2**20


@pytest.mark.parametrize(
    ("dtype", "shape", "size", "code"),
    [
        ("F8_E3M4", [4], 4, ""),
        ("F6_E1M4", [4], 3, ""),
        ("I4", [4], 2, ""),
        ("F128", [1], 16, ""),
        ("F8_E3M3", [4], 4, "safetensors_header"),
        ("I4", [4], 4, "safetensors_header"),
        ("F33", [4], 4, "safetensors_header"),
        ("X8", [4], 4, "safetensors_header"),
        ("f32", [1], 4, "safetensors_header"),
    ],
)
def test_a_type_that_a_later_release_may_know_is_no_damage(
    tmp_path: Path, dtype: str, shape: list[int], size: int, code: str
) -> None:
    header = {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}
    assert condition(tmp_path, making.safetensors(header, bytes(size))).code == code


def test_of_what_is_no_safetensors_file_nobody_says_how_much_lacks(tmp_path: Path) -> None:
    found = condition(tmp_path, gzip.compress(bytes(4000), mtime=0))
    assert (found.code, found.lacking) == ("safetensors_header", None)
    assert found.detail == "its header is not a JSON object"
