"""Standard output and error: either may be closed, full, gone, of any encoding, or the journal."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def replace_closed() -> None:
    """Put something that can be used in place of what whoever started us has closed."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def write_out(stream: TextIO) -> str | None:
    """Write what a stream still holds; drop it where it cannot be written.

    Python itself would end with an exit code of its own.

    Returns:
        Why it was dropped; None if it was not.
    """
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error.strerror
    return None


def unwritten(reason: str) -> str:
    """The sentence about standard output that could not be written."""
    return f"standard output cannot be written: {reason}"


def encodable(text: str, stream: TextIO) -> str:
    """The text with escapes for what the encoding of ``stream`` lacks."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def under_journal(stream: TextIO) -> bool:
    """Whether systemd has connected this stream to the journal."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
        return (int(device), int(inode)) == (status.st_dev, status.st_ino)
    except (OSError, ValueError):
        return False
