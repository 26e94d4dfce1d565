"""The role's modules, all of them."""

from __future__ import annotations

from pathlib import Path

ROLE = Path(__file__).parents[3] / "roles" / "comfywatchman"


def test_the_role_asks_in_one_place_whether_systemd_runs() -> None:
    asking = [file.name for file in ROLE.rglob("*.py") if "/run/systemd/system" in file.read_text()]
    assert asking == ["comfywatchman.py"]
