"""What brings a history from each version to the next, in one transaction each.

A function that is there never changes: there are files that it has made. Times are microseconds
since 1970, UTC; digests are bytes; what is packed is as :mod:`comfywatchman.history.packing` does.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

APPLICATION: Final = 0x43576831
"""``CWh1``: tells a history from the databases of others."""

_TABLES: Final = """
-- Small things: what the last full cycle was, and which program made it.
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

-- A cycle; after a while one of each day, with how many others it stands for (folded).
-- frame: what a report says beside its workflows; own: what of that is this cycle's alone.
CREATE TABLE frame (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content BLOB NOT NULL)
    STRICT;
CREATE TABLE cycle (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL UNIQUE, duration REAL, outcome TEXT NOT NULL,
    reason TEXT NOT NULL, version TEXT NOT NULL, complete INTEGER NOT NULL, frame INTEGER,
    own BLOB, folded INTEGER
) STRICT;
CREATE INDEX cycle_frame ON cycle (frame);
CREATE INDEX cycle_unfolded ON cycle (at) WHERE folded IS NULL;

CREATE TABLE workflow (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, name TEXT NOT NULL)
    STRICT;
-- What was found of a workflow, but for where it is and when.
CREATE TABLE found (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content BLOB NOT NULL)
    STRICT;
-- since: the first cycle that found it so; until: the first that did not, null while it holds;
-- last: the last full cycle before that; verdict_since: the first of this verdict on end.
CREATE TABLE state (
    id INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER,
    last INTEGER, verdict TEXT NOT NULL, verdict_since INTEGER NOT NULL, state_key BLOB NOT NULL,
    content_digest BLOB, found INTEGER NOT NULL
) STRICT;
CREATE INDEX state_workflow ON state (workflow);
CREATE UNIQUE INDEX state_now ON state (workflow) WHERE until IS NULL;
CREATE INDEX state_until ON state (until);
CREATE INDEX state_since ON state (since);
CREATE INDEX state_found ON state (found);

-- What was found changed in a cycle; workflows and causes are named by their ids.
CREATE TABLE event (
    at INTEGER PRIMARY KEY, worse INTEGER NOT NULL, mended INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE TABLE event_workflow (
    workflow INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (workflow, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_workflow_at ON event_workflow (at);
-- last: the last event that names it.
CREATE TABLE cause (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content BLOB NOT NULL,
    last INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX cause_last ON cause (last);

-- The facts of a kind as they are now, and what changed of them in a cycle.
CREATE TABLE fact (
    kind TEXT PRIMARY KEY, since INTEGER NOT NULL, digest BLOB NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE TABLE fact_change (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX fact_change_at ON fact_change (at);

-- What verdicts of the last full cycle rested on: node types one by one, without their long lists
-- of choices, those once, the rest by its name.
CREATE TABLE list (digest BLOB PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE declaration (name BLOB PRIMARY KEY, digest BLOB NOT NULL, content BLOB NOT NULL)
    STRICT;
CREATE TABLE kept (name TEXT PRIMARY KEY, digest BLOB NOT NULL, content BLOB NOT NULL) STRICT;
"""

_OUTBOX: Final = """
-- What people are to be told (events/), and what has become of it on each channel.
CREATE TABLE message (id TEXT PRIMARY KEY, at INTEGER NOT NULL, content BLOB NOT NULL)
    STRICT, WITHOUT ROWID;
CREATE INDEX message_at ON message (at);
CREATE TABLE delivery (
    message TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
    last_try INTEGER, why TEXT NOT NULL, PRIMARY KEY (message, channel)
) STRICT, WITHOUT ROWID;
-- How often a channel of a kind took a message or did not, until a cycle counts it.
CREATE TABLE told (
    kind TEXT NOT NULL, result TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (kind, result)
) STRICT, WITHOUT ROWID;
"""


def run(connection: Connection, script: str) -> None:
    """Run statements, without the commit that ``executescript`` begins with."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def _begin(connection: Connection) -> None:
    run(connection, _TABLES)


def _add_outbox(connection: Connection) -> None:
    run(connection, _OUTBOX)


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (_begin, _add_outbox)
