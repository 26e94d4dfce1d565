"""Reading that takes too long, that hangs, or that fails."""

from __future__ import annotations

import threading

import pytest

from comfywatchman.time_limit import Blind, Budget, Reading


def test_what_was_read_is_handed_on() -> None:
    assert Reading(lambda: [1, 2], Budget(60)).result() == [1, 2]


def test_what_hangs_is_left_behind_and_said() -> None:
    never = threading.Event()
    reading = Reading(never.wait, Budget(0.05))
    with pytest.raises(Blind, match=r"did not answer within 0\.05 s"):
        reading.result()
    never.set()


def test_a_reader_that_checks_stops_when_the_time_is_over() -> None:
    budget = Budget(0)
    assert budget.left == 0
    with pytest.raises(Blind, match="within 0 s"):
        budget.check()
    Budget(60).check()


def test_why_a_reader_is_blind_is_handed_on() -> None:
    def read() -> None:
        raise Blind("it is dark")

    with pytest.raises(Blind, match=r"^it is dark$"):
        Reading(read, Budget(60)).result()


def test_a_bug_in_a_reader_takes_nothing_along() -> None:
    with pytest.raises(Blind, match=r"a bug of ComfyWatchman.*ZeroDivisionError"):
        Reading(lambda: 1 // 0, Budget(60)).result()
