"""What changed, grouped by what became of workflows and why, in words that say how sure it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from comfywatchman.report import changes as told
from comfywatchman.results import (
    Cause,
    CauseKind,
    ChangeKind,
    HostChange,
    Sureness,
    Verdict,
    WorkflowChange,
)
from tests.unit.report.sample import cause, change, changes

BROKEN, PARTIAL, UNKNOWN, RUNNABLE = (
    Verdict.BROKEN,
    Verdict.PARTIAL,
    Verdict.UNKNOWN,
    Verdict.RUNNABLE,
)
WORSE = ChangeKind.WORSE
KSAMPLER = cause("KSampler of PACK 1.2.0 → 1.3.0 dropped output 2")


def texts(account: told.Account) -> list[str]:
    return [group.text for _, groups in account.groups for group in groups]


def one(why: Cause) -> str:
    broke = change(WORSE, "a", RUNNABLE, BROKEN, why)
    (text,) = texts(told.account(changes(why, workflows=[broke])))
    return text


def test_workflows_are_grouped_by_cause_and_counted() -> None:
    other = cause("vae.pt is gone", CauseKind.MODEL)
    workflows = [
        change(WORSE, "vae", RUNNABLE, BROKEN, other),
        *(change(WORSE, name, RUNNABLE, BROKEN, KSAMPLER) for name in "abcdefghijklmn"),
        change(WORSE, "both", RUNNABLE, BROKEN, KSAMPLER, other),
        change(WORSE, "part", RUNNABLE, PARTIAL, other),
        change(ChangeKind.GONE, "old", BROKEN, None),
    ]
    account = told.account(changes(KSAMPLER, other, workflows=workflows))
    assert texts(account) == [
        "14 workflows broke because KSampler of PACK 1.2.0 → 1.3.0 dropped output 2",
        "1 workflow broke because vae.pt is gone",
        (
            "1 workflow broke because KSampler of PACK 1.2.0 → 1.3.0 dropped output 2, "
            "and because vae.pt is gone"
        ),
        "1 workflow loses outputs because vae.pt is gone",
        "1 workflow is gone",
    ]
    assert account.groups[0][1][0].names == "a, b, c and 11 more"
    assert account.counts == "17 worse, 1 gone"


@pytest.mark.parametrize(
    ("sureness", "more", "text"),
    [
        (Sureness.CERTAIN, {}, "1 workflow broke because torch 2 → 3"),
        (Sureness.LIKELY, {}, "1 workflow broke, probably because torch 2 → 3"),
        (
            Sureness.ONE_OF,
            {"candidates": ["x 1 → 2.", "y is gone"]},
            "1 workflow broke, by one of 2 changes: x 1 → 2; y is gone",
        ),
        (
            Sureness.ONE_OF,
            {"candidates": list("abcdefgh")},
            "1 workflow broke, by one of 8 changes: a; b; c; d; e; and 3 more",
        ),
        (
            Sureness.CERTAIN,
            {"kind": CauseKind.UNEXPLAINED},
            "1 workflow broke; nothing that could be seen changed",
        ),
    ],
)
def test_how_sure_it_is(sureness: Sureness, more: dict[str, object], text: str) -> None:
    assert one(cause("torch 2 → 3.", **{"sureness": sureness, **more})) == text


@pytest.mark.parametrize(
    ("kind", "before", "after", "text"),
    [
        (WORSE, RUNNABLE, BROKEN, "broke"),
        (WORSE, RUNNABLE, PARTIAL, "loses outputs"),
        (WORSE, BROKEN, BROKEN, "has new errors"),
        (WORSE, BROKEN, PARTIAL, "loses outputs"),
        (WORSE, RUNNABLE, UNKNOWN, "can no longer be judged"),
        (ChangeKind.MENDED, BROKEN, RUNNABLE, "runs again"),
        (ChangeKind.MENDED, BROKEN, PARTIAL, "runs in part again"),
        (ChangeKind.MENDED, BROKEN, BROKEN, "has fewer errors"),
        (ChangeKind.NEW, None, BROKEN, "is new and broken"),
        (ChangeKind.NEW, None, UNKNOWN, "is new and could not be judged"),
        (ChangeKind.GONE, RUNNABLE, None, "is gone"),
        (ChangeKind.OTHER, UNKNOWN, BROKEN, "can be judged now: broken"),
        (ChangeKind.OTHER, RUNNABLE, UNKNOWN, "can no longer be judged"),
        (ChangeKind.OTHER, PARTIAL, PARTIAL, "has other errors"),
    ],
)
def test_what_became_of_it(kind, before, after, text: str) -> None:
    assert told.effect(change(kind, "a", before, after)) == text


def test_what_this_program_judges_otherwise_is_told_once_and_no_fault_of_the_hosts() -> None:
    ours = cause("ComfyWatchman 0.3.0 → 0.4.0", CauseKind.PROGRAM)
    workflows = [
        change(WORSE, "a", RUNNABLE, BROKEN, ours),
        change(WORSE, "b", RUNNABLE, PARTIAL, ours),
        change(ChangeKind.MENDED, "c", BROKEN, RUNNABLE, ours),
        change(WORSE, "d", RUNNABLE, BROKEN, ours, KSAMPLER),
    ]
    account = told.account(changes(KSAMPLER, ours, workflows=workflows))
    assert account.counts == "1 worse"
    (group,) = account.by_program
    assert group.text == (
        "this version of ComfyWatchman judges 3 workflows otherwise (ComfyWatchman 0.3.0 → 0.4.0)"
    )
    assert group.names == "a, b, c"


def test_many_causes_of_one_workflow_are_cut() -> None:
    causes = [cause(f"c{n}") for n in range(5)]
    broke = change(WORSE, "a", RUNNABLE, BROKEN, *causes)
    assert texts(told.account(changes(*causes, workflows=[broke]))) == [
        "1 workflow broke because c0, and because c1, and because c2, and 2 more causes"
    ]


def test_a_cause_that_is_not_there_is_not_told() -> None:
    broke = change(WORSE, "a", RUNNABLE, BROKEN, KSAMPLER)
    assert texts(told.account(changes(workflows=[broke]))) == ["1 workflow broke"]


def test_nothing_changed() -> None:
    account = told.account(changes(skipped=2))
    assert account.nothing
    assert account.title == "Nothing changed since 2026-11-23 08:00 UTC"
    assert account.remark == "2 cycles in between were skipped or failed"
    assert told.account(changes(skipped=2, not_known=["x", "y"])).quiet == (
        "Nothing changed since 2026-11-23 08:00 UTC; 2 cycles in between were skipped or failed; "
        "2 things could not be compared"
    )
    torch = HostChange(kind="runtime", name="torch", text="torch 2 → 3")
    account = told.account(changes(host=[torch], skipped=1))
    assert not account.nothing
    assert account.title == "What changed since 2026-11-23 08:00 UTC"
    assert account.remark == "1 cycle in between was skipped or failed"


def test_lists_are_cut_but_never_by_one() -> None:
    assert told.listed(list("abcd"), 3) == "a, b, c, d"
    assert told.listed(list("abcde"), 3) == "a, b, c and 2 more"


def test_the_time_zone_of_the_past_does_not_matter() -> None:
    told_as = changes().model_copy(
        update={"since": changes().since.astimezone(tz=None) + timedelta(0)}
    )
    assert told.account(told_as).title == told.account(changes()).title


@pytest.mark.parametrize(
    ("kind", "before", "will_fail", "said"),
    [
        (ChangeKind.WORSE, Verdict.RUNNABLE, True, "will fail"),
        (ChangeKind.WORSE, Verdict.PARTIAL, True, "will fail"),
        (ChangeKind.MENDED, Verdict.RUNNABLE, False, "runs again"),
        (ChangeKind.MENDED, Verdict.BROKEN, True, "has fewer errors"),
        (ChangeKind.NEW, None, True, "is new and will fail"),
    ],
)
def test_what_will_fail_is_said_of_a_change(
    kind: ChangeKind, before: Verdict | None, *, will_fail: bool, said: str
) -> None:
    became = WorkflowChange(
        path="/a",
        name="a",
        kind=kind,
        before=before,
        after=Verdict.RUNNABLE,
        will_fail=will_fail,
    )
    assert told.effect(became) == said
