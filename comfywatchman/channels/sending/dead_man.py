"""How a dead man's switch is spoken to: what is asked for, and what its answers mean.

Either a check of Healthchecks, by its protocol (``/start``, ``/fail``, ``/log``, ``rid``), or any
address with ``{status}``, ``{msg}`` and ``{ping}`` in it, as of a push monitor of Uptime Kuma.

The controller's own watch uses this very file: it imports the standard library alone.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

BODY_LIMIT = 10_000
"""Bytes of a body, until the server has said how many it takes."""
_LINE_LIMIT = 200


def is_push(url: str) -> bool:
    """Whether it is an address with marks, rather than a check of Healthchecks."""
    return any(mark in url for mark in ("{status}", "{msg}", "{ping}"))


def push_url(url: str, status: str, text: str, duration_ms: int) -> str:
    """The address with its marks filled in, of the text its first line.

    Args:
        url: the address, a secret.
        status: ``up`` or ``down``.
        text: what to show.
        duration_ms: how long it took, in milliseconds.
    """
    line = text.partition("\n")[0][:_LINE_LIMIT]
    for mark, value in {"{status}": status, "{msg}": line, "{ping}": str(duration_ms)}.items():
        url = url.replace(mark, quote(value, safe=""))
    return url


def check_url(url: str, action: str, run: str) -> str:
    """The address of a ping of Healthchecks.

    Args:
        url: that of the check, a secret.
        action: ``start``, ``fail``, ``log``, or empty: all is well.
        run: a UUID, the same for what belongs together.
    """
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{action}" if action else parts.path
    query = "&".join(filter(None, (parts.query, f"rid={run}")))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def body(text: str, limit: int = BODY_LIMIT) -> bytes:
    """The text in at most that many bytes; no character is cut in two."""
    return text.encode()[:limit].decode(errors="ignore").encode()


def refusal(status: int, answer: str) -> str | None:
    """Why a ping was not taken, the end of a sentence; None if it was.

    Args:
        status: of HTTP.
        answer: how the body begins.
    """
    if 300 <= status < 400:
        return f"it is elsewhere (HTTP {status}): correct the address"
    if status == 409:
        return "several checks have this slug (HTTP 409): use the address with the UUID"
    if status == 404:
        return "there is no such check (HTTP 404); ?create=1 makes one of a slug"
    if not 200 <= status < 300:
        return f"the server refused it (HTTP {status})"
    if answer.startswith("OK (not found)"):
        return "there is no such check; ?create=1 makes one of a slug"
    return None
