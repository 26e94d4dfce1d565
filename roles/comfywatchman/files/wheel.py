# SPDX-License-Identifier: MIT
"""Runs on the controller: finds the wheel that hosts get, or builds it.

Usage: wheel.py COLLECTION [WHEEL]. Prints JSON: path, name, version, sha256.

A collection that was installed from its archive brings its wheel. A checkout, and a collection that
was installed from git, bring the sources instead: the wheel is built from a copy of them, into a
cache folder of the user who runs Ansible, never into the collection, which may be somebody else's.
It is built once for the same sources, so what is unchanged deploys unchanged, whatever builds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "comfywatchman"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", PACKAGE)
WHEELS = "comfywatchman-*-py3-none-any.whl"
KEPT_UNUSED = 30 * 86400  # seconds
SHOWN_OF_A_FAILURE = 500  # characters


class NotBuiltError(Exception):
    """Why one way of building the wheel did not work."""


def provide(collection: Path) -> Path:
    """The wheel that belongs to a collection."""
    if all((collection / name).exists() for name in SOURCES):
        return built(collection)
    brought = list((collection / "roles" / PACKAGE / "files").glob(WHEELS))
    if len(brought) == 1:
        return brought[0]
    sys.exit(
        f"{collection} holds neither the wheel of ComfyWatchman nor the sources to build it from: "
        "install the collection again, or name a wheel in comfywatchman_wheel."
    )


def built(collection: Path) -> Path:
    """The wheel of these sources, from the cache or else built now."""
    os.umask(0o077)
    cache = cache_folder()
    try:
        with tempfile.TemporaryDirectory(prefix=".building-", dir=cache) as temporary:
            sources, made = Path(temporary, "sources"), Path(temporary, "made")
            copy_sources(collection, sources)
            place = cache / digest(sources)
            if whole := next(filter(is_whole, place.glob(WHEELS)), None):
                os.utime(place)
                return whole
            build(sources, made, collection)
            (wheel,) = made.glob(WHEELS)
            place.mkdir(exist_ok=True)
            remove_unused(cache)
            return wheel.replace(place / wheel.name)
    except OSError as error:
        sys.exit(
            f"The wheel of {collection} cannot be built in {cache}: {error.filename}: "
            f"{error.strerror or error}. XDG_CACHE_HOME can name another folder."
        )


def cache_folder() -> Path:
    """Where wheels are kept, for their owner alone: what lies there will run on every host."""
    usual = Path.home() / ".cache"
    given = Path(os.environ.get("XDG_CACHE_HOME") or usual)
    folder = (given if given.is_absolute() else usual) / PACKAGE / "wheels"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
    except OSError as error:
        sys.exit(
            f"{folder}, where the wheel is to be built, cannot be made: {error.strerror}. "
            "XDG_CACHE_HOME can name another folder."
        )
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        sys.exit(
            f"{folder}, where the wheel is to be built, can be written by others than the user who "
            "runs Ansible: remove it, or name another folder in XDG_CACHE_HOME."
        )
    return folder


def copy_sources(collection: Path, to: Path) -> None:
    """Copy what a wheel is made of, and nothing that a link leads to or Python left behind.

    A copy, for the builder reads the .gitignore files of all folders above, and may write.
    """

    def left_out(folder: str, names: list[str]) -> set[str]:
        return {
            name
            for name in names
            if name.startswith(".")
            or name == "__pycache__"
            or name.endswith(".pyc")
            or os.path.islink(os.path.join(folder, name))
        }

    to.mkdir()
    for name in SOURCES:
        source = collection / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=left_out)
        else:
            shutil.copyfile(source, to / name)


def digest(folder: Path) -> str:
    """What files there are in a folder, and what they hold, as one digest."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        found.update(f"{content} {file.relative_to(folder)}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def is_whole(wheel: Path) -> bool:
    """Whether a wheel in the cache can be read to its end; a power cut may have left half of it."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def remove_unused(cache: Path) -> None:
    """Remove wheels that no run has asked for in a month."""
    for folder in cache.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_mtime < time.time() - KEPT_UNUSED:
                shutil.rmtree(folder)


def build(sources: Path, to: Path, collection: Path) -> None:
    """Build the wheel by the first way that works."""
    os.environ["SOURCE_DATE_EPOCH"] = "1577836800"
    failures = []
    for way in (with_hatchling, with_pip, with_uv):
        try:
            way(sources, to)
        except NotBuiltError as error:
            failures.append(str(error))
        else:
            return
    sys.exit(
        f"The wheel of {collection} cannot be built: {'; '.join(failures)}. Install hatchling for "
        f"the Python that runs Ansible ({sys.executable} -m pip install hatchling), install the "
        "collection from its archive, which brings the wheel, or name a wheel in "
        "comfywatchman_wheel."
    )


def with_hatchling(sources: Path, to: Path) -> None:
    """In this very process, which needs no network."""
    try:
        from hatchling.builders.wheel import WheelBuilder
    except ImportError:
        raise NotBuiltError("hatchling is not there") from None
    try:
        list(WheelBuilder(str(sources)).build(directory=str(to), versions=["standard"]))
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise NotBuiltError(f"hatchling failed ({error})") from None


def with_pip(sources: Path, to: Path) -> None:
    """In an environment of its own, for which pip fetches hatchling from the package index."""
    if importlib.util.find_spec("pip") is None:
        raise NotBuiltError("pip is not there")
    options = ["--quiet", "--no-deps", "--no-input", "--disable-pip-version-check", "--retries=1"]
    command(
        [sys.executable, "-m", "pip", "wheel", *options, f"--wheel-dir={to}", str(sources)], sources
    )


def with_uv(sources: Path, to: Path) -> None:
    """The same by uv."""
    uv = shutil.which("uv")
    if uv is None:
        raise NotBuiltError("uv is not there")
    options = ["--wheel", "--quiet", f"--python={sys.executable}"]
    command([uv, "build", *options, f"--out-dir={to}", str(sources)], sources)


def command(argv: list[str], folder: Path) -> None:
    """Run a builder; addresses of an index are not repeated with their passwords."""
    done = subprocess.run(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = list(lines(done.stderr or done.stdout)) or [f"exit code {done.returncode}"]
        name = "uv" if argv[1] == "build" else "pip"
        raise NotBuiltError(f"{name} failed ({said[-1][:SHOWN_OF_A_FAILURE]})")


def lines(text: str) -> Iterator[str]:
    """What is worth repeating of a builder's words."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("[notice]"):
            yield re.sub(r"://\S+@", "://***@", line.strip())


def main(collection: str, wheel: str = "") -> None:
    """Print what the role needs to know about the wheel."""
    path = Path(wheel).expanduser().absolute() if wheel else provide(Path(collection).resolve())
    try:
        content = path.read_bytes()
    except OSError as error:
        sys.exit(f"comfywatchman_wheel: {path}: {error.strerror}.")
    parts = path.name.split("-")
    if path.suffix != ".whl" or parts[0] != PACKAGE or len(parts) != 5:
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
