"""What changed where and when, over all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import results
from comfywatchman.fleet import folder
from comfywatchman.fleet.changes import ALONE_LIMIT, CHANGE_LIMIT, FEW, NAMES_LIMIT, WINDOW_S
from comfywatchman.fleet.survey import survey
from tests.unit.fleet import sample
from tests.unit.fleet.sample import (
    HOUR,
    NOW,
    at,
    cause,
    changed,
    changes,
    fact,
    milestone,
    report,
    status,
    worse,
)

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.fleet.model import Fleet, FleetChange

DROPPED = cause("PACK 1.2.0 → 1.3.0 dropped output 2 of KSampler", name="PACK")


def picture(at_: Path, *hosts: dict[str, Any]) -> Fleet:
    sample.write(at_, hosts, expected=[each["host"] for each in hosts])
    return survey(folder.read(at_), NOW)


def told(fleet: Fleet) -> list[tuple[str, list[str], int]]:
    return [(change.text, change.hosts, change.worse) for change in fleet.changes]


def only(fleet: Fleet) -> FleetChange:
    (change,) = fleet.changes
    return change


def broke(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return changes([found], [worse(name, found) for name in names])


def test_one_cause_on_several_hosts_is_one(tmp_path: Path) -> None:
    shots = [f"{n}.json" for n in range(12)]
    fleet = picture(
        tmp_path,
        changed("a", changes=broke(DROPPED, *shots)),
        changed("b", NOW - 2 * HOUR, changes=broke(DROPPED, "0.json", "x.json", "y.json")),
        changed("c", timeline=[milestone(NOW - 30 * HOUR, DROPPED | {"worse": 3}, worse=3)]),
        changed("d"),
    )
    change = only(fleet)
    assert (change.text, change.kind, change.id) == (DROPPED["text"], "pack", DROPPED["id"])
    assert (change.hosts, change.worse) == (["a", "b", "c"], 14)
    assert change.workflows[:2] == ["0.json", "1.json"]
    assert (change.first_at, change.last_at) == (at(NOW - 30 * HOUR), at(NOW - HOUR))
    assert (change.cause, change.sureness) == (True, "certain")
    assert fleet.worse_hosts == ["a", "b"]
    assert fleet.changes_unknown == []


def test_the_newest_is_first_and_what_is_long_ago_is_left_out(tmp_path: Path) -> None:
    old, older = cause("old 1 → 2"), cause("older 1 → 2")
    fleet = picture(
        tmp_path,
        changed(
            "a",
            changes=broke(DROPPED, "a.json"),
            timeline=[
                milestone(NOW - HOUR, DROPPED, worse=1),
                milestone(NOW - WINDOW_S / 2, old, worse=1),
                milestone(NOW - WINDOW_S - HOUR, older, worse=1),
            ],
        ),
    )
    assert [change.text for change in fleet.changes] == [DROPPED["text"], "old 1 → 2"]


def test_a_cycle_told_in_words_alone_is_told_too(tmp_path: Path) -> None:
    text = DROPPED["text"]
    short = milestone(NOW - 9 * HOUR, texts=[text, "package torch 1 → 2"], worse=4)
    alone = milestone(NOW - 9 * HOUR, texts=[text], worse=5)
    fleet = picture(
        tmp_path,
        changed("a", timeline=[short]),
        changed("b", changes=broke(DROPPED, "a.json")),
        changed("c", timeline=[alone]),
    )
    assert told(fleet) == [(text, ["a", "b", "c"], 5), ("package torch 1 → 2", ["a"], 0)]
    assert fleet.worse_hosts == ["a", "b", "c"]
    fleet = picture(tmp_path, changed("a", timeline=[short]), changed("c", timeline=[alone]))
    assert (text, ["a", "c"], 5) in told(fleet)


def test_a_fact_that_is_a_cause_is_not_told_twice(tmp_path: Path) -> None:
    facts = [
        fact("pack PACK 1.2.0 → 1.3.0", kind="pack", name="PACK"),
        fact("pack other is new", kind="pack", name="other"),
    ]
    found = broke(DROPPED, "a.json") | {"host": facts}
    past = milestone(NOW - 9 * HOUR, DROPPED, texts=["pack PACK 1.2.0 → 1.3.0"], worse=1)
    fleet = picture(tmp_path, changed("a", changes=found), changed("b", timeline=[past]))
    assert told(fleet) == [(DROPPED["text"], ["a", "b"], 1), ("pack other is new", ["a"], 0)]


def lost(host: int, *, files: int, at_: float = NOW - HOUR) -> dict[str, Any]:
    """A host that lost a share, of which its own workflows used so many files."""
    used = [
        cause(f"loras/{n}.safetensors is gone", kind="model", name=f"{n}.safetensors")
        for n in range(files)
    ]
    gone = [
        fact(f"{4000 + host:,} model files in loras are gone", kind="model", name="loras"),
        fact(f"{300 + host} model files in vae are gone", kind="model", name="vae"),
    ]
    broken = [worse(f"{n}.json", each) for n, each in enumerate(used)]
    return changed(f"h{host:02d}", at_, changes=changes(used, broken, gone))


@pytest.mark.parametrize("files", [1, 3, 40])
def test_a_share_that_many_hosts_lost_is_one_line(tmp_path: Path, files: int) -> None:
    fleet = picture(tmp_path, *(lost(n, files=files) for n in range(40)))
    change = only(fleet)
    assert len(change.hosts) == len(fleet.worse_hosts) == 40
    assert (change.kind, change.cause, change.worse) == ("model", True, files)
    lead = f"{files} changes of model files, such as: " if files > 1 else ""
    assert change.text == f"{lead}loras/0.safetensors is gone"
    assert "loras/0.safetensors is gone" in change.parts
    assert ("300 to 339 model files in vae are gone" in change.parts) is (files < FEW)


def test_hosts_that_used_more_or_less_of_a_share_lost_the_same_one(tmp_path: Path) -> None:
    fleet = picture(tmp_path, *(lost(n, files=1 + n % 9) for n in range(40)))
    change = only(fleet)
    assert len(change.hosts) == 40
    assert change.worse == 9


def test_what_no_workflow_needed_is_one_line_too(tmp_path: Path) -> None:
    fleet = picture(tmp_path, *(lost(n, files=0) for n in range(40)))
    change = only(fleet)
    assert (change.cause, len(change.hosts)) == (False, 40)
    assert change.text.startswith("2 changes of model files, such as: ")
    assert fleet.worse_hosts == []


def test_another_loss_at_another_time_is_another_one(tmp_path: Path) -> None:
    hosts = [lost(n, files=9) for n in range(3)]
    hosts += [lost(n, files=9, at_=NOW - 50 * HOUR) for n in range(3, 6)]
    assert [change.hosts for change in picture(tmp_path, *hosts).changes] == [
        ["h00", "h01", "h02"],
        ["h03", "h04", "h05"],
    ]


def test_what_is_new_on_many_hosts_hides_no_loss_on_one(tmp_path: Path) -> None:
    new = changes([], [], [fact("9 model files in loras are new", kind="model", name="loras")])
    gone = cause("loras/x is gone", kind="model", name="x")
    fleet = picture(
        tmp_path,
        *(changed(f"h{n}", changes=new) for n in range(9)),
        changed("z", changes=broke(gone, "a.json")),
    )
    assert {(text, len(hosts)) for text, hosts, _ in told(fleet)} == {
        ("loras/x is gone", 1),
        ("9 model files in loras are new", 9),
    }


def test_our_own_new_version_made_no_host_worse(tmp_path: Path) -> None:
    ours = cause("ComfyWatchman 0.3.0 → 0.4.0", kind="program", name="")
    found = changes([ours], [worse("a.json", ours, kind="other")])
    fleet = picture(tmp_path, changed("a", changes=found), changed("b", changes=found))
    change = only(fleet)
    assert (change.kind, change.hosts, change.worse) == ("program", ["a", "b"], 1)
    assert fleet.worse_hosts == []


def test_one_hosts_changes_do_not_drown_the_others(tmp_path: Path) -> None:
    many = [cause(f"pack{n:04d} 1 → 2") for n in range(1000)]
    loud = changed(
        "loud",
        changes=changes(many, [worse(f"{n}.json", each) for n, each in enumerate(many)]),
        timeline=[
            milestone(NOW - n * 600, texts=[f"a{n}-{m}" for m in range(50)]) for n in range(600)
        ],
    )
    quiet = [changed(f"q{n}", NOW - 9 * HOUR, changes=broke(DROPPED, "a.json")) for n in range(2)]
    fleet = picture(tmp_path, loud, *quiet)
    assert sum(change.hosts == ["loud"] for change in fleet.changes) == ALONE_LIMIT
    assert (DROPPED["text"], ["q0", "q1"], 1) in told(fleet)
    assert fleet.changes_left_out > 1000


def test_many_hosts_of_their_own_do_not_hide_what_several_have(tmp_path: Path) -> None:
    def own(n: int) -> dict[str, Any]:
        packs = [cause(f"{m} of host {n}") for m in "abcdefghij"]
        return changes(packs, [worse(f"{each['name']}.json", each) for each in packs])

    hosts = [changed(f"h{n}", changes=own(n)) for n in range(CHANGE_LIMIT // 10 + 5)]
    quiet = [changed(f"q{n}", NOW - 9 * HOUR, changes=broke(DROPPED, "a.json")) for n in range(2)]
    fleet = picture(tmp_path, *hosts, *quiet)
    assert len(fleet.changes) == CHANGE_LIMIT
    assert fleet.changes_left_out == 51
    assert fleet.changes[-1].hosts == ["q0", "q1"]


def test_many_of_one_kind_are_one(tmp_path: Path) -> None:
    packages = [fact(f"package p{n:03d} 1 → 2") for n in range(300)]
    edited = [cause(f"{n}.json was edited", kind="workflow") for n in range(30)]
    packs = [cause(f"pack{n} 1 → 2") for n in range(FEW + 3)]
    found = changes(
        [*edited, *packs],
        [worse(f"{n}.json", each) for n, each in enumerate([*edited, *packs])],
        packages,
    )
    fleet = picture(tmp_path, changed("a", changes=found), changed("b", changes=found))
    several = [change for change in fleet.changes if change.parts]
    assert [(change.text, change.worse) for change in several] == [
        ("30 changes of saved workflows, such as: 0.json was edited", 30),
        ("300 changes of packages, such as: package p000 1 → 2", 0),
    ]
    assert len(several[0].workflows) == len(several[0].parts) == NAMES_LIMIT
    assert sum(change.kind == "pack" for change in fleet.changes) == FEW + 3


def test_the_least_sure_is_said_with_what_it_may_be(tmp_path: Path) -> None:
    guess = DROPPED | {"sureness": "one_of", "candidates": ["this", "that"]}
    change = only(
        picture(
            tmp_path,
            changed("a", changes=broke(DROPPED, "a.json")),
            changed("b", changes=broke(guess, "a.json")),
        )
    )
    assert (change.sureness, change.candidates) == ("one_of", ["this", "that"])


def test_one_host_puts_no_words_into_the_others_mouths(tmp_path: Path) -> None:
    forged = DROPPED | {"text": "A lie"}
    change = only(
        picture(
            tmp_path,
            changed("a", changes=broke(forged, "a.json")),
            changed("b", changes=broke(DROPPED, "a.json")),
            changed("c", changes=broke(DROPPED, "a.json")),
        )
    )
    assert (change.text, change.hosts) == (DROPPED["text"], ["a", "b", "c"])


def test_times_are_by_the_hosts_own_clock_and_none_is_ahead(tmp_path: Path) -> None:
    behind = NOW - 240 * HOUR
    slow = changed("slow", behind - HOUR, changes=broke(DROPPED, "a.json"))
    slow["status"] = status(behind)
    assert only(picture(tmp_path, slow)).last_at == at(NOW - HOUR)
    lost = changed("lost", changes=broke(DROPPED, "a.json"))
    lost["status"]["now"] = 9e14
    assert only(picture(tmp_path, lost)).last_at.startswith("1970-01-01")
    ahead = changed("ahead", NOW + 1e6, changes=broke(DROPPED, "a.json"))
    assert only(picture(tmp_path, ahead)).last_at == at(NOW)


def test_of_which_hosts_it_is_not_known(tmp_path: Path) -> None:
    fleet = picture(
        tmp_path,
        sample.host("old program"),
        sample.host("none", report=None),
        changed("stale", NOW - 90 * HOUR, changes=broke(DROPPED, "a.json")),
        changed("first", changes=None),
        changed("well"),
    )
    assert sorted(fleet.changes_unknown) == ["first", "none", "old program", "stale"]
    assert told(fleet) == [(DROPPED["text"], ["stale"], 1)]
    assert fleet.worse_hosts == []


@pytest.mark.parametrize(
    "more",
    [
        {"changes": [1]},
        {"changes": {"workflows": [{"kind": "worse"}]}},
        {"changes": changes([{"id": "x"}])},
        {"timeline": [{"at": "yesterday"}]},
        {"timeline": [milestone(NOW, texts=["x"]) | {"worse": "many"}]},
        {"timeline": [{"at": "9999-12-31T23:59:59-14:00", "texts": [7]}]},
    ],
)
def test_damage_is_told_and_takes_nothing_else_along(tmp_path: Path, more: dict[str, Any]) -> None:
    fleet = picture(tmp_path, changed("a", **more), changed("b", changes=broke(DROPPED, "a.json")))
    (remark,) = fleet.hosts[0].remarks
    assert remark.code == "damaged"
    assert remark.message.startswith("what its report says of changes is damaged: ")
    assert (fleet.hosts[0].state, fleet.hosts[0].runnable) == ("problem", 1)
    assert told(fleet) == [(DROPPED["text"], ["b"], 1)]
    assert fleet.changes_unknown == ["a"]


def test_what_is_read_is_what_a_report_has(tmp_path: Path) -> None:
    """The samples are written by hand; these are of the models."""
    found = results.Cause(
        id="1" * 64,
        kind=results.CauseKind.PACK,
        sureness=results.Sureness.LIKELY,
        name="PACK",
        text="PACK 1 → 2",
    )
    last = results.Changes.model_validate(
        {
            "since": at(NOW),
            "causes": [found],
            "workflows": [worse("a.json") | {"causes": [found.id]}],
            "host": [fact("package torch 1 → 2")],
        }
    )
    short = results.PastCause(
        id=found.id, kind=found.kind, sureness=found.sureness, name="PACK", text=found.text, worse=7
    )
    past = results.Milestone.model_validate(
        {"at": at(NOW - 9 * HOUR), "texts": [found.text], "causes": [short], "worse": 7}
    )
    fleet = picture(
        tmp_path,
        changed("a", changes=last.model_dump(mode="json")),
        changed("b", timeline=[past.model_dump(mode="json")]),
    )
    assert told(fleet) == [("PACK 1 → 2", ["a", "b"], 7), ("package torch 1 → 2", ["a"], 0)]


def test_a_cycle_that_is_not_on_record_is_told(tmp_path: Path) -> None:
    run = {"outcome": "done", "started_at": at(NOW), "history": "the disk is full"}
    a = sample.host("a", report=report({}), status=status(last_run=run))
    found = picture(tmp_path, a).hosts[0]
    assert [(r.code, r.problem) for r in found.remarks] == [("history", False)]
