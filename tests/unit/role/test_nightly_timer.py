"""The timer that has model files read at night, where releases are activated with systemd.

A stand-in takes the place of the service manager: units start and stop in it as systemd has them
do by ``Wants=`` and ``PartOf=``.
"""

from __future__ import annotations

import importlib
import os
import pwd
import shlex
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit import release_folder
from tests.unit.role import collection
from tests.unit.role.test_activation import PYTHON

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TIMER, NIGHTLY = "comfywatchman.timer", "comfywatchman.models-verify.timer"
WITHOUT = {"comfywatchman.service": "[Service]\n", TIMER: "[Timer]\n"}
WITH = {**WITHOUT, TIMER: f"[Unit]\nWants={NIGHTLY}\n", NIGHTLY: f"[Unit]\nPartOf={TIMER}\n"}


class ServiceManager:
    """What systemd would have in memory."""

    running = True

    def __init__(self, units: Path, error: type[Exception]) -> None:
        self.folder, self.error = units, error
        self.loaded: dict[str, str] = {}
        self.active: set[str] = set()
        self.enabled: set[str] = set()
        self.fails = False

    def systemctl(self, verb: str, unit: str = "", **_: Any) -> None:
        if verb == "daemon-reload":
            self.loaded = {path.name: path.read_text() for path in self.folder.glob("comfy*")}
        elif verb == "start" and (unit not in self.loaded or unit.endswith(".service")):
            if self.fails or unit not in self.loaded:
                raise self.error(f"systemctl start {unit}: no")
        elif verb == "start":
            wanted = f"Wants={NIGHTLY}" in self.loaded[unit] and NIGHTLY in self.loaded
            self.active |= {unit, NIGHTLY} if wanted else {unit}
        elif verb == "stop":
            parts = {part for part in self.active if f"PartOf={unit}" in self.loaded.get(part, "")}
            self.active -= {unit, *parts}
        elif verb in ("enable", "disable"):
            (self.enabled.add if verb == "enable" else self.enabled.discard)(unit)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        known = {
            "ActiveState": "active" if unit in self.active else "inactive",
            "UnitFileState": "enabled" if unit in self.enabled else "disabled",
            "NeedDaemonReload": "no",
        }
        return {name: known.get(name, "") for name in properties}

    def verify(self, _: list[str]) -> str:
        return ""


class Host:
    """A host on which releases are activated."""

    def __init__(self, top: Path, module: ModuleType) -> None:
        self.top, self.module = top, module
        self.paths = {name: str(top / name) for name in ("root", "config", "state", "units")}
        self.systemd = ServiceManager(top / "units", module.CommandError)

    def stamp(self, timer: str) -> Path:
        return self.top / ".local/share/systemd/timers" / f"stamp-{timer}"

    def activate(self, release: str, units: dict[str, str], **more: Any) -> list[str]:
        """Have it done; what it said beforehand that it would do to the service manager."""
        folder = self.top / "root" / "releases" / release
        if not folder.exists():
            python = PYTHON.replace("STATE", shlex.quote(self.paths["state"]))
            release_folder.build(folder, python.replace("VERSION", release_folder.VERSION))
        user = pwd.getpwuid(os.getuid())
        given = {
            "scope": "user",
            "scheduler": "systemd",
            "instance": "",
            "user": user.pw_name,
            "accepted": "",
            "credentials": {},
            "timer_enabled": True,
            "smoke_test": False,
            "state_dir_before": "",
            "paths": self.paths,
            **more,
        }
        wanted = self.module.Wanted(release, {n: t.encode() for n, t in units.items()}, b"a = 1\n")
        releases = self.module.Releases(self.paths["root"])
        activation = self.module.Activation(SimpleNamespace(params=given), wanted, releases, False)
        activation.systemd = self.systemd
        activation.account = SimpleNamespace(
            pw_dir=str(self.top), pw_uid=user.pw_uid, pw_gid=user.pw_gid
        )
        different, said = activation.plan()
        activation.apply(different)
        return [each for each in said if each.startswith("systemctl")]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """One on which nothing is active."""
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return Host(tmp_path, importlib.import_module(f"{collection.PACKAGE}.modules.activation"))


def test_it_runs_with_the_timer_of_the_checks_and_goes_when_it_is_not_wanted(host: Host) -> None:
    host.activate("1.0-a", WITHOUT)
    assert host.systemd.active == {TIMER}
    assert host.activate("1.0-a", WITH) == [f"systemctl start {NIGHTLY}"]
    assert host.systemd.active == {TIMER, NIGHTLY}
    assert host.activate("1.0-a", WITH) == []
    host.activate("1.0-a", WITH, timer_enabled=False)
    assert host.systemd.active == set()
    host.activate("1.0-a", WITH)
    assert host.systemd.active == {TIMER, NIGHTLY}
    assert host.activate("1.0-a", WITHOUT) == [f"systemctl stop {NIGHTLY}"]
    assert host.systemd.active == {TIMER}
    assert not (host.top / "units" / NIGHTLY).exists()


@pytest.mark.parametrize("before", [WITH, WITHOUT])
def test_a_release_that_fails_leaves_it_as_it_was(host: Host, before: dict[str, str]) -> None:
    host.activate("1.0-a", before)
    active, units = set(host.systemd.active), dict(host.systemd.loaded)
    host.systemd.fails = True
    after = WITHOUT if before is WITH else WITH
    with pytest.raises(host.module.UnprovenError):
        host.activate("2.0-b", after, smoke_test=True)
    assert (host.systemd.active, host.systemd.loaded) == (active, units)


def test_what_was_read_long_ago_is_not_made_up_for_by_all_hosts_of_a_rollout(host: Host) -> None:
    for timer in (TIMER, NIGHTLY):
        host.stamp(timer).parent.mkdir(parents=True, exist_ok=True)
        host.stamp(timer).touch()
        os.utime(host.stamp(timer), (1000, 1000))
    host.activate("1.0-a", WITH)
    assert all(host.stamp(timer).stat().st_mtime > 1000 for timer in (TIMER, NIGHTLY))
