"""What a person must see at once stands at the top of every form of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman.report import html
from comfywatchman.report.formats import markdown, text
from tests.unit.report.sample import realistic

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfywatchman.results import Report

FORMS = {"text": text.render, "markdown": markdown.render, "html": html.render}
ALARM = "ComfyUI accepted what it had to refuse"
ASKED = "asked the server about 3 workflows"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_an_alarm_comes_before_all_else(form: Callable[[Report], str], outcome: str) -> None:
    report = realistic().model_copy(update={"alarms": [ALARM], "outcome": outcome})
    shown = form(report)
    assert "alarm:" in shown.lower()
    assert shown.index(ALARM) < shown.index("Broken (" if "Broken (" in shown else "Fix first")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_about_how_many_the_server_was_asked(form: Callable[[Report], str]) -> None:
    assert ASKED in form(realistic().model_copy(update={"asked_server": 3}))
    quiet = form(realistic())
    assert "asked the server" not in quiet
    assert "alarm:" not in quiet.lower()
