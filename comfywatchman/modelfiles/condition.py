"""What became of one model file, as far as its first MiB tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NOT_SURE: Final = frozenset(
    {
        "model_download_unfinished",
        "model_hash_differs",
        "model_trailing_bytes",
        "model_unreadable",
    }
)
"""Codes of files that the server may be able to load all the same, now or soon."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one model file is, and what is wrong with it.

    Attributes:
        code: the finding's code; empty where nothing wrong was seen.
        format: what the file is by its content: ``safetensors``, ``gguf``, ``torch``, ``pickle``;
            empty where that is not known.
        detail: what is wrong, or what could not be seen, in a sentence that goes on after the
            file's name. What others wrote is quoted in it, and safe to show.
        lacking: bytes that the file lacks, at least.
        extra: bytes that it has too many.
        oid: SHA-256 of the file that a Git LFS pointer stands for, in hexadecimal.
        oid_size: bytes of that file.
    """

    code: str = ""
    format: str = ""
    detail: str = ""
    lacking: int | None = None
    extra: int | None = None
    oid: str | None = None
    oid_size: int | None = None

    @property
    def fails(self) -> bool:
        """Whether loading it fails for certain."""
        return bool(self.code) and self.code not in NOT_SURE


def of_bytes(count: int) -> str:
    """A number of bytes, exactly, and for people where it is large."""
    exact = f"{count:,} byte{'s' * (count != 1)}"
    for size, unit in ((1024**3, "GiB"), (1024**2, "MiB")):
        if count >= size:
            return f"{exact} ({count / size:,.1f} {unit})"
    return exact


def so_many_lack(count: int) -> str:
    """That so many bytes lack."""
    return f"{of_bytes(count)} lack{'s' * (count == 1)}"


def cut_off(name: str, size: int, end: int) -> Condition:
    """What is said of a file of this format that ends before it should."""
    detail = f"it is cut off after {size:,} of its {of_bytes(end)}"
    return Condition("model_truncated", name, detail, lacking=end - size)
