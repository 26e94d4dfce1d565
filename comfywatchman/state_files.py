"""The files that are ours in a state folder, which may be somebody else's ``~/reports`` as well.

Whoever writes one takes its name from here; whoever moves or removes them asks :func:`is_ours`.
The role's modules do so on the hosts, with this very file: it imports nothing but ``re``.
"""

from __future__ import annotations

import re

LAST_RUN = "last-run.json"
LATEST = "latest.json"
REPORT_MARKDOWN = "report.md"
REPORT_HTML = "report.html"
INVENTORY = "inventory.json"
NODE_MAP = "node-map.cache"
VERDICTS = "verdicts.cache"
VERDICTS_SO_FAR = "verdicts-so-far.cache"
SERVER_WORKFLOWS = "server-workflows.sqlite3"
ANSWERS = "server-answers.json"
OFF_SWITCH = "ask-server.off"
CRASH = "last-crash.txt"
OWNER = "host.json"
LOCK = "cycle.lock"
SCHEDULE = "schedule.json"
SCHEDULE_LOCK = "schedule.lock"
SCHEDULE_LOG = "schedule.log"
METRICS = "metrics.prom"
FILES = (
    LAST_RUN,
    LATEST,
    REPORT_MARKDOWN,
    REPORT_HTML,
    INVENTORY,
    NODE_MAP,
    VERDICTS,
    VERDICTS_SO_FAR,
    SERVER_WORKFLOWS,
    ANSWERS,
    OFF_SWITCH,
    CRASH,
    OWNER,
    LOCK,
    SCHEDULE,
    SCHEDULE_LOCK,
    SCHEDULE_LOG,
    METRICS,
)
HISTORY = "history.sqlite3"
OF_OTHER_RELEASES = (HISTORY, "verdicts.json", "history.json")
"""What an older release left, or a newer one from which a host went back."""

PART = ".part"
"""Ends the name of a file that is not wholly written: ``.latest.json.THREAD.PROCESS.part``."""
DAMAGED = ".damaged"
"""Ends the name of a file that could not be read, and was set aside."""

_NAME = "|".join(map(re.escape, FILES + OF_OTHER_RELEASES))
_OURS = re.compile(
    rf"(?:{_NAME})(?:{re.escape(DAMAGED)})?"
    rf"|\.(?:{_NAME})(?:\.[0-9]+)+{re.escape(PART)}"
    rf"|{re.escape(SCHEDULE_LOG)}\.[0-9]+"
    rf"|(?:{re.escape(SERVER_WORKFLOWS)}|{re.escape(HISTORY)})-(?:journal|wal|shm)"
)


def is_ours(name: str) -> bool:
    """Whether a file of this name in a state folder is ours, also a damaged or half-written one."""
    return _OURS.fullmatch(name) is not None
