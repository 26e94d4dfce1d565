"""Paths that VideoHelperSuite loads from."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.results import Severity, Verdict
from tests.unit.checks.judging import PACK, judged_input, only

SEEN = Inventory(
    files={"input": frozenset({"clips", "clips/a.mp4"}), "output": frozenset({"o.mp4"})},
    paths={"input": ("/srv/ComfyUI/input",) * 2, "output": ("/srv/ComfyUI/output",) * 2},
)


def loaded(path: Any, inventory: Inventory = SEEN, **options: Any) -> Any:
    declaration = ["STRING", {"vhs_path_extensions": ["mp4"], **options}]
    return judged_input(declaration, path, module=PACK, inventory=inventory)


@pytest.mark.parametrize(
    "path",
    [
        "input/clips/a.mp4",
        "input/clips",
        "input/",
        "output/o.mp4",
        "/srv/ComfyUI/input/clips/a.mp4",
        ' "input/clips/a.mp4" ',
    ],
)
def test_what_is_seen_passes(path: str) -> None:
    judgement = loaded(path)
    assert (judgement.verdict, judgement.findings) == (Verdict.RUNNABLE, [])


@pytest.mark.parametrize(
    "path",
    [
        "D:\\videos\\a.mp4",
        "/data/a.mp4",
        "clips/a.mp4",
        "input/gone.mp4",
        "/srv/ComfyUI/input/gone.mp4",
        "https://example.org/a.mp4",
        "",
        None,
        5,
    ],
)
def test_what_is_not_seen_may_be_refused(path: Any) -> None:
    judgement = loaded(path)
    assert judgement.verdict is Verdict.UNKNOWN
    finding = next(f for f in judgement.findings if f.code == "media_path_unseen")
    assert finding.severity is Severity.WARNING
    assert "the node has it refused if the path leads nowhere" in judgement.not_checked[0]


def test_without_sight_of_the_folders_nothing_is_known() -> None:
    assert only(loaded("input/clips/a.mp4", Inventory())).code == "media_path_unseen"


def test_other_texts_are_no_paths() -> None:
    assert judged_input(["STRING", {}], "D:\\a.mp4", module=PACK).verdict is Verdict.RUNNABLE


def test_neither_is_the_beginning_of_one() -> None:
    declaration = ["STRING", {"vhs_path_extensions": []}]
    judgement = judged_input(declaration, "output/Animate", module=PACK, name="filename_prefix")
    assert judgement.findings == []
