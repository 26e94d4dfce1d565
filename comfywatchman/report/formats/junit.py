"""The report as GitLab, Jenkins and their like show tests: JUnit's XML, a test case a workflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO
from xml.etree import ElementTree as ET

from comfywatchman import state
from comfywatchman.escape import visible
from comfywatchman.report.accepted import in_words
from comfywatchman.report.digest import in_short
from comfywatchman.results import Verdict

if TYPE_CHECKING:
    from comfywatchman.results import Finding, Report, WorkflowReport

_NO_XML = re.compile("[\ufffe\uffff\U0001fffe-\U0001ffff]")
"""What XML forbids, or had better not be in it, of what can be shown."""


def write(report: Report, stream: TextIO) -> None:
    """Write the report to ``stream``, in ASCII, which every encoding holds."""
    suite = ET.Element("testsuite", name="comfywatchman", hostname=_text(report.host))
    suite.set("timestamp", f"{report.started_at:%Y-%m-%dT%H:%M:%S}")
    suite.set("time", f"{report.duration_s:.3f}")
    of = f"{_text(report.host).replace('.', '_')}.{state.named(report.instance)}"
    if report.outcome != "done":
        case = ET.SubElement(suite, "testcase", name="cycle", classname=of)
        kind = "skipped" if report.outcome == "skipped" else "error"
        ET.SubElement(case, kind, message=_text(report.reason))
    for workflow in report.workflows:
        case = ET.SubElement(suite, "testcase", name=_text(workflow.name), classname=of)
        _judged(case, workflow)
    suite.set("tests", str(len(suite)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{kind}"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    stream.write(ET.tostring(root, encoding="us-ascii", xml_declaration=True).decode() + "\n")


def _judged(case: ET.Element, workflow: WorkflowReport) -> None:
    accepted = in_words(workflow.accepted) if workflow.accepted else None
    if accepted is not None:
        ET.SubElement(case, "skipped", message=_text(accepted))
    elif workflow.verdict is Verdict.UNKNOWN:
        message = "; ".join(workflow.not_checked) or in_short(workflow) or workflow.verdict
        ET.SubElement(case, "skipped", message=_text(f"unknown: {message}"))
    elif workflow.is_bad:
        message = _text(in_short(workflow) or workflow.verdict)
        kind = "will_fail" if workflow.will_fail else workflow.verdict.value
        failure = ET.SubElement(case, "failure", type=kind, message=message)
        failure.text = "\n".join(map(_line, workflow.findings))


def _line(finding: Finding) -> str:
    where = f" at {finding.node_type} #{finding.node_id}" if finding.node_id else ""
    fix = f"; to mend it: {finding.fix}" if finding.fix else ""
    return _text(f"{finding.severity} {finding.code}{where}: {finding.message}{fix}")


def _text(text: str) -> str:
    """A text with nothing in it that XML forbids, or that acts on whoever reads it."""
    return _NO_XML.sub(lambda match: ascii(match[0])[1:-1], visible(text))
