"""Which address of a server is one. ``./dev install`` asks as the settings do, without Pydantic."""

from __future__ import annotations

from urllib.parse import urlsplit


def server_url(url: str) -> str:
    """The address as it is kept: without a slash at its end.

    Raises:
        ValueError: it is none. The text quotes nothing of it, as a password may be in it.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises ValueError when it is no port)
    except ValueError:
        raise ValueError(
            "must look like http://HOST:PORT or https://HOST/PATH, with a port up to 65535"
        ) from None
    if "@" in parts.netloc:
        raise ValueError(
            "must not hold a user name or password; put them in a file that only you can read and "
            "name it in comfyui_basic_auth_file"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must look like http://HOST:PORT or https://HOST/PATH")
    if parts.query or parts.fragment:
        raise ValueError("must not hold '?' or '#': give the address that /system_stats is below")
    if not url.isprintable() or " " in url:
        raise ValueError("must not hold spaces or control characters")
    return parts.scheme + url[len(parts.scheme) :].rstrip("/")
