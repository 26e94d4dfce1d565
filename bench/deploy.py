"""What a fleet costs: deploy and status as multiples of ``ansible -m ping`` over the same hosts."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
AS_USUAL = json.dumps(
    {"comfywatchman_rollout_serial": ["100%"], "comfywatchman_pip_environment": {}}
)
"""All in one batch, and packages from the index."""
INSTALLING = ("Release | Make the virtual environment", "Release | Install what the lock names")


def main(inventory: str, rounds: int) -> None:
    """Measure on hosts that are there, and print.

    Raises:
        SystemExit: a command failed, or a deploy with nothing to do changed something.
    """
    options = ["-i", inventory]
    _run(_playbook("deploy", options))
    _compare(options, rounds)


def fleet(sizes: list[int], rounds: int) -> None:
    """Measure on as many test hosts as ``sizes`` says, made for it, and print.

    Raises:
        SystemExit: as :func:`main`.
    """
    folder = CHECKOUT / ".hosts" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    groups = folder / "group_vars"
    groups.unlink(missing_ok=True)
    groups.symlink_to(CHECKOUT / "molecule" / "inventory" / "group_vars")
    for size in sizes:
        hosts = {
            f"bench{n}": {"host_release": ("trixie", "bookworm")[n % 2]} for n in range(1, size + 1)
        }
        groups_of = {"test_hosts": {"children": {"comfyui": {"hosts": hosts}}}}
        (folder / "hosts.yml").write_text(json.dumps(groups_of))
        options = ["-i", str(folder), "-e", f"checkout={CHECKOUT}", "-e", AS_USUAL]
        playbook = CHECKOUT / "molecule" / "hosts"
        try:
            _run(["ansible-playbook", *options, str(playbook / "create.yml")])
            for name in ("Comfy UI", "Comfy UI/models"):
                made = {"path": f"/srv/{name}", "state": "directory", "owner": "artist"}
                _run(["ansible", "comfyui", *options, "-b", "-m", "file", "-a", json.dumps(made)])
            _first(options, size)
            _compare(options, rounds)
        finally:
            _run(["ansible-playbook", *options, str(playbook / "destroy.yml")])


def _first(options: list[str], hosts: int) -> None:
    log = CHECKOUT / ".hosts" / "bench" / "ansible.log"
    log.unlink(missing_ok=True)
    seconds, _ = _run(["env", f"ANSIBLE_LOG_PATH={log}", *_playbook("deploy", options)])
    spent = _tasks(log.read_text())
    installing = sum(t for name, t in spent if any(part in name for part in INSTALLING))
    print(f"\nFirst deploy, {hosts} hosts  {seconds:7.1f} s  {seconds / hosts:6.2f} s a host")
    print(f"of which installing     {installing:7.1f} s  {installing / seconds:6.0%}")


def _tasks(log: str) -> list[tuple[str, float]]:
    """``(name, seconds)`` of each task in a log of Ansible's."""
    starts = [
        (datetime.fromisoformat(moment.replace(",", ".")), name)
        for moment, name in re.findall(r"^(\S+ \S+) .*?\| (?:TASK|PLAY) (.*)$", log, re.MULTILINE)
    ]
    return [
        (name, (after - start).total_seconds()) for (start, name), (after, _) in pairwise(starts)
    ]


def _compare(options: list[str], rounds: int) -> None:
    ping = ["ansible", "comfyui", *options, "-m", "ping"]
    report = CHECKOUT / ".hosts" / "bench" / "report"
    quietly = ["-e", f"comfywatchman_fleet_dir={report}", "-e", "comfywatchman_fleet_fail_on=never"]
    status = _playbook("status", [*options, *quietly])
    pings, deploys, statuses = [], [], []
    for _ in range(rounds):
        pings.append(_run(ping)[0])
        seconds, said = _run(_playbook("deploy", options))
        changed = [int(n) for n in re.findall(r"\bchanged=(\d+)", said)]
        if not changed or any(changed):
            raise SystemExit(f"a deploy with nothing to do changed something:\n{said}")
        deploys.append(seconds)
        statuses.append(_run(status)[0])
    hosts = len(changed)
    floor = statistics.median(pings)
    print(f"\nWith nothing to do, {hosts} hosts, median of {rounds}")
    for name, taken in (("ansible -m ping", pings), ("deploy", deploys), ("status", statuses)):
        whole = statistics.median(taken)
        print(f"{name:<20} {whole:6.2f} s  {whole / hosts:5.2f} s a host  {whole / floor:5.2f} x")


def _playbook(name: str, options: list[str]) -> list[str]:
    return ["ansible-playbook", *options, str(CHECKOUT / "playbooks" / f"{name}.yml")]


def _run(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stdout}{process.stderr}")
    return time.perf_counter() - start, process.stdout
