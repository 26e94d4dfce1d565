"""Whether a user's service manager runs without a login, as logind has noted it down.

The role's modules use this very file on the hosts: it imports the standard library alone.
"""

from __future__ import annotations

import os

FOLDER = "/var/lib/systemd/linger"
# As cescape() of systemd has them.
_ESCAPES = {
    ord("\a"): r"\a",
    ord("\b"): r"\b",
    ord("\f"): r"\f",
    ord("\n"): r"\n",
    ord("\r"): r"\r",
    ord("\t"): r"\t",
    ord("\v"): r"\v",
    ord("\\"): r"\\",
    ord('"'): r"\"",
    ord("'"): r"\'",
}


def note_of(name: str, folder: str = FOLDER) -> str:
    r"""The file that says so of an account, escaped as systemd escapes it.

    Args:
        name: the account's, spelled as the host's user database does: ``CORP\anna`` is
            ``CORP\\anna`` there.
        folder: where logind keeps it.
    """
    escaped = [
        _ESCAPES.get(c) or (chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in os.fsencode(name)
    ]
    return f"{folder}/{''.join(escaped)}"


def is_noted(name: str, folder: str = FOLDER) -> bool:
    """Whether it says so of an account of that name, which is not looked up."""
    return os.path.lexists(note_of(name, folder))
