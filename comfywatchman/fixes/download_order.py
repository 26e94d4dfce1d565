"""What is to be downloaded, and whether that may be: names come from hostile files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import NAME_LIMIT, visible

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PICKLED: Final = frozenset({".bin", ".ckpt", ".pkl", ".pt", ".pt2", ".pth"})
"""Endings of files whose loading may run what is in them."""
ENDINGS: Final = PICKLED | {".gguf", ".safetensors", ".sft"}
"""Endings of model files, as ComfyUI and the common pack for GGUF list them."""
LONGEST_NAME: Final = 200
"""Bytes of a name; what is put behind it of a file that is not whole yet has room beside it."""

_FORBIDDEN: Final = re.compile(r'[/\\<>:"|?*]')
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)
"""Of Windows, which may see the same folder as a share."""
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


class DownloadError(Exception):
    """A file was not downloaded. The text is one sentence, without secrets, safe to show."""


@dataclass(frozen=True, slots=True)
class Order:
    """A file to download.

    Attributes:
        url: its address.
        folder: the folder to put it in, an absolute path.
        name: what to call it there.
        sha256: what it must have, if that is known.
        size: how many bytes it must have, likewise.
    """

    url: str
    folder: str
    name: str
    sha256: str | None = None
    size: int | None = None

    @property
    def target(self) -> str:
        """Where it is put."""
        return os.path.join(self.folder, self.name)  # noqa: PTH118  (a text, compared as one)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a download keeps to.

    Attributes:
        folders: the model folders, absolute paths; nothing is put anywhere else.
        hosts: which hosts may be asked, as the setting ``download_hosts`` has them.
        min_free: bytes that stay free on the disk.
        ca_file: authorities to trust beside the host's own.
        connect: seconds to wait for a connection.
        stall: seconds without progress worth the name.
        total: seconds for all of it.
    """

    folders: Collection[str]
    hosts: Collection[str]
    min_free: int
    ca_file: Path | None = None
    connect: float = 15.0
    stall: float = 60.0
    total: float = 24 * 3600.0


def check(order: Order, limits: Limits) -> None:
    """Refuse a file that must not be downloaded, whatever its address is.

    Raises:
        DownloadError: why.
    """
    if trouble := name_trouble(order.name):
        raise DownloadError(f"{visible(order.name, limit=NAME_LIMIT)!r} {trouble}")
    if order.folder not in limits.folders or not order.folder.startswith("/"):
        raise DownloadError(
            f"{visible(order.folder, limit=NAME_LIMIT)} is none of the server's model folders"
        )
    if order.sha256 is not None and not _SHA256.fullmatch(order.sha256):
        raise DownloadError("the expected SHA-256 is none: it has 64 hexadecimal digits")
    if order.size is not None and order.size <= 0:
        raise DownloadError("the expected size is none: it is more than nothing")
    ending = _ending(order.name)
    if ending in PICKLED and order.sha256 is None:
        raise DownloadError(
            f"{order.name} would be a {ending} file, whose loading may run what is in it: it is "
            "not downloaded without an expected SHA-256; get a .safetensors file in its place"
        )


def name_trouble(name: str) -> str | None:
    """Why nothing is saved under a name, the end of a sentence; None if it is a plain one."""
    if visible(name) != name or not name.isprintable():
        return "is no plain name: it holds characters that hide or act"
    if _FORBIDDEN.search(name):
        return 'is no plain name: it holds one of / \\ < > : " | ? *'
    if not name or name[0] in ".- ~" or name[-1] in ". ":
        return "is no plain name: it begins or ends with what names do not"
    if _RESERVED.match(name):
        return "is the name of a device on Windows"
    if len(os.fsencode(name)) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    if _ending(name) not in ENDINGS:
        return f"has no ending of a model file ({', '.join(sorted(ENDINGS))})"
    return None


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122  (Path drops what it thinks is none)
