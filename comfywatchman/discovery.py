"""Importing by name: what is found without a list, and what may be broken.

A check, command or pack is a file among its like. This is the only place that imports by name, so
that a test can see every other import.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def names(package: ModuleType) -> list[str]:
    """Names of the modules that lie in a package, sorted; packages in it are left out."""
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg)


def load(package: ModuleType, name: str) -> ModuleType:
    """Import one module of a package.

    Raises:
        ImportError: it, or what it imports, is not there.
    """
    return importlib.import_module(f"{package.__name__}.{name}")


def load_foreign(name: str) -> ModuleType:
    """Import a package of somebody else's, to see whether it can be.

    Raises:
        ValueError: it is ours.
        Exception: whatever it does when it is imported.
    """
    if name.partition(".")[0] == __name__.partition(".")[0]:
        raise ValueError(f"{name} is no package of somebody else's")
    return importlib.import_module(name)


def import_all(package: ModuleType) -> list[ModuleType]:
    """Import every module that lies in a package, in the order of their names."""
    return [load(package, name) for name in names(package)]
