"""What the role's modules share."""

from __future__ import annotations

import importlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import ansible.module_utils
import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROLE = Path(__file__).parents[3] / "roles" / "comfywatchman"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The role's ``module_utils``, among Ansible's own as on a host."""
    path = [*ansible.module_utils.__path__, str(ROLE / "module_utils")]
    monkeypatch.setattr(ansible.module_utils, "__path__", path)
    return importlib.import_module("ansible.module_utils.comfywatchman")


def test_an_instance_finds_its_own_units_alone(shared: ModuleType) -> None:
    instances = ["", "gpu1", "gpu10", "notify", "notify-gpu1", "gpu1-notify"]
    units = {}
    for instance in instances:
        names = shared.Units(instance)
        telling = names.notify.replace("@", f"@{names.service}")
        units[instance] = {names.timer, names.service, telling}
    for instance in instances:
        patterns = shared.Units(instance).patterns
        found = {
            unit
            for names in units.values()
            for unit in names
            if any(fnmatchcase(unit, pattern) for pattern in patterns)
        }
        assert found == units[instance]


def test_the_role_asks_in_one_place_whether_systemd_runs() -> None:
    asking = [file.name for file in ROLE.rglob("*.py") if "/run/systemd/system" in file.read_text()]
    assert asking == ["comfywatchman.py"]
