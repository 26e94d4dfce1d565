"""What of a bill of materials lacks or differs on this host: why it runs there and not here."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import __version__, present
from comfywatchman.bom import compatible, making
from comfywatchman.bom.declared import declaration
from comfywatchman.bom.input_files import InputHasher
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.comfyui.credentials import read as read_credentials
from comfywatchman.comfyui.names import last_part
from comfywatchman.comfyui.provenance.core import release
from comfywatchman.comfyui.provenance.pack import alike
from comfywatchman.escape import visible
from comfywatchman.findings import NAME_LENGTH, printable, quoted
from comfywatchman.history.facts import FactKind
from comfywatchman.history.schema import FileNames, schema_changes, schema_digest
from comfywatchman.results import (
    BomCheck,
    BomDifference,
    BomKind,
    BomState,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from comfywatchman.bom.making import Host
    from comfywatchman.comfyui.catalog import Catalog, NodeType
    from comfywatchman.history.facts import Value
    from comfywatchman.results import Bom, BomInput, BomModel, BomNodeType, BomPack
    from comfywatchman.settings import Settings

_ORDER: Final = {state: rank for rank, state in enumerate(BomState)}
_KINDS: Final = {kind: rank for rank, kind in enumerate(BomKind)}
_MOST_NEAR: Final = 3
_LACKS, _NOT_KNOWN, _DIFFERS = BomState.LACKS, BomState.NOT_KNOWN, BomState.DIFFERS


def check(settings: Settings, bom: Bom, file: Path) -> BomCheck:
    """Hold a bill against this host.

    Raises:
        ConfigError: the server does not answer, and nothing of it was kept.
    """
    client = ComfyUIClient(settings, read_credentials(settings))
    with client, present.history(settings) as history:
        here = present.look(settings, client, history)
        return compare(bom, making.look(settings, client, here), str(file))


def compare(bom: Bom, host: Host, file: str) -> BomCheck:
    """Hold a bill against a host."""
    found = [
        *_workflow(bom),
        *_comfyui(bom, host),
        *_packs(bom, host),
        *_node_types(bom, host),
        *_models(bom, host),
        *_inputs(bom, host),
    ]
    found.sort(key=lambda d: (_ORDER[d.state], _KINDS[d.kind], d.name))
    return BomCheck(
        comfywatchman_version=__version__,
        host=visible(socket.gethostname()),
        bom_file=file,
        made_on=bom.host,
        made_at=bom.generated_at,
        workflow=bom.workflow.name,
        against=host.told,
        differences=found,
        not_checked=list(host.not_known),
    )


def _workflow(bom: Bom) -> Iterator[BomDifference]:
    verdict = bom.workflow.verdict
    if verdict is not Verdict.RUNNABLE:
        unknown = verdict is Verdict.UNKNOWN
        yield BomDifference(
            kind=BomKind.WORKFLOW,
            state=_NOT_KNOWN if unknown else _LACKS,
            name=bom.workflow.name,
            text="it was not known where the bill was made whether the workflow runs"
            if unknown
            else f"the workflow was {verdict} where the bill was made: it did not run there either",
            there=verdict,
        )


def _comfyui(bom: Bom, host: Host) -> Iterator[BomDifference]:
    value = host.facts.get(FactKind.COMFYUI, {}).get("", {})
    there, here = (
        bom.comfyui.version,
        making.text_of(value, "version") or host.world.catalog.version,
    )
    if there is not None and here is not None and there != here:
        old, new = release(there), release(here)
        word = "another one"
        if old is not None and new is not None and old != new:
            word = "older" if new < old else "newer"
        yield BomDifference(
            kind=BomKind.COMFYUI,
            state=_DIFFERS,
            name="",
            text=f"ComfyUI is {word} here: {quoted(here)[1:-1]}, and was {quoted(there)[1:-1]}",
            there=visible(there),
            here=here,
        )
        return
    commit = making.text_of(value, "commit")
    if bom.comfyui.commit and commit and commit != bom.comfyui.commit:
        yield BomDifference(
            kind=BomKind.COMFYUI,
            state=_DIFFERS,
            name="",
            text="ComfyUI is at another commit here",
            there=visible(bom.comfyui.commit),
            here=commit,
        )


def _ran(bom: Bom) -> bool:
    """Whether it ran there: then what lacked there as well is not why it does not run here."""
    return bom.workflow.verdict is Verdict.RUNNABLE


def _comfyui_differs(bom: Bom, host: Host) -> bool:
    return any(_comfyui(bom, host))


def _packs(bom: Bom, host: Host) -> Iterator[BomDifference]:
    facts = host.facts.get(FactKind.PACK)
    by_key = {alike(name): value for name, value in (facts or {}).items()}
    offered = {alike(name) for name in host.world.catalog.packs}
    for pack in bom.packs:
        keys = [alike(name) for name in (pack.folder, pack.name) if name]
        value = next((by_key[key] for key in keys if key in by_key), None)
        loaded = not offered.isdisjoint(keys)
        yield from _pack(pack, value, loaded=loaded, listed=facts is not None)


def _pack(
    pack: BomPack, value: Value | None, *, loaded: bool, listed: bool
) -> Iterator[BomDifference]:
    def found(
        state: BomState, text: str, there: str | None = None, here: str | None = None
    ) -> BomDifference:
        return BomDifference(
            kind=BomKind.PACK, state=state, name=pack.name, text=text, there=there, here=here
        )

    named = f"pack {quoted(pack.name)}"
    there = pack.version or pack.commit
    if value is None and not loaded:
        if listed:
            yield found(_LACKS, f"{named} is not installed here", there)
        else:
            yield found(_NOT_KNOWN, f"whether {named} is installed here cannot be seen", there)
        return
    value = value or {}
    if value.get("enabled") is False and not loaded:
        yield found(_LACKS, f"{named} is disabled here", there)
    elif value.get("import_failed") is True and not loaded:
        yield found(_LACKS, f"{named} is installed here, but could not be imported", there)
    for key, word in (("version", "version"), ("commit", "commit")):
        was, now = getattr(pack, key), making.text_of(value, key)
        if was and now and was != now:
            text = f"{named} is of {word} {quoted(now)[1:-1]} here, and was of {quoted(was)[1:-1]}"
            yield found(_DIFFERS, text, visible(was), now)
            break


def _node_types(bom: Bom, host: Host) -> Iterator[BomDifference]:
    files = FileNames(host.world.inventory)
    catalog = host.world.catalog
    uploads = {visible(each.name) for each in bom.inputs}
    for used in bom.node_types:
        offered = catalog.find(used.name) or _as_shown(used.name, catalog)
        if offered is None:
            if used.declaration is not None:
                yield _missing(used, bom, host)
            else:
                text = f"node type {quoted(used.name)} is offered neither there nor here"
                yield _of_type(used, _LACKS, text)
            continue
        yield from _node_type(used, offered, files, uploads, bom, host)


def _as_shown(name: str, catalog: Catalog) -> NodeType | None:
    """The node type of a name in which a bill had to write out what cannot be shown."""
    if "\\" not in name:
        return None
    return next((catalog.find(each) for each in catalog if visible(each) == name), None)


def _of_type(used: BomNodeType, state: BomState, text: str, **more: Any) -> BomDifference:
    return BomDifference(
        kind=BomKind.NODE_TYPE, state=state, name=used.name, text=text, there=used.digest, **more
    )


def _missing(used: BomNodeType, bom: Bom, host: Host) -> BomDifference:
    named = f"node type {quoted(used.name)} is not offered here"
    if used.name in host.world.catalog.replacements:
        text = f"{named}; ComfyUI puts another one in its place, which was not judged"
    elif used.pack is not None:
        text = f"{named}: it comes from pack {quoted(used.pack)}"
    else:
        there, here = bom.comfyui.version or "?", host.world.catalog.version or "?"
        text = (
            f"{named}: it ships with ComfyUI, which was {quoted(there)[1:-1]} there and is "
            f"{quoted(here)[1:-1]} here"
        )
    return _of_type(used, _LACKS, text)


def _node_type(
    used: BomNodeType,
    offered: NodeType,
    files: FileNames,
    uploads: set[str],
    bom: Bom,
    host: Host,
) -> Iterator[BomDifference]:
    digest = schema_digest(offered.declaration, files)
    unsure: list[str] = []
    named = f"node type {quoted(used.name)}"
    lacking = list(compatible.not_offered(_without(used, offered, uploads), offered))
    changes: list[str] = []
    if used.declaration is None:
        text = f"{named} was not offered where the bill was made"
        yield _of_type(used, _DIFFERS, text, here=digest)
    elif digest != used.digest:
        new = declaration(offered.declaration, files)
        if new != used.declaration:
            changes = schema_changes(used.declaration, new)
            by_browser = bom.workflow.form == "workflow"
            found = compatible.compare(used, new, saved_by_browser=by_browser)
            lacking, unsure = [*found.breaking, *lacking], found.unsure
            if used.pack != (None if offered.pack is None else visible(offered.pack)):
                changes.append(f"now comes from {quoted(offered.pack or 'ComfyUI')[1:-1]}")
    unlisted = used.model_copy(update={"choices": used.unlisted})
    doubtful = list(compatible.not_offered(_without(unlisted, offered, uploads), offered))
    if lacking:
        text = f"{named} is another one here: {'; '.join(lacking[:3])}"
        yield _of_type(used, _LACKS, text, here=digest, changes=lacking + _more(changes, lacking))
    elif unsure:
        text = (
            f"whether the workflow can do with {named} as it is here cannot be told: "
            f"{'; '.join(unsure[:3])}"
        )
        yield _of_type(used, _NOT_KNOWN, text, here=digest, changes=unsure + _more(changes, unsure))
    elif doubtful and _comfyui_differs(bom, host):
        text = f"{named} {'; '.join(doubtful[:3])}, neither there nor here"
        yield _of_type(used, _NOT_KNOWN, text, here=digest, changes=changes)
    elif changes:
        text = f"{named} is declared in another way here, with which the workflow can do"
        yield _of_type(used, _DIFFERS, text, here=digest, changes=changes)


def _more(changes: list[str], lacking: list[str]) -> list[str]:
    return [change for change in changes if change not in lacking]


def _without(used: BomNodeType, offered: NodeType, uploads: set[str]) -> BomNodeType:
    """A node type without the files it names in ComfyUI's folders: those are looked for there."""
    free = {visible(name) for name, spec in offered.inputs.items() if making.takes_upload(spec)}

    def is_file(name: str, value: object) -> bool:
        return name in free and isinstance(value, str) and value in uploads

    kept = {
        name: [value for value in chosen if not is_file(name, value)]
        for name, chosen in used.choices.items()
    }
    return used.model_copy(update={"choices": kept})


def _models(bom: Bom, host: Host) -> Iterator[BomDifference]:
    inventory = host.world.inventory
    files = _Files(host)
    folders: Mapping[str, tuple[str, ...]] = inventory.models
    names = {visible(f): {printable(n, NAME_LENGTH) for n in found} for f, found in folders.items()}
    for model in bom.models:
        there: bool | None = model.name in names.get(model.folder or "", ())
        if model.folder == "embeddings":
            there = inventory.has_embedding(model.name)
        elif model.folder is None:
            there = bool(inventory.folders_with(model.name)) if folders else None
        elif not folders:
            there = None
        if there or model.present is not False or not _ran(bom):
            yield from _model(model, there, host, files)


def _model(
    model: BomModel, there: bool | None, host: Host, files: _Files
) -> Iterator[BomDifference]:
    def found(state: BomState, text: str, was: object = None, now: object = None) -> BomDifference:
        return BomDifference(
            kind=BomKind.MODEL,
            state=state,
            name=model.name if model.folder is None else f"{model.folder}/{model.name}",
            text=text,
            there=None if was is None else str(was),
            here=None if now is None else str(now),
        )

    named = f"model {quoted(model.name)}" + (
        f" in {quoted(model.folder)}" if model.folder is not None else ""
    )
    if there is None:
        if model.present is not None:
            yield found(_NOT_KNOWN, f"whether {named} is here cannot be seen", model.size)
        return
    if not there:
        state = {True: _LACKS, False: _DIFFERS, None: _NOT_KNOWN}[model.present]
        where = ", nor was it there" if model.present is False else ""
        near = files.like(model)
        hint = f"; the same file seems to be here as {', '.join(near)}" if near else ""
        had = "" if model.size is None else f" ({model.size:,} bytes)"
        yield found(state, f"{named} is not here{where}{had}{hint}", model.size)
        return
    if model.folder is None:
        return
    size = making.model_size(host.facts, model.folder, model.name)
    if model.size is not None and size is not None and size != model.size:
        text = f"{named} has {size:,} bytes here, and had {model.size:,} there: it is another file"
        yield found(_LACKS, text, model.size, size)
        return
    if model.sha256 is not None:
        held = making.content_of(host, model.folder, model.name)
        if held is not None and held.sha256 != model.sha256:
            text = f"{named} has the same name here, and another content (sha256)"
            yield found(_LACKS, text, model.sha256, held.sha256)


class _Files:
    """The model files here, to be found by size and by the last part of their names."""

    def __init__(self, host: Host) -> None:
        self._by_size: dict[int, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for folder, names in host.world.inventory.models.items():
            for name in names:
                shown = quoted(f"{folder}/{name}")
                size = making.model_size(host.facts, folder, name)
                self._by_name.setdefault(last_part(visible(name)), []).append(shown)
                if size is not None:
                    self._by_size.setdefault(size, []).append(shown)

    def like(self, model: BomModel) -> list[str]:
        """Files that are likely the same under another name or in another folder."""
        sized = self._by_size.get(model.size, []) if model.size is not None else []
        return (sized or self._by_name.get(last_part(model.name), []))[:_MOST_NEAR]


def _inputs(bom: Bom, host: Host) -> Iterator[BomDifference]:
    hasher = InputHasher()
    for was in bom.inputs:
        now = making.look_at_input(was.name, host, hasher)
        if now.present or was.present is not False or not _ran(bom):
            yield from _input(was, now)


def _input(was: BomInput, now: BomInput) -> Iterator[BomDifference]:
    def found(
        state: BomState, text: str, there: object = None, here: object = None
    ) -> BomDifference:
        return BomDifference(
            kind=BomKind.INPUT_FILE,
            state=state,
            name=was.name,
            text=text,
            there=None if there is None else str(there),
            here=None if here is None else str(here),
        )

    named = f"input file {quoted(was.name)}"
    if now.present is None:
        yield found(_NOT_KNOWN, f"whether {named} is here cannot be seen", was.size)
    elif not now.present and was.present is False:
        yield found(_DIFFERS, f"{named} is not here, nor was it there", was.size)
    elif not now.present:
        yield found(_LACKS, f"{named} is not here", was.size)
    elif was.sha256 and now.sha256 and was.sha256 != now.sha256:
        yield found(_DIFFERS, f"{named} has another content here", was.sha256, now.sha256)
    elif was.size is not None and now.size is not None and was.size != now.size:
        text = f"{named} has {now.size:,} bytes here, and had {was.size:,} there"
        yield found(_DIFFERS, text, was.size, now.size)
