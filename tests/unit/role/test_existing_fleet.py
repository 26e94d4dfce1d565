"""Hosts that were deployed before the role was part of a collection (commit 164c0bb).

What that commit left on a real Debian 13 is written down here, and nothing of the code that wrote
it is needed: the folder of a release with its link, and the note in /var/lib/comfywatchman.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.role import collection
from tests.unit.role.test_activation import USER, Host

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "0.1.0-py3.13-b756971f81c8", "0.1.0-py3.13-d4316a8884dc"
SETTINGS = "comfyui_url = \"http://127.0.0.1:8188\"\nof = 'the old one'\n"
NOTED_DOWN = {"home", "lingering_enabled", "made", "paths", "scheduler", "scope", "user"}


def as_it_was_left(host: Host) -> None:
    """The active release: complete, proven, its settings kept in it, no release before it."""
    host.build(OLD)
    release = host.release(OLD)
    (release / ".complete").write_text("comfywatchman-0.1.0-py3-none-any.whl\nPython 3.13.5\n")
    (release / ".activated").touch()
    for folder in (host.config, release):
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(SETTINGS)
        (folder / "config.toml").chmod(0o600)
    (release / "units").mkdir()
    (release / "wheel.txt").write_text("comfywatchman @ file:///home/x.whl --hash=sha256:00\n")
    (host.root / "current").symlink_to(f"releases/{OLD}")


def test_it_is_upgraded_and_goes_back(tmp_path: Path) -> None:
    host = Host(tmp_path)
    as_it_was_left(host)
    host.build(NEW)
    before = host.active()

    upgraded = host.activate(NEW)
    assert (upgraded["before"], upgraded["release"]) == (OLD, NEW)
    assert host.links() == (NEW, OLD)

    back = host.go_back()
    assert (back["before"], back["release"]) == (NEW, OLD)
    assert host.active()["config.toml"] == before["config.toml"] == (0o600, SETTINGS)
    assert host.links()[0] == OLD


def test_an_upgrade_that_fails_leaves_it_as_it_was(tmp_path: Path) -> None:
    host = Host(tmp_path)
    as_it_was_left(host)
    host.build(NEW, "bad")
    before = host.active()
    assert host.activate(NEW)["failed"]
    assert host.active() == before


def test_what_was_noted_down_is_noted_down_by_the_same_names(tmp_path: Path) -> None:
    """A host whose note lacks what is looked for would be one that has moved."""
    asked = {"user": USER, "scope": "user", "root": str(tmp_path), "preflight": False}
    found = json.loads(collection.run("probe", asked).stdout)
    assert set(found["wanted_record"]) >= NOTED_DOWN
    assert set(found["wanted_record"]["paths"]) >= {"config", "root", "state", "units"}
