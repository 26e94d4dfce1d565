"""A small release: what pip leaves of two packages, in an environment as venv makes it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
from pathlib import Path

from comfywatchman import integrity

VERSION = "{}.{}".format(*sys.version_info)
FILES = {
    "comfywatchman": {"comfywatchman/__init__.py": b"'ours'\n", "comfywatchman/cli.py": b"pass\n"},
    "orjson": {
        "orjson/__init__.py": b"from .orjson import *\n",
        "orjson/orjson.so": b"\x7fELF" * 9,
    },
}


def build(release: Path, python: str | None = None, at: Path | None = None) -> None:
    """Make one where nothing is, complete.

    Args:
        release: its folder.
        python: a program to have in place of a link to the Python of the tests.
        at: the folder that it is made for, if not its own.
    """
    venv = release / "venv"
    (venv / "bin").mkdir(parents=True)
    here = Path(sys.executable).resolve()
    (venv / "pyvenv.cfg").write_text(
        f"home = {here.parent}\ninclude-system-site-packages = false\n"
        f"version = {VERSION}.1\nexecutable = {here}\n"
    )
    if python is None:
        (venv / "bin" / "python").symlink_to(here)
    else:
        (venv / "bin" / "python").write_text(python)
        (venv / "bin" / "python").chmod(0o755)
    script = f"#!{at or release}/venv/bin/python\nimport sys\n".encode()
    for name, files in FILES.items():
        scripts = {"../../../bin/comfywatchman": script} if name == "comfywatchman" else {}
        install(release, name, files | scripts)
    complete(release)


def site_packages(release: Path) -> Path:
    return release / "venv" / "lib" / f"python{VERSION}" / "site-packages"


def install(release: Path, name: str, files: dict[str, bytes]) -> None:
    """What pip does: the files, the compiled ones, and the list of all of them."""
    site, info = site_packages(release), f"{name}-1.0.dist-info"
    rows = []
    for path, content in {**files, f"{info}/METADATA": f"Name: {name}\n".encode()}.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
        if path.endswith(".py"):
            rows.append(f"{path.replace('/', '/__pycache__/')}c,,")
    rows.append(f"{info}/RECORD,,")
    (site / info / "RECORD").write_text("\n".join(sorted(rows)) + "\n")


def complete(release: Path, *, as_before: bool = False) -> None:
    """Mark it: as the role does, or as it did when the mark held no list."""
    listed = "" if as_before else integrity.seal(str(release))
    text = f"comfywatchman-1.0-py3-none-any.whl\nPython {VERSION}.1\n{listed}"
    (release / integrity.COMPLETE).write_text(text)


def moved(release: Path, elsewhere: Path) -> Path:
    """The same, in another place, as after the move of a home."""
    elsewhere.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(release, elsewhere))
