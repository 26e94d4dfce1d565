"""A file that is not whole yet: kept from one run to the next, and put in place when it is.

It lies beside its target, so that it can be renamed, under a name that is no model's; beside it
lies a note of where it came from. All is done below the folder as it was opened: no name is
followed through a symbolic link.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from comfywatchman import room, state
from comfywatchman.escape import visible
from comfywatchman.fixes.download_order import DownloadError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING: Final = ".comfywatchman-part"
NOTE_ENDING: Final = ".comfywatchman-part-of"

_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST_NOTE: Final = 8192
_LONGEST_VALIDATOR: Final = 512
_BLOCK: Final = 2**20
_NOREPLACE: Final = 1
_NO_SUCH_CALL: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a part came from.

    Attributes:
        address: a digest of the address; that may hold a secret.
        validator: the ``ETag`` or date by which the server knows the same file again, or empty.
        sha256: what the whole must have, or empty.
        size: bytes of the whole; -1 for unknown.
    """

    address: str
    validator: str = ""
    sha256: str = ""
    size: int = -1


class PartFile:
    """The part of a file, for one process at a time.

    Args:
        folder: where it lies; a symbolic link to a folder is one.
        name: what the whole is called.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._name = name
        self._part = f"{name}{ENDING}"
        self._note = f"{name}{NOTE_ENDING}"
        self._where = Path(folder)
        self._folder = -1
        self._file = -1

    @property
    def path(self) -> str:
        """Where it is."""
        return str(self._where / self._part)

    @property
    def shown(self) -> str:
        """Where it is, for people."""
        return visible(self.path)

    @property
    def folder(self) -> Path:
        """The folder that it lies in."""
        return self._where

    @property
    def descriptor(self) -> int:
        """By which it is open."""
        return self._file

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._file).st_size

    def __enter__(self) -> Self:
        """Open and lock it.

        Raises:
            DownloadError: another process has it, something else its name, or it cannot be made.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(self.__exit__)
            with self.failing():
                self._folder = os.open(self._where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                while not self._is_named():  # another may have put its own in place meanwhile
                    self._open()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._file, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._folder = -1

    def _open(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        try:
            self._file = os.open(
                self._part, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666, dir_fd=self._folder
            )
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise DownloadError(f"{self.shown} is no regular file; remove it") from None
            raise
        status = os.fstat(self._file)
        if self._is_named(self._name):  # killed between the second name and the loss of the first
            self._remove(self._part)
            return
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise DownloadError(f"{self.shown} is no regular file of one name; remove it")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError(
                f"{self._name} is being downloaded already, to {self.shown}"
            ) from None
        if not status.st_size and (owner := state.owner_besides_root(self._where)):
            with contextlib.suppress(OSError):
                os.fchown(self._file, *owner)

    def _is_named(self, name: str | None = None) -> bool:
        """Whether what has its name, or another, is the file that is open."""
        if self._file < 0:
            return False
        try:
            found = os.stat(name or self._part, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._file))

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Say what the system refuses.

        Raises:
            DownloadError: what.
        """
        try:
            yield
        except OSError as error:
            remedy = room.remedy(error, self._where)
            raise DownloadError(
                f"{self.shown} cannot be written: {room.why(error, self._where)}"
                f"{'; ' + remedy if remedy else ''}"
            ) from None

    def is_taken(self) -> bool:
        """Whether the whole's name is taken, be it by a link that leads nowhere."""
        try:
            os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def origin(self) -> Origin | None:
        """Where it came from; None if that is not known."""
        try:
            descriptor = os.open(self._note, os.O_RDONLY | _FLAGS, dir_fd=self._folder)
            try:
                kept = Origin(**json.loads(os.read(descriptor, _LARGEST_NOTE)))
            finally:
                os.close(descriptor)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = (kept.address, kept.validator, kept.sha256)
        known = all(type(text) is str for text in texts) and type(kept.size) is int
        return kept if known and can_be_sent(kept.validator) else None

    def begin(self, origin: Origin) -> None:
        """Empty it, and note where what follows comes from.

        Raises:
            OSError: it cannot be done.
        """
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._remove(self._note)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
        descriptor = os.open(self._note, flags, 0o600, dir_fd=self._folder)
        with os.fdopen(descriptor, "wb") as stream:
            if owner := state.owner_besides_root(self._where):
                with contextlib.suppress(OSError):
                    os.fchown(descriptor, *owner)
            stream.write(json.dumps(asdict(origin)).encode())

    def digest(self) -> hashlib._Hash:
        """The SHA-256 of what is there; what is written next goes behind it.

        Raises:
            OSError: it cannot be read.
        """
        digest = hashlib.sha256()
        os.lseek(self._file, 0, os.SEEK_SET)
        while block := os.read(self._file, _BLOCK):
            digest.update(block)
        return digest

    def write(self, piece: bytes) -> None:
        """Put more at its end.

        Raises:
            OSError: it cannot be written.
        """
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file, left) :]

    def discard(self) -> None:
        """Remove it: what is there is of no use."""
        with contextlib.suppress(OSError):
            if self._is_named():
                os.ftruncate(self._file, 0)
                self._remove(self._part)
            self._remove(self._note)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)

    def put_in_place(self) -> None:
        """Give it the name of the whole, over nothing that has it.

        Raises:
            DownloadError: something has that name, or something else has its own.
        """
        with self.failing():
            os.fsync(self._file)
            if not self._is_named():
                raise DownloadError(
                    f"{self.shown} was replaced meanwhile; nothing was put in place"
                )
            try:
                _rename_without_replacing(self._folder, self._part, self._name)
            except FileExistsError:
                raise DownloadError(
                    f"{visible(str(self._where / self._name))} is there now, and stays as it is; "
                    f"what was downloaded is whole, at {self.shown}"
                ) from None
            self._remove(self._note)
            os.fsync(self._folder)


def can_be_sent(validator: str) -> bool:
    """Whether a server can be sent what it, or somebody, called a file."""
    return validator.isascii() and validator.isprintable() and len(validator) <= _LONGEST_VALIDATOR


def _rename_without_replacing(folder: int, source: str, target: str) -> None:
    """Rename, at once; where the file system cannot, by a second name."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is not None:
        if not call(folder, os.fsencode(source), folder, os.fsencode(target), _NOREPLACE):
            return
        number = ctypes.get_errno()
        if number not in _NO_SUCH_CALL:
            raise OSError(number, os.strerror(number), target)
    os.link(source, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.unlink(source, dir_fd=folder)
