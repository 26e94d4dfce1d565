"""What the probe finds wrong with what it was given, and with what lies on the host."""

from __future__ import annotations

import importlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.role import collection

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

analyzed = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)
VARIABLE = "comfywatchman_timeout_start_sec"


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(collection.COLLECTIONS))
    return importlib.import_module(f"{collection.PACKAGE}.modules.probe")


def given(timeout: str, limit: float, **service: str) -> dict[str, Any]:
    return {
        "timespans": {VARIABLE: timeout},
        "overrides": {"service": {"Service": service}} if service else {"service": None},
        "cycle_time_limit": limit,
    }


@analyzed
@pytest.mark.parametrize(
    ("timeout", "limit"),
    [("15min", 900), ("1h 30s", 3630), ("infinity", 86400), ("900", 900), ("0", 900), ("soon", 1)],
)
def test_a_check_has_the_time_that_it_takes(probe: ModuleType, timeout: str, limit: float) -> None:
    assert probe.time_limit_problems(given(timeout, limit)) == []


@analyzed
@pytest.mark.parametrize(
    ("timeout", "limit", "lower"), [("14min 59s", 900, "899"), ("1.5s", 2, "1.5"), ("1", 900, "1")]
)
def test_a_check_that_would_be_ended_before_it_tells_is_refused(
    probe: ModuleType, timeout: str, limit: float, lower: str
) -> None:
    (problem,) = probe.time_limit_problems(given(timeout, limit))
    assert problem.startswith(f"{VARIABLE} is {timeout}, shorter than comfywatchman_cycle_time")
    assert problem.endswith(
        f"Set it to {limit}s or more, or comfywatchman_cycle_time_limit to {lower} or less."
    )


@analyzed
def test_the_drop_in_counts_for_more(probe: ModuleType) -> None:
    (problem,) = probe.time_limit_problems(given("15min", 900, TimeoutStartSec="60"))
    assert problem.startswith("comfywatchman_unit_overrides.service.Service.TimeoutStartSec is 60,")
    assert probe.time_limit_problems(given("60", 900, TimeoutStartSec="1h")) == []


def test_a_host_that_is_asked_for_its_python_alone_has_no_time_limit_to_judge(
    probe: ModuleType,
) -> None:
    nothing = {"timespans": {}, "overrides": {}, "cycle_time_limit": 0.0}
    assert probe.time_limit_problems(nothing) == []


def test_what_lies_in_the_place_of_a_link_is_named(probe: ModuleType, tmp_path: Path) -> None:
    assert probe.link_problems(str(tmp_path)) == []
    (tmp_path / "previous").symlink_to("releases/gone")
    assert probe.link_problems(str(tmp_path)) == []
    (tmp_path / "current").mkdir()
    assert probe.link_problems(str(tmp_path)) == [
        f"{tmp_path}/current is no link to a release: move it out of the way, and run this again."
    ]


def test_where_a_release_was_ever_active_nothing_is_taken_back(
    probe: ModuleType, tmp_path: Path
) -> None:
    assert probe.active_here(str(tmp_path)) is None
    release = tmp_path / "releases" / "1-py3.13-a"
    release.mkdir(parents=True)
    assert probe.active_here(str(tmp_path)) is None
    (release / ".activated").touch()
    assert probe.active_here(str(tmp_path)) == str(release / ".activated")
    (tmp_path / "current").mkdir()
    assert probe.active_here(str(tmp_path)) == str(tmp_path / "current")
    (tmp_path / "current").rmdir()
    (tmp_path / "current").symlink_to("releases/1-py3.13-a")
    assert probe.active_here(str(tmp_path)) == "1-py3.13-a"


def test_a_note_of_somebody_elses_binds_root_alone(
    probe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"user": "anna"}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert probe.binding(record, "bob") == record
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert probe.binding(record, "bob") is None
    assert [probe.binding(record, user) for user in ("anna", "")] == [record] * 2
    assert probe.binding(None, "bob") is None
