"""The lines of a log: what must be seen has the priority of an error."""

from __future__ import annotations

import io

import pytest

from comfywatchman.cycle.progress import Alarmed, Event, Lines, Noted, ReadingBegins, WasRead


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Alarmed("a prompt\nwas queued"), "<3>ALARM: a prompt\\nwas queued\n"),
        (Noted("nothing special"), "<6>nothing special\n"),
        (ReadingBegins(4000, 5000), "<6>reading 4,000 of 5,000 workflows from the server\n"),
        (WasRead(), ""),
    ],
)
def test_priorities(event: Event, line: str) -> None:
    stream = io.StringIO()
    Lines(stream, priorities=True)(event)
    assert stream.getvalue() == line
