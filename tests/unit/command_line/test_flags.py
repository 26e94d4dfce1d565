"""Flags from fields: the type of a field decides what is typed, and how it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfywatchman.command_line import flags
from comfywatchman.errors import ConfigError
from comfywatchman.settings import declared_flags, load


def test_flags_come_in_the_order_of_the_groups_and_then_of_the_fields() -> None:
    named = [parameter.name for parameter in flags.parameters(["state", "schedule"])]
    assert named == [
        "state_dir",
        *(name for name, flag in declared_flags().items() if flag.group == "schedule"),
    ]


def test_paths_are_relative_to_here_and_what_was_not_given_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = {"ca_file": Path("x.pem"), "workflow_dirs": [Path("a"), Path("/b")], "cache": False}
    assert flags.given(typed) == {
        "ca_file": tmp_path / "x.pem",
        "workflow_dirs": [tmp_path / "a", Path("/b")],
        "cache": False,
    }
    assert flags.given({"workflow_dirs": [], "ca_file": None, "fail_on": None}) == {
        "workflow_dirs": None,
        "ca_file": None,
        "fail_on": None,
    }


def test_text_is_read_by_the_settings_so_that_they_name_the_flag() -> None:
    with pytest.raises(ConfigError, match=r"^--min-free-vram = 'lots': must be a size"):
        load(flags.given({"min_free_vram": "lots"}))
