"""Why it runs there and not here: what of a bill lacks or differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.bom.checking import compare
from comfywatchman.bom.making import bill
from comfywatchman.history.facts import FactKind
from comfywatchman.modelfiles.hashes import Hashes, Known
from comfywatchman.report import lacking
from comfywatchman.report.terminal import Page
from tests.unit.bom import worlds
from tests.unit.modelfiles.files import written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from comfywatchman.bom.making import Host
    from comfywatchman.results import BomCheck


def check(here: Host, there: Host | None = None) -> BomCheck:
    return compare(worlds.made(there), here, "bill.json")


def told(found: BomCheck) -> list[tuple[str, str, str]]:
    return [(d.kind.value, d.state.value, d.text) for d in found.differences]


def test_nothing_lacks_on_the_same_host() -> None:
    found = check(worlds.host())
    assert told(found) == []
    assert not found.lacks
    page = Page(width=100, color=False, encoding="utf-8")
    assert "nothing lacks" in lacking.render(found, page)


def of_sharpen(change: Callable[[dict[str, Any]], object]) -> Host:
    declared = worlds.types()
    change(declared["Sharpen"])
    return worlds.host(declared)


def required(sharpen: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = sharpen["input"]["required"]
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: required(s)["mode"].__setitem__(0, ["hard"]), "does not offer 'soft' for 'mode"),
        (
            lambda s: required(s)["strength"].__setitem__(1, {"min": 0.0, "max": 1.0}),
            "takes no number larger than 1.0 for 'strength', and the workflow gives 1.5",
        ),
        (lambda s: required(s).__setitem__("vae", ["VAE"]), "has a new required input 'vae'"),
        (lambda s: required(s).pop("model"), "dropped input 'model'"),
        (lambda s: required(s).__setitem__("model", ["CLIP"]), "input 'model': MODEL → CLIP"),
        (lambda s: s.__setitem__("output", ["LATENT", "INT"]), "output 0: IMAGE → LATENT"),
        (lambda s: s.__setitem__("output", []), "dropped output 0 (IMAGE)"),
        (lambda s: s.__setitem__("output_node", True), "is an output now"),
        (
            lambda s: required(s).__setitem__("mask", s["input"]["optional"].pop("mask")),
            "input 'mask' is now required",
        ),
    ],
)
def test_another_schema_that_the_workflow_cannot_do_with(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    found = check(of_sharpen(change))
    assert [(k, s) for k, s, _ in told(found)] == [("node_type", "lacks")]
    assert said in found.differences[0].text
    assert found.differences[0].name == "Sharpen"
    assert any(said in change for change in found.differences[0].changes)
    assert found.lacks


@pytest.mark.parametrize(
    "change",
    [
        lambda s: required(s)["mode"].__setitem__(0, ["soft"]),
        lambda s: required(s)["strength"].__setitem__(1, {"min": 1.5, "max": 1.5}),
        lambda s: s["input"]["optional"].__setitem__("more", ["MASK"]),
        lambda s: s["input"]["optional"].pop("mask"),
        lambda s: s.__setitem__("output", ["IMAGE", "FLOAT"]),
        lambda s: required(s).__setitem__("model", ["CLIP,MODEL"]),
    ],
)
def test_another_schema_that_it_can_do_with(change: Callable[[dict[str, Any]], object]) -> None:
    found = check(of_sharpen(change))
    assert [(k, s) for k, s, _ in told(found)] == [("node_type", "differs")]
    assert found.differences[0].changes
    assert not found.lacks


def test_what_is_for_show_is_no_difference() -> None:
    assert told(check(of_sharpen(lambda s: s.__setitem__("description", "new")))) == []


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (None, "pack 'Acme-Tools' is not installed here"),
        ({"enabled": False}, "pack 'Acme-Tools' is disabled here"),
        (
            {"enabled": True, "import_failed": True},
            "pack 'Acme-Tools' is installed here, but could not be imported",
        ),
    ],
)
def test_a_pack_that_does_not_work_here(pack: dict[str, Any] | None, said: str) -> None:
    declared, known = worlds.types(), worlds.facts()
    del declared["Sharpen"], known[FactKind.PACK]["Acme-Tools"]
    if pack is not None:
        known[FactKind.PACK]["Acme-Tools"] = pack
    assert told(check(worlds.host(declared, known=known))) == [
        ("pack", "lacks", said),
        (
            "node_type",
            "lacks",
            "node type 'Sharpen' is not offered here: it comes from pack 'Acme-Tools'",
        ),
    ]


def test_other_versions_differ() -> None:
    known = worlds.facts()
    known[FactKind.PACK]["Acme-Tools"]["version"] = "1.1.0"
    known[FactKind.COMFYUI][""]["version"] = "0.9.1"
    assert told(check(worlds.host(version="0.9.1", known=known))) == [
        ("comfyui", "differs", "ComfyUI is older here: 0.9.1, and was 0.30.0"),
        (
            "pack",
            "differs",
            "pack 'Acme-Tools' is of version 1.1.0 here, and was of 1.2.0",
        ),
    ]


def test_a_model_that_lacks_is_named_with_what_seems_to_be_it() -> None:
    known = worlds.facts()
    known[FactKind.MODEL] = {"checkpoints/sub/renamed.safetensors": {"size": 1_000}}
    found = check(worlds.host(models=("sub/renamed.safetensors",), known=known))
    kinds = [(d.kind.value, d.state.value) for d in found.differences]
    assert kinds == [("node_type", "lacks"), ("model", "lacks")]
    assert found.differences[1].text == (
        "model 'big.safetensors' in 'checkpoints' is not here (1,000 bytes); the same file seems "
        "to be here as 'checkpoints/sub/renamed.safetensors'"
    )


def test_another_file_under_the_same_name_lacks() -> None:
    known = worlds.facts()
    known[FactKind.MODEL]["checkpoints/big.safetensors"]["size"] = 900
    found = check(worlds.host(known=known))
    [(kind, state, text)] = told(found)
    assert (kind, state) == ("model", "lacks")
    assert "has 900 bytes here, and had 1,000 there" in text


def test_another_content_under_the_same_name_and_size_lacks(tmp_path: Path) -> None:
    file = written(tmp_path / "big.safetensors", folder="checkpoints")

    def holding(sha256: str) -> Host:
        hashes = Hashes(tmp_path)
        hashes.put(file, Known(file.size, file.mtime_ns, sha256, 1.0, 2.0, sha256))
        return worlds.host(model_files={("checkpoints", file.name): file}, hashes=hashes)

    there = holding(worlds.SHA)
    assert check(holding(worlds.SHA), there).differences == []
    [(kind, state, text)] = told(check(holding("cd" * 32), there))
    assert (kind, state) == ("model", "lacks")
    assert "another content (sha256)" in text


def test_an_input_file_lacks_differs_or_cannot_be_seen() -> None:
    assert told(check(worlds.host(inputs=()))) == [
        ("input_file", "lacks", "input file 'photo.png' is not here")
    ]
    known = worlds.facts()
    known[FactKind.INPUT_FILE]["photo.png"]["size"] = 5
    assert [s for _, s, _ in told(check(worlds.host(known=known)))] == ["differs"]
    here = worlds.host()
    blind = type(here.world.inventory)(models=here.world.inventory.models)
    world = type(here.world)(here.world.catalog, blind, 200, 10**7)
    found = compare(worlds.made(), type(here)(world, here.facts, "x"), "f")
    assert [(k, s) for k, s, _ in told(found)] == [("input_file", "not_known")]
    assert found.lacks


def test_one_that_did_not_run_there_is_not_said_to_lack_nothing() -> None:
    here = worlds.host(models=())
    found = compare(bill(worlds.workflow(), here), here, "f")
    assert [(k, s) for k, s, _ in told(found)] == [("workflow", "lacks"), ("model", "differs")]
    assert "did not run there either" in found.differences[0].text
    assert "is not here, nor was it there" in found.differences[1].text


def test_text_of_everything_fits_a_terminal() -> None:
    declared = worlds.types()
    del declared["Sharpen"]
    found = check(worlds.host(declared, version="0.9.0", models=(), inputs=()))
    page = Page(width=80, color=False, encoding="ascii")
    text = lacking.render(found, page)
    assert "things lack" in text
    assert "Lacks here" in text
    assert max(map(len, text.splitlines())) <= 80
