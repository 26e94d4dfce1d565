"""What the commands are tried with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.standin.comfyui import recorded_object_info
from tests.unit.program import PROMPT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def object_info(tmp_path: Path) -> Path:
    file = tmp_path / "object_info.json"
    file.write_bytes(recorded_object_info("full"))
    return file


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    file = tmp_path / "flows" / "flow.json"
    file.parent.mkdir()
    file.write_text(json.dumps(PROMPT))
    return file
