"""A bill of materials in the forms of others: CycloneDX 1.6, and a snapshot of ComfyUI-Manager."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from comfywatchman.comfyui.provenance.pack import alike
from comfywatchman.history import last_good
from comfywatchman.history.facts import FactKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfywatchman.history.facts import Facts
    from comfywatchman.results import Bom, BomInput, BomModel, BomNodeType, BomPack

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_GITHUB: Final = "https://github.com/"
_ADDRESS: Final = re.compile(r"https?://[!-~]+")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def snapshot(bom: Bom, facts: Facts) -> tuple[dict[str, Any], list[str]]:
    """The packs of a bill as ComfyUI-Manager restores them.

    Which Python packages a pack needs is its own to say: none stands in it.

    Returns:
        The snapshot, and one sentence for each thing that cannot stand in it.
    """
    wanted = {alike(name) for pack in bom.packs for name in (pack.folder, pack.name) if name}
    known = facts.get(FactKind.PACK, {})
    packs = {folder: value for folder, value in known.items() if alike(folder) in wanted}
    made, left_out = last_good.snapshot(
        {FactKind.COMFYUI: facts.get(FactKind.COMFYUI, {}), FactKind.PACK: packs}
    )
    there = {alike(folder) for folder in packs}
    left_out += [
        f"pack {pack.name}: it is not installed here"
        for pack in bom.packs
        if there.isdisjoint(alike(name) for name in (pack.folder, pack.name) if name)
    ]
    return made, left_out


def cyclonedx(bom: Bom) -> dict[str, Any]:
    """The bill as CycloneDX 1.6, the same for the same bill."""
    made_at = bom.generated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    workflow = bom.workflow
    named = f"comfywatchman:{workflow.content_digest}:{bom.host}:{made_at}"
    components = [
        _application(bom),
        *(_library(number, pack, bom.node_types) for number, pack in enumerate(bom.packs, 1)),
        *(_model(number, model) for number, model in enumerate(bom.models, 1)),
        *(_file(number, file) for number, file in enumerate(bom.inputs, 1)),
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, named)}",
        "version": 1,
        "metadata": {
            "timestamp": made_at,
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": "ComfyWatchman",
                        "version": bom.comfywatchman_version,
                    }
                ]
            },
            "component": {
                "type": "data",
                "bom-ref": "workflow",
                "name": workflow.name,
                "hashes": _hashes(workflow.content_digest),
                "properties": _properties(verdict=workflow.verdict.value, host=bom.host),
            },
        },
        "components": components,
        "dependencies": [
            {"ref": "workflow", "dependsOn": [each["bom-ref"] for each in components]}
        ],
    }


def _application(bom: Bom) -> dict[str, Any]:
    own = [t for t in bom.node_types if t.pack is None]
    return _filled(
        {
            "type": "application",
            "bom-ref": "comfyui",
            "name": "ComfyUI",
            "version": bom.comfyui.version,
            "properties": [*_properties(commit=bom.comfyui.commit), *_types(own)],
        }
    )


def _library(number: int, pack: BomPack, node_types: Iterable[BomNodeType]) -> dict[str, Any]:
    own = [t for t in node_types if t.pack is not None and t.pack == pack.folder]
    version = pack.version or pack.commit
    return _filled(
        {
            "type": "library",
            "bom-ref": f"pack-{number}",
            "name": pack.name,
            "version": version,
            "purl": _purl_of_pack(pack),
            "externalReferences": _references("vcs", pack.url),
            "properties": [
                *_properties(folder=pack.folder, commit=pack.commit, registry_id=pack.registry_id),
                *_types(own),
            ],
        }
    )


def _model(number: int, model: BomModel) -> dict[str, Any]:
    size = None if model.size is None else str(model.size)
    return _filled(
        {
            "type": "machine-learning-model",
            "bom-ref": f"model-{number}",
            "name": model.name,
            "hashes": _hashes(model.sha256),
            "purl": _purl_of_model(model),
            "externalReferences": _references("distribution", model.url),
            "properties": _properties(folder=model.folder, size=size),
        }
    )


def _file(number: int, file: BomInput) -> dict[str, Any]:
    size = None if file.size is None else str(file.size)
    return _filled(
        {
            "type": "file",
            "bom-ref": f"input-{number}",
            "name": file.name,
            "hashes": _hashes(file.sha256),
            "properties": _properties(size=size),
        }
    )


def _filled(component: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in component.items() if value not in (None, [])}


def _hashes(digest: str | None) -> list[dict[str, str]]:
    return [] if digest is None else [{"alg": "SHA-256", "content": digest}]


def _properties(**values: str | None) -> list[dict[str, str]]:
    return [
        {"name": f"comfywatchman:{key}", "value": value}
        for key, value in values.items()
        if value is not None
    ]


def _types(node_types: Iterable[BomNodeType]) -> list[dict[str, str]]:
    """Node types with the digests of their declarations; those not offered have none."""
    return [
        {"name": f"comfywatchman:node_type:{each.name}", "value": each.digest or ""}
        for each in node_types
    ]


def _references(kind: str, url: str | None) -> list[dict[str, str]]:
    return [{"type": kind, "url": url}] if url is not None and _is_address(url) else []


def _is_address(url: str) -> bool:
    try:
        return bool(_ADDRESS.fullmatch(url) and urlsplit(url).hostname)
    except ValueError:
        return False


def _purl_of_pack(pack: BomPack) -> str | None:
    owner, _, name = (pack.url or "").removeprefix(_GITHUB).partition("/")
    if not (pack.url or "").startswith(_GITHUB) or not owner or not name or "/" in name:
        return None
    commit = f"@{pack.commit}" if pack.commit and _COMMIT.fullmatch(pack.commit) else ""
    return f"pkg:github/{quote(owner.lower(), safe='')}/{quote(name.lower(), safe='')}{commit}"


def _purl_of_model(model: BomModel) -> str | None:
    """Where the address is one of Hugging Face; with a version only if it names a commit."""
    if model.url is None or not _is_address(model.url):
        return None
    address = urlsplit(model.url)
    parts = address.path.split("/")
    if address.hostname != "huggingface.co" or len(parts) < 5 or parts[3] != "resolve":
        return None
    owner, name, revision = parts[1], parts[2], parts[4]
    if not _REPOSITORY.fullmatch(owner) or not _REPOSITORY.fullmatch(name):
        return None
    commit = f"@{revision}" if _COMMIT.fullmatch(revision) else ""
    return f"pkg:huggingface/{owner}/{name}{commit}"
