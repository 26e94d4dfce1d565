"""A deploy that changes nothing, as a multiple of ``ansible -m ping`` over the same hosts."""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from pathlib import Path

PLAYBOOK = Path(__file__).parents[1] / "playbooks" / "deploy.yml"


def main(inventory: str, rounds: int) -> None:
    """Deploy once, then measure and print.

    Raises:
        SystemExit: a command failed, or the measured deploys changed something.
    """
    ping = ["ansible", "comfyui", "-i", inventory, "-m", "ping"]
    deploy = ["ansible-playbook", "-i", inventory, str(PLAYBOOK)]
    _run(deploy)
    pings, deploys = [], []
    for _ in range(rounds):
        pings.append(_run(ping)[0])
        seconds, said = _run(deploy)
        changed = [int(n) for n in re.findall(r"\bchanged=(\d+)", said)]
        if not changed or any(changed):
            raise SystemExit(f"a deploy with nothing to do changed something:\n{said}")
        deploys.append(seconds)
    hosts = len(changed)
    floor, whole = statistics.median(pings), statistics.median(deploys)
    print(f"A deploy with nothing to do, {hosts} hosts, median of {rounds}, changed=0")
    print(f"ansible -m ping          {floor:6.2f} s  {floor / hosts:5.2f} s a host")
    print(f"ansible-playbook deploy  {whole:6.2f} s  {whole / hosts:5.2f} s a host")
    print(f"ratio                    {whole / floor:6.2f}")


def _run(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stdout}{process.stderr}")
    return time.perf_counter() - start, process.stdout
