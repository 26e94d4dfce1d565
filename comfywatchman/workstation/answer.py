"""What a ComfyUI server says of itself: the arguments it was started with."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

SECONDS = 3
BYTES = 1024**2
_NO_PROXY = urllib.request.ProxyHandler({})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def arguments(url: str) -> list[str] | None:
    """Ask ``/system_stats`` at an address of this machine; None if no ComfyUI answers.

    Args:
        url: with scheme, host and port, without a path.
    """
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
