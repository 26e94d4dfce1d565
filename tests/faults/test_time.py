"""A cycle whose time is up, or that is killed, keeps what it has; what is left comes first next."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests import growth
from tests.faults.conftest import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

SO_FAR = "verdicts-so-far.cache"
MANY = 600


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def save_many(host: Host) -> None:
    for number in range(MANY):
        document = growth.plain(100)
        document["nodes"][0]["title"] = str(number)
        (host.workflows / f"{number}.json").write_text(json.dumps(document))


def test_a_cycle_that_has_no_time_for_all_says_what_it_has(host: Host, comfyui: StandIn) -> None:
    ended = host.run(comfyui_url=comfyui.url, cycle_time_limit="0.001")
    assert (ended.returncode, host.last_run["outcome"]) == (0, "done"), ended.stderr
    for workflow in host.latest["workflows"]:
        assert workflow["verdict"] == "unknown"
        assert [f["code"] for f in workflow["findings"]] == ["not_judged_in_time"]
        assert workflow["not_checked"] == [workflow["findings"][0]["message"]]
    reason = "the time was up for 2 of them, which come first in the next cycle"
    assert reason in host.last_run["reason"]
    said = "the cycle's time was up before it was judged (2 workflows)"
    assert said in host.reports["report.md"].decode()
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    assert host.last_run["summary"]["unknown"] == 0


def test_a_check_by_hand_takes_the_time_it_needs(host: Host, comfyui: StandIn) -> None:
    arguments = ["check", str(host.workflows), "--format", "json"]
    ended = host.run(*arguments, comfyui_url=comfyui.url, cycle_time_limit="0.001")
    assert json.loads(ended.stdout)["summary"]["unknown"] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_verdicts_outlive_the_cycle(host: Host, comfyui: StandIn, number: signal.Signals) -> None:
    save_many(host)
    with host.start(comfyui_url=comfyui.url) as killed:
        while killed.poll() is None and not size(host.state / SO_FAR):
            time.sleep(0.01)
        killed.send_signal(number)
        killed.communicate()
    assert killed.returncode != 0
    lines = (host.state / SO_FAR).read_bytes().splitlines(keepends=True)[1:]
    lines = [line for line in lines if line.endswith(b"\n")]  # the last may be half written
    portions = [json.loads(line.partition(b" ")[2]) for line in lines]
    kept = {digest for portion in portions for digest in portion["entries"]}
    judged = [path for portion in portions for path in portion["judged"]]
    assert 0 < len(kept) < MANY

    host.program = ["-c", COUNTING]
    ended = host.run(comfyui_url=comfyui.url)
    assert ended.returncode == 0, ended.stderr
    counted = [line for line in ended.stderr.splitlines() if line.startswith("converted ")]
    assert counted == [f"converted {MANY + 2 - len(judged)}"]
    assert len(host.latest["workflows"]) == MANY + 2
    assert host.last_run["summary"]["unknown"] == 0
    assert host.files() == KEPT


COUNTING = """
import atexit, sys
from comfywatchman.judging import workflow

convert, count = workflow.convert, 0

def counting(*arguments):
    global count
    count += 1
    return convert(*arguments)

workflow.convert = counting
atexit.register(lambda: print("converted", count, file=sys.stderr))
from comfywatchman import cli
cli.main()
"""
