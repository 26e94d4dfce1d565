"""The HTTP client: asks a ComfyUI server, and turns every way it can fail into one sentence.

Only GET is ever sent, so nothing can be queued. Answers are read in pieces, with a cap on their
size and on the time they take, and are asked for uncompressed, so that none can unfold in memory.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

import httpx

from comfywatchman import __version__, lenient_json
from comfywatchman.errors import ConfigError
from comfywatchman.report.escape import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from comfywatchman.settings import Settings

_SMALL = 16 * 1024**2


class ComfyUIError(Exception):
    """The server could not be asked, or its answer cannot be used.

    Attributes:
        transient: whether asking again soon may help.
        status: the HTTP status, when there was one.
    """

    def __init__(self, reason: str, *, transient: bool, status: int | None = None) -> None:
        super().__init__(reason)
        self.transient = transient
        self.status = status


class ComfyUIClient:
    """Asks one ComfyUI server. Use it as a context manager; it may be shared between threads.

    Args:
        settings: where the server is and how long to wait.
        auth: the credential, from :func:`comfywatchman.comfyui.credentials.read`.

    Raises:
        ConfigError: ``ca_file`` cannot be used.
    """

    def __init__(self, settings: Settings, auth: httpx.Auth | None) -> None:
        self._settings = settings
        self.url = settings.comfyui_url
        # The environment's proxies and .netrc are left out: a cycle talks to its server alone.
        self._http = httpx.Client(
            auth=auth,
            verify=_tls(settings),
            trust_env=False,
            follow_redirects=False,
            # One connection for one request, so that a deadline ends its own request alone.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={
                "User-Agent": f"comfywatchman/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get_json(
        self,
        path: str,
        *,
        max_bytes: int = _SMALL,
        cap: str | None = None,
        seconds: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Ask for one JSON document.

        Args:
            path: the path below the server's address, quoted, starting with ``/``.
            max_bytes: refuse an answer larger than this.
            cap: the setting that ``max_bytes`` comes from, to be named when that happens.
            seconds: how long the whole answer may take; None means ``read_timeout``.
            headers: sent beside the usual ones.

        Raises:
            ComfyUIError: whatever went wrong, as a sentence that says what to do.
        """
        body = self.get_bytes(path, max_bytes=max_bytes, cap=cap, seconds=seconds, headers=headers)
        try:
            return lenient_json.parse(body)
        except ValueError:
            begin = visible(body[:40].decode(errors="replace"))
            raise ComfyUIError(
                f"{self.url}{path} answered something that is not JSON (it begins '{begin}'); is "
                "this ComfyUI's address? Correct comfyui_url",
                transient=False,
            ) from None

    def get_bytes(
        self,
        path: str,
        *,
        max_bytes: int,
        cap: str | None = None,
        seconds: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Ask for the body of one answer. Arguments and errors as :meth:`get_json`."""
        limit = self._settings.read_timeout if seconds is None else seconds
        url = self.url + path
        timeout = httpx.Timeout(limit, connect=self._settings.connect_timeout)
        with _Deadline(limit) as deadline:
            try:
                with self._http.stream(
                    "GET",
                    url,
                    headers=headers,
                    timeout=timeout,
                    extensions={"trace": deadline.trace},
                ) as response:
                    self._refuse(response, path)
                    body = _body(response, url, max_bytes, cap)
                if not deadline.passed:
                    return body
            except httpx.ReadTimeout:
                pass  # the same as a deadline that passed
            except httpx.HTTPError as error:
                if not deadline.passed:
                    raise self._unreachable(error, url) from None
            except (httpx.InvalidURL, UnicodeError) as error:
                raise ComfyUIError(
                    f"{visible(url)} is no address that can be asked: {error}", transient=False
                ) from None
        raise ComfyUIError(
            f"{url} did not finish its answer within {limit:g} s; ComfyUI hangs or is very busy: "
            "look at its log, restart it if it stays so",
            transient=True,
        )

    def _refuse(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        url = self.url
        reason, transient = f"{url}{path} answered HTTP {status}", False
        if status in (401, 407):
            reason = (
                f"{url} asks for a login (HTTP {status}); set comfyui_token_file or "
                "comfyui_basic_auth_file, or correct what it holds"
            )
        elif status == httpx.codes.FORBIDDEN:
            reason = (
                f"{url} refuses us (HTTP 403); allow this host in the proxy before ComfyUI, or "
                "correct the login"
            )
        elif response.is_redirect:
            target = visible(response.headers.get("location", "nowhere"))[:200]
            reason = (
                f"{url}{path} redirects to {target}, which is not followed; "
                "set comfyui_url to the address that answers by itself"
            )
        elif status == httpx.codes.NOT_FOUND:
            reason = (
                f"{url}{path} is not there (HTTP 404); is this ComfyUI's address, with its base "
                "path? Correct comfyui_url"
            )
        elif status in (429, 502, 503, 504):
            transient = True
            reason = f"{url} is up but not ready (HTTP {status}); it may be starting or overloaded"
        elif status >= httpx.codes.INTERNAL_SERVER_ERROR:
            transient = True
            reason = f"{url}{path} failed with HTTP {status}; ComfyUI's own log says why"
        raise ComfyUIError(reason, transient=transient, status=status)

    def _unreachable(self, error: httpx.HTTPError, url: str) -> ComfyUIError:
        cause = _root_cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ComfyUIError(
                f"the certificate of {self.url} is not trusted ({cause.verify_message}); add its "
                "authority to the host's CA store, or name it in ca_file",
                transient=False,
            )
        if isinstance(cause, ssl.SSLError):
            why = visible(cause.reason or str(cause))
            return ComfyUIError(
                f"{self.url} does not speak TLS as https needs ({why}); is it http?",
                transient=False,
            )
        if isinstance(error, httpx.ConnectTimeout):
            reason = (
                f"{self.url} does not accept a connection within "
                f"{self._settings.connect_timeout:g} s; is the host up, is a firewall between?"
            )
        elif isinstance(cause, ConnectionRefusedError):
            reason = f"nothing listens at {self.url}; start ComfyUI, or correct comfyui_url"
        elif isinstance(error, httpx.ConnectError):
            reason = (
                f"{self.url} cannot be reached ({visible(str(cause) or type(cause).__name__)}); "
                "correct comfyui_url, or see to the network"
            )
        else:
            reason = (
                f"{url} broke off its answer ({visible(str(cause) or type(cause).__name__)}); "
                "ComfyUI may have stopped or is restarting"
            )
        return ComfyUIError(reason, transient=True)


class _Deadline:
    """Ends a request that takes too long, be it a byte at a time: httpx limits each read alone."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn the request's socket. To be given to httpx as the extension ``trace``."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.passed:
                self._end()

    def _end(self) -> None:
        self.passed = True
        if self._socket is not None:
            # Wakes the thread that waits for the answer; SSLSocket.shutdown would pull the TLS
            # state away from under it.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _body(response: httpx.Response, url: str, max_bytes: int, cap: str | None) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise ComfyUIError(
            f"{url} answered compressed ({visible(encoding)}) although it was asked not to; "
            "turn compression off in the proxy before it",
            transient=False,
        )
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > max_bytes:
            remedy = f"; if it is, raise {cap}" if cap else "? Correct comfyui_url"
            raise ComfyUIError(
                f"{url} answered more than {max_bytes / 1024**2:.0f} MiB; is this ComfyUI's "
                f"address{remedy}",
                transient=False,
            )
    return bytes(body)


def _root_cause(error: BaseException) -> BaseException:
    """Find the system's own error below httpx's and httpcore's."""
    seen: BaseException | None = error
    found: BaseException = error
    while seen is not None:
        found = seen
        if isinstance(seen, (OSError, ssl.SSLError)):
            break
        seen = seen.__cause__ or seen.__context__
    return found


def _tls(settings: Settings) -> ssl.SSLContext | bool:
    if not settings.comfyui_url.startswith("https:"):
        return False
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"ca_file: {settings.ca_file} cannot be used ({error}); it must be a PEM file of "
                "certificates"
            ) from None
    return context
