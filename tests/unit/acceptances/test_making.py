"""What a person may accept: what the last report has, for a while, with a reason."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.acceptances.making import RefusedError, make
from comfywatchman.escape import visible
from comfywatchman.results import Verdict
from tests.unit.report.sample import HOSTILE, missing_model, missing_node, report, workflow

if TYPE_CHECKING:
    from comfywatchman.judging.accepted import Entry

TODAY = date(2026, 11, 25)
TWO = workflow(
    "upscale/4x.json",
    Verdict.BROKEN,
    missing_model("x.safetensors", "4"),
    *missing_node("Upscale", "a-pack", "9", "10"),
)
WELL = workflow("well.json", Verdict.RUNNABLE)
TWIN = TWO.model_copy(update={"path": "/elsewhere/twin.json", "name": "twin.json"})
OTHER_TWIN = TWIN.model_copy(update={"path": "/elsewhere/b/twin.json"})
REPORT = report([TWO, WELL, TWIN, OTHER_TWIN])


def made(name: str = "upscale/4x.json", **more: Any) -> Entry:
    given: dict[str, Any] = {
        "code": None,
        "reason": " known ",
        "until": "2026-12-31",
        "by": "anna",
        **more,
    }
    return make(REPORT, name, today=TODAY, **given)


@pytest.mark.parametrize("name", [TWO.name, TWO.path])
def test_all_errors_are_pinned(name: str) -> None:
    entry = made(name)
    assert (entry.workflow, entry.reason, entry.until) == (TWO.path, "known", date(2026, 12, 31))
    assert entry.fingerprints == {finding.fingerprint for finding in TWO.findings}
    assert entry.faults == frozenset()
    assert made(reason="edited").id == entry.id


def test_those_of_a_code_are_pinned_alone() -> None:
    entry = made(code="missing_node_type")
    assert entry.fingerprints == {finding.fingerprint for finding in TWO.findings[1:]}
    assert entry.id != made().id


def test_a_teams_is_pinned_by_what_is_the_same_on_every_host() -> None:
    entry = made(team=True)
    assert entry.workflow == TWO.name
    assert entry.fingerprints == frozenset()
    assert entry.faults == {finding.fault_id for finding in TWO.findings}
    assert len(entry.faults) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"until": "2027-05-25"},
            ("--until 2027-05-25 is more than 180 days ahead; choose 2027-05-24 or an earlier day"),
        ),
        ({"until": "2026-11-24"}, "--until 2026-11-24 is past: choose 2026-11-25 or a later day"),
        (
            {"until": "31.12.2026"},
            ("--until '31.12.2026' is no day: write year, month and day, such as 2027-02-23"),
        ),
        (
            {"until": "2026-02-30"},
            ("--until '2026-02-30' is no day: write year, month and day, such as 2027-02-23"),
        ),
        ({"reason": " \n"}, "--reason is empty: say why this is accepted"),
        ({"reason": "x" * 1_001}, "--reason must have at most 1,000 characters"),
        (
            {"code": "api_node"},
            (
                "'upscale/4x.json' has no error 'api_node'; it has "
                "missing_node_type, value_not_in_list"
            ),
        ),
        (
            {"name": "well.json"},
            (
                "'well.json' is runnable and has no error in the report of "
                "2026-11-23 10:00 UTC: there is nothing to accept"
            ),
        ),
        (
            {"name": "4x.json"},
            (
                "the report of 2026-11-23 10:00 UTC has no workflow '4x.json'; near "
                "it: 'upscale/4x.json'; name it as the report does, by its path or its short name"
            ),
        ),
        (
            {"name": "wel.json"},
            (
                "the report of 2026-11-23 10:00 UTC has no workflow 'wel.json'; near "
                "it: 'well.json'; name it as the report does, by its path or its short name"
            ),
        ),
        (
            {"name": "#"},
            (
                "the report of 2026-11-23 10:00 UTC has no workflow '#'; none is near it; "
                "name it as the report does, by its path or its short name"
            ),
        ),
        (
            {"name": "twin.json"},
            (
                "2 workflows are called 'twin.json': name one by its path: "
                "'/elsewhere/b/twin.json', '/elsewhere/twin.json'"
            ),
        ),
    ],
)
def test_what_is_refused_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        made(**given)
    assert str(refused.value) == said


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_acts_on_a_screen(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        made(f"{text}?")
    assert visible(str(refused.value)) == str(refused.value)
    reason = made(reason=f"{text[:900]}?").reason
    assert visible(reason) == reason
