"""Packs that changed on the disk since the server was started, told by Manager or by times."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.provenance import manager
from comfywatchman.comfyui.provenance.knowledge import Knowledge
from comfywatchman.comfyui.provenance.manager import ChangeKind
from comfywatchman.history.environment.not_loaded import NotLoaded, not_loaded, started
from comfywatchman.history.facts import Environment, FactKind
from comfywatchman.results import UsedPack, Verdict, WorkflowReport
from tests.standin.comfyui import recorded_manager

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.time_limit import Budget

COMMIT = "0123456789abcdef0123456789abcdef01234567"
STARTED = 1_700_000_000.0


def report(path: str, *packs: str) -> WorkflowReport:
    return WorkflowReport(
        path=path,
        name=path,
        verdict=Verdict.RUNNABLE,
        packs=[UsedPack(name=name, version=None) for name in packs],
    )


def environment(**packs: dict[str, Any]) -> Environment:
    return Environment({FactKind.PACK: packs})


@pytest.mark.parametrize("version", ["3.41", "4.3"])
def test_what_manager_was_recorded_to_say(version: str) -> None:
    recorded = recorded_manager(version)
    now = recorded["updated"][f"{recorded['prefix']}/customnode/installed"]["json"]
    then = recorded["get"][f"{recorded['prefix']}/customnode/installed"]["json"]
    knowledge = Knowledge(installed=manager.listed(now), at_start=manager.listed(then))
    reports = [
        report("a.json", "comfyui-custom-scripts", "rgthree-comfy"),
        report("b.json", "ComfyUI-Custom-Scripts"),
        report("c.json", "kijai/ComfyUI-KJNodes"),
        report("d.json", "rgthree-comfy"),
    ]
    found = {each.folder: each for each in not_loaded(environment(), knowledge, reports)}
    assert found["comfyui-custom-scripts"] == NotLoaded(
        "comfyui-custom-scripts", ChangeKind.UPDATED, "1.2.5", "1.2.6", True, ("a.json", "b.json")
    )
    assert found["comfyui-kjnodes"].workflows == ("c.json",)
    assert found["efficiency-nodes-comfyui"].kind is ChangeKind.REMOVED
    assert found["ComfyUI_essentials"].kind is ChangeKind.DISABLED
    assert "rgthree-comfy" not in found


def put(file: Path, moment: float, text: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (0, moment))


def test_without_manager_times_tell(tmp_path: Path) -> None:
    log = f"{COMMIT} {COMMIT} A <a@b.example> {{}} +0100\tpull\n"
    early, late = int(STARTED) - 5, int(STARTED) + 3600
    put(tmp_path / "pulled/.git/logs/HEAD", early, log.format(early) + log.format(late))
    put(tmp_path / "as-it-was/.git/logs/HEAD", late, log.format(late) + log.format(early))
    put(tmp_path / "new/pyproject.toml", late)
    put(tmp_path / "old/pyproject.toml", early)
    put(tmp_path / "off/pyproject.toml", late)
    put(tmp_path / "single.py", late)
    put(tmp_path / "while-starting/__init__.py", STARTED + 5)
    facts = environment(
        pulled={"enabled": True, "commit": COMMIT, "node_types": "d", "id": "owner/Pulled-Nodes"},
        new={"enabled": True, "version": "2.0"},
        old={"enabled": True},
        off={"enabled": False},
        single={"enabled": True, "node_types": "d"},
        gone={"enabled": True},
        **{"as-it-was": {"enabled": True}, "while-starting": {"enabled": True}},
    )
    reports = [report("a.json", "pulled-nodes"), report("b.json", "single", "old")]
    assert not_loaded(facts, Knowledge(), reports, tmp_path, STARTED) == [
        NotLoaded("new", ChangeKind.ADDED, None, "2.0", False, ()),
        NotLoaded("pulled", ChangeKind.UPDATED, None, COMMIT[:7], False, ("a.json",)),
        NotLoaded("single", ChangeKind.UPDATED, None, None, False, ("b.json",)),
    ]
    assert not_loaded(facts, Knowledge(), reports, tmp_path, None) == []
    assert not_loaded(facts, Knowledge(), reports) == []
    assert not_loaded(facts, Knowledge(installed=[], at_start=[]), [], tmp_path, STARTED) == []


def test_when_the_server_was_started(tmp_path: Path, budget: Budget) -> None:
    def process(number: int, *arguments: str) -> None:
        line = b"".join(a.encode() + b"\0" for a in ("/usr/bin/python3", *arguments))
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_bytes(line)
        rest = " ".join(str(n) for n in range(18))
        ticks = 500 * os.sysconf("SC_CLK_TCK")
        (tmp_path / str(number) / "stat").write_text(f"{number} (a) b (c)) S {rest} {ticks} 0 0")

    argv = ["main.py", "--port", "8188"]
    assert started(argv, budget, tmp_path / "gone") is None
    process(1, "main.py", "--port", "8189")
    process(2, "other-main.py", "--port", "8188")
    assert started(argv, budget, tmp_path) is None
    process(3, "-s", *argv)
    assert started(argv, budget, tmp_path) is None  # nobody says when the host was started
    (tmp_path / "stat").write_text("cpu 1 2\nbtime 1700000000\nprocesses 5\n")
    assert started(argv, budget, tmp_path) == 1_700_000_500
    assert started(["\ud800", *argv], budget, tmp_path) == 1_700_000_500
    assert started([], budget, tmp_path) is None
    process(4, *argv)
    assert started(argv, budget, tmp_path) is None  # which of both?


def test_a_log_that_makes_no_sense(tmp_path: Path) -> None:
    for content in ("", "\n", "x" * 1000, f"{COMMIT} {COMMIT} {'9' * 40} +0100"):
        put(tmp_path / "pack/.git/logs/HEAD", STARTED + 3600, content)
        facts = environment(pack={"enabled": True})
        assert not_loaded(facts, Knowledge(), [], tmp_path, STARTED) == []
