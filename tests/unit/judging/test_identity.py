"""What is the same finding stays the same one, and what is another is another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.checks.invalid_input_type import INVALID_INPUT_TYPE
from comfywatchman.findings import Advice, Code, about, about_value
from comfywatchman.judging.identity import identified
from comfywatchman.judging.prompt import judge
from comfywatchman.results import Severity, SubjectKind, Verdict, WorkflowReport
from comfywatchman.workflow.prompt import Conversion, SavedNode
from tests.oracle import recorded
from tests.unit.checks.judging import judged

if TYPE_CHECKING:
    from comfywatchman.results import Finding

WRONG = Code("wrong_in_a_test", Severity.ERROR, "t", "e.", "r.")


def in_report(*findings: Finding, path: str = "/flows/a.json") -> list[Finding]:
    report = WorkflowReport(
        path=path, name="a.json", verdict=Verdict.BROKEN, findings=list(findings)
    )
    return identified(report).findings


def missing(name: str = "x.safetensors", node: str = "4", message: str = "m") -> Finding:
    return WRONG.finding(
        message,
        fix=Advice("put it there"),
        subject=about(SubjectKind.MODEL, name, "checkpoints"),
        node_id=node,
        node_type="Loader",
        input="ckpt_name",
    )


def test_wording_severity_and_order_do_not_count() -> None:
    one, other = missing(), missing(node="5")
    reworded = missing(message="in other words").model_copy(
        update={"severity": Severity.WARNING, "title": "Second", "fixes": []}
    )
    first = in_report(one, other)
    second = in_report(other, reworded)
    assert first[0].fingerprint == second[1].fingerprint
    assert first[1].fingerprint == second[0].fingerprint
    assert first[0].fingerprint != first[1].fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        missing(name="y.safetensors"),
        missing(node="5"),
        missing().model_copy(update={"code": "another"}),
        missing().model_copy(update={"input": "another"}),
        missing().model_copy(
            update={"subject": about(SubjectKind.MODEL, "x.safetensors", "loras")}
        ),
    ],
)
def test_another_fault_has_another_fingerprint(changed: Finding) -> None:
    assert in_report(changed)[0].fingerprint != in_report(missing())[0].fingerprint


def test_the_path_counts_for_the_fingerprint_and_not_for_the_fault() -> None:
    here, there = in_report(missing()), in_report(missing(node="17"), path="/flows/b.json")
    assert here[0].fingerprint != there[0].fingerprint
    assert here[0].fault_id == there[0].fault_id
    assert here[0].fault_id != in_report(missing(name="y"))[0].fault_id


def test_the_same_said_twice_has_two_fingerprints() -> None:
    fingerprints = [f.fingerprint for f in in_report(missing(), missing(), missing())]
    assert len(set(fingerprints)) == 3
    assert fingerprints == [f.fingerprint for f in in_report(missing(), missing(), missing())]


def test_one_missing_file_is_one_cause() -> None:
    one, other, third = in_report(missing(), missing(node="5"), missing(name="y"))
    assert one.cause_id == other.cause_id != third.cause_id
    assert one.fixes[0].id != other.fixes[0].id


def value(code: Any, node: str, name: str) -> Finding:
    return code.finding(
        "m", subject=about_value("euler"), node_id=node, node_type="KSampler", input=name
    )


def test_values_that_have_moved_are_one_cause() -> None:
    steps, cfg, scheduler, elsewhere = in_report(
        value(INVALID_INPUT_TYPE, "3", "steps"),
        value(INVALID_INPUT_TYPE, "3", "cfg"),
        value(WRONG, "3", "scheduler"),
        value(WRONG, "8", "scheduler"),
    )
    assert steps.cause_id == cfg.cause_id == scheduler.cause_id != elsewhere.cause_id
    alone, beside = in_report(value(WRONG, "3", "scheduler"), value(WRONG, "3", "sampler_name"))
    assert alone.cause_id != beside.cause_id
    again = value(INVALID_INPUT_TYPE, "3", "steps"), value(WRONG, "3", "cfg")
    assert in_report(*again, path="/b.json")[0].cause_id != steps.cause_id


def test_the_nodes_of_a_circle_are_one_cause() -> None:
    circle = [
        WRONG.finding("m", subject=about(SubjectKind.WORKFLOW, "2, 5"), node_id=n, node_type="Node")
        for n in ("2", "5")
    ]
    one, other = in_report(*circle)
    assert one.cause_id == other.cause_id
    assert one.fingerprint != other.fingerprint


def test_a_finding_of_the_file_itself_is_about_the_workflow() -> None:
    finding = WRONG.finding("m")
    assert (finding.subject.kind, finding.subject.name) == (SubjectKind.WORKFLOW, "")


@pytest.mark.parametrize("value", ["line\nbreak", "\u202e", "x" * 2_001, float("nan"), 2**70, [1]])
def test_what_could_not_be_set_again_is_left_out_of_a_fix(value: object) -> None:
    (fix,) = WRONG.finding("m", fix=Advice("set it", after=value)).fixes
    assert fix.after is None


@pytest.mark.parametrize("server", [recorded.OF_0_8, recorded.OF_0_33], ids=["0.8.0", "0.33.0"])
def test_no_fingerprint_occurs_twice_in_the_recorded_prompts(server: recorded.Server) -> None:
    """Over every mutated prompt, nodes in another order give the same ones."""
    catalog, inventory = server.catalog("full"), server.inventory("full")
    shuffled = random.Random(1)
    told = 0
    for position, record in enumerate(server.lines("mutated")):
        prompt = record["prompt"]
        if not isinstance(prompt, dict):
            continue
        found = judge(Conversion(prompt), catalog, inventory).findings
        fingerprints = [f.fingerprint for f in in_report(*found)]
        assert len(set(fingerprints)) == len(fingerprints), record
        told += len(fingerprints)
        if position % 3 == 0:
            nodes = list(prompt.items())
            shuffled.shuffle(nodes)
            again = judge(Conversion(dict(nodes)), catalog, inventory).findings
            assert {f.fingerprint for f in in_report(*again)} == set(fingerprints), record
    assert told > 500


def test_a_title_stands_beside_what_was_saved_with_one() -> None:
    prompt = {"5": {"inputs": {}}, "6": {"inputs": {}}}
    saved = {"5": SavedNode("Odd", title="My \x1b node"), "6": SavedNode("Odd", title="Odd")}
    findings = judged(prompt, saved=saved).findings
    titles = {f.node_id: f.title for f in findings if f.code == "missing_node_type"}
    assert titles == {"5": "My \\x1b node", "6": None}
