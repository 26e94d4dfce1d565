"""The HTTP client: asks a ComfyUI server, and turns every way it can fail into one sentence.

All that a cycle reads is asked for with GET, but for one question of Manager's, which it takes by
POST (:meth:`ComfyUIClient.ask_import_failure`). The one thing that posts prompts is
:mod:`comfywatchman.comfyui.asking`, and only where ``ask_server`` is set. Answers are read in
pieces, with a cap on their size and on the time they take, and are asked for uncompressed, so that
none can unfold in memory. What may pass (a reset, a 503, a server that is being restarted) is asked
again after a pause; what was posted is not posted again.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Self

from comfywatchman import __version__, lenient_json, redaction
from comfywatchman.comfyui.connections import LIMITS, Connections, Turn
from comfywatchman.comfyui.http import authorities, httpx, root_cause
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from comfywatchman.comfyui.connections import Connection
    from comfywatchman.settings import Settings

_SMALL = 16 * 1024**2
_JSON = {"Content-Type": "application/json"}
_REDIRECTS = (301, 302, 303, 307, 308)
_PROXY = "correct the proxy before ComfyUI, or comfyui_url"
_NO_ANSWER = {
    204: f"answered without content (HTTP 204), as ComfyUI never does here; {_PROXY}",
    205: f"answered without content (HTTP 205), as ComfyUI never does here; {_PROXY}",
    206: f"sent a part of its answer (HTTP 206) though all of it was asked for; {_PROXY}",
    300: f"offers several addresses (HTTP 300) instead of an answer; {_PROXY}",
    304: "answered 'not modified' (HTTP 304), though nothing is kept here that it could have been "
    "compared with; have the cache or proxy before ComfyUI leave it alone",
    305: "wants to be asked through a proxy that it names (HTTP 305), which is not done; set "
    "comfyui_url to the address that answers by itself",
}
"""What an answer below 400 means that is neither 200 nor a redirect."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before a question is asked again, in turn; the last one for all further times."""
_CLOSED = (httpx.NetworkError, httpx.RemoteProtocolError)
"""What comes of a request on a connection that the server has closed."""


def patience(settings: Settings) -> float:
    """Seconds that all answers of a cycle may take together: 8 minutes by default.

    Each answer has its own limit; this one holds however many there are, so that a cycle ends by
    itself before ``TimeoutStartSec`` ends it.
    """
    return settings.catalog_timeout + 12 * settings.read_timeout


class ComfyUIError(Exception):
    """The server could not be asked, or its answer cannot be used.

    Attributes:
        transient: whether it is the server's state rather than the question: it may pass, and
            until then another question is in vain.
        status: the HTTP status, when there was one.
        sent: whether the request may have reached the server.
        late: whether the answer took longer than it may.
        pause: seconds for which the server asks to be left alone.
    """

    def __init__(
        self,
        reason: str,
        *,
        transient: bool,
        status: int | None = None,
        sent: bool = True,
        late: bool = False,
        pause: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.transient = transient
        self.status = status
        self.sent = sent
        self.late = late
        self.pause = pause

    @property
    def passes(self) -> bool:
        """Whether it is worth another try within seconds."""
        return self.transient and not self.late


class _StaleError(Exception):
    """The server had closed a connection that was kept, and did not see the request."""


class ComfyUIClient:
    """Asks one ComfyUI server. Use it as a context manager; it may be shared between threads.

    Nothing that the server sends leaves it with the credential in it: see
    :mod:`comfywatchman.redaction`.

    Attributes:
        url: the server's address.
        answer_s: seconds that one answer may take.
        reflections: answers so far whose body held the credential.

    Args:
        settings: where the server is and how long to wait.
        auth: the credential, from :func:`comfywatchman.comfyui.credentials.read`.

    Raises:
        ConfigError: ``ca_file`` cannot be used.
    """

    def __init__(self, settings: Settings, auth: httpx.Auth | None) -> None:
        self._settings = settings
        self._ends = time.monotonic() + patience(settings)
        self._has_answered = False
        self.url = settings.comfyui_url
        self.reflections = 0
        self._counting = threading.Lock()
        self.answer_s = settings.read_timeout
        verify = authorities(settings.comfyui_url, settings.ca_file)
        # The environment's proxies and .netrc are left out: a cycle talks to its server alone.
        self._connections = Connections(
            lambda: httpx.Client(
                auth=auth,
                verify=verify,
                trust_env=False,
                follow_redirects=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                event_hooks={"response": [_hide_in_head]},
                limits=LIMITS,
                headers={
                    "User-Agent": f"comfywatchman/{__version__}",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connections.close()

    @property
    def seconds_left(self) -> float:
        """How long all further answers may take together."""
        return self._ends - time.monotonic()

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
        if lenient_json.holds_too_many(body, max_bytes):
            raise ComfyUIError(
                f"{self.url}{path} answered more than {lenient_json.values_allowed(max_bytes):,} "
                f"values, which take more memory than {max_bytes / 1024**2:.0f} MiB of text should"
                + (
                    f"; if they are what you mean, raise {cap}, and MemoryMax with it"
                    if cap
                    else ""
                ),
                transient=False,
            )
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
        again: bool = True,
    ) -> bytes:
        """Ask for the body of one answer. Arguments and errors as :meth:`get_json`.

        Unless ``again`` is false, what may pass is asked again, for ``read_timeout`` from its first
        failure on. A server that nothing listens at is waited for only if it has answered before:
        it is being restarted.
        """
        limit = self._settings.read_timeout if seconds is None else seconds
        pauses = iter(PAUSES)
        tries, failed_at = 0, 0.0
        while True:
            tries += 1
            try:
                _, body = self._exchange(path, max_bytes, cap, limit, headers)
            except ComfyUIError as error:
                if not error.passes:
                    raise
                now = time.monotonic()
                failed_at = failed_at or now
                pause = max(next(pauses, PAUSES[-1]), error.pause)
                until = min(failed_at + self._settings.read_timeout, self._ends)
                # HTTP 500 is more often about the question than about the server's state.
                enough = error.status == httpx.codes.INTERNAL_SERVER_ERROR and tries == 2
                waits = again and (error.sent or self._has_answered)
                if enough or not waits or now + pause > until:
                    if tries == 1:
                        raise
                    raise ComfyUIError(
                        f"{error}; asked {tries} times",
                        transient=True,
                        status=error.status,
                        sent=error.sent,
                    ) from None
                time.sleep(pause)
            else:
                self._has_answered = True
                return body

    def post_once(self, path: str, document: object) -> tuple[int, bytes]:
        """Post one JSON document. Whatever comes of it, it is not posted again.

        Args:
            path: the path below the server's address, quoted, starting with ``/``.
            document: what is posted.

        Returns:
            The status, whichever it is, and the body.

        Raises:
            ComfyUIError: no whole answer came; ``sent`` says whether the server may have been
                reached all the same.
        """
        return self._exchange(
            path, _SMALL, None, self._settings.read_timeout, _JSON, json.dumps(document).encode()
        )

    def ask_import_failure(
        self, prefix: str, question: dict[str, str], *, max_bytes: int, seconds: float
    ) -> bytes:
        """Ask Manager why it could not import a pack: a question that it takes by POST, once.

        Args:
            prefix: where Manager's routes begin: ``/v2`` or nothing.
            question: ``cnr_id`` or ``url`` of the pack.
            max_bytes: refuse an answer larger than this.
            seconds: how long the whole answer may take.

        Raises:
            ComfyUIError: whatever went wrong; HTTP 400 for a pack that Manager does not know, or of
                which it has nothing to tell.
            ValueError: the prefix is none of Manager's.
        """
        if prefix not in ("", "/v2"):
            raise ValueError(f"no prefix of Manager's: {prefix!r}")
        path = f"{prefix}/customnode/import_fail_info"
        content = json.dumps(question).encode()
        return self._exchange(path, max_bytes, None, seconds, _JSON, content, only_success=True)[1]

    def _exchange(
        self,
        path: str,
        max_bytes: int,
        cap: str | None,
        limit: float,
        headers: Mapping[str, str] | None,
        content: bytes | None = None,
        *,
        only_success: bool = False,
    ) -> tuple[int, bytes]:
        """Send one request: a GET or, with content, a POST.

        Of what is asked for with GET, or with ``only_success``, only HTTP 200 is an answer.
        """
        url = self.url + path
        try:
            with self._connections.one(self.seconds_left) as connection:
                if content is not None:
                    connection.renew()  # what was posted is not posted again
                while True:
                    with suppress(_StaleError):  # once: the next one is on a new connection
                        return self._turn(
                            connection, path, max_bytes, cap, limit, headers, content, only_success
                        )
        except TimeoutError:
            raise ComfyUIError(
                f"{self.url} took more than {patience(self._settings):g} s for all that a cycle "
                "asks; ComfyUI is very busy, or the network slow: the next cycle tries again",
                transient=True,
                sent=False,
                late=True,
            ) from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ComfyUIError(
                f"{visible(url)} is no address that can be asked: {error}",
                transient=False,
                sent=False,
            ) from None

    def _turn(
        self,
        connection: Connection,
        path: str,
        max_bytes: int,
        cap: str | None,
        limit: float,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        only_success: bool,
    ) -> tuple[int, bytes]:
        url = self.url + path
        left = self.seconds_left
        if left <= 0:
            raise TimeoutError
        limit = min(limit, left)
        timeout = httpx.Timeout(limit, connect=min(self._settings.connect_timeout, left))
        begun = False
        with Turn(connection, limit) as turn:
            try:
                with connection.http.stream(
                    "GET" if content is None else "POST",
                    url,
                    headers=headers,
                    content=content,
                    timeout=timeout,
                    extensions={"trace": turn.trace},
                ) as response:
                    begun = True
                    if content is None or only_success:
                        self._refuse(response, path)
                    body = _body(response, url, max_bytes, cap)
                if not turn.passed:
                    return response.status_code, self._hidden(body)
            except httpx.ReadTimeout:
                pass  # the same as a deadline that passed
            except httpx.HTTPError as error:
                if not turn.passed:
                    if not (begun or turn.opened) and isinstance(error, _CLOSED):
                        raise _StaleError from None
                    raise self._unreachable(error, url) from None
        raise ComfyUIError(
            f"{url} did not finish its answer within {limit:g} s; ComfyUI hangs or is very busy: "
            "look at its log, restart it if it stays so",
            transient=True,
            late=True,
        )

    def _hidden(self, body: bytes) -> bytes:
        hidden = redaction.hide(body)
        if hidden is not body:
            with self._counting:  # several threads ask at once
                self.reflections += 1
        return hidden

    def _refuse(self, response: httpx.Response, path: str) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        url = self.url
        if status in (429, 502, 503, 504):
            pause = _retry_after(response)
            asks = f", and asks to be left alone for {pause:.0f} s" if pause else ""
            raise ComfyUIError(
                f"{url} is up but not ready (HTTP {status}){asks}; it may be starting or "
                "overloaded",
                transient=True,
                status=status,
                pause=pause,
            )
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            whose = "ComfyUI's own log" if status == 500 else "the log of ComfyUI or of its proxy"
            raise ComfyUIError(
                f"{url}{path} failed with HTTP {status}; {whose} says why",
                transient=True,
                status=status,
            )
        reason = (
            f"{url}{path} answered HTTP {status}; is this ComfyUI's address? Correct comfyui_url, "
            "or the proxy before it"
        )
        if status == httpx.codes.UNAUTHORIZED:
            reason = (
                f"{url} asks for a login (HTTP {status}); set comfyui_token_file or "
                "comfyui_basic_auth_file, or correct what it holds"
            )
        elif status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            reason = (
                f"a proxy before {url} asks for a login of its own (HTTP 407), which is not given; "
                "set comfyui_url to an address that is reached without it"
            )
        elif status == httpx.codes.FORBIDDEN:
            reason = (
                f"{url} refuses us (HTTP 403); allow this host in the proxy before ComfyUI, or "
                "correct the login"
            )
        elif status < httpx.codes.BAD_REQUEST:
            reason = f"{url}{path} {_no_answer(response)}"
        elif status == httpx.codes.NOT_FOUND:
            reason = (
                f"{url}{path} is not there (HTTP 404); is this ComfyUI's address, with its base "
                "path? Correct comfyui_url"
            )
        raise ComfyUIError(reason, transient=False, status=status)

    def _unreachable(self, error: httpx.HTTPError, url: str) -> ComfyUIError:
        cause = root_cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = visible(cause.verify_message)
            return ComfyUIError(
                f"the certificate of {self.url} is not trusted ({why}); add its "
                "authority to the host's CA store, or name it in ca_file",
                transient=False,
            )
        if isinstance(cause, ssl.SSLError):
            why = visible(cause.reason or str(cause))
            return ComfyUIError(
                f"{self.url} does not speak TLS as https needs ({why}); is it http?",
                transient=False,
            )
        connected = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
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
        return ComfyUIError(reason, transient=True, sent=connected)


def _no_answer(response: httpx.Response) -> str:
    """What a status below 400 that is not 200 means, and what to do about it."""
    status = response.status_code
    if (said := _NO_ANSWER.get(status)) is not None:
        return said
    if status < httpx.codes.MULTIPLE_CHOICES:
        return f"answered HTTP {status} instead of 200; {_PROXY}"
    if status not in _REDIRECTS:
        return (
            f"answered HTTP {status}, which names no other address and brings no answer; {_PROXY}"
        )
    if target := response.headers.get("location", ""):
        return (
            f"redirects to {visible(target)[:200]}, which is not followed; "
            "set comfyui_url to the address that answers by itself"
        )
    return f"redirects (HTTP {status}) without saying where; {_PROXY}"


def _hide_in_head(response: httpx.Response) -> None:
    """Take the credential out of what an answer begins with, before anybody looks at it."""
    hide = redaction.hide
    response.headers = httpx.Headers([(hide(k), hide(v)) for k, v in response.headers.raw])
    if phrase := response.extensions.get("reason_phrase"):
        response.extensions["reason_phrase"] = hide(phrase)


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


def _retry_after(response: httpx.Response) -> float:
    """Seconds that ``Retry-After`` names, as a number or as a date (RFC 9110); 0 without it."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
