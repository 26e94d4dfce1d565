"""The inventories that are copied or used as they are."""

from __future__ import annotations

import json
import subprocess

from tests.unit.role.collection import CHECKOUT

ASKED_FOR = {
    "comfywatchman_user",
    "comfywatchman_comfyui_dir",
    "comfywatchman_comfyui_url",
    "comfywatchman_instance",
}


def test_who_copies_the_example_gets_no_values_that_nobody_asked_for() -> None:
    done = subprocess.run(
        ["ansible-inventory", "--inventory", CHECKOUT / "inventories/example", "--list"],
        capture_output=True,
        text=True,
        check=True,
    )
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    assert len(hosts) == 7
    names = {name for host in hosts.values() for name in host if name.startswith("comfywatchman_")}
    assert names <= ASKED_FOR
    for host in hosts.values():
        assert {"comfywatchman_user", "comfywatchman_comfyui_dir"} <= host.keys()
