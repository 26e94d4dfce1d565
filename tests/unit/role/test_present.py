"""What is told of a first deploy that fails: what went wrong first, and what was taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASKS = Path(__file__).parents[3] / "roles" / "comfywatchman" / "tasks"
LEASE = {"path": "/run/lease", "run": "this"}
HOST: dict[str, Any] = {
    "active": None,
    "moved": False,
    "record": None,
    "wanted_record": {"made": []},
    "manager_waits": "",
    "scheduler": "apscheduler",
    "release": {"complete": False},
    "lease": LEASE,
}


def failing(message: str) -> list[dict[str, Any]]:
    return [{"ansible.builtin.fail": {"msg": message}}]


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """Run the real tasks/present.yml among others that do nothing, or fail as asked."""
    modules = tmp_path / "ansible_collections" / "comfywatchman" / "ops" / "plugins" / "modules"
    modules.mkdir(parents=True)
    for name in ("probe", "lease"):
        answer = {"changed": False, "active": None, "lease": LEASE}
        text = f"#!/usr/bin/python3\n# WANT_JSON\nprint({json.dumps(json.dumps(answer))})\n"
        (modules / f"{name}.py").write_text(text)
    tasks = tmp_path / "roles" / "comfywatchman" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text((TASKS / "present.yml").read_text())
    host = [{"ansible.builtin.set_fact": {"__comfywatchman_host": HOST}}]
    stand_in = {"preflight": host, "claim": [], "manager": [], "activate": []}

    def run(**others: list[dict[str, Any]]) -> str:
        for name, content in {**stand_in, **others}.items():
            (tasks / f"{name}.yml").write_text(json.dumps(content))
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {
                "ansible_connection": "local",
                "ansible_become": False,
                "ansible_python_interpreter": sys.executable,
                "__comfywatchman_sandbox_wanted": {},
                "__comfywatchman_in_utf8": {},
                "__comfywatchman_paths": {"state": "/state"},
                **{
                    f"comfywatchman_{name}": name
                    for name in ("user", "scope", "scheduler", "instance", "root", "state_dir")
                },
            },
            "tasks": [
                {
                    "block": [{"ansible.builtin.import_role": {"name": "comfywatchman"}}],
                    "rescue": [
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ ansible_failed_result.msg }}",
                                "dest": str(tmp_path / "told"),
                                "mode": "0600",
                            }
                        }
                    ],
                }
            ],
        }
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
                "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
                "ANSIBLE_LOCALHOST_WARNING": "false",
            },
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (tmp_path / "told").read_text()

    return run


def test_what_is_taken_back_is_said_after_what_went_wrong(told: Any) -> None:
    assert told(release=failing("no room"), remove=[]) == (
        "no room\nWhat this deploy had put on the host is removed again."
    )


def test_what_went_wrong_first_is_told_where_it_cannot_be_taken_back(told: Any) -> None:
    assert told(release=failing("no room"), remove=failing("/srv/x: busy")) == (
        "no room\nWhat this deploy had put on the host could not be removed again: /srv/x: busy"
    )
