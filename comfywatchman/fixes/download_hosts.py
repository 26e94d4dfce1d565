"""Which hosts a download may speak to, and with which token."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from comfywatchman import private_file, redaction
from comfywatchman.comfyui.http import httpx
from comfywatchman.errors import ConfigError
from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.fixes.download_order import DownloadError
from comfywatchman.masking import without_secrets
from comfywatchman.settings import DOWNLOAD_HOST

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

LOOPBACK: Final = "loopback"
PRIVATE: Final = "private"
PUBLIC: Final = "public"
SPECIAL: Final = "special"
"""What nobody's files lie on: link-local, where clouds hand out credentials; multicast."""

_TOKEN: Final = re.compile(rf"[!-~]{{{redaction.LEAST},4096}}")


def host_of(url: httpx.URL) -> str:
    """The host of an address as the settings name it: with its port, unless that is 443."""
    host = url.raw_host.decode("ascii").lower()
    host = f"[{host}]" if ":" in host else host
    return host if url.port in (None, 443) else f"{host}:{url.port}"


def shown(url: httpx.URL | str) -> str:
    """An address for people, without what may log in."""
    return visible(without_secrets(str(url)), limit=NAME_LIMIT)


def parsed(text: str) -> httpx.URL:
    """Read an address.

    Raises:
        DownloadError: it is none of https, or holds a login.
    """
    try:
        url = httpx.URL(text)
        url.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError, TypeError):
        raise DownloadError(f"{shown(text)} is no address") from None
    port = 443 if url.port is None else url.port
    if url.scheme != "https" or not url.raw_host or not 0 < port < 2**16:
        raise DownloadError(f"{shown(text)} is no address of https; nothing else is asked")
    if url.userinfo:
        raise DownloadError(f"{shown(text)} holds a login; it is not used")
    return url


def refuse_unlisted(url: httpx.URL, hosts: Collection[str]) -> None:
    """Refuse an address of a host that is not listed.

    Raises:
        DownloadError: it is none that may be asked.
    """
    if host_of(url) not in hosts:
        raise DownloadError(
            f"{visible(host_of(url), limit=NAME_LIMIT)} is none of download_hosts "
            f"({', '.join(hosts) or 'none'}); add it there if you trust it"
        )


def kind(address: str) -> str:
    """What kind of address a number is.

    Raises:
        ValueError: it is none.
    """
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        number = number.ipv4_mapped or number.sixtofour or number
    if number.is_loopback:
        return LOOPBACK
    if number.is_link_local or number.is_multicast or number.is_unspecified:
        return SPECIAL
    return PUBLIC if number.is_global else PRIVATE


def may_lead_to(found: str, first: str) -> bool:
    """Whether a redirect may lead to an address that no setting lists.

    Args:
        found: what kind of address it leads to.
        first: of which kind that of the listed host was: a store in a private network may lead to
            another one there.
    """
    return found == PUBLIC or (found == first and found in (LOOPBACK, PRIVATE))


def read_tokens(file: Path | None) -> dict[str, str]:
    """Read the tokens for hosts; from then on this process shows them nowhere.

    Args:
        file: that of the setting ``download_token_file``: ``HOST TOKEN``, one a line.

    Raises:
        ConfigError: it cannot be read, others may read it, or a line is no such line.
    """
    if file is None:
        return {}
    tokens: dict[str, str] = {}
    for number, line in enumerate(private_file.read("download_token_file", file).splitlines(), 1):
        host, *rest = line.split() or ["#"]
        if host.startswith("#"):
            continue
        host = host.lower().removesuffix(":443")
        if len(rest) != 1 or not DOWNLOAD_HOST.fullmatch(host) or not _TOKEN.fullmatch(rest[0]):
            raise ConfigError(
                f"download_token_file: line {number} of {file} must be a host, a blank and its "
                "token, such as: huggingface.co hf_…"
            )
        if host in tokens:
            raise ConfigError(f"download_token_file: line {number} of {file} is a host's second")
        tokens[host] = rest[0]
    redaction.protect_in_downloads(*tokens.values())
    return tokens
