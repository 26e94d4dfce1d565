"""Putting other bytes in place of a person's file, in steps that survive a crash.

Other than the files of the state folder, what is written here is not ours: it keeps its mode, its
owner and its extended attributes, and nothing is taken out of it. A folder is held open while
something in it is replaced, and no link is followed in it: what takes the folder's or the file's
place meanwhile is not written to.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_NAME: Final = 200
"""Bytes of a file's name that leave room for what is put around it."""
PART: Final = ".comfywatchman-part"
"""Ends the name of a file that is not wholly written, beside the one whose place it takes."""


class RefusedError(Exception):
    """Nothing is written. The text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file in a folder that is held open.

    Attributes:
        folder: descriptor of the folder.
        above: the folder's path.
        name: the file's name in it.
        shown: what to call it.
    """

    folder: int
    above: str
    name: str
    shown: str

    @property
    def part(self) -> str:
        """The name of what is written beside it, always the same."""
        raw = os.fsencode(self.name)
        name = self.name if len(raw) <= _LONGEST_NAME else hashlib.sha256(raw).hexdigest()
        return f".{name}{PART}"

    def read(self, largest: int) -> tuple[bytes, os.stat_result]:
        """Its bytes, and what the system says of it.

        Raises:
            RefusedError: it is a link by now, no regular file, or too large.
            OSError: it cannot be read.
        """
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        with os.fdopen(os.open(self.name, flags, dir_fd=self.folder), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RefusedError(f"{self.shown} is no regular file")
            raw = stream.read(largest + 1)
        if len(raw) > largest:
            raise RefusedError(f"{self.shown} is larger than {largest:,} bytes")
        return raw, status

    def prepare(self, content: bytes, like: os.stat_result) -> None:
        """Write the new content beside the file, onto the disk.

        Args:
            content: it.
            like: the file whose mode and owner it gets; the extended attributes are those of the
                file itself, as far as the file system and this user's rights allow.

        Raises:
            RefusedError: it cannot have the same owner and group.
            OSError: it could not be written.
        """
        self.discard()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with (
                naming(os.path.join(self.above, self.name)),  # noqa: PTH118  (texts)
                os.fdopen(os.open(self.part, flags, 0o600, dir_fd=self.folder), "wb") as stream,
            ):
                descriptor = stream.fileno()
                self._give(descriptor, like)
                self._copy_attributes(descriptor)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
                stream.write(content)
                stream.flush()
                os.fsync(descriptor)
        except BaseException:
            self.discard()
            raise

    def refuse_moved(self) -> None:
        """Refuse to go on where another folder has the place of the one that is held open.

        Raises:
            RefusedError: it has.
        """
        try:
            now = os.lstat(self.above)
        except FileNotFoundError:
            now = None
        if now is None or not os.path.samestat(os.fstat(self.folder), now):
            raise RefusedError(
                f"stale: another folder has the place of that of {self.shown} by now"
            )

    def replace(self) -> None:
        """Put what was prepared in place of the file.

        Raises:
            RefusedError: another folder has the place of its own.
            OSError: it could not be; the file is as it was.
        """
        self.refuse_moved()
        with naming(os.path.join(self.above, self.name)):  # noqa: PTH118  (texts)
            os.replace(self.part, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        with contextlib.suppress(OSError):
            os.fsync(self.folder)

    def discard(self) -> None:
        """Remove what was prepared, also by one that was killed."""
        with contextlib.suppress(OSError):
            os.unlink(self.part, dir_fd=self.folder)

    def _give(self, descriptor: int, like: os.stat_result) -> None:
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) == (like.st_uid, like.st_gid):
            return
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except PermissionError:
            raise _foreign_group(self.shown, like) from None

    def _copy_attributes(self, descriptor: int) -> None:
        if not hasattr(os, "listxattr"):
            return
        with contextlib.suppress(OSError):
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
            old = os.open(self.name, flags, dir_fd=self.folder)
            try:
                for name in os.listxattr(old):
                    with contextlib.suppress(OSError):
                        os.setxattr(descriptor, name, os.getxattr(old, name))
            finally:
                os.close(old)


@contextlib.contextmanager
def opened(real: str) -> Iterator[Opened]:
    """Hold open the folder that a file lies in.

    Args:
        real: where the file lies, a path without any link in it.

    Raises:
        RefusedError: a link leads there by now.
        OSError: the folder cannot be opened.
    """
    folder, name = os.path.split(real)
    shown = visible(real)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if os.path.realpath(folder) != folder:
            raise RefusedError(f"stale: a link leads to {shown} by now")
        file = Opened(descriptor, folder, name, shown)
        file.refuse_moved()
        yield file
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Have what fails name a file: a disk that is full names none, a held folder a name in it."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise


def refuse_foreign_group(shown: str, file: str) -> None:
    """Refuse a file whose group this user could not give to a new one in its place.

    Args:
        shown: what to call the file.
        file: where it is.

    Raises:
        RefusedError: it is so.
        OSError: it cannot be looked at.
    """
    status, folder = os.stat(file), os.stat(os.path.dirname(file))  # noqa: PTH116, PTH120
    inherited = folder.st_mode & stat.S_ISGID and folder.st_gid == status.st_gid
    ours = {os.getegid(), *os.getgroups()}
    if os.geteuid() != 0 and status.st_gid not in ours and not inherited:
        raise _foreign_group(shown, status)


def _foreign_group(shown: str, status: os.stat_result) -> RefusedError:
    return RefusedError(
        f"{shown} belongs to a group ({status.st_gid}) that this user is not in: the new file "
        "could not have it, and others could read it, or no longer"
    )


def refuse_unwritable(shown: str, status: os.stat_result) -> None:
    """Refuse what is not this user's to write.

    Args:
        shown: what to call the file.
        status: what the system says of it.

    Raises:
        RefusedError: it is read-only, somebody else's, or has a second name.
    """
    if status.st_uid != os.geteuid():
        raise RefusedError(
            f"{shown} belongs to another user ({_name(status.st_uid)}): run this as that one"
        )
    if not status.st_mode & stat.S_IWUSR:
        raise RefusedError(f"{shown} is read-only: whoever made it so did not want it changed")
    if status.st_nlink > 1:
        raise RefusedError(
            f"{shown} has {status.st_nlink} names (hard links), of which only this one would get "
            "the new content: make it a file of its own first, or edit it by hand"
        )


def put(target: Path, content: bytes) -> None:
    """Write a file of our own for this user alone, with exactly these bytes, onto the disk.

    Raises:
        OSError: it could not be written; also where there is one.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with naming(str(target)), os.fdopen(os.open(target, flags, 0o600), "wb") as stream:
        try:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _name(uid: int) -> str:
    import pwd

    try:
        return visible(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
