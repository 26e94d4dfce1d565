"""Forms in which others can restore an environment."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from comfywatchman.history import last_good
from comfywatchman.history.facts import FactKind, Facts

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FACTS: Facts = {
    FactKind.COMFYUI: {"": {"version": "0.33.0", "commit": COMMIT}},
    FactKind.PACK: {
        "rgthree-comfy": {"id": "rgthree-comfy", "version": "1.0.2", "enabled": True},
        "ComfyUI-KJNodes": {"id": "kijai/ComfyUI-KJNodes", "commit": COMMIT, "enabled": True},
        "old": {"id": "someone/old", "commit": COMMIT, "enabled": False},
        "off": {"id": "off", "version": "2.0.0", "enabled": False},
        "mine": {"enabled": True, "single_file": True},
        "unzipped": {"enabled": True},
    },
    FactKind.PACKAGE: {
        "torch": {"version": "2.8.0+cu128"},
        "sageattention": {"version": "2.2.0", "origin": "file:///wheels/sage.whl"},
        "odd": {},
    },
}


def test_a_snapshot_holds_what_manager_can_restore() -> None:
    snapshot, left_out = last_good.snapshot(FACTS)
    assert snapshot == {
        "comfyui": COMMIT,
        "git_custom_nodes": {
            "https://github.com/kijai/ComfyUI-KJNodes": {"hash": COMMIT, "disabled": False},
            "https://github.com/someone/old": {"hash": COMMIT, "disabled": True},
        },
        "cnr_custom_nodes": {"rgthree-comfy": "1.0.2"},
        "file_custom_nodes": [{"filename": "mine.py", "disabled": False}],
        "pips": {"torch==2.8.0+cu128": ""},
    }
    assert [sentence.partition(":")[0] for sentence in left_out] == [
        "pack unzipped",
        "package odd",
        "package sageattention 2.2.0",
    ]


def test_constraints_pin_what_came_from_an_index() -> None:
    text = last_good.constraints(FACTS, datetime(2026, 11, 25, tzinfo=UTC))
    assert text.splitlines() == [
        "# What ComfyUI's interpreter had at 2026-11-25 00:00:00 UTC",
        "torch==2.8.0+cu128",
        "# not here: package odd: its version is not known",
        "# not here: package sageattention 2.2.0: it was installed from file:///wheels/sage.whl",
    ]


def test_nothing_that_was_not_seen_is_made_up() -> None:
    snapshot, left_out = last_good.snapshot({})
    assert snapshot["comfyui"] is None
    assert left_out == ["ComfyUI: its commit is not known"]
    assert "could not be seen" in last_good.constraints({}, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("hostile", ["1.0; rm -rf /", "1.0\nevil==1", "-r http://x", "$(id)"])
def test_a_hostile_version_becomes_no_part_of_it(hostile: str) -> None:
    facts: Facts = {
        FactKind.PACKAGE: {"torch": {"version": hostile}, f"a{hostile}": {"version": "1"}},
        FactKind.PACK: {"p": {"id": "p", "version": hostile, "enabled": True}},
    }
    snapshot, _ = last_good.snapshot(facts)
    assert not snapshot["pips"]
    assert not snapshot["cnr_custom_nodes"]
    assert hostile not in json.dumps({**snapshot, "comfyui": None})
    text = last_good.constraints(facts, datetime(2026, 1, 1, tzinfo=UTC))
    assert all(line.startswith("#") for line in text.splitlines())
