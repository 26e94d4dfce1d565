"""What is generated from the code is committed as it would be generated now."""

from __future__ import annotations

import importlib.util
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
