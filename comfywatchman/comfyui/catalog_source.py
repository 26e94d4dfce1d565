"""Getting the catalog from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError

if TYPE_CHECKING:
    from collections.abc import Mapping


def fetch(client: ComfyUIClient, *, version: str | None, max_bytes: int, seconds: float) -> Catalog:
    """Ask the server.

    Args:
        client: the server.
        version: its version, as ``/system_stats`` tells it.
        max_bytes: refuse a larger answer.
        seconds: how long the answer may take.

    Raises:
        ComfyUIError: it could not be asked, or answered something else.
    """
    answer = client.get_json(
        "/object_info", max_bytes=max_bytes, cap="max_catalog_size", seconds=seconds
    )
    if not is_object_info(answer):
        raise ComfyUIError(
            f"{client.url}/object_info answered, but not as ComfyUI does; ComfyUI's log says why",
            transient=True,
        )
    return ordered(answer, version, _replacements(client))


def _replacements(client: ComfyUIClient) -> dict[str, Any]:
    try:
        answer = client.get_json("/node_replacements")
    except ComfyUIError as error:
        if error.transient:
            raise
        return {}  # servers before 0.14 have none
    return answer if isinstance(answer, dict) else {}


def ordered(
    object_info: Mapping[str, Any],
    version: str | None,
    replacements: Mapping[str, Any] | None = None,
) -> Catalog:
    """A catalog in one order, wherever it comes from, so that nothing hangs on the order."""
    return Catalog(dict(sorted(object_info.items())), version, replacements)


def is_object_info(answer: Any) -> bool:
    """Whether a document is what ``/object_info`` answers."""
    return (
        isinstance(answer, dict)
        and bool(answer)
        and any(isinstance(d, dict) and "input" in d and "output" in d for d in answer.values())
    )
