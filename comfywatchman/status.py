"""``comfywatchman status``: what became of the last cycle, and when the next is due.

Imports nothing slow, so that it answers at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from comfywatchman import off_switch, ownership, state, state_files
from comfywatchman.channels.sending import kept
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.events import quiet
from comfywatchman.moments import in_utc, shown, span
from comfywatchman.schedule import service, timer

if TYPE_CHECKING:
    from pathlib import Path


_BROKEN_LIMIT = 5
"""Broken workflows named, those first that have been broken longest."""


def read(folder: Path, instance: str = "") -> dict[str, Any]:
    """Collect the status.

    Args:
        folder: the state folder.
        instance: name of the instance, to find its timer.

    Returns:
        ``state_dir``, ``running`` (whether a cycle runs now), ``interrupted`` (whether the last one
        was killed), ``damaged`` (files that cannot be understood), ``last_run`` (the content of
        ``last-run.json`` or None), ``other_host`` (a sentence where the state is another host's, or
        None; see :mod:`comfywatchman.ownership`), ``report`` (of the last full one: the summary,
        how many of each verdict are accepted as they are, the number of workflows that were left
        out, the number of those that got worse, None where that is not known, the names of those
        that will fail, the counts of model files by their state, None where none are on this host,
        ``name`` and ``since`` of those that are broken and not accepted, as far as it is known
        since when, and its paths; or None), ``alarm`` (a sentence, or None; see
        :mod:`comfywatchman.off_switch`), ``schedule`` (see
        :class:`comfywatchman.schedule.timer.Schedule`), ``failed`` (why the service failed
        without a cycle that could leave word, ``why`` and ``remedy``, or None), ``quiet`` (until
        when nobody is told anything, or None) and ``not_told`` (a sentence for each channel that
        could not be reached when it was tried last).

    Raises:
        ConfigError: the state may not be read.
    """
    damaged: list[str] = []
    last_run = _object(folder / state_files.LAST_RUN, damaged, paths=list)
    unfinished = last_run is not None and last_run.get("outcome") == "running"
    running = unfinished and timer.is_held(folder / state_files.LOCK)
    latest = _object(
        folder / state_files.LATEST, damaged, summary=dict, accepted=dict, left_out=int
    )
    report = None
    if latest is not None:
        report = {
            "started_at": latest.get("started_at"),
            "summary": latest.get("summary"),
            "accepted": latest.get("accepted", {}),
            "left_out": latest.get("left_out", 0),
            "worse": _got_worse(latest.get("changes")),
            "will_fail": _will_fail(latest.get("workflows")),
            "model_files": latest.get("model_files"),
            "broken": _broken(latest.get("workflows")),
            "files": {
                kind: str(folder / name)
                for kind, name in (
                    ("json", state_files.LATEST),
                    ("markdown", state_files.REPORT_MARKDOWN),
                    ("html", state_files.REPORT_HTML),
                )
                if (folder / name).exists()
            },
        }
    switch = off_switch.read(folder)
    owner = ownership.of_other_host(folder)
    schedule = timer.read(instance, folder)
    failed = service.unrecorded(instance, folder, last_run) if schedule.by == "systemd" else None
    return {
        "state_dir": str(folder),
        "running": running,
        "interrupted": unfinished and not running,
        "damaged": damaged,
        "alarm": switch.sentence if switch else None,
        "other_host": ownership.sentence(folder, owner) if owner else None,
        "last_run": last_run,
        "report": report,
        "schedule": schedule.as_json(),
        "failed": failed,
        "quiet": held.until.isoformat() if (held := quiet.read(folder)) else None,
        "not_told": [channel.text for channel in kept.failing(folder)],
    }


def in_words(status: dict[str, Any], now: datetime | None = None) -> str:
    """Show the status to a person."""
    now = now or datetime.now(UTC)
    lines = []
    last_run, report = status["last_run"], status["report"]
    if status["alarm"]:
        lines.append(f"ALARM        {visible(status['alarm'])}")
    if status["other_host"]:
        lines.append(f"Other host   {visible(status['other_host'])}")
    lines += [f"Damaged      {visible(file)}: cannot be understood" for file in status["damaged"]]
    if last_run is None and status["damaged"]:
        lines.append(
            "What became of the last cycle is not known. Start one with: comfywatchman check"
        )
    elif last_run is None:
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
                "             (by hand, for: "
                + visible(", ".join(map(str, last_run["paths"])))
                + ")"
            )
        if last_run.get("metrics"):
            lines.append(f"Metrics      {visible(str(last_run['metrics']))}")
    if failed := status["failed"]:
        lines += [
            f"Service      the last start failed before its cycle began: {failed['why']}",
            f"             what to do: {failed['remedy']}",
        ]
    lines += _schedule(status["schedule"], now)
    if report is None:
        lines.append("Last report  none yet")
    else:
        counts = ", ".join(f"{n} {v}" for v, n in (report["summary"] or {}).items() if n)
        if report["left_out"]:
            counts = f"{counts or 'no workflows'}; {report['left_out']} left out"
        if accepted := sum(n for n in report["accepted"].values() if isinstance(n, int)):
            counts += f"; {accepted} accepted"
        if report["will_fail"]:
            counts += f"; {len(report['will_fail'])} will fail"
        if report["worse"]:
            counts += f"; {report['worse']} got worse"
        lines.append(
            f"Last report  {_when(report['started_at'], now)}: {visible(counts) or 'no workflows'}"
        )
        lines += [f"             {visible(file)}" for file in report["files"].values()]
        lines += _since_when(report["broken"], now)
        lines += _named("Will fail", report["will_fail"])
        lines += _of_models(report["model_files"])
    lines += [f"Messages     {visible(each)}" for each in status["not_told"]]
    if last_run and last_run.get("history"):
        lines.append(f"History      {visible(str(last_run['history']))}")
    if status["quiet"]:
        lines.append(f"Quiet        nobody is told anything until {status['quiet']}")
    lines.append(f"State        {visible(status['state_dir'])}")
    return "\n".join(lines)


def _got_worse(changes: Any) -> int | None:
    """How many workflows did, but for those that only another ComfyWatchman judges otherwise."""
    try:
        kinds = {cause["id"]: cause["kind"] for cause in changes["causes"]}
        worse = [change for change in changes["workflows"] if change["kind"] == "worse"]
        causes = [{kinds.get(cause) for cause in change["causes"]} for change in worse]
    except (TypeError, LookupError):
        return None
    return len(causes) - causes.count({"program"})


def _broken(workflows: Any) -> list[dict[str, str]]:
    """Those that are broken and nobody has accepted, and since when; the longest first."""
    try:
        bad = (w for w in workflows if w["verdict"] == "broken" and not w.get("accepted"))
        found = [{"name": str(w["name"]), "since": w["since"]} for w in bad if w["since"]]
        return sorted(found, key=lambda each: in_utc(datetime.fromisoformat(each["since"])))
    except (TypeError, LookupError, AttributeError, ValueError):
        return []


def _will_fail(workflows: Any) -> list[str]:
    """The names of those that will fail and nobody has accepted."""
    try:
        return [str(w["name"]) for w in workflows if w.get("will_fail") and not w.get("accepted")]
    except (TypeError, LookupError, AttributeError):
        return []


def _of_models(files: Any) -> list[str]:
    """How the model files are, if any is not sound."""
    try:
        counts = [(files[state], state) for state in ("damaged", "unfinished", "unread")]
        told = ", ".join(f"{number:,} {state}" for number, state in counts if number)
    except (TypeError, LookupError, ValueError):
        return []
    return [f"Model files  {told}"] if told else []


def _since_when(broken: list[dict[str, str]], now: datetime) -> list[str]:
    told = []
    for each in broken[:_BROKEN_LIMIT]:
        since = in_utc(datetime.fromisoformat(each["since"]))
        length = span((now - since).total_seconds())
        told.append(f"{each['name']}, since {shown(since)} ({length})")
    return _named("Broken", [*told, *(each["name"] for each in broken[_BROKEN_LIMIT:])])


def _named(what: str, names: list[str]) -> list[str]:
    """The first of some workflows, and how many more there are."""
    told = [visible(name) for name in names[:_BROKEN_LIMIT]]
    if len(names) > _BROKEN_LIMIT:
        told.append(f"and {len(names) - _BROKEN_LIMIT:,} more")
    return [f"{'' if at else what:<13}{text}" for at, text in enumerate(told)]


def _schedule(schedule: dict[str, Any], now: datetime) -> list[str]:
    by = visible(str(schedule["unit"] or "comfywatchman schedule"))
    if schedule["next_run"]:
        lines = [f"Next cycle   {_when(schedule['next_run'], now)}, by {by}"]
    elif schedule["sub_state"] == "running":
        lines = [f"Next cycle   known when this one ends, by {by}"]
    else:
        lines = ["Next cycle   none"]
    if schedule["last_run"]:
        lines.append(f"             the last was started {_when(schedule['last_run'], now)}")
    if schedule["problem"]:
        lines += [
            f"             {visible(schedule['problem'])}",
            f"             {schedule['remedy']}",
        ]
    return lines


def _object(file: Path, damaged: list[str], **kinds: type) -> dict[str, Any] | None:
    try:
        content = orjson.loads(state.read_file(file))
    except PermissionError:
        raise ConfigError(
            f"{file}: this user may not read it; ask as the user that the cycles run as"
        ) from None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, orjson.JSONDecodeError):
        content = None
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key, kind()), kind) for key, kind in kinds.items()
    ):
        damaged.append(str(file))
        return None
    return content


def _when(moment: object, now: datetime) -> str:
    try:
        then = datetime.fromisoformat(str(moment))
        seconds = int((now - then).total_seconds())
        at = f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, TypeError, OverflowError):
        return "at an unknown time"
    how = f"in {span(-seconds)}" if seconds < 0 else f"{span(seconds)} ago"
    return f"{how} ({at})"
