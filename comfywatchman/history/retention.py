"""What the history forgets: what is over for long, and every cycle of a day but one.

Each cycle does a little of it, so that none takes long, and one whose clock is wrong by years does
little harm.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.history.packing import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

EACH_CYCLE: Final = timedelta(days=90)
"""How long each cycle has a row of its own."""
_MOST: Final = 500
"""Rows of a table that are removed at once."""
_DAYS_FOLDED: Final = 4
_PAGES_LEFT: Final = 64
"""Free pages that are kept for what comes next."""


def apply(connection: Connection, at: int, days: int) -> None:
    """Forget a little.

    Args:
        connection: within a transaction.
        at: when the cycle began that is put on record.
        days: how long what is over is kept.
    """
    for _ in range(_DAYS_FOLDED):
        if not _fold_a_day(connection, at - EACH_CYCLE.days * DAY):
            break
    cutoff = at - days * DAY
    workflows = _forget_events(connection, cutoff) | _forget_states(connection, cutoff)
    connection.executemany(
        "DELETE FROM workflow WHERE id = ?1"
        " AND NOT EXISTS (SELECT 1 FROM state WHERE workflow = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM event_workflow WHERE workflow = ?1)",
        ((number,) for number in workflows),
    )
    for table, column in (("cause", "last"), ("fact_change", "at")):
        connection.execute(
            f"DELETE FROM {table} WHERE id IN"  # noqa: S608
            f" (SELECT id FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?)",
            (cutoff, _MOST),
        )
    old = connection.execute(
        "SELECT id, frame FROM cycle WHERE at < ? AND at IS NOT"
        " (SELECT value FROM meta WHERE name = 'last_full') ORDER BY at LIMIT ?",
        (cutoff, _MOST),
    ).fetchall()
    _remove_cycles(connection, old)
    give_back(connection)


def give_back(connection: Connection) -> None:
    """Have a file shrink by what it does not need, a little at a time."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    # One by one: of a statement without columns, Python takes one step, which is one page.
    for _ in range(min(free - _PAGES_LEFT, _MOST)):
        connection.execute("PRAGMA incremental_vacuum(1)")


def _fold_a_day(connection: Connection, before: int) -> bool:
    """Leave one cycle of a day: the last full one, else the last. False if there is no such day."""
    query = "SELECT at FROM cycle WHERE folded IS NULL AND at < ? ORDER BY at LIMIT 1"
    first = connection.execute(query, (before,)).fetchone()
    if first is None:
        return False
    begin = first[0] - first[0] % DAY
    rows = connection.execute(
        "SELECT id, frame, coalesce(folded, 0) FROM cycle"
        " WHERE at >= ? AND at < ? ORDER BY complete, at",
        (begin, begin + DAY),
    ).fetchall()
    *others, (kept, _, folded) = rows
    total = folded + sum(1 + more for _, _, more in others)
    connection.execute("UPDATE cycle SET folded = ? WHERE id = ?", (total, kept))
    _remove_cycles(connection, [(number, frame) for number, frame, _ in others])
    return True


def _remove_cycles(connection: Connection, rows: Iterable[tuple[Any, Any]]) -> None:
    for number, frame in rows:
        connection.execute("DELETE FROM cycle WHERE id = ?", (number,))
        connection.execute(
            "DELETE FROM frame WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM cycle WHERE frame = ?1)",
            (frame,),
        )


def _forget_events(connection: Connection, cutoff: int) -> set[int]:
    """Forget events, and say which workflows they were about."""
    query = "SELECT at FROM event WHERE at < ? ORDER BY at LIMIT ?"
    workflows: set[int] = set()
    for (at,) in connection.execute(query, (cutoff, _MOST)).fetchall():
        about = connection.execute("SELECT workflow FROM event_workflow WHERE at = ?", (at,))
        workflows.update(number for (number,) in about)
        connection.execute("DELETE FROM event_workflow WHERE at = ?", (at,))
        connection.execute("DELETE FROM event WHERE at = ?", (at,))
    return workflows


def _forget_states(connection: Connection, cutoff: int) -> set[int]:
    """Forget states that hold no more, with what was found, and say of which workflows."""
    query = "SELECT id, workflow, found FROM state WHERE until < ? ORDER BY until LIMIT ?"
    workflows: set[int] = set()
    for state, workflow, found in connection.execute(query, (cutoff, _MOST)).fetchall():
        workflows.add(workflow)
        connection.execute("DELETE FROM state WHERE id = ?", (state,))
        connection.execute(
            "DELETE FROM found WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM state WHERE found = ?1)",
            (found,),
        )
    return workflows
