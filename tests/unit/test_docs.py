"""What is generated from the code is committed as it would be generated now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documentation_is_up_to_date(generator: ModuleType) -> None:
    stale = [
        str(file.relative_to(ROOT))
        for file, content in generator.generated().items()
        if not file.exists() or file.read_text(encoding="utf-8") != content
    ]
    assert stale == [], "run: python docs/generate.py"


def test_each_playbook_is_listed_where_they_are() -> None:
    names = {file.stem for file in (ROOT / "playbooks").glob("*.yml")}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `playbooks/(\w+)\.yml` \|", readme, re.MULTILINE)) == names
    collection = (ROOT / "docs" / "collection.md").read_text(encoding="utf-8")
    listed = collection.partition(" are the playbooks of")[0].rpartition("\n\n")[2]
    assert re.findall(r"`(\w+)`", listed) == sorted(names)
