"""Who called, and what is needed of root for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman.workstation import accounts, rights
from comfywatchman.workstation.accounts import Account
from comfywatchman.workstation.rights import NoRightsError, Rights

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = accounts.of_name("nobody")
assert NOBODY is not None


@pytest.mark.parametrize(
    ("uid", "environment", "name"),
    [
        (0, {}, "root"),
        (0, {"SUDO_UID": str(NOBODY.uid), "SUDO_USER": "nobody"}, "nobody"),
        (0, {"SUDO_USER": "nobody"}, "nobody"),
        (0, {"SUDO_UID": "0", "SUDO_USER": "root"}, "root"),
        (0, {"PKEXEC_UID": str(NOBODY.uid)}, "nobody"),
        (0, {"DOAS_USER": "nobody"}, "nobody"),
        # What makes no sense is passed over.
        (0, {"SUDO_UID": "4294967295", "SUDO_USER": "nobody"}, "nobody"),
        (0, {"SUDO_UID": "9" * 5000}, "root"),
        (0, {"SUDO_UID": "-1", "DOAS_USER": "no\x00body"}, "root"),
        (0, {"SUDO_UID": "٣", "SUDO_USER": "$(reboot)"}, "root"),
        # Whoever is not root may have written anything there.
        (NOBODY.uid, {"SUDO_UID": "0", "SUDO_USER": "root"}, "nobody"),
    ],
)
def test_who_called(uid: int, environment: dict[str, str], name: str) -> None:
    account = accounts.caller(uid, environment)
    assert account is not None
    assert account.name == name


def test_an_id_without_an_account_is_nobody() -> None:
    assert accounts.caller(4_000_000_000, {}) is None


def test_what_root_is_needed_for(tmp_path: Path) -> None:
    anna = Account(r"CORP\anna", 1000, 1000, tmp_path)
    systemd, lingering = tmp_path / "systemd", tmp_path / "linger"

    def reason(scope: str = "user", uid: int = 1000) -> str | None:
        return rights.reason(anna, scope, uid, lingering, systemd)

    assert reason() is None  # a machine without systemd
    systemd.mkdir()
    assert reason() == "to have your checks run while you are not logged in"
    lingering.mkdir()
    (lingering / r"CORP\\anna").touch()
    assert reason() is None
    assert reason("system") is not None
    assert reason(uid=1001) == r"to install for CORP\anna"


@pytest.fixture
def sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for sudo, alone on the PATH; it asks for a password unless it is told not to."""
    program = tmp_path / "sudo"
    program.write_text('#!/bin/sh\necho "$@" >>"${0%/*}/asked"\ntest -e "${0%/*}/free"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def test_how_root_is_come_by(sudo: Path) -> None:
    def obtain(why: str | None = "to x", uid: int = 1000, terminal: bool = True) -> Rights:
        return rights.obtain(why, uid=uid, terminal=terminal, command="install")

    assert obtain(None) == Rights(become=False)
    assert not (sudo.parent / "asked").exists()  # who needs nothing is not asked for anything
    assert obtain() == Rights(become=True, ask=True)
    with pytest.raises(NoRightsError) as raised:
        obtain(terminal=False)
    assert str(raised.value) == (
        "Root's rights are needed to x, and sudo asks for a password: run it on a terminal, or as "
        "root: sudo ./dev install"
    )
    (sudo.parent / "free").touch()
    assert obtain(terminal=False) == Rights(become=True)
    # Not by a password that was given a minute ago: Ansible's processes would be asked again.
    assert set((sudo.parent / "asked").read_text().splitlines()) == {"-k -n true"}
    assert obtain(uid=0, terminal=False) == Rights(become=True)
    sudo.unlink()
    assert obtain(uid=0, terminal=False) == Rights(become=True, method="su")
    assert obtain() == Rights(become=True, method="su", ask=True)


def test_the_ids_of_somebodys_containers(tmp_path: Path) -> None:
    anna, file = Account("anna", 1000, 1000, tmp_path), tmp_path / "subuid"
    assert accounts.subordinate(anna, file) == ()
    file.write_text("anna:100000:65536\nbob:165536:65536\n1000:1:2\nanna:x:1\nanna:1\n\nanna\n")
    assert accounts.subordinate(anna, file) == (range(100_000, 165_536), range(1, 3))
