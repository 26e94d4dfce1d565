"""``comfywatchman status``: what became of the last cycle, read from the state folder alone.

Imports nothing slow, so that it answers at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from comfywatchman import state
from comfywatchman.errors import ConfigError
from comfywatchman.report.escape import visible

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path) -> dict[str, Any]:
    """Collect the status.

    Returns:
        ``state_dir``, ``running`` (whether a cycle runs now), ``interrupted`` (whether the last one
        was killed), ``last_run`` (the content of ``last-run.json`` or None) and ``report`` (the
        summary and paths of the last full report, or None).

    Raises:
        ConfigError: the state may not be read.
    """
    last_run = _object(folder / state.LAST_RUN)
    unfinished = last_run is not None and last_run.get("outcome") == "running"
    running = unfinished and cycle_is_running(folder)
    latest = _object(folder / state.LATEST)
    report = None
    if latest is not None:
        report = {
            "started_at": latest.get("started_at"),
            "summary": latest.get("summary"),
            "files": {
                kind: str(folder / name)
                for kind, name in (
                    ("json", state.LATEST),
                    ("markdown", "report.md"),
                    ("html", "report.html"),
                )
                if (folder / name).exists()
            },
        }
    return {
        "state_dir": str(folder),
        "running": running,
        "interrupted": unfinished and not running,
        "last_run": last_run,
        "report": report,
    }


def cycle_is_running(folder: Path) -> bool:
    """Whether a cycle holds the lock now. Takes nothing that a cycle could miss for long."""
    import filelock

    file = folder / state.LOCK
    if not file.exists():
        return False
    try:
        with filelock.FileLock(file, blocking=False, mode=0o600):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def in_words(status: dict[str, Any], now: datetime | None = None) -> str:
    """Show the status to a person."""
    now = now or datetime.now(UTC)
    lines = []
    last_run, report = status["last_run"], status["report"]
    if last_run is None:
        lines.append("No cycle has run yet. Start one with: comfywatchman check")
    elif status["running"]:
        lines.append(f"A cycle is running, since {_when(last_run.get('started_at'), now)}.")
    elif status["interrupted"]:
        lines.append(
            f"The last cycle, begun {_when(last_run.get('started_at'), now)}, was killed in the "
            "middle; the report before it is intact."
        )
    else:
        ended = _when(last_run.get("finished_at"), now)
        lines.append(f"Last cycle   {visible(str(last_run.get('outcome')))}, {ended}")
        lines.append(f"             {visible(str(last_run.get('reason')))}")
        if last_run.get("paths"):
            lines.append(
                "             (by hand, for: " + visible(", ".join(last_run["paths"])) + ")"
            )
    if report is None:
        lines.append("Last report  none yet")
    else:
        counts = ", ".join(f"{n} {v}" for v, n in (report["summary"] or {}).items() if n)
        lines.append(f"Last report  {_when(report['started_at'], now)}: {counts or 'no workflows'}")
        lines += [f"             {visible(file)}" for file in report["files"].values()]
    lines.append(f"State        {visible(status['state_dir'])}")
    return "\n".join(lines)


def _object(file: Path) -> dict[str, Any] | None:
    try:
        content = orjson.loads(file.read_bytes())
    except PermissionError:
        raise ConfigError(
            f"{file}: this user may not read it; ask as the user that the cycles run as"
        ) from None
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def _when(moment: object, now: datetime) -> str:
    try:
        then = datetime.fromisoformat(str(moment))
        seconds = int((now - then).total_seconds())
    except (ValueError, TypeError):
        return "at an unknown time"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            ago = f"{count} {unit}{'s' if count > 1 else ''} ago"
            break
    else:
        ago = f"{max(seconds, 0)} s ago"
    return f"{ago} ({then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"
