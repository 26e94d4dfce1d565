"""The workflows that people saved on the server itself, of all its users, over ``/userdata``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from comfywatchman.comfyui.client import ComfyUIClient

_LARGEST = 2**63
_DEFAULT_USER = "default"
_HEADER_VALUE = re.compile(r"([!-~\x80-\xff]([ -~\x80-\xff]*[!-~\x80-\xff])?)?")
"""Latin-1 without control characters, and without blanks at its ends: RFC 9110, 5.5."""


@dataclass(frozen=True, slots=True)
class SavedOnServer:
    """One saved workflow.

    Attributes:
        user: whose it is.
        path: relative to the user's ``workflows`` folder, POSIX.
        size: in bytes; None if the server does not tell.
        modified: when it was changed, in whatever unit the server has; None if it does not tell.
    """

    user: str
    path: str
    size: int | None
    modified: float | None = None


def users(client: ComfyUIClient) -> list[str]:
    """User ids of the server; ``["default"]`` unless it runs with ``--multi-user``.

    Raises:
        ComfyUIError: it could not be asked.
    """
    answer = client.get_json("/users")
    listed = answer.get("users") if isinstance(answer, dict) else None
    if not isinstance(listed, dict):
        return [_DEFAULT_USER]
    return sorted(u for u in listed if isinstance(u, str) and not u.startswith("__"))


def workflows(client: ComfyUIClient, user: str) -> list[SavedOnServer]:
    """Workflows that one user saved.

    Raises:
        ComfyUIError: the server could not be asked, or answered something else than a list.
    """
    path = "/userdata?dir=workflows&recurse=true&split=false&full_info=true"
    try:
        answer = client.get_json(path, headers=_as(user))
    except ComfyUIError as error:
        if error.status == 404:
            return []
        raise
    if not isinstance(answer, list):
        raise ComfyUIError(
            f"{client.url}/userdata answered, but not as ComfyUI does", transient=False
        )
    found = []
    for entry in answer:
        about = entry if isinstance(entry, dict) else {"path": entry}
        name = about.get("path")
        if isinstance(name, str) and is_workflow_name(name):
            size, modified = _size(about.get("size")), _time(about.get("modified"))
            found.append(SavedOnServer(user, name, size, modified))
    return sorted(found, key=lambda w: w.path)


def fetch(
    client: ComfyUIClient, workflow: SavedOnServer, max_bytes: int, *, seconds: float | None = None
) -> bytes:
    """Fetch one saved workflow. It is asked for once.

    Args:
        client: the server.
        workflow: of :func:`workflows`.
        max_bytes: refuse a larger one.
        seconds: how long the answer may take; None means ``read_timeout``.

    Raises:
        ComfyUIError: it could not be had, or is larger than ``max_bytes``.
    """
    # The server decodes a name that holds a percent sign once more than HTTP does.
    name = f"workflows/{workflow.path}".replace("%", "%25")
    try:
        path = "/userdata/" + quote(name, safe="", errors="surrogateescape")
    except UnicodeEncodeError:
        raise ComfyUIError("no file can be named so", transient=False) from None
    return client.get_bytes(
        path,
        max_bytes=max_bytes,
        cap="max_workflow_size",
        seconds=seconds,
        headers=_as(workflow.user),
        again=False,
    )


def is_workflow_name(path: str) -> bool:
    """Whether a file of this name is a saved workflow: ``*.json``, nothing hidden."""
    return path.lower().endswith(".json") and not any(p.startswith(".") for p in path.split("/"))


def _size(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _LARGEST else None


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _LARGEST else None


def _as(user: str) -> dict[str, str] | None:
    if user == _DEFAULT_USER:
        return None
    if not _HEADER_VALUE.fullmatch(user):
        raise ComfyUIError(
            f"the workflows of user {visible(user)} cannot be asked for: the name fits no header",
            transient=False,
        )
    return {"comfy-user": user}
