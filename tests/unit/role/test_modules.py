"""What the collection's modules share."""

from __future__ import annotations

import importlib
import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from tests.unit.role import collection

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What knows units and service managers, found as on a host."""
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.module_utils.systemd")


def test_an_instance_finds_its_own_units_alone(systemd: ModuleType) -> None:
    instances = ["", "gpu1", "gpu10", "notify", "notify-gpu1", "gpu1-notify", "notify-notify"]
    units = {}
    for instance in instances:
        names = systemd.Units(instance)
        telling = names.notify.replace("@", f"@{names.service}")
        units[instance] = {*names.all, telling} - {names.notify}
    for instance in instances:
        patterns = systemd.Units(instance).patterns
        found = {
            unit
            for names in units.values()
            for unit in names
            if any(fnmatchcase(unit, pattern) for pattern in patterns)
        }
        assert found == units[instance]


def test_the_collection_asks_in_one_place_whether_systemd_runs() -> None:
    sources = [*collection.PLUGINS.rglob("*.py"), *collection.ROLE.rglob("*.py")]
    asking = [file.name for file in sources if "/run/systemd/system" in file.read_text()]
    assert asking == ["systemd.py"]


def test_a_write_that_fails_names_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    files = importlib.import_module(f"{collection.PACKAGE}.module_utils.files")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        files.write(str(tmp_path / "record.json"), b"{}", 0o600)
    assert raised.value.filename == str(tmp_path / "record.json")
    assert list(tmp_path.iterdir()) == []
