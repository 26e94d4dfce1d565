"""A stand-in for Healthchecks' pinging API, by its document (https://healthchecks.io/docs/http_api/).

One check by UUID, a project by its ping key; what is no ping is refused. It also takes the requests
of push monitors, below ``/api/push/``.
"""

from __future__ import annotations

import re
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from typing import Self

UUID = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
KEY = "fqOOd6-F4MMNuCEnzTU01w"
SLUG = re.compile(r"[a-z0-9_-]+")
ACTIONS = ("start", "fail", "log", *map(str, range(256)))


@dataclass
class Ping:
    """One ping that was taken."""

    check: str
    action: str
    body: bytes
    run: str | None


@dataclass
class Healthchecks:
    """The server; a context manager.

    Attributes:
        limit: bytes it stores of a body, which it says in ``Ping-Body-Limit``.
        slugs: the checks of the project, by slug; two of one slug are ambiguous.
        status: answered in place of all else, if it is not 0.
        hang: set to let go of requests that are not answered.
        came: paths of the requests, also of those.
    """

    limit: int = 10_000
    slugs: list[str] = field(default_factory=list)
    status: int = 0
    hang: threading.Event | None = None
    came: list[str] = field(default_factory=list)
    pings: list[Ping] = field(default_factory=list)
    pushes: list[dict[str, list[str]]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.came.append(self.path)
                if stand_in.hang is not None:
                    stand_in.hang.wait()
                with suppress(ConnectionError):  # who asked may have given up
                    self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, text = stand_in.answer(self.path, body)
                self.send_response(status)
                self.send_header("Ping-Body-Limit", str(stand_in.limit))
                if status == 302:
                    self.send_header("Location", f"/elsewhere{self.path}")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.hang is not None:
            self.hang.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, body: bytes) -> tuple[int, str]:
        """Take a request: its status, and its text."""
        if self.status:
            return self.status, "no"
        self.sizes.append(len(body))
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        words = parts.path.strip("/").split("/")
        if words[:2] == ["api", "push"]:
            self.pushes.append(query)
            return 200, '{"ok":true}'
        created = False
        if words[0] == UUID:
            check, rest = UUID, words[1:]
        elif words[0] == KEY and len(words) > 1 and SLUG.fullmatch(words[1]):
            check, rest = words[1], words[2:]
            if self.slugs.count(check) > 1:
                return 409, "ambiguous slug"
            if check not in self.slugs:
                if query.get("create") != ["1"]:
                    return 404, "not found"
                self.slugs.append(check)
                created = True
        else:
            return 404, "not found"
        if len(rest) > 1 or (rest and rest[0] not in ACTIONS):
            return 404, "not found"
        run = query.get("rid", [None])[0]
        if run is not None:
            try:
                uuid.UUID(run)
            except ValueError:
                return 400, "invalid uuid format"
        self.pings.append(Ping(check, rest[0] if rest else "", body[: self.limit], run))
        return (201, "Created") if created else (200, "OK")
