"""MTB."""

from __future__ import annotations

import pytest

from tests.unit.workflow.packs.common import sent, with_pack
from tests.unit.workflow.saved import node


@pytest.mark.parametrize(("folder", "is_sent"), [("comfy_mtb", False), ("other", True)])
def test_its_note_is_not_sent(folder: str, is_sent: bool) -> None:
    found = sent(with_pack(folder), [node(1, "Source"), node(2, "Note Plus (mtb)")])
    assert ("2" in found) is is_sent
