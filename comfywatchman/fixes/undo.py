"""Taking a fix back, byte for byte, unless what it wrote was changed since."""

from __future__ import annotations

import contextlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman import moments
from comfywatchman.escape import visible
from comfywatchman.fixes import record as records
from comfywatchman.fixes.record import Progress, digest
from comfywatchman.fixes.writing import Opened, RefusedError, opened, refuse_unwritable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from comfywatchman.fixes.record import Linked, Record, Written

LARGEST: Final = 1024**3
"""Bytes of a workflow that is read again; the settings let none be larger."""


@dataclass(slots=True)
class _Back:
    """A workflow that gets back what it held.

    Attributes:
        written: what the record says of it.
        file: it, in a folder that is held open.
        content: what it held.
    """

    written: Written
    file: Opened
    content: bytes


def undo(
    folder: Path, record: Record, at_work: Callable[[bytes], str | None] = lambda _: None
) -> list[str]:
    """Take a fix back, all of it or nothing.

    Args:
        folder: the state folder.
        record: the fix.
        at_work: why a workflow with these bytes must be left alone.

    Returns:
        A sentence for each file.

    Raises:
        RefusedError: something was changed since. Nothing was written.
        ConfigError: the old content is not kept any more, likewise.
        OSError: something could not be written.
    """
    if record.progress is Progress.UNDONE:
        raise RefusedError(f"the fix {record.id} was taken back already")
    with ExitStack() as until:
        said: list[str] = []
        backs: list[_Back] = []
        refusals: list[str] = []
        for written in record.written:
            try:
                back = _look(folder, written, until, at_work)
            except RefusedError as refusal:
                refusals.append(str(refusal))
            except OSError as error:
                refusals.append(f"{visible(written.path)} cannot be read: {error.strerror}")
            else:
                if back is not None:
                    backs.append(back)
                state = "is as it was" if back is None else "has again what it had"
                said.append(f"{visible(written.path)} {state}")
        refusals += [why for linked in record.linked if (why := _link_trouble(linked))]
        if refusals:
            raise RefusedError("\n".join(refusals))
        take_back(backs, record)
    said += [f"{visible(each.target)} is gone" for each in record.linked]
    said += [f"{visible(each.target)} stays: no model is deleted" for each in record.fetched]
    records.keep(folder, record.now(Progress.UNDONE))
    return said


def take_back(backs: list[_Back], record: Record) -> None:
    """Write what was there back, and remove the links; nothing is looked at but once more.

    Raises:
        RefusedError: something was changed at this very moment.
        OSError: something could not be written.
    """
    prepared: list[_Back] = []
    try:
        for back in backs:
            _, status = back.file.read(LARGEST)
            back.file.prepare(back.content, status)
            prepared.append(back)
        for back in backs:
            raw, _ = back.file.read(LARGEST)
            if digest(raw) != back.written.after:
                raise RefusedError(f"{visible(back.written.path)} was saved at this very moment")
            back.file.replace()
    finally:
        for back in prepared:
            back.file.discard()
    for linked in record.linked:
        if os.path.lexists(linked.target) and not _link_trouble(linked):
            os.unlink(linked.target)  # noqa: PTH108  (a text, as recorded)
    for made in reversed(record.made):
        with contextlib.suppress(OSError):  # something else is in it by now
            os.rmdir(made)  # noqa: PTH106


def _look(
    folder: Path,
    written: Written,
    until: ExitStack,
    at_work: Callable[[bytes], str | None],
) -> _Back | None:
    """What is to be written back; None if the file holds it."""
    name = visible(written.path)
    if os.path.realpath(written.path) != written.real:
        raise RefusedError(f"stale: {name} leads elsewhere than at the fix")
    file = until.enter_context(opened(written.real))
    raw, status = file.read(LARGEST)
    file.discard()
    if digest(raw) == written.before:
        return None
    if digest(raw) != written.after:
        saved = moments.shown(datetime.fromtimestamp(status.st_mtime, UTC))
        raise RefusedError(f"stale: {name} was changed after the fix (saved at {saved})")
    refuse_unwritable(name, status)
    if why := at_work(raw):
        raise RefusedError(f"{name} {why}")
    return _Back(written, file, records.copied(folder, written))


def _link_trouble(linked: Linked) -> str | None:
    """Why a link is not removed; None if it is the one that was made, or is gone."""
    name = visible(linked.target)
    try:
        status = os.lstat(linked.target)
        if os.path.islink(linked.target):  # noqa: PTH114
            ours = os.readlink(linked.target) == linked.source  # noqa: PTH115
        else:
            ours = (status.st_dev, status.st_ino) == (linked.device, linked.inode)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{name} cannot be looked at: {error.strerror}"
    if not ours:
        return f"stale: {name} is another file than the fix put there"
    if not os.path.islink(linked.target) and status.st_nlink < 2:  # noqa: PTH114
        return f"{name} is the only name that the file has by now: no model is deleted"
    return None
