"""What was found of model files, kept from one cycle to the next: only what changed is opened.

An answer holds for a file of the same path, size, times and inode, and for this very program. What
is still being written, and what may be written again within the same tick of a clock, has none.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple
from operator import contains
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman import state
from comfywatchman.modelfiles import codes
from comfywatchman.modelfiles.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile

_SETTLED: Final = 2 * 10**9
"""Nanoseconds since a change after which another one has another time, on every file system."""
_PASSING: Final = frozenset({codes.DOWNLOAD_UNFINISHED.name, codes.UNREADABLE.name})
"""Codes of what may be over though the file is as it was."""
_SOUND: Final = Condition()
_NUMBER: Final = (int, type(None))
_SHAPE: Final = ((str,), (str,), (str,), _NUMBER, _NUMBER, (str, type(None)), _NUMBER)
"""Types of a condition's fields."""


class Answers:
    """The answers of the cycles before. Nothing here raises: what cannot be kept is found again.

    Args:
        file: where they are kept; None keeps nothing.
        program: what tells this program from another version of it.

    Attributes:
        damage: one sentence if the file was damaged; None if it was not.
    """

    def __init__(self, file: Path | None, program: str) -> None:
        self._file = file
        self._program = program
        self.damage: str | None = None
        self._known: dict[str, list[Any]] = {}
        self._read = b""
        self._load()

    def get(self, file: ModelFile) -> Condition | None:
        """What was found of a file, if it is as it was then."""
        known = self._known.get(file.path)
        if not isinstance(known, list) or known[:1] != [_version(file)]:
            return None
        return _condition(known[1]) if len(known) > 1 else _SOUND

    def keep(
        self,
        found: Mapping[str, Condition],
        files: Iterable[ModelFile],
        now_ns: int,
        *,
        whole: bool,
    ) -> str | None:
        """Keep what was found for the next cycle.

        Args:
            found: by path, of the files that were looked into in this cycle.
            files: those that it saw.
            now_ns: when it began to.
            whole: whether these are all there are: answers of others are let go of.

        Returns:
            Why they are not kept, if they are not.
        """
        kept: dict[str, list[Any]] = {} if whole else dict(self._known)
        for file in files:
            condition = found.get(file.path)
            if condition is None:
                if self.get(file) is not None:
                    kept[file.path] = self._known[file.path]
            elif condition.code not in _PASSING and _is_settled(file, now_ns):
                rest = [] if condition == _SOUND else [list(astuple(condition))]
                kept[file.path] = [_version(file), *rest]
            else:
                kept.pop(file.path, None)
        try:
            content = _content(self._program, kept)
        except TypeError:  # a name that is no text, which Linux allows
            kept = {path: entry for path, entry in kept.items() if _is_text(path)}
            content = _content(self._program, kept)
        if self._file is None or content == self._read:
            return None
        try:
            state.replace_file(self._file, content)
        except OSError as error:
            return f"what was found of model files is not kept: {error.strerror}"
        return None

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            raw = state.read_file(self._file)
        except FileNotFoundError:
            return
        except OSError as error:
            self.damage = f"{self._file} cannot be read ({error.strerror}): begun anew"
            return
        try:
            known = _parsed(raw, self._program)
        except ValueError:
            aside = state.set_aside(self._file)
            moved = f", and is now {aside}" if aside else ""
            self.damage = f"{self._file} was damaged{moved}: all model files are looked into again"
            return
        self._known, self._read = known, raw


def _version(file: ModelFile) -> list[int]:
    return [file.size, file.mtime_ns, file.ctime_ns, file.inode]


def _condition(kept: Any) -> Condition | None:
    """What was kept of a file; None where that is no such thing."""
    shape = [*map(type, kept)] if isinstance(kept, list) else []
    if len(shape) != len(_SHAPE) or not all(map(contains, _SHAPE, shape)):
        return None
    return Condition(*kept)


def _is_settled(file: ModelFile, now_ns: int) -> bool:
    # A time to come is settled too: what is written now gets another one.
    return all(abs(now_ns - each) > _SETTLED for each in (file.mtime_ns, file.ctime_ns))


def _content(program: str, kept: dict[str, list[Any]]) -> bytes:
    content = orjson.dumps({"program": program, "files": kept})
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content + b"\n"


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(raw: bytes, program: str) -> dict[str, list[Any]]:
    """The answers of a file; none if another version of the program gave them.

    Raises:
        ValueError: it is damaged.
    """
    digest, _, content = raw.removesuffix(b"\n").partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise ValueError("another digest")
    document = orjson.loads(content)
    if not isinstance(document, dict) or not isinstance(document.get("files"), dict):
        raise ValueError("another shape")
    files: dict[str, list[Any]] = document["files"]
    return files if document.get("program") == program else {}
