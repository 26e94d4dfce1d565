"""Mounts that may come later than a user's service manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from comfywatchman.schedule import mounts
from tests.unit.role.collection import PLUGINS

if TYPE_CHECKING:
    from pathlib import Path

MOUNTINFO = r"""
21 1 0:1 / / rw - ext4 /dev/sda1 rw
22 21 0:2 / /home rw - xfs /dev/sdb1 rw
23 22 0:3 / /home/an\040na rw shared:1 master:2 - nfs4 server:/anna rw
24 22 0:4 / /home/an\040na/mnt rw - tmpfs tmpfs rw
25 21 0:5 / /homes rw - tmpfs tmpfs rw
26 21 0:6 / /opt/na\303\257ve rw - ext4 /dev/sdc1 rw
28 22 0:8 / /home/müller rw - nfs4 server:/m rw
29 22 0:9 / /home/łu\040k rw - nfs4 server:/l rw
not a line
27 22 0:7 / /home/an\040na rw - fuse.gocryptfs crypt rw
""".lstrip()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/lib", ("/", "ext4")),
        ("/home", ("/home", "xfs")),
        ("/home/anna/x", ("/home", "xfs")),
        ("/home/an na/.config/not there", ("/home/an na", "fuse.gocryptfs")),
        ("/home/an na/mnt/x", ("/home/an na/mnt", "tmpfs")),
        ("/opt/naïve/x", ("/opt/naïve", "ext4")),
        ("/home/müller/x", ("/home/müller", "nfs4")),
        ("/home/łu k/x", ("/home/łu k", "nfs4")),
    ],
)
def test_where_a_path_is_mounted(path: str, found: tuple[str, str]) -> None:
    assert mounts.mount_of(path, MOUNTINFO) == found


@pytest.mark.parametrize("point", ["/home/müller", "/home/łuk", "/home/a\u2028b", "/home/\udcff"])
def test_a_mount_point_of_any_letters(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    lines = "21 1 0:1 / / rw - ext4 /dev/sda1 rw", f"28 21 0:8 / {point} rw - nfs4 server:/m rw"
    table.write_bytes(os.fsencode("\n".join(lines)))
    asked: list[str] = []
    monkeypatch.setattr(mounts, "MOUNTINFO", str(table))
    monkeypatch.setattr(mounts, "_show", lambda units: asked.extend(units) or {})
    mounts.late([f"{point}/.config/systemd/user"], 1000)
    assert mounts.unit_of(point) in asked


@pytest.mark.parametrize("point", ["/", "/home/an na", "/srv/a-b/.c", "/opt/naïve", "/.x/100%"])
def test_the_name_of_its_unit_is_systemds(point: str) -> None:
    if not (tool := shutil.which("systemd-escape")):
        pytest.skip("no systemd-escape to compare with")
    command = [tool, "--path", "--suffix=mount", point]
    said = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    assert mounts.unit_of(point) == said


FSTAB = {
    "FragmentPath": "/run/systemd/generator/home.mount",
    "SourcePath": "/etc/fstab",
    "ActiveEnterTimestampMonotonic": "500",
}
LOCAL = FSTAB | {"Before": "umount.target local-fs.target", "RequiredBy": "local-fs.target"}
NETWORK = FSTAB | {"Before": "remote-fs.target", "RequiredBy": "remote-fs.target"}
BY_LOGIN = {
    "SourcePath": "/proc/self/mountinfo",
    "Before": "umount.target local-fs.target",
    "ActiveEnterTimestampMonotonic": "500",
}
BASIC = {"ActiveEnterTimestampMonotonic": "100"}
MANAGER = {"ActiveState": "active", "InactiveExitTimestampMonotonic": "200"}


def judged(mount: dict[str, str], **manager: str) -> mounts.Late | None:
    return mounts.judge("/home", "nfs4", mount, MANAGER | manager, BASIC)


def test_what_is_there_before_any_manager_needs_no_word() -> None:
    assert judged(LOCAL) is None
    assert judged(NETWORK | {"TriggeredBy": "home.automount"}) is None
    assert judged(BY_LOGIN | {"ActiveEnterTimestampMonotonic": "90"}) is None  # a container's


@pytest.mark.parametrize(
    ("mount", "declared"),
    [
        (NETWORK, True),
        (FSTAB, True),  # noauto
        (FSTAB | {"WantedBy": "local-fs.target"}, True),  # nofail: nothing waits for it
        (BY_LOGIN, False),
    ],
)
def test_what_may_be_late(mount: dict[str, str], declared: bool) -> None:
    assert judged(mount) == mounts.Late("/home", "nfs4", declared, awaited=False, missed=True)
    waiting = judged(mount, RequiresMountsFor="/run/user/7 /home/anna")
    assert waiting == mounts.Late("/home", "nfs4", declared, awaited=True, missed=True)
    in_time = judged(mount, InactiveExitTimestampMonotonic="600")
    assert in_time == mounts.Late("/home", "nfs4", declared, awaited=False, missed=False)
    none = judged(mount, ActiveState="inactive", InactiveExitTimestampMonotonic="0")
    assert none is not None
    assert not none.missed


def test_it_is_told_with_what_helps() -> None:
    late = mounts.Late("/home", "nfs4", declared=True, awaited=False, missed=True)
    said, remedy = mounts.warning(late, 1000)
    assert "may begin before /home is mounted" in said
    assert "RequiresMountsFor=/home" in remedy
    assert "/etc/systemd/system/user@1000.service.d/50-comfywatchman.conf" in remedy
    said, remedy = mounts.cause(late, "comfywatchman.timer")
    assert said == (
        "the user's service manager began before /home was mounted, and missed comfywatchman.timer"
    )
    assert remedy.startswith(
        "systemctl --user daemon-reload && systemctl --user start comfywatchman.timer"
    )
    by_login = mounts.Late("/home", "fuse", declared=False, awaited=False, missed=True)
    assert "have /etc/fstab or a mount unit mount it" in mounts.warning(by_login, 1)[1]
    assert "have /etc/fstab or a mount unit mount it" in mounts.cause(by_login, "x.timer")[1]
    assert (PLUGINS / "module_utils" / "mounts.py").is_symlink()


@pytest.mark.parametrize("point", ["/srv/an na", '/srv/a "b" 100%', "/srv/a\\b", "/home/müller"])
def test_the_advice_is_what_is_written(point: str) -> None:
    late = mounts.Late(point, "nfs4", declared=True, awaited=False, missed=True)
    written = mounts.drop_in([point]).splitlines()[-1]
    assert f"put {written} under [Unit]" in mounts.warning(late, 1000)[1]
    assert f"({written})" in mounts.cause(late, "comfywatchman.timer")[1]


def test_the_drop_in() -> None:
    assert mounts.drop_in(["/home", '/srv/a "b" 100%']).splitlines()[1:] == [
        "[Unit]",
        'RequiresMountsFor="/home"',
        'RequiresMountsFor="/srv/a \\"b\\" 100%%"',
    ]
