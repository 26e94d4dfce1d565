"""The second look at a server that seems to have lost its custom nodes, before that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from comfywatchman.comfyui import credentials
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.errors import ConfigError
from comfywatchman.escape import NAME_LIMIT, visible

if TYPE_CHECKING:
    from comfywatchman.events.message import Doubt
    from comfywatchman.settings import Settings

_LARGEST = 16 * 1024**2
"""Bytes of what a server says of one node type."""

_SECONDS = 10.0
"""Seconds for an answer."""


def denial(settings: Settings, doubt: Doubt) -> str | None:
    """Why a message in doubt is not to be sent: the server has again what it lacked.

    Whoever sends it looks once :attr:`Doubt.not_before` has come, and withdraws it for this, or
    confirms it. The next cycle then tells how things are, compared with those before the doubt.
    A server that does not answer denies nothing.

    Args:
        settings: which server.
        doubt: what it lacked.

    Returns:
        One sentence; None if the message stands.
    """
    try:
        with ComfyUIClient(settings, credentials.read(settings)) as client:
            for name in doubt.node_types:
                if name in ("", ".", "..") or not name.isprintable():
                    continue
                path = f"/object_info/{quote(name, safe='')}"
                said = client.get_bytes(path, max_bytes=_LARGEST, seconds=_SECONDS, again=False)
                if said.strip() not in (b"", b"{}", b"null"):
                    return f"a minute later the server had {visible(name, limit=NAME_LIMIT)} again"
    except (ComfyUIError, ConfigError):
        return None
    return None
