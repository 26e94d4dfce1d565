"""Streams that cannot be written, or that lack characters."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman import streams

if TYPE_CHECKING:
    import pytest


def test_what_cannot_be_written_is_dropped_once_and_for_all() -> None:
    with Path("/dev/full").open("w") as full:
        full.write("x")
        assert streams.write_out(full) == "No space left on device"
        full.write("y")
        assert streams.write_out(full) is None


def test_what_an_encoding_lacks_is_escaped() -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert streams.encodable("naïve 模\n", ascii_only) == "na\\xefve \\u6a21\n"
    assert streams.encodable("naïve 模\n", io.StringIO()) == "naïve 模\n"


def test_the_journal_is_known_by_its_device_and_inode(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert streams.under_journal(stream)
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + 1}")
        assert not streams.under_journal(stream)
        monkeypatch.setenv("JOURNAL_STREAM", "nonsense")
        assert not streams.under_journal(stream)
