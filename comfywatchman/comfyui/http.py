"""httpx without its command line, whose import would cost a cycle more than that of httpx itself.

``import httpx`` brings its command line where click, rich and pygments happen to be installed (rich
is, for the progress bar), and does without where it cannot be imported: here, it cannot.
"""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from comfywatchman import state
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_COMMAND_LINE = "httpx._main"

if TYPE_CHECKING or "httpx" in sys.modules:
    import httpx
else:
    modules: dict[str, Any] = sys.modules
    modules[_COMMAND_LINE] = None
    try:
        import httpx
    finally:
        del modules[_COMMAND_LINE]

__all__ = ["authorities", "httpx", "root_cause"]


def authorities(url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """Who vouches for the server at an address; False where that is not asked.

    Args:
        url: the address.
        ca_file: authorities beside the host's own.

    Raises:
        ConfigError: the file cannot be used.
    """
    if urlsplit(url).scheme == "http":
        return False
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            state.read_file(ca_file)  # OpenSSL would wait for a pipe
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"ca_file: {ca_file} cannot be used ({error}); it must be a PEM file of "
                "certificates"
            ) from None
    return context


def root_cause(error: BaseException) -> BaseException:
    """Find the system's own error below httpx's and httpcore's."""
    seen: BaseException | None = error
    found: BaseException = error
    while seen is not None:
        found = seen
        if isinstance(seen, (OSError, ssl.SSLError)):
            break
        seen = seen.__cause__ or seen.__context__
    return found
