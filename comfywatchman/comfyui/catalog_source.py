"""Getting the catalog: from the server, or from a saved answer of its ``/object_info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman import lenient_json
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


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
    if not _is_object_info(answer):
        raise ComfyUIError(
            f"{client.url}/object_info answered, but not as ComfyUI does; ComfyUI's log says why",
            transient=True,
        )
    return Catalog(answer, version, _replacements(client))


def _replacements(client: ComfyUIClient) -> dict[str, Any]:
    try:
        answer = client.get_json("/node_replacements")
    except ComfyUIError as error:
        if error.transient:
            raise
        return {}  # servers before 0.14 have none
    return answer if isinstance(answer, dict) else {}


def read(file: Path) -> Catalog:
    """Read a saved answer of ``GET /object_info``.

    Raises:
        ConfigError: it cannot be read, or is something else.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--object-info: {file} cannot be read: {error.strerror}") from None
    try:
        answer = lenient_json.parse(raw)
    except ValueError as error:
        raise ConfigError(f"--object-info: {file} is not JSON: {error}") from None
    if not _is_object_info(answer):
        raise ConfigError(
            f"--object-info: {file} is not a saved answer of /object_info; save one with: "
            "curl -o object_info.json http://HOST:8188/object_info"
        )
    return Catalog(answer)


def _is_object_info(answer: Any) -> bool:
    return (
        isinstance(answer, dict)
        and bool(answer)
        and any(isinstance(d, dict) and "input" in d and "output" in d for d in answer.values())
    )
