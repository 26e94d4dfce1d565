"""GGUF files are taken exactly if the package ``gguf`` takes them."""

from __future__ import annotations

import random
import struct
from itertools import count
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.modelfiles.formats.gguf import SIZES
from comfywatchman.modelfiles.inspecting import inspect
from tests.unit.modelfiles import making

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.modelfiles.condition import Condition

NO_END = "it would hardly end"
_MOST_READS = 10_000


class Reader(gguf.GGUFReader):
    """The package's, which does not end on a list that is said to have 2**60 entries."""

    reads = 0

    def _get(self, *given: Any, **more: Any) -> Any:
        self.reads += 1
        if self.reads > _MOST_READS:
            raise ValueError(NO_END)
        return super()._get(*given, **more)


def takes(file: Path) -> str:
    """Why the package does not take a file; empty if it does."""
    try:
        Reader(file)
    except Exception as error:  # noqa: BLE001  (whatever it is)
        return f"{type(error).__name__}: {error}"
    return ""


def condition(folder: Path, raw: bytes) -> Condition:
    file = folder / "model.gguf"
    file.write_bytes(raw)
    return inspect(str(file), 0)


def agree(file: Path) -> bool:
    """Hold what is said against what the package does; returns whether it refused the file."""
    found, refused = inspect(str(file), 0), takes(file)
    if "is not a valid GGMLQuantizationType" in refused and not found.code:
        return True  # new types are made every few months
    if NO_END in refused:
        return True
    assert bool(found.code) == bool(refused), (found, refused)
    return bool(refused)


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[bytes, int]]:
    """Valid files, each with how much of it is header."""
    written = [
        making.gguf_written(tmp_path / f"{n}.gguf", alignment=alignment, order=order)
        for n, (alignment, order) in enumerate(
            ((None, gguf.GGUFEndian.LITTLE), (64, gguf.GGUFEndian.LITTLE), (8, gguf.GGUFEndian.BIG))
        )
    ]
    by_hand = making.gguf_by_hand(
        [making.field("general.alignment", 4, struct.pack("<I", 8))],
        [
            making.tensor("a", [2, 3]),
            making.tensor("b", [], 28, 24),
            making.tensor("c", [0, 9], 12),
        ],
        bytes(40),
        alignment=8,
    )
    without_tensors = making.gguf_by_hand(
        [
            making.field("a", 8, making.text("x" * 9)),
            making.field("b", 9, struct.pack("<IQ4B", 0, 4, 1, 2, 3, 4)),
        ]
    )
    return [
        *((raw, raw.index(b"c.weight") + 40) for raw in written),
        (by_hand, len(by_hand) - 40),
        (without_tensors, len(without_tensors)),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_it_says_what_the_package_says_of_changed_headers(
    tmp_path: Path, files: list[tuple[bytes, int]], seed: int
) -> None:
    chance = random.Random(seed)
    file = tmp_path / "model.gguf"
    refused = 0
    for _ in range(40):
        for raw, header in files:
            file.write_bytes(making.mutated(chance, raw, header))
            refused += agree(file)
    assert 60 < refused < 180  # of 200: both sides of the line are seen


KINDS = sorted(gguf.GGML_QUANT_SIZES)


def test_every_type_that_the_package_knows_has_its_size() -> None:
    assert {kind: gguf.GGML_QUANT_SIZES[kind] for kind in KINDS} == {
        kind: SIZES[kind] for kind in KINDS
    }


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tensors=st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.integers(0, 3), st.lists(st.integers(1, 3), max_size=3)
        ),
        max_size=6,
    ),
    names=st.lists(st.text(max_size=20), min_size=6, max_size=6, unique=True),
    alignment=st.sampled_from([None, 8, 32, 4096]),
    texts=st.lists(st.text(max_size=9), max_size=5),
)
def test_what_the_package_writes_is_in_order(
    tmp_path: Path,
    tensors: list[tuple[gguf.GGMLQuantizationType, int, list[int]]],
    names: list[str],
    alignment: int | None,
    texts: list[str],
) -> None:
    file = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(file, "flux")
    if alignment:
        writer.add_custom_alignment(alignment)
    if texts:
        writer.add_array("texts", texts)
    writer.add_string("comfy.note", "".join(texts))
    for name, (kind, blocks, shape) in zip(names, tensors, strict=False):
        _, size = gguf.GGML_QUANT_SIZES[kind]
        writer.add_tensor(name, np.zeros((*shape, blocks * size), dtype=np.uint8), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert takes(file) == ""
    found = inspect(str(file), 0)
    assert (found.code, found.format) == ("", "gguf")
    # The last tensor's own bytes are needed, what fills up after it is not.
    if any(blocks for _, blocks, _ in tensors):
        end = max(t.data_offset + t.n_bytes for t in Reader(file).tensors if t.n_bytes)
        for size, expected in ((end, ""), (end - 1, "model_truncated")):
            file.write_bytes(file.read_bytes()[:size])
            assert inspect(str(file), 0).code == expected
            assert bool(takes(file)) == bool(expected)


def test_how_many_bytes_lack(tmp_path: Path) -> None:
    raw = making.gguf_written(tmp_path / "written.gguf")
    end = raw.index(b"c.weight") + 40
    data = -(-end // 32) * 32
    needed = data + 1024 + 32 + 2 * 34
    found = condition(tmp_path, raw[: data + 100])
    assert (found.code, found.format, found.lacking) == (
        "model_truncated",
        "gguf",
        needed - data - 100,
    )
    assert found.detail == f"it is cut off after {data + 100:,} of its {needed:,} bytes"


@pytest.mark.parametrize("kind", [4, 31, 42, 140, 398])
def test_of_a_type_that_is_not_known_nothing_is_said(tmp_path: Path, kind: int) -> None:
    raw = making.gguf_by_hand((), [making.tensor("a", [10**9], kind)], b"x")
    assert condition(tmp_path, raw).code == ""


def test_a_later_tensor_of_a_known_type_is_still_looked_for(tmp_path: Path) -> None:
    tensors = [making.tensor("a", [7], 42), making.tensor("b", [8], 0, 64)]
    raw = making.gguf_by_hand((), tensors, bytes(64))
    assert (condition(tmp_path, raw).code, condition(tmp_path, raw).lacking) == (
        "model_truncated",
        32,
    )


def test_a_vocabulary_longer_than_what_is_read_costs_no_claim(tmp_path: Path) -> None:
    words = struct.pack("<IQ", 8, 200_000) + making.text("word") * 200_000
    raw = making.gguf_by_hand([making.field("words", 9, words)], [making.tensor("a", [8])], b"")
    found = condition(tmp_path, raw)
    assert (found.code, found.format) == ("", "gguf")
    assert "longer than what is read" in found.detail


def test_numbers_are_passed_over_however_many_there_are(tmp_path: Path) -> None:
    scores = struct.pack("<IQ", 6, 10**6) + bytes(4 * 10**6)
    raw = making.gguf_by_hand([making.field("scores", 9, scores)], [making.tensor("a", [8])], b"")
    assert condition(tmp_path, raw).lacking == 32


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"GGU", "it does not begin as a GGUF file does"),
        (bytes(900), "it begins with zeros"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "it is of version 1 of the format"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 0), "it ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "it ends within its header"),
        (b"GGUF\3\0", "it ends within its header: at least 2 bytes lack"),
        (making.gguf_by_hand((), [making.tensor("a", [2**62, 2**62])]), "would be larger than any"),
        (making.gguf_by_hand((), [making.tensor("a", [8], 0, 2**64 - 9)]), "beyond the end of any"),
        (making.gguf_by_hand((), [making.tensor("a", [1])] * 2, bytes(9)), "the tensor 'a' twice"),
        (making.gguf_by_hand([making.field("k", 0, b"1")] * 2), "the field 'k' twice"),
        (making.gguf_by_hand([making.field("k", 99, b"")]), "of no type that there is"),
        (making.gguf_by_hand([making.field("k\x1b[2J" * 99, 0, b"1")] * 2), "\\x1b[2J"),
        (making.gguf_by_hand((), [making.tensor("a", [33], 2)], bytes(99)), "whole blocks"),
        (
            making.gguf_by_hand([making.field("k", 9, struct.pack("<IQ", 9, 1) * 5_000)]),
            "of no type that there is",
        ),
    ],
    ids=count(),
)
def test_what_is_wrong_is_said(tmp_path: Path, raw: bytes, detail: str) -> None:
    found = condition(tmp_path, raw)
    assert found.code == "gguf_header"
    assert detail in found.detail
    assert takes(tmp_path / "model.gguf")
