from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.checks.versions import DIFFERENCES, Rule, rules_of, version_of
from comfywatchman.comfyui.catalog import Catalog
from tests.unit.checks.judging import node_type


def test_every_rule_stands_in_the_table_once() -> None:
    assert sorted(d.rule for d in DIFFERENCES) == sorted(Rule)


def test_rules_only_ever_come_along() -> None:
    assert rules_of((0, 3, 64)) == frozenset()
    assert rules_of((0, 8, 0)) == {Rule.NEW_COMBOS_CHECKED}
    assert rules_of((0, 12, 1)) > rules_of((0, 8, 0))
    assert rules_of(None) == frozenset(Rule)


@pytest.mark.parametrize(
    ("named", "version"),
    [
        ("0.8.0", (0, 8, 0)),
        ("v0.3.64", (0, 3, 64)),
        ("0.12", (0, 12, 0)),
        ("0.12.1-dev+abc", (0, 12, 1)),
        ("nightly", None),
        ("", None),
        (None, None),
    ],
)
def test_versions_are_read(named: str | None, version: tuple[int, ...] | None) -> None:
    assert version_of(Catalog({}, named)) == version


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({}, None),
        ({"output_matchtypes": None}, (0, 8, 0)),
        ({"output_matchtypes": None, "dev_only": False}, None),
    ],
)
def test_a_catalog_without_version_shows_its_time(fields: dict[str, Any], version: Any) -> None:
    assert version_of(Catalog({"Node": node_type(**fields)})) == version
