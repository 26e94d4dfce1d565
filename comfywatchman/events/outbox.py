"""The outbox: messages that wait for the channels they go by, in the history's database.

A message is put in with the cycle it is of, in one transaction. It is marked per channel once that
channel has taken it: what is killed in between is told again, and nothing is lost.

A channel is any name, such as ``apprise:mail``; what stands before the colon is its kind, by which
it is counted. Imports no SQLite until one is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self, TypeVar

from comfywatchman import state_files
from comfywatchman.escape import visible
from comfywatchman.events.kept import Kept
from comfywatchman.events.message import Message
from comfywatchman.history import packing
from comfywatchman.history.error import HistoryError
from comfywatchman.moments import shown
from comfywatchman.results import Notices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from sqlite3 import Connection
    from types import TracebackType

    from comfywatchman.history.database import Database

T = TypeVar("T")

KEPT: Final = timedelta(days=3)
"""How long a message waits for a channel before it is dropped."""
_ON_RECORD: Final = timedelta(days=30)
"""How long it is known what became of a message."""
_KEPT: Final = "told"
"""Where :class:`Kept` lies among the small things of the history."""
_LONGEST: Final = 300
"""Characters of why a channel did not take a message."""


class State(StrEnum):
    """What has become of a message on a channel."""

    PENDING = "pending"
    SENT = "sent"
    DROPPED = "dropped"
    """It waited for :data:`KEPT`, or the channel is not set up any more."""
    WITHDRAWN = "withdrawn"
    """A second look showed that it was not true."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way by one channel.

    Attributes:
        message: its id.
        channel: the channel's name.
        at: start of the cycle that tells it, UTC.
        state: what has become of it.
        tries: how often it was tried.
        last_try: when, UTC; None if never.
        why: why it was not taken, withdrawn or dropped; empty if it was.
    """

    message: str
    channel: str
    at: datetime
    state: State
    tries: int
    last_try: datetime | None
    why: str


def put(connection: Connection, message: Message, channels: Iterable[str]) -> None:
    """Put a message in, within a transaction; nothing is done for one that is in already."""
    at = packing.stamp(message.at)
    content = packing.pack(message.as_json())
    connection.execute("INSERT OR IGNORE INTO message VALUES (?, ?, ?)", (message.id, at, content))
    connection.executemany(
        "INSERT OR IGNORE INTO delivery VALUES (?, ?, 'pending', 0, NULL, '')",
        ((message.id, channel) for channel in channels),
    )
    old = (at - _ON_RECORD // timedelta(microseconds=1),)
    connection.execute(
        "DELETE FROM delivery WHERE message IN (SELECT id FROM message WHERE at < ?)", old
    )
    connection.execute("DELETE FROM message WHERE at < ?", old)


def kept(connection: Connection) -> Kept:
    """What people have been told; nothing where that is not known."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (_KEPT,)).fetchone()
    return Kept() if row is None else Kept.model_validate_json(row[0])


def keep(connection: Connection, told: Kept) -> None:
    """Keep what people have been told, within a transaction."""
    content = told.model_dump_json(exclude_defaults=True)
    change = (
        "INSERT INTO meta VALUES (?1, ?2)"
        " ON CONFLICT (name) DO UPDATE SET value = ?2 WHERE value != ?2"
    )
    connection.execute(change, (_KEPT, content))


def was_withdrawn(connection: Connection, message: str) -> bool:
    """Whether a second look showed that a message was not true."""
    query = "SELECT 1 FROM delivery WHERE message = ? AND state = ?"
    return connection.execute(query, (message, State.WITHDRAWN)).fetchone() is not None


def notices(connection: Connection) -> Notices:
    """What has been told, and what waits."""
    query = (
        "SELECT count(DISTINCT message) FILTER (WHERE state = 'pending'),"
        " max(at) FILTER (WHERE state = 'sent') FROM delivery JOIN message ON message = message.id"
    )
    pending, told = connection.execute(query).fetchone()
    return Notices(pending=pending, last_told=None if told is None else packing.time_of(told))


class Outbox:
    """The outbox of one state folder. To be used by one thread at a time, as a context manager.

    Attributes:
        notes: a sentence for each thing that a person should be told of the database.

    Args:
        folder: the state folder. Where it holds no history, the outbox is empty and stays so.
        readonly: only look at what is there.
        begins: begin a history where there is none.
    """

    def __init__(self, folder: Path, *, readonly: bool = False, begins: bool = False) -> None:
        self.notes: list[str] = []
        self._database: Database | None = None
        file = folder / state_files.HISTORY
        try:
            from comfywatchman.history.database import Database
            from comfywatchman.history.migrations import APPLICATION, MIGRATIONS
        except ImportError:
            self.notes.append(f"{file} cannot be used: this Python has no sqlite3")
            return
        if begins or file.exists():
            self._database = Database(file, APPLICATION, MIGRATIONS, self.notes, readonly=readonly)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database is not None:
            self._database.close()

    def put(self, message: Message, channels: Iterable[str]) -> None:
        """Put a message in that is no cycle's, such as a test.

        Raises:
            HistoryError: it could not be.
        """
        names = list(channels)
        self._write(lambda connection: put(connection, message, names))

    def pending(self, channel: str) -> list[Message]:
        """What waits for a channel, the oldest first."""

        def ask(connection: Connection) -> list[Message]:
            query = (
                "SELECT content FROM message JOIN delivery ON message = message.id"
                " WHERE channel = ? AND state = 'pending' ORDER BY at, message.id"
            )
            return [
                Message.from_json(packing.unpack(content))
                for (content,) in connection.execute(query, (channel,))
            ]

        return self._ask(ask, [])

    def deliveries(self, since: datetime | None = None) -> list[Delivery]:
        """What became of the messages, the newest first; those of a month at most."""

        def ask(connection: Connection) -> list[Delivery]:
            query = (
                "SELECT message.id, channel, at, state, tries, last_try, why"
                " FROM message JOIN delivery ON message = message.id WHERE at >= ?"
                " ORDER BY at DESC, message.id, channel"
            )
            first = packing.stamp(since) if since is not None else -packing.LATEST
            return [
                Delivery(
                    number,
                    channel,
                    packing.time_of(at),
                    State(state),
                    tries,
                    None if last_try is None else packing.time_of(last_try),
                    why,
                )
                for number, channel, at, state, tries, last_try, why in connection.execute(
                    query, (first,)
                )
            ]

        return self._ask(ask, [])

    def sent(self, message: str, channel: str) -> None:
        """A channel has taken a message.

        Raises:
            HistoryError: that could not be noted: it will be sent once more.
        """
        self._tried(message, channel, State.SENT, "")

    def failed(self, message: str, channel: str, why: str) -> None:
        """A channel has not taken a message, which goes on waiting for it.

        Args:
            message: its id.
            channel: the channel's name.
            why: one sentence, which holds no secret.

        Raises:
            HistoryError: that could not be noted.
        """
        self._tried(message, channel, State.PENDING, visible(why, limit=_LONGEST))

    def withdraw(self, message: str, why: str) -> None:
        """A message is not true any more: it goes by no channel that it waits for.

        Raises:
            HistoryError: that could not be noted.
        """
        change = (
            f"UPDATE delivery SET state = '{State.WITHDRAWN}', why = ?"  # noqa: S608
            " WHERE message = ? AND state = 'pending'"
        )
        self._write(lambda connection: connection.execute(change, (visible(why), message)))

    def confirm(self, message: Message) -> None:
        """A second look has shown that a message is true: it is in doubt no more.

        Raises:
            HistoryError: that could not be noted.
        """
        certain = packing.pack(message.model_copy(update={"doubt": None}).as_json())
        change = "UPDATE message SET content = ? WHERE id = ?"
        self._write(lambda connection: connection.execute(change, (certain, message.id)))

    def drop_old(self, now: datetime | None = None) -> list[str]:
        """Drop what has waited for :data:`KEPT`.

        Returns:
            A sentence for each message and channel, for the journal.

        Raises:
            HistoryError: they could not be.
        """
        before = (now or datetime.now(UTC)) - KEPT
        return self._drop(
            [
                each
                for each in self.deliveries()
                if each.state is State.PENDING and each.at < before
            ],
            f"for {KEPT.days} days it could not be sent",
        )

    def drop_for_others(self, channels: Iterable[str]) -> list[str]:
        """Drop what waits for channels that are not set up any more; as :meth:`drop_old`."""
        names = frozenset(channels)
        return self._drop(
            [
                each
                for each in self.deliveries()
                if each.state is State.PENDING and each.channel not in names
            ],
            "the channel is not set up any more",
        )

    def take_counts(self) -> dict[tuple[str, str], int]:
        """Messages since this was asked last, by kind of channel and by what became of them.

        That is ``sent``, ``failed`` (once for each try) or ``dropped``.

        Raises:
            HistoryError: it could not be noted that they are counted.
        """
        query = "SELECT kind, result, number FROM told WHERE number > 0"

        def ask(connection: Connection) -> dict[tuple[str, str], int]:
            return {(kind, result): number for kind, result, number in connection.execute(query)}

        none: dict[tuple[str, str], int] = {}
        counts = self._ask(ask, none)

        def take(connection: Connection) -> None:
            connection.executemany(
                "UPDATE told SET number = number - ? WHERE kind = ? AND result = ?",
                ((number, *key) for key, number in counts.items()),
            )

        if counts:
            self._write(take)
        return counts

    def count(self, channel: str, result: str) -> None:
        """Count what is no message of the outbox, such as a ping.

        Raises:
            HistoryError: it could not be.
        """
        self._write(lambda connection: _count(connection, channel, result))

    def _tried(self, message: str, channel: str, state: State, why: str) -> None:
        now = packing.stamp(datetime.now(UTC))
        result = "sent" if state is State.SENT else "failed"

        def change(connection: Connection) -> None:
            connection.execute(
                "UPDATE delivery SET state = ?, tries = tries + 1, last_try = ?, why = ?"
                " WHERE message = ? AND channel = ? AND state = 'pending'",
                (state, now, why, message, channel),
            )
            _count(connection, channel, result)

        self._write(change)

    def _drop(self, deliveries: list[Delivery], why: str) -> list[str]:
        if not deliveries:
            return []
        rows = []
        for each in deliveries:
            said = f"{why}; the last time: {each.why}" if each.why else why
            rows.append((State.DROPPED, said, each.message, each.channel))

        def drop(connection: Connection) -> None:
            change = "UPDATE delivery SET state = ?, why = ? WHERE message = ? AND channel = ?"
            for row in rows:
                connection.execute(change, row)
                _count(connection, row[-1], "dropped")

        self._write(drop)
        return [
            visible(f"the message of {shown(each.at)} was not sent by {each.channel}: {said}")
            for each, (_, said, _, _) in zip(deliveries, rows, strict=True)
        ]

    def _ask(self, question: Callable[[Connection], T], otherwise: T) -> T:
        return otherwise if self._database is None else self._database.read(question, otherwise)

    def _write(self, change: Callable[[Connection], object]) -> None:
        if self._database is None:
            raise HistoryError("; ".join(self.notes) or "there is no history, and so no outbox")
        self._database.write(lambda connection: (change(connection), None)[1])


def _count(connection: Connection, channel: str, result: str) -> None:
    connection.execute(
        "INSERT INTO told VALUES (?, ?, 1)"
        " ON CONFLICT (kind, result) DO UPDATE SET number = number + 1",
        (channel.partition(":")[0], result),
    )


__all__ = ["KEPT", "Delivery", "HistoryError", "Outbox", "State", "put"]
