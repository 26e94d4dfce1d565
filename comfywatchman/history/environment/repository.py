"""What a git checkout is at, read from its files.

git itself is not run: a repository may tell it to run other programs.

Local edits are files whose content is not that in git's index. A file is read only if its size or
time is not what the index says, and up to 4 MiB of such files. Where there are more, as in a copy
of a checkout, or where git changes what it writes out (LFS and other filters), it is not known
whether there are edits. Edits that were staged, and commits that were never pushed, are no edits;
nor are files that git does not know. In a repository whose hash is not SHA-1 they are not seen.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from comfywatchman import masking
from comfywatchman.comfyui.files import begin_of
from comfywatchman.comfyui.provenance.pack import pack
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.history.facts import Value
    from comfywatchman.time_limit import Budget

_HASH: Final = re.compile(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})")
_SMALL: Final = 4096
_CONFIG: Final = 64 * 1024
_PACKED_REFS: Final = 8 * 1024**2
_INDEX: Final = 16 * 1024**2
_MOST_READ: Final = 4 * 1024**2
_MOST_LINKS: Final = 5
_LONGEST: Final = 1000
_ENTRY: Final = struct.Struct(">10L20sH")
_STAGE, _EXTENDED = 0x3000, 0x4000
_ASSUMED, _SKIPPED = 0x8000, 0x4000
_SSH: Final = re.compile(r"(?:[^@/:\s]{1,100}@)?([A-Za-z0-9.-]{1,200}):(?!//)(\S{1,300})")


@dataclass(frozen=True, slots=True)
class Checkout:
    """What is known of a checkout.

    Attributes:
        commit: what it is at; None if that cannot be told.
        edited: whether files differ from what git wrote; None if that cannot be told.
        remote: ``OWNER/NAME`` on GitHub, else the address without what logs in; None without one.
    """

    commit: str | None = None
    edited: bool | None = None
    remote: str | None = None

    @property
    def value(self) -> Value:
        """``commit`` and ``edited``, as far as they are known."""
        known: Value = {"commit": self.commit, "edited": self.edited}
        return {key: value for key, value in known.items() if value is not None}


def read(folder: Path, budget: Budget) -> Checkout:
    """What a folder's checkout is at; nothing is known of a folder that is none.

    Args:
        folder: the folder with ``.git``, which is one or, in a worktree or a submodule, a file.
        budget: how long it may take.

    Raises:
        Blind: the time is over.
    """
    own = _git_folder(folder)
    if own is None:
        return Checkout()
    common = _pointed_at(begin_of(own / "commondir", _SMALL), own) or own
    commit = _commit(own, common)
    if commit is None:
        return Checkout(remote=_remote(common))
    edited = _edited(folder, own, budget) if len(commit) == 40 else None
    return Checkout(commit, edited, _remote(common))


def _git_folder(folder: Path) -> Path | None:
    git = folder / ".git"
    try:
        if git.is_dir():
            return git
    except (OSError, ValueError):
        return None
    raw = begin_of(git, _SMALL)
    if raw is None or not raw.startswith(b"gitdir:"):
        return None
    return _pointed_at(raw.removeprefix(b"gitdir:"), folder)


def _pointed_at(raw: bytes | None, base: Path) -> Path | None:
    """The path that a file of one line holds."""
    line = (raw or b"").strip()
    return base / os.fsdecode(line) if line and b"\n" not in line and b"\0" not in line else None


def _commit(own: Path, common: Path) -> str | None:
    raw = begin_of(own / "HEAD", _SMALL)
    for _ in range(_MOST_LINKS):
        line = (raw or b"").strip()
        if _HASH.fullmatch(line):
            return line.decode()
        name = line.removeprefix(b"ref:").strip()
        if not line.startswith(b"ref:") or not name.startswith(b"refs/"):
            return None
        if b".." in name or b"\0" in name or b"\n" in name:
            return None
        path = os.fsdecode(name)
        raw = begin_of(own / path, _SMALL) or begin_of(common / path, _SMALL)
        if raw is None:
            return _packed(common, name)
    return None


def _packed(common: Path, name: bytes) -> str | None:
    raw = begin_of(common / "packed-refs", _PACKED_REFS) or b""
    found = re.search(rb"^([0-9a-f]{40,64}) %s\r?$" % re.escape(name), raw, re.MULTILINE)
    return found[1].decode() if found and _HASH.fullmatch(found[1]) else None


def _remote(common: Path) -> str | None:
    """The address of ``origin``, else of the first remote."""
    raw = (begin_of(common / "config", _CONFIG) or b"").decode(errors="replace")
    section, addresses = "", dict[str, str]()
    for line in raw.splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
            continue
        key, equals, value = text.partition("=")
        if equals and key.strip().lower() == "url" and section.startswith("[remote "):
            addresses.setdefault(section, value.strip().strip('"'))
    address = addresses.get('[remote "origin"]') or next(iter(addresses.values()), None)
    return None if address is None else _named(address)


def _named(address: str) -> str | None:
    """An address without what logs in: what stands before its host, and behind its path."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if len(address) > _LONGEST:
        return None
    if parts.scheme in ("http", "https", "ssh", "git") and parts.netloc:
        host = parts.netloc.rpartition("@")[2]
        short = f"https://{host}{parts.path}"
    elif (by_ssh := _SSH.fullmatch(address)) is not None:
        short = f"https://{by_ssh[1]}/{by_ssh[2].lstrip('/')}"
    else:
        return None  # a path on the host, or nothing that git knows
    found = pack(short)
    if found is not None and found.repository is not None:
        short = found.repository.removeprefix("https://github.com/")
    return visible(masking.without_secrets(short)[:_LONGEST])


class _Entry(NamedTuple):
    """A file in git's index: its path, kind and permissions, size, time (seconds) and hash."""

    path: bytes
    mode: int
    size: int
    time: int
    sha1: bytes
    conflict: bool


def _edited(folder: Path, own: Path, budget: Budget) -> bool | None:
    raw = begin_of(own / "index", _INDEX + 1)
    if raw is None or len(raw) > _INDEX:
        return None
    root = os.path.join(os.fsencode(folder), b"")  # noqa: PTH118  (bytes)
    filtered = b"filter=" in (begin_of(folder / ".gitattributes", _CONFIG) or b"")
    left, unsure = _MOST_READ, False
    try:
        for entry in list(_index(raw)):  # what is wrong with it shows at its end
            budget.check()
            if entry.conflict:
                return True
            path = root + entry.path
            try:
                status = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return True
            if stat.S_IFMT(status.st_mode) != stat.S_IFMT(entry.mode):
                return True
            same_size = status.st_size & 0xFFFFFFFF == entry.size
            if same_size and int(status.st_mtime) & 0xFFFFFFFF == entry.time:
                continue
            left -= status.st_size
            if left < 0:
                return None
            if not _is_content(path, entry, status.st_size):
                if not filtered:
                    return True
                unsure = True
    except (OSError, ValueError, IndexError, struct.error):
        return None
    return None if unsure else False


def _is_content(path: bytes, entry: _Entry, size: int) -> bool:
    """Whether a file, or a link, is what git has in its index, whatever ends its lines."""
    if stat.S_ISLNK(entry.mode):
        content: bytes | None = os.readlink(path)  # noqa: PTH115  (bytes)
    else:
        content = begin_of(Path(os.fsdecode(path)), size)
    if content is None:
        raise OSError
    return any(
        hashlib.sha1(b"blob %d\0%s" % (len(each), each), usedforsecurity=False).digest()
        == entry.sha1
        for each in (content, content.replace(b"\r\n", b"\n"))
    )


def _index(raw: bytes) -> Iterator[_Entry]:
    """The files in an index of version 2, 3 or 4.

    Raises:
        ValueError, IndexError, struct.error: it is none, it is damaged, or it is only part of one.
    """
    signature, version, count = struct.unpack_from(">4sLL", raw)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError
    at, path = 12, b""
    for _ in range(count):
        *numbers, sha1, flags = _ENTRY.unpack_from(raw, at)
        begin, more = at + _ENTRY.size, 0
        if flags & _EXTENDED and version > 2:
            (more,) = struct.unpack_from(">H", raw, begin)
            begin += 2
        if version == 4:
            strip, begin = _offset(raw, begin)
            end = raw.index(b"\0", begin)
            path = path[: len(path) - strip] + raw[begin:end]
            at = end + 1
        else:
            end = raw.index(b"\0", begin)
            path = raw[begin:end]
            at += (end - at + 8) // 8 * 8
        if path.startswith(b"/") or b".." in path.split(b"/"):
            raise ValueError
        mode = numbers[6]
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            conflict = bool(flags & _STAGE)
            if not (flags & _ASSUMED or more & _SKIPPED):
                yield _Entry(path, mode, numbers[9], numbers[2], sha1, conflict)
    while at + 8 <= len(raw) - 20:
        extension, size = struct.unpack_from(">4sL", raw, at)
        if extension == b"link":  # the rest of it is in another file
            raise ValueError
        at += 8 + size


def _offset(raw: bytes, at: int) -> tuple[int, int]:
    """A number in git's own encoding, and where it ends."""
    byte = raw[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = raw[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
