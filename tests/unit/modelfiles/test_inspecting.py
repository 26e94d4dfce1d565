"""Damaged and odd files are each named rightly, and none of them costs anything."""

from __future__ import annotations

import errno
import os
import random
import socket
import struct
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman import discovery
from comfywatchman.modelfiles import formats, inspecting
from comfywatchman.modelfiles.condition import Condition, of_bytes, so_many_lack
from comfywatchman.modelfiles.inspecting import inspect
from comfywatchman.modelfiles.source import MOST, Source
from tests.unit.modelfiles import making

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0
GGUF = making.gguf_by_hand(
    [making.field("general.name", 8, making.text("a"))], [making.tensor("a", [8, 4])], bytes(128)
)
PAGE = b"<!DOCTYPE html>\n<html lang=en><head><title>Sign in &middot; Civitai</title></head></html>"
WEIGHTS = making.weights()
HEADER = len(WEIGHTS) - 192
LEGACY = making.pickled()


def json_header(text: str) -> bytes:
    return making.safetensors(text, bytes(4))


FILES: list[tuple[str, bytes, str]] = [
    # Nothing wrong.
    ("a.safetensors", WEIGHTS, ""),
    ("a.sft", WEIGHTS, ""),
    ("UPPER.SAFETENSORS", WEIGHTS, ""),
    ("no-tensors.safetensors", making.safetensors("{}"), ""),
    ("a.gguf", GGUF, ""),
    ("a.gguf", GGUF + b"more", ""),
    ("a.pth", making.torch_zip(), ""),
    ("a.ckpt", making.torch_zip(prefix="v1-5/"), ""),
    ("a.pt", LEGACY, ""),
    ("a.onnx", b"\x08\x07\x12\x07pytorch", ""),
    ("a.bin", b"\0\1\2\3 of some other program", ""),
    ("config.json", b'{"error": "none"}', ""),
    ("readme.txt", b"<html> is a tag", ""),
    ("page.html", PAGE, ""),
    ("weights.json", b"[]", ""),
    ("unknown", WEIGHTS, ""),
    # Cut off, too long, empty.
    ("a.safetensors", b"", "model_empty"),
    ("a.gguf", b"", "model_empty"),
    ("a.pth", b"", "model_empty"),
    ("a.safetensors", WEIGHTS[:-1], "model_truncated"),
    ("a.safetensors", WEIGHTS[:HEADER], "model_truncated"),
    ("a.safetensors", WEIGHTS + b"\0", "model_trailing_bytes"),
    ("a.safetensors", WEIGHTS * 2, "model_trailing_bytes"),
    ("a.gguf", GGUF[:-1], "model_truncated"),
    ("a.gguf", GGUF[:-128], "model_truncated"),
    ("a.pt", LEGACY[:-1], "model_truncated"),
    ("a.pt", LEGACY[:70], "model_truncated"),
    # safetensors.
    ("a.safetensors", WEIGHTS[:5], "safetensors_header"),
    ("a.safetensors", WEIGHTS[:8], "safetensors_header"),
    ("a.safetensors", WEIGHTS[: HEADER - 1], "safetensors_header"),
    ("a.safetensors", bytes(70_000), "safetensors_header"),
    ("a.safetensors", b"\xff" * 70_000, "safetensors_header"),
    ("a.safetensors", random.Random(1).randbytes(70_000), "safetensors_header"),
    ("a.safetensors", struct.pack("<Q", 100_000_001) + b"{}", "safetensors_header"),
    ("a.safetensors", struct.pack("<Q", 2**63) + b"{}", "safetensors_header"),
    ("a.safetensors", struct.pack("<Q", 1) + b"{}", "safetensors_header"),
    ("a.safetensors", json_header("[1]"), "safetensors_header"),
    ("a.safetensors", json_header("null"), "safetensors_header"),
    ("a.safetensors", json_header('{"a":1}'), "safetensors_header"),
    ("a.safetensors", json_header('{"a":{"dtype":"F32","shape":[1]}}'), "safetensors_header"),
    ("a.safetensors", json_header('{"__metadata__":{"a":1}}'), "safetensors_header"),
    ("a.safetensors", json_header("{" + '"a":{' * 40_000), "safetensors_header"),
    ("a.safetensors", json_header('{"a":' + "9" * 500_000 + "}"), "safetensors_header"),
    ("a.safetensors", json_header('{"a":["F32",[NaN],[0,4]]}'), "safetensors_header"),
    ("a.safetensors", json_header('{"a":["F32",[1],[4,8]]}'), "safetensors_header"),
    ("a.safetensors", json_header('{"a":["F32",[1],[4,0]]}'), "safetensors_header"),
    ("a.safetensors", json_header('{"a":["F32",[2],[0,4]]}'), "safetensors_header"),
    ("a.safetensors", json_header('{"a":["F32",[1,2],[0,4]]}'), "safetensors_header"),
    (
        "a.safetensors",
        json_header('{"a":["F16",[1],[0,2]],"b":["F16",[1],[1,3]]}'),
        "safetensors_header",
    ),
    ("a.safetensors", json_header(f'{{"a":["F32",[{2**63},4],[0,0]]}}'), "safetensors_header"),
    ("a.safetensors", json_header(f'{{"a":["F32",[{2**70}],[0,4]]}}'), "safetensors_header"),
    (
        "a.safetensors",
        making.safetensors(b'{"\xff":["U8",[4],[0,4]]}', bytes(4)),
        "safetensors_header",
    ),
    ("a.safetensors", b"\x89PNG\r\n\x1a\n" + bytes(99), "safetensors_header"),
    # GGUF.
    ("a.gguf", GGUF[:3], "gguf_header"),
    ("a.gguf", GGUF[:9], "gguf_header"),
    ("a.gguf", GGUF[:40], "gguf_header"),
    ("a.gguf", bytes(5000), "gguf_header"),
    ("a.gguf", b"GGML" + GGUF[4:], "gguf_header"),
    ("a.gguf", GGUF[:4] + struct.pack("<I", 4) + GGUF[8:], "gguf_header"),
    ("a.gguf", GGUF[:8] + struct.pack("<Q", 2**62) + GGUF[16:], "gguf_header"),
    ("a.gguf", GGUF[:16] + struct.pack("<Q", 2**62) + GGUF[24:], "gguf_header"),
    (
        "a.gguf",
        making.gguf_by_hand([making.field("general.alignment", 4, b"\3\0\0\0")]),
        "gguf_header",
    ),
    (
        "a.gguf",
        making.gguf_by_hand([making.field("k", 9, b"\x09\0\0\0\1" + bytes(7)) * 3]),
        "gguf_header",
    ),
    # PyTorch.
    ("a.pth", making.torch_zip()[:-1], "torch_not_zip"),
    ("a.ckpt", making.torch_zip()[:700], "torch_not_zip"),
    ("a.bin", making.torch_zip()[:700], "torch_not_zip"),
    ("a.pt", making.torch_zip(("data/0",)), "torch_not_zip"),
    ("a.pth", bytes(9000), "torch_not_zip"),
    ("a.pth", b"\x1f\x8b\x08 packed", "torch_not_zip"),
    # What is found in place of a model.
    ("a.safetensors", making.POINTER, "model_is_lfs_pointer"),
    ("a.gguf", making.POINTER.replace(b"\n", b"\r\n"), "model_is_lfs_pointer"),
    ("a.onnx", making.POINTER, "model_is_lfs_pointer"),
    ("a.bin", b"version https://git-lfs.github.com/spec/v1\n", "model_is_lfs_pointer"),
    ("a.safetensors", PAGE, "model_is_html"),
    ("a.ckpt", b"\xef\xbb\xbf\r\n\r\n<HTML><body>", "model_is_html"),
    ("a.gguf", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "model_is_html"),
    ("a.onnx", PAGE, "model_is_html"),
    ("a.safetensors", b'{"error":"Invalid username or password."}', "model_is_json_error"),
    ("a.safetensors", b"Invalid username or password.", "model_is_json_error"),
    ("a.gguf", b"Entry not found", "model_is_json_error"),
    ("a.pt", b"404: Not Found", "model_is_json_error"),
    ("a.pth", b'{\n  "message": "The creator requires you to log in"}', "model_is_json_error"),
    ("a.ckpt", b'[{"error": {"message": "no"}}]', "model_is_json_error"),
    ("a.safetensors", b'{"weight_map": {}}', "model_is_json_error"),
    ("a.bin", b"{}", "model_is_json_error"),
    # Endings.
    ("a.safetensors", GGUF, "model_extension_lies"),
    ("a.gguf", WEIGHTS, "model_extension_lies"),
    ("a.ckpt", WEIGHTS, "model_extension_lies"),
    ("a.bin", GGUF, "model_extension_lies"),
    ("a.safetensors", making.torch_zip(), "model_extension_lies"),
    ("a.sft", LEGACY, "model_extension_lies"),
    ("a.gguf", LEGACY, "model_extension_lies"),
    # Downloads.
    ("a.safetensors.part", WEIGHTS[:99], "model_download_unfinished"),
    ("a.safetensors.aria2", bytes(99), "model_download_unfinished"),
    ("a.incomplete", b"", "model_download_unfinished"),
    ("a.safetensors.crdownload", PAGE, "model_download_unfinished"),
    ("a.safetensors.!qB", bytes(99), "model_download_unfinished"),
]
FORMATS = {"a.safetensors": "safetensors", "a.gguf": "gguf", "a.pth": "torch", "a.pt": "pickle"}


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    FILES,
    ids=[f"{n}-{code or 'fine'}" for n, (*_, code) in enumerate(FILES)],
)
def test_each_is_named_rightly(tmp_path: Path, name: str, raw: bytes, code: str) -> None:
    file = tmp_path / name
    file.write_bytes(raw)
    found = inspect(str(file), NOW)
    assert found.code == code, found
    assert bool(found.detail) == bool(code)
    assert name not in found.detail
    assert "\n" not in found.detail
    if not code and name in FORMATS:
        assert found.format == FORMATS[name]


def test_there_are_enough_of_them() -> None:
    assert sum(1 for _, _, code in FILES if code) >= 60


def test_what_a_pointer_stands_for(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(making.POINTER)
    found = inspect(str(file), NOW)
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
    assert (found.oid, found.oid_size) == (oid, 12_345_678_901)
    assert found.lacking == 12_345_678_901 - len(making.POINTER)


def _link(place: Path) -> None:
    place.symlink_to("blobs/gone\x1b[2J")


def _loop(place: Path) -> None:
    place.symlink_to(place.name)


def _below_a_file(place: Path) -> None:
    (place.parent / "file").write_bytes(b"")
    place.symlink_to("file/below")


def _to_a_folder(place: Path) -> None:
    (place.parent / "folder").mkdir()
    place.symlink_to("folder")


def _pipe(place: Path) -> None:
    os.mkfifo(place)


def _socket(place: Path) -> None:
    folder = os.open(place.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{folder}/{place.name}")  # a socket's path is short
    os.close(folder)


def _device(place: Path) -> None:
    place.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "code", "detail"),
    [
        (
            _link,
            "model_broken_link",
            r"it is a link to 'blobs/gone\x1b[2J', where there is no file",
        ),
        (_loop, "model_broken_link", "it is a link that leads to itself"),
        (
            _below_a_file,
            "model_broken_link",
            "it is a link to 'file/below', where there is no file",
        ),
        (os.mkdir, "model_is_folder", "it is a folder"),
        (_to_a_folder, "model_is_folder", "it is a folder"),
        (_pipe, "model_unreadable", "it is a named pipe, not a file"),
        (_socket, "model_unreadable", "it is a socket, not a file"),
        (_device, "model_unreadable", "it is a device, not a file"),
        (lambda place: None, "model_unreadable", "it cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_file(
    tmp_path: Path, make: Callable[[Path], None], code: str, detail: str
) -> None:
    place = tmp_path / "a.safetensors"
    make(place)
    found = inspect(str(place), NOW)
    assert (found.code, found.detail) == (code, detail)


def test_a_model_of_several_files_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "stable-diffusion-v1.5").mkdir()
    assert inspect(str(tmp_path / "stable-diffusion-v1.5"), NOW).code == ""


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000, "", "\udcff.gguf"])
def test_a_name_that_cannot_be(name: str) -> None:
    assert inspect(name, NOW).code == "model_unreadable"


def test_a_file_that_its_user_may_not_read(tmp_path: Path) -> None:
    place = tmp_path / "a.safetensors"
    place.write_bytes(WEIGHTS)
    place.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        found = inspect(str(place), NOW)
    finally:
        if root:
            os.seteuid(0)
    assert (found.code, found.detail) == (
        "model_unreadable",
        "it cannot be read: Permission denied",
    )


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "a.safetensors"
    place.write_bytes(WEIGHTS)

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", pread)
    found = inspect(str(place), NOW)
    assert (found.code, found.detail) == (
        "model_unreadable",
        "it cannot be read: Input/output error",
    )


@pytest.mark.parametrize(
    ("age", "detail"),
    [
        (5, "it was written to within the last 10 minutes"),
        (-5, "it was written to within the last 10 minutes"),
        (601, "nothing was written to it for 10 minutes"),
        (86_400 * 3, "nothing was written to it for 3 days"),
    ],
)
def test_whether_a_download_still_runs(tmp_path: Path, age: float, detail: str) -> None:
    place = tmp_path / "a.safetensors.part"
    place.write_bytes(b"")
    os.utime(place, (NOW - age, NOW - age))
    assert inspect(str(place), NOW).detail.endswith(f"; {detail}")


def test_a_download_of_aria2_has_the_file_s_own_name(tmp_path: Path) -> None:
    place = tmp_path / "a.safetensors"
    place.write_bytes(WEIGHTS)
    control = tmp_path / "a.safetensors.aria2"
    control.write_bytes(b"\0\1")
    assert inspect(str(place), NOW).code == "model_download_unfinished"
    control.unlink()
    assert inspect(str(place), NOW).code == ""


SPARSE = [
    ("a.safetensors", WEIGHTS[:HEADER], "model_trailing_bytes"),
    ("a.safetensors", b"", "safetensors_header"),
    ("a.safetensors", struct.pack("<Q", 100_000_000) + b"{", ""),
    (
        "a.safetensors",
        making.safetensors(f'{{"a":["U8",[{2**41 - 80}],[0,{2**41 - 80}]]}}'.ljust(72)),
        "",
    ),
    ("a.gguf", GGUF, ""),
    ("a.gguf", GGUF[:16] + b"\2", "gguf_header"),
    (
        "a.gguf",
        b"GGUF" + struct.pack("<IQQ", 3, 1, 9) + making.field("k", 9, struct.pack("<IQ", 8, 2**40)),
        "",
    ),
    ("a.pth", making.torch_zip(), "torch_not_zip"),
    ("a.ckpt", b"", "torch_not_zip"),
    ("a.pt", LEGACY, ""),
    ("a.bin", b"", ""),
    ("a.onnx", making.POINTER, "model_is_lfs_pointer"),
]


@pytest.mark.parametrize(("name", "raw", "code"), SPARSE, ids=count())
def test_no_more_than_a_mebibyte_is_read_of_two_tebibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, raw: bytes, code: str
) -> None:
    place = tmp_path / name
    with place.open("wb") as stream:
        stream.write(raw)
        stream.truncate(2**41)
    read: list[int] = []
    original = os.pread

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        read.append(length)
        return original(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    found = inspect(str(place), NOW)
    assert found.code == code, found
    assert sum(read) <= MOST


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    begins=st.sampled_from([WEIGHTS, GGUF, making.torch_zip(), LEGACY, PAGE, making.POINTER, b""]),
    cut=st.integers(0, 400),
    raw=st.binary(max_size=300),
    name=st.sampled_from(["a.safetensors", "a.gguf", "a.pt", "a.bin", "a.pkl", "a.onnx", "a"]),
)
def test_whatever_lies_there_two_formats_do_not_claim_it(
    tmp_path: Path, begins: bytes, cut: int, raw: bytes, name: str
) -> None:
    place = tmp_path / name
    place.write_bytes(begins[:cut] + raw)
    inspect(str(place), NOW)
    with place.open("rb") as stream:
        source = Source("", place.stat().st_size, stream.fileno())
        assert sum(each.recognised(source) for each in inspecting.found()) <= 1


def test_a_format_needs_nothing_but_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "added_by_a_test.py").write_text(
        """
from comfywatchman.modelfiles.condition import Condition

NAME, WORDS, ENDINGS = "onnx", "an ONNX file", (".onnx",)

def recognised(source):
    return source.head.startswith(b"\\x08")

def inspect(source):
    return Condition("model_truncated" if source.size < 9 else "", NAME, "it is short")
""",
        encoding="utf-8",
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    inspecting.found.cache_clear()
    try:
        place = tmp_path / "a.onnx"
        for raw, code in ((b"\x08" * 8, "model_truncated"), (b"\x08" * 9, "")):
            place.write_bytes(raw)
            assert (inspect(str(place), NOW).code, inspect(str(place), NOW).format) == (
                code,
                "onnx",
            )
    finally:
        inspecting.found.cache_clear()


def test_each_format_has_its_test() -> None:
    beside = {file.name for file in (Path(__file__).parent / "formats").glob("test_*.py")}
    assert {f"test_{name}.py" for name in discovery.names(formats)} == beside


@pytest.mark.parametrize(
    ("code", "fails"),
    [
        ("", False),
        ("model_truncated", True),
        ("model_trailing_bytes", False),
        ("model_unreadable", False),
        ("model_download_unfinished", False),
    ],
)
def test_whether_loading_fails_for_certain(code: str, fails: bool) -> None:
    assert Condition(code).fails is fails


def test_a_number_of_bytes() -> None:
    assert [so_many_lack(count) for count in (1, 2)] == ["1 byte lacks", "2 bytes lack"]
    assert [of_bytes(count) for count in (0, 1, 1023, 1024**2, 3 * 1024**3 // 2)] == [
        "0 bytes",
        "1 byte",
        "1,023 bytes",
        "1,048,576 bytes (1.0 MiB)",
        "1,610,612,736 bytes (1.5 GiB)",
    ]
