"""What goes when an instance is removed, and what of another one stays."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.role import collection

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("gone", "stays"), [("", "-a"), ("a", ""), ("a", "-a-notify")])
def test_what_sends_messages_goes_with_its_instance(tmp_path: Path, gone: str, stays: str) -> None:
    names = {f"comfywatchman{'-' * bool(gone)}{gone}", f"comfywatchman{stays}"}
    units, config = tmp_path / "units", tmp_path / "config"
    config.mkdir()
    (units / "graphical-session.target.d").mkdir(parents=True)
    for name in names:
        (units / f"{name}.notify.service").touch()
        (units / f"{name}.service").touch()
        (units / "graphical-session.target.d" / f"{name}.conf").touch()
    for secret in ("notify_urls", "ping_url"):
        (config / secret).touch()
    paths = {name: str(tmp_path / name) for name in ("root", "config", "state", "units")}
    given = {"scope": "user", "user": getpass.getuser(), "home": str(tmp_path), "paths": paths}
    given |= {"instance": gone, "keep_state": False}
    assert json.loads(collection.run("removal", given).stdout)["changed"]
    kept = f"comfywatchman{stays}"
    assert sorted(p.relative_to(units).as_posix() for p in units.rglob("*") if p.is_file()) == [
        *(f"{kept}.notify.service", f"{kept}.service"),
        f"graphical-session.target.d/{kept}.conf",
    ]
    assert not config.exists()
