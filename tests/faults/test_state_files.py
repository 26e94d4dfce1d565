"""Whatever a program of ours writes into its state folder is on the list of what is ours there."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

from comfywatchman import state_files
from tests.faults.conftest import NEEDS_A_MODEL
from tests.faults.test_schedule import OFTEN, wait_for
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Host

# Every Python process of the host imports it: hears which files are opened to write or renamed, and
# is the bug that ends a cycle where there is to be one.
LISTENER = """
import os, sys

folder, heard = os.environ["COMFYWATCHMAN_STATE_DIR"], os.environ["HEARD"]
written = os.open(heard, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def hear(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        path = arguments[0]
    elif event == "os.rename":
        path = arguments[1]
    elif event == "sqlite3.connect":
        path = arguments[0]
    else:
        return
    if isinstance(path, int):
        return
    above, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    if above == folder:
        os.write(written, os.fsencode(name) + b"\\n")
        if "BUG" in os.environ and name.startswith(".latest.json"):
            raise RuntimeError("a bug")

sys.addaudithook(hear)
"""


ONLY_WHEN_ASKED = {state_files.ANSWERS, state_files.OFF_SWITCH}
"""Written with ``ask_server: doubtful``: test_asking.py causes both."""

ONLY_WHEN_TOLD = {state_files.NOTIFY, state_files.NOTIFY_LOCK, state_files.NOTIFY_WANTED}
"""Written where a channel is set up: test_telling.py and tests/unit/channels cause them."""

ONLY_OF_MODELS = {
    state_files.MODELS_HTML,
    state_files.MODEL_HASHES,
    state_files.MODEL_HASHES_LOCK,
}
"""Written by ``comfywatchman models``: tests/unit/modelfiles/test_ledger.py causes them."""

ONLY_WHEN_SLOW = {state_files.VERDICTS_SO_FAR}
"""Written by cycles that take a while: test_time.py causes it."""


def test_every_file_that_is_written_is_on_the_list_and_the_other_way_round(
    host: Host, comfyui: StandIn, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    (tmp_path / "listener").mkdir()
    (tmp_path / "listener" / "sitecustomize.py").write_text(LISTENER)
    host.environment["PYTHONPATH"] = f"{tmp_path / 'listener'}:{host.environment['PYTHONPATH']}"
    host.environment["HEARD"] = str(heard)

    unknown = {"1": {"class_type": "Nobody's", "inputs": {}}}
    (host.workflows / "unknown.json").write_text(json.dumps(unknown))
    saved = tmp_path / "user" / "default" / "workflows" / "saved.json"
    saved.parent.mkdir(parents=True)
    saved.write_text(json.dumps(unknown))
    model = tmp_path / "ComfyUI" / "models" / "vae" / "ae.safetensors"
    model.parent.mkdir(parents=True)
    model.touch()
    with StandIn(state="full", manager="4.3", userdata=tmp_path / "user") as with_manager:
        assert host.run(comfyui_url=with_manager.url).returncode == 0
        with_models = {"comfyui_url": with_manager.url, "comfyui_dir": tmp_path / "ComfyUI"}
        assert host.run(**with_models).returncode == 0
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    (host.state / state_files.VERDICTS).write_bytes(b"damaged")
    host.environment["BUG"] = "yes"
    assert host.run(comfyui_url=comfyui.url).returncode == 70
    del host.environment["BUG"]
    host.run("notify", "--failed-unit", "comfywatchman.service", comfyui_url=comfyui.url)
    host.run("quiet", "until", "1h")
    mended = host.workflows / "mended.json"
    mended.write_text(json.dumps(NEEDS_A_MODEL).replace("ae.safetensors", "AE.safetensors"))
    os.utime(mended, (1_000_000_000, 1_000_000_000))
    plan = tmp_path / "plan.json"
    assert host.run("fix", "--plan", str(plan), comfyui_url=comfyui.url).returncode == 0
    assert host.run("fix", "--apply", str(plan), comfyui_url=comfyui.url).returncode == 0
    log = host.state / state_files.SCHEDULE_LOG
    log.write_bytes(b"x" * 1024**2)
    with host.start("schedule", comfyui_url=comfyui.url, **OFTEN) as schedule:
        try:
            wait_for(lambda: log.exists() and "INFO cycle done" in log.read_text(), "a cycle")
        finally:
            schedule.send_signal(signal.SIGTERM)
            schedule.communicate(timeout=30)

    written = {*heard.read_text().splitlines(), *host.files()}
    assert {name for name in written if not state_files.is_ours(name)} == set()
    left = {*state_files.FILES} - written - ONLY_WHEN_SLOW
    assert left == ONLY_WHEN_ASKED | ONLY_WHEN_TOLD | ONLY_OF_MODELS
    assert {f"{state_files.VERDICTS}.damaged", f"{state_files.SCHEDULE_LOG}.1"} <= written
    assert any(name.endswith(state_files.FIX_COPY) for name in written)
    assert any(name.endswith(state_files.PART) for name in written)
