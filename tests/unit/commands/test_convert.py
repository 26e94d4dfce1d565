"""``comfywatchman convert``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from comfywatchman.errors import Exit
from tests.unit.program import PROMPT, run
from tests.unit.workflow.pictures import png, text

if TYPE_CHECKING:
    from pathlib import Path


def test_convert_prints_the_prompt(flow: Path, object_info: Path) -> None:
    ended = run("convert", flow, "--object-info", object_info)
    assert json.loads(ended.stdout) == PROMPT


def test_convert_of_a_folder_prints_one_line_a_file(flow: Path, object_info: Path) -> None:
    broken = flow.with_name("broken.json")
    broken.write_text('{"nodes": [')
    ended = run("convert", flow.parent, "--object-info", object_info, "--jsonl")
    assert ended.returncode == Exit.OK
    first, second = map(json.loads, ended.stdout.splitlines())
    assert first["path"] == str(broken)
    assert "ends in the middle" in first["error"]
    assert second == {"path": str(flow), "prompt": PROMPT}
    refused = run("convert", flow.parent, "--object-info", object_info)
    assert refused.returncode == Exit.USAGE
    assert "2 workflows were found: give one file, or --jsonl" in refused.stderr


def test_convert_reads_pictures_too(tmp_path: Path, object_info: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(png(text(b"prompt", json.dumps(PROMPT).encode())))
    converted = run("convert", picture, "--object-info", object_info)
    assert json.loads(converted.stdout) == PROMPT
