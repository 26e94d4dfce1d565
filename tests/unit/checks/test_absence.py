"""Why node types are missing: one code for each reason, beside the server's own verdict."""

from __future__ import annotations

import re
from typing import Any

import pytest

from comfywatchman.comfyui.provenance.folder import OnDisk
from comfywatchman.comfyui.provenance.knowledge import Knowledge, MapSource
from comfywatchman.comfyui.provenance.manager import listed
from comfywatchman.comfyui.provenance.node_map import NodeMap
from comfywatchman.escape import visible
from comfywatchman.judging.identity import identified
from comfywatchman.results import Finding, FixKind, Severity, SubjectKind, Verdict, WorkflowReport
from comfywatchman.workflow.prompt import SavedNode
from tests.unit.checks.judging import codes, image, judged, node_type, preview

GGUF = "https://github.com/city96/ComfyUI-GGUF"
COMMIT, LATER = "a" * 40, "b" * 40
PLUS = {
    name: node_type(module="custom_nodes.ComfyUI_IPAdapter_plus")
    for name in ("IPAdapterAdvanced", "IPAdapterEncoder", "PrepImageForClipVision")
}


def installed(**entries: dict[str, Any]) -> Any:
    """Manager's list with these packs."""
    return listed({name.replace("__", "-"): entry for name, entry in entries.items()})


def entry(ver: str | None = "1.0.0", *, enabled: bool = True, **ids: str) -> dict[str, Any]:
    return {"ver": ver, "cnr_id": "", "aux_id": None, "enabled": enabled, **ids}


def why(
    name: str,
    knowledge: Knowledge | None = None,
    pack: str | None = None,
    version: str | None = None,
    types: dict[str, Any] | None = None,
    server: str | None = "0.33.0",
) -> tuple[Finding, Finding]:
    """The verdict on a node of this type, and the finding that explains it."""
    judgement = judged(
        {"5": {"inputs": {}}, "6": {"inputs": {}}},
        types,
        version=server,
        saved={i: SavedNode(name, pack=pack, pack_version=version) for i in ("5", "6")},
        knowledge=knowledge,
    )
    assert judgement.verdict is Verdict.BROKEN
    error, same, explanation = judgement.findings
    assert (error.code, same.code) == ("missing_node_type", "missing_node_type")
    assert (error.severity, explanation.severity) == (Severity.ERROR, Severity.WARNING)
    assert error.subject.kind is SubjectKind.NODE_TYPE
    assert error.fixes == explanation.fixes
    assert error.cause_id == explanation.cause_id != ""
    return error, explanation


def test_not_installed_names_the_pack_and_who_says_so() -> None:
    _, by_workflow = why("Swap", pack="comfyui-reactor", version="0.6.1")
    assert by_workflow.code == "pack_not_installed"
    assert by_workflow.message == (
        "node type 'Swap' comes from the pack 'comfyui-reactor' (as the workflow says), of which "
        "nothing is loaded: most likely it is not installed"
    )
    assert by_workflow.subject.kind is SubjectKind.PACK
    assert (by_workflow.subject.name, by_workflow.subject.version) == ("comfyui-reactor", "0.6.1")
    assert (by_workflow.fixes[0].kind, by_workflow.fixes[0].command) == (
        FixKind.INSTALL_PACK,
        "comfy node install comfyui-reactor",
    )
    node_map = NodeMap({GGUF: [["UnetLoaderGGUF"], {}]})
    for source, words in (
        (MapSource.SERVER, "(by the node map of the server's Manager)"),
        (MapSource.FOLDER, "(by the node map in Manager's folder)"),
    ):
        _, by_map = why("UnetLoaderGGUF", Knowledge(node_map=node_map, map_source=source))
        assert f"'ComfyUI-GGUF' {words}" in by_map.message
        assert by_map.fixes[0].command == f"git -C custom_nodes clone {GGUF}"
    _, by_name = why("Seed (rgthree)")
    assert "'rgthree-comfy' (by the mark in the name)" in by_name.message
    seen = Knowledge(on_disk=OnDisk(frozenset({"other"}), frozenset()))
    _, on_disk = why("Seed (rgthree)", seen)
    assert on_disk.message.endswith("which is not installed: no folder of custom_nodes is named so")


def test_what_manager_does_not_list_is_not_told_to_be_uninstalled() -> None:
    """Manager lists packs with a git remote or registry files only; a loaded one is loaded."""
    _, gone = why("IPAdapterApply", Knowledge(installed=[]), "comfyui_ipadapter_plus", types=PLUS)
    assert gone.code == "node_type_gone"
    _, unseen = why("Other", Knowledge(installed=[]), "unzipped-pack")
    assert "most likely" in unseen.message
    assert "if it is installed all the same, its import failed" in str(unseen.fixes[0].text)


def test_several_packs_that_claim_a_type_are_all_named() -> None:
    claims = {f"https://github.com/someone/pack-{i}": [["ShowText"], {}] for i in range(7)}
    _, finding = why("ShowText", Knowledge(node_map=NodeMap(claims)))
    assert finding.code == "pack_not_installed"
    assert "claimed by several packs" in finding.message
    assert "'someone/pack-0', 'someone/pack-1'" in finding.message
    assert "and 2 more" in finding.message
    assert finding.subject.kind is SubjectKind.NODE_TYPE
    assert [fix.after for fix in finding.fixes] == ["pack-0", "pack-1", "pack-2"]


def test_of_several_packs_the_one_that_is_here_is_meant() -> None:
    claims = {f"https://github.com/someone/pack-{i}": [["ShowText"], {}] for i in range(7)}
    knowledge = Knowledge(
        node_map=NodeMap(claims), installed=installed(pack__3=entry(enabled=False))
    )
    _, finding = why("ShowText", knowledge)
    assert (finding.code, finding.subject.name) == ("pack_disabled", "pack-3")


@pytest.mark.parametrize(
    "folder", ["comfyui-crystools@nightly", "ComfyUI-Crystools.disabled", "comfyui_crystools@1_3_5"]
)
def test_disabled(folder: str) -> None:
    knowledge = Knowledge(installed=listed({folder: entry(enabled=False)}))
    _, finding = why("Show Metadata [Crystools]", knowledge)
    assert finding.code == "pack_disabled"
    assert finding.message.endswith("which is installed, but disabled")
    assert finding.fixes[0].kind is FixKind.ENABLE_PACK
    on_disk = Knowledge(on_disk=OnDisk(frozenset(), frozenset({"comfyui-crystools"})))
    assert why("Show Metadata [Crystools]", on_disk)[1].code == "pack_disabled"


def test_import_failed() -> None:
    knowledge = Knowledge(
        node_map=NodeMap({GGUF: [["UnetLoaderGGUF"], {}]}),
        installed=installed(ComfyUI__GGUF=entry(COMMIT, aux_id="city96/ComfyUI-GGUF")),
    )
    _, unexplained = why("UnetLoaderGGUF", knowledge)
    assert unexplained.code == "pack_import_failed"
    assert "nothing of it is loaded: its import most likely failed" in unexplained.message
    knowledge.failures["comfyui-gguf"] = "ModuleNotFoundError: No module named 'gguf'"
    error, explained = why("UnetLoaderGGUF", knowledge)
    assert explained.message.endswith(
        "but its import failed: ModuleNotFoundError: No module named 'gguf'"
    )
    assert "custom_nodes/ComfyUI-GGUF/requirements.txt" in str(error.fix)
    _, by_log = why("UnetLoaderGGUF", Knowledge(failures=knowledge.failures), "comfyui-gguf")
    assert by_log.message.endswith("No module named 'gguf'")
    assert "pip install -r requirements.txt in its folder" in by_log.fixes[0].text


def test_the_class_itself_fails() -> None:
    knowledge = Knowledge(failing={"SchemaRaises"})
    _, finding = why("SchemaRaises", knowledge)
    assert finding.code == "node_type_fails"
    assert "its own code fails" in finding.message
    _, of_pack = why("SchemaRaises", knowledge, "ComfyUI_IPAdapter_plus", types=PLUS)
    assert of_pack.code == "node_type_fails"
    assert "its own code of the pack 'ComfyUI_IPAdapter_plus' fails" in of_pack.message


def test_a_type_that_its_loaded_pack_does_not_have_has_a_likely_successor() -> None:
    """The case type_gone_pack_loaded: python_module shows that the import has not failed."""
    _, finding = why("IPAdapterApply", None, "comfyui_ipadapter_plus", "1.0.0", PLUS)
    assert finding.code == "node_type_gone"
    assert "not in the pack 'comfyui_ipadapter_plus' (as the workflow says), which is loaded" in (
        finding.message
    )
    replace, other_version = finding.fixes
    assert (replace.kind, replace.before, replace.after) == (
        FixKind.REPLACE_NODE,
        "IPAdapterApply",
        "IPAdapterAdvanced",
    )
    assert "Install version 1.0.0" in other_version.text
    claims = {"https://github.com/cubiq/ComfyUI_IPAdapter_plus": [["IPAdapterNew"], {}]}
    _, by_map = why("IPAdapterNew", Knowledge(node_map=NodeMap(claims)), types=PLUS)
    assert by_map.fixes[0].text.startswith("Update the pack 'ComfyUI_IPAdapter_plus'")


def test_a_newer_comfyui() -> None:
    error, finding = why("ImageCompare", server="0.8.0")
    assert finding.code == "comfyui_too_old"
    assert "comes with ComfyUI itself" in finding.message
    assert "by 0.9.2; this server is 0.8.0" in finding.message
    assert "since" not in finding.message
    assert error.fix == "Update ComfyUI to 0.9.2 or newer."
    assert finding.fixes[0].kind is FixKind.UPDATE_SERVER
    claims = {"https://github.com/someone/Compare": [["ImageCompare"], {}]}
    _, also = why("ImageCompare", Knowledge(node_map=NodeMap(claims)), server="0.8.0")
    assert also.code == "comfyui_too_old"
    assert "also claimed by 'someone/Compare'" in also.message
    _, later = why("SAM3DBody_Predict", server="0.33.0")
    assert "after 0.33.0; this server is 0.33.0" in later.message
    _, unheard = why("NeverHeardOf", None, "comfy-core", "0.50.0")
    assert "by 0.50.0" in unheard.message
    _, gone = why("NeverHeardOf", None, "comfy-core", "0.3.40")
    assert gone.code == "node_type_gone"
    _, kling = why("KlingCameraControls")
    assert kling.code == "node_type_gone"
    assert "which had it once, but not any more by 0.33.0" in kling.message


def test_one_update_brings_all_that_a_newer_comfyui_has() -> None:
    names = {"1": "ImageCompare", "2": "SaveImageAdvanced"}
    found = judged(
        {n: {"inputs": {}} for n in names},
        version="0.8.0",
        saved={n: SavedNode(name) for n, name in names.items()},
    ).findings
    said = [f.message for f in found if f.code == "comfyui_too_old"]
    older, newer = sorted(re.findall(r"by ([\d.]+);", " ".join(said)), key=_numbers)
    assert (older, _numbers(older) < _numbers(newer)) == ("0.9.2", True)
    assert {f.fix for f in found} == {f"Update ComfyUI to {newer} or newer."}


def _numbers(release: str) -> list[int]:
    return [int(number) for number in release.split(".")]


def test_the_servers_own_list_of_replacements_names_the_successor() -> None:
    """A saved node of unknown type is refused all the same: the browser replaces it, not we."""
    replacements = {"Old ": [{"new_node_id": "Image", "old_node_id": "Old "}]}
    judgement = judged(
        {"5": {"inputs": {}}}, saved={"5": SavedNode("Old ")}, replacements=replacements
    )
    error, finding = judgement.findings
    assert (error.code, finding.code) == ("missing_node_type", "node_type_gone")
    assert finding.message == (
        "node type 'Old ' is gone from ComfyUI itself (by the server's own list of replacements)"
    )
    assert (error.fixes[0].kind, error.fixes[0].after) == (FixKind.REPLACE_NODE, "Image")
    for hostile in ({"Old ": 5}, {"Old ": [5, {}]}, {"Old ": [{"new_node_id": "Nowhere"}]}):
        judged({"5": {"inputs": {}}}, saved={"5": SavedNode("Old ")}, replacements=hostile)


def test_a_type_that_this_release_should_have() -> None:
    _, finding = why("ClaudeNode", server="0.33.0")
    assert finding.code == "core_node_type_not_loaded"
    assert "--disable-api-nodes" in str(finding.fix)


@pytest.mark.parametrize(
    ("now", "then", "words"),
    [
        ({"pack": entry("1.2.6")}, {"pack": entry("1.2.5\n")}, "updated on the disk since"),
        ({"pack": entry(LATER)}, {"pack": entry(COMMIT)}, "from aaaaaaa to bbbbbbb"),
        ({"pack": entry()}, {}, "was installed or enabled since"),
        ({"pack": entry()}, {"pack@1_0": entry(enabled=False)}, "was installed or enabled since"),
    ],
)
def test_updated_on_the_disk_and_not_restarted_since(now: Any, then: Any, words: str) -> None:
    knowledge = Knowledge(installed=listed(now), at_start=listed(then))
    error, finding = why("New", knowledge, "pack")
    assert finding.code == "pack_restart_pending"
    assert words in finding.message
    assert error.fixes[0].kind is FixKind.RESTART_SERVER


@pytest.mark.parametrize(
    ("now", "code"),
    [({"pack@nightly": entry(enabled=False)}, "pack_disabled"), ({}, "pack_not_installed")],
)
def test_disabled_or_removed_since_the_start(now: Any, code: str) -> None:
    """Types whose code reads files vanish at once."""
    knowledge = Knowledge(installed=listed(now), at_start=listed({"pack": entry()}))
    types = {"Other": node_type(module="custom_nodes.pack")}
    _, finding = why("Gone", knowledge, "pack", types=types)
    assert finding.code == code
    assert "since the server was started" in finding.message


def test_a_workflow_that_uses_a_pack_as_it_was_is_told_so_once() -> None:
    same = {"b": entry("unknown"), "c": entry("\n1.0.0\n")}
    knowledge = Knowledge(
        installed=listed({"some-pack": entry("2.0"), **same}),
        at_start=listed({"some-pack": entry("1.0"), "b": entry(COMMIT), "c": entry()}),
    )
    types = {"Lab": node_type(outputs=("IMAGE",), module="custom_nodes.some-pack")}
    prompt = {"1": {"class_type": "Lab", "inputs": {}}, "9": preview("1"), "2": image()}
    prompt["3"] = dict(prompt["1"])
    judgement = judged(prompt, types, knowledge=knowledge)
    assert judgement.verdict is Verdict.RUNNABLE
    assert codes(judgement) == ["pack_restart_pending"]
    assert judgement.findings[0].severity is Severity.INFO
    both = judged(
        prompt | {"4": {"inputs": {}}},
        types,
        saved={"4": SavedNode("New", pack="some-pack")},
        knowledge=knowledge,
    )
    assert codes(both).count("pack_restart_pending") == 1


def test_what_nobody_knows_is_said_to_be_unknown() -> None:
    judgement = judged(
        {"5": {"class_type": "Mystery"}}, knowledge=Knowledge(failures={"broken-plain": "x"})
    )
    assert codes(judgement) == ["missing_node_type"]
    assert "neither the workflow nor anybody who was asked" in str(judgement.findings[0].fix)
    assert "'broken-plain'" in str(judgement.findings[0].fix)


def test_types_with_one_reason_are_explained_together_and_share_their_cause() -> None:
    names = [f"Lab{i}" for i in range(7)]
    judgement = judged(
        {name: {"inputs": {}} for name in names},
        saved={name: SavedNode(name, pack="probe-lab") for name in names},
    )
    report = WorkflowReport(path="x", name="x", verdict=Verdict.BROKEN, findings=judgement.findings)
    findings = identified(report).findings
    assert [f.code for f in findings] == ["missing_node_type"] * 7 + ["pack_not_installed"]
    assert findings[-1].message.startswith(
        "node types 'Lab0', 'Lab1', 'Lab2', 'Lab3', 'Lab4' and 2 more come from the pack"
    )
    assert len({f.cause_id for f in findings}) == 1
    assert len({f.fingerprint for f in findings}) == 8


def test_the_verdicts_fingerprint_does_not_rest_on_who_could_be_asked() -> None:
    def fingerprint(knowledge: Knowledge | None) -> str:
        judgement = judged({"5": {"class_type": "UnetLoaderGGUF"}}, knowledge=knowledge)
        report = WorkflowReport(
            path="x", name="x", verdict=Verdict.BROKEN, findings=judgement.findings
        )
        return identified(report).findings[0].fingerprint

    node_map = NodeMap({GGUF: [["UnetLoaderGGUF"], {}]})
    assert fingerprint(None) == fingerprint(Knowledge(node_map=node_map))


def test_hostile_names_are_made_safe_to_show_and_no_command_is_made_of_them() -> None:
    hostile = "x'; rm -rf ~ #\x1b[2J\u202e"
    _, finding = why("Evil\x1b[2J", None, hostile, "1\n2\x07")
    for text in (finding.message, finding.fixes[0].text, finding.subject.name):
        assert text == visible(text)
    assert finding.fixes[0].command is None
    why("A" * 5_000, None, "p" * 299)
    judged({str(i): {"class_type": f"T{i}"} for i in range(5_000)})
