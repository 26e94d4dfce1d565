"""The ComfyUI gate: is it up, is it ComfyUI, is it busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman import settings
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.gate import comfyui as gate
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from comfywatchman.gate.comfyui import ServerReading
    from comfywatchman.results import GateAnswer


def read(server: StandIn, patience: float = 60) -> ServerReading:
    given = settings.load({"comfyui_url": server.url, "read_timeout": patience})
    with ComfyUIClient(given, None) as client:
        return gate.read(client)


def judge(server: StandIn, *, skip_when_busy: bool = False, patience: float = 60) -> GateAnswer:
    return gate.judge(read(server, patience), server.url, skip_when_busy=skip_when_busy)


def test_what_the_server_says_of_itself() -> None:
    with StandIn(gpu=2, comfyui_version="0.12.1") as comfyui:
        reading = read(comfyui)
    assert reading.problem is None
    assert reading.version == "0.12.1"
    assert reading.argv[:1] == ("main.py",)
    assert [(d.type, d.vram_free) for d in reading.devices] == [("cuda", 22 * 1024**3)] * 2
    assert (reading.running, reading.pending) == (0, 0)


def test_up_and_idle(comfyui: StandIn) -> None:
    answer = judge(comfyui, skip_when_busy=True)
    assert answer.ok
    assert answer.reason == f"ComfyUI 0.8.0 at {comfyui.url} is up and idle"


def test_busy_is_told_and_a_reason_to_skip_only_when_asked(comfyui: StandIn) -> None:
    comfyui.behaviour = "busy:1,2"
    answer = judge(comfyui)
    assert answer.ok
    assert answer.reason.endswith("is up and busy (1 running and 2 waiting)")
    answer = judge(comfyui, skip_when_busy=True)
    assert not answer.ok
    assert "is busy (1 running and 2 waiting), and skip_when_busy is set" in answer.reason
    comfyui.behaviour = "busy:0,1"
    assert not judge(comfyui, skip_when_busy=True).ok


@pytest.mark.parametrize("path", ["/system_stats", "/queue"])
@pytest.mark.parametrize("behaviour", ["json-object", "json-list", "json-null", "wrong-types"])
def test_what_is_not_comfyui(comfyui: StandIn, behaviour: str, path: str) -> None:
    comfyui.behaviour = f"{behaviour}@{path}"
    answer = judge(comfyui)
    assert not answer.ok
    assert f"{comfyui.url}{path} answered, but not as ComfyUI does" in answer.reason
    assert "Correct comfyui_url" in answer.reason


@pytest.mark.parametrize("path", ["/system_stats", "/queue"])
@pytest.mark.parametrize("behaviour", ["502", "truncated", "html", "deep-json", "hang"])
def test_a_server_in_trouble_is_a_sentence(comfyui: StandIn, behaviour: str, path: str) -> None:
    comfyui.behaviour = f"{behaviour}@{path}"
    answer = judge(comfyui, patience=0.5)
    assert not answer.ok
    assert comfyui.url in answer.reason
    assert answer.reason.isprintable()


def test_values_that_make_no_sense_are_read_as_far_as_they_go(comfyui: StandIn) -> None:
    comfyui.behaviour = "nonsense"
    reading = read(comfyui)
    assert reading.problem is None
    assert reading.version == r"8\ud800"
    assert all(isinstance(argument, str) for argument in reading.argv)
    assert [(d.vram_total, d.vram_free) for d in reading.devices] == [(None, None)] * 3
    assert all(d.name.isprintable() for d in reading.devices)
    answer = gate.judge(reading, comfyui.url, skip_when_busy=False)
    assert answer.reason.startswith(r"ComfyUI 8\ud800 at ")


def test_a_prefix_that_is_left_out() -> None:
    with StandIn(prefix="/comfy") as comfyui:
        comfyui_url = comfyui.url
        assert judge(comfyui).ok
        given = settings.load({"comfyui_url": comfyui_url.removesuffix("/comfy")})
        with ComfyUIClient(given, None) as client:
            reading = gate.read(client)
    assert reading.problem
    assert "with its base path? Correct comfyui_url" in reading.problem
