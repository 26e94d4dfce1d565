"""The lock: one cycle at a time, and none that outlives its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from comfywatchman.gate import lock

HOLD = """
import sys
from pathlib import Path
from comfywatchman.gate import lock
held = lock.make(Path(sys.argv[1]))
print(lock.probe(held).ok, flush=True)
sys.stdin.read()
"""


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "cycle.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, file],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd(),
    ) as holder:  # fmt: skip
        assert holder.stdout
        assert holder.stdout.readline() == "True\n"
        answer = lock.probe(lock.make(file))
        assert not answer.ok
        assert answer.reason == "another cycle is running on this host; its report will tell"
        holder.kill()
    mine = lock.make(file)
    assert lock.probe(mine).ok
    mine.release()


def test_a_lock_that_cannot_be_taken(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = lock.probe(lock.make(tmp_path / "file" / "cycle.lock"))
    assert not answer.ok
    assert "cycle.lock cannot be taken: " in answer.reason
