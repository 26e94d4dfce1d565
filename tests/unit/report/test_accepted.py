"""What is accepted stands in a block of its own, and leads no report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman.report import html
from comfywatchman.report.digest import digest
from comfywatchman.report.formats import markdown, text
from comfywatchman.results import Verdict
from tests.unit.report.sample import accepted, missing_model, realistic, report, workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfywatchman.results import Report

FORMS = {"text": text.render, "markdown": markdown.render, "html": html.render}
TRUNCATED, PARTIAL = "old/half-saved.json", "flux/contact sheet.json"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_is_a_block_after_the_others_with_reason_and_day(form: Callable[[Report], str]) -> None:
    shown = form(accepted(realistic(), TRUNCATED, PARTIAL))
    blocks = [shown.index(f">{name} <span>" if form is html.render else f"{name} (")
              for name in ("Broken", "Partial", "Runnable", "Accepted")]  # fmt: skip
    assert blocks == sorted(blocks)
    for name in (TRUNCATED, PARTIAL):
        assert shown.index(name, blocks[0]) > blocks[-1]
        assert shown.count("accepted until 2026-12-31 by anna: the pack is left out here") == 2
    assert "Acceptances that need a look" in shown
    assert "acceptance gone is for nothing: there is no workflow" in shown


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_nothing_is_said_where_nothing_is_accepted(form: Callable[[Report], str]) -> None:
    shown = form(realistic())
    assert "Accepted" not in shown
    assert "Acceptances" not in shown
    assert "of them accepted" not in shown


def test_what_is_accepted_is_not_to_be_fixed_first() -> None:
    name = "flux/packaging.json"
    flux = "flux1-dev-fp8"
    (before,) = (s for s in digest(realistic()).shared if flux in s.message)
    after = digest(accepted(realistic(), name))
    (shared,) = (s for s in after.shared if flux in s.message)
    assert len(before.workflows) == 3
    names = [after.entries[position].workflow.name for position in shared.workflows]
    assert names == ["flux/product shot.json", "flux/contact sheet.json"]


def title(*verdicts: Verdict, let_be: str = "") -> str:
    made = report(
        [
            workflow(
                f"{n}.json", v, *([missing_model("x", "4")] if v is not Verdict.RUNNABLE else [])
            )
            for n, v in enumerate(verdicts)
        ]
    )
    if let_be:
        made = accepted(made, *(f"{n}.json" for n in let_be))
    return html.render(made).partition("<title>")[2].partition(" · ")[0]


B, P, R, U = Verdict.BROKEN, Verdict.PARTIAL, Verdict.RUNNABLE, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("verdicts", "let_be", "said"),
    [
        ((B, B, R), "", "2 of 3 workflows cannot run"),
        ((B, B, R), "0", "2 of 3 workflows cannot run, 1 of them accepted"),
        ((B, P, R), "1", "1 of 3 workflows cannot run"),
        ((B, B, P), "01", "1 of 3 workflows would lose outputs; 2 others are accepted"),
        (
            (P, P, B),
            "02",
            "2 of 3 workflows would lose outputs, 1 of them accepted; 1 other is accepted",
        ),
        ((B, U), "0", "1 of 2 workflows could not be judged; 1 other is accepted"),
        ((B, R, R), "0", "2 of 3 workflows can run; 1 is accepted as it is"),
        ((B, P, R), "01", "1 of 3 workflows can run; 2 are accepted as they are"),
        ((B,), "0", "0 of 1 workflow can run; 1 is accepted as it is"),
    ],
)
def test_the_title_misleads_nobody(verdicts: tuple[Verdict, ...], let_be: str, said: str) -> None:
    assert title(*verdicts, let_be=let_be) == said


def test_the_counts_stay_and_say_how_many_are_accepted() -> None:
    made = accepted(realistic(), TRUNCATED, PARTIAL)
    assert made.summary == realistic().summary
    assert (made.accepted.broken, made.accepted.partial, made.accepted.total) == (1, 1, 2)
    assert made.not_accepted.broken == made.summary.broken - 1
    assert "12 runnable of 23 workflows, 2 of them accepted, in 1.4 s" in text.render(
        made, width=100
    )
    assert "12 runnable of 23 workflows, 2 of them accepted**" in markdown.render(made)
