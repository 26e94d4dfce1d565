"""Packs that wait for a restart, in every form."""

from __future__ import annotations

from comfywatchman.report import html, pending
from comfywatchman.report.formats import markdown, text
from tests.unit.report.sample import realistic, remembered


def test_every_form_names_the_pack_and_what_rests_on_it() -> None:
    report = remembered()
    for form in (text.render(report, width=200), markdown.render(report), html.render(report)):
        assert pending.HEADING in form
        assert "8.0 → 8.1" in form
        assert "2 workflows rest on it" in form


def test_nothing_is_said_where_nothing_waits() -> None:
    report = realistic()
    for form in (text.render(report, width=200), markdown.render(report), html.render(report)):
        assert pending.HEADING not in form


def test_many_are_counted() -> None:
    report = remembered()
    [one] = report.restart_pending
    many = report.model_copy(update={"restart_pending": [one] * 25})
    assert pending.lines(many)[-1] == ("and 5 more packs", "")
