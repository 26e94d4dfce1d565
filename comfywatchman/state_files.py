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
MODELS_HTML = "models.html"
MODEL_HASHES = "model-hashes.json"
MODEL_HASHES_LOCK = "model-hashes.lock"
NODE_MAP = "node-map.cache"
VERDICTS = "verdicts.cache"
VERDICTS_SO_FAR = "verdicts-so-far.cache"
SERVER_WORKFLOWS = "server-workflows.sqlite3"
HISTORY = "history.sqlite3"
WORKFLOW_COPIES = "workflow-copies.sqlite3"
ANSWERS = "server-answers.json"
MODEL_ANSWERS = "model-files.cache"
OFF_SWITCH = "ask-server.off"
CRASH = "last-crash.txt"
OWNER = "host.json"
LOCK = "cycle.lock"
SCHEDULE = "schedule.json"
SCHEDULE_LOCK = "schedule.lock"
SCHEDULE_LOG = "schedule.log"
METRICS = "metrics.prom"
QUIET = "quiet.json"
NOTIFY = "notify.json"
NOTIFY_LOCK = "notify.lock"
NOTIFY_WANTED = "notify.wanted"
FIX_LOCK = "fix.lock"
FILES = (
    LAST_RUN,
    LATEST,
    REPORT_MARKDOWN,
    REPORT_HTML,
    INVENTORY,
    MODELS_HTML,
    MODEL_HASHES,
    MODEL_HASHES_LOCK,
    NODE_MAP,
    VERDICTS,
    VERDICTS_SO_FAR,
    SERVER_WORKFLOWS,
    HISTORY,
    WORKFLOW_COPIES,
    ANSWERS,
    MODEL_ANSWERS,
    OFF_SWITCH,
    CRASH,
    OWNER,
    LOCK,
    SCHEDULE,
    SCHEDULE_LOCK,
    SCHEDULE_LOG,
    METRICS,
    QUIET,
    NOTIFY,
    NOTIFY_LOCK,
    NOTIFY_WANTED,
    FIX_LOCK,
)
OF_OTHER_RELEASES = ("verdicts.json", "history.json")
"""What an older release left, or a newer one from which a host went back."""

PART = ".part"
"""Ends the name of a file that is not wholly written: ``.latest.json.THREAD.PROCESS.part``."""
DAMAGED = ".damaged"
"""Ends the name of a file that could not be read, and was set aside."""
BEFORE = ".before-"
"""Stands between the name of a database and the version that it is kept in as it was, before a
newer release brings it up to date."""
FIX = "fix-"
"""Begins the names of what is kept of a fix: its record ``fix-ID.json``, and what workflows held
before it."""
FIX_COPY = ".before"
"""Ends the name of a file that has what a workflow held before a fix: ``fix-ID-NUMBER.before``."""

_DATABASE = "|".join(map(re.escape, (SERVER_WORKFLOWS, HISTORY, WORKFLOW_COPIES)))
_FIX = rf"{re.escape(FIX)}[0-9]{{8}}-[0-9]{{6}}-[0-9a-f]{{8}}"
_NAME = "|".join(
    (
        rf"{_FIX}\.json",
        rf"{_FIX}-[0-9]+{re.escape(FIX_COPY)}",
        *map(re.escape, FILES + OF_OTHER_RELEASES),
        rf"(?:{_DATABASE}){re.escape(BEFORE)}[0-9]+",
    )
)
_OURS = re.compile(
    rf"(?:{_NAME})(?:{re.escape(DAMAGED)})?"
    rf"|\.(?:{_NAME})(?:\.[0-9]+)+{re.escape(PART)}"
    rf"|{re.escape(SCHEDULE_LOG)}\.[0-9]+"
    rf"|(?:{_DATABASE})-(?:journal|wal|shm)"
)
_BESIDE = re.compile(rf"({_DATABASE})-(?:journal|wal|shm)")
_PEOPLES_WORK = re.compile(rf"\.?(?:{re.escape(WORKFLOW_COPIES)}(?:[.-].*)?|{_FIX}-[0-9]+\..*)")
_REMEMBERED = re.compile(
    rf"(?:{'|'.join(map(re.escape, (HISTORY, WORKFLOW_COPIES, MODEL_HASHES)))})(?:[.-].*)?"
    rf"|{_FIX}[.-].*"
)


def is_ours(name: str) -> bool:
    """Whether a file of this name in a state folder is ours, also a damaged or half-written one."""
    return _OURS.fullmatch(name) is not None


def is_remembered(name: str) -> bool:
    """Whether a file of ours holds what no later cycle could find out again."""
    return is_ours(name) and _REMEMBERED.fullmatch(name) is not None


def database_of(name: str) -> str:
    """The name of the database that a file belongs to: a journal's, else the file's own."""
    return _BESIDE.sub(r"\1", name)


def holds_peoples_work(name: str) -> bool:
    """Whether a file of ours holds what people made, to be removed only where that is asked for."""
    return is_ours(name) and _PEOPLES_WORK.fullmatch(name) is not None
