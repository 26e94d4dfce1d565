"""What counts as a change of a fact."""

from __future__ import annotations

import pytest

from comfywatchman.history.facts import FactKind, Value, differences


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"version": "1"}, {"version": "2"}, True),
        ({"version": "1"}, {"version": "1"}, False),
        ({"version": "1"}, {}, False),
        ({}, {"version": "1"}, False),
        ({"version": "1"}, None, True),
        (None, {}, True),
        ({"import_failed": False}, {"import_failed": True}, True),
        ({"version": "1"}, {"version": "1", "import_failed": True}, True),
        ({"import_failed": True}, {}, False),
    ],
)
def test_what_is_not_known_of_a_thing_is_no_change_of_it(
    before: Value | None, after: Value | None, *, changed: bool
) -> None:
    old = {FactKind.PACK: {} if before is None else {"p": before}}
    new = {FactKind.PACK: {} if after is None else {"p": after}}
    found = list(differences(old, new))
    assert [(c.name, c.before, c.after) for c in found] == [("p", before, after)] * changed


def test_kinds_that_only_one_knows_are_left_aside() -> None:
    assert not list(differences({FactKind.MODEL: {"a": {}}}, {FactKind.PACK: {"a": {}}}))
