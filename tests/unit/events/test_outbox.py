"""Messages that wait for channels: none is lost, none is sent that was taken."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from comfywatchman.events.message import Doubt
from comfywatchman.events.outbox import HistoryError, Outbox, State
from tests.unit.events.messages import NOW, begin, message

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    begin(tmp_path)
    return tmp_path


def test_what_was_taken_waits_no_more_and_what_was_not_waits_on(folder: Path) -> None:
    with Outbox(folder) as outbox:
        for number in (2, 0, 1):
            outbox.put(message(number), ["apprise:a", "command"])
        assert outbox.pending("command") == [message(n) for n in range(3)]
        outbox.sent(message(0).id, "command")
        outbox.failed(message(1).id, "command", "it is\noff")
    with Outbox(folder) as outbox:
        assert outbox.pending("command") == [message(1), message(2)]
        assert outbox.pending("apprise:a") == [message(n) for n in range(3)]
        assert outbox.pending("apprise:b") == []
        _, tried, sent = (d for d in outbox.deliveries() if d.channel == "command")
        assert (tried.state, tried.tries, tried.why) == (State.PENDING, 1, "it is\\noff")
        assert (sent.state, sent.tries, sent.why) == (State.SENT, 1, "")
        assert tried.last_try is not None


def test_the_same_message_is_in_it_once(folder: Path) -> None:
    with Outbox(folder) as outbox:
        outbox.put(message(), ["command"])
        outbox.sent(message().id, "command")
        outbox.put(message(), ["command", "desktop"])
        assert outbox.pending("command") == []
        assert outbox.pending("desktop") == [message()]


def test_what_waited_for_three_days_is_dropped_with_a_note(folder: Path) -> None:
    with Outbox(folder) as outbox:
        outbox.put(message(0), ["command", "ping"])
        outbox.put(message(1), ["command"])
        outbox.failed(message(0).id, "command", "nobody answers")
        outbox.sent(message(0).id, "ping")
        assert outbox.drop_old(NOW + timedelta(days=3)) == []
        [note] = outbox.drop_old(NOW + timedelta(days=3, minutes=1))
        assert note == (
            "the message of 2026-01-01 00:00 UTC was not sent by command: for 3 days it could not "
            "be sent; the last time: nobody answers"
        )
        assert outbox.pending("command") == [message(1)]
        assert outbox.drop_for_others(["ping"])[0].endswith("the channel is not set up any more")
        assert outbox.pending("command") == []


def test_what_turned_out_untrue_is_withdrawn(folder: Path) -> None:
    with Outbox(folder) as outbox:
        outbox.put(message(), ["command", "ping"])
        outbox.sent(message().id, "ping")
        outbox.withdraw(message().id, "they are back")
        assert {d.channel: d.state for d in outbox.deliveries()} == {
            "command": State.WITHDRAWN,
            "ping": State.SENT,
        }


def test_what_turned_out_true_is_in_doubt_no_more(folder: Path) -> None:
    doubted = message(doubt=Doubt(not_before=NOW, node_types=("A",)))
    with Outbox(folder) as outbox:
        outbox.put(doubted, ["command"])
        outbox.confirm(doubted)
        assert outbox.pending("command") == [message()]


def test_what_was_done_is_counted_once(folder: Path) -> None:
    with Outbox(folder) as outbox:
        outbox.put(message(), ["apprise:a", "apprise:b", "command"])
        outbox.failed(message().id, "apprise:a", "no")
        outbox.sent(message().id, "apprise:a")
        outbox.sent(message().id, "apprise:b")
        outbox.drop_for_others([])
        assert outbox.take_counts() == {
            ("apprise", "sent"): 2,
            ("apprise", "failed"): 1,
            ("command", "dropped"): 1,
        }
        assert outbox.take_counts() == {}


def test_of_a_month_ago_nothing_is_kept(folder: Path) -> None:
    with Outbox(folder) as outbox:
        outbox.put(message(0), ["command"])
        outbox.put(message(24 * 31), ["command"])
        assert outbox.pending("command") == [message(24 * 31)]
        assert len(outbox.deliveries()) == 1
        assert outbox.deliveries(NOW + timedelta(days=40)) == []


def test_without_a_history_it_is_empty_and_makes_none(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        assert outbox.pending("command") == []
        assert outbox.drop_old() == []
        assert outbox.take_counts() == {}
        with pytest.raises(HistoryError, match="no history"):
            outbox.put(message(), ["command"])
    assert list(tmp_path.iterdir()) == []


def test_who_only_looks_may_do_so(folder: Path) -> None:
    with Outbox(folder) as outbox:
        outbox.put(message(), ["command"])
    with Outbox(folder, readonly=True) as outbox:
        assert outbox.pending("command") == [message()]
        with pytest.raises(HistoryError):
            outbox.sent(message().id, "command")
