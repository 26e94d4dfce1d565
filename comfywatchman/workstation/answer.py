"""What a ComfyUI server says of itself: the arguments it was started with."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import threading
import time
import urllib.error
import urllib.request

SECONDS = 3
"""Seconds that one answer may take as a whole, however it trickles in."""
SECONDS_OF_ALL = 15
MOST = 16
"""Addresses that are asked at most: whoever may start processes may name as many as they like."""
BYTES = 1024**2
_NO_PROXY = urllib.request.ProxyHandler({})
_OF_NO_MACHINE = {4: "192.0.2.1", 6: "2001:db8::1"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Round:
    """Asks one address after the other, as many and as long as the limits allow."""

    def __init__(self, seconds: float = SECONDS_OF_ALL, most: int = MOST) -> None:
        self._end = time.monotonic() + seconds
        self._left = most

    def __call__(self, url: str) -> list[str] | None:
        """Ask one; None also where the time or the number is used up."""
        self._left -= 1
        remaining = self._end - time.monotonic()
        if self._left < 0 or remaining <= 0:
            return None
        return arguments(url, min(SECONDS, remaining))


def arguments(url: str, seconds: float = SECONDS) -> list[str] | None:
    """Ask ``/system_stats`` at an address of this machine; None if no ComfyUI answers.

    Args:
        url: with scheme, host and port, without a path.
        seconds: how long the answer may take as a whole.
    """
    found: list[list[str] | None] = []
    # A socket's time limit is one for each read: a byte a second would be waited for for ever.
    asking = threading.Thread(target=lambda: found.append(_arguments(url)), daemon=True)
    asking.start()
    asking.join(seconds)
    return found[0] if found else None


def _arguments(url: str) -> list[str] | None:
    opener = urllib.request.build_opener(_NO_PROXY, _NoRedirect)
    try:
        with opener.open(f"{url}/system_stats", timeout=SECONDS) as answer:
            found = json.loads(answer.read(BYTES))
    except (OSError, ValueError, RecursionError, http.client.HTTPException):
        return None
    system = found.get("system") if isinstance(found, dict) else None
    if not isinstance(system, dict) or "comfyui_version" not in system:
        return None
    argv = system.get("argv")
    return [text for text in argv if isinstance(text, str)] if isinstance(argv, list) else []


def is_of_this_machine(host: str) -> bool:
    """Whether a host is an address of this machine; nothing is sent, and no name is looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    # Where the kernel lets any address be bound (ip_nonlocal_bind), that tells nothing.
    return (
        not (address.is_multicast or address.is_unspecified)
        and _can_be_bound(str(address), address.version)
        and not _can_be_bound(_OF_NO_MACHINE[address.version], address.version)
    )


def _can_be_bound(address: str, version: int) -> bool:
    try:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
