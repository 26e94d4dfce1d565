"""A host of files, over https: does as it is told, right or wrong, and records what it was asked.

It stands for huggingface.co, civitai.com and what they lead to.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.standin.certificates import Certificates


@dataclass(frozen=True)
class Asked:
    """One request: its path with the query, and its headers in small letters."""

    path: str
    headers: dict[str, str]


@dataclass
class FileHost:
    """The server. ``answer`` may be assigned while it runs.

    Attributes:
        content: what its file has.
        etag: what it calls it.
        answer: answers a request.
        asked: all that it was asked.
        over: set when the server ends: what waits, waits for it.
    """

    tls: Certificates
    content: bytes = b""
    etag: str = '"one"'
    answer: Callable[[Exchange], None] = lambda exchange: exchange.file()
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    address: str = "127.0.0.1"

    def __enter__(self) -> Self:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                host.asked.append(Asked(self.path, headers))
                self.close_connection = True
                with contextlib.suppress(OSError):  # whoever asked may be gone
                    host.answer(Exchange(host, self, headers))

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in self.address else socket.AF_INET

            def finish_request(self, request: Any, client_address: Any) -> None:
                try:
                    request = context.wrap_socket(request, server_side=True)
                except OSError:
                    return  # no TLS, or not with this certificate
                try:
                    super().finish_request(request, client_address)
                finally:
                    request.close()

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.tls.certificate, self.tls.key)
        self._server = Server((self.address, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of whoever waits, and end."""
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def name(self) -> str:
        """Host and port."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self._server.server_port}"

    @property
    def authority(self) -> Path:
        """The file that vouches for it."""
        return self.tls.authority

    def url(self, path: str = "/model.safetensors") -> str:
        """An address at it."""
        return f"https://{self.name}{path}"


@dataclass
class Exchange:
    """One request, and how it is answered."""

    host: FileHost
    handler: BaseHTTPRequestHandler
    headers: dict[str, str]

    def head(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers, and nothing of its own."""
        self.handler.send_response_only(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def send(self, body: bytes) -> None:
        """Send some of the body."""
        self.handler.wfile.write(body)

    def say(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        """Send all of an answer."""
        self.head(status, {"Content-Length": str(len(body)), **headers})
        self.send(body)

    def file(self, **more: str) -> None:
        """Send the file, or what is asked for of it, as the best of servers do."""
        content, etag = self.host.content, self.host.etag
        headers = {"ETag": etag, "Content-Type": "application/octet-stream", **more}
        wanted = self.headers.get("range", "")
        if not wanted or self.headers.get("if-range", etag) != etag:
            self.say(200, headers, content)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.say(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.say(206, {**headers, "Content-Range": span}, content[start:])

    def chunks(self, *pieces: bytes, whole: bool = True) -> None:
        """Send an answer of which nobody says how long it is."""
        self.head(200, {"Transfer-Encoding": "chunked", "ETag": self.host.etag})
        for piece in pieces:
            self.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        if whole:
            self.send(b"0\r\n\r\n")
