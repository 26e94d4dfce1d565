"""playbooks/status.yml over this machine, and over hosts that are not there."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.fleet import sample
from tests.unit.role import collection
from tests.unit.role.test_activation import USER

CHECKOUT = Path(__file__).parents[3]
ELSEWHERE = "../../../tmp/escaped"
INVENTORY: dict[str, Any] = {
    "comfyui": {
        "vars": {
            "comfywatchman_user": "nobody-of-this-name",
            "ansible_become": False,
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
        "hosts": {
            "here": {"ansible_connection": "local"},
            "gone": {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_ssh_retries": 0},
            ELSEWHERE: {"ansible_connection": "local"},
            "no python": {"ansible_connection": "local", "ansible_python_interpreter": "/nowhere"},
        },
    }
}


@pytest.fixture
def status(tmp_path: Path) -> Any:
    (tmp_path / "hosts.json").write_text(json.dumps(INVENTORY))
    broken = [
        {"hosts": "comfyui", "gather_facts": False, "tasks": [{"ansible.builtin.fail": None}]}
    ]
    broken[0]["tasks"][0]["when"] = "inventory_hostname != 'no python'"
    after = [*broken, {"import_playbook": str(CHECKOUT / "playbooks" / "status.yml")}]
    (tmp_path / "after.yml").write_text(json.dumps(after))

    def run(*arguments: str, playbook: Path = CHECKOUT / "playbooks" / "status.yml") -> str:
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [program, "-i", tmp_path / "hosts.json", playbook]
        folder = ["-e", f"comfywatchman_fleet_dir={tmp_path / 'new' / 'fleet'}"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")}
        done = subprocess.run(
            [*command, *folder, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                **environment,
                "NO_COLOR": "1",
                "TZ": "WEST+11",  # the clock on the wall plays no part
            },
        )
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout

    return run


def remarks(folder: Path) -> dict[str, list[str]]:
    fleet = json.loads((folder / "fleet.json").read_text())
    return {h["name"]: [r["code"] for r in h["remarks"]] for h in fleet["hosts"]}


def test_every_host_is_a_row_whatever_became_of_it(status: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "fleet"
    shown = status(playbook=tmp_path / "after.yml")
    assert "4 hosts: 4 silent" in shown
    assert remarks(folder) == {
        ELSEWHERE: ["not_installed"],
        "gone": ["unreachable"],
        "here": ["not_installed"],
        "no python": ["not_collected"],
    }
    written = [folder, *folder.rglob("*")]
    assert {stat.S_IMODE(f.stat().st_mode) for f in written} == {0o700, 0o600}
    assert {f.name for f in tmp_path.iterdir()} == {"hosts.json", "after.yml", "new"}
    assert len(list((folder / "hosts").iterdir())) == 4

    before = (folder / "hosts" / "gone.json").read_bytes()
    here = json.loads((folder / "hosts" / "here.json").read_text())
    shown = status("--limit=here")
    assert (folder / "hosts" / "gone.json").read_bytes() == before
    again = json.loads((folder / "hosts" / "here.json").read_text())
    assert again["asked_at"] > here["asked_at"]
    assert remarks(folder)["gone"] == ["unreachable"]
    assert "here: ComfyWatchman is not installed there" in shown


def test_a_host_that_is_gone_keeps_what_it_last_said(status: Any, tmp_path: Path) -> None:
    folder = sample.write(tmp_path / "new" / "fleet", [sample.host("gone")])
    status("--limit=gone")
    kept = json.loads((folder / "hosts" / "gone.json").read_text())
    assert kept["report"] == sample.host("gone")["report"]
    assert kept["collected_at"] == sample.NOW < kept["asked_at"]
    assert kept["unreachable"] is True
    (workflow,) = json.loads((folder / "fleet.json").read_text())["workflows"]
    assert [(g["state"], g["verdict"]) for g in workflow["groups"]] == [("silent", "runnable")]


@pytest.mark.parametrize("mode", [[], ["--check"]])
def test_what_changed_is_told_in_the_summary(status: Any, tmp_path: Path, mode: list[str]) -> None:
    """Of a host that cannot be reached now, and said an hour ago what had broken it."""
    now = time.time()
    found = sample.cause("KSampler of PACK 1.2.0 → 1.3.0 dropped output 2")
    last = sample.changes([found], [sample.worse("a.json", found)])
    gone = sample.changed("gone", now - sample.HOUR, changes=last)
    gone |= {"collected_at": now, "status": sample.status(now)}
    folder = sample.write(tmp_path / "new" / "fleet", [gone])
    shown = status("--limit=gone", *mode)
    said = (
        f"1 of 4 hosts got worse in the last 24 hours: {found['text']} (1 workflow on 1 host); of "
        "4 hosts it is not known"
    )
    assert f"Not all is well: 4 hosts: 4 silent; {said}. For a browser:" in shown
    assert "changed=0" in shown
    (change,) = json.loads((folder / "fleet.json").read_text())["changes"]
    assert (change["text"], change["hosts"]) == (found["text"], ["gone"])


def pipe(path: Path) -> None:
    os.mkfifo(path)


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


def link(path: Path) -> None:
    (path.parent / "secret.json").write_text('{"of": "somebody else"}')
    path.symlink_to("secret.json")


def ask(state: Path) -> Any:
    """What the module behind it answers for an installation that was not noted down."""
    asked = {"user": USER, "scope": "user", "state_dir": str(state)}
    done = collection.run("status", asked)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("lay", [pipe, deep, link])
def test_what_a_user_lays_in_the_way_is_not_waited_for(tmp_path: Path, lay: Any) -> None:
    lay(tmp_path / "last-run.json")
    assert ask(tmp_path)["last_run"] is None


def test_what_was_not_noted_down_is_told_by_what_there_is(tmp_path: Path) -> None:
    there = Path("/run/systemd/system").is_dir()
    assert ask(tmp_path)["scheduler"] == ("systemd" if there else "apscheduler")
