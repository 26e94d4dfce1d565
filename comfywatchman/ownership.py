"""A home that several hosts use: no host's cycle writes into the state of another.

The timer of one host may start on all of them, as its unit lies in that home. Which host a state
folder belongs to is written in it (:mod:`comfywatchman.host`); the first cycle writes it there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from pathlib import Path

from comfywatchman import host, started, state
from comfywatchman.errors import ConfigError

_RECORDS = Path("/var/lib/comfywatchman")
"""Where the role notes down what it has installed, on each host by itself."""


class NotOursError(ConfigError):
    """The state folder belongs to another host.

    Attributes:
        expected: whether it was another host's timer that started this, where nothing else can be
            expected of it and nothing is wrong.
    """

    def __init__(self, folder: Path, owner: host.Host) -> None:
        self.expected = started.by_systemd(unsaid=False) and not _installed_here(folder)
        super().__init__(sentence(folder, owner))


def of_other_host(folder: Path) -> host.Host | None:
    """The other host that a state folder belongs to; None if it is this one's, or nobody's yet."""
    try:
        owner = host.read(folder)
    except OSError:  # whoever may not look there cannot write there either
        return None
    if owner is None:
        return None
    return owner if this_host().is_other_than(owner) else None


def this_host() -> host.Host:
    """This host, by the name that its environment gives it, if it gives one."""
    return host.here(os.environ.get(state.HOST_NAME_VARIABLE, ""))


def refuse_other_hosts(folder: Path) -> None:
    """Let no cycle begin in the state folder of another host.

    Raises:
        NotOursError: it belongs to one.
    """
    if owner := of_other_host(folder):
        raise NotOursError(folder, owner)


def claim(folder: Path) -> None:
    """Write down that a state folder is this host's, unless it says so already.

    Raises:
        NotOursError: it belongs to another host.
    """
    with contextlib.suppress(OSError):  # what keeps a folder from being written, the cycle tells
        if owner := host.claim(folder, this_host()):
            raise NotOursError(folder, owner)


def sentence(folder: Path, owner: host.Host) -> str:
    """What a person must know who meets the state of another host."""
    if _installed_here(folder):
        own = "Deploy to this host again, and it gets names and folders of its own"
    else:
        own = "Deploy to this host as well, or set a state_dir of its own"
    file = shlex.quote(str(folder / host.OWNER))
    return (
        f"{folder} belongs to the host {owner.shown}, with which this host "
        f"({this_host().shown}) shares it: nothing was changed there. {own}. "
        f"If it is this host's after all (a clone, a restored backup): rm {file}. A container "
        f"that is made anew under other names keeps one by {state.HOST_NAME_VARIABLE}"
    )


def _installed_here(folder: Path) -> bool:
    """Whether the role has noted down on this host that its reports go there."""
    with contextlib.suppress(OSError):
        for file in _RECORDS.glob("installation*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                if json.loads(file.read_bytes())["paths"]["state"] == str(folder):
                    return True
    return False
