"""Downloads a model, when a person has asked for it; never in a cycle.

What is not whole yet lies beside its target (:mod:`comfywatchman.fixes.part_file`), survives
whatever ends the process, and is gone on with. It gets the target's name only when its length, its
SHA-256 as far as one is known, and the header of its format are right.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import ssl
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import __version__, room
from comfywatchman.comfyui.connections import LIMITS, Connection, Turn
from comfywatchman.comfyui.http import authorities, httpx, root_cause
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.fixes import download_hosts as hosts
from comfywatchman.fixes.download_order import DownloadError, Limits, Order, check
from comfywatchman.fixes.part_file import Origin, PartFile, can_be_sent
from comfywatchman.masking import without_secrets
from comfywatchman.modelfiles.codes import TRUNCATED
from comfywatchman.modelfiles.condition import so_many_lack
from comfywatchman.modelfiles.inspecting import inspect_opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from comfywatchman.modelfiles.condition import Condition

MOST_REDIRECTS: Final = 5

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml", "application/json"})
_MESSAGES: Final = frozenset({"model_is_html", "model_is_json_error"})
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_LEAST_PROGRESS: Final = 16 * 1024
"""Bytes in the time that is called a stall."""
_LOOK_AT_ROOM: Final = 4 * 1024**2
_TELL_EVERY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is.

    Attributes:
        done: bytes that are there.
        total: bytes of the whole; None if the server does not say.
        rate: bytes a second, since this run began.
    """

    done: int
    total: int | None
    rate: float


@dataclass(frozen=True, slots=True)
class Result:
    """What was downloaded.

    Attributes:
        path: where it is.
        size: its bytes.
        sha256: what it has.
        resumed: bytes that were there from a run before.
    """

    path: str
    size: int
    sha256: str
    resumed: int


class _AnewError(Exception):
    """What is there is of another file than the server has: it is fetched from the beginning."""


def download(
    order: Order,
    limits: Limits,
    tokens: Mapping[str, str],
    tell: Callable[[Progress], None],
) -> Result:
    """Download a file, and put it in place if it is what was ordered.

    Args:
        order: what, and where to.
        limits: what it keeps to.
        tokens: by host (:func:`comfywatchman.fixes.download_hosts.read_tokens`); each is sent to
            its own host alone, whatever leads there.
        tell: hears how far it is, a few times a second.

    Returns:
        What is there now.

    Raises:
        DownloadError: why nothing is. What came is kept if it is of use for the next run.
    """
    check(order, limits)
    url = hosts.parsed(order.url)
    hosts.refuse_unlisted(url, limits.hosts)
    with PartFile(order.folder, order.name) as part:
        with part.failing():
            if part.is_taken():
                if not part.size:
                    part.discard()
                raise DownloadError(f"{visible(order.target)} is there already, and stays as it is")
        fetch = _Fetch(order, limits, tokens, tell, part)
        try:
            resumed, size, sha256 = fetch.run(url)
        except (DownloadError, KeyboardInterrupt):
            if not part.size:
                part.discard()
            raise
        found = inspect_opened(part.descriptor, order.name)
        if found.code:
            part.discard()
            raise DownloadError(
                f"what {hosts.shown(url)} sends is not the model that it should be: {found.detail}"
                f"{_lacking(found)}"
                f"{fetch.login if found.code in _MESSAGES else ''}"
            )
        part.put_in_place()
    return Result(order.target, size, sha256, resumed)


def _lacking(found: Condition) -> str:
    """How many bytes lack, where that is known."""
    if found.code != TRUNCATED.name or not found.lacking:
        return ""
    return f"; {so_many_lack(found.lacking)}"


class _Fetch:
    """One download, from the first request to the last byte."""

    def __init__(
        self,
        order: Order,
        limits: Limits,
        tokens: Mapping[str, str],
        tell: Callable[[Progress], None],
        part: PartFile,
    ) -> None:
        self._order = order
        self._limits = limits
        self._tokens = tokens
        self._tell = tell
        self._part = part
        self._end = time.monotonic() + limits.total
        self._sha256 = (order.sha256 or "").lower()
        self._size = order.size
        self._first = ""  # of which kind the address of the listed host is

    def run(self, url: httpx.URL) -> tuple[int, int, str]:
        """Get all of it into the part.

        Returns:
            Bytes that were there before, bytes of the whole, and its SHA-256.
        """
        address = hashlib.sha256(str(url).encode()).hexdigest()
        origin = self._part.origin()
        if (
            origin is not None
            and origin.address == address
            and (origin.validator or origin.sha256)
            and self._part.size
        ):
            with self._part.failing():
                digest = self._part.digest()  # first: no server waits for that
            with contextlib.suppress(_AnewError):
                return self._fetch(url, origin, address, digest)
        return self._fetch(url, None, address, hashlib.sha256())

    def _fetch(
        self, url: httpx.URL, origin: Origin | None, address: str, digest: hashlib._Hash
    ) -> tuple[int, int, str]:
        start = self._part.size if origin else 0
        headers = {
            "User-Agent": f"comfywatchman/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        if origin:
            headers["Range"] = f"bytes={start}-"
            if origin.validator:
                headers["If-Range"] = origin.validator
        with self._answer(url, headers) as response:
            if origin and self._sha256 != origin.sha256:
                raise _AnewError
            if response.status_code == 416 and origin:
                if self._whole_of(response) != start or not self._sha256:
                    raise _AnewError
                total: int | None = start
                pieces: Iterator[bytes] = iter(())
            else:
                start, total = self._extent(response, start)
                pieces = response.iter_raw()
            if origin and start and origin.size not in (-1, total):
                raise _AnewError
            self._agree(total, url)
            total = self._size if total is None else total
            self._refuse_without_room(0 if total is None else total - start)
            if not start:
                digest = hashlib.sha256()
                size = -1 if total is None else total
                with self._part.failing():
                    self._part.begin(Origin(address, _validator(response), self._sha256, size))
            size = self._save(pieces, digest, start, total)
        if total is not None and size < total:
            raise DownloadError(self._broken_off("ended its answer early", size, total))
        found = digest.hexdigest()
        if self._sha256 and found != self._sha256:
            self._part.discard()
            raise DownloadError(
                f"what {hosts.shown(url)} sends has the SHA-256 {found}, and not the expected "
                f"{self._sha256}: it is another file, or was damaged on its way"
            )
        return start, size, found

    @contextlib.contextmanager
    def _answer(self, url: httpx.URL, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Ask, and go where the answer leads, until it is one that brings the file."""
        for _ in range(MOST_REDIRECTS + 1):
            host = hosts.host_of(url)
            listed = host in self._limits.hosts
            token = self._tokens.get(host)
            more = {"Authorization": f"Bearer {token}"} if token else {}
            with self._asked(url, {**headers, **more}, listed) as response:
                if listed:
                    self._learn(response, url)
                if response.status_code not in _REDIRECTS:
                    self._refuse(response, url, with_token=bool(token))
                    with self._hearing(url):
                        yield response
                    return
                url = self._led_to(response, url)
        raise DownloadError(
            f"{hosts.shown(self._order.url)} leads on and on: after {MOST_REDIRECTS} redirects "
            "there is no file"
        )

    @contextlib.contextmanager
    def _asked(
        self, url: httpx.URL, headers: Mapping[str, str], listed: bool
    ) -> Iterator[httpx.Response]:
        limits, proxy = self._limits, _proxy(url)
        timeout = httpx.Timeout(limits.stall, connect=limits.connect)
        try:
            verify = authorities(str(url), limits.ca_file)
            client = httpx.Client(
                verify=verify, timeout=timeout, limits=LIMITS, trust_env=False, proxy=proxy
            )
        except (ConfigError, ImportError, ValueError, httpx.InvalidURL) as error:
            raise DownloadError(visible(without_secrets(str(error)))) from None
        connection = Connection(lambda: client)
        if not listed:
            with contextlib.suppress(ValueError):
                self._refuse_inward(hosts.kind(url.raw_host.decode("ascii")), url)
        seconds = min(limits.connect + limits.stall, self._end - time.monotonic())
        with client, Turn(connection, max(seconds, 0.0)) as turn:

            def trace(event: str, info: Mapping[str, Any]) -> None:
                turn.trace(event, info)
                if event == "connection.connect_tcp.complete" and proxy is None:
                    stream = info["return_value"]
                    try:
                        kind = hosts.kind(stream.get_extra_info("server_addr")[0])
                    except OSError as error:  # it is gone already
                        raise httpx.ConnectError(str(error)) from error
                    self._first = self._first or kind
                    if not listed:
                        try:
                            self._refuse_inward(kind, url)
                        except DownloadError:
                            stream.close()
                            raise

            request = client.build_request("GET", url, headers=headers)
            request.extensions["trace"] = trace
            try:
                with self._hearing(url):
                    response = client.send(request, stream=True)
            except DownloadError:
                if turn.passed:
                    raise DownloadError(
                        f"{hosts.shown(url)} did not answer within {seconds:.0f} s"
                    ) from None
                raise
            turn.__exit__()  # what follows has other limits
            with contextlib.closing(response):
                yield response

    def _refuse_inward(self, kind: str, url: httpx.URL) -> None:
        if not hosts.may_lead_to(kind, self._first or hosts.PUBLIC):
            raise DownloadError(
                f"{hosts.shown(self._order.url)} leads to {hosts.shown(url)}, an address of this "
                "host or of a private network; it is not asked, unless download_hosts lists it"
            )

    def _learn(self, response: httpx.Response, url: httpx.URL) -> None:
        """Take what Hugging Face says of a file before it leads to where it lies."""
        etag = response.headers.get("x-linked-etag", "").removeprefix("W/").strip('"').lower()
        if _SHA256.fullmatch(etag):
            if self._order.sha256 and etag != self._order.sha256.lower():
                raise DownloadError(
                    f"{hosts.shown(url)} is another file: its SHA-256 is {etag}, and "
                    f"{self._order.sha256.lower()} is expected"
                )
            self._sha256 = etag
        size = _number(response.headers.get("x-linked-size", ""))
        if size is not None:
            self._agree(size, url)
            self._size = size

    def _agree(self, total: int | None, url: httpx.URL) -> None:
        if total is not None and self._size is not None and total != self._size:
            raise DownloadError(
                f"{hosts.shown(url)} is another file: it has {total:,} bytes, and {self._size:,} "
                "are expected"
            )

    def _refuse(self, response: httpx.Response, url: httpx.URL, *, with_token: bool) -> None:
        """Refuse an answer that brings no file."""
        status = response.status_code
        login = self._login(url, with_token=with_token)
        if status in (401, 403):
            what = "asks for a login" if status == 401 else "refuses us"
            if not (hosts.host_of(url) in self._limits.hosts or with_token):
                login = "try again: what leads there may have been valid for a short time alone"
            raise DownloadError(f"{hosts.shown(url)} {what} (HTTP {status}); {login}")
        if status in (404, 410):
            raise DownloadError(f"{hosts.shown(url)} is not there (HTTP {status})")
        if status == 429 or status >= 500:
            pause = _number(response.headers.get("retry-after", ""))
            when = f"in {pause} s" if pause else "later"
            raise DownloadError(
                f"{hosts.shown(url)} cannot be had now (HTTP {status}); try again {when}"
            )
        if status not in (200, 206, 416):
            raise DownloadError(f"{hosts.shown(url)} answers HTTP {status}, and sends no file")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            raise DownloadError(
                f"{hosts.shown(url)} sends the file compressed ({visible(encoding, limit=40)}), "
                "although it was asked not to"
            )
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if status != 416 and media_type in _PAGES:
            raise DownloadError(
                f"{hosts.shown(url)} sends a page ({media_type}) in place of a file{self.login}"
            )

    @property
    def login(self) -> str:
        """What to do where a page came: the end of a sentence. It may be that of a login."""
        url = hosts.parsed(self._order.url)
        if "/blob/" in url.path:
            return "; the file itself is where its address has /resolve/ in place of /blob/"
        with_token = hosts.host_of(url) in self._tokens
        return f"; is a login needed? Then {self._login(url, with_token=with_token)}"

    @staticmethod
    def _login(url: httpx.URL, *, with_token: bool) -> str:
        host = visible(hosts.host_of(url))
        if with_token:
            return (
                f"correct its token in the file that download_token_file names, or ask {host} for "
                "access to this file"
            )
        return f"put a line `{host} TOKEN` into the file that download_token_file names"

    def _led_to(self, response: httpx.Response, url: httpx.URL) -> httpx.URL:
        location = response.headers.get("location", "")
        if not location:
            raise DownloadError(f"{hosts.shown(url)} redirects without saying where")
        try:
            target = str(url.join(location))
        except (httpx.InvalidURL, ValueError):
            target = location
        return hosts.parsed(target)

    @staticmethod
    def _whole_of(response: httpx.Response) -> int | None:
        said = response.headers.get("content-range", "")
        return _number(said.removeprefix("bytes */"))

    def _extent(self, response: httpx.Response, start: int) -> tuple[int, int | None]:
        """Where what comes begins in the file, and the bytes of the whole file, if it is said."""
        length = _number(response.headers.get("content-length", ""))
        if response.status_code == 206:
            match = _RANGE.fullmatch(response.headers.get("content-range", "").strip())
            if not match or int(match[1]) != start or match[3] == "*":
                raise _AnewError if start else self._odd_answer()
            first, last, whole = (int(number) for number in match.groups())
            if last != whole - 1 or length not in (None, whole - first):
                raise _AnewError if start else self._odd_answer()
            return start, whole
        if response.status_code == 416:
            raise self._odd_answer()
        if length is None and self._size is None and not self._sha256 and not _chunked(response):
            raise DownloadError(
                f"{hosts.shown(self._order.url)} does not say how long the file is: nobody could "
                "tell whether all of it came"
            )
        return 0, length

    def _odd_answer(self) -> DownloadError:
        return DownloadError(
            f"{hosts.shown(self._order.url)} answers as if a part of the file were asked for, "
            "which it was not"
        )

    def _save(
        self, pieces: Iterator[bytes], digest: hashlib._Hash, start: int, total: int | None
    ) -> int:
        begun = told = marked = time.monotonic()
        size = at_mark = at_look = start
        self._tell(Progress(size, total, 0.0))
        for piece in pieces:
            size += len(piece)
            if total is not None and size > total:
                self._part.discard()
                raise DownloadError(
                    f"{hosts.shown(self._order.url)} is another file: it has more than the "
                    f"{total:,} bytes that are expected"
                )
            with self._part.failing():
                self._part.write(piece)
            digest.update(piece)
            now = time.monotonic()
            if now >= self._end:
                why = f"took longer than {self._limits.total:.0f} s"
                raise DownloadError(self._broken_off(why, size, total))
            if now - marked >= self._limits.stall:
                if size - at_mark < _LEAST_PROGRESS:
                    why = f"sent {size - at_mark:,} bytes in {now - marked:.0f} s"
                    raise DownloadError(self._broken_off(why, size, total))
                marked, at_mark = now, size
            if size - at_look >= _LOOK_AT_ROOM:
                self._refuse_without_room(0 if total is None else total - size)
                at_look = size
            if now - told >= _TELL_EVERY:
                self._tell(Progress(size, total, (size - start) / (now - begun)))
                told = now
        seconds = time.monotonic() - begun
        self._tell(Progress(size, total, (size - start) / seconds if seconds else 0.0))
        return size

    def _broken_off(self, why: str, size: int, total: int | None) -> str:
        of = "" if total is None else f" of {total:,}"
        return (
            f"{hosts.shown(self._order.url)} {why}; {size:,}{of} bytes are kept, and the next run "
            "goes on from there"
        )

    def _refuse_without_room(self, needed: int) -> None:
        """Keep free what is to be kept, and a tenth of what comes: others write there too."""
        with self._part.failing():
            free = room.at(self._part.folder)
        wanted = needed + needed // 10 + self._limits.min_free
        if free.size < wanted:
            raise DownloadError(
                f"only {free.shown} are free at {visible(str(self._part.folder))}, and "
                f"{room.mib(wanted)} are needed: what is to be downloaded, a tenth more, and "
                "min_free_disk; make room there"
            )

    @contextlib.contextmanager
    def _hearing(self, url: httpx.URL) -> Iterator[None]:
        """Say why an answer does not come, or not to its end."""
        try:
            yield
        except httpx.ConnectTimeout:
            why = f"does not accept a connection within {self._limits.connect:g} s"
        except httpx.TimeoutException:
            why = f"sent nothing for {self._limits.stall:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            cause = root_cause(error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                why = (
                    f"has a certificate that is not trusted ({visible(cause.verify_message)}); "
                    "name its authority in ca_file if you trust it"
                )
            elif isinstance(error, (httpx.ConnectError, UnicodeError)):  # a label of 64 letters
                why = f"cannot be reached ({visible(str(cause) or type(cause).__name__)})"
            else:
                said = str(cause) if isinstance(cause, OSError) else str(error)
                why = f"broke off its answer ({visible(said) or type(cause).__name__})"
        else:
            return
        if kept := self._part.size:
            why += f"; {kept:,} bytes are kept, and the next run goes on from there"
        raise DownloadError(f"{hosts.shown(url)} {why}")


def _proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment has for an address."""
    proxies = urllib.request.getproxies()
    found = proxies.get("https") or proxies.get("all")
    host = url.raw_host.decode("ascii")
    return None if not found or urllib.request.proxy_bypass(host) else found


def _validator(response: httpx.Response) -> str:
    """By what the server knows the same file again, byte for byte; empty if by nothing."""
    etag: str = response.headers.get("etag", "").strip()
    date: str = response.headers.get("last-modified", "").strip()
    found = etag or date
    return found if can_be_sent(found) and not found.startswith("W/") else ""


def _chunked(response: httpx.Response) -> bool:
    said: str = response.headers.get("transfer-encoding", "")
    return said.strip().lower() == "chunked"


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
