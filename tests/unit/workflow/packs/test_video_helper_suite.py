"""Video Helper Suite."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflow.packs.common import sent, with_pack
from tests.unit.workflow.saved import INT, declaration, node

FORMATS = {
    "video/mp4": [
        ["pix_fmt", ["yuv420p", "yuv420p10le"]],
        ["crf", "INT", {"default": 19}],
        ["save_output", "INT", {}],
        ["dither", ["a", "b"], {"default": "b"}, "a filter"],
        "no widget",
        [],
        [5],
    ]
}
CATALOG = with_pack(
    "ComfyUI-VideoHelperSuite",
    VHS_LoadVideo=declaration(
        {
            "video": [["a.mp4"]],
            "force_rate": ["FLOAT", {"default": 0}],
            "custom_width": INT,
            "custom_height": INT,
            "frame_load_cap": INT,
            "skip_first_frames": INT,
            "select_every_nth": ["INT", {"default": 1}],
        }
    ),
    VHS_VideoCombine=declaration(
        {
            "frame_rate": ["FLOAT", {"default": 8}],
            "format": [["image/gif", "video/mp4"], {"formats": FORMATS}],
            "save_output": ["BOOLEAN", {"default": True}],
        }
    ),
    VHS_SelectLatest=declaration({"prefix": ["STRING", {}]}, output=("STRING",)),
)


@pytest.mark.parametrize(
    ("size", "width", "height"),
    [
        ("Disabled", 0, 0),
        ("512x?", 512, 0),
        ("?x256", 0, 256),
        ("640x480", 640, 480),
        ("9999999999x-1", 0, 0),
        ("Custom Width", 7, 0),
        ("Custom Height", 0, 7),
    ],
)
def test_the_former_size_becomes_two(size: str, width: int, height: int) -> None:
    saved = {"video": "a.mp4", "force_size": size, "custom_width": 7, "custom_height": 7}
    found = sent(CATALOG, [node(1, "VHS_LoadVideo", values=saved)])["1"]
    assert (found["custom_width"], found["custom_height"]) == (width, height)


def test_a_list_of_an_old_save_is_read_by_its_own_places() -> None:
    saved = ["a.mp4", 24, "Disabled", 16, 2, 3]
    assert sent(CATALOG, [node(1, "VHS_LoadVideo", values=saved)])["1"] == {
        "video": "a.mp4",
        "force_rate": 24,
        "custom_width": 0,
        "custom_height": 0,
        "frame_load_cap": 16,
        "skip_first_frames": 2,
        "select_every_nth": 3,
    }


def combined(saved: Any) -> dict[str, Any]:
    return sent(CATALOG, [node(1, "VHS_VideoCombine", values=saved)])["1"]


def test_the_widgets_of_a_format_are_sent() -> None:
    saved = {"frame_rate": 16, "format": "video/mp4", "crf": 10, "save_image": False, "other": 1}
    assert combined(saved) == {
        "frame_rate": 16,
        "format": "video/mp4",
        "save_output": False,
        "pix_fmt": "yuv420p",
        "crf": 10,
        "dither": "b",
    }


def test_a_format_without_widgets_sends_none() -> None:
    assert combined({"format": "image/gif", "crf": 10}) == {
        "frame_rate": 8,
        "format": "image/gif",
        "save_output": True,
    }


def test_the_latest_file_is_not_sent_but_what_it_wrote() -> None:
    nodes = [
        node(1, "VHS_SelectLatest", values={"prefix": "x"}),
        node(2, "VHS_LoadVideo", {"video": (10, True)}, {"video": "latest.mp4"}),
    ]
    found = sent(CATALOG, nodes, [[10, 1, 0, 2, 0, "STRING"]])
    assert set(found) == {"2"}
    assert found["2"]["video"] == "latest.mp4"
