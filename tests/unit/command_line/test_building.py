"""A command whose settings cannot be imported still says so, and leaves word of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from comfywatchman import state_files
from comfywatchman.errors import Exit

if TYPE_CHECKING:
    from pathlib import Path


def test_an_installation_that_cannot_read_settings_is_on_record(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'state_dir = "{tmp_path}/state"')
    program = (
        "import sys; sys.modules['pydantic_settings'] = None;"
        f"sys.argv = ['x', '--run-check', '--config={tmp_path}/config.toml', '--fail-on=broken'];"
        "from comfywatchman.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == Exit.INTERNAL
    assert "Traceback" not in ended.stderr
    last_run = json.loads((tmp_path / "state" / state_files.LAST_RUN).read_text())
    assert last_run["outcome"] == "failed"
    assert "pydantic_settings" in last_run["reason"]
