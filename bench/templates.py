"""The official workflow templates: 30 MB of saved workflows, from the package they come in."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "comfyui_workflow_templates_json"


def folder() -> Path:
    """The folder of the templates.

    Raises:
        SystemExit: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise SystemExit(f"{PACKAGE} is not installed: start the benchmarks with ./dev bench")
    return Path(spec.origin).with_name("templates")


def workflows() -> list[Path]:
    """Those of its files that hold a workflow."""
    return [file for file in sorted(folder().rglob("*.json")) if b'"nodes"' in file.read_bytes()]
