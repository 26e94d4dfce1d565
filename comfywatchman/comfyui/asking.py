"""Everything that is ever posted to a server: a prompt made to be refused, and its taking back.

Only ``ask_server: doubtful`` comes here, through :mod:`comfywatchman.cycle.asking`, which says
when. What is taken back is one prompt, named by its id, and never another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx

from comfywatchman.comfyui.client import ComfyUIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.comfyui.client import ComfyUIClient

INTERRUPTS_BY_ID: Final = (0, 3, 64)
"""The oldest release whose ``/interrupt`` is known to take an id; older ones may end any prompt."""
_CLIENT_ID: Final = "comfywatchman"
_RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_TRIES: Final = 3

Interrupted = Literal["told", "not told", "not by id"]
"""What became of it: the server was told; it could not be; its release takes no id."""


def queued(client: ComfyUIClient) -> list[str]:
    """Ids of the prompts that run or wait; an empty text for one whose id cannot be read.

    Raises:
        ComfyUIError: the server could not be asked, or answered something else.
    """
    answer = client.get_json("/queue")
    parts = [answer.get(f"queue_{part}") for part in ("running", "pending")] if _is(answer) else []
    if not parts or not all(isinstance(part, list) for part in parts):
        raise ComfyUIError(
            f"{client.url}/queue answered, but not as ComfyUI does", transient=False, sent=False
        )
    return [_id(entry) for part in parts for entry in part]


def was_accepted(client: ComfyUIClient, prompt_id: str) -> bool:
    """Whether a prompt of this id waits, runs or has run.

    Raises:
        ComfyUIError: the server could not be asked, or answered something else.
    """
    if prompt_id in queued(client):
        return True
    history = client.get_json(f"/history/{prompt_id}")
    return _is(history) and prompt_id in history


def post(client: ComfyUIClient, prompt: Mapping[str, Any], prompt_id: str) -> tuple[int, bytes]:
    """Post a prompt, once. See :meth:`ComfyUIClient.post_once`.

    Args:
        client: the server.
        prompt: the prompt.
        prompt_id: the id that it is to have. The events of one that is queued go to no browser, as
            none has our client id.

    Raises:
        ComfyUIError: no whole answer came.
    """
    document = {"prompt": prompt, "prompt_id": prompt_id, "client_id": _CLIENT_ID}
    return client.post_once("/prompt", document)


def withdraw(client: ComfyUIClient, prompt_id: str) -> bool:
    """Take one prompt, and no other, out of the queue; whether the server was told."""
    return _told(client, "/queue", {"delete": [prompt_id]})


def interrupt(client: ComfyUIClient, prompt_id: str, version: str | None) -> Interrupted:
    """Stop one prompt, and no other, should it run.

    Args:
        client: the server.
        prompt_id: of the prompt.
        version: the server's, as it tells it. One that is unknown, or older than
            :data:`INTERRUPTS_BY_ID`, is told nothing: it might end a prompt of somebody else's.
    """
    match = _RELEASE.match(version or "")
    if match is None or tuple(map(int, match.groups())) < INTERRUPTS_BY_ID:
        return "not by id"
    return "told" if _told(client, "/interrupt", {"prompt_id": prompt_id}) else "not told"


def _told(client: ComfyUIClient, path: str, document: dict[str, object]) -> bool:
    for _ in range(_TRIES):
        try:
            status, _body = client.post_once(path, document)
        except ComfyUIError:
            continue
        if status == httpx.codes.OK:
            return True
    return False


def _id(entry: object) -> str:
    known = isinstance(entry, list) and len(entry) > 1 and isinstance(entry[1], str)
    return entry[1] if known else ""  # type: ignore[index]


def _is(answer: object) -> bool:
    return isinstance(answer, dict)
