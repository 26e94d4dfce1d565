"""The connections to a server: kept from one request to the next, and never more than four.

Each has an HTTP client to itself, so that a time limit ends its own request alone.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from comfywatchman.comfyui.http import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

AT_ONCE: Final = 4
"""Most requests under way at one time, whatever asks."""
LIMITS: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=15.0)
"""Of each client. A connection that idles for longer may have been forgotten on its way."""

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


def at_once(
    ask: Callable[[_Question], _Answer], questions: Iterable[_Question]
) -> Iterator[_Answer]:
    """Ask as many questions at a time as there are connections.

    Yields:
        The answers, in the order of the questions.

    Raises:
        Exception: what ``ask`` raised for the first question that it raised for. No further ones
            are begun.
    """
    with ThreadPoolExecutor(AT_ONCE, "ask") as pool:
        yield from pool.map(ask, questions)


class Turn:
    """One request on a connection, ended after a time, be it a byte at a time.

    httpx limits each read alone.

    Attributes:
        passed: whether its time was up.
        opened: whether the connection was opened for it, rather than kept from the one before.

    Args:
        connection: which nobody else uses meanwhile.
        seconds: how long it may take.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.passed = False
        self.opened = False
        self._connection = connection
        self._over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:  # the connection's next request is none of this one's time limit
            self._over = True
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn the connection's socket. To be given to httpx as the extension ``trace``."""
        if event == "connection.connect_tcp.started":
            self.opened = True
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._connection.socket = info["return_value"].get_extra_info("socket")
                if self.passed:
                    self._connection.shut()

    def _end(self) -> None:
        with self._lock:
            if not self._over:
                self.passed = True
                self._connection.shut()


class Connection:
    """A connection, opened by its first request, and anew by the next one once it is lost.

    Attributes:
        http: what sends over it.
        socket: what it is made of; None before the first request.

    Args:
        make: makes a client that keeps to :data:`LIMITS`.
    """

    def __init__(self, make: Callable[[], httpx.Client]) -> None:
        self._make = make
        self.http = make()
        self.socket: socket.socket | None = None

    def renew(self) -> None:
        """Leave the connection that is kept, if one is: the server may be about to close it."""
        if self.socket is not None:
            self.http.close()
            self.http, self.socket = self._make(), None

    def shut(self) -> None:
        """End what is under way: wakes the thread that waits for the answer."""
        if self.socket is not None:
            # SSLSocket.shutdown would pull the TLS state away from under that thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Connections:
    """The connections to one server. They may be shared between threads.

    Attributes:
        close: closes all of them; what is no longer used is closed by itself.

    Args:
        make: makes a client that keeps to :data:`LIMITS`.
    """

    def __init__(self, make: Callable[[], httpx.Client]) -> None:
        self._make = make
        self._made: list[Connection] = []
        # The one that was used last is used first, so that few are opened where few are needed.
        self._free: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(AT_ONCE):
            self._free.put(None)
        self.close = weakref.finalize(self, _close, self._made)

    @contextlib.contextmanager
    def one(self, patience: float) -> Iterator[Connection]:
        """Have one to oneself.

        Args:
            patience: seconds to wait for one to be free.

        Raises:
            TimeoutError: none was.
        """
        try:
            connection = self._free.get(timeout=max(patience, 0.0))
        except queue.Empty:
            raise TimeoutError from None
        try:
            if connection is None:
                connection = Connection(self._make)
                self._made.append(connection)
            yield connection
        finally:
            self._free.put(connection)


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.http.close()
