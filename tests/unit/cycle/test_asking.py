"""In which order a server is asked, shown by the requests that the stand-in received."""

from __future__ import annotations

import errno
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import off_switch, settings, state, state_files
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.cycle import asking as module
from comfywatchman.cycle.asking import Asking
from tests.oracle.test_asking import BY_NAME, asked, catalog, stand_in
from tests.standin.comfyui import Answer, StandIn, json_answer, status_page
from tests.standin.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from comfywatchman.judging.question import Question

CALIBRATION, QUESTION = "POST /prompt", "POST /prompt"
LOOK = "GET /queue"
TAKEN_BACK = ["POST /queue", "POST /interrupt"]


def question(name: str) -> Question:
    """The question that is put of a recorded prompt."""
    found = asked(BY_NAME[name])
    assert found is not None
    return found


REFUSED = question("lab_amount_refused")
ANOTHER = question("load_image_missing_file")
QUEUED = question("on_prompt_repairs_the_poison")


class Cycle:
    """One server and one state folder; each call begins another cycle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prompts = stand_in(BY_NAME["lab_amount_refused"])
        self.server = StandIn(posts=self.prompts)
        self.alarms: list[str] = []

    def __call__(
        self, *, version: str | None = "0.33.0", digest: str = "one", **given: Any
    ) -> Asking:
        self.server.requests.clear()
        found = settings.load({"comfyui_url": self.server.url, "read_timeout": 1, **given})
        client = ComfyUIClient(found, None)
        types = Catalog(catalog().declarations, version)
        cycle = Asking(client, self.folder, types, digest, answer_s=1, alarm=self.alarms.append)
        cycle.finish_the_last()
        return cycle

    @property
    def requests(self) -> list[str]:
        return [f"{r.method} {r.target}" for r in self.server.requests]

    @property
    def posts(self) -> list[tuple[str, Any]]:
        return [(r.target, json.loads(r.body)) for r in self.server.writes]

    @property
    def switch(self) -> off_switch.OffSwitch | None:
        return off_switch.read(self.folder)


@pytest.fixture
def cycle(tmp_path: Path) -> Iterator[Cycle]:
    made = Cycle(tmp_path)
    with made.server:
        yield made


def test_a_calibration_first_then_the_question_each_with_an_empty_queue(cycle: Cycle) -> None:
    asking = cycle()
    refusal = asking.ask(REFUSED)
    assert refusal is not None
    assert {e.type for e in refusal.errors["2"]} == {"custom_validation_failed"}
    assert cycle.requests == [LOOK, CALIBRATION, LOOK, QUESTION]
    assert (asking.asked, asking.remarks, asking.alarms) == (1, [], [])
    ids = [document["prompt_id"] for _, document in cycle.posts]
    assert len(set(ids)) == 2
    assert [str(uuid.UUID(i)) for i in ids] == ids
    assert cycle.posts[1][1]["prompt"] == REFUSED.prompt
    assert cycle.prompts.pending == []


def test_once_for_each_prompt_and_catalog(cycle: Cycle) -> None:
    first = cycle().ask(REFUSED)
    again = cycle()
    assert again.known(REFUSED) == first
    assert not again.missed()
    assert again.ask(REFUSED) == first
    assert cycle.requests == []
    assert cycle().ask(ANOTHER)
    assert cycle.requests == [LOOK, QUESTION]  # the calibration holds
    assert cycle(digest="another").ask(REFUSED) == first
    assert cycle.requests == [LOOK, CALIBRATION, LOOK, QUESTION]


@pytest.mark.parametrize("where", ["running", "pending"])
def test_nothing_is_asked_while_anything_is_queued(cycle: Cycle, where: str) -> None:
    getattr(cycle.prompts, where).append("of somebody")
    asking = cycle()
    assert asking.ask(REFUSED) is None
    assert cycle.requests == [LOOK]
    assert "its queue was not empty" in asking.remarks[0]
    assert asking.asked == 0


def test_the_queue_is_looked_at_before_each_question(cycle: Cycle) -> None:
    asking = cycle()
    assert asking.ask(REFUSED)
    cycle.prompts.pending.append("of somebody")
    cycle.server.requests.clear()
    assert asking.ask(ANOTHER) is None
    assert cycle.requests == [LOOK]
    assert asking.stopped


@pytest.mark.parametrize(
    "outputs",
    [{"SaveAnimatedWEBP", "SaveImage"}, {"EmptyImage"}],
    ids=["other errors", "no output"],
)
def test_a_calibration_that_is_refused_otherwise_ends_it(cycle: Cycle, outputs: set[str]) -> None:
    cycle.server.posts = Prompts(
        outputs,
        {
            ("1", "EmptyImage"): [
                {"type": "strange", "message": "", "details": "", "extra_info": {}}
            ]
        },
    )
    for _ in range(2):
        asking = cycle()
        assert asking.ask(REFUSED) is None
        assert "did not refuse a first question as ComfyUI does" in asking.remarks[0]
    assert cycle.requests == []  # with this catalog, it is not tried again


def test_without_the_node_types_of_the_calibration_nothing_is_asked(cycle: Cycle) -> None:
    asking = cycle()
    asking._catalog = Catalog({"SaveImage": catalog().declarations["SaveImage"]})
    assert asking.ask(REFUSED) is None
    assert "lacks the node types" in asking.remarks[0]
    assert cycle.requests == []


# What must be refused is accepted


def test_off_switch_then_out_of_the_queue_then_interrupted_by_id(cycle: Cycle) -> None:
    seen: list[tuple[str, bool]] = []
    cycle.prompts.before = lambda method, path, _: seen.append((path, cycle.switch is not None))
    asking = cycle()
    assert asking.ask(QUEUED) is None
    prompt_id = cycle.posts[1][1]["prompt_id"]
    assert cycle.posts[2:] == [
        ("/queue", {"delete": [prompt_id]}),
        ("/interrupt", {"prompt_id": prompt_id}),
    ]
    assert [on for path, on in seen if path != "/queue" or on] == [False, False, True, True]
    assert cycle.prompts.pending == []
    assert cycle.switch is not None
    assert (cycle.switch.prompt_id, cycle.switch.withdrawn) == (prompt_id, True)
    assert prompt_id in asking.alarms[0]
    assert cycle.alarms == asking.alarms
    assert "taken out of the queue, and interrupted" in asking.alarms[0]
    assert asking.ask(REFUSED) is None
    assert cycle.requests[-2:] == TAKEN_BACK


def test_others_in_the_queue_are_left_alone(cycle: Cycle) -> None:
    def somebody_is_faster(method: str, path: str, body: bytes) -> None:
        if path == "/prompt" and b"HealedOutput" in body:
            cycle.prompts.pending.append("of somebody")
            cycle.prompts.running.append("of somebody else")

    cycle.prompts.before = somebody_is_faster
    cycle().ask(QUEUED)
    assert cycle.prompts.pending == ["of somebody"]
    assert cycle.prompts.running == ["of somebody else"]


def test_it_stays_off_until_a_person_removes_the_file(cycle: Cycle) -> None:
    cycle().ask(QUEUED)
    for digest in ("one", "of an upgraded server"):
        asking = cycle(digest=digest, cache=False)
        assert asking.ask(REFUSED) is None
        assert cycle.requests == []
    (cycle.folder / state_files.ANSWERS).unlink()
    assert cycle().ask(REFUSED) is None
    assert cycle.requests == []
    (cycle.folder / off_switch.NAME).unlink()
    assert cycle().ask(REFUSED)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", None])
def test_a_switch_that_makes_no_sense_is_thrown_all_the_same(
    cycle: Cycle, content: bytes | None
) -> None:
    file = cycle.folder / off_switch.NAME
    file.mkdir() if content is None else file.write_bytes(content)
    assert cycle().ask(REFUSED) is None
    assert cycle.requests == []
    assert cycle.switch is not None
    assert str(file) in cycle.switch.sentence


@pytest.mark.parametrize(
    ("version", "told"),
    [("0.3.64", True), ("0.33.0", True), ("v0.3.65-2-g1", True), ("0.3.63", False),
     ("0.2.7", False), ("", False), ("newest", False), (None, False)],
)  # fmt: skip
def test_a_release_that_would_interrupt_anybody_is_told_nothing(
    cycle: Cycle, version: str | None, *, told: bool
) -> None:
    cycle(version=version).ask(QUEUED)
    assert [path for path, _ in cycle.posts[2:]] == ["/queue", "/interrupt"][: 1 + told]
    assert ("not known to interrupt one prompt" in cycle.alarms[0]) is not told


def test_a_switch_that_cannot_be_stored_is_said_and_the_prompt_taken_back_all_the_same(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, prompt_id: str) -> off_switch.OffSwitch:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.off_switch, "throw", full)
    cycle().ask(QUEUED)
    assert cycle.requests[-2:] == TAKEN_BACK
    assert cycle.prompts.pending == []
    assert "could not be stored (No space left on device)" in cycle.alarms[0]
    assert "set ask_server to never now" in cycle.alarms[0]


def test_what_cannot_be_noted_down_is_not_asked(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "replace_file", full)
    asking = cycle()
    assert asking.ask(REFUSED) is None
    assert cycle.requests == [LOOK]
    assert "cannot be noted down: No space left on device" in asking.remarks[0]


def test_a_queue_that_refuses_is_told_again_and_then_said(cycle: Cycle) -> None:
    def refuse(method: str, path: str, body: bytes) -> Answer | None:
        return status_page(500, "") if method == "POST" and path != "/prompt" else None

    cycle.prompts.before = refuse
    cycle().ask(QUEUED)
    assert cycle.requests[-6:] == ["POST /queue"] * 3 + ["POST /interrupt"] * 3
    assert "could not be taken out of the queue: do so by hand" in cycle.alarms[0]
    assert "could not be interrupted" in cycle.alarms[0]
    assert cycle.switch is not None
    assert not cycle.switch.withdrawn

    cycle.prompts.before = lambda *_: None
    cycle()
    assert cycle.requests == TAKEN_BACK
    assert cycle.prompts.pending == []
    assert cycle.switch is not None
    assert cycle.switch.withdrawn
    cycle()
    assert cycle.requests == []


# What is no answer


def page(answer: Answer) -> Callable[[str, str, bytes], Answer | None]:
    """Answers what is posted to /prompt, the calibration aside, with a page."""
    return lambda _, path, body: answer if path == "/prompt" and b"Lab" in body else None


NO_ANSWER = {
    "500": status_page(500, ""),
    "502 of a proxy": status_page(502, ""),
    "503": status_page(503, "30"),
    "401": status_page(401, ""),
    "400 of a proxy": Answer(400, b"<html>Bad Request</html>", "text/html"),
    "404": Answer(404, b"404: Not Found"),
    "413": Answer(413, b"too large"),
    "redirect": Answer(302, headers={"Location": "/prompt"}),
    "200 without JSON": Answer(200, b"<html>Please log in</html>", "text/html"),
    "200 without anything": Answer(200),
    "400 with other JSON": json_answer({"detail": "refused"}, 400),
    "400 with a list": json_answer([], 400),
    "500 with JSON of a refusal": json_answer(
        {"error": {"type": "prompt_outputs_failed_validation"}, "node_errors": {}}, 500
    ),
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER)
def test_what_is_no_answer_of_comfyui_is_taken_for_none(cycle: Cycle, answer: Answer) -> None:
    cycle.prompts.before = page(answer)
    asking = cycle()
    assert asking.ask(REFUSED) is None
    assert asking.stopped
    assert cycle.switch is None
    assert asking.alarms == []
    prompt_id = cycle.posts[1][1]["prompt_id"]
    # Once, and then it is looked up what became of it.
    assert cycle.requests[2:] == [LOOK, QUESTION, LOOK, f"GET /history/{prompt_id}"]

    cycle.prompts.before = lambda *_: None
    asking = cycle()
    assert cycle.requests == [LOOK, f"GET /history/{prompt_id}"]
    assert asking.ask(REFUSED) is None  # once is once
    assert asking.remarks == []
    assert asking.known(REFUSED) is None
    assert not asking.missed()
    assert "no answer came, and they are not asked about again" in asking.remarks[0]
    assert asking.ask(ANOTHER)


@pytest.mark.parametrize("where", ["pending", "running", "history"])
def test_a_prompt_without_an_answer_that_was_queued_is_an_alarm(cycle: Cycle, where: str) -> None:
    def accept_in_silence(method: str, path: str, body: bytes) -> Answer | None:
        if path == "/prompt" and b"Lab" in body:
            getattr(cycle.prompts, where).append(json.loads(body)["prompt_id"])
            return status_page(504, "")
        return None

    cycle.prompts.before = accept_in_silence
    asking = cycle()
    assert asking.ask(REFUSED) is None
    assert cycle.switch is not None
    assert cycle.requests[-2:] == TAKEN_BACK
    assert asking.alarms


@pytest.mark.parametrize("where", ["pending", "running", "history"])
def test_what_is_queued_after_the_cycle_gave_up_is_found_by_the_next(
    cycle: Cycle, where: str
) -> None:
    cycle.prompts.before = page(status_page(504, ""))
    cycle().ask(REFUSED)
    assert cycle.switch is None
    prompt_id = cycle.posts[1][1]["prompt_id"]
    getattr(cycle.prompts, where).append(prompt_id)
    cycle()
    assert cycle.switch is not None
    assert cycle.posts == [
        ("/queue", {"delete": [prompt_id]}),
        ("/interrupt", {"prompt_id": prompt_id}),
    ]


@pytest.mark.parametrize("said", [{"prompt_id": "abc", "number": 1}, {"status": "ok"}, None, []])
def test_any_json_that_is_no_refusal_is_an_alarm(cycle: Cycle, said: Any) -> None:
    cycle.prompts.before = page(json_answer(said))
    cycle().ask(REFUSED)
    assert cycle.switch is not None
    ours = cycle.posts[1][1]["prompt_id"]
    theirs = "abc" if said and "prompt_id" in said else ours
    assert cycle.posts[2] == ("/queue", {"delete": [theirs]})


def test_a_server_that_hangs_is_waited_for_as_long_as_for_any_answer(cycle: Cycle) -> None:
    cycle.server.behaviour = "hang@/prompt"
    asking = cycle()
    assert asking.ask(REFUSED) is None
    assert "did not finish its answer within 1 s" in asking.remarks[0]
    assert [r for r in cycle.requests if r == QUESTION] == [QUESTION]


def test_what_did_not_reach_the_server_is_asked_in_the_next_cycle(cycle: Cycle) -> None:
    assert cycle().ask(ANOTHER)
    asking = cycle()
    cycle.prompts.before = lambda _, path, __: (
        cycle.server.stop_listening() if path == "/queue" else None
    )
    assert asking.ask(REFUSED) is None
    assert "nothing listens at" in asking.remarks[0]
    assert asking.asked == 0
    cycle.prompts.before = lambda *_: None
    cycle.server.behaviour = "ok"
    assert cycle().ask(REFUSED)


def test_only_so_many_questions_in_a_cycle(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ASKED", 1)
    asking = cycle()
    assert asking.ask(REFUSED)
    assert asking.ask(ANOTHER) is None
    assert asking.asked == 1
    assert "the others wait for the next cycles" in asking.remarks[0]
    assert cycle().ask(ANOTHER)


def test_nothing_is_put_that_there_is_no_time_to_take_back(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = cycle()
    monkeypatch.setattr(ComfyUIClient, "seconds_left", 5.9)
    assert asking.ask(REFUSED) is None
    assert cycle.requests == []
    assert "is nearly up" in asking.remarks[0]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"asked": {"a": {"type": 1}}, "open": [], "catalog": "one"}', b"\xff"],
)
def test_answers_that_make_no_sense_are_as_good_as_none(cycle: Cycle, content: bytes) -> None:
    (cycle.folder / state_files.ANSWERS).write_bytes(content)
    assert cycle().ask(REFUSED)
