"""What a message is, whatever others called their files."""

from __future__ import annotations

from comfywatchman.events.message import Doubt, Message
from tests.unit.events.messages import NOW, message


def test_it_is_read_back_as_it_was() -> None:
    first = message(doubt=Doubt(not_before=NOW, node_types=("A", "B")))
    assert Message.from_json(first.as_json()) == first
    assert Message.from_json(message().as_json()) == message()


def test_what_a_newer_release_adds_is_passed_over() -> None:
    content = message().as_json().replace(b'"id"', b'"colour":"red","id"')
    assert Message.from_json(content) == message()


def test_nothing_in_it_acts_on_whoever_reads_it() -> None:
    made = message(subject="a\nBcc: all\x1b[2J\ud800", body="a\u202e\r\nb\x00", host="h\ni")
    assert made.subject == "a\\nBcc: all\\x1b[2J\\ud800"
    assert made.body == "a\\u202e\\r\nb\\x00"
    assert made.host == "h\\ni"
    made.as_json()
