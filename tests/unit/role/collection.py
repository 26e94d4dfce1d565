"""Where the collection is, and its modules run as Ansible runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[3]
ROLE = CHECKOUT / "roles" / "comfywatchman"
PLUGINS = CHECKOUT / "plugins"
COLLECTIONS = CHECKOUT / "playbooks" / "collections"
PACKAGE = "ansible_collections.comfywatchman.ops.plugins"
# As Ansible does on a host: arguments from outside, the collection among what can be imported.
RUN = """
import json, runpy, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module(sys.argv[1], run_name="__main__")
"""


def command(module: str) -> list[str]:
    """What runs a module, with its arguments as JSON on stdin."""
    return [sys.executable, "-c", RUN, f"{PACKAGE}.modules.{module}"]


def environment() -> dict[str, str]:
    """What such a command needs to find the collection."""
    return {**os.environ, "PYTHONPATH": str(COLLECTIONS)}


def run(module: str, arguments: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run a module to its end."""
    return subprocess.run(
        command(module),
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
    )
