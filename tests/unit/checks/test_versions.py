from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.checks.versions import (
    DIFFERENCES,
    Rule,
    beyond_what_is_known,
    rules_of,
    version_of,
)
from comfywatchman.comfyui.catalog import Catalog
from tests.unit.checks.judging import node_type


def test_every_rule_stands_in_the_table_once() -> None:
    assert sorted(d.rule for d in DIFFERENCES) == sorted(Rule)


def test_rules_only_ever_come_along() -> None:
    assert rules_of((0, 3, 64)) == frozenset()
    assert rules_of((0, 8, 0)) == {Rule.NEW_COMBOS_CHECKED}
    assert rules_of((0, 12, 1)) > rules_of((0, 8, 0))
    assert rules_of((0, 33, 0)) == rules_of(None) == frozenset(Rule)


@pytest.mark.parametrize(
    ("rule", "last_without", "first_with"),
    [
        (Rule.NEW_COMBOS_CHECKED, "0.6.99", "0.7.0"),
        (Rule.AUTOGROW_MINIMUM, "0.9.99", "0.10.0"),
        (Rule.MISSING_TYPE_NAMED, "0.11.99", "0.12.0"),
        (Rule.NODES_REPLACED, "0.13.99", "0.14.0"),
        (Rule.CYCLES_REPORTED, "0.19.99", "0.20.0"),
        (Rule.MULTISELECT_BY_ITEM, "0.20.99", "0.21.0"),
        (Rule.PATHS_CONFINED, "0.27.99", "0.28.0"),
    ],
)
def test_a_rule_begins_with_its_release(rule: Rule, last_without: str, first_with: str) -> None:
    assert rule not in rules_of(version_of(Catalog({}, last_without)))
    assert rule in rules_of(version_of(Catalog({}, first_with)))


@pytest.mark.parametrize("version", ["0.33.1", "0.34.0", "1.0.0", "v0.41"])
def test_a_release_that_is_not_known_is_judged_as_the_newest_known_and_that_is_said(
    version: str,
) -> None:
    catalog = Catalog({}, version)
    assert rules_of(version_of(catalog)) == rules_of((0, 33, 0))
    said = beyond_what_is_known(catalog)
    assert said is not None
    assert version.removeprefix("v") in said
    assert "0.33.0" in said


@pytest.mark.parametrize("version", ["0.8.0", "0.33.0", "0.20.1", "nightly", None])
def test_nothing_is_said_of_the_others(version: str | None) -> None:
    assert beyond_what_is_known(Catalog({}, version)) is None


@pytest.mark.parametrize(
    ("named", "version"),
    [
        ("0.8.0", (0, 8, 0)),
        ("v0.3.64", (0, 3, 64)),
        ("0.12", (0, 12, 0)),
        ("0.12.1-dev+abc", (0, 12, 1)),
        (" v0.12.1 ", (0, 12, 1)),
        ("0." + "9" * 5000 + ".0", (0, 999999, 0)),
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
