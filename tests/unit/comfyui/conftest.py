from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from comfywatchman import settings
from comfywatchman.comfyui import credentials
from comfywatchman.comfyui.client import ComfyUIClient

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connect(Protocol):
    """Makes a client of a server, with these settings."""

    def __call__(self, url: str, **flags: Any) -> ComfyUIClient: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def make(url: str, **flags: Any) -> ComfyUIClient:
            given = settings.load({"comfyui_url": url, **flags})
            return stack.enter_context(ComfyUIClient(given, credentials.read(given)))

        yield make
