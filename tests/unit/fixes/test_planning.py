"""Of several ways to mend a thing a plan has one, and what it does together is judged."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.fixes import planning, proposing
from comfywatchman.fixes.last_ran import LastRan
from comfywatchman.fixes.proposal import Edit, Proposal
from comfywatchman.history.facts import FactKind
from comfywatchman.results import (
    Confidence,
    Finding,
    Fix,
    FixKind,
    Severity,
    Subject,
    SubjectKind,
    Verdict,
)
from tests.unit.fixes.host import Host, flow

if TYPE_CHECKING:
    from comfywatchman.fixes.here import Here
    from comfywatchman.fixes.planning import Planned

NAME = ("1", "inputs", "vae_name")


@pytest.fixture
def here(tmp_path: Path) -> Here:
    host = Host(tmp_path)
    host.model("vae/ae.safetensors")
    host.model("vae/other.safetensors")
    host.workflow("a.json", flow("AE.safetensors"))
    return host.here()


def proposal(here: Here, name: str, after: Any, confidence: Confidence, **more: Any) -> Proposal:
    return Proposal(
        id=name,
        workflow=here.workflows[0].report.path,
        strategy="tried",
        kind=FixKind.SET_VALUE,
        confidence=confidence,
        text=f"Set it to {after}.",
        fingerprints=more.pop("fingerprints", (f"of {name}",)),
        edits=more.pop("edits", (Edit(NAME, "AE.safetensors", after),)),
        **more,
    )


def plan(here: Here, *proposals: Proposal, **more: Any) -> Planned:
    return planning.plan(here, proposals, **more)


def test_the_surest_of_rivals_is_planned_and_the_others_are_named(here: Here) -> None:
    likely = proposal(here, "likely", "other.safetensors", Confidence.LIKELY)
    proven = proposal(here, "proven", "ae.safetensors", Confidence.PROVEN)
    planned = plan(here, likely, proven)
    assert [fix.id for fix in planned.workflows[0].fixes] == ["proven"]
    (left,) = planned.by_hand
    assert (left.id, left.why) == (
        "likely",
        "instead of proven, if you choose it: --take likely",
    )


def test_two_fixes_of_one_finding_are_rivals_too(here: Here) -> None:
    edits = (Edit(("4", "inputs", "filename_prefix"), "x", "y"),)
    first = proposal(here, "a", "ae.safetensors", Confidence.PROVEN, fingerprints=("f",))
    second = proposal(here, "b", "y", Confidence.LIKELY, fingerprints=("f",), edits=edits)
    assert [fix.id for fix in plan(here, first, second).workflows[0].fixes] == ["a"]


def test_a_guess_is_planned_only_if_it_is_taken(here: Here) -> None:
    guess = proposal(here, "guess", "other.safetensors", Confidence.ASK)
    planned = plan(here, guess)
    assert planned.workflows == []
    assert planned.by_hand[0].why == "it is for a person to decide: --take guess"
    proven = proposal(here, "proven", "ae.safetensors", Confidence.PROVEN)
    (workflow,) = plan(here, proven, guess, taken=["guess"]).workflows
    assert [fix.id for fix in workflow.fixes] == ["guess"]
    assert workflow.proven is None


def test_what_makes_it_worse_together_is_left_out(here: Here) -> None:
    good = proposal(here, "good", "ae.safetensors", Confidence.PROVEN)
    bad = proposal(
        here,
        "bad",
        0,
        Confidence.LIKELY,
        edits=(Edit(("2", "inputs", "width"), 64, -1),),
    )
    planned = plan(here, good, bad)
    (workflow,) = planned.workflows
    assert [fix.id for fix in workflow.fixes] == ["good"]
    assert workflow.all.verdict is Verdict.RUNNABLE
    assert "would get worse" in (planned.by_hand[0].why or "")


def test_an_edit_of_what_is_not_there_is_left_out(here: Here) -> None:
    edits = (Edit(("9", "inputs", "x"), 1, 2),)
    assert plan(here, proposal(here, "x", 0, Confidence.LIKELY, edits=edits)).workflows == []


def test_what_is_called_proven_and_raises_nothing_is_not_done_as_proven(here: Here) -> None:
    edits = (Edit(("4", "inputs", "filename_prefix"), "x", "y"),)
    (workflow,) = plan(here, proposal(here, "x", 0, Confidence.PROVEN, edits=edits)).workflows
    assert workflow.proven is None


def test_the_model_that_a_new_value_names_is_among_what_is_read(here: Here) -> None:
    planned = plan(here, proposal(here, "x", "ae.safetensors", Confidence.PROVEN))
    assert [seen.path for seen in planned.reads.values()] == [here.files[0].path]
    assert here.files[0].name == "ae.safetensors"


def test_half_a_surrogate_is_in_no_plan(here: Here) -> None:
    planned = plan(here, proposal(here, "x", "\udcff.safetensors", Confidence.LIKELY))
    assert planned.workflows == []
    assert "is no Unicode" in (planned.by_hand[0].why or "")


def with_fix(here: Here, fix: Fix) -> Here:
    finding = Finding(
        code="missing_node_type",
        severity=Severity.ERROR,
        message="m",
        subject=Subject(kind=SubjectKind.PACK, name="a-pack"),
        fixes=[fix],
    )
    (saved,) = here.workflows
    report = saved.report.model_copy(update={"findings": [finding]})
    return replace(here, workflows=[replace(saved, report=report)])


RAN = LastRan(
    datetime(2026, 11, 20, 8, tzinfo=UTC),
    {
        FactKind.PACK: {"A-Pack": {"id": "a-pack", "version": "1.2.3"}},
        FactKind.COMFYUI: {"": {"version": "0.32.1"}},
    },
)


@pytest.mark.parametrize(
    ("kind", "command", "expected", "why"),
    [
        (
            FixKind.INSTALL_PACK,
            "comfy node install a-pack",
            "comfy node install a-pack@1.2.3",
            "with version 1.2.3 of it, this workflow last ran here (2026-11-20 08:00 UTC)",
        ),
        (
            FixKind.INSTALL_PACK,
            "git -C custom_nodes clone https://github.com/a/a-pack",
            "git -C custom_nodes clone https://github.com/a/a-pack",
            "with version 1.2.3 of it, this workflow last ran here (2026-11-20 08:00 UTC)",
        ),
        (
            FixKind.UPDATE_SERVER,
            None,
            None,
            "under ComfyUI 0.32.1, this workflow last ran here (2026-11-20 08:00 UTC)",
        ),
        (FixKind.RESTART_SERVER, None, None, None),
        (FixKind.ENABLE_PACK, "enable it", "enable it", None),
    ],
)
def test_what_only_a_person_may_do_is_a_command_with_what_ran_here(
    here: Here, kind: FixKind, command: str | None, expected: str | None, why: str | None
) -> None:
    fix = Fix(
        id="f",
        kind=kind,
        confidence=Confidence.LIKELY,
        text="Do it.",
        command=command,
        after="a-pack" if kind is FixKind.INSTALL_PACK else None,
    )
    planned = planning.plan(with_fix(here, fix), [], last_ran=lambda _: RAN)
    (hand,) = planned.by_hand
    assert planned.workflows == []
    assert (hand.kind, hand.command, hand.why) == (kind, expected, why)


@pytest.mark.parametrize("version", ["1; rm -rf /", "$(x)", "-x", "", 7, None])
def test_no_version_from_outside_does_harm_in_a_command(version: Any) -> None:
    ran = replace(RAN, facts={FactKind.PACK: {"p": {"version": version, "commit": version}}})
    assert ran.of_pack("p", "comfy node install p") == ("comfy node install p", None)


def test_only_the_workflows_that_are_wanted(here: Here) -> None:
    proposals = proposing.propose(here)
    assert planning.plan(here, proposals, wanted=set()).workflows == []
    path = here.workflows[0].report.path
    assert len(planning.plan(here, proposals, wanted={path}).workflows) == 1


@pytest.mark.parametrize("inherited", [False, True])
def test_a_file_of_a_group_that_is_not_ours_is_not_planned(
    here: Here, monkeypatch: pytest.MonkeyPatch, *, inherited: bool
) -> None:
    file = Path(here.workflows[0].report.path)
    if inherited:  # what is new in the folder has that group
        file.parent.chmod(0o2755)
    status = file.stat()
    monkeypatch.setattr(os, "geteuid", lambda: status.st_uid or 12345)
    monkeypatch.setattr(os, "getegid", lambda: status.st_gid + 1)
    monkeypatch.setattr(os, "getgroups", list)
    monkeypatch.setattr(planning, "refuse_unwritable", lambda *_: None)
    planned = plan(here, proposal(here, "a", "ae.safetensors", Confidence.PROVEN))
    assert [bool(planned.workflows), bool(planned.not_written)] == [inherited, not inherited]
    if not inherited:
        assert "belongs to a group" in planned.not_written[0]
