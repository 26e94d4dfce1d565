"""ComfyUI's own frontend."""

from __future__ import annotations

from comfywatchman.comfyui.catalog import Catalog
from tests.unit.workflow.packs.common import sent
from tests.unit.workflow.saved import declaration, node

CATALOG = Catalog(
    {
        "CustomCombo": declaration({"choice": ["COMBO", {"options": []}]}),
        "Note": declaration(module="custom_nodes.notes"),
    },
    "0.33.0",
)


def test_a_custom_combo_sends_its_choices_and_the_place_of_its_own() -> None:
    saved = ["b", 1, "a", "b", ""]
    assert sent(CATALOG, [node(1, "CustomCombo", values=saved)]) == {
        "1": {"choice": "b", "index": 1, "option1": "a", "option2": "b", "option3": ""}
    }


def test_a_custom_combo_that_holds_only_its_choice_sends_that() -> None:
    assert sent(CATALOG, [node(1, "CustomCombo", values=["b"])]) == {"1": {"choice": "b"}}


def test_its_notes_are_not_sent_though_a_pack_has_a_type_of_that_name() -> None:
    assert sent(CATALOG, [node(1, "Note"), node(2, "MarkdownNote")]) == {}
