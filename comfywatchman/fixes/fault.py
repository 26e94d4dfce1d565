"""A finding, with the value it is about and what could stand in its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.checks.custom_validation_failed import CUSTOM_VALIDATION_FAILED
from comfywatchman.checks.dynamic_choice_unknown import DYNAMIC_CHOICE_UNKNOWN
from comfywatchman.checks.engine.choices import Choices
from comfywatchman.checks.engine.declared import DYNAMIC_COMBO, dynamic, expand, options
from comfywatchman.checks.engine.rulebook import rulebook
from comfywatchman.checks.missing_lora import MISSING_LORA
from comfywatchman.checks.value_not_in_list import VALUE_NOT_IN_LIST
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.inventory import Presence, place_of
from comfywatchman.comfyui.names import Names, tidy
from comfywatchman.findings import NAME_LENGTH, printable
from comfywatchman.fixes import document
from comfywatchman.fixes.here import Content
from comfywatchman.results import SubjectKind
from comfywatchman.workflow.graph import as_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from comfywatchman.comfyui.catalog import InputSpec
    from comfywatchman.fixes.document import Document
    from comfywatchman.fixes.here import Here, Saved
    from comfywatchman.results import Finding
    from comfywatchman.workflow.prompt import Conversion, Prompt

_EVERYWHERE: Final = frozenset(["safetensors", "sft", "ckpt", "pt", "pt2", "pth", "bin", "pkl"])
"""Endings of the files that ComfyUI lists in each of its own model folders."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NAMED: Final = frozenset(
    code.name
    for code in (
        CUSTOM_VALIDATION_FAILED,
        DYNAMIC_CHOICE_UNKNOWN,
        MISSING_LORA,
        VALUE_NOT_IN_LIST,
    )
)
"""The codes of what names a file or a choice that is not there."""

ABSENT: Final = object()
"""In place of a value: the input has none."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a workflow.

    Attributes:
        here: the host.
        saved: the workflow.
        document: its JSON.
        prompt: what it was judged as.
        finding: what was found.
        node_id: the node, by its id in the prompt.
        input: the name of its input; None if it is about the node.
        keys: what leads to the value within that of the input, for packs that keep rows there.
        value: what stands there, without a wrapper; :data:`ABSENT` if nothing does.
    """

    here: Here
    saved: Saved
    document: Document
    prompt: Prompt
    finding: Finding
    node_id: str
    input: str | None
    keys: tuple[str, ...] = ()
    value: Any = ABSENT

    @property
    def wanted(self) -> str | None:
        """The name or choice that stands there; None if it is no text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def folder(self) -> str | None:
        """The model folder that the input lists, if it is about a file of one."""
        subject = self.finding.subject
        return subject.folder if subject.kind is SubjectKind.MODEL else None

    @property
    def node(self) -> Mapping[str, Any]:
        """The node in the prompt."""
        return as_mapping(self.prompt.get(self.node_id))

    @cached_property
    def choices(self) -> Choices | None:
        """What the input accepts; None if it is no combo, or that is not known."""
        if self.finding.code == MISSING_LORA.name:
            return Choices(self.here.world.inventory.models.get("loras", ()))
        spec = self._spec
        if spec is None:
            return None
        if spec.type == DYNAMIC_COMBO:
            return Choices([option.get("key") for option in options(spec)])
        catalog = self.here.world.catalog
        return rulebook(catalog).plan(catalog[self.node["class_type"]]).choices(spec)

    @cached_property
    def _spec(self) -> InputSpec | None:
        """How the input is declared."""
        catalog, name = self.here.world.catalog, self.node.get("class_type")
        found = catalog.find(name) if isinstance(name, str) else None
        if found is None or self.input is None:
            return None
        inputs = as_mapping(self.node.get("inputs"))
        declared = tuple(found.inputs.values())
        for spec in chain(
            expand(declared, inputs, autogrow_minimum=False), dynamic(declared, inputs)
        ):
            if spec.name == self.input:
                return spec
        return None

    @cached_property
    def same_path(self) -> tuple[str, ...]:
        """The names of what is there that are the wanted one, written in another way."""
        return self._like(Names.same_path)

    @cached_property
    def same_name(self) -> tuple[str, ...]:
        """Those of files in other folders that are called as the wanted one."""
        return self._without(self._like(Names.same_name), self.same_path)

    @cached_property
    def same_stem(self) -> tuple[str, ...]:
        """Those of files that differ from the wanted one in their ending."""
        return self._without(self._like(Names.same_stem), self.same_path + self.same_name)

    def _like(self, search: Callable[[Names, str], tuple[str, ...]]) -> tuple[str, ...]:
        wanted = self.wanted
        if wanted is None or self.finding.code not in _NAMED:
            return ()
        if self.finding.subject.kind is SubjectKind.INPUT_FILE and self._input_files:
            below = {place_of(name)[1]: name for name in reversed(self._input_files)}
            return tuple(below[n] for n in search(Names(list(below)), place_of(wanted)[1]))
        if self.choices is None:
            return ()
        return self._without(search(self.choices, wanted), (wanted,))

    @staticmethod
    def _without(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in known)

    def accepts(self, value: Any) -> bool:
        """Whether a value is one of the choices, or names a file where that is what counts."""
        if self.choices is None or value in self.choices:
            return self.choices is not None
        takes_uploads = self._spec is not None and self._spec.takes_uploads
        return isinstance(value, str) and takes_uploads and self._is_there(value)

    def _is_there(self, name: str) -> bool:
        world = self.here.world
        confined = Rule.PATHS_CONFINED in rulebook(world.catalog).rules
        return world.inventory.presence(name, confined=confined) is Presence.PRESENT

    @cached_property
    def _input_files(self) -> tuple[str, ...]:
        """The input files that are there and may be the one that is wanted."""
        like = self.here.world.inventory.input_files_like(self.wanted or "")
        return tuple(name for name in like if name != self.wanted and self._is_there(name))

    @property
    def type(self) -> str:
        """The declared type of the input; empty if that is not known."""
        return self._spec.type if self._spec is not None else ""

    @property
    def node_type(self) -> str | None:
        """The node's type as the file has it."""
        for key in ("type", "class_type"):
            if isinstance(name := self.saved_node.get(key), str):
                return name
        return None

    @cached_property
    def target(self) -> str | None:
        """Where the wanted file would have to lie on this host; None if it could not lie there."""
        wanted, folder = self.wanted, self.folder
        places = self.here.places.get(folder, ()) if folder is not None else ()
        if wanted is None or folder is None or not places:
            return None
        listed = self.here.world.inventory.models.get(folder, ())
        known = any(ending(name) == ending(wanted) for name in listed)
        separator = "\\" if any("\\" in name for name in listed) else "/"
        if tidy(wanted, separator) != wanted or not (known or ending(wanted) in _EVERYWHERE):
            return None
        files = [file.path for file in self.here.files_in.get(folder, {}).values()]
        home = next((p for p in places if any(f.startswith(f"{p}/") for f in files)), places[0])
        return str(home.joinpath(*wanted.replace("\\", "/").split("/")))

    @cached_property
    def named_model(self) -> Mapping[str, Any]:
        """What the workflow says of the wanted file: ``url``, ``hash`` and the like."""
        if self.wanted is None or self.folder is None:
            return {}
        return document.named_model(self.document, self.wanted, self.saved_node)

    @cached_property
    def expected(self) -> Content:
        """What is known of the wanted file's content."""
        known = self.here.contents.get((self.folder or "", self.wanted or ""), Content())
        said, kind = self.named_model.get("hash"), self.named_model.get("hash_type")
        if known.sha256 is not None or kind not in ("SHA256", "sha256", "SHA-256"):
            return known
        whole = isinstance(said, str) and _SHA256.fullmatch(said.lower())
        return Content(whole[0], known.size) if whole else known

    @cached_property
    def saved_node(self) -> Mapping[str, Any]:
        """The node as the file has it; empty where that is not known."""
        path = document.path_to(self.document, self.node_id)
        parts = self.node_id.count(":") + 1 if document.is_graph(self.document) else 1
        return as_mapping(document.value_at(self.document, path[0])) if len(path) == parts else {}


def faults(
    here: Here,
    saved: Saved,
    content: Document,
    conversion: Conversion,
    findings: Iterable[Finding],
) -> Iterator[Fault]:
    """The findings about a node of the workflow, each with the value it is about."""
    prompt = conversion.prompt if conversion.meant is None else conversion.meant
    ids = {printable(node_id, NAME_LENGTH): node_id for node_id in prompt}
    for finding in findings:
        node_id = ids.get(finding.node_id or "")
        if node_id is None:
            continue
        inputs = as_mapping(as_mapping(prompt[node_id]).get("inputs"))
        # What crashes the server's validation is told of the input of the node behind it.
        own = [name for name in inputs if printable(name, NAME_LENGTH) == finding.input]
        names: list[str | None] = [*own] or [n for n in inputs if _is_wrapped(inputs[n])] or [None]
        for name in names:
            value: Any = ABSENT if name is None else inputs[name]
            keys: tuple[str, ...] = ()
            if finding.code == MISSING_LORA.name:
                keys, value = ("lora",), as_mapping(value).get("lora", ABSENT)
            yield Fault(
                here, saved, content, prompt, finding, node_id, name, keys, unwrapped(value)
            )


def ending(name: str) -> str:
    """What stands behind the last point of a name, in lower case."""
    return name.rpartition(".")[2].strip().lower()


def unwrapped(value: Any) -> Any:
    """A value without the wrapper that tells a list from a link."""
    return value["__value__"] if _is_wrapped(value) else value


def _is_wrapped(value: object) -> bool:
    return isinstance(value, dict) and "__value__" in value
