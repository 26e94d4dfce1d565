"""Verdicts kept from one cycle to the next, and reused only where nothing they rest on has changed.

A verdict rests on the bytes of the file, on the program, on the limits, on the declarations of the
node types that were looked up, on what was asked of the inventory, and on what the checks read off
the catalog as a whole; one that holds the server's own word rests on all of the catalog. All of it
is recorded while a workflow is judged, and compared before its verdict is used again. What does not
compare equal is judged anew.

In which cycle each workflow was judged last is kept too, by a number that grows with each: one that
has no time for all of them begins with those for which that is longest ago.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from functools import cache, cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from comfywatchman import redaction, state
from comfywatchman.comfyui.catalog import Catalog, NodeType
from comfywatchman.comfyui.inventory import Inventory, Presence
from comfywatchman.comfyui.provenance.inquiry import Inquiry
from comfywatchman.comfyui.provenance.origin import Provenance
from comfywatchman.results import WorkflowReport
from comfywatchman.workflow.postponed import is_postponed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from comfywatchman.comfyui.provenance.manager import Change
    from comfywatchman.comfyui.provenance.origin import Origin
    from comfywatchman.judging.so_far import SoFar
    from comfywatchman.workflow.find import Workflow

_Entry = dict[str, Any]
_PACKAGE: Final = Path(__file__).parents[1]


class RecordingCatalog(Catalog):
    """A catalog that remembers which node types were looked up."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog.declarations, catalog.version, catalog.replacements)
        self.asked: set[str] = set()

    def find(self, name: str) -> NodeType | None:
        """As the catalog's own."""
        self.asked.add(name)
        return self._read.get(name) or super().find(name)

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str):
            self.asked.add(name)
        return super().__contains__(name)


class RecordingInventory(Inventory):
    """An inventory that remembers what was asked and what it answered."""

    def __init__(self, inventory: Inventory) -> None:
        super().__init__(
            inventory.files,
            inventory.models,
            inventory.embeddings,
            inventory.links,
            inventory.paths,
        )
        object.__setattr__(self, "asked", {})

    asked: dict[str, dict[str, Any]]

    def presence(self, value: str, *, confined: bool = False) -> Presence:
        """As the inventory's own."""
        answer = super().presence(value, confined=confined)
        question = "confined_presence" if confined else "presence"
        self.asked.setdefault(question, {})[value] = answer.value
        return answer

    def is_folder(self, value: str) -> bool:
        """As the inventory's own."""
        answer = super().is_folder(value)
        self.asked.setdefault("is_folder", {})[value] = answer
        return answer

    def input_files_like(self, value: str) -> list[str]:
        """As the inventory's own."""
        answer = super().input_files_like(value)
        self.asked.setdefault("input_files_like", {})[value] = answer
        return answer

    def has_embedding(self, name: str) -> bool | None:
        """As the inventory's own."""
        answer = super().has_embedding(name)
        self.asked.setdefault("has_embedding", {})[name] = answer
        return answer

    def folders_with(self, name: str) -> list[str]:
        """As the inventory's own."""
        answer = super().folders_with(name)
        self.asked.setdefault("folders_with", {})[name] = answer
        return answer


class RecordingProvenance(Provenance):
    """A provenance that remembers what was asked and what it answered."""

    def __init__(self, provenance: Provenance, catalog: Catalog) -> None:
        super().__init__(provenance.knowledge, catalog)
        self.asked: dict[str, dict[str, Any]] = {}

    def origin(
        self, name: str, saved_pack: str | None = None, saved_version: str | None = None
    ) -> Origin:
        """As the provenance's own."""
        answer = super().origin(name, saved_pack, saved_version)
        about = json.dumps([name, saved_pack, saved_version])
        self.asked.setdefault("origin", {})[about] = _digest_of(answer)
        return answer

    def change(self, folder: str) -> Change | None:
        """As the provenance's own."""
        answer = super().change(folder)
        self.asked.setdefault("change", {})[folder] = repr(answer)
        return answer


@lru_cache(4096)
def _digest_of(answer: Origin) -> str:
    return _digest(repr(answer).encode(errors="replace"))


class VerdictCache:
    """The verdicts of the last cycle, and those of this one.

    Attributes:
        damage: one sentence if the file was damaged; None if it was not.

    Args:
        file: where they are kept; None keeps nothing. A file that is missing or of another version
            of the program is as good as empty; a damaged one is set aside.
        catalog: the catalog of this cycle.
        inventory: the inventory of this cycle.
        limits: settings that a verdict depends on.
        inquiry: what is asked about node types that the catalog lacks; without it, nobody is.
        so_far: where verdicts are kept as they are reached, and those of a cycle that was killed
            are found; None: nowhere.
        reuses: whether verdicts are used again; else all are reached, and kept, anew.
    """

    def __init__(
        self,
        file: Path | None,
        catalog: Catalog,
        inventory: Inventory,
        limits: Mapping[str, Any],
        inquiry: Inquiry | None = None,
        so_far: SoFar | None = None,
        *,
        reuses: bool = True,
    ) -> None:
        self._file = file
        self.inquiry = inquiry or Inquiry(catalog)
        self.provenance = RecordingProvenance(self.inquiry.provenance, catalog)
        self.catalog = RecordingCatalog(catalog)
        self.inventory = RecordingInventory(inventory)
        self._plain = inventory
        self._declarations: dict[str, str | None] = {}
        self._limits = dict(limits)
        self.damage: str | None = None
        self._judged: dict[str, int] = {}
        self._old = self._load()
        self._so_far = so_far
        if so_far is not None and so_far.left:
            self._old.update(so_far.entries(self._frame))
            self._judged.update(so_far.judged)
        if not reuses:
            self._old.clear()
        self._this = 1 + max(self._judged.values(), default=0)
        self._judged_now: dict[str, int] = {}
        self._postponed = 0
        self._new: dict[str, _Entry | orjson.Fragment] = {}
        self._key = ""
        self._entry: bytes | None = None

    def get(self, digest: str, path: str, name: str) -> WorkflowReport | None:
        """The verdict on a file of this content, if all it rests on is as it was.

        Args:
            digest: of the content, SHA-256 in hexadecimal.
            path: where the file is now.
            name: what it is called now.
        """
        self._key, self._entry = digest, None
        entry = self._old.get(self._key)
        if entry is None or not self._holds(entry):
            self.catalog.asked = set()
            self.inventory.asked.clear()
            self.provenance.asked.clear()
            return None
        self._new[self._key] = entry
        return WorkflowReport.model_validate({**entry["report"], "path": path, "name": name})

    def put(self, report: WorkflowReport) -> None:
        """Keep the verdict on the file that :meth:`get` did not know, with what was asked since."""
        if self._file is None:
            return
        content = report.model_dump_json(exclude={"path", "name"})
        entry: _Entry = {
            "types": {name: self._declaration(name) for name in sorted(self.catalog.asked)},
            "asked": {
                question: dict(answers)
                for asked in (self.inventory.asked, self.provenance.asked)
                for question, answers in asked.items()
            },
            "report": orjson.Fragment(content),
        }
        if report.server_asked:
            entry["catalog"] = self.catalog_digest
        with suppress(TypeError):  # a name in it holds half a surrogate pair
            self._entry = orjson.dumps(entry)
            self._new[self._key] = orjson.Fragment(self._entry)

    def oldest_first(self, workflows: Sequence[Workflow]) -> list[int]:
        """The positions of workflows in the order in which they are to be judged.

        Those that were never judged come first, then those that were judged longest ago.
        """
        last = [self._judged.get(workflow.path, 0) for workflow in workflows]
        return sorted(range(len(workflows)), key=last.__getitem__)

    def reached(self, report: WorkflowReport) -> None:
        """Note what became of a workflow in this cycle: a verdict, or that it was postponed.

        What was postponed keeps its place in the order, and its verdict, should it be of use again.
        """
        path = report.path
        if is_postponed(report.findings):
            self._postponed += 1
            if path in self._judged:
                self._judged_now[path] = self._judged[path]
            return
        self._judged_now[path] = self._this
        if self._so_far is not None and self._so_far.adds:
            self._so_far.add(self._frame, self._this, path, self._key, self._entry)
        self._entry = None

    @cached_property
    def _frame(self) -> str:
        """What every verdict rests on; only a file of verdicts needs it."""
        catalog = self.catalog
        about = [program(), self._limits, catalog.version, catalog.replacements]
        return _digest(_dump(about) + _outline(catalog))

    @cached_property
    def catalog_digest(self) -> str:
        """Of everything the catalog says, SHA-256 in hexadecimal; the server's word rests on it."""
        catalog = self.catalog
        return _digest(_dump([catalog.version, catalog.replacements, catalog.declarations]))

    def save(self) -> None:
        """Write the verdicts of this cycle in place of those of the last.

        Raises:
            OSError: they could not be written.
        """
        if self._file is None:
            return
        entries = self._entries_with_postponed() if self._postponed else self._new
        kept = {"frame": self._frame, "entries": entries, "judged": self._judged_now}
        content = redaction.catch(orjson.dumps(kept))
        state.replace_file(self._file, _digest(content).encode() + b"\n" + content)
        if self._so_far is not None:
            self._so_far.end()

    def _entries_with_postponed(self) -> dict[str, _Entry | orjson.Fragment]:
        """This cycle's, and those of before among which are the ones of what was postponed.

        Nobody knows which: a changed file has another key. So the latest are kept.
        """
        before = {key: entry for key, entry in self._old.items() if key not in self._new}
        room = 2 * self._postponed
        latest = islice(before.items(), max(0, len(before) - room), None)
        return dict(latest) | self._new

    def _load(self) -> dict[str, _Entry]:
        if self._file is None:
            return {}
        try:
            checksum, _, content = state.read_file(self._file).partition(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            return self._damaged(f"cannot be read: {error.strerror}")
        if checksum != _digest(content).encode():
            return self._damaged("is damaged")
        kept = orjson.loads(content)
        if not isinstance(kept, dict):
            return {}
        self._judged = kept.get("judged", {})
        return kept["entries"] if kept.get("frame") == self._frame else {}

    def _damaged(self, what: str) -> dict[str, _Entry]:
        assert self._file is not None  # noqa: S101  (it was read)
        aside = state.set_aside(self._file)
        where = f", is now {aside.name}" if aside else ""
        self.damage = f"{self._file} {what}{where}: every workflow is judged anew"
        return {}

    def _holds(self, entry: _Entry) -> bool:
        ask: dict[str, Callable[[str], Any]] = {
            "presence": lambda value: self._plain.presence(value).value,
            "confined_presence": lambda value: self._plain.presence(value, confined=True).value,
            "is_folder": self._plain.is_folder,
            "input_files_like": self._plain.input_files_like,
            "has_embedding": self._plain.has_embedding,
            "folders_with": self._plain.folders_with,
            "origin": self._origin,
            "change": lambda folder: repr(self.inquiry.provenance.change(folder)),
        }
        if "catalog" in entry and entry["catalog"] != self.catalog_digest:
            return False
        return all(
            self._declaration(name) == declaration for name, declaration in entry["types"].items()
        ) and all(
            ask[question](about) == answer
            for question, answers in entry["asked"].items()
            for about, answer in answers.items()
        )

    def _origin(self, about: str) -> str:
        asked = json.loads(about)
        self.inquiry.look_into(*asked)
        return _digest_of(self.inquiry.provenance.origin(*asked))

    def _declaration(self, name: str) -> str | None:
        if name not in self._declarations:
            declaration = self.catalog.declarations.get(name)
            self._declarations[name] = None if declaration is None else _digest(_dump(declaration))
        return self._declarations[name]


def _outline(catalog: Catalog) -> bytes:
    """What the checks read off the catalog as a whole: everything but choices and options."""
    outline = {
        name: [
            {k: v for k, v in node_type.declaration.items() if k in ("output", "python_module")},
            sorted(node_type.declaration),
            [(spec.name, spec.type) for spec in node_type.inputs.values()],
        ]
        for name, node_type in catalog.items()
    }
    return _dump(outline)


@cache
def program() -> str:
    """The code that makes verdicts: another version of it believes no verdict of this one."""
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*")):
        if file.suffix in (".py", ".json"):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a number beyond 64 bits, half a surrogate pair
        return json.dumps(value).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
