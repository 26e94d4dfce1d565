# SPDX-License-Identifier: MIT
"""Who changes an instance on a host right now: one run of Ansible at a time.

The lease is a small file, read and written under the kernel's lock of it. It lies in ``/run``,
where root makes it and gives it to the owner of what is installed, whose tasks renew and release
it; where the role has no root, in the root of the releases. Its owner may write anything into it: a
lease that is not one, or of another time than now, holds nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import math
import os
import re
import stat
import threading
import time

from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    make_directories,
    remove_if_empty,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import name_of

EXPIRES_AFTER = 600  # seconds without a sign of life
WAIT = 15  # seconds that a second run waits
RUN = "/run"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LARGEST, USUAL = 16 * 1024, 2 * 1024  # bytes of the file
TEXTS = ("run", "by", "playbook", "host", "since")
TEXT_LENGTH = 200
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
BUSY_SECONDS = 5  # for the kernel's lock, which everybody holds for a moment only


class HeldError(Exception):
    """Another run changes this instance; the text says who, and since when."""

    def __init__(self, holder, message):
        super().__init__(message)
        self.holder = holder


class LostError(Exception):
    """The lease is not this run's any more; the text says whose it is."""


def path_of(instance, root):
    """Where the lease of an instance is, for whoever asks."""
    shared = os.path.join(RUN, name_of(instance) + ".lease")
    if os.geteuid() == 0 or os.access(shared, os.W_OK):
        return shared
    return os.path.join(root, "lease")


def boot_id():
    """What tells one boot of this machine from the next."""
    try:
        with open(BOOT_ID) as file:
            return file.read().strip()
    except OSError:
        return ""


def now():
    """Seconds since the boot, those asleep too: nobody sets this clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """The lease at ``path``."""

    def __init__(self, path):
        self.path = path

    # --- Taking and giving back --------------------------------------------------------------

    def take(self, run, owner=None, wait=0, instead_of=None):
        """Hold the instance for ``run``, or raise :class:`HeldError`, or :class:`OSError`.

        Args:
            run: ``run``, its id; ``by``, ``playbook``, ``host``: who says so; ``controller``.
            owner: the account that is to renew and release it.
            wait: seconds to wait for another run to end.
            instead_of: id of a run that is known to have ended.
        """
        give_up = time.monotonic() + wait
        while True:
            try:
                make_directories(os.path.dirname(self.path), 0o700)
                return self._take(run, owner, instead_of)
            except HeldError:
                if time.monotonic() >= give_up:
                    raise
            except FileNotFoundError:  # who has released it takes an empty folder along
                if time.monotonic() >= give_up + BUSY_SECONDS:
                    raise
            except PermissionError:  # another account's, and root may not write everywhere
                held = self.holder() is not None
                if time.monotonic() >= give_up + (0 if held else BUSY_SECONDS):
                    raise
                if not held:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self.path)
            time.sleep(0.5)

    def _take(self, run, owner, instead_of):
        with self._locked(os.O_RDWR | os.O_CREAT) as descriptor:
            holder = read(descriptor)
            if holder and holder["run"] != instead_of:
                refuse(holder, run)
            since = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017
            if owner is not None and os.geteuid() == 0:
                os.fchown(descriptor, owner.pw_uid, owner.pw_gid)
            os.fchmod(descriptor, 0o644)
            replace(descriptor, {**run, "since": since, "boot": boot_id(), "seen": now()})

    def respect(self, run, wait=0, instead_of=None):
        """Raise :class:`HeldError` if another run holds the instance, and goes on doing so."""
        give_up = time.monotonic() + wait
        while holder := self.holder():
            if holder["run"] in (instead_of, run["run"]):
                return
            if time.monotonic() >= give_up:
                refuse(holder, run)
            time.sleep(0.5)

    def renew(self, run_id):
        """Give a sign of life; raises :class:`LostError`, or :class:`OSError`."""
        try:
            with self._locked(os.O_RDWR) as descriptor:
                mine = self._mine(descriptor, run_id)
                replace(descriptor, {**mine, "boot": boot_id(), "seen": now()})
        except FileNotFoundError:
            raise LostError(lost(None)) from None
        except PermissionError:  # another account's turn; what counts is whose lease it is
            with self._locked(os.O_RDONLY) as descriptor:
                self._mine(descriptor, run_id)

    def release(self, run_id):
        """Give the instance back, if this run holds it."""
        with contextlib.suppress(LostError, OSError), self._locked(os.O_RDWR) as descriptor:
            self._mine(descriptor, run_id)
            self._end(descriptor, {})

    def force(self, by):
        """Take the lease from whoever holds it; returns the holder, or ``None``."""
        try:
            with self._locked(os.O_RDWR) as descriptor:
                holder = read(descriptor)
                if holder:
                    self._end(descriptor, {"released_by": by} if by else {})
                return holder
        except FileNotFoundError:
            return None

    def holder(self):
        """Who holds the instance, or ``None``."""
        try:
            with opened(self.path, os.O_RDONLY) as descriptor:
                return read(descriptor)
        except OSError:
            return None

    def _end(self, descriptor, note):
        os.ftruncate(descriptor, 0)
        if note:  # for the run that held it, should it come back
            os.pwrite(descriptor, json.dumps(note).encode(), 0)
            return
        with contextlib.suppress(OSError):  # in /run only root may
            os.unlink(self.path)
            if os.path.dirname(self.path) != RUN:
                remove_if_empty(os.path.dirname(self.path))

    def _mine(self, descriptor, run_id):
        """The lease, whose time may be over as long as nobody else took it."""
        found = parsed(descriptor)
        if found.get("run") != run_id:
            raise LostError(lost(found))
        return found

    @contextlib.contextmanager
    def _locked(self, flags):
        """The file, locked, and still the one that lies there."""
        give_up = time.monotonic() + BUSY_SECONDS
        while True:
            with opened(self.path, flags) as descriptor:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    there = os.stat(self.path, follow_symlinks=False)
                    if os.path.samestat(there, os.fstat(descriptor)):
                        yield descriptor
                        return
                except (BlockingIOError, FileNotFoundError):
                    pass
            if time.monotonic() >= give_up:
                raise BlockingIOError(11, "another process keeps it locked", self.path)
            time.sleep(0.05)


class Held:
    """The lease that a module was told its run holds; without one (``{}``) it does nothing."""

    def __init__(self, told):
        self._lease = Lease(told["path"]) if told else None
        self._run = (told or {}).get("run")

    def renew(self):
        """Give a sign of life; raises :class:`LostError` if another run has taken over."""
        if self._lease:
            self._lease.renew(self._run)

    def release(self):
        if self._lease:
            self._lease.release(self._run)

    @contextlib.contextmanager
    def kept(self):
        """Give signs of life as long as this takes; raises :class:`LostError` at its start."""
        self.renew()
        ended = threading.Event()

        def renew():
            while not ended.wait(EXPIRES_AFTER / 10):
                with contextlib.suppress(LostError, OSError):
                    self.renew()

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@contextlib.contextmanager
def opened(path, flags):
    """A descriptor of the regular file at ``path``: no link is followed, no pipe waited for."""
    safe = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags | safe, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(22, "it is no file: remove it", path)
        yield descriptor
    finally:
        os.close(descriptor)


def parsed(descriptor):
    """The content as a dictionary; an empty one where it is no lease."""
    try:
        found = json.loads(os.pread(descriptor, LARGEST, 0) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read(descriptor):
    """Who holds it: the lease with ``silent_for``, in seconds; ``None`` if nobody does."""
    found = parsed(descriptor)
    seen = found.get("seen")
    if not isinstance(found.get("run"), str) or found.get("boot") != boot_id():
        return None
    if isinstance(seen, bool) or not isinstance(seen, (int, float)) or not math.isfinite(seen):
        return None
    silent = now() - seen
    if not -1 <= silent < EXPIRES_AFTER:
        return None
    texts = {key: CONTROL.sub("?", str(found.get(key, "?")))[:TEXT_LENGTH] for key in TEXTS}
    controller = found.get("controller")
    return {
        **texts,
        "run": found["run"],
        "controller": controller if isinstance(controller, dict) else {},
        "silent_for": max(0.0, silent),
    }


def replace(descriptor, content):
    """Write the content in one go: padded, so that nothing of a longer one is left behind it."""
    text = json.dumps(content).encode().ljust(USUAL)
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))


def refuse(holder, run):
    """Raise :class:`HeldError`, in the words that fit."""
    if holder["run"] == run["run"]:
        if holder["host"] == run["host"]:
            return
        raise HeldError(
            holder,
            f"This host is in the inventory twice, as {holder['host']} and as {run['host']}, and "
            "this very run changes it already: leave one of them out, or give each an instance of "
            "its own (comfywatchman_instance).",
        )
    raise HeldError(holder, f"{in_words(holder)}: wait for its end, then run this again. {WAY_OUT}")


WAY_OUT = (
    f"A run that ended without a word is forgotten {EXPIRES_AFTER // 60} minutes after its last "
    "sign of life; sooner with the playbook unlock."
)


def in_words(holder):
    """Who holds the instance, and since when, as the start of a sentence."""
    return (
        f"{holder['by']} is changing this host ({holder['playbook']}, since {holder['since']}, "
        f"last sign of life {holder['silent_for']:.0f} s ago)"
    )


def lost(found):
    """What became of a lease, for the run that thought it held it."""
    by = (found or {}).get("released_by")
    if isinstance(by, str):
        who = f"{CONTROL.sub('?', by)[:TEXT_LENGTH]} has released it by force"
    elif isinstance((found or {}).get("by"), str):
        who = f"{CONTROL.sub('?', found['by'])[:TEXT_LENGTH]} has taken over since"
    else:
        who = "it was released, or the host was started anew"
    return f"This run does not hold the host any more: {who}. Run it again."
