"""``model-hashes.json``: the SHA-256 of each model file that was read as a whole, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from comfywatchman import lenient_json, state, state_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile

_SCHEMA: Final = 1
_LONG: Final = 365 * 86_400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the content of a file.

    Attributes:
        size: bytes that it had.
        mtime_ns: when it had been changed.
        sha256: what it held when it was first read so.
        first_at: when that was, in seconds since 1970.
        checked_at: when it was last read.
        now: what it held then.
        differs: the sources that say otherwise.
    """

    size: int
    mtime_ns: int
    sha256: str
    first_at: float
    checked_at: float
    now: str
    differs: tuple[str, ...] = ()

    def is_of(self, file: ModelFile) -> bool:
        """Whether the file has its size and time still."""
        return self.size == file.size and self.mtime_ns == file.mtime_ns

    @property
    def wrong(self) -> str:
        """What is wrong with its content, in a sentence; empty if nothing is known to be."""
        if self.now != self.sha256:
            day = datetime.fromtimestamp(self.first_at, UTC)
            return (
                f"its content is another one than on {day:%Y-%m-%d}, though it has not been "
                "written to since"
            )
        if self.differs:
            says = "says" if len(self.differs) == 1 else "say"
            return f"its SHA-256 is not what {' and '.join(self.differs)} {says}"
        return ""


class Hashes:
    """What is known of the files of a host, by their paths.

    Attributes:
        damage: one sentence if what was kept cannot be read; None if it could.

    Args:
        folder: the state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / state_files.MODEL_HASHES
        self._known: dict[str, Known] = {}
        self.damage: str | None = None

    @classmethod
    def read(cls, folder: Path, *, set_aside: bool = False) -> Self:
        """Read what was kept.

        Args:
            folder: the state folder.
            set_aside: move it out of the way where it is damaged, so that another can be written.
        """
        found = cls(folder)
        try:
            found._known = _entries(lenient_json.parse(state.read_file(found._file)))
        except FileNotFoundError:
            pass
        except OSError as error:
            found.damage = f"{found._file} cannot be read: {error.strerror}"
        except ValueError:
            aside = state.set_aside(found._file) if set_aside else None
            moved = f", is now {aside}" if aside else ""
            found.damage = f"{found._file} is damaged{moved}: every file is new to it"
        return found

    def of(self, file: ModelFile) -> Known | None:
        """What is known of a file as it is now; None if it was not read, or was changed since."""
        known = self._known.get(file.path)
        return known if known is not None and known.is_of(file) else None

    def by_name(self, files: Iterable[ModelFile]) -> dict[tuple[str, str], str]:
        """What some files held when they were last read as a whole, by folder and name."""
        known = ((file, self.of(file)) for file in files)
        return {(file.folder, file.name): found.now for file, found in known if found is not None}

    def of_paths(self, files: Iterable[ModelFile]) -> dict[str, tuple[str, int]]:
        """SHA-256 and size by path, of files as they are now, and of those that are gone."""
        there = {file.path: file for file in files}
        return {
            path: (known.now, known.size)
            for path, known in self._known.items()
            if path not in there or known.is_of(there[path])
        }

    def put(self, file: ModelFile, known: Known) -> None:
        """Note what a file holds."""
        self._known[file.path] = known

    def forget_long_unseen(self, seen: set[str], now: float) -> None:
        """Forget the files that have not been there for long.

        Those that are not seen today may be so tomorrow: a mount hangs, or the server is down that
        alone knows of a folder. What they held is what decay is known by.

        Args:
            seen: the paths of those that are there.
            now: seconds since 1970.
        """
        since = now - _LONG
        self._known = {
            path: known
            for path, known in self._known.items()
            if path in seen or known.checked_at > since
        }

    def write(self) -> None:
        """Have it outlast this process.

        Raises:
            OSError: it could not be written, and is as it was.
        """
        files = {
            path.encode(errors="surrogateescape").decode("latin-1"): _as_json(known)
            for path, known in self._known.items()
        }
        state.replace_file(self._file, orjson.dumps({"schema_version": _SCHEMA, "files": files}))


def _as_json(known: Known) -> dict[str, Any]:
    return {
        "size": known.size,
        "mtime_ns": known.mtime_ns,
        "sha256": known.sha256,
        "first_at": known.first_at,
        "checked_at": known.checked_at,
        "now": known.now,
        "differs": list(known.differs),
    }


def _entries(document: Any) -> dict[str, Known]:
    """Read them.

    Raises:
        ValueError: they are not as they were written.
    """
    try:
        return {
            path.encode("latin-1").decode(errors="surrogateescape"): Known(
                size=_whole(entry["size"]),
                mtime_ns=_whole(entry["mtime_ns"]),
                sha256=str(entry["sha256"]),
                first_at=_moment(entry["first_at"]),
                checked_at=_moment(entry["checked_at"]),
                now=str(entry["now"]),
                differs=tuple(map(str, entry["differs"])),
            )
            for path, entry in document["files"].items()
        }
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(str(error)) from None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("is no whole number")
    return value


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("is no number")
    datetime.fromtimestamp(value, UTC)  # is one of the calendar's
    return value
