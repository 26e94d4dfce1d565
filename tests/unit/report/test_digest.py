from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from comfywatchman.report import html
from comfywatchman.report.digest import Place, digest, headline, proportions, told_phrase
from comfywatchman.report.formats import markdown, text
from comfywatchman.results import (
    FailingChannel,
    Notices,
    Report,
    Severity,
    Subject,
    SubjectKind,
    Summary,
    Verdict,
)
from tests.unit.report.sample import (
    by_hand,
    found,
    missing_model,
    missing_node,
    realistic,
    report,
    workflow,
)


def test_what_needs_a_person_comes_first() -> None:
    order = [
        workflow("z", Verdict.RUNNABLE),
        workflow("b", Verdict.UNKNOWN),
        workflow("B", Verdict.BROKEN),
        workflow("a", Verdict.BROKEN),
        workflow("c", Verdict.PARTIAL),
    ]
    names = [entry.workflow.name for entry in digest(report(order)).entries]
    assert names == ["a", "B", "c", "b", "z"]


def test_the_same_finding_at_several_nodes_is_one_problem() -> None:
    findings = [
        missing_model("x.ckpt", "4"),
        *missing_node("Odd", "odd-pack", "7", "9:2"),
        missing_model("x.ckpt", "5"),
    ]
    (entry,) = digest(report([workflow("w", Verdict.BROKEN, *findings)])).entries
    assert [problem.places for problem in entry.problems] == [
        (Place("CheckpointLoaderSimple", ("4", "5"), "ckpt_name"),),
        (Place("Odd", ("7", "9:2"), None),),
    ]
    assert entry.counts == "2 errors"


def test_errors_before_warnings_before_notes() -> None:
    error = missing_model("x", "1")
    note = missing_model("y", "1").model_copy(update={"severity": Severity.INFO})
    warning = missing_model("z", "1").model_copy(update={"severity": Severity.WARNING})
    (entry,) = digest(report([workflow("w", Verdict.BROKEN, note, warning, error)])).entries
    assert [problem.severity for problem in entry.problems] == ["error", "warning", "info"]
    assert entry.counts == "1 error, 1 warning, 1 note"


def test_shared_problems_are_the_most_widespread_first() -> None:
    contents = digest(realistic())
    shared_by = [(s.message.split("'")[1], len(s.workflows)) for s in contents.shared]
    assert shared_by == [
        ("sd_xl_base_1.0.safetensors", 4),
        ("flux1-dev-fp8.safetensors", 3),
        ("moodboard (3).png", 2),
    ]
    for shared in contents.shared:
        for position in shared.workflows:
            messages = [p.message for p in contents.entries[position].problems]
            assert shared.message in messages


def test_a_shared_problem_names_the_remedy_most_of_its_findings_name() -> None:
    one = missing_model("x", "1")
    other = one.model_copy(update={"fixes": by_hand("set it to 'sub/x'")})
    names = ("a", "b", "c")
    workflows = [
        workflow(name, Verdict.BROKEN, finding)
        for name, finding in zip(names, (other, one, one), strict=True)
    ]
    (shared,) = digest(report(workflows)).shared
    assert (shared.fix, shared.workflows) == (one.fix, (0, 1, 2))


def test_a_problem_of_one_workflow_is_not_shared() -> None:
    twice = [missing_model("x", "1"), missing_model("x", "2")]
    assert digest(report([workflow("w", Verdict.BROKEN, *twice)])).shared == ()


def test_blind_spots_are_counted_and_those_of_the_cycle_come_first() -> None:
    workflows = [workflow(name, Verdict.UNKNOWN, not_checked=["a", name]) for name in ("x", "y")]
    contents = digest(report(workflows, not_checked=("no folder",)))
    assert contents.not_checked == (("no folder", 0), ("a", 2), ("x", 1), ("y", 1))


def test_long_lists_of_nodes_are_cut() -> None:
    place = Place("T", tuple(str(i) for i in range(15)), None)
    assert place.node.startswith("T #0, #1, ")
    assert place.node.endswith(" #10, #11 and 3 more")


def test_headline() -> None:
    assert headline(Summary()) == "no workflows found"
    assert headline(Summary(runnable=1)) == "1 runnable of 1 workflow"
    assert (
        headline(Summary(runnable=1200, broken=3)) == "3 broken, 1,200 runnable of 1,203 workflows"
    )


def test_no_share_vanishes() -> None:
    assert proportions([1, 0, 1, 998], 50) == [1, 0, 1, 48]
    assert sum(proportions([333, 333, 333, 1], 60)) == 60


def test_findings_of_one_cause_are_one_problem() -> None:
    """One missing file at two inputs; and three values of a node that have moved."""
    checkpoint = missing_model("x.ckpt", "4")
    merge = checkpoint.model_copy(
        update={"node_id": "5", "input": "other", "message": "in other words", "title": "Second"}
    )
    moved = [
        found(
            code=code,
            severity=Severity.ERROR,
            message=f"{name} is wrong",
            node_id="3",
            node_type="KSampler",
            input=name,
            subject=Subject(kind=SubjectKind.VALUE, name="euler"),
        )
        for name, code in (
            ("steps", "invalid_input_type"),
            ("cfg", "invalid_input_type"),
            ("scheduler", "value_not_in_list"),
        )
    ]
    other_node = moved[2].model_copy(update={"node_id": "8"})
    reported = workflow("w", Verdict.BROKEN, checkpoint, *moved, merge, other_node)
    (entry,) = digest(report([reported])).entries
    assert [(p.message, p.also) for p in entry.problems] == [
        (checkpoint.message, ()),
        ("steps is wrong", ("cfg is wrong", "scheduler is wrong")),
        ("scheduler is wrong", ()),
    ]
    assert [place.node for place in entry.problems[0].places] == [
        "CheckpointLoaderSimple #4",
        'CheckpointLoaderSimple #5 "Second"',
    ]
    assert [place.input for place in entry.problems[1].places] == ["steps", "cfg", "scheduler"]
    assert len(reported.findings) == 6


def test_what_reads_differently_is_shared_only_where_it_is_about_one_file() -> None:
    """Two workflows whose outputs crash the server's validation, each for a reason of its own."""
    crashes = [
        found(
            code="exception_during_validation",
            severity=Severity.ERROR,
            message=f"input 'mesh' is linked to output {n}",
            node_id="87",
            node_type="SaveGLB",
            subject=Subject(kind=SubjectKind.NODE_TYPE, name="SaveGLB"),
        )
        for n in (1, 2)
    ]
    models = [
        missing_model("x", "1").model_copy(update={"message": f"in words {n}"}) for n in (1, 2)
    ]
    workflows = [
        workflow(f"w{n}", Verdict.BROKEN, crash, model)
        for n, (crash, model) in enumerate(zip(crashes, models, strict=True))
    ]
    assert [s.message for s in digest(report(workflows)).shared] == ["in words 1"]


@pytest.mark.parametrize("render", [text.render, markdown.render, html.render])
def test_what_was_left_out_is_counted_in_every_form(render: Callable[[Report], str]) -> None:
    some = report([workflow("w", Verdict.RUNNABLE)])
    assert "left out" not in render(some)
    told = render(some.model_copy(update={"left_out": 1_204})).replace("\\_", "_")
    assert "1,204 workflows left out by workflow_exclude" in told.replace("`", "")


NOON = "2026-11-20 12:00 UTC"


@pytest.mark.parametrize(
    ("notices", "said"),
    [
        (None, ""),
        (Notices(), ""),
        (Notices(pending=1), "1 message is still to be sent"),
        (
            Notices(pending=2, last_told=datetime(2026, 11, 20, 12, tzinfo=UTC)),
            f"people were told last of the check of {NOON}; 2 messages are still to be sent",
        ),
    ],
)
def test_what_people_were_told_is_in_every_form(notices: Notices | None, said: str) -> None:
    report = realistic().model_copy(update={"notices": notices})
    assert told_phrase(report) == said
    for form in (text.render(report, width=200), markdown.render(report), html.render(report)):
        assert said.rpartition("; ")[2] in form
        assert ("still to be sent" in form) is bool(said)
        assert ("people were told last" in form) is (NOON in said)


def test_a_channel_that_fails_is_in_every_form() -> None:
    since = datetime(2026, 11, 20, 12, tzinfo=UTC)
    channel = FailingChannel(name="ntfy (line 2)", since=since, why="refused <b>\nit")
    told = f"ntfy (line 2) could not be reached since {NOON}: refused <b>\\nit"
    assert channel.text == told
    assert channel.model_copy(update={"since": None}).text.count("since an unknown time") == 1
    report = realistic().model_copy(update={"notices": Notices(failing=[channel])})
    assert told_phrase(report) == ""
    assert f"Not told: {told}" in text.render(report, width=200)
    assert "**Not told:** ntfy (line `2`) could not be reached" in markdown.render(report)
    page = html.render(report)
    assert "<strong>Not told:</strong> ntfy (line 2) could not be reached" in page
    assert "refused <b>" not in page
