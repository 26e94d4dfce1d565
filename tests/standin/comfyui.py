"""A stand-in for ComfyUI: answers recorded from a real one, over real HTTP, on request with faults.

Standard library only (Python 3.11 or newer), so that a bare test host can run it::

    python3 comfyui.py --port 8188 --state full --userdata /srv/comfyui/user
    python3 comfyui.py --behaviour 'hang@/object_info'

and a test can hold it::

    with StandIn(state="empty", behaviour="503:30") as comfyui:
        ...                     # comfyui.url, comfyui.requests
        comfyui.behaviour = "ok"

Recorded (``data/``, from ComfyUI 0.8.0 on a CPU): ``/object_info``, ``/system_stats``, ``/queue``,
``/prompt``, ``/models`` and its folders, ``/embeddings`` without files, ``/experiment/models``,
``/features``, ``/extensions``, ``/v2/userdata`` and the 404 of ``/node_replacements``; from
ComfyUI 0.33.0 the routes of its Manager 3.41 and 4.3, and ``/internal/logs/raw``.
Modelled on how ComfyUI behaves: ``/users``, ``/userdata``, ``/embeddings`` with files,
``/experiment/models/{folder}``, CUDA devices, a busy queue. Modelled on a reverse proxy: prefix,
token, basic auth and the error pages. README.md says which is which, one by one.

Nothing may ever be queued: whatever is not a GET or HEAD is kept in ``StandIn.writes``, and is
answered 500 unless the stand-in was given what answers to what is posted (``prompts.py``). That of
Manager why an import failed is a POST too; a stand-in that has a Manager answers it.

Two routes are the stand-in's own: ``GET /standin/requests`` lists what it was asked, and
``PUT /standin/behaviour`` (the body is a behaviour) switches it while it runs.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import gzip
import json
import mimetypes
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote

DATA = Path(__file__).resolve().parent / "data"
GIB = 1024**3
MIB = 1024**2
JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
NGINX = """<html>
<head><title>{status} {phrase}</title></head>
<body>
<center><h1>{status} {phrase}</h1></center>
<hr><center>nginx/1.24.0</center>
</body>
</html>
"""


@dataclass
class Request:
    """One request as it arrived.

    Attributes:
        method: GET, HEAD, …
        target: path and query as sent, still percent-encoded, with the prefix.
        headers: header values by lower-case name.
        body: what came after the headers.
        sent: bytes of the answer's body that were handed to the network.
        connection: number of its connection, in the order in which the kernel accepted them; on a
            busy machine requests may be kept in another order.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    sent: int = 0
    connection: int = 0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer:
    """A whole answer; ``content_type`` may be empty."""

    status: int = 200
    body: bytes = b""
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Behaviour:
    """``NAME[:ARGUMENT][@/PATH]``: with a path, only requests under it are affected."""

    name: str
    argument: str = ""
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Behaviour:
        """Read the notation.

        Raises:
            ValueError: no behaviour of that name.
        """
        head, at, path = text.rpartition("@/")
        name, _, argument = (head if at else text).partition(":")
        if name not in BEHAVIOURS and not (name.isdigit() and len(name) == 3):
            raise ValueError(f"no behaviour {name!r}; there are: {', '.join(BEHAVIOURS)}, NNN")
        return cls(name, argument, f"/{path}" if at else "")

    def number(self, default: int) -> int:
        """The argument as a number."""
        return int(self.argument) if self.argument else default

    def covers(self, path: str) -> bool:
        """Whether a request for this path is affected."""
        return not self.path or path == self.path or path.startswith(f"{self.path}/")


@functools.cache
def recorded(state: str) -> dict[str, Any]:
    """The recorded JSON answers by path, ``/object_info`` aside."""
    answers: dict[str, Any] = json.loads((DATA / f"answers_{state}.json").read_text())
    return answers


@functools.cache
def recorded_object_info(state: str) -> bytes:
    """The recorded ``/object_info``, as the bytes that go over the wire."""
    return gzip.decompress((DATA / f"object_info_{state}.json.gz").read_bytes())


@functools.cache
def recorded_node_types(state: str) -> dict[str, Any]:
    """The recorded ``/object_info``, parsed."""
    types: dict[str, Any] = json.loads(recorded_object_info(state))
    return types


@functools.cache
def recorded_manager(version: str) -> dict[str, Any]:
    """The recorded answers of a Manager: by path, and by what was posted."""
    raw = gzip.decompress((DATA / f"manager_{version}.json.gz").read_bytes())
    answers: dict[str, Any] = json.loads(raw)
    return answers


def removed(value: Any, names: Collection[str]) -> Any:
    """A JSON value with these names taken out of every list in it."""
    if isinstance(value, list):
        return [removed(v, names) for v in value if not (isinstance(v, str) and v in names)]
    if isinstance(value, dict):
        return {key: removed(v, names) for key, v in value.items()}
    return value


def json_answer(value: Any, status: int = 200) -> Answer:
    """A JSON answer the way ComfyUI writes it."""
    return Answer(status, json.dumps(value).encode(), JSON)


class Exchange(BaseHTTPRequestHandler):
    """Serves the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as aiohttp
    server_version = "Python/3.11 aiohttp/3.13.2"
    sys_version = ""

    stand_in: StandIn
    request_: Request
    number: int

    def __init__(
        self, connection: socket.socket, address: Any, stand_in: StandIn, number: int
    ) -> None:
        self.stand_in = stand_in
        self.number = number
        super().__init__(connection, address, stand_in)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        self.stand_in.log(ascii(format % args)[1:-1])

    def handle_request(self) -> None:
        """Record, then misbehave or answer, in the sight of whoever counts what is under way."""
        with self.stand_in.under_way():
            self.respond()

    def respond(self) -> None:
        """Record, then misbehave or answer."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = self.stand_in.route(self.path)
        if path is not None and path.startswith("/standin/"):
            self.send(self.stand_in.control(path, body))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_ = Request(self.command, self.path, headers, body, connection=self.number)
        turn = self.stand_in.record(self.request_)
        behaviour = self.stand_in.active
        answer = self.stand_in.refusal(self.request_, path)
        if answer is None and behaviour.covers(path or ""):
            answer = self.misbehave(behaviour, turn, path or "")
            if answer is GONE:
                self.close_connection = True
                return
        answer = answer or self.stand_in.answer(self.request_, path or "")
        if behaviour.name == "closes" and behaviour.argument == "told":
            answer = replace(answer, headers={**answer.headers, "Connection": "close"})
        self.request_.sent = len(answer.body) if self.command != "HEAD" else 0
        self.send(answer)
        if behaviour.name == "closes":
            self.close_connection = True
        if behaviour.name == "down-after" and turn >= behaviour.number(1):
            self.stand_in.hang_up()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

    def misbehave(self, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
        """The fault's own answer, None for the usual one, or GONE when the fault has answered."""
        if behaviour.name.isdigit():
            return status_page(int(behaviour.name), behaviour.argument)
        fault = BEHAVIOURS[behaviour.name]
        return fault(self, behaviour, turn, path) if fault else None

    def start(self, content_type: str, **headers: str) -> None:
        """Send the head of a 200 answer whose body a fault writes itself."""
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.flush()

    def write(self, data: bytes) -> None:
        """Hand bytes of a body to the network."""
        self.request_.sent += len(data)
        self.wfile.write(data)

    def send(self, answer: Answer) -> None:
        """Send a whole answer."""
        self.send_response(answer.status)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


GONE = Answer(status=0)
NOTHING = Answer(404, content_type="application/octet-stream")
Fault = Callable[[Exchange, Behaviour, int, str], Answer | None]


def status_page(status: int, argument: str) -> Answer:
    """The page that a reverse proxy, or ComfyUI itself, sends with an error status."""
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Error"
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Answer(status, b"500 Internal Server Error\n\nServer got itself in trouble")
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="ComfyUI"'
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = argument or "120"
    return Answer(status, NGINX.format(status=status, phrase=phrase).encode(), "text/html", headers)


# Faults. Each ends when the stand-in is closed.


def starting(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
    """503 for the first N requests (for ever without N), as from a proxy whose server starts."""
    count, _, seconds = behaviour.argument.partition(",")
    return status_page(503, seconds or "5") if not count or turn <= int(count) else None


def down_after(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
    """N answers (one without N), then nothing listens any more."""
    if turn >= behaviour.number(1):
        # before the last answer is sent, so that whoever has it finds nothing listening
        exchange.stand_in.stop_listening()
    return None if turn <= behaviour.number(1) else GONE


def flaky(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
    """500 for the first N requests (one without N)."""
    return status_page(500, "") if turn <= behaviour.number(1) else None


def delay(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
    """Answer as usual, N ms (100 without N) later."""
    exchange.stand_in.closing.wait(behaviour.number(100) / 1000)
    return None


def slow_after(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
    """N answers as usual, all further ones S milliseconds later."""
    count, _, pause = behaviour.argument.partition(",")
    if turn > int(count or 1):
        exchange.stand_in.closing.wait(int(pause or 1000) / 1000)
    return None


def hang(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """Accept, and never answer."""
    exchange.stand_in.closing.wait()
    return GONE


def hold(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer | None:
    """Answer as usual, but only once the behaviour has been switched."""
    return None if exchange.stand_in.switched_from(behaviour) else GONE


def slow_loris(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """The usual body, one byte a second."""
    answer = exchange.stand_in.answer(exchange.request_, path)
    exchange.start(answer.content_type, Content_Length=str(len(answer.body)))
    for value in answer.body:
        exchange.write(bytes([value]))
        if exchange.stand_in.closing.wait(1):
            break
    return GONE


def slow_head(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """Headers without end, one byte a second."""
    exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    while not exchange.stand_in.closing.wait(1):
        exchange.wfile.write(b"x")
    return GONE


def endless(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """A JSON body without end."""
    exchange.start(JSON, Transfer_Encoding="chunked")
    exchange.wfile.write(chunk(b'{"KSampler": "'))
    piece = b"x" * 65536
    while not exchange.stand_in.closing.is_set():
        exchange.wfile.write(chunk(piece))
        exchange.request_.sent += len(piece)
    return GONE


def cookie(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """The usual answer, with a cookie that no header could hold."""
    usual = exchange.stand_in.answer(exchange.request_, path)
    return Answer(usual.status, usual.body, usual.content_type, {"Set-Cookie": "a=\xff"})


def padded(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """The usual JSON, followed by N MiB (100 without N) of white space."""
    body = exchange.stand_in.answer(exchange.request_, path).body
    size = behaviour.number(100)
    exchange.start(JSON, Content_Length=str(len(body) + size * MIB))
    exchange.write(body)
    for _ in range(size):
        exchange.write(b" " * MIB)
    return GONE


def gzip_bomb(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """N MiB (1024 without N) of white space and ``{}``, compressed a thousandfold."""
    size = behaviour.number(1024)
    space = b" " * MIB
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(space) + deflate.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(size):
        crc = zlib.crc32(space, crc)
    end = deflate.compress(b"{}") + deflate.flush()
    trailer = struct.pack("<LL", zlib.crc32(b"{}", crc), (size * MIB + 2) % 2**32)
    exchange.start(JSON, Content_Encoding="gzip", Transfer_Encoding="chunked")
    exchange.wfile.write(chunk(b"\x1f\x8b\x08\0\0\0\0\0\0\xff"))
    for _ in range(size):
        exchange.wfile.write(chunk(block))
        exchange.request_.sent += len(block)
    exchange.wfile.write(chunk(end + trailer) + chunk(b""))
    return GONE


def truncated(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """A Content-Length larger than what is sent before the connection is closed."""
    body = exchange.stand_in.answer(exchange.request_, path).body
    exchange.start(JSON, Content_Length=str(len(body)))
    exchange.write(body[: len(body) // 2])
    return GONE


def reset(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """A reset of the connection in the middle of the body."""
    truncated(exchange, behaviour, turn, path)
    exchange.wfile.flush()
    abort(exchange.connection)
    return GONE


def redirect_loop(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """302 to itself."""
    return Answer(302, headers={"Location": exchange.path})


def redirect(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """302 to the same path below the URL of the argument."""
    return Answer(302, headers={"Location": f"{behaviour.argument.rstrip('/')}{path}"})


def credential(request: Request) -> list[str]:
    """What a request was authorised by, and each part of it that is secret, in every form.

    Forms hold no character that JSON would have to escape, and some hold such escapes.
    """
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    secrets = [sent]
    if scheme.lower() == "basic":
        login = base64.b64decode(sent).decode()
        secrets += [login, login.partition(":")[2]]
    forms = [f"{scheme} {sent}"]
    for secret in secrets:
        percent = "".join(f"%{octet:02X}" for octet in secret.encode())
        middle = len(secret) // 2
        forms += [
            secret,
            quote(secret, safe=""),
            percent,
            percent.lower(),
            quote(percent, safe=""),
            "".join(f"\\u{ord(character):04x}" for character in secret),
            "".join(f"\\u{ord(character):04X}" for character in secret),
            "".join(f"&#{ord(character)};" for character in secret),
            "".join(f"&#x{ord(character):x};" for character in secret),
            f"{secret[:middle]}\\n{secret[middle:]}",
            f"{secret[:middle]}\\r\\n  {secret[middle:]}",
            base64.b64encode(secret.encode()).decode(),
            base64.urlsafe_b64encode(f"login={secret}".encode()).decode(),
        ]
    return forms


def mixed_in(value: Any, words: str) -> Any:
    """A JSON value with these words as a key, a value and an item wherever there is room."""
    if isinstance(value, list):
        mixed = [mixed_in(item, words) for item in value]
        return [*mixed, words] if all(isinstance(item, str) for item in mixed) else mixed
    if isinstance(value, dict):
        return {key: mixed_in(item, words) for key, item in value.items()} | {words: words}
    return f"{value} {words}" if isinstance(value, str) and " " in value else value


def reflect(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
    """An answer that holds the credential wherever an answer has room for it, in every form.

    The argument says which: a status; ``html``, which is no JSON; ``encoding``, in whose name it
    stands; ``head``, which breaks HTTP's rules; without one, the usual answer.
    """
    forms = credential(exchange.request_)
    words, kind = " ".join(forms), behaviour.argument
    usual = exchange.stand_in.answer(exchange.request_, path)
    status = int(kind) if kind.isdigit() else usual.status
    content = usual.body
    if kind.isdigit() or kind == "html":
        content = f"{words}<!DOCTYPE html><title>{words}</title>".encode()
    elif path == "/userdata":
        listed = [{"path": f"{forms[1]}.json", "size": 9}, {"path": "seen.json", "size": 9}]
        status, content = 200, json.dumps(listed).encode()
    elif path.startswith("/userdata/"):
        loader = {"class_type": "VAELoader", "inputs": {"vae_name": "WORDS.safetensors"}}
        nodes = {"1": {"class_type": "WORDS", "inputs": {"WORDS": "WORDS"}}, "2": loader}
        status, content = 200, json.dumps(nodes).replace("WORDS", words).encode()
    elif usual.content_type == JSON:
        document = json.loads(content)
        mixed = mixed_in(document, "WORDS")
        if path == "/object_info":  # node types as they are stay as they are, but for one list
            document["VAELoader"]["input"]["required"]["vae_name"][0].append("WORDS")
            mixed = {"WORDS": mixed["SaveImage"] | {"python_module": "custom_nodes.WORDS"}}
            mixed |= document
        content = json.dumps(mixed).replace("WORDS", words).encode()
    in_head = words.replace("\\n", "").replace("\\r", "")
    exchange.send_response(status, in_head)
    exchange.send_header("Content-Type", f"{usual.content_type}; login={in_head}")
    exchange.send_header("Content-Length", str(len(content)))
    exchange.send_header("Location", f"/{in_head}")
    exchange.send_header("Set-Cookie", f"login={in_head}; Path=/{in_head}")
    exchange.send_header("Retry-After", f"1 {in_head}")
    exchange.send_header("WWW-Authenticate", f'Basic realm="{in_head}"')
    exchange.send_header(f"X-{forms[1].replace('=', '').replace(':', '')}", in_head)
    if kind == "encoding":
        exchange.send_header("Content-Encoding", in_head)
    if kind == "head":
        exchange.send_header(f"no header {in_head}", in_head)
    exchange.end_headers()
    exchange.write(content)
    return GONE


def body(content: bytes, content_type: str = JSON) -> Fault:
    """A fault that answers 200 with this body."""

    def fault(exchange: Exchange, behaviour: Behaviour, turn: int, path: str) -> Answer:
        return Answer(200, content, content_type)

    return fault


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; empty data ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def abort(connection: socket.socket) -> None:
    """Close with a TCP reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        os.close(connection.detach())


BEHAVIOURS: dict[str, Fault | None] = {
    # None: the answer is the usual one, or it is altered in StandIn.
    "ok": None,
    "busy": None,
    "low-vram": None,
    "wrong-types": None,
    "nonsense": None,
    "refused": None,
    "reset-first": None,
    "closes": None,
    "down-after": down_after,
    "starting": starting,
    "flaky": flaky,
    "delay": delay,
    "slow-after": slow_after,
    "hang": hang,
    "hold": hold,
    "slow-loris": slow_loris,
    "slow-head": slow_head,
    "endless": endless,
    "padded": padded,
    "cookie": cookie,
    "gzip-bomb": gzip_bomb,
    "truncated": truncated,
    "reset": reset,
    "redirect-loop": redirect_loop,
    "redirect": redirect,
    "reflect": reflect,
    "html": body(b"<!DOCTYPE html><title>It works!</title><h1>It works!</h1>", "text/html"),
    "json-object": body(b'{"status": "ok", "uptime": 12345}'),
    "json-list": body(b"[1, 2, 3]"),
    "json-null": body(b"null"),
    "deep-json": body(b"[" * 200_000 + b"]" * 200_000),
    "empty": body(b""),
    "binary": body(bytes(range(256)) * 16, "application/octet-stream"),
}


class StandIn:
    """The server. It listens from ``start()`` (or entering the context) until ``close()``.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        state: ``full`` (381 model and 637 input files in place) or ``empty`` (none).
        behaviour: ``ok`` or a fault, see README.md; may be assigned while it runs.
        comfyui_version: what ``/system_stats`` says instead of 0.8.0.
        argv: the arguments it says it was started with; None: the recorded ones.
        userdata: ComfyUI's user directory, whose ``default/workflows`` are the saved workflows.
        multi_user: as ``--multi-user``: the users are those of ``userdata/users.json``.
        prefix: base path, as behind a reverse proxy.
        token: asks for ``Authorization: Bearer TOKEN``.
        basic: asks for basic auth by this ``user:password``.
        tls: files of a certificate and its key; the URL is then https.
        gpu: number of CUDA devices instead of the recorded CPU.
        object_info: node types instead of the recorded ones.
        without: names of model files that are gone since the recording.
        posts: answers what is posted, and what is asked of the queue, by path and body; None of it
            means the usual answer.
        manager: the version of its Manager, ``3.41`` or ``4.3``; None: it has none.
        manager_state: which packs Manager can be asked about: at the ``start``, once its list was
            ``reloaded``, or with the registry ``cached``.
        updated: whether packs changed on the disk since the server was started.
        failing: node types whose code fails when they are asked for one by one.
        log: called with a line for each request.

    Attributes:
        requests: all requests so far, refused ones too.
        most_at_once: how many requests were under way at one time, at most.
        closing: set once the stand-in is being closed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str = "full",
        behaviour: str = "ok",
        comfyui_version: str | None = None,
        argv: list[str] | None = None,
        userdata: Path | None = None,
        multi_user: bool = False,
        prefix: str = "",
        token: str | None = None,
        basic: str | None = None,
        tls: tuple[Path, Path] | None = None,
        gpu: int = 0,
        object_info: Mapping[str, Any] | None = None,
        without: Collection[str] = (),
        posts: Callable[[str, str, bytes], Answer | None] | None = None,
        manager: str | None = None,
        manager_state: str = "reloaded",
        updated: bool = False,
        failing: Collection[str] = (),
        log: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.host, self.port = host, port
        self.state = state
        self.comfyui_version = comfyui_version
        self.argv = argv
        self.userdata = userdata.absolute() if userdata else Path("/nonexistent")
        self.multi_user = multi_user
        self.prefix = prefix.rstrip("/")
        self.gpu = gpu
        self.manager, self.manager_state, self.updated = manager, manager_state, updated
        self.failing = frozenset(failing)
        self.without = frozenset(without)
        self.object_info = object_info
        self.posts = posts
        if self.without:
            self.object_info = removed(object_info or recorded_node_types(state), self.without)
        self.log = log
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.closing = threading.Event()
        self._authorization: str | None = None
        if token is not None:
            self._authorization = f"Bearer {token}"
        elif basic is not None:
            self._authorization = f"Basic {base64.b64encode(basic.encode()).decode()}"
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(*tls)
        self._changed = threading.Condition()
        self._active = Behaviour.parse(behaviour)
        self._turns = 0
        self._accepted = 0
        self._connected = 0
        self._under_way = 0
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()

    # Life

    def start(self) -> Self:
        """Listen, unless the behaviour is ``refused``."""
        self._listen()
        if self._active.name == "refused":
            self.hang_up()
        return self

    def close(self) -> None:
        """Stop listening, end every connection and every thread."""
        self.closing.set()
        with self._changed:
            self._changed.notify_all()
        self.hang_up()
        while thread := self._some_thread():
            thread.join(timeout=60)
            if thread.is_alive():
                raise RuntimeError(f"{thread.name} of the stand-in did not end")
        if self._reserved is not None:
            self._reserved.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it answers, with the prefix and without a final slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self._tls else ''}://{host}:{self.port}{self.prefix}"

    @property
    def writes(self) -> list[Request]:
        """The requests that would have changed something on a real server; must stay empty."""
        return [
            r
            for r in self.requests
            if r.method not in ("GET", "HEAD") and not self.is_question(r, self.route(r.target))
        ]

    # Behaviour

    @property
    def behaviour(self) -> str:
        """The behaviour, in the notation ``NAME[:ARGUMENT][@/PATH]``."""
        name, argument, path = self._active.name, self._active.argument, self._active.path
        return name + (f":{argument}" if argument else "") + (f"@{path}" if path else "")

    @behaviour.setter
    def behaviour(self, text: str) -> None:
        behaviour = Behaviour.parse(text)
        with self._changed:
            self._active = behaviour
            self._turns = self._accepted = 0
            self._changed.notify_all()
        if behaviour.name == "refused":
            self.hang_up()
        elif self._listener is None and not self.closing.is_set():
            self._listen()

    @property
    def active(self) -> Behaviour:
        """The behaviour, parsed."""
        return self._active

    def switched_from(self, behaviour: Behaviour) -> bool:
        """Wait until the behaviour is another one; False if the stand-in was closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._active is not behaviour or self.closing.is_set())
        return not self.closing.is_set()

    def wait_for(self, path: str, timeout: float = 180) -> Request:
        """The first request for a path (without the prefix), once it has arrived.

        Raises:
            TimeoutError: it did not arrive within ``timeout`` seconds.
        """

        def found() -> Request | None:
            return next((r for r in self.requests if self.route(r.target) == path), None)

        with self._changed:
            request = self._changed.wait_for(found, timeout)
        if request is None:
            raise TimeoutError(f"no request for {path} within {timeout} s")
        return request

    def record(self, request: Request) -> int:
        """Keep a request; returns its number among those the behaviour covers, from 1."""
        path = self.route(request.target) or ""
        with self._changed:
            self.requests.append(request)
            if self._active.covers(path):
                self._turns += 1
            self._changed.notify_all()
            return self._turns

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request while it is answered."""
        with self._changed:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1

    # Connections

    def _listen(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        if self._reserved is None:
            # Nobody else is given the port while nothing listens at it.
            self._reserved = socket.socket(family)
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self._reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._reserved.bind((self.host, self.port))
            self.port = self._reserved.getsockname()[1]
        listener = socket.create_server((self.host, self.port), family=family, backlog=128)
        self._listener = listener
        self._run(lambda: self._accept(listener), "accept")

    def stop_listening(self) -> None:
        """Refuse new connections from now on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # close() alone does not wake a thread that is waiting in accept()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def hang_up(self) -> None:
        """Stop listening and end every connection."""
        self.stop_listening()
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            # not SSLSocket.shutdown(), which pulls the TLS state away under another thread
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _run(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"stand-in {name}", daemon=True)
        with self._changed:
            thread.start()
            self._threads = {known for known in self._threads if known.is_alive()} | {thread}

    def _some_thread(self) -> threading.Thread | None:
        """One that has not ended; one that is about to end has not."""
        with self._changed:
            return next((thread for thread in self._threads if thread.is_alive()), None)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            with self._changed:
                self._accepted += 1
                self._connected += 1
                self._connections.add(connection)
                number, serve = self._connected, self._serve
                if self._active.name == "reset-first":
                    serve = self._reset if self._accepted <= self._active.number(1) else serve
            if self.closing.is_set():
                self._forget(connection)
            else:
                self._run(functools.partial(serve, connection, address, number), "connection")

    def _reset(self, connection: socket.socket, address: Any, number: int) -> None:
        with contextlib.suppress(OSError):
            connection.recv(1)  # so that the client has connected, and sent something
            abort(connection)
        self._forget(connection)

    def _serve(self, connection: socket.socket, address: Any, number: int) -> None:
        try:
            if self._tls is not None:
                plain = connection
                connection = self._tls.wrap_socket(
                    plain, server_side=True, do_handshake_on_connect=False
                )
                with self._changed:
                    self._connections.discard(plain)
                    self._connections.add(connection)
                connection.do_handshake()
            Exchange(connection, address, self, number)
        except OSError:
            pass  # the client went away, or the stand-in is being closed
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._changed:
            self._connections.discard(connection)
        connection.close()

    # Answers

    def route(self, target: str) -> str | None:
        """The path below the prefix and ``/api``, still percent-encoded; None: not below them."""
        path = target.partition("?")[0]
        if path.startswith("/standin/"):
            return path
        if not path.startswith(f"{self.prefix}/"):
            return None
        path = path.removeprefix(self.prefix)
        return path.removeprefix("/api") if path.startswith("/api/") else path

    def control(self, path: str, body: bytes) -> Answer:
        """The stand-in's own routes."""
        if path == "/standin/requests":
            return json_answer(
                [{"method": r.method, "target": r.target, "sent": r.sent} for r in self.requests]
            )
        if path == "/standin/behaviour":
            if body:
                try:
                    self.behaviour = body.decode().strip()
                except ValueError as error:
                    return Answer(400, str(error).encode())
            return json_answer(self.behaviour)
        return Answer(404, b"404: Not Found")

    def refusal(self, request: Request, path: str | None) -> Answer | None:
        """The answer to what is refused before ComfyUI is reached; None if nothing is."""
        if request.method not in ("GET", "HEAD") and not (
            (self.posts and request.method == "POST") or self.is_question(request, path)
        ):
            print(
                f"THE STAND-IN WAS ASKED TO {request.method} {request.target}: nothing may ever"
                " be queued or changed",
                file=sys.stderr,
                flush=True,
            )
            return Answer(500, b"the stand-in never queues or changes anything")
        if (
            self._authorization is not None
            and request.headers.get("authorization") != self._authorization
        ):
            return status_page(401, "")
        if path is None:
            return status_page(404, "")
        return None

    def is_question(self, request: Request, path: str | None) -> bool:
        """Whether it is the one POST that only asks, of a Manager that is there."""
        if self.manager is None or request.method != "POST":
            return False
        prefix = recorded_manager(self.manager)["prefix"]
        return path == f"{prefix}/customnode/import_fail_info"

    def _of_manager(self, request: Request, path: str) -> Answer | None:
        """What its Manager was recorded to answer; None if it has no such route."""
        if self.manager is None:
            return None
        answers = recorded_manager(self.manager)
        query = request.target.partition("?")[2]
        asked = f"{path}?{query}" if query else path
        if request.method == "POST":
            question = json.dumps(json.loads(request.body), sort_keys=True)
            found = answers["post"][self.manager_state].get(question, {"status": 400, "text": ""})
        else:
            found = answers["updated"].get(asked) if self.updated else None
            found = found or answers["get"].get(asked)
        if found is None:
            return None
        text = json.dumps(found["json"]) if "json" in found else found["text"]
        return Answer(found["status"], text.encode(), found.get("content_type") or "")

    def answer(self, request: Request, path: str) -> Answer:
        """ComfyUI's answer to a request for a path (without prefix and ``/api``)."""
        of_manager = self._of_manager(request, path)
        if of_manager is not None:
            return of_manager
        if self.posts and (answer := self.posts(request.method, path, request.body)):
            return answer
        altered = self._altered(path)
        if altered is not None:
            return json_answer(altered)
        if path == "/system_stats":
            return json_answer(self._system_stats())
        match path.split("/")[1:]:
            case ["object_info", *rest]:
                return self._object_info(rest)
            case ["users"]:
                return json_answer(self._users())
            case ["userdata"]:
                return self._list_userdata(request)
            case ["userdata", name]:
                return self._get_userdata(request, name)
            case ["embeddings"]:
                files = self._recorded("/models/embeddings")
                return json_answer([name.rpartition(".")[0] for name in files])
            case ["experiment", "models", folder]:
                return self._experiment_folder(unquote(folder))
            case ["models", folder]:
                files = self._recorded(f"/models/{unquote(folder)}")
                return NOTHING if files is None else json_answer(files)
            case ["node_replacements"]:
                return NOTHING
        if path in recorded(self.state):
            return json_answer(self._recorded(path))
        return Answer(404, b"404: Not Found")

    def _recorded(self, path: str) -> Any:
        return removed(recorded(self.state).get(path), self.without)

    def _object_info(self, rest: list[str]) -> Answer:
        if not rest and self.object_info is None:
            return Answer(200, recorded_object_info(self.state), JSON)
        known = recorded_node_types(self.state) if self.object_info is None else self.object_info
        if not rest:
            return json_answer(known)
        if len(rest) > 1:
            return Answer(404, b"404: Not Found")
        name = unquote(rest[0])
        if name in self.failing:
            return Answer(500, b"500 Internal Server Error\n\nServer got itself in trouble", TEXT)
        return json_answer({name: known[name]} if name in known else {})

    def _system_stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads(json.dumps(recorded(self.state)["/system_stats"]))
        low = self._active.name == "low-vram"
        count = max(self.gpu, 1 if low else 0)
        if self.comfyui_version is not None:
            stats["system"]["comfyui_version"] = self.comfyui_version
        if count:
            stats["system"]["argv"].remove("--cpu")
            free = self._active.number(512) * MIB if low else 22 * GIB
            stats["devices"] = [cuda_device(index, free) for index in range(count)]
        if self.argv is not None:
            stats["system"]["argv"] = self.argv
        return stats

    def _altered(self, path: str) -> Any:
        name = self._active.name
        if name == "busy" and path in ("/queue", "/prompt"):
            running, _, pending = (self._active.argument or "1,2").partition(",")
            counts = int(running), int(pending or 0)
            if path == "/prompt":
                return {"exec_info": {"queue_remaining": sum(counts)}}
            return {
                "queue_running": [queued(i) for i in range(counts[0])],
                "queue_pending": [queued(counts[0] + i) for i in range(counts[1])],
            }
        if name in ("wrong-types", "nonsense") and self._active.covers(path):
            return ALTERED[name].get(path)
        return None

    def _experiment_folder(self, folder: str) -> Answer:
        files = self._recorded(f"/models/{folder}")
        folders = {entry["name"] for entry in recorded(self.state)["/experiment/models"]}
        if files is None or folder not in folders:
            return NOTHING
        times = {"modified": 1760000000.0, "created": 1760000000.0}
        return json_answer([{"name": f, "pathIndex": 0, **times, "size": 0} for f in files])

    # The user directory

    def _users(self) -> dict[str, Any]:
        if self.multi_user:
            return {"storage": "server", "users": self._user_names()}
        return {"storage": "server", "migrated": (self.userdata / "default").exists()}

    def _user_names(self) -> dict[str, str]:
        if not self.multi_user:
            return {"default": "default"}
        file = self.userdata / "users.json"
        names: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return names

    def _user_root(self, request: Request) -> Path | None:
        """The user's directory; None for a user the server does not know."""
        user = request.headers.get("comfy-user", "default") if self.multi_user else "default"
        if user not in self._user_names() or user.startswith("__"):
            return None
        return self.userdata / user

    def _list_userdata(self, request: Request) -> Answer:
        query = {k: v[-1] for k, v in parse_qs(request.target.partition("?")[2]).items()}
        root = self._user_root(request)
        if not query.get("dir"):
            return Answer(400, b"Directory not provided")
        if root is None:
            return status_page(500, "")
        directory = inside(root, query["dir"])
        if directory is None:
            return Answer(403, b"Invalid directory")
        if not directory.exists():
            return Answer(404, b"Directory not found")

        def is_set(name: str) -> bool:
            return query.get(name, "").lower() == "true"

        files = list(visible_files(directory, recurse=is_set("recurse")))
        if is_set("full_info"):
            return json_answer([file_info(file, directory) for file in files])
        names = [file.relative_to(directory).as_posix() for file in files]
        return json_answer([[n, *n.split("/")] for n in names] if is_set("split") else names)

    def _get_userdata(self, request: Request, name: str) -> Answer:
        root = self._user_root(request)
        if root is None:
            return status_page(500, "")
        # ComfyUI decodes once more what the HTTP library has decoded already
        file = inside(root, unquote(unquote(name)))
        if file is None:
            return Answer(403, b"", "application/octet-stream")
        if not file.is_file():
            return NOTHING
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return Answer(200, file.read_bytes(), kind)


def cuda_device(index: int, free: int) -> dict[str, Any]:
    """A device as ``/system_stats`` describes a CUDA one; ``free`` in bytes."""
    return {
        "name": f"cuda:{index} NVIDIA GeForce RTX 4090 : cudaMallocAsync",
        "type": "cuda",
        "index": index,
        "vram_total": 25386352640,
        "vram_free": free,
        "torch_vram_total": 33554432,
        "torch_vram_free": 25165824,
    }


def queued(number: int) -> list[Any]:
    """A prompt as ``/queue`` lists it: number, id, prompt, extra data, outputs."""
    return [number, f"00000000-0000-4000-8000-{number:012}", {"1": {}}, {"client_id": "0"}, ["1"]]


def inside(root: Path, name: str) -> Path | None:
    """The path of a name below a directory; None if it would lie outside."""
    path = os.path.normpath(root / name)  # links are followed, as ComfyUI does
    return Path(path) if os.path.commonpath((root, path)) == str(root) else None


def visible_files(directory: Path, *, recurse: bool) -> Iterator[Path]:
    """The files of a directory, without those that are hidden or in hidden directories."""
    for parent, directories, files in os.walk(directory, followlinks=True):
        directories[:] = [d for d in directories if recurse and not d.startswith(".")]
        for name in files:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def file_info(file: Path, relative_to: Path) -> dict[str, Any]:
    """An entry of ``/userdata?full_info=true``; times in milliseconds."""
    stat = file.stat()
    return {
        "path": file.relative_to(relative_to).as_posix(),
        "size": stat.st_size,
        "modified": int(stat.st_mtime * 1000),
        "created": int(stat.st_ctime * 1000),
    }


ALTERED: dict[str, dict[str, Any]] = {
    # The containers are something else.
    "wrong-types": {
        "/system_stats": {"system": "linux", "devices": "cuda:0"},
        "/queue": {"queue_running": "none", "queue_pending": 7},
        "/prompt": {"exec_info": []},
        "/object_info": {"KSampler": "a sampler", "SaveImage": 1, "LoadImage": None, "VAE": []},
        "/models": {"checkpoints": 30},
        "/embeddings": "none",
        "/experiment/models": [{"name": 7, "folders": "/models"}, None, "loras"],
        "/features": [],
        "/users": {"storage": 1, "users": "admin"},
        "/userdata": [{"path": 7}, {"size": 1}, "x.json", None, 3],
    },
    # The containers are right and the values make no sense.
    "nonsense": {
        "/system_stats": {
            "system": {"os": 1, "comfyui_version": "8\ud800", "ram_total": "lots",
                       "argv": [None, "--input-directory", "a\0\ud800\x1b[2J", "--user-directory",
                                "\ud800"]},
            "devices": [
                None,
                {"name": 3, "type": None, "index": "zero", "vram_total": "24", "vram_free": None},
                {"name": "cuda:0", "type": "cuda", "index": -1, "vram_total": float("nan"),
                 "vram_free": float("-inf")},
                {"name": "cuda:\u202e\x1b[31m\n1", "type": "cuda", "vram_total": -5,
                 "vram_free": 10**40},
            ],
        },
        "/queue": {"queue_running": [None, 1], "queue_pending": [[]]},
        "/models": ["\ud800", "a\n\0b", "../..", "loras"],
        "/users": {"users": {"": 1, "bob ": {}, "a\nb": None, "\ud800": 2, "default": "D"}},
        "/userdata": [
            {"path": "a\0b.json", "size": 3},
            {"path": "\ud800.json", "size": 3},
            {"path": "../../../x.json", "size": -1},
        ],
        "/node_replacements": {
            "NoSuchNode": [{"new_node_id": "\ud800", "old_node_id": None, "input_mapping": 7}]
        },
        "/object_info": {
            "": {},
            "A\x1b[31m\n": {"input": [], "output": "IMAGE", "output_node": "yes"},
            "B": {"input": {"required": {"x": None, "y": [], "z": [None, 1], "w": [[[]], {}]}}},
        },
    },
}  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="A stand-in for ComfyUI, for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8188, help="0 takes a free one")
    parser.add_argument("--state", choices=("full", "empty"), default="full")
    parser.add_argument("--comfyui-version", metavar="V", help="instead of the recorded 0.8.0")
    parser.add_argument("--userdata", type=Path, metavar="DIR", help="ComfyUI's user directory")
    parser.add_argument("--multi-user", action="store_true")
    parser.add_argument("--prefix", default="", metavar="/PATH")
    parser.add_argument("--token", help="ask for this bearer token")
    parser.add_argument("--basic", metavar="USER:PASSWORD", help="ask for basic auth")
    parser.add_argument("--tls", nargs=2, type=Path, metavar=("CERT", "KEY"))
    parser.add_argument("--behaviour", default="ok", metavar="NAME[:ARGUMENT][@/PATH]",
                        help=f"one of {', '.join(BEHAVIOURS)}, or an HTTP status")  # fmt: skip
    parser.add_argument("--gpu", nargs="?", type=int, const=1, default=0, metavar="COUNT",
                        help="CUDA devices instead of the recorded CPU")  # fmt: skip
    parser.add_argument("--without", action="append", default=[], metavar="FILE",
                        help="a model file that is gone since the recording")  # fmt: skip
    parser.add_argument("--manager", choices=("3.41", "4.3"), help="the version of its Manager")
    options = vars(parser.parse_args(arguments))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        stand_in = StandIn(**options, log=lambda line: print(line, file=sys.stderr, flush=True))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    with stand_in:
        print(f"stand-in for ComfyUI: {quote(stand_in.url, safe=':/[]')}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
