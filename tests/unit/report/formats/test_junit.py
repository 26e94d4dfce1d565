"""The report as JUnit's XML, read back by an XML parser."""

from __future__ import annotations

import io
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from comfywatchman.report.formats import junit
from comfywatchman.results import Acceptance, Report, Verdict, WorkflowReport
from tests.unit.report import sample

BROKEN = WorkflowReport(
    path="/flows/a.json",
    name="a.json",
    verdict=Verdict.BROKEN,
    findings=[sample.missing_model("a.safetensors", "4"), sample.missing_model("b.pt", "5")],
)
UNKNOWN = WorkflowReport(
    path="/b", name="b.json", verdict=Verdict.UNKNOWN, not_checked=["it is too deep", "and wide"]
)


def written(report: Report, encoding: str = "utf-8") -> ET.Element:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    junit.write(report, stream)
    stream.flush()
    root = ET.fromstring(raw.getvalue())
    (suite,) = root
    assert root.tag == "testsuites"
    assert suite.get("tests") == str(len(suite))
    return suite


def outcome(case: ET.Element) -> tuple[str, str | None]:
    return next(((each.tag, each.get("message")) for each in case), ("passed", None))


def test_each_verdict_has_its_outcome() -> None:
    workflows = [
        BROKEN,
        BROKEN.model_copy(update={"verdict": Verdict.PARTIAL, "findings": BROKEN.findings[:1]}),
        BROKEN.model_copy(update={"verdict": Verdict.RUNNABLE}),
        UNKNOWN,
    ]
    suite = written(sample.report(workflows))
    said = BROKEN.findings[0].message
    assert [outcome(case) for case in suite] == [
        ("failure", f"{said} (and 1 more)"),
        ("failure", said),
        ("passed", None),
        ("skipped", "unknown: it is too deep; and wide"),
    ]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        "4", "2", "0", "1"
    ]  # fmt: skip
    (failure,) = suite[0]
    assert failure.get("type") == "broken"
    assert str(failure.text).splitlines() == [
        f"error value_not_in_list at CheckpointLoaderSimple #{each.node_id}: {each.message}; to "
        f"mend it: {each.fix}"
        for each in BROKEN.findings
    ]


def test_what_was_accepted_is_skipped_with_the_reason() -> None:
    given = Acceptance(id="a1", reason="the pack is mended soon", until=date(2026, 12, 31))
    (case,) = written(sample.report([BROKEN.model_copy(update={"accepted": given})]))
    said = "accepted until 2026-12-31: the pack is mended soon (a1)"
    assert outcome(case) == ("skipped", said)


@pytest.mark.parametrize(
    ("host", "instance", "classname"),
    [
        ("render-07", "", "render-07.comfywatchman"),
        ("a.example.org", "gpu1", "a_example_org.comfywatchman-gpu1"),
    ],
)
def test_host_and_instance_are_the_class(host: str, instance: str, classname: str) -> None:
    report = sample.report([BROKEN]).model_copy(update={"host": host, "instance": instance})
    suite = written(report)
    assert [case.get("classname") for case in suite] == [classname]
    assert suite.get("hostname") == host


@pytest.mark.parametrize(("outcome_", "tag"), [("skipped", "skipped"), ("failed", "error")])
def test_a_cycle_that_judged_nothing_is_no_success(outcome_: str, tag: str) -> None:
    report = sample.report([]).model_copy(update={"outcome": outcome_, "reason": "it renders"})
    (case,) = written(report)
    assert outcome(case) == (tag, "it renders")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("hostile", [*sample.HOSTILE, "\ufffe\uffff]]>", "\x00\x0b\x1b"])
def test_hostile_text_is_text(hostile: str, encoding: str) -> None:
    finding = BROKEN.findings[0].model_copy(update={"message": hostile, "node_type": hostile})
    report = sample.report([BROKEN.model_copy(update={"name": hostile, "findings": [finding]})])
    (case,) = written(report.model_copy(update={"host": hostile}), encoding)
    assert [each.tag for each in case] == ["failure"]
    shown = "".join([str(case.get("name")), str(case[0].get("message")), str(case[0].text)])
    assert not [letter for letter in shown if letter < " " and letter != "\n"]
    assert "\n" not in str(case[0].text)
    plain = hostile.isprintable() and hostile.isascii()
    assert case.get("name") == hostile or not plain


def test_what_will_fail_has_failed() -> None:
    suite = written(sample.damaged())
    assert [outcome(case)[0] for case in suite] == ["failure", "failure", "passed"]
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.get("type") == "will_fail"
    assert "7 bytes lack" in (failure.text or "")
