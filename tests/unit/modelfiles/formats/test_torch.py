"""What PyTorch writes is in order, and an archive without its end is not."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.modelfiles.inspecting import inspect
from comfywatchman.modelfiles.source import MOST
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
    names=st.lists(st.text("ab/0été", min_size=1, max_size=30), max_size=12, unique=True),
    prefix=st.text("abc", min_size=1, max_size=9),
    size=st.integers(0, 2000),
    comment=st.binary(max_size=40),
    ending=st.sampled_from([".pt", ".pth", ".ckpt", ".bin", ".pkl"]),
)
def test_an_archive_as_pytorch_writes_it_is_in_order(
    tmp_path: Path, names: list[str], prefix: str, size: int, comment: bytes, ending: str
) -> None:
    raw = making.torch_zip(["data.pkl", *names], f"{prefix}/", size)
    found = condition(tmp_path, raw, f"model{ending}")
    assert (found.code, found.format) == ("", "torch")
    # PyTorch's reader does not mind what follows, as long as it finds the end.
    assert condition(tmp_path, raw + comment).code == ""


def test_one_that_needs_64_bits_is_in_order(tmp_path: Path) -> None:
    """Written as PyTorch does, which says everything in 64 bits, and with a file of 5 GiB."""
    large = 5 * 2**30
    extra = struct.pack("<2H3Q", 1, 24, large, large, 2**20)
    first = b"PK\x01\x02" + bytes(16) + struct.pack("<LLHHH", 9, 9, 16, 0, 0) + bytes(8)
    first += struct.pack("<L", 0) + b"archive/data.pkl"
    second = b"PK\x01\x02" + bytes(16) + struct.pack("<LLHHH", 2**32 - 1, 2**32 - 1, 6, 28, 0)
    second += bytes(8) + struct.pack("<L", 2**32 - 1) + b"data/0" + extra
    begins = large + 2**21
    directory = first + second
    end = b"PK\x06\x06" + struct.pack("<QHHLL4Q", 44, 45, 45, 0, 0, 2, 2, len(directory), begins)
    place = b"PK\x06\x07" + struct.pack("<LQL", 0, begins + len(directory), 1)
    last = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 2, 2, 2**32 - 1, 2**32 - 1, 0)
    file = tmp_path / "model.ckpt"
    with file.open("wb") as stream:
        stream.write(b"PK\x03\x04")
        stream.seek(begins)
        stream.write(directory + end + place + last)
    assert inspect(str(file), 0).code == ""
    with file.open("r+b") as stream:
        stream.seek(begins + len(first) + 24)
        stream.seek(begins + len(first) + 46 + 6 + 4)
        stream.write(struct.pack("<2Q", 2 * large, 2 * large))
    assert inspect(str(file), 0).code == "torch_not_zip"


@pytest.mark.parametrize("less", [1, 5, 22, 60, 300, 2000])
def test_one_that_was_cut_off_is_not(tmp_path: Path, less: int) -> None:
    found = condition(tmp_path, making.torch_zip()[:-less])
    assert (found.code, found.format) == ("torch_not_zip", "torch")
    assert "it is cut off" in found.detail
    assert found.lacking == 1


def test_a_text_of_a_pickle_of_old_is_no_archive_and_no_damage(tmp_path: Path) -> None:
    assert condition(tmp_path, pickle.dumps({"a": 1}, 0), "model.pkl").code == ""


def ends_with(count: int, size: int, begins: int, disk: int = 0) -> bytes:
    return b"PK\x05\x06" + struct.pack("<4H2LH", disk, disk, count, count, size, begins, 0)


@pytest.mark.parametrize(
    "raw",
    [
        making.ZIP + ends_with(1, 46, 0),
        making.ZIP + ends_with(9, 46, 0),
        making.ZIP + ends_with(65535, 2**32 - 1, 2**32 - 1),
        making.ZIP + ends_with(1, 46, 2**31),
        making.ZIP + b"PK\x06\x07" + struct.pack("<LQL", 0, 2**63, 1) + ends_with(0, 0, 0),
        making.ZIP
        + b"PK\x06\x06"
        + b"PK\x06\x07"
        + struct.pack("<LQL", 0, 4, 1)
        + ends_with(0, 0, 0),
        making.torch_zip()[:-22] + ends_with(5, 900, 5, disk=3),
        making.torch_zip().replace(b"PK\x01\x02", b"PK\x01\x09", 1),
    ],
    ids=count(),
)
def test_a_directory_that_contradicts_the_archive(tmp_path: Path, raw: bytes) -> None:
    assert condition(tmp_path, raw).code == "torch_not_zip"


@pytest.mark.parametrize(
    ("ending", "code"), [(".pth", "torch_not_zip"), (".bin", ""), (".onnx", ""), (".zip", "")]
)
def test_another_archive(tmp_path: Path, ending: str, code: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", making.weights())
    assert condition(tmp_path, stream.getvalue(), f"model{ending}").code == code
    cut = "torch_not_zip" if ending in (".pth", ".bin") else ""
    assert condition(tmp_path, stream.getvalue()[:-9], f"model{ending}").code == cut


@pytest.mark.parametrize(
    ("raw", "ending", "code"),
    [
        (bytes(5000), ".pth", "torch_not_zip"),
        (b"not a model", ".ckpt", "torch_not_zip"),
        (b"\x93NUMPY\x01\x00v\x00", ".pt", "torch_not_zip"),
        (b"lmgg" + bytes(99), ".bin", ""),
        (b"model" + bytes(252) + b"ustar\x0000", ".pth", ""),
    ],
    ids=count(),
)
def test_what_is_no_archive(tmp_path: Path, raw: bytes, ending: str, code: str) -> None:
    assert condition(tmp_path, raw, f"model{ending}").code == code


def test_a_directory_longer_than_what_is_read_costs_no_claim(tmp_path: Path) -> None:
    raw = making.torch_zip((f"{n:060}" for n in range(MOST // 90)), size=0)
    assert condition(tmp_path, raw).code == ""
