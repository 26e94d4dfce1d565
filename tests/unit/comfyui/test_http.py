"""What importing the client for HTTP does not bring along."""

from __future__ import annotations

import subprocess
import sys


def test_the_client_comes_without_its_command_line() -> None:
    program = (
        "import sys, comfywatchman.comfyui.client as client;"
        "print([name for name in sys.modules if name.startswith(('rich.console', 'httpx._main'))],"
        " callable(client.httpx.main))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[] True\n"
