"""Whose a folder is, where several hosts have one home: a file in it tells, by signs of its host.

A host has three signs: its name, its machine ID, its network hardware. Each may change while the
host stays the same (it is renamed, installed anew, given another card), so one that differs makes
no other host; two do. A sign that one of both lacks is not compared.

The role's modules use this very file on the hosts: it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import socket
import stat
from dataclasses import asdict, dataclass, replace

APPLICATION = bytes.fromhex("5b2f0c6f3c8e4d0a9a5d7d3b1c64e8f2")
"""Ours. With it, ``systemd-id128 machine-id --app-specific=`` gives the same as :func:`here`."""
MACHINE_ID = "/etc/machine-id"
NETWORK = "/sys/class/net"
OWNER = "host.json"
"""Name of the file that tells whose a folder is."""
_MOST_BYTES = 64 * 1024
_MOST_CARDS = 32
_HOST_PART = 24
"""Characters of a host's name that an instance is named after."""
_DIFFERENT = 2
"""How many signs must differ."""


@dataclass(frozen=True)
class Host:
    """The signs of a host.

    Attributes:
        name: as the kernel has it.
        machine: digest of its machine ID, which nobody else shall read; empty if it has none.
        cards: digests of the addresses of its network cards; empty if it shows none.
        given: the name that a person gives it, which then decides alone; empty if none is given.
    """

    name: str
    machine: str = ""
    cards: tuple[str, ...] = ()
    given: str = ""

    @property
    def shown(self) -> str:
        """What to call it."""
        return self.given or self.name or "another host"

    def is_other_than(self, owner: Host) -> bool:
        """Whether this is certainly another host than the owner of a folder."""
        if self.given:
            return bool(owner.given) and self.given != owner.given
        differ = (
            bool(self.name and owner.name) and self.name != owner.name,
            bool(self.machine and owner.machine) and self.machine != owner.machine,
            bool(self.cards and owner.cards) and not set(self.cards) & set(owner.cards),
        )
        return sum(differ) >= _DIFFERENT


def here(given: str = "") -> Host:
    """This host.

    Args:
        given: the name that a person gives it.
    """
    return Host(socket.gethostname(), _machine(), _cards(), given)


def instance_name(instance: str, host: Host) -> tuple[str, str]:
    """Names for an instance of this host where another host has the usual one; try them in turn."""
    part = re.sub(r"[^a-z0-9_-]+", "-", host.name.split(".")[0].lower()).strip("-_")
    part = part[:_HOST_PART] or "host"
    signs = "/".join((host.machine, *host.cards, host.name)).encode()
    digest = hashlib.sha256(signs).hexdigest()[:6]
    name, longer = (
        f"{instance[: 31 - len(text)]}-{text}" if instance else text
        for text in (part, f"{part[: _HOST_PART - 7]}-{digest}")
    )
    return name, longer


def read(folder: str | os.PathLike[str]) -> Host | None:
    """The owner of a folder; None where there is no word of one, or none that makes sense.

    Raises:
        PermissionError: this user may not look.
    """
    try:
        flags = os.O_RDONLY
        for more in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
            flags |= getattr(os, more, 0)
        descriptor = os.open(os.path.join(folder, OWNER), flags)
        with open(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return understood(file.read(_MOST_BYTES + 1)) if regular else None
    except PermissionError:
        raise
    except OSError:
        return None


def understood(text: bytes) -> Host | None:
    """The host that the content of such a file tells of; None where it makes no sense."""
    try:
        said = json.loads(text) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    cards = said.get("cards", [])
    texts = [said.get(key, "") for key in ("name", "machine", "given")]
    if not isinstance(cards, list) or not all(isinstance(each, str) for each in [*texts, *cards]):
        return None
    name, machine, given = texts
    return Host(name, machine, tuple(cards[:_MOST_CARDS]), given)


def claim(folder: str | os.PathLike[str], host: Host) -> Host | None:
    """Note down that a folder, which is there, belongs to this host, if it is no other's.

    Of two hosts that do so at once, one comes first.

    Returns:
        The other host that it belongs to; None if it is this one's.

    Raises:
        OSError: it could not be noted down.
    """
    owner = read(folder)
    if owner is not None and host.is_other_than(owner):
        return owner
    if owner is not None and not host.given:
        host = replace(host, given=owner.given)
    target = os.path.join(folder, OWNER)
    if owner == host:
        _leave_to_owner(target, folder)
        return None
    part = os.path.join(folder, f".{OWNER}.{secrets.randbits(32)}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            file.write(json.dumps(asdict(host), indent=2).encode() + b"\n")
            file.flush()
            _leave_to_owner(part, folder)
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        try:
            if owner is None:
                os.link(part, target)
                return None
        except FileExistsError:  # another host was faster, or what is there makes no sense
            owner = read(folder)
            if owner is not None and host.is_other_than(owner):
                return owner
        except OSError:  # a file system without such links
            pass
        os.replace(part, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    return None


def _leave_to_owner(file: str, folder: str | os.PathLike[str]) -> None:
    """What root writes in a user's folder is the user's."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        above, found = os.stat(folder), os.lstat(file)
        if (found.st_uid, found.st_gid) != (above.st_uid, above.st_gid):
            os.lchown(file, above.st_uid, above.st_gid)


def _machine() -> str:
    """What sd_id128_get_machine_app_specific(3) makes of the machine ID."""
    try:
        with open(MACHINE_ID, encoding="ascii") as file:
            identity = bytes.fromhex(file.read(64).strip())
    except (OSError, ValueError):  # also where it is "uninitialized"
        return ""
    if len(identity) != 16 or not any(identity):
        return ""
    digest = bytearray(hmac.digest(identity, APPLICATION, "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x40
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()


def _cards() -> tuple[str, ...]:
    """Of real cards alone: what a container or a bridge has is made anew again and again."""
    found = set()
    try:
        names = os.listdir(NETWORK)
    except OSError:
        return ()
    for name in names:
        if not os.path.exists(os.path.join(NETWORK, name, "device")):
            continue
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(NETWORK, name, "addr_assign_type"), encoding="ascii") as file:
                if int(file.read(16)) != 0:  # not the card's own address
                    continue
            with open(os.path.join(NETWORK, name, "address"), "rb") as file:
                found.add(hmac.digest(APPLICATION, file.read(64).strip(), "sha256").hex()[:32])
    return tuple(sorted(found)[:_MOST_CARDS])
