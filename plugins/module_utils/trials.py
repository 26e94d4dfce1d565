# SPDX-License-Identifier: MIT
"""What an installation depends on, tried on the host: a sentence for each thing that fails.

Each function says what the process that calls it finds, or ``None``, so call it as the account that
has to do the same later (:func:`accounts.as_account`). A sentence says what was tried, what was
found, and what to do.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
import tempfile

from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    as_user,
    is_another,
    name_of_uid,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import closed_at
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import run

RELEASE_BYTES = 300 * 1024**2  # a release takes about 100 MB; pip unpacks beside it
RELEASE_FILES = 8000  # about 4,000, and as many for a moment beside them
CLOSED = (errno.EACCES, errno.EPERM)


def nearest_folder(path):
    """The path itself, or the nearest above it of what is there, as far as can be seen."""
    while path.strip("/") and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path or "/"


def mount_point(path):
    """Where the file system is mounted that the path is on."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def what_to_do_about(error, then):
    """``then`` about what is closed; what is no matter of permissions has to be mended itself."""
    return then if error.errno in CLOSED else "see that what is mounted there answers"


def becoming_problem(account):
    """Whether root can become the account, in the way that commands are run as it."""
    code, _, error = run([*as_user(account), "true"]) if is_another(account) else (0, "", "")
    if code == 0:
        return None
    return (
        f"root cannot become {account.pw_name} on this host: tried setpriv of util-linux, which "
        f"said {error or code!r}. Install it, or let root change its user and group "
        "(CAP_SETUID, CAP_SETGID)."
    )


def home_problem(user, home):
    """Whether the user can look into their home folder, in whose eyes this is asked."""
    try:
        found = os.stat(home)
        with os.scandir(home) as entries:
            next(entries, None)
    except (FileNotFoundError, NotADirectoryError):
        return (
            f"{user} has no home folder ({home}): create it, or set comfywatchman_scope to system."
        )
    except OSError as error:
        then = f"let {user} in, or set comfywatchman_scope to system"
        return (
            f"{user} may not look into the home folder {home}, tried as {user} "
            f"({closed_at(home)}: {error.strerror}): {what_to_do_about(error, then)}."
        )
    if found.st_uid != os.geteuid() and not os.access(home, os.W_OK):
        return (
            f"The home folder of {user}, {home}, belongs to {name_of_uid(found.st_uid)}, and "
            f"{user} may not write to it: give it to {user}, or set comfywatchman_scope to system."
        )
    return None


def comfyui_problem(user, folder):
    """Whether ComfyUI's folder can be read by the user, in whose eyes this is asked."""
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
        if os.access(folder, os.X_OK):
            return None
        error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (FileNotFoundError, NotADirectoryError):
        return (
            f"comfywatchman_comfyui_dir is no folder on this host: {folder!r}; name the one "
            "that holds ComfyUI's main.py."
        )
    except OSError as refusal:
        error = refusal
    then = "let that user in, or name the user who runs ComfyUI in comfywatchman_user"
    return (
        f"comfywatchman_comfyui_dir cannot be read by {user}: {folder!r} "
        f"({closed_at(folder)}: {error.strerror}); {what_to_do_about(error, then)}."
    )


def passage_problem(user, root):
    """Whether the user, in whose eyes this is asked, gets to where root will put the releases."""
    folder = nearest_folder(root)
    if os.access(folder, os.X_OK):
        return None
    return (
        f"The checks run as {user}, who may not enter {closed_at(os.path.join(folder, ''))}, "
        f"on the way to comfywatchman_root ({root}): open it to {user}, or name another folder."
    )


def writing_problems(who, places):
    """Whether ``who`` can write where files will go: ``places`` are paths by what they are for."""
    problems = {}
    for purpose, path in places.items():
        folder = nearest_folder(path)
        if os.access(folder, os.W_OK | os.X_OK):
            continue
        elsewhere = f", or set {purpose} to another folder" if purpose.startswith("comfy") else ""
        try:
            found = os.stat(folder)
            if os.statvfs(folder).f_flag & os.ST_RDONLY:
                why = f"{mount_point(folder)} is mounted read-only: mount it writable"
            elif not stat.S_ISDIR(found.st_mode):
                why = "it is no folder: move it out of the way"
            else:
                mode = stat.S_IMODE(found.st_mode)
                owner = name_of_uid(found.st_uid)
                why = f"it belongs to {owner}, mode {mode:04o}: let {who} write to it"
        except OSError as error:
            then = f"let {who} in"
            why = f"{closed_at(folder)}: {error.strerror}: {what_to_do_about(error, then)}"
        problems.setdefault(
            folder, f"{who} may not write to {folder}, for {purpose}: {why}{elsewhere}."
        )
    return list(problems.values())


def building_problem(who, root, write):
    """Whether a release can be built in a folder, and started from there.

    With ``write``, a file is put there for a moment, allocated, mapped and started; without, the
    file system is asked how it is mounted.
    """
    folder = nearest_folder(root)
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None  # writing_problems() has said so
    free = disk.f_bavail * disk.f_frsize
    if free < RELEASE_BYTES:
        return f"{too_little(root)}: {free >> 20} MiB are free, {RELEASE_BYTES >> 20} MiB needed."
    if disk.f_files and disk.f_favail < RELEASE_FILES:  # some file systems count none
        return (
            f"Too few inodes for {root} on {mount_point(folder)}: {disk.f_favail} are left, "
            f"{RELEASE_FILES} are needed, however much space is free. Remove files there "
            "('df -i' counts them), or set comfywatchman_root to another folder."
        )
    if disk.f_flag & os.ST_NOEXEC:
        return starting_problem(who, root, folder, "it is mounted noexec")
    if not write or not os.access(folder, os.W_OK | os.X_OK):
        return None
    try:
        return trial_of_a_file(who, root, folder)
    except OSError as error:
        return storing_problem(who, root, error)


def trial_of_a_file(who, root, folder):
    """A file of our own in the folder: can it be as large as a release, mapped, and started?"""
    descriptor, path = tempfile.mkstemp(prefix=".comfywatchman-", dir=folder)
    try:
        try:
            os.write(descriptor, b"#!/bin/sh\nexit 0\n")
            os.ftruncate(descriptor, mmap.PAGESIZE)
            os.fchmod(descriptor, 0o700)
            allocate(descriptor, RELEASE_BYTES)
            try:
                mmap.mmap(
                    descriptor,
                    mmap.PAGESIZE,
                    flags=mmap.MAP_PRIVATE,
                    prot=mmap.PROT_READ | mmap.PROT_EXEC,
                ).close()
            except OSError as error:
                return starting_problem(who, root, folder, f"mapping it: {error.strerror}")
        finally:
            os.close(descriptor)  # what is open for writing cannot be started
        code, _, error = run([path])
        if code != 0:
            return starting_problem(who, root, folder, error.replace(path, "it") or code)
    finally:
        os.unlink(path)
    return None


def allocate(descriptor, size):
    """Have the file system keep room for a file, where it can do so without writing it all.

    A disk quota is known to nobody but the file system, and it tells when it is asked for room.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if call is None:
        return
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if call(descriptor, 0, 0, size) != 0:
        number = ctypes.get_errno()
        if number in (errno.EDQUOT, errno.ENOSPC, errno.EFBIG):
            raise OSError(number, os.strerror(number))


def starting_problem(who, root, folder, found):
    """The sentence about a folder from which no program starts."""
    return (
        f"No program starts from {folder}, on {mount_point(folder)} (tried as {who}: {found}): "
        "mount it with exec, have SELinux, AppArmor or fapolicyd allow it, or set "
        f"comfywatchman_root ({root}) to a folder on another file system."
    )


def storing_problem(who, root, error):
    """The sentence about a folder that takes no file, or none as large as a release."""
    mounted = mount_point(nearest_folder(root))
    if error.errno == errno.EDQUOT:
        return (
            f"The disk quota of {who} on {mounted} leaves less than {RELEASE_BYTES >> 20} MiB, or "
            f"no further file, for {root}, however much of the disk is free: raise it, make room "
            f"among {who}'s files, or set comfywatchman_root to another folder."
        )
    if error.errno == errno.ENOSPC:
        return f"{too_little(root)}: {mounted} has less than {RELEASE_BYTES >> 20} MiB for {who}."
    return (
        f"{who} can put no file into {root}, tried on {mounted}: {error.strerror}. Mend that, or "
        "set comfywatchman_root to another folder."
    )


def too_little(root):
    return f"Too little disk space for {root}"
