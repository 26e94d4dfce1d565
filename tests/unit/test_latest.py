"""A cache of one entry, by the object itself."""

from __future__ import annotations

import gc
import weakref

from comfywatchman.latest import kept_for_the_latest


class Thing(list[int]):
    """Equal to others, and without a hash."""


class Made:
    """What is made of a thing."""


def test_it_is_made_once_for_the_same_object_and_anew_for_an_equal_one() -> None:
    of = kept_for_the_latest(lambda _: Made())
    one, other = Thing([1]), Thing([1])
    first = of(one)
    assert of(one) is first
    assert of(other) is not first
    assert of(one) is not first


def test_it_goes_with_its_object() -> None:
    of = kept_for_the_latest(lambda _: Made())
    thing = Thing()
    made = weakref.ref(of(thing))
    del thing
    gc.collect()
    assert made() is None
