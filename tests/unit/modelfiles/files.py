"""Model files on a disk."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comfywatchman.comfyui.model_files import ModelFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def listed(path: Path, folder: str = "loras", name: str | None = None) -> ModelFile:
    """A file as it is found."""
    status = path.stat()
    return ModelFile(
        folder,
        name or path.name,
        os.fspath(path),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_dev,
        status.st_ino,
    )


def written(path: Path, content: bytes = b"weights", folder: str = "loras") -> ModelFile:
    """A file with a content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return listed(path, folder)


@contextmanager
def writing_to(path: str | Path) -> Iterator[None]:
    """Somebody writes to a file all the time."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.01):
            os.utime(path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
