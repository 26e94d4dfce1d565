"""``playbooks/status.yml`` as a multiple of ``ansible -m ping`` over the same hosts."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

PLAYBOOK = Path(__file__).parents[1] / "playbooks" / "status.yml"
LIMIT = 3
"""Times the ping."""
NOT_ALL_WELL = 2
"""What ansible-playbook ends with; hosts that nothing is deployed to are not well."""


def main(inventory: str, rounds: int) -> None:
    """Measure and print.

    Raises:
        SystemExit: a command failed, or it takes more than it may.
    """
    with tempfile.TemporaryDirectory() as folder:
        ping = ["ansible", "comfyui", "-i", inventory, "-m", "ping"]
        status = ["ansible-playbook", "-i", inventory, str(PLAYBOOK)]
        status += ["-e", f"comfywatchman_fleet_dir={folder}"]
        pings, statuses = [], []
        for number in range(rounds + 1):
            one, other = _run(ping), _run(status, NOT_ALL_WELL)
            if number:  # the first round does not count
                pings.append(one)
                statuses.append(other)
        hosts = len(list(Path(folder, "hosts").iterdir()))
    floor, whole = statistics.median(pings), statistics.median(statuses)
    print(f"The status of {hosts} hosts, median of {rounds}")
    print(f"ansible -m ping          {floor:6.2f} s  {floor / hosts:5.2f} s a host")
    print(f"ansible-playbook status  {whole:6.2f} s  {whole / hosts:5.2f} s a host")
    print(f"ratio                    {whole / floor:6.2f}")
    if whole > LIMIT * floor:
        raise SystemExit(f"that is more than {LIMIT}")


def _run(command: list[str], *allowed: int) -> float:
    start = time.perf_counter()
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode not in (0, *allowed):
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stdout}{process.stderr}")
    return time.perf_counter() - start
