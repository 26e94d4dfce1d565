"""Mounts that may come later than a user's service manager, which then finds no units to start.

A lingering manager starts soon after ``basic.target``. What ``local-fs.target`` waits for is there
by then; a home on the network, one marked ``noauto``, or one that a login mounts may not be. The
role's modules use this very file on the hosts: it imports the standard library alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

MOUNTINFO = "/proc/self/mountinfo"
_PROPERTIES = (
    "Id",
    "ActiveState",
    "FragmentPath",
    "SourcePath",
    "Before",
    "WantedBy",
    "RequiredBy",
    "TriggeredBy",
    "RequiresMountsFor",
    "ActiveEnterTimestampMonotonic",
    "InactiveExitTimestampMonotonic",
)
_BARRIER = "local-fs.target"


@dataclass(frozen=True)
class Late:
    """A mount that a user's manager does not wait for by itself.

    Attributes:
        point: where it is mounted.
        kind: its type, ``nfs4`` for one.
        declared: whether systemd can mount it, as /etc/fstab or a mount unit says how.
        awaited: whether the manager has been told to wait for it.
        missed: whether the manager that runs now began before it was there.
    """

    point: str
    kind: str
    declared: bool
    awaited: bool
    missed: bool


def mount_of(path: str, mountinfo: str) -> tuple[str, str]:
    """Where what a path is on is mounted, and its type: the last that was mounted over it.

    Args:
        path: need not be there.
        mountinfo: the content of /proc/self/mountinfo.
    """
    path = os.path.realpath(path)
    found = ("/", "")
    for line in mountinfo.split("\n"):
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = unescaped(fields[4])
        if (f"{path}/".startswith(point.rstrip("/") + "/")) and len(point) >= len(found[0]):
            found = point, after.split(" ")[0]
    return found


def unescaped(field: str) -> str:
    """A path as the kernel's tables have it: the bytes that would end a field are octal there."""
    path = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), os.fsencode(field))
    return os.fsdecode(path)


def unit_of(point: str) -> str:
    """The name of a mount's unit, escaped as systemd.unit(5) has it."""
    text = "/".join(part for part in point.split("/") if part)
    if not text:
        return "-.mount"
    escaped = "".join(
        "-"
        if byte == 0x2F
        else chr(byte)
        if re.match(rb"[A-Za-z0-9:_.]", bytes([byte])) and not (place == 0 and byte == 0x2E)
        else f"\\x{byte:02x}"
        for place, byte in enumerate(os.fsencode(text))
    )
    return f"{escaped}.mount"


def late(paths: list[str], uid: int) -> list[Late]:
    """Those of the mounts of some paths that a user's manager does not wait for by itself.

    Args:
        paths: what the manager needs, such as its units.
        uid: the user.
    """
    try:
        with open(MOUNTINFO, "rb") as file:
            mountinfo = os.fsdecode(file.read())
    except OSError:
        return []
    kinds = dict(mount_of(path, mountinfo) for path in paths)
    kinds.pop("/", None)
    if not kinds:
        return []
    manager = f"user@{uid}.service"
    points = {unit_of(point): point for point in kinds}
    shown = _show([*points, manager, "basic.target"])
    if manager not in shown:
        return []
    return [
        found
        for unit, point in points.items()
        if unit in shown
        and (
            found := judge(point, kinds[point], shown[unit], shown[manager], shown["basic.target"])
        )
    ]


def judge(
    point: str, kind: str, mount: dict[str, str], manager: dict[str, str], basic: dict[str, str]
) -> Late | None:
    """What is to be said of a mount; None where the manager cannot miss it.

    Args:
        point: where it is.
        kind: its type.
        mount: what systemd says of its unit,
        manager: of the user's manager,
        basic: and of ``basic.target``.
    """
    needed = f"{mount.get('WantedBy', '')} {mount.get('RequiredBy', '')}".split()
    in_time = _BARRIER in needed and _BARRIER in mount.get("Before", "").split()
    if in_time or ".automount" in mount.get("TriggeredBy", ""):
        return None
    there = _moment(mount, "ActiveEnterTimestampMonotonic")
    began = _moment(manager, "InactiveExitTimestampMonotonic")
    source = mount.get("SourcePath", "")
    declared = bool(mount.get("FragmentPath")) or source not in ("", MOUNTINFO)
    if not declared and there <= _moment(basic, "ActiveEnterTimestampMonotonic"):
        return None  # it was there before systemd had a say, as a container's volumes are
    waits = manager.get("RequiresMountsFor", "").split(" ")
    awaited = any(f"{path}/".startswith(f"{point}/") for path in waits)
    runs = manager.get("ActiveState") == "active"
    return Late(point, kind, declared, awaited, runs and 0 < began < there)


def drop_in_of(uid: int) -> str:
    """The file in which a user's manager is told to wait."""
    return f"/etc/systemd/system/user@{uid}.service.d/50-comfywatchman.conf"


def drop_in(points: list[str]) -> str:
    """Its content."""
    return (
        "# Made by ComfyWatchman, and removed with it. The units of this user lie on a mount.\n"
        "[Unit]\n" + "".join(f"RequiresMountsFor={_quoted(point)}\n" for point in points)
    )


def _quoted(point: str) -> str:
    """A path as a unit file takes it, whatever is in it."""
    escaped = point.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _advised(point: str) -> str:
    """The line that has a manager wait, as a person may write it: quoted where it has to be."""
    plain = re.fullmatch(r"[A-Za-z0-9/._-]+", point)
    return f"RequiresMountsFor={point if plain else _quoted(point)}"


def warning(found: Late, uid: int) -> tuple[str, str]:
    """What an operator must know of a mount that the manager may miss, and what to do."""
    if found.declared:
        said = f"the user's service manager may begin before {found.point} is mounted after a boot"
        remedy = (
            f"deploy as root, or put {_advised(found.point)} under [Unit] into "
            f"{drop_in_of(uid)}, then: systemctl daemon-reload"
        )
    else:
        said = (
            f"{found.point} ({found.kind}) is mounted by something else than systemd, after the "
            "user's service manager may have begun"
        )
        remedy = (
            "have /etc/fstab or a mount unit mount it and deploy again, or set "
            "comfywatchman_scope to system"
        )
    return f"{said}; then no cycle is due", remedy


def cause(found: Late, timer: str) -> tuple[str, str]:
    """Why a timer that is enabled is not active, and what to do: the manager missed the mount."""
    said = f"the user's service manager began before {found.point} was mounted, and missed {timer}"
    lasting = "have /etc/fstab or a mount unit mount it"
    if found.declared:
        lasting = f"have the manager wait ({_advised(found.point)}): deploy as root"
    now = f"systemctl --user daemon-reload && systemctl --user start {timer}"
    return said, f"{now}; and for the next boot: {lasting}"


def _moment(shown: dict[str, str], name: str) -> int:
    text = shown.get(name, "")
    return int(text) if text.isdigit() else 0


def _show(units: list[str]) -> dict[str, dict[str, str]]:
    """What the system's service manager says of units, by name; empty if it does not answer."""
    command = ["systemctl", "--system", "--no-pager", "show", "--property", ",".join(_PROPERTIES)]
    try:
        shown = subprocess.run(
            [*command, "--", *units],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
            timeout=5,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = {}
    for block in shown.decode("utf-8", "replace").split("\n\n"):
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found[said.get("Id", "")] = said
    return found
