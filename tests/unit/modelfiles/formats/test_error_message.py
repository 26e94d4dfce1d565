"""What a server answered in place of a model is quoted, and models are not taken for it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from comfywatchman.modelfiles.inspecting import inspect
from tests.unit.modelfiles import making

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'{"error":"Unauthorized"}', "it is an error message: 'Unauthorized'"),
        (b' \n{"error": {"message": "no key"}}', "it is an error message: 'no key'"),
        (b'{"errors": [{"detail": "gone"}]}', "it is an error message: 'gone'"),
        (b'{"a": 1}', "it is a JSON text"),
        (b'{"error": ', "it is a JSON text"),
        (b'{"error": 5}', "it is a JSON text"),
        (b'[{"error": "' + b"x" * 9000 + b'"}]', "it is a JSON text"),
        (b'{"error":' * 900, "it is a JSON text"),
        (b"[[" * 2000, "it is a JSON text"),
        (
            b"Invalid username or password.",
            "it is an error message: 'Invalid username or password.'",
        ),
        (b"404: Not Found\n\nmore", "it is an error message: '404: Not Found'"),
        (b"error code: 1020", "it is an error message: 'error code: 1020'"),
        (
            b"Access to model x is restricted.",
            "it is an error message: 'Access to model x is restricted.'",
        ),
        (b'{"error":"a\\u001b[2J\\nb"}', r"it is an error message: 'a\x1b[2J b'"),
    ],
    ids=count(),
)
def test_what_it_says(tmp_path: Path, raw: bytes, detail: str) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(raw)
    found = inspect(str(file), 0)
    assert (found.code, found.detail) == ("model_is_json_error", detail)


def test_no_token_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b'{"error":"token=hf_abcdefghijklmnopqrstuvwxyz is not valid"}')
    assert "hf_abc" not in inspect(str(file), 0).detail


@pytest.mark.parametrize("length", [0x227B, 0x7D7B, 0x5B5B, 0x7B5B])
def test_a_safetensors_header_may_begin_alike(tmp_path: Path, length: int) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(making.safetensors("{}".ljust(length)))
    assert inspect(str(file), 0).code == ""


@pytest.mark.parametrize("ending", [".json", ".txt", ".yaml"])
def test_where_such_a_text_may_be(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"model{ending}"
    file.write_bytes(b'{"error": "x"}')
    assert inspect(str(file), 0).code == ""
