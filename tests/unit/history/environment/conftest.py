from __future__ import annotations

import pytest

from comfywatchman.time_limit import Budget
from tests.unit.comfyui.conftest import connect

__all__ = ["connect"]


@pytest.fixture
def budget() -> Budget:
    return Budget(60)
