"""Whole cycles that ask the server for its own word, and what goes wrong with it."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import off_switch, state_files
from tests.faults.conftest import KEPT
from tests.oracle.test_asking import HIDDEN_OUTPUTS, recorded
from tests.standin.comfyui import Answer, StandIn
from tests.standin.prompts import Prompts, error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.conftest import Host

TYPES = recorded()["node_types"]
EMPTY = {"width": 64, "height": 64, "batch_size": 1, "color": 0}


def doubtful(output: str = "SaveImage", value: int = 99, **more: Any) -> dict[str, Any]:
    """A workflow whose verdict hangs on whether a custom node takes a number out of its range."""
    link = "images" if output == "SaveImage" else "image"
    name = "filename_prefix" if output == "SaveImage" else "name"
    return {
        "1": {"class_type": "EmptyImage", "inputs": EMPTY},
        "2": {"class_type": "LabHandled", "inputs": {"image": ["1", 0], "value": value}},
        "9": {"class_type": output, "inputs": {link: ["2", 0], name: "x"}},
        **more,
    }


def prompts(**given: Any) -> Prompts:
    outputs = {name for name, declared in TYPES.items() if declared["output_node"]}
    return Prompts(outputs | HIDDEN_OUTPUTS, **given)


HEALS = {"HealedOutput": ["name"]}
REFUSES = {("2", "LabHandled"): [error("value_bigger_than_max", "Too big", "value", "value")]}


@contextmanager
def server(posts: Prompts | None, **given: Any) -> Iterator[StandIn]:
    given = {"object_info": TYPES, "comfyui_version": "0.33.0", **given}
    with StandIn(posts=posts, **given) as stand_in:
        yield stand_in


def saved(host: Host, **workflows: dict[str, Any]) -> None:
    for file in host.workflows.iterdir():
        file.unlink()
    for name, workflow in workflows.items():
        (host.workflows / f"{name}.json").write_text(json.dumps(workflow))


def posts(stand_in: StandIn) -> list[tuple[str, Any]]:
    return [(r.target, json.loads(r.body)) for r in stand_in.writes]


def verdicts(host: Host) -> dict[str, str]:
    return {w["name"]: w["verdict"] for w in host.latest["workflows"]}


ASK = {"ask_server": "doubtful"}


@pytest.mark.parametrize("settings", [{}, {"ask_server": "never"}])
def test_nothing_is_ever_posted_unless_it_is_set(host: Host, settings: dict[str, str]) -> None:
    saved(host, a=doubtful(), b=doubtful(value=1))
    with server(None) as stand_in:
        for more in ((), ("check", str(host.workflows))):
            assert host.run(*more, comfyui_url=stand_in.url, **settings).returncode == 0
        assert stand_in.writes == []
        assert {r.method for r in stand_in.requests} == {"GET"}
    assert verdicts(host) == {"a.json": "unknown", "b.json": "runnable"}
    assert host.files() == KEPT


def test_a_doubtful_workflow_is_asked_about_once(host: Host) -> None:
    saved(host, a=doubtful(), b=doubtful(value=1), c=doubtful(value=77))
    with server(prompts(errors=REFUSES)) as stand_in:
        ended = host.run("check", comfyui_url=stand_in.url, **ASK)
        assert verdicts(host) == {"a.json": "broken", "b.json": "runnable", "c.json": "broken"}
        assert [path for path, _ in posts(stand_in)] == ["/prompt"] * 3  # the calibration is one
        assert host.latest["asked_server"] == 2
        asked = {w["name"]: w["server_asked"] for w in host.latest["workflows"]}
        assert asked == {"a.json": True, "b.json": False, "c.json": True}
        assert "asked the server about 2 workflows" in ended.stdout
        assert host.last_run["reason"].endswith("; asked the server about 2")
        assert host.files() == KEPT | {state_files.ANSWERS}
        for form in ("report.md", "report.html"):
            assert "asked the server about 2 workflows" in (host.state / form).read_text()

        stand_in.requests.clear()
        for more in ((), ("check", "--no-cache"), ("check", str(host.workflows))):
            assert host.run(*more, comfyui_url=stand_in.url, **ASK).returncode == 0
        assert stand_in.writes == []
        assert verdicts(host) == {"a.json": "broken", "b.json": "runnable", "c.json": "broken"}
        assert host.latest["asked_server"] == 0

        # Another catalog, though nothing of the workflows' own node types: all of it may count.
        declared = json.loads(json.dumps(TYPES["KSampler"]))
        declared["input"]["required"]["steps"][1]["max"] = 123
        stand_in.object_info = {**TYPES, "KSampler": declared}
        stand_in.posts = prompts()
        assert host.run(comfyui_url=stand_in.url, **ASK).returncode == 0
        assert len(stand_in.writes) == 3
        assert set(verdicts(host).values()) == {"runnable"}


def test_a_queue_that_is_not_empty_is_left_alone(host: Host) -> None:
    saved(host, a=doubtful())
    queue = prompts()
    queue.running.append("of somebody")
    with server(queue) as stand_in:
        assert host.run(comfyui_url=stand_in.url, **ASK).returncode == 0
        assert stand_in.writes == []
        assert verdicts(host) == {"a.json": "unknown"}
        assert any("its queue was not empty" in s for s in host.latest["not_checked"])
        queue.running.clear()
        assert host.run(comfyui_url=stand_in.url, **ASK).returncode == 0
        assert verdicts(host) == {"a.json": "runnable"}


def test_a_type_that_is_not_listed_is_never_asked_about(host: Host) -> None:
    """The two recorded prompts that were queued because of one; here beside a doubt."""
    hidden = {"class_type": "HiddenOutput", "inputs": {"image": ["1", 0], "name": "x"}}
    saved(host, a=doubtful(**{"8": hidden}))
    with server(prompts()) as stand_in:
        assert host.run(comfyui_url=stand_in.url, **ASK).returncode == 0
        assert stand_in.writes == []


def test_one_that_is_queued_all_the_same_is_taken_back_and_it_is_off_for_good(host: Host) -> None:
    saved(host, a=doubtful("HealedOutput"), b=doubtful(value=77))
    queue = prompts(repairs=HEALS)
    with server(queue) as stand_in:
        ended = host.run(comfyui_url=stand_in.url, **ASK)
        assert ended.returncode == 0
        prompt_id = posts(stand_in)[1][1]["prompt_id"]
        assert posts(stand_in)[2:] == [
            ("/queue", {"delete": [prompt_id]}),
            ("/interrupt", {"prompt_id": prompt_id}),
        ]
        assert queue.pending == []
        assert "ALARM: ComfyUI accepted a prompt that was made to be refused" in ended.stderr
        assert prompt_id in host.latest["alarms"][0]
        for form in ("report.md", "report.html"):
            assert prompt_id in (host.state / form).read_text()

        stand_in.requests.clear()
        again = host.run("check", "--no-cache", comfyui_url=stand_in.url, **ASK)
        assert stand_in.writes == []
        assert "ALARM: ask_server is off for good" in again.stdout
        assert prompt_id in host.latest["alarms"][0]
        assert "ALARM        ask_server is off for good" in host.run("status").stdout
        doctor = host.run("doctor", comfyui_url=stand_in.url).stdout
        assert "problem  ask_server" in doctor
        assert f"rm '{host.state / off_switch.NAME}'" in doctor

        (host.state / off_switch.NAME).unlink()
        saved(host, b=doubtful(value=77))
        host.run(comfyui_url=stand_in.url, **ASK)
        assert [path for path, _ in posts(stand_in)] == ["/prompt"]
        assert host.latest["alarms"] == []


STEPS = {
    "before the answer": ("/prompt", False),
    "before the prompt is out of the queue": ("/queue", True),
    "before it is interrupted": ("/interrupt", True),
}


@pytest.mark.parametrize(("path", "stored"), STEPS.values(), ids=STEPS)
def test_kill_9_while_a_prompt_that_was_queued_is_taken_back(
    host: Host, path: str, *, stored: bool
) -> None:
    saved(host, a=doubtful("HealedOutput"))
    queue = prompts(repairs=HEALS)
    reached, go_on = threading.Event(), threading.Event()

    def hold(method: str, asked: str, body: bytes) -> Answer | None:
        if method == "POST" and asked == path and (path != "/prompt" or b"Healed" in body):
            if path == "/prompt":
                queue.pending.append(json.loads(body)["prompt_id"])
            reached.set()
            go_on.wait(60)
            return Answer(200)
        return None

    queue.before = hold
    with server(queue) as stand_in:
        with host.start(comfyui_url=stand_in.url, read_timeout="60", **ASK) as killed:
            assert reached.wait(30)
            assert (off_switch.read(host.state) is not None) is stored
            killed.kill()
        assert killed.returncode == -signal.SIGKILL
        go_on.set()
        queue.before = lambda *_: None
        prompt_id = posts(stand_in)[1][1]["prompt_id"]
        stand_in.requests.clear()

        # The next cycle ends what the first began, and asks nothing more.
        assert host.run(comfyui_url=stand_in.url, **ASK).returncode == 0
        switch = off_switch.read(host.state)
        assert switch is not None
        assert (switch.prompt_id, switch.withdrawn) == (prompt_id, True)
        assert {p for p, _ in posts(stand_in)} <= {"/queue", "/interrupt"}
        assert all(prompt_id in json.dumps(said) for _, said in posts(stand_in))
        assert prompt_id not in queue.pending
        assert prompt_id in host.latest["alarms"][0]


@pytest.mark.parametrize(
    "behaviour", ["500@/prompt", "502@/prompt", "hang@/prompt", "html@/prompt", "reset@/prompt",
                  "truncated@/prompt", "endless@/prompt", "redirect-loop@/prompt", "401@/prompt",
                  "slow-loris@/prompt", "gzip-bomb@/prompt", "binary@/prompt", "empty@/prompt"],
)  # fmt: skip
def test_a_server_that_does_not_answer_the_question_costs_no_report(
    host: Host, behaviour: str
) -> None:
    saved(host, a=doubtful(), b=doubtful(value=1))
    with server(prompts(), behaviour=behaviour) as stand_in:
        assert host.run(comfyui_url=stand_in.url, read_timeout="3", **ASK).returncode == 0
        assert [path for path, _ in posts(stand_in)] == ["/prompt"]
    assert verdicts(host) == {"a.json": "unknown", "b.json": "runnable"}
    assert off_switch.read(host.state) is None
    assert any("the server's own word" in s for s in host.latest["not_checked"])


def test_what_is_posted_has_the_credentials_and_they_appear_nowhere(
    host: Host, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text("tok-3n.of~ours\n")
    secret.chmod(0o600)
    saved(host, a=doubtful("HealedOutput"))
    with server(prompts(repairs=HEALS), token="tok-3n.of~ours") as stand_in:
        ended = host.run(comfyui_url=stand_in.url, comfyui_token_file=secret, **ASK)
        assert len(posts(stand_in)) == 4
    kept = [f.read_text(errors="replace") for f in host.state.rglob("*")]
    assert not any("tok-3n" in text for text in (*kept, ended.stdout, ended.stderr))
