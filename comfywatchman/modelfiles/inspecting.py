"""Finds out what became of a model file: opened once, and no more than 1 MiB of it read."""

from __future__ import annotations

import errno
import os
import stat
from functools import cache
from pathlib import Path
from typing import Final, Protocol, cast

from comfywatchman import discovery, state
from comfywatchman.findings import quoted
from comfywatchman.modelfiles import formats
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.modelfiles.source import Source, Unseen, ending_of
from comfywatchman.moments import span

UNFINISHED: Final = (".part", ".aria2", ".incomplete", ".crdownload", ".!qb")
"""Endings that programs give to what they have not finished downloading, in small letters."""
YOUNG: Final = 600
"""Seconds without a byte after which a download is not said to be running."""
_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class Format(Protocol):
    """A module of :mod:`comfywatchman.modelfiles.formats`, which says what these do."""

    NAME: str
    WORDS: str
    ENDINGS: tuple[str, ...]

    def recognised(self, source: Source) -> bool:
        """Whether a file is of this format, by how it begins."""

    def inspect(self, source: Source) -> Condition:
        """What became of it."""


def inspect(path: str, now: float) -> Condition:
    """Find out what became of a model file. Nothing is waited for, and nothing raised.

    Args:
        path: of the file.
        now: seconds since 1970.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  (twice as fast, on many files)
        if not stat.S_ISREG(status.st_mode):
            return _no_file(path, status.st_mode)
        if unfinished := _unfinished(path, status, now):
            return unfinished
        if not status.st_size:
            return Condition("model_empty", detail="it is empty", lacking=1)
        with state.open_at_once(Path(path)) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return _no_file(path, status.st_mode)
            return _content(Source(ending_of(path), status.st_size, stream.fileno()))
    except OSError as error:
        return _unreadable(path, error)
    except ValueError:  # no path can be so
        return Condition("model_unreadable", detail="no file can have this name")


def inspect_opened(descriptor: int, name: str) -> Condition:
    """Find out what became of a file that is open, as :func:`inspect` does.

    Args:
        descriptor: by which it is open to read.
        name: what it is to be called.
    """
    try:
        size = os.fstat(descriptor).st_size
        if not size:
            return Condition("model_empty", detail="it is empty", lacking=1)
        return _content(Source(ending_of(name), size, descriptor))
    except OSError as error:
        return _unreadable("", error)


@cache
def found() -> tuple[Format, ...]:
    """All formats there are."""
    return tuple(cast("list[Format]", discovery.import_all(formats)))


def _content(source: Source) -> Condition:
    rightly = [each for each in found() if source.ending in each.ENDINGS]
    really = next((each for each in found() if each.recognised(source)), None)
    try:
        if really is None:
            conditions = [each.inspect(source) for each in rightly]
            return next((each for each in conditions if each.code), Condition())
        if really.ENDINGS and rightly and really not in rightly:
            detail = f"it is {really.WORDS}, but its name ends in {source.ending}"
            return Condition("model_extension_lies", really.NAME, detail)
        return really.inspect(source)
    except Unseen:
        return Condition(
            format="" if really is None else really.NAME,
            detail="what it says of itself is longer than what is read of a file",
        )


def _unfinished(path: str, status: os.stat_result, now: float) -> Condition | None:
    """What is said of a file that a program is downloading, or has stopped to."""
    if not path.lower().endswith(UNFINISHED):
        if not os.path.lexists(f"{path}.aria2"):
            return None
        what = "a download of aria2 that is not finished: its .aria2 file is still there"
    else:
        what = "a download that is not finished, by its name"
    # A clock that was set back, or a time that a program gave to the file.
    age = abs(now - status.st_mtime)
    when = (
        f"it was written to within the last {span(YOUNG)}"
        if age < YOUNG
        else f"nothing was written to it for {span(age)}"
    )
    return Condition("model_download_unfinished", detail=f"it is {what}; {when}")


def _unreadable(path: str, error: OSError) -> Condition:
    try:
        target = os.readlink(path)  # noqa: PTH115  (as it is written)
    except (OSError, ValueError):
        target = None
    if target is not None and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return Condition(
            "model_broken_link",
            detail="it is a link that leads to itself"
            if error.errno == errno.ELOOP
            else f"it is a link to {quoted(target, 240)}, where there is no file",
        )
    return Condition(
        "model_unreadable",
        detail=f"it cannot be read: {error.strerror or type(error).__name__}",
    )


def _no_file(path: str, mode: int) -> Condition:
    if stat.S_ISDIR(mode):
        # Models of several files, such as those of diffusers, are folders, with names of their own.
        named = any(ending_of(path) in each.ENDINGS for each in found())
        return Condition("model_is_folder", detail="it is a folder") if named else Condition()
    kind = next((word for test, word in _KINDS if test(mode)), "no regular file")
    return Condition("model_unreadable", detail=f"it is {kind}, not a file")
