"""Is the program itself whole?"""

from __future__ import annotations

import itertools
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from comfywatchman import __version__, integrity
from comfywatchman.discovery import load_foreign
from comfywatchman.doctor.point import Examination, Point, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLDEST = (3, 11)
_TOLD = 10
_MODULES = {
    "apscheduler": "apscheduler.schedulers.background",
    "langgraph": "langgraph.graph",
    "nvidia-ml-py": "pynvml",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
}
"""What to import of a package, where that is not its name."""


def python(_: Examination) -> Iterator[Point]:
    """Which program this is, on which Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    said = f"ComfyWatchman {__version__} on Python {version} ({sys.executable})"
    if sys.version_info < _OLDEST:
        yield Point("python", Status.PROBLEM, said, "it needs Python 3.11 or newer")
    else:
        yield Point("python", Status.OK, said)


def packages(_: Examination) -> Iterator[Point]:
    """Whether all that it builds on is there, in versions that fit, and can be imported."""
    try:
        wanted = metadata.requires("comfywatchman") or []
    except metadata.PackageNotFoundError:
        yield Point(
            "packages",
            Status.NOTE,
            "ComfyWatchman runs without being installed, so what it needs is not known",
        )
        return
    problems = [problem for text in wanted if (problem := _problem(text))]
    for problem in problems:
        yield Point("packages", Status.PROBLEM, problem, "deploy it again")
    if not problems:
        yield Point("packages", Status.OK, f"all {len(wanted)} are there and can be imported")


def files(_: Examination) -> Iterator[Point]:
    """Whether every file of the release is as it was installed, compared by hash."""
    release = integrity.own_release()
    if release is None:
        yield Point("files", Status.NOTE, "the role has not installed this, so nothing is compared")
        return
    found = list(integrity.damage(release, hashes=True))
    deploy = "run the playbook deploy"
    if not any(damage.in_size for damage in found):
        deploy += " with -e comfywatchman_compare_hashes=true"
    for damage in itertools.islice(found, _TOLD):
        yield Point("files", Status.PROBLEM, str(damage), f"{deploy}: it builds a fresh release")
    if len(found) > _TOLD:
        more = f"and {len(found) - _TOLD:,} more files are damaged"
        yield Point("files", Status.PROBLEM, more, f"{deploy}: it builds a fresh release")
    if not found:
        yield Point("files", Status.OK, f"{release} is as it was installed")


def _problem(text: str) -> str | None:
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        return f"packaging cannot be imported: {error}"
    requirement = Requirement(text)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    name = requirement.name
    try:
        version = metadata.version(name)
        if version not in requirement.specifier:
            return f"{name} is {version}, but {requirement.specifier} is needed"
        load_foreign(_MODULES.get(name, name))
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    except Exception as error:  # noqa: BLE001  (what a package does when imported is its own)
        return f"{name} {version} cannot be imported: {type(error).__name__}: {error}"
    return None
