"""A whole cycle against a server that fails: skipped with a reason, or done; nothing else."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import KEPT, NEEDS_A_MODEL, REPORTS, UNFINISHED, make_host
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from tests.faults.conftest import Host

NOT_JSON = "answered something that is not JSON"
NOT_COMFYUI = "answered, but not as ComfyUI does"
LATE = "did not finish its answer within 4 s"


SKIPPED = {
    "refused": "nothing listens at",
    "starting": "is up but not ready (HTTP 503)",
    "401": "asks for a login (HTTP 401); set comfyui_token_file",
    "403": "refuses us (HTTP 403); allow this host in the proxy",
    "500": "failed with HTTP 500; ComfyUI's own log says why",
    "502": "is up but not ready (HTTP 502)",
    "429:30": "is up but not ready (HTTP 429)",
    "503:30": "is up but not ready (HTTP 503)",
    "hang": LATE,
    "slow-head": LATE,
    "slow-loris": LATE,
    "endless": "answered more than 16 MiB",
    "gzip-bomb": "answered compressed (gzip)",
    "truncated": "broke off its answer",
    "reset": "broke off its answer",
    "redirect-loop": "redirects to /system_stats, which is not followed",
    "redirect:http://127.0.0.2:9": "redirects to http://127.0.0.2:9/system_stats",
    "html": NOT_JSON,
    "empty": NOT_JSON,
    "binary": NOT_JSON,
    "deep-json": NOT_JSON,
    "json-object": NOT_COMFYUI,
    "json-list": NOT_COMFYUI,
    "json-null": NOT_COMFYUI,
    "wrong-types": NOT_COMFYUI,
    "hang@/queue": LATE,
    "down-after:2": "nothing listens at",
    "down-after:1@/object_info": "nothing listens at",
    "500@/object_info": "/object_info failed with HTTP 500",
    "hang@/object_info": f"/object_info {LATE}",
    "slow-head@/object_info": f"/object_info {LATE}",
    "truncated@/object_info": "/object_info broke off its answer",
    "padded:2@/object_info": "if it is, raise max_catalog_size",
    "html@/object_info": f"/object_info {NOT_JSON}",
    "wrong-types@/object_info": f"/object_info {NOT_COMFYUI}",
    "json-object@/object_info": f"/object_info {NOT_COMFYUI}",
    "hang@/models": f"/models {LATE}",
    "hang@/users": f"/users {LATE}",
}


ASKED_AGAIN = {"starting", "500", "502", "429:30", "503:30", "truncated", "reset", "down-after"}
"""Faults that may pass, and are waited for: for as long as an answer may take."""


@dataclass(frozen=True)
class Ending:
    """How a cycle ended."""

    url: str
    host: Host
    process: subprocess.CompletedProcess[str]


def one_cycle(folder: Path, behaviour: str) -> Ending:
    host = make_host(folder)
    name = behaviour.partition("@")[0]
    again = {name, name.partition(":")[0]} & ASKED_AGAIN
    patience = "4" if again or LATE in SKIPPED[behaviour] else "60"
    with StandIn(behaviour=behaviour) as comfyui:
        ended = host.run(
            comfyui_url=comfyui.url,
            max_catalog_size="2MiB",
            read_timeout=patience,
            catalog_timeout=patience,
        )
    assert comfyui.writes == []
    return Ending(comfyui.url, host, ended)


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Ending]]]:
    """A cycle for each fault, as many at once as the machine has cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        folders = [tmp_path_factory.mktemp("host") for _ in SKIPPED]
        yield {
            behaviour: pool.submit(one_cycle, folder, behaviour)
            for behaviour, folder in zip(SKIPPED, folders, strict=True)
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("behaviour", SKIPPED)
def test_skipped_with_a_reason(cycles: dict[str, Future[Ending]], behaviour: str) -> None:
    ending = cycles[behaviour].result()
    last_run = ending.host.last_run
    assert ending.process.returncode == 0
    assert last_run["outcome"] == "skipped"
    assert SKIPPED[behaviour] in last_run["reason"]
    assert ending.url in last_run["reason"]
    assert last_run["finished_at"]
    assert f"cycle skipped: {last_run['reason']}" in ending.process.stderr
    assert ending.host.files() == UNFINISHED


@pytest.mark.parametrize(
    "behaviour",
    ["ok", "flaky@/object_info", "reset-first", "starting:1,1", "nonsense@/system_stats", "busy"],
)
def test_done(host: Host, comfyui: StandIn, behaviour: str) -> None:
    comfyui.behaviour = behaviour
    ended = host.run(comfyui_url=comfyui.url, min_free_vram="0")
    assert ended.returncode == 0
    assert host.last_run["outcome"] == "done"
    assert host.last_run["summary"] == {"runnable": 1, "partial": 0, "broken": 1, "unknown": 0}
    assert {w["name"]: w["verdict"] for w in host.latest["workflows"]} == {
        "good.json": "runnable",
        "bad.json": "broken",
    }
    assert host.files() == KEPT


@pytest.mark.parametrize(
    "path", ["/system_stats", "/models", "/users", "/userdata", "/node_replacements"]
)
def test_names_that_no_file_or_header_can_have_cost_no_other_verdict(
    host: Host, comfyui: StandIn, tmp_path: Path, path: str
) -> None:
    (tmp_path / "comfyui" / "user").mkdir(parents=True)
    comfyui.behaviour = f"nonsense@{path}"
    ended = host.run(comfyui_url=comfyui.url, comfyui_dir=tmp_path / "comfyui", min_free_vram="0")
    assert ended.returncode == 0
    assert host.last_run["outcome"] == "done"
    verdicts = {w["name"]: w["verdict"] for w in host.latest["workflows"]}
    assert (verdicts.pop("good.json"), verdicts.pop("bad.json")) == ("runnable", "broken")
    assert set(verdicts.values()) <= {"unknown"}
    assert "internal_error" not in json.dumps(host.latest)
    assert host.files() == KEPT


def test_a_restart_in_the_middle_of_a_cycle(host: Host, comfyui: StandIn) -> None:
    comfyui.behaviour = "hold@/object_info"
    with host.start(comfyui_url=comfyui.url) as cycle:
        comfyui.wait_for("/object_info")
        comfyui.behaviour = "refused"
        back = threading.Timer(2.0, setattr, (comfyui, "behaviour", "ok"))
        back.start()
        _, said = cycle.communicate(timeout=180)
        back.join()
    assert (cycle.returncode, host.last_run["outcome"]) == (0, "done"), said


@pytest.mark.parametrize("behaviour", ["html@/models", "404@/models", "404@/embeddings"])
def test_what_an_old_server_does_not_list_is_said(
    host: Host, comfyui: StandIn, behaviour: str
) -> None:
    comfyui.behaviour = behaviour
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    assert host.last_run["outcome"] == "done"
    assert any("does not list its model files" in line for line in host.latest["not_checked"])


@pytest.mark.parametrize(("version", "told"), [("0.33.0", False), ("0.41.2", True)])
def test_a_release_that_is_not_known_yet_is_said(
    host: Host, comfyui: StandIn, version: str, told: bool
) -> None:
    comfyui.comfyui_version = version
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    sentence = (
        f"what is new in ComfyUI {version}: it was judged as 0.33.0, the newest release this "
        "version of ComfyWatchman knows"
    )
    assert (sentence in host.latest["not_checked"]) is told


def test_a_busy_server_is_left_alone_when_asked(host: Host, comfyui: StandIn) -> None:
    comfyui.behaviour = "busy:1,2"
    host.run(comfyui_url=comfyui.url, skip_when_busy="true")
    assert host.last_run["outcome"] == "skipped"
    assert "is busy (1 running and 2 waiting), and skip_when_busy is set" in host.last_run["reason"]
    assert {r.path for r in comfyui.requests} == {"/system_stats", "/queue"}


def test_a_skipped_cycle_leaves_the_last_report(host: Host, comfyui: StandIn) -> None:
    host.run(comfyui_url=comfyui.url)
    before = {name: (host.state / name).read_bytes() for name in REPORTS}
    comfyui.behaviour = "502"
    ended = host.run("check", "--format", "json", comfyui_url=comfyui.url, read_timeout="4")
    assert host.last_run["outcome"] == "skipped"
    assert {f: (host.state / f).read_bytes() for f in before} == before
    printed = json.loads(ended.stdout)
    assert printed["outcome"] == "skipped"
    assert printed["reason"] == host.last_run["reason"]
    assert [a["ok"] for a in printed["gate"] if a["name"] == "comfyui"] == [False]


def test_workflows_that_users_saved_on_the_server(host: Host, tmp_path: Path) -> None:
    names = ["plain.json", "100% ä b.json", "a%20b.json", "deep/er/#?.json"]
    for user in ("anna_1", "default"):
        for name in names:
            file = tmp_path / "user" / user / "workflows" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((host.workflows / "good.json").read_bytes())
    (tmp_path / "user" / "users.json").write_text('{"default": "D", "anna_1": "A", "new_2": "N"}')
    for multi_user, users in ((False, ["default"]), (True, ["anna_1", "default"])):
        with StandIn(userdata=tmp_path / "user", multi_user=multi_user) as comfyui:
            host.run(comfyui_url=comfyui.url, workflow_dirs=tmp_path / "none here")
        judged = {w["path"]: w["verdict"] for w in host.latest["workflows"]}
        assert judged == {
            f"userdata:{user}/workflows/{name}": "runnable" for user in users for name in names
        }


@pytest.mark.parametrize("behaviour", ["500", "reset", "truncated"])
def test_one_workflow_that_the_server_cannot_give_does_not_cost_the_others(
    host: Host, tmp_path: Path, behaviour: str
) -> None:
    folder = tmp_path / "user" / "default" / "workflows"
    folder.mkdir(parents=True)
    for name in ("a.json", "b.json"):
        (folder / name).write_bytes((host.workflows / "good.json").read_bytes())
    with StandIn(
        userdata=tmp_path / "user", behaviour=f"{behaviour}@/userdata/workflows%2Fa.json"
    ) as server:
        host.run(comfyui_url=server.url, workflow_dirs=tmp_path / "none", read_timeout="4")
    assert {w["name"]: w["verdict"] for w in host.latest["workflows"]} == {
        "default/a.json": "unknown",
        "default/b.json": "runnable",
    }


@pytest.fixture
def saved(host: Host, tmp_path: Path) -> Path:
    """The user folder of a server; eight workflows are saved there, the last one broken."""
    folder = tmp_path / "user" / "default" / "workflows"
    folder.mkdir(parents=True)
    for number in range(8):
        kind = "good" if number < 7 else "bad"
        (folder / f"{number}.json").write_bytes((host.workflows / f"{kind}.json").read_bytes())
    return tmp_path / "user"


def fetched(server: StandIn) -> list[str]:
    """The files that the server was asked for since the last time."""
    begin = "/userdata/workflows%2F"
    asked = [r.path.removeprefix(begin) for r in server.requests if r.path.startswith(begin)]
    server.requests.clear()
    return sorted(asked)


def test_what_has_not_changed_on_the_server_is_not_fetched_but_judged(
    host: Host, saved: Path
) -> None:
    all_of_them = [f"{number}.json" for number in range(8)]
    folder = saved / "default" / "workflows"
    (folder / "0.json").write_text(json.dumps(NEEDS_A_MODEL))
    with StandIn(userdata=saved) as server:
        host.run(comfyui_url=server.url)
        assert host.last_run["summary"] == {"runnable": 8, "partial": 0, "broken": 2, "unknown": 0}
        assert fetched(server) == all_of_them
        assert host.files() == {*KEPT, "server-workflows.sqlite3"}

        host.run(comfyui_url=server.url)
        assert host.last_run["summary"] == {"runnable": 8, "partial": 0, "broken": 2, "unknown": 0}
        assert fetched(server) == []

        server.state = "empty"  # its models are gone: the verdict of 0.json with them
        host.run(comfyui_url=server.url)
        assert host.last_run["summary"] == {"runnable": 7, "partial": 0, "broken": 3, "unknown": 0}
        assert fetched(server) == []

        (folder / "7.json").write_bytes((host.workflows / "good.json").read_bytes())
        (folder / "6.json").unlink()
        host.run(comfyui_url=server.url)
        assert host.last_run["summary"] == {"runnable": 7, "partial": 0, "broken": 2, "unknown": 0}
        assert fetched(server) == ["7.json"]

        host.run(comfyui_url=server.url, cache="false")
        assert len(fetched(server)) == 7


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("slow-after:3,60000@/userdata", "the server is slow (8 requests, at most 4 at once"),
        ("429:3600@/userdata/workflows%2F7.json", "the server sent only some of its workflows ("),
        ("down-after:3@/userdata", "the server sent only some of its workflows ("),
    ],
)
def test_a_slow_server_costs_what_it_does_not_send_and_nothing_else(
    host: Host, saved: Path, behaviour: str, why: str
) -> None:
    with StandIn(userdata=saved, behaviour=behaviour) as server:
        ended = host.run(comfyui_url=server.url, read_timeout="1")
        assert ended.returncode == 0
        assert host.last_run["outcome"] == "done"
        assert f"; {why}" in host.last_run["reason"]
        assert host.last_run["reason"] in host.run("status").stdout
        judged = {w["name"]: w for w in host.latest["workflows"]}
        assert (judged["good.json"]["verdict"], judged["bad.json"]["verdict"]) == (
            "runnable",
            "broken",
        )
        late = [w for w in judged.values() if w["verdict"] == "unknown"]
        assert 1 <= len(late) <= 8
        for workflow in late:
            assert [f["code"] for f in workflow["findings"]] == ["not_fetched_in_time"]
        (remark,) = [
            line for line in host.latest["not_checked"] if "were not read from the server" in line
        ]
        assert remark.startswith(f"{len(late)} of 8 new or changed workflows")
        assert server.url in remark
        assert ".json" not in remark

        server.behaviour = "ok"
        fetched(server)
        host.run(comfyui_url=server.url)
        assert host.last_run["summary"] == {"runnable": 8, "partial": 0, "broken": 2, "unknown": 0}
        assert len(fetched(server)) == len(late)


def test_a_verdict_does_not_outlive_what_it_rests_on(host: Host, comfyui: StandIn) -> None:
    (host.workflows / "bad.json").write_text(json.dumps(NEEDS_A_MODEL))
    verdicts = []
    for state in ("full", "full", "empty", "full"):
        comfyui.state = state
        host.run(comfyui_url=comfyui.url)
        verdicts.append(next(w["verdict"] for w in host.latest["workflows"] if w["name"][0] == "b"))
    assert verdicts == ["runnable", "runnable", "broken", "runnable"]
