"""Pages in place of a model are known, with their titles, and other files are not taken for one."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from comfywatchman.modelfiles.inspecting import inspect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"<!doctype html><title>Login | Civitai</title>", "with the title 'Login | Civitai'"),
        (b"\xef\xbb\xbf  \r\n<!DOCTYPE HTML><TITLE\n>a &lt;b&gt;\n c</TITLE>", "'a <b> c'"),
        (b"<html><title>\x1b[2J&#x202e;</title>", r"'\x1b[2J\u202e'"),
        (b"<html><title>\xff\xfe</title>", "with the title"),
        (b"<html><title>token=hf_abcdefghijklmnopqrstuvwxyz</title>", "with the title"),
        (
            b"<?xml version='1.0'?><Error><Message>Request has expired</Message>",
            "'Request has expired'",
        ),
        (b"<html>" + b"<" * 4000, "it is a web page"),
        (b"<head></head>", "it is a web page"),
        (b"<!-- saved from -->", "it is a web page"),
    ],
    ids=count(),
)
def test_which_page_it_is(tmp_path: Path, raw: bytes, detail: str) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(raw)
    found = inspect(str(file), 0)
    assert found.code == "model_is_html"
    assert detail in found.detail
    assert "hf_abc" not in found.detail
    assert "\x1b" not in found.detail


@pytest.mark.parametrize("raw", [b"<" + bytes(99), b"<htm", b"text <html>", b"<3"], ids=count())
def test_what_is_none(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(raw)
    assert inspect(str(file), 0).code == ""


@pytest.mark.parametrize("ending", [".html", ".md", ".txt", ".svg"])
def test_where_a_page_may_be(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"about{ending}"
    file.write_bytes(b"<html><title>a</title>")
    assert inspect(str(file), 0).code == ""
