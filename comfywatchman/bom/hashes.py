"""What is known of the content of files without reading large ones: hashes that others noted."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.comfyui.files import begin_of
from comfywatchman.comfyui.names import last_part
from comfywatchman.state import open_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LARGEST_INPUT: Final = 64 * 1024**2
"""Bytes of an input file that is read for its hash."""
ALL_INPUTS: Final = 512 * 1024**2
"""Bytes of all of them."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NOTE: Final = 4096
_MOST_ENTRIES: Final = 10_000
_MOST_VALUES: Final = 2_000_000


class Listed(NamedTuple):
    """A model as a workflow lists it in ``properties.models``."""

    name: str
    folder: str | None
    url: str | None
    sha256: str | None


def listed_models(document: Any) -> list[Listed]:
    """The models that a workflow lists, wherever in it its nodes stand."""
    found: list[Listed] = []
    pending = [document]
    for _ in range(_MOST_VALUES):
        if not pending or len(found) >= _MOST_ENTRIES:
            break
        value = pending.pop()
        if isinstance(value, dict):
            entries = value.get("models")
            found += (
                [each for entry in entries if (each := _listed(entry))]
                if isinstance(entries, list)
                else []
            )
            pending += [inner for inner in value.values() if isinstance(inner, (dict, list))]
        elif isinstance(value, list):
            pending += [inner for inner in value if isinstance(inner, (dict, list))]
    return found


def _listed(entry: Any) -> Listed | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    kind, digest = str(entry.get("hash_type", "sha256")), str(entry.get("hash", "")).lower()
    known = kind.lower().replace("-", "") == "sha256" and _SHA256.fullmatch(digest)
    folder, url = entry.get("directory"), entry.get("url")
    return Listed(
        entry["name"],
        folder if isinstance(folder, str) else None,
        url if isinstance(url, str) else None,
        digest if known else None,
    )


def best(listed: Iterable[Listed], folder: str | None, name: str) -> Listed:
    """What a workflow lists of a model that it names: that of its folder, if it says folders."""
    same = [each for each in listed if last_part(each.name) == last_part(name)]
    here = [each for each in same if folder is None or each.folder in (None, folder)]
    first: dict[str, str | None] = {}
    for each in here or same:
        for key in ("url", "sha256"):
            first[key] = first.get(key) or getattr(each, key)
    return Listed(name, folder, first.get("url"), first.get("sha256"))


def of_huggingface(roots: Iterable[Path], name: str) -> str | None:
    """SHA-256 as the client of Hugging Face noted it down when it fetched the file.

    A file that was written to since then is another one.

    Args:
        roots: where the model may lie.
        name: its name below that.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    if not parts or ".." in parts or "\0" in name:
        return None
    for root in roots:
        for depth in range(len(parts)):
            above, below = parts[:depth], parts[depth:]
            note = root.joinpath(
                *above, ".cache", "huggingface", "download", *below[:-1], f"{below[-1]}.metadata"
            )
            if found := _noted(note, root.joinpath(*parts)):
                return found
    return None


def _noted(note: Path, file: Path) -> str | None:
    lines = (begin_of(note, _NOTE) or b"").decode(errors="replace").splitlines()
    if len(lines) < 3 or not _SHA256.fullmatch(lines[1].strip()):
        return None
    try:
        written = file.stat().st_mtime
        return lines[1].strip() if written - 1 <= float(lines[2]) else None
    except (OSError, ValueError):
        return None


class InputHasher:
    """Reads input files for their hashes, small ones and not too many bytes in all."""

    def __init__(self) -> None:
        self._left = ALL_INPUTS

    def look(self, root: Path, below: str) -> tuple[int | None, str | None]:
        """Size and SHA-256 of a file; None for what is not seen, or is too large to be read."""
        path = root / below
        try:
            real = os.path.realpath(path)
            if os.path.commonpath([real, os.path.realpath(root)]) != os.path.realpath(root):
                return None, None
            if not stat.S_ISREG(path.stat().st_mode):
                return None, None
            with open_at_once(path) as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return None, None
                size = status.st_size
                if size > min(LARGEST_INPUT, self._left):
                    return size, None
                self._left -= size
                digest = hashlib.sha256()
                for chunk in _chunks(stream, size):
                    digest.update(chunk)
                return size, digest.hexdigest()
        except (OSError, ValueError):
            return None, None


def _chunks(stream: Any, size: int) -> Iterator[bytes]:
    left = size
    while left > 0 and (chunk := stream.read(min(left, 1024**2))):
        left -= len(chunk)
        yield chunk
