"""What the module status makes of systemd's answers, which are those of systemd 257."""

from __future__ import annotations

import importlib
import os
import pwd
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.role import collection

if TYPE_CHECKING:
    from types import ModuleType

SERVICE = "comfywatchman.service"
RELEASE = "/home/artist/.local/share/comfywatchman/releases/0.1.0-py3.13-f53ff80b7a22"
PYTHON = f"{RELEASE}/venv/bin/python"
ENDING = (
    "ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
)
UNITS = "/home/artist/.config/systemd/user"


class Answers:
    """A stand-in for the service manager: answers that were recorded."""

    def __init__(self, program: str, arguments: str, drop_ins: str = "") -> None:
        start = f"{{ path={program} ; argv[]={program}{arguments} ; {ENDING}"
        self._shown = {"ExecStart": start, "DropInPaths": drop_ins}

    def show(self, _unit: str, *_properties: str) -> dict[str, str]:
        return self._shown


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.modules.status")


def test_a_drop_in_beside_the_roles_own_is_welcome(status: ModuleType) -> None:
    ours = f"{UNITS}/{SERVICE}.d/50-site.conf {UNITS}/{SERVICE}.d/nice.conf"
    manager = Answers(PYTHON, " -m comfywatchman.cli --run-check", ours)
    assert status.overridden(manager, "user", SERVICE, RELEASE) == ""


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("/bin/false", ""), (PYTHON, " -m http.server"), (f"/old{PYTHON}", " -m comfywatchman.cli")],
)
def test_one_that_replaces_the_check_is_named(
    status: ModuleType, program: str, arguments: str
) -> None:
    ours, theirs = f"{UNITS}/{SERVICE}.d/50-site.conf", f"{UNITS}/{SERVICE}.d/zz.conf"
    said = status.overridden(
        Answers(program, arguments, f"{ours} {theirs}"), "user", SERVICE, RELEASE
    )
    assert said == (
        f"{SERVICE} starts {program}{arguments} and not this release's check: remove ExecStart= "
        f"from {theirs}, then run 'systemctl --user daemon-reload'"
    )


def test_a_folder_that_is_closed_to_its_owner_is_said_to_be(status: ModuleType) -> None:
    accounts = importlib.import_module(f"{collection.PACKAGE}.module_utils.accounts")
    nobody = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        closed = Path(above, "comfywatchman")
        closed.mkdir(mode=0o700 if nobody else 0)
        secret = str(closed / "comfyui_token")
        seen = accounts.as_account(nobody, lambda: status.looked_at([], [secret], [str(closed)]))
        closed.chmod(0o700)
    who = "nobody" if nobody else pwd.getpwuid(os.getuid()).pw_name
    assert seen["exposed"] == []
    (said,) = seen["unseen"]
    assert said == (
        f"{who} may not look there ({closed}: Permission denied), so what is there is not known"
    )


def test_one_of_the_roles_own_that_replaces_it_is_traced_to_its_variable(
    status: ModuleType,
) -> None:
    manager = Answers("/bin/false", "", f"{UNITS}/{SERVICE}.d/50-site.conf")
    said = status.overridden(manager, "user", SERVICE, RELEASE)
    assert said.endswith(": remove ExecStart from comfywatchman_unit_overrides, and deploy")
