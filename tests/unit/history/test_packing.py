"""What was packed can be read by every later release, and damage is told as that."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.history import packing
from comfywatchman.history.error import DamagedError

NEVER_CHANGE = {
    "dictionary-1.txt": "1507f0cbe9c3491e498864d093e1b62e570e088abcd6f21abc15c0cd731128f9",
}


def test_no_dictionary_ever_changes() -> None:
    folder = Path(packing.__file__).parent
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.glob("dictionary-*.txt")
    }
    assert found == NEVER_CHANGE


@given(st.binary(max_size=200))
def test_what_is_packed_is_unpacked(content: bytes) -> None:
    assert packing.unpack(packing.pack(content)) == content


@given(st.binary(max_size=50) | st.none() | st.text(max_size=5) | st.integers())
def test_damage_is_told_as_that(content: object) -> None:
    with pytest.raises(DamagedError):
        packing.unpack(content)


def test_a_finding_takes_a_fraction_of_its_length() -> None:
    content = (
        b'{"findings":[{"code":"value_not_in_list","severity":"error","message":"checkpoint '
        b"'mine.safetensors' is not among the 14 files ComfyUI lists for 'ckpt_name'\","
        b'"subject":{"kind":"model","name":"mine.safetensors","folder":"checkpoints"}}]}'
    )
    assert len(packing.pack(content)) < len(content) / 2
