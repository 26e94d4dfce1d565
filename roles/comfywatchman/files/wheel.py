# SPDX-License-Identifier: MIT
"""Runs on the controller: builds the wheel of this checkout, or takes one that is there.

Usage: wheel.py CHECKOUT [WHEEL]. Prints JSON: path, name, version, sha256. The same sources give
the same bytes (hatchling sets the times of the files), so an unchanged checkout deploys unchanged.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path


def build(checkout: Path) -> Path:
    """Build the wheel of ``checkout`` into its ``dist`` folder."""
    if not (checkout / "pyproject.toml").is_file():
        sys.exit(
            f"{checkout} is no checkout of ComfyWatchman, so there is no wheel to build: "
            "name a wheel in comfywatchman_wheel."
        )
    try:
        from hatchling.builders.wheel import WheelBuilder
    except ImportError:
        sys.exit(
            f"The Python that runs Ansible ({sys.executable}) lacks hatchling, which builds the "
            "wheel of this checkout: install it there (pip install hatchling), or name a wheel in "
            "comfywatchman_wheel."
        )
    os.chdir(checkout)
    os.environ["SOURCE_DATE_EPOCH"] = "1577836800"
    try:
        built = WheelBuilder(str(checkout)).build(directory="dist", versions=["standard"])
        return Path(next(built)).absolute()
    except (OSError, ValueError, TypeError) as error:
        sys.exit(f"The wheel of {checkout} cannot be built: {error}.")


def main(checkout: str, wheel: str = "") -> None:
    """Print what the role needs to know about the wheel."""
    path = Path(wheel).expanduser().absolute() if wheel else build(Path(checkout).resolve())
    try:
        content = path.read_bytes()
    except OSError as error:
        sys.exit(f"comfywatchman_wheel: {path}: {error.strerror}.")
    parts = path.name.split("-")
    if path.suffix != ".whl" or parts[0] != "comfywatchman" or len(parts) != 5:
        sys.exit(
            f"comfywatchman_wheel: {path} is no wheel of ComfyWatchman "
            "(comfywatchman-VERSION-py3-none-any.whl)."
        )
    found = {
        "path": str(path),
        "name": path.name,
        "version": parts[1],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
