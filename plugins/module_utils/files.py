# SPDX-License-Identifier: MIT
"""Files of a host: read if they are there, replaced by rename."""

from __future__ import annotations

import contextlib
import os
import tempfile


def read(path):
    """The file's bytes, or ``None`` if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def mode_of(path):
    """The file's permission bits, or ``None`` if there is no such file."""
    try:
        return os.lstat(path).st_mode & 0o7777
    except (FileNotFoundError, NotADirectoryError):
        return None


def closed_at(path):
    """The first folder on the way to the path that this process may not enter, or the path."""
    way = "/"
    for name in path.split("/")[:-1]:
        way = os.path.join(way, name)
        if not os.access(way, os.X_OK):
            return way
    return path


def refusal(path):
    """Why nothing can be said of a path, be it there or not; ``None`` if it can.

    What may not be looked at is not what is not there.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{closed_at(path)}: {error.strerror}"
    return None


def make_directories(path, mode):
    """Make a directory and those above it, all of them with ``mode``, whatever the umask is."""
    if os.path.isdir(path):
        return
    make_directories(os.path.dirname(path), mode)
    # Another instance on this host may be at it in the same moment.
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        os.chmod(path, mode)


def write(path, content, mode, gid=-1):
    """Replace a file by rename: a reader, or a crash, never sees half of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=".comfywatchman-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:  # of a write, which knows none
            error.filename = path
        raise


def link(path, target):
    """Point a symbolic link at ``target`` by rename: it is never missing."""
    temporary = path + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, path)


def remove_if_empty(directory):
    """Remove a directory that has nothing in it; returns whether that was so."""
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True
