"""What mended workflows, told by what their errors were about."""

from __future__ import annotations

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.cause import Worse, explain, mended
from comfywatchman.history.facts import FactChange, FactKind
from comfywatchman.history.world import World
from comfywatchman.results import CauseKind, Finding, Severity, Subject, SubjectKind, Verdict
from tests.unit.history.cycles import workflow


def error(kind: SubjectKind, name: str, node_type: str = "Loader") -> Finding:
    return Finding(
        code="value_not_in_list",
        severity=Severity.ERROR,
        message="it is not there",
        subject=Subject(kind=kind, name=name),
        node_id="1",
        node_type=node_type,
        input="x",
        fingerprint=name,
    )


def mend(finding: Finding, *facts: FactChange, edited: bool = False) -> list[tuple[str, str]]:
    was = workflow("/w/a.json", Verdict.BROKEN, finding, content="1")
    now = workflow("/w/a.json", content="2" if edited else "1")
    found = mended([Worse(now, was)], facts)
    assert found.by_path["/w/a.json"] == [cause.id for cause in found.causes]
    return [(cause.kind, cause.text) for cause in found.causes]


def test_a_file_that_is_there_again() -> None:
    gone = error(SubjectKind.MODEL, "sub\\a.safetensors")
    fact = FactChange(FactKind.MODEL, "checkpoints/sub/a.safetensors", None, {"size": 1})
    assert mend(gone, fact) == [(CauseKind.MODEL, "checkpoints/sub/a.safetensors is new")]


def test_a_pack_that_is_back() -> None:
    lacking = error(SubjectKind.PACK, "KJNodes")
    fact = FactChange(FactKind.PACK, "kjnodes", None, {"version": "1.2", "enabled": True})
    [(kind, text)] = mend(lacking, fact)
    assert kind is CauseKind.PACK
    assert "kjnodes" in text


def test_what_mended_one_workflow_and_made_another_worse_is_one_cause() -> None:
    lacking = error(SubjectKind.PACK, "pack")
    good, bad = workflow("/w/a.json"), workflow("/w/a.json", Verdict.BROKEN, lacking)
    other = workflow("/w/b.json", Verdict.BROKEN, error(SubjectKind.NODE_TYPE, "Gone"))
    facts = [FactChange(FactKind.PACK, "pack", {"version": "1"}, {"version": "2"})]
    worse = explain(
        [Worse(other, workflow("/w/b.json"))],
        None,
        World(Catalog({}), Inventory(), 256, 10**6),
        facts,
        copies=lambda _: None,
        program_changed=False,
        seconds=1,
    )
    found = worse.with_more(mended([Worse(good, bad)], facts))
    [cause] = found.causes
    assert cause.text == "pack 1 → 2"
    assert found.by_path == {"/w/a.json": [cause.id], "/w/b.json": [cause.id]}
    assert found.not_known == worse.not_known


def test_a_pack_that_is_back_under_the_name_of_its_repository() -> None:
    value = {"id": "kijai/ComfyUI-KJNodes", "version": "1.2"}
    fact = FactChange(FactKind.PACK, "kj", None, value)
    assert mend(error(SubjectKind.PACK, "comfyui-kjnodes"), fact) == [
        (CauseKind.PACK, "kj 1.2 was installed")
    ]


def test_an_edit_is_named_where_nothing_else_is_known() -> None:
    gone = error(SubjectKind.MODEL, "a.safetensors")
    assert mend(gone, edited=True) == [(CauseKind.WORKFLOW, "a.json was edited")]
    assert mend(gone) == []


@pytest.mark.parametrize(
    "fact",
    [
        FactChange(FactKind.MODEL, "checkpoints/a.safetensors", {"size": 1}, {"size": 2}),
        FactChange(FactKind.MODEL, "checkpoints/b.safetensors", None, {}),
        FactChange(FactKind.PACK, "a.safetensors", {"version": "1"}, None),
    ],
)
def test_what_has_nothing_to_do_with_it_is_not_named(fact: FactChange) -> None:
    assert mend(error(SubjectKind.MODEL, "a.safetensors"), fact) == []
