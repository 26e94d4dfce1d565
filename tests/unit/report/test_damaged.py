"""Model files that cannot be loaded, and workflows that will fail for them, in every form."""

from __future__ import annotations

import pytest

from comfywatchman.report import damaged, html
from comfywatchman.report.formats import markdown, text
from comfywatchman.results import DamagedModel, Verdict
from tests.unit.report import sample


def forms(report: sample.Report) -> list[str]:
    return [text.render(report, width=200), markdown.render(report), html.render(report)]


def test_every_form_names_the_file_what_to_do_and_what_names_it() -> None:
    for form in forms(sample.damaged()):
        assert damaged.HEADING in form
        assert "wan/vae.safetensors" in form
        assert "7 bytes lack" in form
        assert "2 workflows name it: " in form
        assert "no node of a workflow that was read names it" in form
        assert damaged.WILL_FAIL in form


def test_the_headline_counts_them() -> None:
    as_text, as_markdown, as_html = forms(sample.damaged())
    assert "3 runnable of 3 workflows, 2 of them will fail" in as_text
    assert "3 runnable of 3 workflows, 2 of them will fail" in as_markdown
    assert "<h1>2 of 3 workflows will fail</h1>" in as_html


def test_the_title_of_the_page_leads_with_what_cannot_run() -> None:
    report = sample.damaged()
    broken = sample.workflow("d.json", Verdict.BROKEN)
    more = sample.report([*report.workflows, broken])
    assert "<h1>1 of 4 workflows cannot run; 2 more will fail</h1>" in html.render(more)


def test_nothing_is_said_where_all_are_sound() -> None:
    for form in forms(sample.realistic()):
        assert damaged.HEADING not in form
        assert damaged.WILL_FAIL not in form


def test_many_are_counted() -> None:
    report = sample.damaged()
    many = report.model_copy(update={"damaged_models": report.damaged_models[:1] * 25})
    assert damaged.lines(many)[-1] == ("and 5 more files", None, "")
    counted = report.model_files.model_copy(update={"damaged": 2_000}) if report.model_files else 0
    more = report.model_copy(update={"model_files": counted})
    assert damaged.lines(more)[-1] == ("and 1,998 more files", None, "")


@pytest.mark.parametrize("hostile", sample.HOSTILE)
def test_hostile_names_act_nowhere(hostile: str) -> None:
    model = DamagedModel(folder=hostile, name=hostile, code="x", message=hostile, fix=hostile)
    report = sample.damaged().model_copy(update={"damaged_models": [model]})
    as_text, as_markdown, as_html = forms(report)
    assert "\x1b" not in as_text + as_markdown + as_html
    assert "<script>window" not in as_html
    assert "<img src=x" not in as_html + as_markdown
