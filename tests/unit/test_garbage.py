from __future__ import annotations

import gc

from comfywatchman import garbage


def searches_while_much_is_made() -> int:
    """How often garbage was looked for, until shortly after."""
    searched: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        searched.append(phase)

    gc.collect()
    gc.callbacks.append(note)
    try:
        with garbage.not_looked_for():
            made = [[number] for number in range(100_000)]
        after = [[number] for number in range(100)]
    finally:
        gc.callbacks.remove(note)
    assert (len(made), len(after)) == (100_000, 100)
    return searched.count("start")


def test_what_is_made_is_not_searched_then_nor_right_after() -> None:
    assert gc.isenabled()
    assert searches_while_much_is_made() == 0
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        assert searches_while_much_is_made() == 0
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_garbage_is_found_in_the_end() -> None:
    class Ring:
        """Holds itself."""

        gone = 0

        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            Ring.gone += 1

    with garbage.not_looked_for():
        for _ in range(3):
            Ring()
    gc.collect()
    assert Ring.gone == 3
