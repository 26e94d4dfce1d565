"""A fix that is killed leaves the old file or the new one, and a record that tells which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from comfywatchman.fixes import record as records
from comfywatchman.fixes import undo
from comfywatchman.fixes.record import Progress, Record
from tests.unit.fixes.host import Host, flow

REPOSITORY = Path(__file__).parents[2]
OLD = flow("AE.safetensors")
# Every call that could change something on the disk is a step. A process of its own is killed
# before its first step, another before its second, until one comes to its end.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.faults.test_fixes import prepared

folder, does = Path(sys.argv[1]), sys.argv[2]
NAMES = ("open", "fsync", "fchmod", "fchown", "replace", "link", "symlink", "unlink", "mkdir")

def ends_at(number, host):
    steps = 0

    def step(name, call):
        def counted(*arguments, **more):
            nonlocal steps
            if name != "open" or arguments[1] & (os.O_WRONLY | os.O_RDWR):
                if steps == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1
            return call(*arguments, **more)
        return counted

    plan = host.plan()
    for name in NAMES:
        setattr(os, name, step(name, getattr(os, name)))
    host.apply(plan) if does == "apply" else host.undo()
    os._exit(0)

for number in range(200):
    host = prepared(folder / str(number))
    if does == "undo":
        host.apply(host.plan())
    if not (child := os.fork()):
        ends_at(number, host)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
"""


def prepared(folder: Path) -> Host:
    """A host with two workflows to edit, and a file to link into a folder that is not there."""
    folder.mkdir(parents=True)
    host = Host(folder)
    host.model("vae/ae.safetensors")
    host.model("checkpoints/wan_vae.safetensors")
    host.workflow("a.json", OLD)
    host.workflow("b.json", flow("sub/wan_vae.safetensors"))
    host.workflow("c.json", OLD)
    return host


def content(host: Host) -> dict[str, bytes]:
    """What people have: workflows and models, but for what is hidden beside them."""
    return {
        str(file.relative_to(host.root)): file.read_bytes()
        for top in ("flows", "models")
        for file in sorted((host.root / top).rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


def killed_at_each_step(folder: Path, does: str) -> list[Host]:
    """The hosts on which a process was killed, by its steps; the last one came to its end."""
    command = [sys.executable, "-c", KILLED, str(folder), does]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=300)
    hosts = sorted((path for path in folder.iterdir()), key=lambda path: int(path.name))
    return [Host(path) for path in hosts]


def old_or_new(host: Host, original: dict[str, bytes]) -> dict[str, bytes]:
    now = content(host)
    for name, was in original.items():
        assert now[name] in (was, was.replace(b"AE.safe", b"ae.safe")), (host.root, name)
    return now


def on_record(host: Host) -> list[Record]:
    known, problems = records.everything(host.state)
    assert not problems
    return known


def hidden(host: Host) -> list[Path]:
    return [file for file in (host.root / "flows").iterdir() if file.name.startswith(".")]


def test_killed_at_each_step_of_apply(tmp_path: Path) -> None:
    original = content(prepared(tmp_path / "original"))
    *killed, whole = killed_at_each_step(tmp_path / "killed", "apply")
    assert len(killed) > 20
    seen = set()
    for host in killed:
        now = old_or_new(host, original)
        known = on_record(host)
        assert len(known) == 1 or now == original
        for record in known:
            seen.add(records.how_far(record))
            for written in record.written:
                raw = now[os.path.relpath(written.real, host.root)]
                assert records.digest(raw) in (written.before, written.after)
            undo.undo(host.state, record)
            assert hidden(host) == []
        assert content(host) == original
    assert seen == {
        "cut off before anything was written",
        "cut off in between: --undo takes back what was written",
        "cut off when all was written",
        "done",
    }
    assert len(content(whole)) == len(original) + 1
    assert [record.progress for record in on_record(whole)] == [Progress.DONE]


def test_killed_at_each_step_of_undo(tmp_path: Path) -> None:
    original = content(prepared(tmp_path / "original"))
    *killed, whole = killed_at_each_step(tmp_path / "killed", "undo")
    assert len(killed) > 8
    again = 0
    for host in killed:
        old_or_new(host, original)
        (record,) = on_record(host)
        if record.progress is not Progress.UNDONE:
            again += 1
            undo.undo(host.state, record)
        assert content(host) == original
        assert hidden(host) == []
    assert again > 8
    assert content(whole) == original
