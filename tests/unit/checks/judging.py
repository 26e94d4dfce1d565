"""Small catalogs and prompts to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.provenance.knowledge import Knowledge
from comfywatchman.comfyui.provenance.origin import Provenance
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.workflow.prompt import Conversion, SavedNode

if TYPE_CHECKING:
    from comfywatchman.results import Finding

CORE = "nodes"
PACK = "custom_nodes.some-pack"


def node_type(
    required: dict[str, Any] | None = None,
    optional: dict[str, Any] | None = None,
    *,
    outputs: tuple[Any, ...] = (),
    output_node: bool = False,
    module: str = CORE,
    **fields: Any,
) -> dict[str, Any]:
    """A node type as /object_info declares it."""
    return {
        "input": {"required": required or {}, "optional": optional or {}},
        "input_order": {"required": list(required or {}), "optional": list(optional or {})},
        "output": list(outputs),
        "output_node": output_node,
        "python_module": module,
        **fields,
    }


BASE = {
    "Image": node_type({"width": ["INT", {"min": 16, "max": 4096}]}, outputs=("IMAGE", "MASK")),
    "Model": node_type(outputs=("MODEL",)),
    "Save": node_type({"images": ["IMAGE", {}]}, output_node=True),
    "Preview": node_type({"source": ["*", {}]}, output_node=True),
}


def image(width: Any = 64) -> dict[str, Any]:
    return {"class_type": "Image", "inputs": {"width": width}}


def preview(origin: str, slot: Any = 0) -> dict[str, Any]:
    return {"class_type": "Preview", "inputs": {"source": [origin, slot]}}


def judged(
    prompt: dict[str, Any],
    types: dict[str, Any] | None = None,
    *,
    version: str | None = "0.8.0",
    inventory: Inventory | None = None,
    saved: dict[str, SavedNode] | None = None,
    replacements: dict[str, Any] | None = None,
    knowledge: Knowledge | None = None,
) -> Judgement:
    """Judge a prompt against the base types and some more."""
    catalog = Catalog({**BASE, **(types or {})}, version, replacements)
    provenance = Provenance(knowledge or Knowledge(), catalog)
    return judge(Conversion(prompt, saved or {}), catalog, inventory or Inventory(), provenance)


def judged_input(
    declaration: list[Any], value: Any, *, module: str = CORE, name: str = "value", **options: Any
) -> Judgement:
    """Judge one input of one node, whose output is previewed."""
    types = {"Tested": node_type({name: declaration}, outputs=("IMAGE",), module=module)}
    prompt = {"1": {"class_type": "Tested", "inputs": {name: value}}, "9": preview("1")}
    return judged(prompt, types, **options)


def codes(judgement: Judgement) -> list[str]:
    return [finding.code for finding in judgement.findings]


def only(judgement: Judgement) -> Finding:
    """The one finding there is."""
    (finding,) = judgement.findings
    return finding
