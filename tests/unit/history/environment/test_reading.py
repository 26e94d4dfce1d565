"""The whole environment of a cycle, read from a host that is there, and from one that is not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui import catalog_source, files, inventory_source, model_files
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.provenance.inquiry import Inquiry
from comfywatchman.history.environment import reading
from comfywatchman.history.environment.sources import Sources
from comfywatchman.history.facts import FactKind, differences
from tests.standin.comfyui import StandIn, recorded_node_types

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.unit.comfyui.conftest import Connect

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz012345"
TYPES: dict[str, Any] = {
    **recorded_node_types("empty"),
    "LabAmount": {"input": {}, "output": [], "python_module": "custom_nodes.probe-lab"},
}


def digest(declaration: Mapping[str, Any]) -> str:
    return str(len(json.dumps(declaration)))


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    folder = tmp_path / "ComfyUI"
    for name in ("input/sub", "models/checkpoints", "custom_nodes/probe-lab/.git", ".git", "user"):
        (folder / name).mkdir(parents=True)
    (folder / "main.py").touch()
    (folder / ".git/HEAD").write_text(COMMIT)
    config = f'[remote "origin"]\nurl = https://me:{TOKEN}@git.example/o/n\n'
    (folder / "custom_nodes/probe-lab/.git/config").write_text(config)
    (folder / "custom_nodes/probe-lab/.git/HEAD").write_text(COMMIT)
    (folder / "input/sub/a.png").write_text("a")
    return folder


def sources(
    stand_in: StandIn, connect: Connect, comfyui: Path | None, seconds: float = 60
) -> Sources:
    client = connect(stand_in.url)
    stats = client.get_json("/system_stats")
    folders = None if comfyui is None else files.folders(comfyui)
    catalog = catalog_source.fetch(client, version="0.33.0", max_bytes=10**8, seconds=60)
    inventory, _ = inventory_source.take_inventory(client, folders)
    inquiry = Inquiry(catalog, client, folders)
    inquiry.begin()
    return Sources(
        catalog=catalog,
        inventory=inventory,
        digest=digest,
        system_stats=stats,
        comfyui_dir=comfyui,
        folders=folders,
        knowledge=inquiry.knowledge,
        settings={"max_workflow_depth": 10},
        program={"version": "1", "code": "d"},
        model_files=model_files.look(client, inventory, comfyui, folders, [], seconds),
    )


def venv(comfyui: Path, torch: str, python: str) -> None:
    site = comfyui / "venv/lib" / f"python{python}" / "site-packages"
    metadata = site / f"torch-{torch}.dist-info"
    metadata.mkdir(parents=True)
    url = {"url": f"https://host/torch.whl?token={TOKEN}"}
    (metadata / "direct_url.json").write_text(json.dumps(url))


def test_a_host_that_is_seen(comfyui: Path, connect: Connect) -> None:
    argv = ["main.py", "--cpu", "--token", TOKEN]
    with StandIn(object_info=TYPES, manager="3.41", argv=argv) as stand_in:
        checkpoints = connect(stand_in.url).get_json("/models/checkpoints")
        (comfyui / "models/checkpoints" / checkpoints[0]).write_text("1234")
        given = sources(stand_in, connect, comfyui)
        python = ".".join(given.system["python_version"].split(".")[:2])
        venv(comfyui, given.system["pytorch_version"].partition("+")[0], python)
        asked = len(stand_in.requests)
        found = reading.read(given)
        assert len(stand_in.requests) == asked
    assert found.blind == {}
    assert list(found.facts) == list(FactKind)
    assert found.facts[FactKind.COMFYUI][""]["commit"] == COMMIT
    assert found.facts[FactKind.PACK].keys() == {"probe-lab", "websocket_image_save"}
    pack = found.facts[FactKind.PACK]["probe-lab"]
    assert pack["id"] == "https://git.example/o/n"
    assert pack["commit"] == COMMIT
    assert pack["import_failed"] is False
    assert found.facts[FactKind.NODE_TYPE]["LabAmount"]["pack"] == "probe-lab"
    assert found.facts[FactKind.NODE_TYPE]["KSampler"]["pack"] is None
    assert found.facts[FactKind.PACKAGE]["torch"]["origin"] == "https://host/torch.whl"
    assert found.facts[FactKind.MODEL][f"checkpoints/{checkpoints[0]}"]["size"] == 4
    assert found.facts[FactKind.INPUT_FILE].keys() == {"sub/a.png"}
    assert found.facts[FactKind.ARGUMENTS] == {"": {"text": "main.py --cpu --token ***"}}
    assert found.facts[FactKind.SETTING] == {"max_workflow_depth": {"value": 10}}
    assert found.facts[FactKind.PROGRAM] == {"": {"version": "1", "code": "d"}}
    assert TOKEN not in repr(found)
    for kind in found.facts.values():
        for value in kind.values():
            assert all(v is None or isinstance(v, str | int | float) for v in value.values())


def test_two_cycles_find_the_same(comfyui: Path, connect: Connect) -> None:
    with StandIn(object_info=TYPES, manager="4.3") as stand_in:
        first = reading.read(sources(stand_in, connect, comfyui))
        second = reading.read(sources(stand_in, connect, comfyui))
        assert list(differences(first.facts, second.facts)) == []
        assert first == second
        (comfyui / "custom_nodes/probe-lab/.git/HEAD").write_text(COMMIT[::-1])
        (change,) = differences(
            first.facts, reading.read(sources(stand_in, connect, comfyui)).facts
        )
        assert (change.kind, change.name) == (FactKind.PACK, "probe-lab")


def test_a_host_that_is_not_seen(connect: Connect) -> None:
    with StandIn(object_info=TYPES) as stand_in:
        given = sources(stand_in, connect, None)
        asked = len(stand_in.requests)
        found = reading.read(given)
        assert len(stand_in.requests) == asked
    assert set(found.blind) == {FactKind.PACK, FactKind.PACKAGE, FactKind.INPUT_FILE}
    assert set(found.facts) == set(FactKind) - set(found.blind)
    assert all(value == {} for value in found.facts[FactKind.MODEL].values())
    assert all(found.blind.values())


def test_nothing_is_known_of_the_server() -> None:
    found = reading.read(Sources(Catalog({}), Inventory(), digest))
    assert set(found.facts) == {FactKind.NODE_TYPE, FactKind.SETTING, FactKind.PROGRAM}
    assert set(found.blind) == set(FactKind) - set(found.facts)


@pytest.mark.parametrize(
    "stats",
    [
        {"system": []},
        {"system": {"argv": "x", "comfyui_version": 1, "python_version": [], "os": {}}},
        {"system": {"argv": [1, None], "comfy_package_versions": {"a": 1}}},
        {"system": {"comfyui_version": "\ud800" * 1000, "argv": ["\ud800", "\0"]}},
    ],
)
def test_a_server_that_says_nonsense(stats: dict[str, Any], comfyui: Path) -> None:
    found = reading.read(
        Sources(
            Catalog({"\ud800": {"python_module": "custom_nodes.\udfff"}, "x": 1}),
            Inventory(models={"\ud800": ("\ud800",)}, embeddings=frozenset({"\ud800"})),
            digest,
            system_stats=stats,
            comfyui_dir=comfyui,
            folders=files.folders(comfyui),
        )
    )
    repr(found.facts).encode()
    assert FactKind.PACK in found.facts


def test_a_mount_that_hangs_takes_nothing_else_along(
    comfyui: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = comfyui.parent / "pipe"
    os.mkfifo(pipe)

    stat = os.stat

    def hang(path: str, **how: Any) -> os.stat_result:
        if "/models/" in str(path):
            pipe.read_bytes()  # until somebody writes
        return stat(path, **how)

    with StandIn(object_info=TYPES) as stand_in:
        monkeypatch.setattr(os, "stat", hang)
        given = sources(stand_in, connect, comfyui, seconds=1)
        monkeypatch.undo()
    found = reading.read(given)
    pipe.write_bytes(b"")
    assert "did not answer within 1 s" in found.blind[FactKind.MODEL]
    assert {FactKind.COMFYUI, FactKind.PACK, FactKind.INPUT_FILE} <= found.facts.keys()
