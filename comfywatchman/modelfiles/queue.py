"""Whether the server works now: what can wait asks before each piece of its work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from comfywatchman import lenient_json
from comfywatchman.comfyui.client import ComfyUIClient, ComfyUIError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_LARGEST: Final = 64 * 1024**2
_LAST_SECONDS: Final = 60.0


class Queue:
    """The queue of a server, asked again and again, for hours. A context manager.

    Args:
        connect: makes a client; each has a limit to the time that all its answers may take.
    """

    def __init__(self, connect: Callable[[], ComfyUIClient]) -> None:
        self._connect = connect
        self._client = connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def busy(self) -> str:
        """Why nothing should be done now, in a sentence; empty if the server has nothing to do.

        A server that nothing listens for has none; of one that answers otherwise it is not known.
        """
        if self._client.seconds_left < _LAST_SECONDS:
            self._client.__exit__(None, None, None)
            self._client = self._connect()
        try:
            raw = self._client.get_bytes("/queue", max_bytes=_LARGEST, again=False)
            answer = lenient_json.parse(raw)
            waiting = len(answer["queue_running"]) + len(answer["queue_pending"])
        except ComfyUIError as error:
            return f"the server's queue cannot be seen: {error}" if error.sent else ""
        except (ValueError, KeyError, TypeError):
            return f"{self._client.url}/queue answered, but not as ComfyUI does"
        if not waiting:
            return ""
        return f"the server works: {waiting:,} in its queue"
