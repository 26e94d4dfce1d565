"""The lines of a log: what must be seen has the priority of an error."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest

from comfywatchman.cycle.progress import (
    Alarmed,
    Compared,
    Event,
    Judged,
    Lines,
    Noted,
    ReadingBegins,
    WasRead,
    WillFail,
)
from comfywatchman.results import Acceptance, ChangeKind, Verdict
from tests.unit.report.sample import (
    changes,
    damaged,
    hostile,
    missing_model,
    remembered,
    report,
    workflow,
)

SINCE = report([]).started_at
FINDING = missing_model("x.ckpt", "4")
JUDGED = [
    workflow("broken", Verdict.BROKEN, FINDING),
    workflow("partial", Verdict.PARTIAL, FINDING),
    workflow("unknown", Verdict.UNKNOWN, not_checked=["it cannot be seen"]),
    workflow("fine", Verdict.RUNNABLE),
]
AS_BEFORE = {each.path: SINCE for each in JUDGED}


def lines(*events: Event, priorities: bool = True) -> list[str]:
    stream = io.StringIO()
    show = Lines(stream, priorities=priorities)
    for event in events:
        show(event)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Alarmed("a prompt\nwas queued"), "<3>ALARM: a prompt\\nwas queued\n"),
        (Noted("nothing special"), "<6>nothing special\n"),
        (ReadingBegins(4000, 5000), "<6>reading 4,000 of 5,000 workflows from the server\n"),
        (WasRead(), ""),
    ],
)
def test_priorities(event: Event, line: str) -> None:
    stream = io.StringIO()
    Lines(stream, priorities=True)(event)
    assert stream.getvalue() == line


def test_without_a_history_what_is_broken_is_a_warning() -> None:
    assert [line.partition(":")[0] for line in lines(Judged(JUDGED))] == [
        "<4>broken",
        "<4>partial",
        "<5>unknown",
        "<7>runnable",
    ]
    assert [line.partition(":")[0] for line in lines(Judged(JUDGED), priorities=False)] == [
        "broken",
        "partial",
        "unknown",
    ]


def test_what_is_accepted_is_said_to_be_and_warns_of_nothing() -> None:
    until = date(2026, 12, 31)
    acceptance = Acceptance(id="6563b41a", reason="the studio does\nwithout", until=until)
    accepted = {JUDGED[0].path: acceptance}
    said = lines(Judged(JUDGED, accepted=accepted))
    assert [line.partition(":")[0] for line in said[:2]] == ["<6>broken", "<4>partial"]
    assert "x.ckpt" in said[0]
    assert said[0].endswith("; accepted until 2026-12-31: the studio does\\nwithout (6563b41a)")
    assert lines(Judged(JUDGED, AS_BEFORE, accepted))[0].startswith("<7>still broken since ")


def test_what_got_as_bad_as_was_accepted_warns_of_nothing() -> None:
    compared = remembered().changes
    assert compared is not None
    worse = [c for c in compared.workflows if c.kind is ChangeKind.WORSE]
    (one,) = (c for c in worse if c.name == "portraits/outdoor.json")
    said = lines(Compared(compared, frozenset([one.path])))
    assert [line.partition(":")[0] for line in said[:3]] == [
        next(line for line in said if line.startswith("<4>3 workflows broke")).partition(":")[0],
        "<4>worse",
        "<6>worse",
    ]
    assert said[2].startswith("<6>worse: portraits/outdoor.json: broke")
    assert said[2].endswith("; accepted")
    said = lines(Compared(compared, frozenset(c.path for c in worse)))
    assert not [line for line in said if line.startswith("<4>")]


def test_what_is_as_it_was_has_a_line_for_debugging() -> None:
    said = lines(Judged(JUDGED, AS_BEFORE))
    assert [line[: line.index("2026")] for line in said] == [
        "<7>still broken since ",
        "<7>still partial since ",
        "<7>still unknown since ",
        "<7>still runnable since ",
    ]
    assert said[0].startswith(
        "<7>still broken since 2026-11-23 10:00 UTC: broken: checkpoint 'x.ckpt' is not among"
    )
    assert said[3] == "<7>still runnable since 2026-11-23 10:00 UTC: fine"


def test_a_log_without_priorities_counts_what_is_as_it_was() -> None:
    new = {path: since for path, since in AS_BEFORE.items() if not path.endswith("/broken")}
    said = lines(Judged(JUDGED, new), Compared(changes()), priorities=False)
    assert said[0].startswith("broken: broken: checkpoint 'x.ckpt'")
    assert said[1:] == [
        "nothing changed since 2026-11-23 08:00 UTC",
        "as before: 1 partial, 1 unknown, 1 runnable",
    ]


def test_what_changed_is_told_by_cause_and_by_workflow() -> None:
    compared = remembered().changes
    assert compared is not None
    said = lines(Compared(compared))
    model = "models/checkpoints/sd_xl_base_1.0.safetensors was moved to sdxl/"
    assert said[:4] == [
        (
            f"<4>3 workflows broke because {model}: portraits/studio headshot.json, "
            "portraits/outdoor.json, portraits/2025/archive/couple, soft light (v12).json"
        ),
        "<4>worse: portraits/studio headshot.json: broke (was runnable) because " + model,
        "<4>worse: portraits/outdoor.json: broke (was partial) because " + model,
        "<4>worse: portraits/2025/archive/couple, soft light (v12).json: broke (was runnable) "
        "because " + model,
    ]
    for line in (
        "<4>worse: flux/product shot.json: has new errors; nothing that could be seen changed",
        (
            "<5>mended: lora/style mix.json: runs again (was broken) because "
            "models/loras/detail_tweaker_xl.safetensors is back"
        ),
        "<5>new: sd15/hires fix.json: is new and runnable",
        "<5>gone: old/experiment 7.json: is gone (was broken)",
        (
            "<5>this version of ComfyWatchman judges 1 workflow otherwise (ComfyWatchman 0.3.0 → "
            "0.4.0): flux/packaging.json"
        ),
        (
            "<6>18 changes on the host: comfyui_ultimatesdupscale 1.2.0 → 1.3.0; comfyui-kjnodes "
            "1.0.5 → 1.0.6; torch 2.8.0 → 2.9.1; numpy 2.1.0 → 2.3.5; comfyui-manager 3.37 → 3.38; "
            "and 13 more"
        ),
        "<7>not compared: the packages of ComfyUI's interpreter: it could not be found",
    ):
        assert line in said
    for change in compared.workflows:
        assert any(f": {change.name}: " in line for line in said)


def test_hostile_names_forge_no_line() -> None:
    compared = hostile().changes
    assert compared is not None
    said = lines(Compared(compared))
    assert all(re.match("<[4-7]>", line) for line in said)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", "".join(said))
    told = [line for line in said if line.startswith(("<4>worse: ", "<5>mended: ", "<5>new: "))]
    assert told


def test_what_will_fail_is_a_warning_unless_it_is_known() -> None:
    failing = [each for each in damaged().workflows if each.will_fail]
    known = {failing[1].path: SINCE}
    first, second = lines(WillFail(failing, known))
    assert first.startswith("<4>will fail: a.json: 'wan/vae.safetensors' in 'vae' cannot be loaded")
    assert first.endswith("7 bytes lack: download it again")
    assert second.startswith("<7>still will fail: b.json: ")
