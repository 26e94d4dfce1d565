"""What is asked of a server and its Manager, of which there are two majors; some are hostile."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui import files
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.provenance import inquiry as module
from comfywatchman.comfyui.provenance.inquiry import FEW_TYPES, MOST_TYPES, Inquiry
from comfywatchman.comfyui.provenance.kept_map import KeptMap
from comfywatchman.comfyui.provenance.origin import Source, Why
from tests.standin.comfyui import StandIn, recorded_node_types

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.comfyui.conftest import Connect

VERSIONS = ("3.41", "4.3")
HIDDEN_LOG = "404@/internal"
MISBEHAVIOURS = (
    *("500", "403", "404", "401", "503", "reset", "truncated", "html", "json-object", "json-list"),
    *("json-null", "empty", "binary", "deep-json", "endless", "gzip-bomb:64", "redirect-loop"),
    *("wrong-types", "nonsense", "reset-first:9", "padded:80", "slow-loris", "hang", "cookie"),
)
TYPES: dict[str, Any] = {
    **recorded_node_types("empty"),
    "LabAmount": {"input": {}, "output": [], "python_module": "custom_nodes.probe-lab"},
    "VHS_LoadVideo": {
        "input": {},
        "output": [],
        "python_module": "custom_nodes.comfyui-videohelpersuite",
    },
}


def inquire(stand_in: StandIn, connect: Connect, **more: Any) -> Inquiry:
    inquiry = Inquiry(Catalog(TYPES, "0.33.0"), connect(stand_in.url), **more)
    inquiry.begin()
    return inquiry


def targets(stand_in: StandIn) -> list[str]:
    return [f"{r.method} {r.target}" for r in stand_in.requests]


@pytest.mark.parametrize(("version", "prefix"), [("3.41", ""), ("4.3", "/v2")])
def test_what_is_asked_of_manager(version: str, prefix: str, connect: Connect) -> None:
    with StandIn(manager=version) as stand_in:
        inquiry = inquire(stand_in, connect)
        assert targets(stand_in)[-2:] == [
            f"GET {prefix}/customnode/installed",
            f"GET {prefix}/customnode/installed?mode=imported",
        ]
        assert len(stand_in.requests) <= 5
        inquiry.look_into("UnetLoaderGGUF")
        inquiry.look_into("CLIPLoaderGGUF")
        inquiry.look_into("UnetLoaderGGUF")
        assert targets(stand_in).count(f"GET {prefix}/customnode/getmappings?mode=local") == 1
        asked = " ".join(targets(stand_in))
        for never in ("mode=cache", "bulk", "snapshot", "getlist", "fetch", "POST"):
            assert never not in asked
        origin = inquiry.provenance.origin("UnetLoaderGGUF")
        assert (origin.why, origin.source) == (Why.IMPORT_FAILED, Source.SERVER_MAP)
        assert origin.reason == "ModuleNotFoundError: No module named 'gguf'"
        assert inquiry.not_checked == []
        assert stand_in.writes == []


@pytest.mark.parametrize(
    ("version", "state", "known"),
    [
        ("3.41", "start", False),
        ("3.41", "reloaded", True),
        ("3.41", "cached", True),
        ("4.3", "start", True),
        ("4.3", "reloaded", True),
        ("4.3", "cached", True),
    ],
)
def test_manager_is_asked_by_address_and_by_id_where_the_log_tells_no_more(
    version: str, state: str, known: bool, connect: Connect
) -> None:
    """Which of them it understands depends on what it has read before; 400 is no good news."""
    with StandIn(manager=version, manager_state=state, behaviour=HIDDEN_LOG) as stand_in:
        inquiry = inquire(stand_in, connect)
        inquiry.look_into("UnetLoaderGGUF")
        origin = inquiry.provenance.origin("UnetLoaderGGUF")
        assert origin.why is Why.IMPORT_FAILED
        expected = "ModuleNotFoundError: No module named 'gguf'" if known else None
        assert origin.reason == expected
        asked = len(stand_in.requests)
        inquiry.look_into("CLIPLoaderGGUF")
        assert len(stand_in.requests) == asked
        inquiry.look_into("Thing", "broken-import-registry")
        posted = [json.loads(r.body) for r in stand_in.requests if r.method == "POST"]
        assert {"url": "https://github.com/city96/ComfyUI-GGUF"} in posted
        assert {"cnr_id": "broken-import-registry"} in posted
        assert len(posted) <= 2 * module.MOST_IMPORTS


def test_without_manager_two_questions_are_in_vain(connect: Connect) -> None:
    with StandIn() as stand_in:
        inquiry = inquire(stand_in, connect)
        inquiry.look_into("Seed (rgthree)")
        assert targets(stand_in) == [
            "GET /internal/logs/raw",
            "GET /v2/manager/version",
            "GET /manager/version",
        ]
        assert inquiry.provenance.origin("Seed (rgthree)").source is Source.NAME
        assert inquiry.not_checked == []


def test_a_class_that_fails_is_told_from_one_that_is_not_registered(connect: Connect) -> None:
    with StandIn(manager="4.3", failing={"LabBroken"}) as stand_in:
        inquiry = inquire(stand_in, connect)
        for name in ("SchemaRaises", "NoSuchClass"):
            inquiry.look_into(name)
        inquiry.look_into("LabBroken", "probe-lab")
        inquiry.look_into("LabGone", "probe-lab")
        why = {
            name: inquiry.provenance.origin(name, pack).why
            for name, pack in (
                ("SchemaRaises", None),
                ("NoSuchClass", None),
                ("LabBroken", "probe-lab"),
                ("LabGone", "probe-lab"),
            )
        }
        assert why == {
            "SchemaRaises": Why.FAILS,
            "NoSuchClass": Why.UNKNOWN,
            "LabBroken": Why.FAILS,
            "LabGone": Why.GONE,
        }


def test_a_server_that_fails_at_everything_says_nothing_of_a_class(connect: Connect) -> None:
    with StandIn(behaviour="500@/object_info") as stand_in:
        inquiry = inquire(stand_in, connect)
        for i in range(5):
            inquiry.look_into(f"Unknown{i}")
        assert inquiry.provenance.origin("Unknown0").why is Why.UNKNOWN
        assert sum("/object_info" in target for target in targets(stand_in)) == 2


def test_only_some_classes_are_asked_about(connect: Connect) -> None:
    with StandIn() as stand_in:
        inquiry = inquire(stand_in, connect)
        for i in range(100):
            inquiry.look_into(f"Unknown{i}")
        for name in ("..", ".", "a/b", "\ud800", "x" * 500):
            inquiry.look_into(name)
        asked = [t for t in targets(stand_in) if "/object_info" in t]
        assert len(asked) == MOST_TYPES


def test_few_are_asked_about_where_all_that_is_loaded_comes_with_comfyui(connect: Connect) -> None:
    own = recorded_node_types("empty")
    assert Catalog(own).packs  # a node that lies in custom_nodes of every ComfyUI
    with StandIn() as stand_in:
        inquiry = Inquiry(Catalog(own, "0.33.0"), connect(stand_in.url))
        for i in range(100):
            inquiry.look_into(f"Unknown{i}")
        asked = [t for t in targets(stand_in) if "/object_info" in t]
        assert len(asked) == FEW_TYPES


def test_a_pack_that_changed_since_the_start(connect: Connect) -> None:
    for version in VERSIONS:
        with StandIn(manager=version, updated=True) as stand_in:
            inquiry = inquire(stand_in, connect)
            inquiry.look_into("AddedLaterNode", "added-later")
            origin = inquiry.provenance.origin("AddedLaterNode", "added-later")
            assert origin.why is Why.RESTART
            assert inquiry.provenance.change("comfyui-kjnodes") is not None
            assert inquiry.provenance.change("cg-use-everywhere") is None


def test_the_map_is_asked_for_once_a_day(connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "node-map.cache"
    with StandIn(manager="4.3") as stand_in:
        for _ in range(2):
            inquiry = inquire(stand_in, connect, kept=KeptMap(file))
            inquiry.look_into("UnetLoaderGGUF")
            assert inquiry.provenance.origin("UnetLoaderGGUF").why is Why.IMPORT_FAILED
        maps = [t for t in targets(stand_in) if "getmappings" in t]
        assert len(maps) == 1
        file.write_bytes(b"damaged")
        inquire(stand_in, connect, kept=KeptMap(file)).look_into("UnetLoaderGGUF")
        assert sum("getmappings" in t for t in targets(stand_in)) == 2
        stand_in.behaviour = "json-list@/v2/customnode/getmappings"
        file.unlink()
        inquire(stand_in, connect, kept=KeptMap(file)).look_into("UnetLoaderGGUF")
        assert not file.exists()


@pytest.mark.parametrize(
    "behaviour",
    MISBEHAVIOURS,
)
@pytest.mark.parametrize("path", ["", "@/v2", "@/internal", "@/object_info"])
def test_no_answer_does_harm(
    behaviour: str, path: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.3)
    begun = time.monotonic()
    with StandIn(manager="4.3") as stand_in:
        client = connect(stand_in.url)
        stand_in.behaviour = behaviour + path
        inquiry = Inquiry(Catalog(TYPES, "0.33.0"), client)
        inquiry.begin()
        for name in ("UnetLoaderGGUF", "Unknown", "SchemaRaises", "LabGone"):
            inquiry.look_into(name, "probe-lab" if name == "LabGone" else None)
            inquiry.provenance.origin(name)
        assert inquiry.provenance.origin("Seed (rgthree)").packs
    assert time.monotonic() - begun < 5
    assert len(inquiry.not_checked) <= 1


def test_a_server_that_hangs_is_not_asked_any_more(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.3)
    with StandIn(manager="4.3", behaviour="hang@/v2") as stand_in:
        inquiry = inquire(stand_in, connect)
        inquiry.look_into("Unknown")
        assert targets(stand_in) == ["GET /internal/logs/raw", "GET /v2/manager/version"]
        (sentence,) = inquiry.not_checked
        assert sentence.startswith("which packs bring the node types that are missing: ")
        assert "did not finish its answer" in sentence


def test_all_answers_together_have_a_limit(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with StandIn(manager="4.3", behaviour="delay:200") as stand_in:
        inquiry = inquire(stand_in, connect)
        for i in range(20):
            inquiry.look_into(f"Unknown{i}")
        assert len(stand_in.requests) <= 4
        assert len(inquiry.not_checked) == 1


def test_without_a_server_the_folders_tell(tmp_path: Path) -> None:
    for name in ("ComfyUI-Manager", "ComfyUI-GGUF", "off.disabled"):
        (tmp_path / "custom_nodes" / name).mkdir(parents=True)
    node_map = {"https://github.com/city96/ComfyUI-GGUF": [["UnetLoaderGGUF"], {}]}
    file = tmp_path / "custom_nodes" / "ComfyUI-Manager" / "extension-node-map.json"
    file.write_text(json.dumps(node_map))
    (tmp_path / "user").mkdir()
    log = "Cannot import /x/custom_nodes/ComfyUI-GGUF module for custom nodes: no gguf\n"
    (tmp_path / "user" / "comfyui.log").write_text(log)
    inquiry = Inquiry(Catalog(TYPES), folders=files.folders(tmp_path))
    inquiry.begin()
    inquiry.look_into("UnetLoaderGGUF")
    origin = inquiry.provenance.origin("UnetLoaderGGUF")
    assert (origin.why, origin.source) == (Why.IMPORT_FAILED, Source.FOLDER_MAP)
    assert origin.reason == "no gguf"
    assert inquiry.provenance.origin("X", "off").why is Why.DISABLED
    assert inquiry.provenance.origin("X", "never").looked


def test_only_the_one_question_can_be_posted(connect: Connect) -> None:
    with StandIn(manager="4.3") as stand_in:
        client = connect(stand_in.url)
        with pytest.raises(ValueError, match="no prefix of Manager's"):
            client.ask_import_failure("/prompt?", {}, max_bytes=1, seconds=1)
        assert stand_in.requests == []
