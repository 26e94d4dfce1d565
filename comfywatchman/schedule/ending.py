"""What systemd says of a service that failed, in words: why, and what to do about it.

The role's modules use this very file on the hosts: it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import signal

KILLED = "the cycle was ended in the middle"
"""How the reason begins of a cycle that could not leave word itself."""
FAIL_ON = 1
NOT_BEGUN = 200
"""Exit codes from here on are systemd's own: the program was not started (systemd.exec(5))."""
_RESULTS = {
    "oom-kill": (
        "the kernel killed it for want of memory",
        "see whether the host or MemoryMax= is short of it",
    ),
    "start-limit-hit": ("it failed too often in a short time", "mend what the cycles before say"),
    "resources": ("its service manager lacked resources to start it", "see: systemctl status"),
}
_EXIT_CODES = {
    FAIL_ON: ("workflows are as bad as fail_on says", "see: comfywatchman report"),
    2: (
        "it refused its command line: unit and program do not fit",
        "deploy it again",
    ),
    70: (
        "a bug of ComfyWatchman or of its installation",
        "last-crash.txt in the state folder holds what its developers need",
    ),
    74: (
        "its state folder cannot be written (disk full, no inodes, quota, read-only, permissions)",
        "make room there, or correct its owner; the last report is as it was",
    ),
    78: ("its configuration is wrong", "correct what is named"),
    200: ("its WorkingDirectory= is gone", "deploy it again"),
    203: ("its program cannot be started: the installation is damaged", "deploy it again"),
    217: ("its user does not exist", "correct User= or comfywatchman_user"),
    226: (
        "its sandbox cannot be set up on this host",
        "deploy it again, or switch the sandbox off",
    ),
    228: ("its filter of system calls cannot be set up", "switch the sandbox off"),
    243: ("its credentials cannot be read", "deploy it again: their files are gone"),
}


def explain(result: str, status: str, limit: str = "TimeoutStartSec=") -> tuple[str, str]:
    """One sentence why a service failed, one what to do.

    Args:
        result: ``exit-code``, ``timeout``, ``signal``, …: ``$SERVICE_RESULT`` in systemd.exec(5).
        status: the exit status, or the name or number of the signal.
        limit: what set the time limit.
    """
    if result == "timeout":
        return (
            f"it took longer than {limit} allows and was ended",
            "see whether ComfyUI hangs, or allow more",
        )
    if result in ("signal", "core-dump"):
        return f"it was killed by {_signal(status)}", "see who did: journalctl -k, dmesg"
    if result == "exit-code":
        code = exit_code(result, status)
        if code in _EXIT_CODES:
            return _EXIT_CODES[code]
        if code is not None and code >= NOT_BEGUN:
            return (
                f"systemd could not start its program (exit code {code})",
                'see "Process Exit Codes" in systemd.exec(5); its log says more',
            )
        return f"it ended with exit code {status}", "its log says more"
    return _RESULTS.get(result, (f"its result is {result!r}", "its log says more"))


def explain_unrecorded(result: str, status: str) -> tuple[str, str]:
    """The same of a start of which no cycle has left word: its program did not come that far."""
    code = exit_code(result, status)
    if code == 0:  # what failed is not the program
        return (
            "a step before its program failed (ExecStartPre= or ExecCondition= of its unit)",
            "its log says which; see that its state folder is a folder and can be written",
        )
    if code == FAIL_ON or (code is not None and code < NOT_BEGUN and code not in _EXIT_CODES):
        return (
            f"its program ended with exit code {code} before a cycle began: it is damaged",
            "deploy it again",
        )
    return explain(result, status)


def exit_code(result: str, status: str) -> int | None:
    """The exit code; None where the service did not exit by itself."""
    return int(status) if result == "exit-code" and status.isdigit() else None


def _signal(status: str) -> str:
    """Name a signal that systemd gives as ``KILL`` or, asked afterwards, as ``9``."""
    with contextlib.suppress(ValueError):
        return signal.Signals(int(status)).name
    return status if status.startswith("SIG") else f"SIG{status}"
