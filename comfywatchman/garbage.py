"""What stays for long is not searched for garbage while it is made."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def not_looked_for() -> Iterator[None]:
    """Have what is made within not searched for garbage, which may take as long as making it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # As old objects; as new ones all would be searched as soon as it is enabled.
        gc.freeze()
        gc.unfreeze()
        if was_enabled:
            gc.enable()
