"""ComfyUI itself: what ``/system_stats`` says, and what its folder tells.

The version is that of the server that runs, the commit that of the folder: after an update without
a restart they are of different releases. Not seen: the version of a frontend that the server was
told to take from elsewhere; its command line shows that it was.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from comfywatchman import masking, redaction
from comfywatchman.comfyui.files import begin_of
from comfywatchman.escape import visible
from comfywatchman.history.environment import repository
from comfywatchman.time_limit import Blind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.history.facts import Value
    from comfywatchman.time_limit import Budget

FRONTEND: Final = "comfyui-frontend-package"
TEMPLATES: Final = "comfyui-workflow-templates"
NO_STATS: Final = "the server did not say what it runs on (/system_stats)"
_LONGEST: Final = 200
_MOST_ARGUMENTS: Final = 500
_LONGEST_LINE: Final = 8192
MODULES: Final = Path("/sys/module")
_PLAIN: Final = re.compile(r"[^\s\"'\\$`]+")
_DRIVERS: Final = ("nvidia", "amdgpu")


def code_folder(comfyui_dir: Path | None, argv: Sequence[str]) -> Path | None:
    """Where ComfyUI's program lies on this host; None if it is not to be seen.

    Args:
        comfyui_dir: its folder, which may hold models, inputs and packs only (Desktop).
        argv: the command line it was started with.
    """
    if comfyui_dir is None:
        return None
    if _is_file(comfyui_dir / "main.py") or not argv:
        return comfyui_dir
    script = Path(argv[0])
    return script.parent if script.is_absolute() and _is_file(script) else comfyui_dir


def comfyui(version: str | None, folder: Path | None, budget: Budget) -> dict[str, Value]:
    """ComfyUI's version, and its commit where its folder is a checkout.

    Raises:
        Blind: neither is known.
    """
    value: Value = {} if version is None else {"version": _shown(version)}
    if folder is not None:
        value |= repository.read(folder, budget).value
    if not value:
        raise Blind("the server does not tell its version, and its folder is not to be seen")
    return {"": value}


def frontend(
    system: Mapping[str, object], packages: Mapping[str, Value] | None
) -> dict[str, Value]:
    """The frontend and its templates: as installed, else (releases before 0.26) as required.

    Args:
        system: what the server says of itself.
        packages: what its interpreter has; None if that is not known.

    Raises:
        Blind: neither of both tells.
    """
    found: dict[str, object] = {}
    listed = system.get("comfy_package_versions")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("name") in (FRONTEND, TEMPLATES):
            found[entry["name"]] = entry.get("installed")
    for name in (FRONTEND, TEMPLATES):
        if not found.get(name) and packages and name in packages:
            found[name] = packages[name]["version"]
    for name, key in (
        (FRONTEND, "required_frontend_version"),
        (TEMPLATES, "installed_templates_version"),
    ):
        found[name] = found.get(name) or system.get(key)
    told: dict[str, Value] = {
        name: {"version": _shown(version)}
        for name, version in found.items()
        if isinstance(version, str)
    }
    if not told:
        raise Blind("neither the server nor a folder of its Python tells the frontend's version")
    return told


def runtime(
    system: Mapping[str, object], driver: str | None, modules: Path | None
) -> dict[str, Value]:
    """Python, PyTorch, the system and the GPU's driver.

    Args:
        system: what the server says of itself.
        driver: the driver's version if it is known.
        modules: where the kernel tells of its modules; None if the server is on another host.

    Raises:
        Blind: the server does not say.
    """
    if not system:
        raise Blind(NO_STATS)
    python = system.get("python_version")
    said = {
        "python": python.split(" ")[0] if isinstance(python, str) else None,
        "torch": system.get("pytorch_version"),
        "os": system.get("os"),
        "driver": driver or (_driver(modules) if modules is not None else None),
    }
    return {
        name: {"version": _shown(version)}
        for name, version in said.items()
        if isinstance(version, str) and version
    }


def arguments(argv: Sequence[str]) -> dict[str, Value]:
    """The command line, without what may log in somewhere.

    Raises:
        Blind: it is not known.
    """
    if not argv:
        raise Blind("the server does not tell its command line")
    shown = masking.arguments_without_secrets(argv[:_MOST_ARGUMENTS])
    return {"": {"text": _shown(_line(shown), _LONGEST_LINE)}}


def _line(arguments: Iterable[str]) -> str:
    """A command line; ``shlex.join`` would quote what stands for a secret."""
    return " ".join(a if _PLAIN.fullmatch(a) else shlex.quote(a) for a in arguments)


def _driver(modules: Path) -> str | None:
    for name in _DRIVERS:
        raw = begin_of(modules / name / "version", _LONGEST)
        if raw and raw.strip():
            return raw.decode(errors="replace").strip()
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _shown(text: str, limit: int = _LONGEST) -> str:
    return visible(redaction.hide_text(text)[:limit])
