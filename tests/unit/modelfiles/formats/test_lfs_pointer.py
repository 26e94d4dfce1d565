"""A Git LFS pointer says what it stands for, if it is whole."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from comfywatchman.modelfiles.inspecting import inspect
from tests.unit.modelfiles.making import POINTER

if TYPE_CHECKING:
    from pathlib import Path

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"


@pytest.mark.parametrize(
    ("raw", "oid", "size"),
    [
        (POINTER, OID, 12_345_678_901),
        (POINTER.replace(b"\n", b"\r\n"), OID, 12_345_678_901),
        (POINTER.replace(b"git-lfs.github.com", b"hawser.github.com"), OID, 12_345_678_901),
        (POINTER + b"x-more: 1\n", OID, 12_345_678_901),
        (POINTER.replace(b"size ", b"size -"), OID, None),
        (POINTER.replace(b"12345678901", b"9" * 400), OID, None),
        (POINTER.replace(b"4d7a", b"4D7A"), None, 12_345_678_901),
        (POINTER.replace(b"4d7a", b"4d7"), None, 12_345_678_901),
        (POINTER[:50], None, None),
        (POINTER.replace(b"12345678901", b"3"), OID, 3),
    ],
    ids=count(),
)
def test_what_it_stands_for(tmp_path: Path, raw: bytes, oid: str | None, size: int | None) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(raw)
    found = inspect(str(file), 0)
    assert (found.code, found.oid, found.oid_size) == ("model_is_lfs_pointer", oid, size)
    assert found.lacking == (None if size is None else max(0, size - len(raw)))
    if oid and size:
        assert found.detail == (
            f"it is a Git LFS pointer, which stands for a file of {size:,} bytes"
            f"{' (11.5 GiB)' if size > 3 else ''} with the SHA-256 {OID}"
        )


def test_it_is_one_whatever_its_ending(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(POINTER)
    assert inspect(str(file), 0).code == "model_is_lfs_pointer"
