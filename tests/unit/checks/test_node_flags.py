"""What a node type says of itself: deprecated, or calling out to a service."""

from __future__ import annotations

import pytest

from comfywatchman.results import Severity, Verdict
from tests.unit.checks.judging import judged, node_type, preview


@pytest.mark.parametrize(
    ("flag", "code", "severity"),
    [
        ("api_node", "api_node", Severity.WARNING),
        ("deprecated", "deprecated_node", Severity.INFO),
    ],
)
def test_it_is_said_once_for_each_type(flag: str, code: str, severity: Severity) -> None:
    types = {"Flagged": node_type(outputs=("IMAGE",), **{flag: True})}
    prompt = {str(i): {"class_type": "Flagged", "inputs": {}} for i in range(3)}
    prompt |= {f"out{i}": preview(str(i)) for i in range(3)}
    judgement = judged(prompt, types)
    assert judgement.verdict is Verdict.RUNNABLE
    assert [(f.code, f.severity, f.node_type) for f in judgement.findings] == [
        (code, severity, "Flagged")
    ]
