"""What was put on record is found again, as it was at each time."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.error import HistoryError
from comfywatchman.history.facts import Environment, FactKind
from comfywatchman.history.records import state_key
from comfywatchman.history.world import World
from comfywatchman.results import (
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    HostChange,
    LastRun,
    Milestone,
    Outcome,
    PastCause,
    PastVerdict,
    Sureness,
    Verdict,
    WorkflowChange,
)
from comfywatchman.workflow import postponed
from tests.unit.history.cycles import (
    broken,
    digest,
    environment,
    finding,
    full,
    opened,
    remember,
    report,
    row,
    when,
    workflow,
    world,
)

if TYPE_CHECKING:
    from pathlib import Path

CAUSE = Cause(
    id="c1",
    kind=CauseKind.MODEL,
    sureness=Sureness.CERTAIN,
    name="a.safetensors",
    text="checkpoints/a.safetensors went",
)

IN_SHORT = {"id", "kind", "sureness", "name", "text"}


def worse(path: str, since: int) -> Changes:
    change = WorkflowChange(
        path=path,
        name=path.rpartition("/")[2],
        kind=ChangeKind.WORSE,
        before=Verdict.RUNNABLE,
        after=Verdict.BROKEN,
        causes=["c1"],
    )
    host = HostChange(kind="model", name="checkpoints/a.safetensors", before="1 byte", text="went")
    return Changes(since=when(since), workflows=[change], causes=[CAUSE], host=[host])


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        assert history.trouble is None
        assert history.notes == []
        assert history.previous() is None
        assert history.past(when(0)) == history.facts_at(when(0)) == {}
        assert history.events() == history.timeline(when(0), 9) == history.cycles(when(0)) == []
        assert history.report_at(when(0)) is history.last_good("a") is None
    names = {file.name for file in tmp_path.iterdir()}
    assert {"history.sqlite3"} <= names <= {"history.sqlite3", "history.sqlite3-journal"}
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_the_last_full_cycle_is_known(tmp_path: Path) -> None:
    found = [workflow("/w/a"), broken("/w/b")]
    remember(tmp_path, 0, found, facts=environment(p="1"), rests_on=world("A"))
    with opened(tmp_path) as history:
        history.remember(row(1, Outcome.SKIPPED), None)
        history.remember(row(2, Outcome.FAILED), None)
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        assert (previous.started_at, previous.skipped) == (when(0), 2)
        assert (previous.program, previous.version) == ("program", "1.0")
        assert {path: state.verdict for path, state in previous.states.items()} == {
            "/w/a": Verdict.RUNNABLE,
            "/w/b": Verdict.BROKEN,
        }
        state = previous.states["/w/b"]
        assert (state.since, state.key, state.name) == (when(0), state_key(found[1]), "b")
        assert state.content_digest == digest("/w/b")
        assert previous.report("/w/b") == found[1].model_copy(update={"since": when(0)})
        assert previous.report("/w/c") is None
        assert previous.facts() == environment(p="1").facts
        assert [cycle.outcome for cycle in history.cycles(when(1))] == ["failed", "skipped"]
        assert history.cycles(when(0))[2] == row(0)


def test_a_workflow_is_known_by_name_when_it_is_gone(tmp_path: Path) -> None:
    remember(tmp_path, 0, [workflow("/w/a"), broken("/w/b")])
    remember(tmp_path, 1, [workflow("/w/a").model_copy(update={"name": "new name"})])
    with opened(tmp_path) as history:
        assert history.names() == {"/w/a": "new name", "/w/b": "b"}


def test_an_unchanged_cycle_adds_one_small_row(tmp_path: Path) -> None:
    found = [workflow(f"/w/{number}") for number in range(50)]
    everything = {"facts": environment(p="1"), "rests_on": world("A")}
    remember(tmp_path, 0, found, **everything)
    before = rows(tmp_path)
    remember(tmp_path, 1, found, **everything)
    after = rows(tmp_path)
    assert after.pop("cycle") == before.pop("cycle") + 1
    assert after == before


def rows(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / "history.sqlite3")) as database:
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for (name,) in names
        }


def test_verdicts_are_told_from_the_one_that_held_then(tmp_path: Path) -> None:
    states = [workflow("/w/a"), broken("/w/a"), broken("/w/a", "b"), workflow("/w/a")]
    for number, found in enumerate(states):
        remember(tmp_path, number, [found, workflow("/w/still")])
    with opened(tmp_path) as history:
        told = [
            PastVerdict(since=when(0), verdict=Verdict.RUNNABLE),
            PastVerdict(since=when(1), verdict=Verdict.BROKEN),
            PastVerdict(since=when(3), verdict=Verdict.RUNNABLE),
        ]
        assert history.past(when(-9)) == {"/w/a": told, "/w/still": told[:1]}
        assert history.past(when(2))["/w/a"] == told[1:]
        assert history.past(when(9))["/w/a"] == told[2:]


def test_the_report_is_as_it_was(tmp_path: Path) -> None:
    first = [workflow("/w/a"), workflow("/w/gone")]
    then = [broken("/w/a"), workflow("/w/new")]
    changes = worse("/w/a", 0)
    remember(tmp_path, 0, first)
    remember(tmp_path, 1, first)
    remember(tmp_path, 2, then, changes=changes)
    with opened(tmp_path) as history:
        assert history.report_at(when(0) - timedelta(microseconds=1)) is None
        for number, found, known in ((0, first, None), (1, first, None), (2, then, changes)):
            expected = report(
                number,
                [
                    each.model_copy(update={"since": when(2 if found is then else 0)})
                    for each in found
                ],
                known,
            )
            assert history.report_at(when(number) + timedelta(minutes=1)) == expected


def test_what_changed_is_told_by_cycle_and_by_workflow(tmp_path: Path) -> None:
    remember(tmp_path, 0, [workflow("/w/a"), workflow("/w/b")])
    both = worse("/w/a", 0)
    both = both.model_copy(
        update={
            "workflows": [
                *both.workflows,
                WorkflowChange(path="/w/b", name="b", kind=ChangeKind.GONE, before="runnable"),
            ],
            "not_known": ["something"],
            "host_left_out": 3,
        }
    )
    remember(tmp_path, 1, [broken("/w/a")], changes=both)
    remember(tmp_path, 2, [broken("/w/a")], changes=Changes(since=when(1)))
    with opened(tmp_path) as history:
        (event,) = history.events()
        assert (event.at, event.changes) == (when(1), both)
        (event,) = history.events(workflow="/w/b")
        assert event.changes.workflows == both.workflows[1:]
        assert event.changes.causes == []
        (event,) = history.events(workflow="/w/a")
        assert event.changes.causes == [CAUSE]
        assert history.events(workflow="/w/none") == history.events(when(2)) == []
        assert history.timeline(when(0), 5) == [
            Milestone(
                at=when(1),
                texts=[CAUSE.text, "went"],
                causes=[PastCause(**CAUSE.model_dump(include=IN_SHORT), worse=1)],
                worse=1,
                mended=0,
            )
        ]


def test_a_milestone_is_cut(tmp_path: Path) -> None:
    host = [HostChange(kind="model", name=f"{n}", text=f"{n} went") for n in range(30)]
    changes = Changes(since=when(0), host=host, host_left_out=70)
    remember(tmp_path, 0, [])
    remember(tmp_path, 1, [], changes=changes)
    with opened(tmp_path) as history:
        (milestone,) = history.timeline(when(0), 5)
        assert len(milestone.texts) == 13
        assert milestone.texts[-1] == "and 88 more"


def test_what_was_postponed_keeps_its_state(tmp_path: Path) -> None:
    late = workflow("/w/a", Verdict.UNKNOWN, postponed.not_judged())
    remember(tmp_path, 0, [broken("/w/a")])
    remember(tmp_path, 1, [late, late.model_copy(update={"path": "/w/new"})])
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        assert previous.states.keys() == {"/w/a"}
        assert previous.states["/w/a"].verdict is Verdict.BROKEN
        assert previous.started_at == when(1)


def test_what_could_not_be_judged_hides_nothing(tmp_path: Path) -> None:
    unknown = workflow("/w/a", Verdict.UNKNOWN, finding("x", "unreadable_file"))
    remember(tmp_path, 0, [broken("/w/a")])
    remember(tmp_path, 1, [unknown])
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        assert previous.states["/w/a"].verdict is Verdict.UNKNOWN
        known = previous.known("/w/a")
        assert known is not None
        assert known.verdict is Verdict.BROKEN
        assert previous.known("/w/b") is None


def test_one_that_comes_back_goes_on(tmp_path: Path) -> None:
    for number, found in enumerate([[workflow("/w/a")], [], [workflow("/w/a")]]):
        remember(tmp_path, number, found)
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        assert previous.states["/w/a"].since == when(2)
        assert [each.since for each in history.past(when(0))["/w/a"]] == [when(0), when(2)]
        gone = history.report_at(when(1))
        assert gone is not None
        assert gone.workflows == []
        assert rows(tmp_path)["workflow"] == rows(tmp_path)["found"] == 1


def test_the_last_cycle_in_which_it_ran_is_known(tmp_path: Path) -> None:
    for number, found in enumerate([workflow("/w/a")] * 3 + [broken("/w/a")] * 2):
        remember(tmp_path, number, [found, workflow("/w/fine"), broken("/w/never")])
    with opened(tmp_path) as history:
        assert history.last_good("/w/a") == when(2)
        assert history.last_good("/w/fine") == when(4)
        assert history.began() == when(0)
        assert history.content_at("/w/a", when(2)) == digest("/w/a")
        assert (
            history.content_at("/w/a", when(-1)) is history.content_at("/w/none", when(2)) is None
        )
        assert history.last_good("/w/never") is history.last_good("/w/none") is None


def test_facts_are_as_they_were_and_the_unseen_stand(tmp_path: Path) -> None:
    hostile: dict[str, Any] = {"\ud800\0": {"version": "\udfff"}, "p": {"version": "2"}}
    cycles = [
        environment(p="1", q="1"),
        environment(p="2"),
        Environment(blind={FactKind.PACK: "not seen"}),
        Environment({FactKind.PACK: hostile, FactKind.COMFYUI: {"": {"version": "1"}}}),
    ]
    for number, facts in enumerate(cycles):
        remember(tmp_path, number, [], facts=facts)
    with opened(tmp_path) as history:
        for number, seen in enumerate([0, 1, 1, 3]):
            assert history.facts_at(when(number)) == cycles[seen].facts
        assert history.facts_at(when(-1)) == {}


def test_what_went_is_known_as_it_was_last(tmp_path: Path) -> None:
    cycles = [
        {"p": "1", "q": "1", "r": "1"},
        {"p": "2", "q": "1"},
        {"r": "3"},
        {"r": "3", "p": "4"},
    ]
    for number, packs in enumerate(cycles):
        remember(tmp_path, number, [], facts=environment(**packs))
    with opened(tmp_path) as history:
        assert history.gone(FactKind.PACK) == {"q": environment(q="1").facts[FactKind.PACK]["q"]}
        assert history.gone(FactKind.MODEL) == {}


def test_what_is_no_json_survives_in_the_world(tmp_path: Path) -> None:
    odd = {
        "input": {
            "required": {
                "number": ["FLOAT", {"max": math.inf, "big": 2**70, "step": 0.1}],
                "file": [[f"\udc80 {number}" for number in range(100)], {"tooltip": "\0"}],
                "choice": ["COMBO", {"options": [f"{number}" for number in range(100)], "x": 1}],
                "few": [["a", 1, None], {}],
                "none": [],
                "odd": 5,
                "null": [None, {"options": [f"{number}" for number in range(100)]}],
            },
            "optional": 7,
        },
        "output": ["IMAGE"],
    }
    kept = World(
        Catalog({"\ud800": odd, "a": 3, "b": {"input": None}}, "0.8.0", {"old": [math.inf]}),
        Inventory(
            files={"input": frozenset({"a\0", "\udc80"})},
            models={"vae": ("b", "a"), "clip": ()},
            embeddings=frozenset({"e"}),
            links={"input": {"a": "/b"}},
            paths={"input": ("/c", "/d")},
        ),
        depth=7,
        size=8,
    )
    remember(tmp_path, 0, [], rests_on=kept)
    assert_is_kept(tmp_path, kept)
    del odd["input"]["required"]["file"]  # type: ignore[attr-defined]
    for changed in (kept, world("A", "B"), world("B")):
        remember(tmp_path, 1, [], rests_on=changed)
        assert_is_kept(tmp_path, changed)
    assert rows(tmp_path)["list"] == 0


def assert_is_kept(folder: Path, expected: World) -> None:
    with opened(folder) as history:
        previous = history.previous()
        assert previous is not None
        found = previous.world()
    assert found is not None
    assert found.catalog.declarations == expected.catalog.declarations
    assert list(found.catalog.declarations) == sorted(expected.catalog.declarations)
    assert found.catalog.version == expected.catalog.version
    assert found.catalog.replacements == expected.catalog.replacements
    assert found.inventory == expected.inventory
    assert (found.depth, found.size) == (expected.depth, expected.size)


def test_not_a_number_is_none(tmp_path: Path) -> None:
    remember(tmp_path, 0, [], rests_on=world("A", default=math.nan))
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        found = previous.world()
    assert found is not None
    assert math.isnan(found.catalog.declarations["A"]["default"])


def test_a_world_that_cannot_be_kept_is_not_taken_for_the_last_one(tmp_path: Path) -> None:
    remember(tmp_path, 0, [], rests_on=world("A"))
    remember(tmp_path, 1, [], rests_on=None)
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        assert previous.world() is None


def test_a_cycle_that_was_killed_is_on_record_once(tmp_path: Path) -> None:
    killed = LastRun(
        comfywatchman_version="1.0",
        host="host",
        pid=1,
        outcome=Outcome.RUNNING,
        reason="the cycle is running",
        started_at=when(1),
    )
    remember(tmp_path, 0, [])
    for _ in range(2):
        with opened(tmp_path) as history:
            history.record_interrupted(killed.model_copy(update={"started_at": when(0)}))
            history.record_interrupted(killed)
            history.record_interrupted(killed.model_copy(update={"paths": ["/w/a"]}))
    with opened(tmp_path) as history:
        assert [cycle.outcome for cycle in history.cycles(when(0))] == ["running", "done"]
        previous = history.previous()
        assert previous is not None
        assert previous.skipped == 1


def test_a_clock_that_was_set_back_harms_nothing(tmp_path: Path) -> None:
    for number in (1000, 5, 5, 6):
        remember(tmp_path, number, [workflow("/w/a", content=f"{number}"), broken("/w/b")])
    with opened(tmp_path) as history:
        previous = history.previous()
        assert previous is not None
        assert previous.started_at == when(6)
        assert previous.states["/w/a"].content_digest == digest("6")
        now = history.report_at(when(7))
        assert now is not None
        assert {each.path for each in now.workflows} == {"/w/a"}
        assert len(history.cycles(when(0))) == 4


def test_no_days_are_no_history(tmp_path: Path) -> None:
    with opened(tmp_path, days=0, copies_room=0) as history:
        history.remember(row(0), full(0, [workflow("/w/a")]))
        history.copies.put("/w/a", digest("a"), b"a")
        history.copies.commit()
        assert history.previous() is history.trouble is None
        assert history.notes == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_beside_a_cycle_is_there_if_and_only_if_the_cycle_is(
    tmp_path: Path,
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('beside', 1)")
        raise OSError("no room")

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('beside', 2)")

    def beside(connection: sqlite3.Connection) -> list[int]:
        rows = connection.execute("SELECT value FROM meta WHERE name = 'beside'")
        return [value for (value,) in rows]

    with opened(tmp_path) as history:
        with pytest.raises(HistoryError, match="could not be written"):
            history.remember(row(0), full(0, []), fail)
        assert history.previous() is None
        assert history.ask(beside, []) == []
        history.remember(row(0), None, write)
        assert history.ask(beside, []) == [2]
