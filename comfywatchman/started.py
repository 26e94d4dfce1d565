"""Whether systemd has started this very process: what its environment says of it."""

from __future__ import annotations

import os


def by_systemd(*, unsaid: bool) -> bool:
    """Whether a unit has started this very process, rather than one that has started this.

    Args:
        unsaid: the answer where systemd does not say so (before 248), or is not there.
    """
    process = os.environ.get("SYSTEMD_EXEC_PID")
    return unsaid if process is None else process == str(os.getpid())


def invocation() -> str:
    """The id that systemd gave the start of the service that this is; empty if it is none.

    What a service starts has the variable as well, a terminal for one: it is no start of ours.
    """
    return os.environ.get("INVOCATION_ID", "") if by_systemd(unsaid=True) else ""
