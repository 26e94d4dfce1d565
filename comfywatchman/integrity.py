"""Whether a release, a folder that the role has built, is still as it was installed.

Its virtual environment holds for each distribution a list of its files with their sizes and hashes
(``RECORD``, https://packaging.python.org/specifications/recording-installed-packages/), and is good
for one path and one Python. :func:`damage` compares that with what is there. The doctor asks here,
and so do the role's modules on the hosts, with this very file: it imports nothing but the standard
library. Whoever asks should be the owner of the release: its Python is run, to see what it is.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPLETE = ".complete"
"""The file that ends the building of a release; names the ``RECORD`` of each distribution."""

_LARGEST_LIST = 16 * 1024**2
_CHUNK = 1024**2
_PATIENCE = 30.0
_VERSION = re.compile(r"(\d+)\.(\d+)(?:[.\s]|$)")
_PYTHON_OF_SCRIPT = re.compile(rb"(?:#!|'''exec' )\"?(/.*?/bin/python[0-9.]*)\"?(?: |\n)")
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==[^;]*$")
_LISTED = re.compile(r"sha256=([A-Za-z0-9_-]+) (\S+\.dist-info)")
_ASK = "import sys; print('%d.%d' % sys.version_info[:2])"


class Damage(NamedTuple):
    """One thing that is not as it was installed.

    Attributes:
        path: the file or folder, as far as possible below the release.
        distribution: whose file it is; empty where it is none's.
        found: what is wrong with it.
        in_size: whether it shows without a comparison of every hash, and so in any deploy.
    """

    path: str
    distribution: str
    found: str
    in_size: bool = True

    def __str__(self) -> str:
        return f"{self.path}{f' of {self.distribution}' * bool(self.distribution)} {self.found}"


class _Entry(NamedTuple):
    """A line of a ``RECORD``."""

    path: str
    digest: str
    size: str


class _UnreadableError(Exception):
    """A file that everything else is compared with cannot be read; the text says why."""


def own_release() -> str | None:
    """The release that this very program runs from; None where the role has not built it."""
    release = os.path.realpath(os.path.join(sys.prefix, os.pardir))
    in_releases = os.path.basename(os.path.dirname(release)) == "releases"
    return release if in_releases and os.path.basename(sys.prefix) == "venv" else None


def own_damage() -> str:
    """What is damaged in the release that this very program runs from, a sentence; or nothing."""
    release = own_release()
    found = next(damage(release), None) if release else None
    return f"the installation is damaged: {found} in {release}: deploy it again" if found else ""


def damage(release: str, *, hashes: bool = False, built: bool = True) -> Iterator[Damage]:
    """What of a release is not as it was installed; nothing where all is.

    Args:
        release: its folder.
        hashes: whether to read every file. Otherwise sizes are compared, and of the files that
            were touched after the release was complete, the hashes too.
        built: whether it has to be complete; in the moment before, it is not.
    """
    venv = os.path.join(release, "venv")
    complete, completed_at = "", 0
    try:
        marker = os.path.join(release, COMPLETE)
        complete = _read(marker).decode("utf-8", "replace")
        completed_at = os.lstat(marker).st_mtime_ns
    except FileNotFoundError:
        if built:
            yield Damage(COMPLETE, "", "is not there: the release was not built to its end")
            return
    except (OSError, _UnreadableError) as error:
        yield Damage(COMPLETE, "", f"cannot be read: {_why(error)}")
        return
    environment = list(_damage_of_environment(venv))
    yield from environment
    site = _site_packages(venv)
    if site is None:
        if not environment:
            yield Damage("venv/lib", "", "holds no packages for the Python it was made for")
        return
    listed = {name: digest for digest, name in _LISTED.findall(complete)}
    present = sorted(name for name in os.listdir(site) if name.endswith(".dist-info"))
    for name in sorted(listed.keys() - set(present)):
        yield Damage(_below(release, os.path.join(site, name)), _distribution(name), "is gone")
    if not listed:
        known = {_normal(_distribution(name)) for name in present}
        for name in sorted(_pinned(release) - known):
            yield Damage(_below(release, site), name, "lacks the package")
    for name in present:
        for file, found, in_size in _damage_of_distribution(
            venv, site, name, listed.get(name), completed_at, hashes
        ):
            yield Damage(_below(release, file), _distribution(name), found, in_size)


def seal(release: str) -> str:
    """What :data:`COMPLETE` is to say of the distributions of a release, a line each.

    Raises:
        OSError: one of them cannot be read.
    """
    site = _site_packages(os.path.join(release, "venv"))
    if site is None:
        raise FileNotFoundError(2, "holds no packages", os.path.join(release, "venv"))
    lines = []
    for name in sorted(os.listdir(site)):
        if name.endswith(".dist-info"):
            with open(os.path.join(site, name, "RECORD"), "rb") as file:
                lines.append(f"sha256={_encoded(hashlib.sha256(file.read()))} {name}\n")
    return "".join(lines)


def _damage_of_environment(venv: str) -> Iterator[Damage]:
    """Whether the virtual environment is one, at the path and with the Python it was made for."""
    try:
        said = _settings_of(venv)
    except FileNotFoundError:
        yield Damage("venv/pyvenv.cfg", "", "is gone")
        return
    except (OSError, _UnreadableError) as error:
        yield Damage("venv/pyvenv.cfg", "", f"cannot be read: {_why(error)}")
        return
    version = _made_for(said)
    if not said.get("home") or not version:
        yield Damage("venv/pyvenv.cfg", "", "does not say for which Python it was made")
        return
    python = os.path.join(venv, "bin", "python")
    found = _version_of(python)
    if found is None:
        there = os.path.realpath(python)
        gone = "is gone" if not os.path.lexists(python) else f"leads to {there}, which is gone"
        broken = gone if not os.path.exists(python) else "does not start"
        yield Damage("venv/bin/python", "", f"{broken}; it was made for Python {version}")
    elif found != version:
        yield Damage("venv/bin/python", "", f"is Python {found} now; it was made for {version}")
    yield from _damage_of_script(venv)


def _damage_of_script(venv: str) -> Iterator[Damage]:
    """Whether the command starts the Python of this very environment."""
    try:
        with _opened(os.path.join(venv, "bin", "comfywatchman")) as file:
            found = _PYTHON_OF_SCRIPT.search(file.read(_CHUNK)[:8192])
    except (OSError, _UnreadableError):
        return  # it is in a RECORD, where more is said of it
    if not found:
        yield Damage("venv/bin/comfywatchman", "", "does not say which Python starts it")
        return
    python = os.fsdecode(found.group(1))
    try:
        same = os.path.samefile(os.path.dirname(os.path.dirname(python)), venv)
    except (OSError, ValueError):
        same = False
    if not same:
        yield Damage(
            "venv/bin/comfywatchman", "", f"was made for another place: {python} starts it"
        )


def _version_of(python: str) -> str | None:
    """The version of a Python, as it says itself, such as ``3.11``; None if it does not start."""
    try:
        ended = subprocess.run(
            [python, "-ISc", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
            text=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip()


def _site_packages(venv: str) -> str | None:
    """The folder of its packages, for the Python that it was made for; None where there is none."""
    try:
        version = _made_for(_settings_of(venv))
    except (OSError, _UnreadableError):
        return None
    if not version:
        return None
    folder = os.path.join(venv, "lib", f"python{version}", "site-packages")
    return folder if os.path.isdir(folder) else None


def _settings_of(venv: str) -> dict[str, str]:
    """What a virtual environment says of itself.

    Raises:
        OSError: it cannot be opened.
        _UnreadableError: it is no such file.
    """
    lines = _read(os.path.join(venv, "pyvenv.cfg")).decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _made_for(settings: dict[str, str]) -> str:
    """The version of Python that it was made for, such as ``3.11``; empty if it does not say."""
    found = _VERSION.match(settings.get("version", "") or settings.get("version_info", ""))
    return ".".join(found.groups()) if found else ""


def _pinned(release: str) -> set[str]:
    """What has to be there in a release that is older than the list in :data:`COMPLETE`."""
    names = {"comfywatchman"}
    try:
        text = _read(os.path.join(release, "requirements.txt")).decode("utf-8", "replace")
    except (OSError, _UnreadableError):
        return names
    lines = (line.rstrip(" \\") for line in text.splitlines())
    return names | {_normal(found.group(1)) for line in lines if (found := _PINNED.match(line))}


def _damage_of_distribution(
    venv: str, site: str, name: str, digest: str | None, completed_at: int, hashes: bool
) -> Iterator[tuple[str, str, bool]]:
    """``(path, what is wrong, whether it shows without every hash)`` of its files."""
    record = os.path.join(site, name, "RECORD")
    try:
        entries = _entries(record, digest)
    except FileNotFoundError:
        yield record, "is gone", True
        return
    except (OSError, _UnreadableError) as error:
        yield record, f"is damaged: {_why(error)}", True
        return
    inside = os.path.join(venv, "")
    for entry in entries:
        path = os.path.normpath(os.path.join(site, entry.path))
        if not path.startswith(inside):
            yield record, f"is damaged: it names {entry.path!r}, outside of the environment", True
        elif entry.digest:  # what Python compiles has none, nor has the list itself
            found, in_size = _compare(path, entry, completed_at, hashes)
            if found:
                yield path, found, in_size


def _entries(record: str, digest: str | None) -> list[_Entry]:
    """The lines of a list of files.

    Raises:
        OSError: it cannot be opened.
        _UnreadableError: it is not what it was, or no list of files.
    """
    content = _read(record)
    if digest is not None and _encoded(hashlib.sha256(content)) != digest:
        raise _UnreadableError("it is not what was installed")
    try:
        lines = content.decode("utf-8", "surrogateescape").splitlines()
        rows = [_Entry(*row) for row in csv.reader(lines) if row]
    except (csv.Error, TypeError) as error:
        raise _UnreadableError("it is no list of files") from error
    own = os.path.join(os.path.basename(os.path.dirname(record)), "RECORD")
    if own not in (row.path for row in rows):
        raise _UnreadableError("it is cut off, or empty")
    return rows


def _compare(path: str, entry: _Entry, completed_at: int, hashes: bool) -> tuple[str, bool]:
    """``(what is wrong with a file or nothing, whether it shows without every hash)``."""
    try:
        there = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "is gone", True
    except (OSError, ValueError) as error:
        return f"cannot be looked at: {_why(error)}", True
    if not stat.S_ISREG(there.st_mode):
        return "is no file any more", True
    if entry.size.isdecimal() and there.st_size != int(entry.size):
        return f"has {there.st_size:,} bytes, and had {int(entry.size):,} when installed", True
    touched = there.st_ctime_ns >= completed_at
    if not hashes and not touched:
        return "", True
    algorithm, _, wanted = entry.digest.partition("=")
    try:
        found = hashlib.new(algorithm)
    except ValueError:
        return "", True  # no algorithm of this Python's
    try:
        with _opened(path) as file:
            while part := file.read(_CHUNK):
                found.update(part)
    except (OSError, _UnreadableError) as error:
        return f"cannot be read: {_why(error)}", True
    if _encoded(found) == wanted.rstrip("="):
        return "", True
    return "does not hold what was installed", touched


def _opened(path: str) -> BinaryIO:
    """A regular file, open for reading: no pipe is waited for, no link followed."""
    file = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _UnreadableError("it is no file")
    return file


def _read(path: str) -> bytes:
    with _opened(path) as file:
        content: bytes = file.read(_LARGEST_LIST + 1)
    if len(content) > _LARGEST_LIST:
        raise _UnreadableError("it is too large")
    return content


def _encoded(digest: hashlib._Hash) -> str:
    """As it stands in a ``RECORD``."""
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _distribution(folder: str) -> str:
    """The name that ``pydantic_core-2.1.dist-info`` is that of."""
    return folder.removesuffix(".dist-info").partition("-")[0]


def _normal(name: str) -> str:
    """A name as it is compared: PyPA's name normalization."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _below(release: str, path: str) -> str:
    return os.path.relpath(path, release)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
