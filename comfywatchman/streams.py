"""Standard output and error: either may be closed, full, gone, of any encoding, or the journal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

from comfywatchman import redaction

if TYPE_CHECKING:
    from collections.abc import Iterable


def replace_closed() -> None:
    """Put something that can be used in place of what whoever started us has closed."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


class _Guarded:
    """A stream that the credential for the server does not pass."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(redaction.catch_text(text) if isinstance(text, str) else text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard() -> None:
    """See to it that nothing prints the credential for the server, not even Python's warnings."""
    sys.stdout = cast("TextIO", _Guarded(sys.stdout))
    sys.stderr = cast("TextIO", _Guarded(sys.stderr))


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
