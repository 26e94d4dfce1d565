"""Whole cycles over hostile files: nothing runs, nothing hangs, all that is said is clean."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import REPORTS, RUNNABLE

if TYPE_CHECKING:
    import subprocess

    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

MIB = 1024**2
NASTY = "<script>alert(1)</script>\x1b[31m\u202e\u2066\x9b1m$(touch ran)`touch ran`%n%s\n\r\u2028|"
NAMES = [
    "a\nb",
    "red\x1b[31m",
    "\x9b31m",
    "\u202egnp",
    "\u2028",
    "inv\udcff\udcfe",
    "<img src=x onerror=alert(1)>",
    "[link](javascript:alert(1))",
    "a'\"b",
    "a|b",
    "%s%n",
    "$(touch ran)",
    "`touch ran`",
    "-rf",
    "#h",
]


def unclean(text: str) -> set[str]:
    """Characters in a text that no terminal, journal or page should be sent."""
    kinds = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    return {f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in kinds and c != "\n"}


def check(host: Host, comfyui: StandIn, **settings: str) -> subprocess.CompletedProcess[str]:
    ended = host.run("check", comfyui_url=comfyui.url, **settings)
    assert (ended.returncode, host.last_run["outcome"]) == (0, "done"), ended.stderr
    for text in (ended.stdout, ended.stderr, *(host.reports[name].decode() for name in REPORTS)):
        assert unclean(text) == set()
    return ended


def verdicts(host: Host) -> dict[str, tuple[str, str]]:
    """By name, the verdict on a workflow and the code of its first finding."""
    return {
        w["name"]: (w["verdict"], w["findings"][0]["code"] if w["findings"] else "")
        for w in host.latest["workflows"]
    }


def test_names_of_files_and_nodes(host: Host, comfyui: StandIn) -> None:
    body = json.dumps({NASTY: {"class_type": NASTY, "inputs": {NASTY: NASTY}}})
    for name in NAMES:
        (host.workflows / f"{name}.json").write_text(body)
    check(host, comfyui)
    assert len(host.latest["workflows"]) == len(NAMES) + 2
    page = host.reports["report.html"].decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert list(host.workflows.parent.rglob("ran")) == []


def test_names_of_folders(host: Host, comfyui: StandIn) -> None:
    host.state = host.state.with_name("state \x1b[2J inv\udcff")
    comfyui_dir = host.state.with_name("ComfyUI \x1b[2J inv\udcff")
    comfyui_dir.mkdir()
    (comfyui_dir / "input").write_text("no folder")
    check(host, comfyui, comfyui_dir=str(comfyui_dir), state_dir=str(host.state))
    assert any("could not be listed" in line for line in host.latest["not_checked"])


def test_what_is_no_file(host: Host, comfyui: StandIn) -> None:
    os.mkfifo(host.workflows / "pipe.json")
    (host.workflows / "folder.json").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(host.workflows)  # the path of a socket may have 108 characters
        listener.bind("socket.json")
        os.chdir(here)
    for name, target in {
        "zero.json": "/dev/zero", "random.json": "/dev/urandom", "terminal.json": "/dev/tty",
        "self.json": "self.json", "nowhere.json": "nowhere", "memory.json": "/proc/self/mem",
        "loop": ".",
    }.items():  # fmt: skip
        (host.workflows / name).symlink_to(target)
    check(host, comfyui)
    found = verdicts(host)
    assert found.pop("good.json") == ("runnable", "")
    assert found.pop("bad.json") == ("broken", "missing_node_type")
    assert len(found) == 8
    assert set(found.values()) == {("unknown", "workflow_unreadable")}


def uuid(number: int) -> str:
    return f"{number:08}-0000-4000-8000-000000000000"


def nested(depth: int, instances: int) -> dict[str, Any]:
    """A workflow whose sub-graphs each hold the next one many times; the last holds the first."""
    return {
        "nodes": [{"id": 1, "type": uuid(0)}],
        "definitions": {
            "subgraphs": [
                {
                    "id": uuid(i),
                    "name": f"S{i}",
                    "nodes": [{"id": n, "type": uuid((i + 1) % depth)} for n in range(instances)],
                    "links": [],
                }
                for i in range(depth)
            ]
        },
    }


def test_sizes_and_depths(host: Host, comfyui: StandIn) -> None:
    files = {
        "bomb.json": json.dumps(nested(10, 10)),
        "circle.json": json.dumps(nested(2, 1)),
        "lists.json": "[" * 100_000 + "]" * 100_000,
        "objects.json": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "open.json": "[" * 100_000,
        "in a prompt.json": '{"1": {"class_type": "X", "inputs": {"a": ' + "[" * 100_000,
        "values.json": '{"nodes": [' + "{}," * 3_000_000 + "{}]}",
        "prompt.json": json.dumps({str(n): {"class_type": "X"} for n in range(100_001)}),
    }
    for name, content in files.items():
        (host.workflows / name).write_text(content)
    for name in ("large.json", "200 MB.json"):
        with (host.workflows / name).open("wb") as stream:
            stream.truncate((60 if name == "large.json" else 200) * MIB)
    if not shutil.which("prlimit"):
        pytest.skip("without prlimit, the memory of a cycle cannot be limited")
    host.prefix = ["prlimit", f"--as={1024 * MIB}", "--cpu=60"]
    check(host, comfyui)
    found = verdicts(host)
    assert found.pop("good.json") == ("runnable", "")
    assert found.pop("bad.json") == ("broken", "missing_node_type")
    assert {name: code for name, (_, code) in found.items()} == {
        "bomb.json": "workflow_too_many_nodes",
        "circle.json": "subgraph_recursive",
        "lists.json": "workflow_too_deep",
        "objects.json": "workflow_too_deep",
        "open.json": "workflow_too_deep",
        "in a prompt.json": "workflow_too_deep",
        "values.json": "workflow_too_many_values",
        "prompt.json": "workflow_too_many_nodes",
        "large.json": "workflow_is_binary",
        "200 MB.json": "workflow_too_large",
    }


def test_files_that_change_while_they_are_read(host: Host, comfyui: StandIn) -> None:
    content = json.dumps(RUNNABLE)
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            for number in range(30):
                file = host.workflows / f"{number}.json"
                file.write_text(content + " " * 100_000)
                if number % 2:
                    file.write_text(content + " " * 2_000_000)
                else:
                    os.truncate(file, 10)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        check(host, comfyui, max_workflow_size="1MiB", cache="false")
    finally:
        stop.set()
        disturber.join()
    found = verdicts(host)
    assert found.pop("good.json") == ("runnable", "")
    assert found.pop("bad.json") == ("broken", "missing_node_type")
    possible = "runnable workflow_too_large workflow_truncated workflow_empty"
    assert {code or verdict for verdict, code in found.values()} <= set(possible.split())


def test_files_that_change_once_they_were_found(host: Host, comfyui: StandIn) -> None:
    content = json.dumps(RUNNABLE)
    for name in ("gone", "pipe", "grown"):
        (host.workflows / f"{name}.json").write_text(content)
    comfyui.behaviour = "hold@/users"  # which is asked between finding and reading
    with host.start(comfyui_url=comfyui.url, max_workflow_size="1MiB") as cycle:
        comfyui.wait_for("/users")
        (host.workflows / "gone.json").unlink()
        (host.workflows / "pipe.json").unlink()
        os.mkfifo(host.workflows / "pipe.json")
        (host.workflows / "grown.json").write_text(content + " " * 2_000_000)
        comfyui.behaviour = "ok"
        cycle.communicate(timeout=180)
    assert cycle.returncode == 0
    found = verdicts(host)
    assert found["gone.json"] == ("unknown", "workflow_unreadable")
    assert found["pipe.json"] == ("unknown", "workflow_unreadable")
    assert found["grown.json"] == ("unknown", "workflow_too_large")
    assert found["good.json"] == ("runnable", "")
