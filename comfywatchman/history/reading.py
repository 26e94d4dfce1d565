"""What the history answers. Every function raises ``ValueError`` for what is damaged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman.history import packing
from comfywatchman.history.facts import FactKind
from comfywatchman.history.records import CycleRow, Event, State
from comfywatchman.results import (
    Cause,
    ChangeKind,
    Changes,
    Milestone,
    Outcome,
    PastCause,
    PastVerdict,
    Report,
    Verdict,
    WorkflowReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

    from comfywatchman.history.facts import Facts, Value

_TEXTS: Final = 12
"""What changed that a milestone tells of at most."""
_CAUSES: Final = 20
"""Causes that a milestone names at most."""
_KINDS: Final = frozenset(kind.value for kind in FactKind)
_STATE: Final = "path, name, verdict, verdict_since, content_digest"


def states(connection: Connection) -> dict[str, State]:
    """What holds of each workflow, by its path."""
    query = (
        f"SELECT {_STATE}, state_key FROM state JOIN workflow ON workflow = workflow.id"  # noqa: S608
        " WHERE until IS NULL"
    )
    return {
        path: State(
            path,
            name,
            Verdict(verdict),
            packing.time_of(since),
            bytes(key).hex(),
            None if digest is None else bytes(digest).hex(),
        )
        for path, name, verdict, since, digest, key in connection.execute(query)
    }


def since_full(connection: Connection, at: int) -> tuple[str, int]:
    """The version that made the last full cycle, and how many came after it."""
    query = "SELECT id, version FROM cycle WHERE at = ?"
    number, version = connection.execute(query, (at,)).fetchone() or (0, "")
    query = "SELECT count(*) + coalesce(sum(folded), 0) FROM cycle WHERE id > ?"
    (count,) = connection.execute(query, (number,)).fetchone()
    return version, count


def is_known(connection: Connection, at: int) -> bool:
    """Whether a cycle of this start is on record."""
    return connection.execute("SELECT 1 FROM cycle WHERE at = ?", (at,)).fetchone() is not None


def report_of(connection: Connection, path: str, *, known: bool) -> WorkflowReport | None:
    """The report that holds of a workflow; with ``known`` the last one with a verdict."""
    condition = f"verdict != '{Verdict.UNKNOWN.value}'" if known else "until IS NULL"
    row = connection.execute(
        f"SELECT {_STATE}, content FROM state JOIN workflow ON workflow = workflow.id"  # noqa: S608
        f" JOIN found ON found = found.id WHERE path = ? AND {condition}"
        " ORDER BY state.id DESC LIMIT 1",
        (path,),
    ).fetchone()
    if row is None:
        return None
    return WorkflowReport.model_validate_json(_workflow_json(row), extra="ignore")


def cycles(connection: Connection, since: int) -> list[CycleRow]:
    """The cycles from a time on, the newest first."""
    query = (
        "SELECT at, duration, outcome, reason, version, folded FROM cycle WHERE at >= ?"
        " ORDER BY at DESC"
    )
    return [
        CycleRow(packing.time_of(at), duration, Outcome(outcome), reason, version, folded or 0)
        for at, duration, outcome, reason, version, folded in connection.execute(query, (since,))
    ]


def names(connection: Connection) -> dict[str, str]:
    """What each workflow is called, by its path."""
    return dict(connection.execute("SELECT path, name FROM workflow"))


def past(connection: Connection, since: int) -> dict[str, list[PastVerdict]]:
    """The verdicts of each workflow from a time on, the one that held then included."""
    found: dict[str, list[PastVerdict]] = {}
    query = (
        "SELECT path, verdict_since, verdict FROM state JOIN workflow ON workflow = workflow.id"
        " WHERE until IS NULL OR until > ? ORDER BY state.id"
    )
    verdicts = {verdict.value: verdict for verdict in Verdict}
    for path, at, verdict in connection.execute(query, (since,)):
        before = found.setdefault(path, [])
        begun = packing.time_of(at)
        if not before or before[-1].since != begun:
            before.append(PastVerdict(since=begun, verdict=verdicts[verdict]))
    return found


def timeline(connection: Connection, since: int, limit: int) -> list[Milestone]:
    """The last cycles that found something changed, the newest first."""
    query = "SELECT at, worse, mended, content FROM event WHERE at >= ? ORDER BY at DESC LIMIT ?"
    milestones = []
    for at, worse, mended, content in connection.execute(query, (since, limit)):
        kept = packing.read(content)
        causes = [_cause(connection, number) for number in kept["causes"][:_CAUSES]]
        texts = [cause.text for cause in causes[: _TEXTS + 1]]
        texts += [change["text"] for change in kept["rest"].get("host", [])[: _TEXTS + 1]]
        total = (
            len(kept["causes"])
            + len(kept["rest"].get("host", []))
            + kept["rest"].get("host_left_out", 0)
        )
        texts = list(dict.fromkeys(texts))[:_TEXTS]
        if total > _TEXTS:
            texts.append(f"and {total - _TEXTS:,} more")
        did = Counter(
            cause
            for _, kind, _, _, because, *_ in kept["workflows"]
            if kind in (ChangeKind.WORSE, ChangeKind.OTHER)
            for cause in because
        )
        milestones.append(
            Milestone(
                at=packing.time_of(at),
                texts=texts,
                causes=[_in_short(cause, did[cause.id]) for cause in causes],
                worse=worse,
                mended=mended,
            )
        )
    return milestones


def _in_short(cause: Cause, worse: int) -> PastCause:
    return PastCause(
        id=cause.id,
        kind=cause.kind,
        sureness=cause.sureness,
        name=cause.name,
        text=cause.text,
        worse=worse,
    )


def events(connection: Connection, since: int | None, workflow: str | None) -> list[Event]:
    """The cycles that found something changed, the newest first."""
    numbers: dict[int, tuple[str, str]] = {
        number: (path, name)
        for number, path, name in connection.execute("SELECT id, path, name FROM workflow")
    }
    query = "SELECT at, content FROM event WHERE at >= ?1"
    only = None
    if workflow is not None:
        only = next((n for n, (path, _) in numbers.items() if path == workflow), None)
        query += " AND at IN (SELECT at FROM event_workflow WHERE workflow = ?2)"
    causes: dict[int, Cause] = {}
    found = []
    first = -(2**63) if since is None else since
    given = (first,) if workflow is None else (first, only)
    for at, content in connection.execute(f"{query} ORDER BY at DESC", given):
        kept = packing.read(content)
        for number in kept["causes"]:
            if number not in causes:
                causes[number] = _cause(connection, number)
        changes = _changes(kept, numbers, [causes[number] for number in kept["causes"]], only)
        found.append(Event(packing.time_of(at), changes))
    return found


def report_at(connection: Connection, when: int) -> Report | None:
    """The report as it was."""
    query = "SELECT at, duration, reason, content, own FROM cycle JOIN frame ON frame = frame.id"
    row = connection.execute(
        f"{query} WHERE at <= ? AND complete ORDER BY at DESC LIMIT 1", (when,)
    ).fetchone()
    # Of a day that is long ago one cycle has a row; what others found is there all the same.
    if row is None:
        row = connection.execute(
            f"{query} WHERE at > ?1 AND at - at % ?2 <= ?1 AND folded AND complete LIMIT 1",
            (when, packing.DAY),
        ).fetchone()
    times = [row[0]] if row and row[0] <= when else []
    for column, table in (("since", "state"), ("until", "state"), ("at", "event")):
        query = f"SELECT max({column}) FROM {table} WHERE {column} <= ?"  # noqa: S608
        times += [at for (at,) in connection.execute(query, (when,)) if at is not None]
    if row is None or not times:
        return None
    at = max(times)
    _, duration, reason, frame, own = row
    rows = connection.execute(
        f"SELECT {_STATE}, content FROM state"  # noqa: S608
        " JOIN workflow ON workflow = workflow.id JOIN found ON found = found.id"
        " WHERE since <= ?1 AND (until IS NULL OR until > ?1) ORDER BY path",
        (at,),
    ).fetchall()
    counts = dict.fromkeys(Verdict, 0)
    for _, _, verdict, *_ in rows:
        counts[Verdict(verdict)] += 1
    rest = {
        "started_at": packing.time_of(at).isoformat(),
        "duration_s": duration or 0.0,
        "reason": reason,
        "summary": {verdict.value: count for verdict, count in counts.items()},
        "changes": _changes_at(connection, at),
        **packing.read(own),
        **packing.read(frame),
    }
    workflows = b",".join(map(_workflow_json, rows))
    content = orjson.dumps(rest)[:-1] + b',"workflows":[' + workflows + b"]}"
    return Report.model_validate_json(content, extra="ignore")


def facts_at(connection: Connection, when: int) -> Facts:
    """The facts of the host as they were: those of now, with each change since taken back."""
    query = "SELECT kind, content FROM fact WHERE since <= ?"
    facts: Facts = {
        FactKind(kind): packing.read(content)
        for kind, content in connection.execute(query, (when,))
        if kind in _KINDS
    }
    query = "SELECT kind, content FROM fact_change WHERE at > ? ORDER BY id DESC"
    for kind, content in connection.execute(query, (when,)):
        of_kind = facts.get(kind)
        if of_kind is None:
            continue
        for name, before, _ in packing.read(content):
            if before is None:
                of_kind.pop(name, None)
            else:
                of_kind[name] = before
    return facts


def gone(connection: Connection, kind: FactKind) -> dict[str, Value]:
    """What was there once and is no more, as it was last: by name, the one that went last last."""
    query = "SELECT content FROM fact_change WHERE kind = ? ORDER BY id"
    found: dict[str, Value] = {}
    for (content,) in connection.execute(query, (kind.value,)):
        for name, before, after in packing.read(content):
            found.pop(name, None)
            if after is None and before is not None:
                found[name] = before
    return found


def last_good(connection: Connection, path: str) -> int | None:
    """The newest full cycle in which a workflow was runnable."""
    row = connection.execute(
        "SELECT since, until, last FROM state JOIN workflow ON workflow = workflow.id"
        " WHERE path = ? AND verdict = ? ORDER BY state.id DESC LIMIT 1",
        (path, Verdict.RUNNABLE.value),
    ).fetchone()
    if row is None:
        return None
    since, until, last = row
    if until is None:
        query = "SELECT value FROM meta WHERE name = 'last_full'"
        (last,) = connection.execute(query).fetchone() or (since,)
    return int(since if last is None else last)


def content_at(connection: Connection, path: str, when: int) -> str | None:
    """SHA-256 of a workflow as it was at a time, in hexadecimal; None if that is not known."""
    row = connection.execute(
        "SELECT content_digest FROM state JOIN workflow ON workflow = workflow.id"
        " WHERE path = ? AND since <= ? ORDER BY state.id DESC LIMIT 1",
        (path, when),
    ).fetchone()
    return bytes(row[0]).hex() if row is not None and row[0] is not None else None


def began(connection: Connection) -> int | None:
    """Start of the first cycle on record; None if there is none."""
    return connection.execute("SELECT min(at) FROM cycle").fetchone()[0]  # type: ignore[no-any-return]


def _workflow_json(row: Iterable[Any]) -> bytes:
    path, name, verdict, since, digest, content = row
    beside = {
        "path": path,
        "name": name,
        "verdict": verdict,
        "since": packing.time_of(since).isoformat(),
        "content_digest": None if digest is None else bytes(digest).hex(),
    }
    rest = packing.unpack(content)
    return orjson.dumps(beside)[:-1] + (b"}" if rest == b"{}" else b"," + rest[1:])


def _cause(connection: Connection, number: int) -> Cause:
    query = "SELECT content FROM cause WHERE id = ?"
    found = connection.execute(query, (number,)).fetchone()
    if found is None:
        raise ValueError("a cause is not there")
    return Cause.model_validate_json(packing.unpack(found[0]), extra="ignore")


def _changes(
    kept: Any, numbers: dict[int, tuple[str, str]], causes: list[Cause], only: int | None
) -> Changes:
    """What a cycle found changed; of one workflow and its causes if that is asked for."""
    rows = [row for row in kept["workflows"] if row[0] in numbers and only in (None, row[0])]
    workflows = [
        {
            "path": numbers[number][0],
            "name": numbers[number][1],
            "kind": kind,
            "before": before,
            "after": after,
            "causes": because,
            "will_fail": bool(will_fail),
        }
        for number, kind, before, after, because, *will_fail in rows
    ]
    if only is not None:
        named = {cause for row in rows for cause in row[4]}
        causes = [cause for cause in causes if cause.id in named]
    found = {**kept["rest"], "workflows": workflows, "causes": causes}
    return Changes.model_validate(found, extra="ignore")


def _changes_at(connection: Connection, at: int) -> dict[str, Any] | None:
    row = connection.execute("SELECT content FROM event WHERE at = ?", (at,)).fetchone()
    if row is None:
        return None
    kept = packing.read(row[0])
    numbers = {
        number: (path, name)
        for number, path, name in connection.execute(
            "SELECT id, path, name FROM workflow JOIN event_workflow ON workflow = id WHERE at = ?",
            (at,),
        )
    }
    causes = [_cause(connection, number) for number in kept["causes"]]
    return _changes(kept, numbers, causes, None).model_dump(mode="json")
