"""Making the bill of materials of one workflow: everything that its verdict rests on here."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import __version__, masking, present
from comfywatchman.bom.declared import declaration, plain
from comfywatchman.bom.input_files import InputHasher
from comfywatchman.comfyui.catalog import COMBO
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.comfyui.credentials import read as read_credentials
from comfywatchman.comfyui.inventory import Presence, place_of
from comfywatchman.comfyui.names import is_media, last_part
from comfywatchman.comfyui.provenance.pack import CORE, alike, pack
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.findings import NAME_LENGTH, printable, quoted
from comfywatchman.history.facts import FactKind
from comfywatchman.history.schema import FileNames, schema_digest
from comfywatchman.judging.cache import VerdictCache
from comfywatchman.judging.workflow import judge_workflow
from comfywatchman.modelfiles import content, expected
from comfywatchman.modelfiles.hashes import Hashes
from comfywatchman.results import (
    Bom,
    BomComfyUI,
    BomInput,
    BomModel,
    BomNodeType,
    BomPack,
    BomWorkflow,
)
from comfywatchman.workflow import find
from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.naming import NotNamedError, named
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.catalog import InputSpec, NodeType
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.history.facts import Facts, Value
    from comfywatchman.history.world import World
    from comfywatchman.present import Here
    from comfywatchman.results import UsedModel
    from comfywatchman.settings import Settings
    from comfywatchman.workflow.prompt import Conversion, SavedNode

_UPLOADS: Final = ("image_upload", "video_upload", "audio_upload", "animated_image_upload")
"""Options of inputs that name a file of ``input``, ``output`` or ``temp``."""
_MOST_CHOICES: Final = 1_000
_MOST_LISTED: Final = 10_000
_EMBEDDINGS: Final = ("", ".safetensors", ".pt", ".bin")
"""Workflows name embeddings without their ending."""
_LONGEST_ADDRESS: Final = 2_000
_NUMBERS: Final = ("INT", "FLOAT")


@dataclass(frozen=True, slots=True)
class Host:
    """What a bill is made from, but the workflow.

    Attributes:
        world: what verdicts rest on.
        facts: what the host is made of.
        told: where all that is from, in a few words.
        not_known: one sentence for each thing that could not be seen.
        model_files: those that were found here, by folder and name.
        hashes: what those held that were read as a whole.
        folders: ComfyUI's ``input``, ``output`` and ``temp`` on this host.
    """

    world: World
    facts: Facts
    told: str
    not_known: Sequence[str] = ()
    model_files: Mapping[tuple[str, str], ModelFile] = field(default_factory=dict)
    hashes: Hashes | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)


def make(settings: Settings, given: str, file: Path) -> tuple[Bom, Facts]:
    """The bill of materials of a workflow of this host, or in a file.

    Args:
        settings: the settings.
        given: its path or short name.
        file: the same as a path on this host, for one that is not among the workflows.

    Returns:
        It, and what is known of the host.

    Raises:
        ConfigError: the server does not answer and nothing was kept, or the workflow cannot be
            read.
        NotNamedError: no such workflow is known.
    """
    client = ComfyUIClient(settings, read_credentials(settings))
    with client, present.history(settings) as history:
        here = present.look(settings, client, history)
        workflow = _workflow(here, given, file)
        host = look(settings, client, here)
        try:
            raw = workflow.read(here.world.size)
            copy = find.WorkflowCopy(workflow.path, workflow.name, raw)
            return bill(copy, host), host.facts
        except WorkflowError as error:
            raise ConfigError(f"{quoted(given)}: {error}") from None


def look(settings: Settings, client: ComfyUIClient, here: Here) -> Host:
    """What bills are made from, and compared with."""
    around = present.surroundings(settings, client, here)
    folders = here.folders.by_annotation() if here.folders is not None else {}
    blind = [*here.not_checked, *around.environment.blind.values()]
    facts = around.environment.facts
    files = {(visible(f.folder), visible(f.name)): f for f in around.model_files}
    hashes = Hashes.read(settings.resolved_state_dir)
    blind += [hashes.damage] if hashes.damage else []
    return Host(here.world, facts, here.told, blind, files, hashes, folders)


def _workflow(here: Here, given: str, file: Path) -> find.Workflow:
    by_path = {workflow.path: workflow for workflow in here.workflows}
    names = {path: workflow.name for path, workflow in by_path.items()}
    try:
        return by_path[named(given, names, "this host")]
    except NotNamedError:
        try:
            there = file.is_file()
        except (OSError, ValueError):
            there = False
        if not there:
            raise
    found = find.in_folders([file], largest_picture=here.world.size).workflows
    if not found:
        raise ConfigError(f"{quoted(given)} cannot be read")
    return found[0]


def bill(workflow: find.WorkflowCopy, host: Host) -> Bom:
    """The bill of materials of a workflow.

    Raises:
        WorkflowError: it is no workflow, or cannot be judged.
    """
    world = host.world
    document = load(workflow.raw, max_depth=world.depth)
    conversion = convert(document, world.catalog, Budget(len(workflow.raw)))
    verdicts = VerdictCache(None, world.catalog, world.inventory, {})
    report = judge_workflow(workflow, verdicts, max_bytes=world.size, max_depth=world.depth)
    node_types, inputs = _node_types(conversion, host)
    listed = _listed_in(document)
    is_saved = isinstance(document, dict) and isinstance(document.get("nodes"), list)
    return Bom(
        comfywatchman_version=__version__,
        host=visible(socket.gethostname()),
        generated_at=datetime.now(UTC),
        taken_from=host.told,
        workflow=BomWorkflow(
            path=workflow.path,
            name=workflow.name,
            content_digest=workflow.digest(world.size),
            form="workflow" if is_saved else "prompt",
            verdict=report.verdict,
        ),
        comfyui=_comfyui(host),
        packs=_packs(conversion, host),
        node_types=node_types,
        models=[_model(model, listed, host) for model in report.models],
        inputs=inputs,
        not_known=list(dict.fromkeys([*host.not_known, *report.not_checked])),
    )


def _comfyui(host: Host) -> BomComfyUI:
    value = host.facts.get(FactKind.COMFYUI, {}).get("", {})
    edited = value.get("edited")
    return BomComfyUI(
        version=text_of(value, "version") or host.world.catalog.version,
        commit=text_of(value, "commit"),
        edited=edited if isinstance(edited, bool) else None,
    )


def text_of(value: Value, key: str) -> str | None:
    """A text of a fact; None where there is none."""
    found = value.get(key)
    return visible(found, limit=NAME_LENGTH) if isinstance(found, str) and found else None


class _Use:
    """What the nodes of one type need of it."""

    def __init__(self) -> None:
        self.nodes = 0
        self.given: Counter[str] = Counter()
        self.choices: dict[str, set[tuple[str, Any]]] = {}
        self.unlisted: dict[str, set[tuple[str, Any]]] = {}
        self.outputs: set[int] = set()
        self.numbers: dict[str, list[float]] = {}

    def add(self, inputs: Mapping[str, Any], node_type: NodeType | None) -> None:
        self.nodes += 1
        self.given.update(visible(name) for name in inputs)
        for name, value in inputs.items():
            spec = node_type.inputs.get(name) if node_type is not None else None
            if spec is not None and not isinstance(value, list):
                self._add_value(spec, value)

    def _add_value(self, spec: InputSpec, value: Any) -> None:
        name = visible(spec.name)
        if spec.type == COMBO and isinstance(value, (str, int, float, bool)):
            offered = spec.choices is None or value in spec.choices
            chosen = (self.choices if offered else self.unlisted).setdefault(name, set())
            if len(chosen) < _MOST_CHOICES:
                made = plain(value)
                chosen.add((type(made).__name__, made))
        elif spec.type in _NUMBERS and isinstance(value, (int, float)) and abs(value) < 2**64:
            both = [*self.numbers.get(name, ()), float(value)]
            self.numbers[name] = [min(both), max(both)]


def _node_types(conversion: Conversion, host: Host) -> tuple[list[BomNodeType], list[BomInput]]:
    catalog = host.world.catalog
    files = FileNames(host.world.inventory)
    hasher = InputHasher()
    uses: dict[str, _Use] = {}
    named_files: set[str] = set()
    prompt = conversion.prompt if conversion.meant is None else conversion.meant
    for node_id, entry in prompt.items():
        name, given = _entry(entry, conversion.nodes.get(node_id))
        node_type = catalog.find(name)
        uses.setdefault(name, _Use()).add(given, node_type)
        if node_type is not None:
            named_files.update(_input_files(node_type, given))
        for value in given.values():
            if _is_link(value, prompt):
                origin = _entry(prompt[value[0]], conversion.nodes.get(value[0]))[0]
                uses.setdefault(origin, _Use()).outputs.add(value[1])
    made = []
    for name, use in sorted(uses.items()):
        node_type = catalog.find(name)
        raw = None if node_type is None else node_type.declaration
        folder = None if node_type is None else node_type.pack
        made.append(
            BomNodeType(
                name=visible(name),
                pack=None if folder is None else visible(folder),
                digest=None if raw is None else schema_digest(raw, files),
                declaration=None if raw is None else declaration(raw, files),
                nodes=use.nodes,
                given=dict(sorted(use.given.items())),
                choices=_sorted(use.choices),
                unlisted=_sorted(use.unlisted),
                outputs_used=sorted(use.outputs),
                numbers=dict(sorted(use.numbers.items())),
            )
        )
    return made, [look_at_input(name, host, hasher) for name in sorted(named_files)]


def _sorted(chosen: Mapping[str, set[tuple[str, Any]]]) -> dict[str, list[Any]]:
    return {
        name: [value for _, value in sorted(values, key=repr)]
        for name, values in sorted(chosen.items())
    }


def _is_link(value: object, prompt: Mapping[str, Any]) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and value[0] in prompt
        and type(value[1]) is int
        and value[1] >= 0
    )


def _entry(entry: object, saved: SavedNode | None) -> tuple[str, Mapping[str, Any]]:
    """Class type and inputs of a node, whatever its entry is."""
    found: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    name, inputs = found.get("class_type"), found.get("inputs")
    if not isinstance(name, str):
        name = saved.type if saved is not None else ""
    return name, inputs if isinstance(inputs, dict) else {}


def takes_upload(spec: InputSpec) -> bool:
    """Whether an input names a file of one of ComfyUI's folders, be it listed or not."""
    return any(spec.options.get(each) is True for each in _UPLOADS)


def _input_files(node_type: NodeType, given: Mapping[str, Any]) -> Iterable[str]:
    """The files of ComfyUI's folders that a node names."""
    for name, spec in node_type.inputs.items():
        value = given.get(name)
        if isinstance(value, str) and (
            takes_upload(spec) or (spec.type == COMBO and is_media(value))
        ):
            yield value


def presence(inventory: Inventory, name: str) -> bool | None:
    """Whether an input file is there, whichever way the server looks for it."""
    found = {inventory.presence(name), inventory.presence(name, confined=True)}
    if found == {Presence.PRESENT}:
        return True
    return False if found == {Presence.ABSENT} else None


def look_at_input(name: str, host: Host, hasher: InputHasher) -> BomInput:
    """What is known of an input file here."""
    folder, below = place_of(name)
    there = presence(host.world.inventory, name)
    size = digest = None
    if there and folder in host.folders:
        size, digest = hasher.look(host.folders[folder], below)
    if there and size is None and folder == "input":
        found = host.facts.get(FactKind.INPUT_FILE, {}).get(visible(below), {}).get("size")
        size = found if isinstance(found, int) and found >= 0 else None
    return BomInput(name=visible(name), present=there, size=size, sha256=digest)


def _listed_in(document: Any) -> dict[str, list[expected.Listed]]:
    """The models that a workflow lists, by the last parts of their names."""
    found: dict[str, dict[expected.Listed, None]] = {}
    for each in islice(expected.listed_in(document), _MOST_LISTED):
        found.setdefault(last_part(each.name), {})[each] = None
    return {name: list(listed) for name, listed in found.items()}


def _model(
    model: UsedModel, listed: Mapping[str, Sequence[expected.Listed]], host: Host
) -> BomModel:
    same = listed.get(last_part(model.name), ())
    fits = [each for each in same if model.folder is None or each.folder in (None, model.folder)]
    meant = sorted(fits, key=lambda each: each.folder is None) or same
    digest = next(filter(None, (each.sha256 for each in meant)), None)
    url = next(filter(None, (each.url for each in meant)), None)
    source = "workflow" if digest is not None else None
    # Of the file that is there, not of the one that was meant.
    if model.folder is not None and (held := content_of(host, model.folder, model.name)):
        digest, source = held
    return BomModel(
        folder=model.folder,
        name=model.name,
        present=model.present,
        size=None if model.folder is None else model_size(host.facts, model.folder, model.name),
        sha256=digest,
        sha256_from=source,
        url=None if url is None else _address(url),
    )


def content_of(host: Host, folder: str, name: str) -> content.Content | None:
    """What a model file here holds; None where it is not here, or nobody knows."""
    endings = _EMBEDDINGS if folder == "embeddings" else ("",)
    keys = ((visible(folder), visible(name + ending)) for ending in endings)
    file = next(filter(None, map(host.model_files.get, keys)), None)
    if file is None or host.hashes is None:
        return None
    return content.known(file, host.hashes)


def _address(url: str) -> str:
    """An address without what may log in somewhere."""
    masked = masking.without_secrets(url)
    return printable(masked if masked == url else masked.partition("?")[0], _LONGEST_ADDRESS)


def model_size(facts: Facts, folder: str, name: str) -> int | None:
    """Bytes of a model file; None where they are not known."""
    value = facts.get(FactKind.MODEL, {}).get(visible(f"{folder}/{name}"))
    if value is None and folder == "embeddings":
        known = facts.get(FactKind.EMBEDDING, {})
        value = known.get(visible(name)) or known.get(visible(name.rpartition(".")[0]))
    size = (value or {}).get("size")
    return size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None


def _packs(conversion: Conversion, host: Host) -> list[BomPack]:
    """The packs of the nodes: by folder where the server has their types, else by id."""
    facts = host.facts.get(FactKind.PACK, {})
    saved_with: dict[str, set[str]] = {}
    ids: dict[str, str] = {}
    folders: dict[str, str] = {}
    for node_id, entry in conversion.prompt.items():
        saved = conversion.nodes.get(node_id)
        node_type = host.world.catalog.find(_entry(entry, saved)[0])
        folder = None if node_type is None else node_type.pack
        name = saved.pack if saved is not None and saved.pack != CORE else None
        if folder is None and (node_type is not None or name is None):
            continue
        key = alike(folder) if folder is not None else alike(_short(name or ""))
        if folder is not None:
            folders[key] = folder
        if name is not None:
            ids.setdefault(key, name)
            versions = saved_with.setdefault(key, set())
            if saved is not None and saved.pack_version:
                versions.add(printable(saved.pack_version))
    by_key = {alike(name): name for name in facts}
    made = []
    for key in sorted({*ids, *folders}):
        folder = folders.get(key) or by_key.get(key)
        value = facts.get(by_key.get(key, ""), {})
        made.append(_pack(folder, value, ids.get(key), sorted(saved_with.get(key, ()))))
    return made


def _short(name: str) -> str:
    found = pack(name)
    return found.name if found is not None else name


def _pack(folder: str | None, value: Value, saved: str | None, versions: list[str]) -> BomPack:
    found = pack(value.get("id")) or pack(saved)
    enabled, failed = value.get("enabled"), value.get("import_failed")
    return BomPack(
        name=printable(found.name if found is not None else folder or saved or "", NAME_LENGTH),
        folder=None if folder is None else visible(folder, limit=NAME_LENGTH),
        version=text_of(value, "version"),
        commit=text_of(value, "commit"),
        registry_id=printable(found.name, NAME_LENGTH)
        if found is not None and found.registered
        else None,
        url=None if found is None else found.repository,
        saved_with=versions,
        enabled=enabled if isinstance(enabled, bool) else None,
        import_failed=failed if isinstance(failed, bool) else None,
    )
