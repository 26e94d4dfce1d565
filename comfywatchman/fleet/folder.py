"""Reading the folder that ``playbooks/status.yml`` fills: one file a host, and who should be there.

Nothing in it is trusted: a file may be damaged, huge, or made up by a host that means harm.
"""

from __future__ import annotations

import base64
import binascii
import json
import stat
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.fleet.shape import DamagedError, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPECTED = "expected.json"
HOSTS = "hosts"
NO_FILES = ("", ".", "..")
NEWEST_REPORT = 2
"""The newest schema of a report that is read. Hosts are upgraded one by one: older ones are too."""
NEWEST_INVENTORY = 2
"""The same of an inventory."""
FILE_LIMIT = 64 * 1024**2
"""Bytes of a file that is read."""
UNPACKED_LIMIT = 64 * 1024**2
"""Bytes of a report that was packed."""


@dataclass(slots=True)
class Collected:
    """What is known of one host. Times are in seconds since 1970.

    Attributes:
        name: as in the inventory.
        missing: why there is no file of it; empty if there is one.
        failure: why it could not be asked the last time; empty if it answered.
        unreachable: whether that was because it could not be reached.
        asked_at: when it was last asked, by the controller's clock.
        collected_at: when it last answered, by the controller's clock.
        status: what ``comfywatchman_status`` returned then.
        report: its last full report.
        inventory: its model files and packs.
        damage: what could not be read.
    """

    name: str
    missing: str = ""
    failure: str = ""
    unreachable: bool = False
    asked_at: float | None = None
    collected_at: float | None = None
    status: Shape | None = None
    report: Shape | None = None
    inventory: Shape | None = None
    damage: list[str] = field(default_factory=list)


def read(folder: Path) -> Iterator[Collected]:
    """Read what was collected, host by host, in the order of their names.

    The hosts are those that ``expected.json`` names or, without that file, those that there is a
    file of.

    Raises:
        ConfigError: the folder or ``expected.json`` cannot be read.
    """
    expected = folder / EXPECTED
    try:
        files = {}
        if expected.exists():
            listed = Shape(_load(expected), EXPECTED)
            listed.version(1)
            started_at = listed.number("started_at")
            for host in listed.objects("hosts"):
                file = host.need("file")
                if "/" in file or not file.isascii() or not file.isprintable() or file in NO_FILES:
                    raise DamagedError(f"{EXPECTED} names a file that is none: {file!r}")
                files[host.need("name")] = (file, host.truth("asked"), host.text("problem") or "")
        else:
            started_at = None
            hosts = sorted((folder / HOSTS).iterdir())
            files = {f.stem: (f.name, False, "") for f in hosts if f.suffix == ".json"}
            if not files:
                raise FileNotFoundError
    except FileNotFoundError:
        raise ConfigError(
            f"{folder}: nothing was collected there; fill it with the playbook status"
        ) from None
    except OSError as error:
        raise ConfigError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None
    except DamagedError as error:
        raise ConfigError(
            f"{expected}: is damaged: {visible(str(error))}; make it anew with the playbook status"
        ) from None
    return (
        _host(folder / HOSTS / file, name, started_at if asked else None, problem)
        for name, (file, asked, problem) in sorted(files.items())
    )


def _host(file: Path, name: str, started_at: float | None, problem: str) -> Collected:
    host = Collected(name)
    try:
        found = Shape(_load(file), "the file")
        found.version(1)
        host.asked_at = found.number("asked_at")
        host.failure = found.text("failure") or ""
        host.unreachable = found.truth("unreachable")
        host.collected_at = found.number("collected_at")
        host.status = found.child("status")
    except FileNotFoundError:
        host.missing = problem or "it was not asked yet"
        return host
    except OSError as error:
        host.damage.append(f"{file.name} cannot be read: {error.strerror}")
        return host
    except DamagedError as error:
        host.damage.append(f"{file.name} is damaged: {error}")
        return host
    if started_at is not None and (host.asked_at is None or host.asked_at < started_at):
        host.failure = problem or "its turn did not come in the last run"
    for key, newest in (("report", NEWEST_REPORT), ("inventory", NEWEST_INVENTORY)):
        try:
            document = _packed(found, key)
            if document is not None:
                document.version(newest, oldest=1)
            setattr(host, key, document)
        except DamagedError as error:
            host.damage.append(f"its {key} is damaged: {error}")
    return host


def _load(file: Path) -> Any:
    """Parse a file; one that is no regular file, or too large, is damaged."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DamagedError("it is not a regular file")
    if status.st_size > FILE_LIMIT:
        raise DamagedError(
            f"it has {status.st_size / 1024**2:,.0f} MiB, more than {FILE_LIMIT / 1024**2:.0f} MiB"
        )
    return _parse(file.read_bytes())


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise DamagedError(f"it is not JSON ({why})") from None


def _packed(found: Shape, key: str) -> Shape | None:
    """A document that stands in the file as it is, or packed: ``{"zlib": BASE64}``."""
    document = found.child(key)
    if document is None:
        return None
    if problem := document.text("problem"):
        raise DamagedError(problem)
    packed = document.text("zlib")
    if packed is None:
        return document
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(packed, validate=True), UNPACKED_LIMIT)
    except (binascii.Error, zlib.error, ValueError):
        raise DamagedError("it cannot be unpacked") from None
    if not unpacker.eof:
        raise DamagedError("it is cut off, or larger than 64 MiB")
    return Shape(_parse(raw), f"the {key}")
