"""Putting a cycle on record, in one transaction: what changed, and no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.history import kept_world, packing, retention
from comfywatchman.history.facts import differences
from comfywatchman.history.records import state_key
from comfywatchman.results import ChangeKind
from comfywatchman.workflow.postponed import is_postponed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from sqlite3 import Connection

    from comfywatchman.history.facts import Facts
    from comfywatchman.history.records import CycleRow, Full
    from comfywatchman.results import Changes, WorkflowReport

NOT_FOUND: Final = frozenset(
    {"path", "name", "verdict", "content_digest", "since", "past", "accepted"}
)
"""What of a workflow's report is kept beside what was found of it."""
_NOT_FRAME: Final = frozenset(
    {
        *("started_at", "duration_s", "reason", "summary", "workflows", "changes", "timeline"),
        *("gate", "asked_server", "notices"),
    }
)
_OWN: Final = frozenset({"gate", "asked_server"})


class _Now(NamedTuple):
    """What was found of a workflow."""

    report: WorkflowReport
    key: bytes
    content: bytes | None
    """Digest of its bytes."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A cycle, made ready so that nothing of it can fail but the database.

    Attributes:
        cycle: how it went.
        at: its start, as it is kept.
        full: what it found, if it was over everything.
        states: the same of each workflow that it came to, in short.
        frame: JSON of what the report says beside its workflows.
        own: JSON of what of that is this cycle's alone.
        facts: JSON of the facts of each kind that was read.
        world: what the verdicts rest on; None if it cannot be kept.
    """

    cycle: CycleRow
    at: int
    full: Full | None = None
    states: Sequence[_Now] = ()
    frame: bytes = b""
    own: bytes = b""
    facts: Mapping[str, bytes] = field(default_factory=dict)
    world: kept_world.Prepared | None = None


def prepare(cycle: CycleRow, full: Full | None) -> Remembered:
    """Make ready what can be made before anything is locked.

    Raises:
        RecursionError: something is nested hundreds deep.
        TypeError: something is no JSON.
        ValueError: likewise.
    """
    at = packing.stamp(cycle.started_at)
    if full is None:
        return Remembered(cycle, at)
    environment = full.environment
    return Remembered(
        cycle,
        at,
        full,
        states=[_now(each) for each in full.report.workflows],
        frame=_json(full.report, exclude=_NOT_FRAME),
        own=_json(full.report, include=_OWN),
        facts={
            kind.value: packing.dump(facts, in_order=True)
            for kind, facts in environment.facts.items()
            if kind not in environment.blind
        },
        world=kept_world.prepare(full.world) if full.world else None,
    )


def _now(report: WorkflowReport) -> _Now:
    for text in (report.path, report.name):
        text.encode()  # half a surrogate pair would be refused in the midst of it all
    digest = report.content_digest
    key = bytes.fromhex(state_key(report))
    return _Now(report, key, None if digest is None else bytes.fromhex(digest))


def write(connection: Connection, what: Remembered, days: int) -> None:
    """Put it on record.

    Args:
        connection: within a transaction.
        what: the cycle.
        days: how long what is over is kept.
    """
    at = _free(connection, what.at)
    frame = own = None
    if what.full is not None:
        frame = _once(connection, "frame", what.frame)
        own = packing.pack(what.own)
        _write_states(connection, what.states, at, what.full.unseen)
        _write_facts(connection, what.full.environment.facts, what.facts, at)
        if what.full.report.changes is not None:
            _write_event(connection, what.full.report.changes, at)
        if what.world is None:
            kept_world.forget(connection)
        else:
            kept_world.keep(connection, what.world)
        _note(connection, last_full=at, program=what.full.program)
    write_cycle(connection, what.cycle, at, complete=what.full is not None, frame=frame, own=own)
    retention.apply(connection, at, days)


def write_cycle(
    connection: Connection,
    cycle: CycleRow,
    at: int,
    *,
    complete: bool = False,
    frame: int | None = None,
    own: bytes | None = None,
) -> None:
    """Put on record how a cycle went; what is on record of this start already stays."""
    connection.execute(
        "INSERT OR IGNORE INTO cycle (at, duration, outcome, reason, version, complete, frame, own)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            at,
            cycle.duration_s,
            cycle.outcome.value,
            cycle.reason.encode(errors="backslashreplace").decode(),
            cycle.version,
            complete,
            frame,
            own,
        ),
    )


def meta(connection: Connection) -> dict[str, Any]:
    """The small things that are kept."""
    return dict(connection.execute("SELECT name, value FROM meta"))


def count(connection: Connection) -> int:
    """How many cycles were put on record, or a little less."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM cycle").fetchone()[0])


def _note(connection: Connection, **values: Any) -> None:
    known = meta(connection)
    changed = ((name, value) for name, value in values.items() if known.get(name) != value)
    connection.executemany("REPLACE INTO meta VALUES (?, ?)", changed)


def _free(connection: Connection, at: int) -> int:
    """A start that no other cycle has: a clock may have been set back to the microsecond."""
    while connection.execute("SELECT 1 FROM cycle WHERE at = ?", (at,)).fetchone():
        at += 1
    return at


def _once(connection: Connection, table: str, content: bytes) -> int:
    """The number of a content in a table that holds each once."""
    digest = packing.digest(content)
    query = f"SELECT id FROM {table} WHERE digest = ?"  # noqa: S608
    found = connection.execute(query, (digest,)).fetchone()
    if found is not None:
        return int(found[0])
    added = f"INSERT INTO {table} (digest, content) VALUES (?, ?)"  # noqa: S608
    return connection.execute(added, (digest, packing.pack(content))).lastrowid or 0


class _Known(NamedTuple):
    """What holds of a workflow."""

    name: str
    state: int
    workflow: int
    verdict: str
    verdict_since: int
    key: bytes
    since: int


def _write_states(
    connection: Connection, states: Sequence[_Now], at: int, unseen: frozenset[str]
) -> None:
    query = (
        "SELECT path, name, state.id, workflow, verdict, verdict_since, state_key, since"
        " FROM state JOIN workflow ON workflow = workflow.id WHERE until IS NULL"
    )
    holding = {path: _Known(*row) for path, *row in connection.execute(query)}
    last_full = meta(connection).get("last_full")
    for each, key, digest in states:
        known = holding.pop(each.path, None)
        if known is not None and known.name != each.name:
            change = "UPDATE workflow SET name = ? WHERE id = ?"
            connection.execute(change, (each.name, known.workflow))
        if is_postponed(each.findings):
            continue
        if known is None:
            workflow = _workflow(connection, each)
        elif known.key == key:
            continue
        else:
            workflow = known.workflow
            _end(connection, known, at, last_full)
        same = known is not None and known.verdict == each.verdict.value
        verdict_since = known.verdict_since if known and same else at
        if each.since is not None:  # of a file that was moved, more than is known by its path
            verdict_since = min(at, packing.stamp(each.since))
        connection.execute(
            "INSERT INTO state (workflow, since, verdict, verdict_since, state_key, content_digest,"
            " found) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                workflow,
                at,
                each.verdict.value,
                verdict_since,
                key,
                digest,
                _once(connection, "found", _json(each, exclude=NOT_FOUND)),
            ),
        )
    for path, gone in holding.items():
        if path not in unseen:
            _end(connection, gone, at, last_full)


def _end(connection: Connection, known: _Known, at: int, last: int | None) -> None:
    change = "UPDATE state SET until = ?, last = ? WHERE id = ?"
    connection.execute(change, (max(known.since, at), last, known.state))


def _workflow(connection: Connection, report: WorkflowReport) -> int:
    """The number of a workflow that is new, or has come back."""
    connection.execute(
        "INSERT INTO workflow (path, name) VALUES (?, ?)"
        " ON CONFLICT (path) DO UPDATE SET name = excluded.name",
        (report.path, report.name),
    )
    query = "SELECT id FROM workflow WHERE path = ?"
    return int(connection.execute(query, (report.path,)).fetchone()[0])


def _write_facts(
    connection: Connection, facts: Facts, contents: Mapping[str, bytes], at: int
) -> None:
    """Keep the facts of each kind that was read, and what changed of them."""
    known = dict(connection.execute("SELECT kind, digest FROM fact"))
    now: Facts = {}
    before: Facts = {}
    for kind, of_kind in facts.items():
        content = contents.get(kind.value)
        if content is None or known.get(kind.value) == (digest := packing.digest(content)):
            continue
        now[kind] = of_kind
        query = "SELECT content FROM fact WHERE kind = ?"
        found = connection.execute(query, (kind.value,)).fetchone()
        if found is not None:
            before[kind] = packing.read(found[0])
        connection.execute(
            "INSERT INTO fact VALUES (?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE"
            " SET digest = excluded.digest, content = excluded.content",
            (kind.value, at, digest, packing.pack(content)),
        )
    changes: dict[str, list[Any]] = {}
    for change in differences(before, now):
        row = [change.name, change.before, change.after]
        changes.setdefault(change.kind.value, []).append(row)
    connection.executemany(
        "INSERT INTO fact_change (at, kind, content) VALUES (?, ?, ?)",
        ((at, kind, packing.pack(packing.dump(rows))) for kind, rows in changes.items()),
    )


def _write_event(connection: Connection, changes: Changes, at: int) -> None:
    if not changes.workflows and not changes.host:
        return
    causes = [_once(connection, "cause", _json(cause)) for cause in changes.causes]
    change = "UPDATE cause SET last = ? WHERE id = ?"
    connection.executemany(change, ((at, number) for number in causes))
    numbers: dict[str, int] = dict(connection.execute("SELECT path, id FROM workflow"))
    workflows = [
        [number, each.kind, each.before, each.after, each.causes, *[True] * each.will_fail]
        for each in changes.workflows
        if (number := numbers.get(each.path)) is not None
    ]
    kinds = [each.kind for each in changes.workflows]
    rest = changes.model_dump(mode="json", exclude={"workflows", "causes"}, exclude_defaults=True)
    content = packing.dump({"rest": rest, "causes": causes, "workflows": workflows})
    connection.execute(
        "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?)",
        (
            at,
            kinds.count(ChangeKind.WORSE),
            kinds.count(ChangeKind.MENDED),
            packing.pack(content),
        ),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO event_workflow VALUES (?, ?)",
        ((number, at) for number, *_ in workflows),
    )


def _json(model: Any, **options: Any) -> bytes:
    return bytes(model.model_dump_json(exclude_defaults=True, **options).encode())
