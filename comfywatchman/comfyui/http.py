"""httpx without its command line, whose import would cost a cycle more than that of httpx itself.

``import httpx`` brings its command line where click, rich and pygments happen to be installed (rich
is, for the progress bar), and does without where it cannot be imported: here, it cannot.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

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

__all__ = ["httpx"]
