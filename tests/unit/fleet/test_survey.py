"""What is made of what the hosts reported."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter

from comfywatchman.comfyui.inventory_file import INVENTORY_SCHEMA_VERSION
from comfywatchman.errors import Exit
from comfywatchman.fleet import command, differences, folder, markdown
from comfywatchman.fleet.folder import NEWEST_INVENTORY, NEWEST_REPORT
from comfywatchman.fleet.model import Fleet, Host
from comfywatchman.fleet.survey import survey
from comfywatchman.fleet.words import identity
from comfywatchman.report.accepted import in_words
from comfywatchman.results import REPORT_SCHEMA_VERSION, FailingChannel, Notices
from tests.unit.fleet import sample
from tests.unit.fleet.sample import HOUR, NOW, at, finding, host, packed, report, status, workflow
from tests.unit.report import sample as reports

if TYPE_CHECKING:
    from pathlib import Path


def picture(at_: Path, *hosts: dict[str, Any], stale_after: float | None = None) -> Fleet:
    sample.write(at_, hosts, expected=[each["host"] for each in hosts])
    return survey(folder.read(at_), NOW, stale_after)


def only(at_: Path, **more: Any) -> Host:
    return picture(at_, host("a", **more)).hosts[0]


def codes(found: Host) -> set[str]:
    return {remark.code for remark in found.remarks}


def states(fleet: Fleet, workflow: str) -> dict[str, str]:
    found = next(w for w in fleet.workflows if w.name == workflow)
    return {name: group.state for group in found.groups for name in group.hosts}


def test_a_fleet_that_is_well(tmp_path: Path) -> None:
    fleet = picture(tmp_path, host("a"), host("b", report=report({"a.json": "broken"})))
    assert fleet.well
    assert [(h.name, h.state, h.remarks) for h in fleet.hosts] == [
        ("a", "well", []),
        ("b", "well", []),
    ]
    assert states(fleet, "a.json") == {"a": "runnable", "b": "broken"}
    assert fleet.workflows[0].runnable_on == ["a"]
    finding = fleet.findings[fleet.workflows[0].groups[0].findings[0]]
    assert finding.message == "checkpoint for 'a.json' is not on the server"
    assert finding.where == "CheckpointLoaderSimple #4 (ckpt_name)"


@pytest.mark.parametrize(
    ("more", "state", "code"),
    [
        ({"failure": "Connection timed out", "unreachable": True}, "silent", "unreachable"),
        ({"failure": "no python3"}, "silent", "not_collected"),
        ({"asked_at": NOW - 99, "collected_at": NOW - 99}, "silent", "not_collected"),
        ({"report": None}, "silent", "no_report"),
        ({"status": status(installed=False)}, "silent", "not_installed"),
        ({"report": report({}, NOW - 5 * HOUR)}, "stale", "stale"),
        ({"report": report({}, NOW + 5 * HOUR)}, "stale", "stale"),
        ({"status": status(timer=status()["timer"] | {"sub": "elapsed"})}, "problem", "timer"),
        ({"status": status(timer=status()["timer"] | {"next": None})}, "problem", "timer"),
        ({"status": status(timer=status()["timer"] | {"enabled": False})}, "problem", "timer"),
        ({"status": status(timer=None, manager=False)}, "problem", "manager"),
        ({"status": status(exposed=["/x"])}, "problem", "exposed"),
        ({"status": status(held_by={"by": "anna@desk", "since": "then"})}, "well", "held"),
        ({"status": status(complaint="no bus")}, "problem", "systemd"),
        (
            {"status": status(service={"active": "failed", "result": "timeout"})},
            "problem",
            "service_failed",
        ),
        (
            {"status": status(last_run={"outcome": "failed", "reason": "x"})},
            "problem",
            "cycle_failed",
        ),
        ({"status": status(last_run={"outcome": "running"})}, "problem", "cycle_interrupted"),
        (
            {"status": status(last_run={"outcome": "skipped", "reason": "busy"})},
            "well",
            "cycle_skipped",
        ),
        ({"status": status(last_run=None)}, "well", "no_cycle"),
    ],
)
def test_what_ails_a_host(tmp_path: Path, more: dict[str, Any], state: str, code: str) -> None:
    found = only(tmp_path, **more)
    assert (found.state, codes(found)) == (state, {code})


def test_a_cycle_that_runs_now_is_no_trouble(tmp_path: Path) -> None:
    running = {"outcome": "running", "started_at": at(NOW)}
    timer = status()["timer"] | {"sub": "running", "next": None}
    service = {"active": "activating", "result": "success"}
    found = only(tmp_path, status=status(last_run=running, timer=timer, service=service))
    assert (found.state, found.remarks) == ("well", [])


def test_a_host_without_systemd_needs_no_timer(tmp_path: Path) -> None:
    found = only(tmp_path, status=status(scheduler="apscheduler", timer=None, manager=False))
    assert (found.state, found.timer) == ("well", None)


def test_a_host_without_systemd_has_an_interval_of_its_own(tmp_path: Path) -> None:
    six_hours = status(
        scheduler="apscheduler",
        timer=None,
        manager=False,
        schedule={"interval": 6 * HOUR, "slack": 120},
    )
    found = [
        only(tmp_path, status=six_hours, report=report({}, NOW - hours * HOUR)).state
        for hours in (5, 12, 13)
    ]
    assert found == ["well", "well", "stale"]


def skipped(moment: float, refusal: str = "comfyui") -> dict[str, Any]:
    answers = [{"name": name, "ok": name != refusal} for name in ("gpu", "comfyui", "disk", "lock")]
    times = {"started_at": at(moment), "finished_at": at(moment)}
    return {"outcome": "skipped", "reason": "nothing answers", "gate": answers, **times}


@pytest.mark.parametrize(
    "old", [{"report": None}, {"report": report({"a.json": "runnable"}, NOW - 90 * HOUR)}]
)
def test_a_host_whose_comfyui_is_off_is_seen_and_not_red(
    tmp_path: Path, old: dict[str, Any]
) -> None:
    def fleet(**last_run: Any) -> Fleet:
        return picture(tmp_path, host("a", **old, status=status(last_run=skipped(**last_run))))

    off = fleet(moment=NOW - HOUR)
    assert (off.well, off.hosts[0].state) == (True, "stale")
    assert codes(off.hosts[0]) == {"cycle_skipped", "always_skipped"}
    assert not any(group.state == "runnable" for w in off.workflows for group in w.groups)
    # Nobody frees a disk by waiting, and a timer that does not start is no pause.
    for last_run in ({"moment": NOW - HOUR, "refusal": "disk"}, {"moment": NOW - 9 * HOUR}):
        red = fleet(**last_run)
        assert (red.well, codes(red.hosts[0]) & {"always_skipped"}) == (False, set())


def test_a_silent_or_stale_host_can_run_nothing_for_sure(tmp_path: Path) -> None:
    fleet = picture(
        tmp_path,
        host("gone", unreachable=True, failure="x"),
        host("old", report=report({"a.json": "broken"}, NOW - 9 * HOUR)),
        host("well"),
    )
    assert not fleet.well
    assert states(fleet, "a.json") == {"gone": "silent", "old": "stale", "well": "runnable"}
    assert {g.state: g.verdict for g in fleet.workflows[0].groups} == {
        "silent": "runnable",
        "stale": "broken",
        "runnable": "runnable",
    }
    assert fleet.workflows[0].runnable_on == ["well"]


def test_when_a_report_is_stale(tmp_path: Path) -> None:
    """Two intervals, the timer's delay, and a quarter of an hour: here 4.5 hours."""
    made = report({}, NOW - 4.4 * HOUR)
    slower = status(timer=status()["timer"] | {"interval": 6 * HOUR})
    assert only(tmp_path, report=made).state == "well"
    assert only(tmp_path, report=report({}, NOW - 4.6 * HOUR)).state == "stale"
    assert only(tmp_path, report=report({}, NOW - 9 * HOUR), status=slower).state == "well"
    assert picture(tmp_path, host("a", report=made), stale_after=4 * HOUR).hosts[0].state == "stale"


def test_ages_are_by_the_hosts_own_clock(tmp_path: Path) -> None:
    """A host ten days behind, which reported an hour ago, and was asked half an hour ago."""
    behind = NOW - 240 * HOUR
    more = {"collected_at": NOW - HOUR / 2, "asked_at": NOW, "report": report({}, behind - HOUR)}
    found = only(tmp_path, status=status(behind), **more)
    assert found.report_age_s == 1.5 * HOUR
    assert (found.state, codes(found)) == ("well", {"clock"})
    assert found.remarks[0].message == "its clock is 9 days behind"


def test_a_host_outside_the_limit_keeps_what_it_last_said(tmp_path: Path) -> None:
    sample.write(tmp_path, [host("a", asked_at=NOW - 2 * HOUR, collected_at=NOW - 2 * HOUR)])
    listed = [{"name": "a", "file": "a.json", "asked": False}]
    expected = {"schema_version": 1, "started_at": NOW - 5, "hosts": listed}
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    found = next(iter(survey(folder.read(tmp_path), NOW).hosts))
    assert (found.state, found.collected_age_s) == ("well", 2 * HOUR)


def test_hosts_are_those_that_should_be_there(tmp_path: Path) -> None:
    sample.write(tmp_path, [host("a"), host("left")], expected=["a", "never"])
    fleet = survey(folder.read(tmp_path), NOW)
    assert [(h.name, h.state) for h in fleet.hosts] == [("a", "well"), ("never", "silent")]


def test_without_a_list_they_are_those_that_reported(tmp_path: Path) -> None:
    sample.write(tmp_path, [host("b"), host("a")])
    assert [h.name for h in survey(folder.read(tmp_path), NOW).hosts] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "name", "same"),
    [
        ("/srv/w/flux/a.json", "flux/a.json", "flux/a.json"),
        ("userdata:default/workflows/flux/a.json", "default/flux/a.json", "flux/a.json"),
        ("/srv/user/default/workflows/flux/a.json", "default/flux/a.json", "flux/a.json"),
        ("userdata:maria/workflows/a.json", "maria/a.json", "maria/a.json"),
        ("/srv/w/default/a.json", "default/a.json", "default/a.json"),
    ],
)
def test_what_makes_workflows_the_same(path: str, name: str, same: str) -> None:
    assert identity(path, name) == same


def test_the_worse_of_two_with_one_name_counts(tmp_path: Path) -> None:
    made = report({}) | {
        "workflows": [sample.workflow("a.json", v) for v in ("runnable", "broken", "partial")]
    }
    assert states(picture(tmp_path, host("a", report=made)), "a.json") == {"a": "broken"}


def test_models_and_packs_that_differ(tmp_path: Path) -> None:
    def stocked(name: str, models: list[str], packs: dict[str, int]) -> dict[str, Any]:
        return host(name, inventory=sample.inventory({"loras": models}, packs))

    fleet = picture(
        tmp_path,
        stocked("a", ["x", "y", "z"], {"kj": 2, "same": 1}),
        stocked("b", ["x"], {"kj": 3, "same": 1}),
        stocked("c", ["x", "y", "z"], {"same": 1}),
        host("no inventory", inventory=None),
        host("gone", unreachable=True, failure="x"),
    )
    assert fleet.compared == ["a", "b", "c"]
    assert [(d.folder, d.names, d.on, d.missing_on) for d in fleet.models] == [
        ("loras", ["y", "z"], ["a", "c"], ["b"])
    ]
    assert [(p.name, [(v.node_types, v.hosts) for v in p.variants]) for p in fleet.packs] == [
        ("kj", [(3, ["b"]), (2, ["a"]), (0, ["c"])])
    ]


def packs(fleet: Fleet) -> dict[str, list[tuple[str | None, str | None, list[str]]]]:
    return {p.name: [(v.version, v.commit, v.hosts) for v in p.variants] for p in fleet.packs}


def test_packs_of_another_version_or_commit_differ(tmp_path: Path) -> None:
    def stocked(name: str, **packs: dict[str, Any]) -> dict[str, Any]:
        known = {n: {"node_types": 5} | pack for n, pack in packs.items()}
        return host(name, inventory=sample.known_inventory({}, known))

    one, two = {"version": "1.2.0", "enabled": True}, {"version": "1.3.0", "enabled": True}
    commit = {"commit": "c" * 40}
    fleet = picture(
        tmp_path,
        stocked("a", newer=one, same=one, git=commit, failed=two, lacking=one),
        stocked("b", newer=two, same=one | commit, git={"commit": "d" * 40}, failed=two),
        stocked("c", newer=one, same={}, git={}, failed=two | {"import_failed": True}, lacking={}),
        host("old", inventory=sample.inventory({}, dict.fromkeys(["newer", "same", "git"], 5))),
    )
    assert packs(fleet) == {
        "failed": [("1.3.0", None, ["a", "b"]), ("1.3.0", None, ["c"]), (None, None, ["old"])],
        "git": [
            (None, None, ["c", "old"]),
            (None, commit["commit"], ["a"]),
            (None, "d" * 40, ["b"]),
        ],
        "lacking": [(None, None, ["b", "old"]), ("1.2.0", None, ["a"]), (None, None, ["c"])],
        "newer": [("1.2.0", None, ["a", "c"]), ("1.3.0", None, ["b"]), (None, None, ["old"])],
    }


def test_a_pack_without_node_types_is_missed_where_the_disk_was_seen(tmp_path: Path) -> None:
    def stocked(name: str, *packs: str, **pack: Any) -> dict[str, Any]:
        known = dict.fromkeys(packs, {"node_types": 0, "enabled": True} | pack)
        return host(name, inventory=sample.known_inventory({}, known))

    theme = stocked("a", "theme", "other")
    assert packs(picture(tmp_path, theme, host("old"))) == {}
    assert packs(picture(tmp_path, theme, stocked("b", "other"), host("old"))) == {
        "theme": [(None, None, ["b", "old"]), (None, None, ["a"])]
    }
    off = [stocked("c", "theme", enabled=False), stocked("d", "other", enabled=False)]
    assert "theme" not in packs(picture(tmp_path, *off))


def test_models_of_one_name_and_another_size_differ(tmp_path: Path) -> None:
    def stocked(name: str, **sizes: int | None) -> dict[str, Any]:
        return host(name, inventory=sample.known_inventory({"vae": sizes}, {}))

    fleet = picture(
        tmp_path,
        stocked("a", x=7, y=1, z=5),
        stocked("b", x=7, y=2, z=5),
        stocked("c", x=8, y=None, z=5),
        host("old", inventory=sample.inventory({"vae": ["x", "y", "z"]}, {})),
    )
    assert fleet.models == []
    assert [
        (m.folder, m.name, [(s.size, s.hosts) for s in m.sizes]) for m in fleet.model_sizes
    ] == [
        ("vae", "x", [(7, ["a", "b"]), (8, ["c"])]),
        ("vae", "y", [(1, ["a"]), (2, ["b"])]),
    ]


def test_models_of_one_size_and_another_content_differ(tmp_path: Path) -> None:
    def stocked(name: str, **hashes: str) -> dict[str, Any]:
        stock = sample.known_inventory({"vae": {"x": 7, "y": 7}}, {})
        return host(name, inventory={**stock, "hashes": {"vae": hashes}})

    fleet = picture(
        tmp_path,
        stocked("a", x="1" * 64, y="3" * 64),
        stocked("b", x="2" * 64),
        stocked("c", y="3" * 64),
    )
    (model,) = fleet.model_sizes
    assert (model.folder, model.name) == ("vae", "x")
    assert {(s.size, s.sha256): s.hosts for s in model.sizes} == {
        (7, "1" * 64): ["a"],
        (7, "2" * 64): ["b"],
        (7, None): ["c"],
    }


def test_of_too_many_models_of_another_size_the_rest_is_counted(tmp_path: Path) -> None:
    def stocked(name: str, size: int) -> dict[str, Any]:
        sizes = {f"{n:04}": size for n in range(differences.DIFFERENCE_LIMIT + 7)}
        return host(name, inventory=sample.known_inventory({"vae": sizes}, {}))

    fleet = picture(tmp_path, stocked("a", 1), stocked("b", 2))
    assert [m.name for m in fleet.model_sizes][-1] == f"{differences.DIFFERENCE_LIMIT - 1:04}"
    assert fleet.model_sizes_left_out == 7


@pytest.mark.parametrize(
    "inventory",
    [
        sample.known_inventory({"vae": {"x": -1e300}}, {}),
        sample.known_inventory({"vae": ["x"]}, {}),  # type: ignore[dict-item]
        sample.known_inventory({}, {"p": {"version": "1"}}),
        sample.known_inventory({}, {"p": {"node_types": 1, "version": 1}}),
        sample.known_inventory({}, {"p": {"node_types": 1, "enabled": "yes"}}),
        sample.known_inventory({}, {}) | {"schema_version": 3},
    ],
)
def test_an_inventory_that_is_damaged_is_not_compared(tmp_path: Path, inventory: Any) -> None:
    fleet = picture(tmp_path, host("a", inventory=inventory), host("b"))
    assert codes(fleet.hosts[0]) == {"damaged"}
    assert fleet.compared == ["b"]


def test_versions(tmp_path: Path) -> None:
    fleet = picture(
        tmp_path,
        host("a", status=status(release="2")),
        host("b", status=status(release="1"), report=report({}, version="0.1")),
        host("c", status=status(release="2")),
    )
    assert [(v.value, v.hosts) for v in fleet.releases] == [("2", ["a", "c"]), ("1", ["b"])]
    assert [(v.value, v.hosts) for v in fleet.comfyui_versions] == [
        ("0.9.0", ["a", "c"]),
        ("0.1", ["b"]),
    ]


def test_what_is_written_is_what_the_schema_promises(tmp_path: Path) -> None:
    fleet = survey(folder.read(sample.studio(tmp_path)), NOW)
    written = json.loads(command.as_json(fleet))
    assert TypeAdapter(Fleet).validate_python(written) == fleet


def test_hosts_are_upgraded_one_by_one(tmp_path: Path) -> None:
    """One host still reports in schema 1, the other in schema 2: they say the same."""
    old = report({"a.json": "broken"})
    new = report({"a.json": "broken"}) | {"schema_version": NEWEST_REPORT}
    for judged in new["workflows"]:
        judged |= {"content_digest": "0" * 64, "models": [], "packs": []}
        for found in judged["findings"]:
            fix = {"id": "1-1", "kind": "put_file", "confidence": "likely", "text": found["fix"]}
            found |= {"fixes": [fix], "title": None, "subject": {"kind": "model", "name": "m"}}
            del found["fix"]
    fleet = picture(tmp_path, host("a", report=old), host("b", report=packed(new)))
    (group,) = fleet.workflows[0].groups
    assert group.hosts == ["a", "b"]
    assert fleet.findings[0].fix == "download it"
    assert fleet.well


def test_a_nodes_title_stands_beside_its_id(tmp_path: Path) -> None:
    new = report({}) | {"schema_version": NEWEST_REPORT}
    new["workflows"] = [workflow("a", "broken", finding("c", "m", title="Second pass"))]
    fleet = picture(tmp_path, host("a", report=new))
    assert fleet.findings[0].where == 'CheckpointLoaderSimple #4 "Second pass" (ckpt_name)'


def test_the_newest_schema_that_is_read_is_the_one_that_is_written() -> None:
    assert NEWEST_REPORT == REPORT_SCHEMA_VERSION
    assert NEWEST_INVENTORY == INVENTORY_SCHEMA_VERSION


WORDS = "accepted until 2026-12-31 by anna: the studio does without"


def test_what_is_accepted_on_a_host_is_a_group_of_its_own(tmp_path: Path) -> None:
    bad = {"a.json": "broken", "b.json": "runnable"}
    fleet = picture(
        tmp_path,
        *(host(name, report=sample.accepting(bad, "a.json")) for name in ("a", "b")),
        host("c", report=sample.accepting(bad)),
        host("d", report=sample.accepting(bad, "a.json", by=None, code="value_not_in_list")),
        host("e", report=sample.accepting(bad, "a.json", id="another")),
        host("f", report=report(bad)),
    )
    groups = {tuple(g.hosts): g.accepted for g in fleet.workflows[0].groups}
    assert groups == {
        ("a", "b", "e"): WORDS,
        ("c", "f"): None,
        ("d",): "accepted until 2026-12-31: the studio does without",
    }
    assert {g.state for g in fleet.workflows[0].groups} == {"broken"}
    assert [h.accepted for h in fleet.hosts] == [1, 1, 0, 1, 1, 0]
    assert [h.broken for h in fleet.hosts] == [1] * 6


def test_a_report_as_a_host_writes_it(tmp_path: Path) -> None:
    whole = reports.realistic()
    bad = next(w for w in whole.workflows if w.verdict == "broken")
    since = datetime.fromisoformat(at(NOW - 3 * HOUR))
    failing = FailingChannel(name="ntfy (line 2)", since=since, why="refused")
    notices = Notices(pending=2, failing=[failing])
    made = reports.accepted(whole, bad.name).model_copy(update={"notices": notices})
    told = json.loads(made.model_dump_json()) | {"started_at": at(NOW)}
    fleet = picture(tmp_path, host("a", report=told))
    (found,) = (g.accepted for w in fleet.workflows for g in w.groups if g.accepted)
    (entry,) = (w.accepted for w in made.workflows if w.accepted)
    assert f"{found} ({entry.id})" == in_words(entry)
    assert codes(fleet.hosts[0]) == {"messages", "channels"}
    (remark,) = (r for r in fleet.hosts[0].remarks if r.code == "channels")
    assert remark.message == (
        "as of its last full report, ntfy (line 2) could not be reached for 3 h: refused"
    )
    assert fleet.hosts[0].accepted == made.accepted.total == 1


def test_what_is_accepted_of_a_stale_host_is_not_known_to_hold(tmp_path: Path) -> None:
    old = sample.accepting({"a.json": "broken"}, "a.json") | {"started_at": at(NOW - 9 * HOUR)}
    found = picture(tmp_path, host("a", report=old)).workflows[0].groups[0]
    assert (found.state, found.verdict, found.accepted) == ("stale", "broken", WORDS)


@pytest.mark.parametrize(
    ("accepted", "other", "shown"),
    [("broken", "partial", "partial"), ("broken", "broken", "broken"), ("partial", "runnable", "")],
)
def test_of_two_of_one_name_the_one_nobody_accepted_counts(
    tmp_path: Path, accepted: str, other: str, shown: str
) -> None:
    both = [
        workflow("a.json", accepted) | {"accepted": sample.acceptance()},
        workflow("a.json", other),
    ]
    for order in (both, both[::-1]):
        (found,) = picture(tmp_path, host("a", report=report({}) | {"workflows": order})).workflows
        expected = (shown, None) if shown else (accepted, WORDS)
        assert [(g.state, g.accepted) for g in found.groups] == [expected]


def test_a_long_name_leaves_room_for_the_reason(tmp_path: Path) -> None:
    made = sample.accepting({"a.json": "broken"}, "a.json", by="x" * 5_000)
    (found,) = picture(tmp_path, host("a", report=made)).workflows[0].groups
    assert found.accepted is not None
    assert found.accepted.endswith(": the studio does without")


@pytest.mark.parametrize(
    "wrong", ["yes", {"reason": 1, "until": "2026-12-31"}, {"reason": "x"}, {"until": "2026-12-31"}]
)
def test_an_acceptance_that_is_none_is_damage(tmp_path: Path, wrong: object) -> None:
    made = report({}) | {"workflows": [workflow("a.json", "broken") | {"accepted": wrong}]}
    found = only(tmp_path, report=made)
    assert (found.state, codes(found)) == ("silent", {"damaged"})


@pytest.mark.parametrize(
    ("notices", "said"),
    [
        (None, None),
        ({"pending": 0, "last_told": at(NOW - HOUR)}, None),
        (
            {"pending": 1, "last_told": at(NOW - 5 * HOUR)},
            "1 message could not be told yet; what was told last is of 5 h ago",
        ),
        ({"pending": 1234, "last_told": None}, "1,234 messages could not be told yet"),
        ({"pending": 2}, "2 messages could not be told yet"),
    ],
)
def test_what_could_not_be_told_is_a_remark(
    tmp_path: Path, notices: object, said: str | None
) -> None:
    fleet = picture(tmp_path, host("a", report=report({}) | {"notices": notices}))
    (found,) = fleet.hosts
    assert (found.state, fleet.well) == ("well", True)
    assert [(r.code, r.problem) for r in found.remarks] == [("messages", False)] * (
        said is not None
    )
    if said is not None:
        assert found.remarks[0].message == (
            f"as of its last full report, {said}: comfywatchman status there says why"
        )


@pytest.mark.parametrize("wrong", [[], {"pending": "1"}, {"pending": 1, "last_told": "soon"}])
def test_notices_that_are_none_are_damage(tmp_path: Path, wrong: object) -> None:
    found = only(tmp_path, report=report({}) | {"notices": wrong})
    assert codes(found) == {"damaged"}


def test_a_file_that_is_damaged_on_several_hosts_is_one(tmp_path: Path) -> None:
    fleet = survey(folder.read(sample.render_nodes(tmp_path)), NOW)
    (found,) = fleet.damaged
    assert (found.folder, found.name, found.workflows) == ("vae", "ae.safetensors", 2)
    said = [(d.message.rpartition(": ")[2], d.fix, d.hosts) for d in found.damages]
    assert said == [
        ("9 bytes lack", "download it again", ["node0", "node1", "node2"]),
        ("10 bytes lack", "download it again", ["node3", "node4"]),
    ]
    lost = next(w for w in fleet.workflows if w.name == "lost.json")
    by_host = {h: (g.will_fail, g.damaged) for g in lost.groups for h in g.hosts}
    assert by_host == {
        **{f"node{n}": (True, ["vae/ae.safetensors"]) for n in range(5)},
        "node5": (False, []),
    }


def test_what_workflows_name_and_is_damaged_on_most_hosts_is_first(tmp_path: Path) -> None:
    other, rare = [sample.damage(name=name) for name in ("b", "a")]
    both = sample.failing({"a.json": "runnable"}, by=[other])
    named = sample.failing({"a.json": "runnable"}, "a.json", by=[rare])
    fleet = picture(tmp_path, *(host(n, report=both) for n in "xy"), host("z", report=named))
    assert [(f.name, f.workflows) for f in fleet.damaged] == [("a", 1), ("b", 0)]


def test_of_damaged_files_some_are_listed(tmp_path: Path) -> None:
    files = [sample.damage(name=f"{n:04d}") for n in range(700)]
    fleet = picture(tmp_path, host("a", report=sample.failing({}, by=files)))
    assert (len(fleet.damaged), fleet.damaged_left_out) == (500, 200)
    assert fleet.hosts[0].damaged_models == 700


def test_of_a_silent_host_no_damage_is_told(tmp_path: Path) -> None:
    made = sample.failing({"a.json": "runnable"}, "a.json")
    fleet = picture(tmp_path, host("a", report=made, failure="no route", unreachable=True))
    assert fleet.damaged == []


@pytest.mark.parametrize("wrong", [{"folder": 1}, {"message": None}, {"workflows": "all"}])
def test_damage_that_is_none_is_damage(tmp_path: Path, wrong: dict[str, object]) -> None:
    made = sample.failing({}, by=[sample.damage() | wrong])
    assert codes(only(tmp_path, report=made)) == {"damaged"}


def test_what_will_fail_for_a_damaged_model_does_not_run_there(tmp_path: Path) -> None:
    made = {"started_at": datetime.fromtimestamp(NOW - HOUR, UTC)}
    of_a = json.loads(reports.damaged().model_copy(update=made).model_dump_json())
    well = report({"a.json": "runnable"})
    fleet = picture(tmp_path, host("a", report=of_a), host("b", report=well))
    a, b = fleet.hosts
    assert (a.will_fail, a.damaged_models, b.will_fail) == (2, 2, 0)
    (told,) = [remark for remark in a.remarks if remark.code == "damaged_models"]
    assert told.message == "2 model files damaged: vae/wan/vae.safetensors, vae/x"
    assert not told.problem
    workflow = next(w for w in fleet.workflows if w.name == "a.json")
    assert workflow.runnable_on == ["b"]
    assert {host: group.will_fail for group in workflow.groups for host in group.hosts} == {
        "a": True,
        "b": False,
    }
    assert command.exit_code(fleet, "broken") is Exit.FAIL_ON
    assert command.exit_code(fleet, "hosts") is Exit.OK
    assert "runnable (will fail)" in markdown.render(fleet)
    assert "is runnable and will fail on" in markdown.render(fleet)
