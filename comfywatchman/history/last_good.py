"""The environment under which a workflow last ran here, in the forms that others can restore.

Nothing is restored by us: packs are code, and it is for a person to run what is written here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.provenance.pack import pack
from comfywatchman.escape import visible
from comfywatchman.history.facts import FactKind

if TYPE_CHECKING:
    from datetime import datetime

    from comfywatchman.history.facts import Facts, Value

_COMMIT: Final = re.compile(r"[0-9a-f]{7,40}")
_DISTRIBUTION: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


def snapshot(facts: Facts) -> tuple[dict[str, Any], list[str]]:
    """A snapshot as ComfyUI-Manager reads it (``cm-cli restore-snapshot``).

    Args:
        facts: the environment.

    Returns:
        The snapshot, and one sentence for each thing that cannot stand in it.
    """
    left_out: list[str] = []
    by_commit: dict[str, dict[str, Any]] = {}
    by_version: dict[str, str] = {}
    single_files: list[dict[str, Any]] = []
    for folder, value in sorted(facts.get(FactKind.PACK, {}).items()):
        disabled = value.get("enabled") is False
        found = pack(value.get("id"))
        commit, version = _text(value, "commit", _COMMIT), _text(value, "version", _VERSION)
        if value.get("single_file"):
            single_files.append({"filename": f"{folder}.py", "disabled": disabled})
        elif found is not None and found.repository is not None and commit is not None:
            by_commit[found.repository] = {"hash": commit, "disabled": disabled}
        elif found is not None and found.registered and version is not None:
            if not disabled:  # the format knows those of the registry by name only
                by_version[found.name] = version
        else:
            left_out.append(f"pack {folder}: where it came from, or its version, is not known")
    comfyui = facts.get(FactKind.COMFYUI, {}).get("", {})
    commit = _text(comfyui, "commit", _COMMIT)
    if commit is None:
        left_out.append("ComfyUI: its commit is not known")
    pins, unpinned = _pins(facts)
    left_out += unpinned
    return {
        "comfyui": commit,
        "git_custom_nodes": by_commit,
        "cnr_custom_nodes": by_version,
        "file_custom_nodes": single_files,
        "pips": dict.fromkeys(pins, ""),
    }, left_out


def constraints(facts: Facts, taken_at: datetime) -> str:
    """The packages of ComfyUI's interpreter as a constraints file of pip (``pip install -c``).

    Args:
        facts: the environment.
        taken_at: start of the cycle that found it, UTC.
    """
    pins, left_out = _pins(facts)
    lines = [f"# What ComfyUI's interpreter had at {taken_at:%Y-%m-%d %H:%M:%S} UTC"]
    if not pins:
        lines.append("# Nothing: its packages could not be seen")
    return (
        "\n".join([*lines, *pins, *(f"# not here: {visible(sentence)}" for sentence in left_out)])
        + "\n"
    )


def _pins(facts: Facts) -> tuple[list[str], list[str]]:
    pins: list[str] = []
    left_out: list[str] = []
    for name, value in sorted(facts.get(FactKind.PACKAGE, {}).items()):
        version = _text(value, "version", _VERSION)
        if version is None or not _DISTRIBUTION.fullmatch(name):
            left_out.append(f"package {name}: its version is not known")
        elif value.get("origin"):
            left_out.append(f"package {name} {version}: it was installed from {value['origin']}")
        else:
            pins.append(f"{name}=={version}")
    return pins, left_out


def _text(value: Value, key: str, form: re.Pattern[str]) -> str | None:
    """A text of a form that can do no harm where a command reads it."""
    told = value.get(key)
    return told if isinstance(told, str) and form.fullmatch(told) else None
