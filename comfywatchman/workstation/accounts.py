"""Whose account is meant: who called, also through sudo, doas or pkexec."""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_ID = 2**32 - 2
SUBORDINATE = Path("/etc/subuid")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine.

    Attributes:
        name: its name.
        uid: its number.
        gid: number of its group.
        home: its home folder, which need not be there.
    """

    name: str
    uid: int
    gid: int
    home: Path


def of_uid(uid: int) -> Account | None:
    """The account with that number, or None."""
    try:
        return _account(pwd.getpwuid(uid))
    except (KeyError, OverflowError):
        return None


def of_name(name: str) -> Account | None:
    """The account of that name, or None."""
    try:
        return _account(pwd.getpwnam(name))
    except (KeyError, ValueError):  # no such name; one with a NUL character
        return None


def caller(uid: int, environment: Mapping[str, str]) -> Account | None:
    """Who called, or None for an id without an account.

    What sudo, doas and pkexec leave in the environment counts for root alone: others could have
    written anything there.

    Args:
        uid: the effective user id of this process.
        environment: the environment of this process.
    """
    if uid == 0:
        by_number = (environment.get(name, "") for name in ("SUDO_UID", "PKEXEC_UID"))
        by_name = (environment.get(name, "") for name in ("SUDO_USER", "DOAS_USER"))
        found = [of_uid(number) for text in by_number if (number := _number(text)) is not None]
        found += [of_name(name) for name in by_name if name]
        for account in found:
            if account is not None:
                return account
    return of_uid(uid)


def subordinate(account: Account, file: Path = SUBORDINATE) -> tuple[range, ...]:
    """The ids that are an account's besides its own: those of its containers.

    Args:
        account: the account.
        file: where they are noted down; what makes no sense in it is passed over.
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        name, *numbers = line.split(":")
        if name in (account.name, str(account.uid)) and len(numbers) == 2:
            first, count = map(_number, numbers)
            if first is not None and count is not None:
                found.append(range(first, first + count))
    return tuple(found)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))):
        return None
    return int(text)


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))
