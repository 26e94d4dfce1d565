"""Whether root's rights are needed here, and how Ansible comes by them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman.schedule.lingering import FOLDER, is_noted

if TYPE_CHECKING:
    from comfywatchman.workstation.accounts import Account

SYSTEMD = Path("/run/systemd/system")


class NoRightsError(Exception):
    """Root's rights are needed, and there is no way to them. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Rights:
    """How Ansible becomes root; to act as another user then is the role's own affair.

    Attributes:
        become: whether it does so at all. Root's own run does so too, which asks for nothing.
        method: ``sudo`` or ``su``.
        ask: whether it has to ask for a password.
    """

    become: bool
    method: str = "sudo"
    ask: bool = False


def reason(
    user: Account,
    scope: str,
    uid: int,
    lingering: Path = Path(FOLDER),
    systemd: Path = SYSTEMD,
) -> str | None:
    """Why root's rights are needed, as the end of a sentence; None: they are not.

    Args:
        user: who runs ComfyUI.
        scope: ``user`` or ``system``.
        uid: who runs this process.
        lingering: where systemd notes down whose manager runs without a login.
        systemd: the folder that is there if systemd runs.
    """
    if scope == "system":
        return "to install for the whole system"
    if user.uid != uid:
        return f"to install for {user.name}"
    if systemd.is_dir() and uid != 0 and not is_noted(user.name, str(lingering)):
        return "to have your checks run while you are not logged in"
    return None


def obtain(why: str | None, *, uid: int, terminal: bool, command: str) -> Rights:
    """How to come by root's rights.

    Args:
        why: what they are needed for; None: they are not.
        uid: who runs this process.
        terminal: whether somebody can be asked for a password.
        command: what was called, for the sentence.

    Raises:
        NoRightsError: there is no way.
    """
    if uid == 0:
        # Root needs no password for either, and a container often has no sudo.
        return Rights(become=True, method="sudo" if shutil.which("sudo") else "su")
    if why is None:
        return Rights(become=False)
    method = "sudo" if shutil.which("sudo") else "su"
    if method == "sudo" and _free():
        return Rights(become=True)
    if not terminal:
        raise NoRightsError(
            f"Root's rights are needed {why}, and {method} asks for a password: run it on a "
            f"terminal, or as root: sudo ./dev {command}"
        )
    return Rights(become=True, method=method, ask=True)


def _free() -> bool:
    """Whether sudo asks for no password, not even once."""
    try:
        return (
            subprocess.run(
                ["sudo", "-k", "-n", "true"],  # noqa: S607
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
