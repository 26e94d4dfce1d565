"""The state folder of a healthy host."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from comfywatchman import state_files
from comfywatchman.gate import lock
from comfywatchman.report.store import ReportStore
from comfywatchman.results import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def healthy_state(folder: Path) -> Iterator[Path]:
    """A schedule runs, the last cycle is done."""
    store = ReportStore(folder)
    now = datetime.now(UTC)
    store.finish(Outcome.DONE, "1 workflow: 1 runnable", now - timedelta(minutes=90))
    facts = {
        "pid": os.getpid(),
        "next_run": (now + timedelta(minutes=90)).isoformat(),
        "interval_s": 7200.0,
        "jitter_s": 120.0,
    }
    (folder / state_files.SCHEDULE).write_text(json.dumps(facts))
    with lock.make(folder / state_files.SCHEDULE_LOCK):
        yield folder
