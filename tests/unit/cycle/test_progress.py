"""The lines of a log: what must be seen has the priority of an error."""

from __future__ import annotations

import io

import pytest

from comfywatchman.cycle.progress import Alarmed, Lines, Noted


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Alarmed("a prompt\nwas queued"), "<3>ALARM: a prompt\\nwas queued\n"),
        (Noted("nothing special"), "<6>nothing special\n"),
    ],
)
def test_priorities(event: Alarmed | Noted, line: str) -> None:
    stream = io.StringIO()
    Lines(stream, priorities=True)(event)
    assert stream.getvalue() == line
