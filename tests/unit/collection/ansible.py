"""Ansible's programs, run with nothing of this checkout or of the caller in force."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[3]
# Alone with its inventory nothing of it is changed: nobody has that name, and nothing becomes root.
HERE: dict[str, Any] = {
    "ansible_connection": "local",
    "ansible_become": False,
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "comfywatchman_user": "nobody-of-this-name",
    "comfywatchman_comfyui_dir": "/nowhere",
}


def inventory(file: Path, hosts: dict[str, Any] | None = None) -> Path:
    """Write an inventory, by default with this machine as the one host of the group."""
    given = {"here": HERE} if hosts is None else hosts
    file.write_text(json.dumps({"comfyui": {"hosts": given}}))
    return file


def run(
    program: str, *arguments: str | Path, cwd: Path, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible's; of its settings only those in ``environment`` are set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "XDG_"))}
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**kept, "HOME": str(home), "NO_COLOR": "1", **environment},
    )
