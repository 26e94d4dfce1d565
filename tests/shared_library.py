"""Compiles the shared libraries that stand before real ones in processes that tests start."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def compile_or_skip(source: Path, library: Path) -> Path:
    """Compile C into a library, in a folder that exists; skip the test where there is no gcc."""
    if shutil.which("gcc") is None:
        pytest.skip(f"gcc is not installed: {source.name} is not compiled")
    flags = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", library, source, "-ldl"], check=True)
    return library
