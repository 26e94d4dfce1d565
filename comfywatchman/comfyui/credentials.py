"""The secret that a ComfyUI server behind a proxy asks for, and how it is kept secret."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from comfywatchman import private_file, redaction
from comfywatchman.comfyui.http import httpx
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from comfywatchman.settings import Settings

TOKEN_CREDENTIAL = "comfyui_token"  # noqa: S105  (a file name, not a secret)
BASIC_CREDENTIAL = "comfyui_basic_auth"


class BearerAuth(httpx.Auth):
    """Sends ``Authorization: Bearer …``; never shows the token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header to one request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    def __repr__(self) -> str:
        return "BearerAuth(…)"


def read(settings: Settings) -> httpx.Auth | None:
    """Read the credential that the settings or systemd name; None if there is none.

    From then on this process shows and keeps it nowhere (:mod:`comfywatchman.redaction`).

    Raises:
        ConfigError: a file cannot be read, others may read it, it is empty or malformed, or a token
            and a password are both given.
    """
    token = _source("comfyui_token_file", settings.comfyui_token_file, TOKEN_CREDENTIAL)
    basic = _source("comfyui_basic_auth_file", settings.comfyui_basic_auth_file, BASIC_CREDENTIAL)
    if token and basic:
        raise ConfigError(
            f"{token[0]} and {basic[0]} are both given; a server takes one: remove the other"
        )
    redaction.protect()
    if token:
        secret = _secret(*token)
        redaction.protect(secret, f"Bearer {secret}")
        return BearerAuth(secret)
    if basic:
        login = _secret(*basic)
        user, separator, password = login.partition(":")
        if not separator or not user:
            raise ConfigError(f"{basic[0]}: {basic[1]} must hold one line `user:password`")
        # What is short is known by what goes with it alone.
        header = f"Basic {base64.b64encode(login.encode()).decode()}"
        redaction.protect(password, login, *([header] if len(login) < redaction.LEAST else []))
        return httpx.BasicAuth(user, password)
    return None


def _source(key: str, file: Path | None, credential: str) -> tuple[str, Path] | None:
    return private_file.credential(credential) if file is None else (key, file)


def _secret(key: str, file: Path) -> str:
    text = private_file.read_line(key, file)
    if not text.isascii() and key.startswith(
        ("comfyui_token", f"systemd credential {TOKEN_CREDENTIAL}")
    ):
        raise ConfigError(f"{key}: {file} holds characters that no bearer token has")
    return text
