"""Which hosts of the fleet can run a workflow, what lacks on the others, and who has it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from comfywatchman import __version__
from comfywatchman.comfyui.provenance.pack import alike, pack
from comfywatchman.fleet.model import (
    Copy,
    HostAnswer,
    NeededModel,
    NeededPack,
    Verdict,
    Version,
    Where,
)
from comfywatchman.fleet.shape import DamagedError
from comfywatchman.fleet.survey import Reading
from comfywatchman.fleet.words import identity, shown, shown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.fleet.differences import HostInventory
    from comfywatchman.fleet.folder import Collected
    from comfywatchman.fleet.model import Host, State
    from comfywatchman.fleet.shape import Shape

ERRORS_SHOWN: Final = 10
"""Errors of one host that are told; its own report has all."""
NEEDS_LIMIT: Final = 2_000
"""Models, and packs, that are compared."""
_NEAR: Final = 5
_DIGEST: Final = re.compile(r"[0-9a-f]{12,64}")
_EMBEDDINGS: Final = "embeddings"
_EMBEDDING_ENDINGS: Final = ("", ".safetensors", ".pt", ".bin")
"""Workflows name embeddings without their ending."""
_Model = tuple[str | None, str]


class NotNamedError(Exception):
    """No host has such a workflow, or several are called so. The text says what to do."""


class _Found(NamedTuple):
    """A workflow in the report of a host."""

    path: str
    name: str
    digest: str | None
    verdict: Verdict
    models: dict[_Model, bool | None]
    packs: dict[str, set[str]]
    node_types: list[str]
    errors: list[str]


@dataclass(slots=True)
class _Host:
    """A host, and what its report has of workflows that may be meant."""

    host: Host
    inventory: HostInventory | None
    workflows: list[Shape]
    remarks: list[str]
    found: _Found | None = None
    found_by: Literal["digest", "name"] | None = None
    packs: frozenset[str] = field(default_factory=frozenset)
    by_name: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def fresh(self) -> bool:
        return self.host.state not in ("stale", "silent")


def where(
    collected: Iterable[Collected], given: str, now: float, stale_after: float | None = None
) -> Where:
    """Say which hosts can run a workflow.

    Args:
        collected: the hosts, by name.
        given: the workflow: its name, its path, the end of either, or the begin of its digest.
        now: the controller's clock, in seconds since 1970.
        stale_after: age in seconds from which a report is stale.

    Raises:
        NotNamedError: it is not clear which workflow is meant.
    """
    hosts = [_read(each, now, stale_after) for each in collected]
    name, digest, versions = _meant(hosts, given)
    for each in hosts:
        _find(each, name, digest)
    needed, packs = _needs(hosts)
    models = _models(hosts, needed)
    answers = [_answer(each, models, packs, hosts) for each in hosts]
    return Where(
        comfywatchman_version=__version__,
        made_at=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        workflow=name,
        content_digest=digest,
        versions=versions,
        runnable_on=[each.name for each in answers if each.state == "runnable"],
        models=models,
        packs=packs,
        hosts=answers,
    )


def _read(found: Collected, now: float, stale_after: float | None) -> _Host:
    reading = Reading(found, now, stale_after)
    host = reading.host()
    remarks = [r.message for r in host.remarks if r.problem or host.state in ("stale", "silent")]
    workflows: list[Shape] = []
    if found.report is not None and reading.workflows:
        workflows = found.report.objects("workflows")
        try:
            for workflow in workflows:
                _names(workflow)
        except DamagedError as error:
            remarks.append(shown(f"its report is damaged: {error}"))
            workflows = []
    made = _Host(host, reading.inventory, workflows, remarks)
    if made.inventory is not None:
        made.packs = frozenset(
            alike(name)
            for name, each in made.inventory.packs.items()
            if each.node_types or (each.enabled is not False and not each.import_failed)
        )
    return made


def _meant(hosts: Sequence[_Host], given: str) -> tuple[str, str | None, list[Version]]:
    """Name and content of the workflow that is meant, and all contents of that name."""
    by_name: dict[str, dict[str, list[str]]] = {}
    exact: set[str] = set()
    ends: set[str] = set()
    by_digest: dict[str, set[str]] = {}
    wanted = given.lower() if _DIGEST.fullmatch(given.lower()) else None
    for each in hosts:
        for workflow in each.workflows:
            path, raw, digest = _names(workflow)
            name = identity(path, raw)
            by_name.setdefault(name, {}).setdefault(digest or "", []).append(each.host.name)
            if given in (name, raw, path, shown_name(path)):
                exact.add(name)
            elif name.endswith(f"/{given}") or path.endswith(f"/{given}"):
                ends.add(name)
            if wanted is not None and digest is not None and digest.startswith(wanted):
                by_digest.setdefault(digest, set()).add(name)
    if len(by_digest) == 1 and not exact:
        [(digest, names)] = by_digest.items()
        name = min(names)
        return name, digest, _versions(by_name[name])
    found = exact or ends
    if len(by_digest) > 1 and not exact:
        raise NotNamedError(f"{shown_name(given)!r} begins {len(by_digest)} digests: give more")
    if not found:
        raise NotNamedError(_unknown(given, by_name))
    if len(found) > 1:
        named = ", ".join(map(repr, sorted(found)[:_NEAR]))
        raise NotNamedError(f"{len(found):,} workflows are called {shown_name(given)!r}: {named}")
    [name] = found
    versions = _versions(by_name[name])
    return name, next((v.value for v in versions if v.value), None), versions


def _versions(hosts: Mapping[str, list[str]]) -> list[Version]:
    ordered = sorted(hosts.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Version(digest, sorted(set(on))) for digest, on in ordered]


def _unknown(given: str, known: Iterable[str]) -> str:
    last = given.rpartition("/")[2].casefold()
    near = sorted(name for name in known if last and last in name.casefold())[:_NEAR]
    hint = f"; near it: {', '.join(map(repr, near))}" if near else ""
    return f"no report of the fleet has a workflow {shown_name(given)!r}{hint}"


def _names(workflow: Shape) -> tuple[str, str, str | None]:
    digest = workflow.text("content_digest")
    return (
        workflow.need("path"),
        workflow.need("name"),
        digest if digest is not None and len(digest) == 64 and _DIGEST.fullmatch(digest) else None,
    )


def _find(host: _Host, name: str, digest: str | None) -> None:
    """Look for the workflow on a host: the same content first, then the same name."""
    by_name = same = None
    for workflow in host.workflows:
        path, raw, there = _names(workflow)
        if digest is not None and there == digest:
            if same is None or identity(path, raw) == name:
                same = workflow
        elif identity(path, raw) == name and by_name is None:
            by_name = workflow
    chosen = same if same is not None else by_name
    if chosen is None:
        return
    try:
        host.found = _details(chosen)
        host.found_by = "digest" if same is not None else "name"
    except DamagedError as error:
        host.remarks.append(shown(f"its report is damaged: {error}"))


def _details(workflow: Shape) -> _Found:
    path, raw, digest = _names(workflow)
    models: dict[_Model, bool | None] = {}
    for model in workflow.objects("models")[:NEEDS_LIMIT]:
        folder = model.text("folder")
        key = None if folder is None else shown_name(folder), shown_name(model.need("name"))
        models[key] = None if model.raw().get("present") is None else model.truth("present")
    packs: dict[str, set[str]] = {}
    for each in workflow.objects("packs")[:NEEDS_LIMIT]:
        versions = packs.setdefault(shown_name(each.need("name")), set())
        if version := each.text("version"):
            versions.add(shown_name(version))
    node_types: dict[str, None] = {}
    errors: dict[str, None] = {}
    for finding in workflow.objects("findings"):
        if finding.text("severity") != "error":
            continue
        missing = finding.text("node_type") if finding.text("code") == "missing_node_type" else None
        if missing is not None:
            node_types[shown_name(missing)] = None
        elif not _is_about_a_model(finding):
            errors[shown(finding.need("message"))] = None
    return _Found(
        path,
        identity(path, raw),
        digest,
        cast("Verdict", workflow.need("verdict")),
        models,
        packs,
        sorted(node_types),
        list(errors)[:ERRORS_SHOWN],
    )


def _is_about_a_model(finding: Shape) -> bool:
    subject = finding.child("subject")
    return subject is not None and subject.text("kind") == "model"


def _needs(hosts: Sequence[_Host]) -> tuple[list[_Model], list[NeededPack]]:
    """What the hosts that have the workflow say it needs: those of the same content, if any."""
    having = [each for each in hosts if each.found_by == "digest"]
    having = having or [each for each in hosts if each.found is not None]
    models: dict[str, set[str | None]] = {}
    packs: dict[str, tuple[str, set[str]]] = {}
    for each in having:
        if each.found is None:
            continue
        for folder, name in each.found.models:
            models.setdefault(name, set()).add(folder)
        for name, versions in each.found.packs.items():
            known = packs.setdefault(_key(name), (name, set()))
            known[1].update(versions)
    listed: list[_Model] = []
    for name, folders in sorted(models.items()):
        told = sorted(folder for folder in folders if folder is not None)
        listed += [(folder, name) for folder in told] or [(None, name)]
    return listed[:NEEDS_LIMIT], [
        NeededPack(
            name,
            sorted(versions),
            [each.host.name for each in hosts if key in each.packs],
        )
        for key, (name, versions) in sorted(packs.items())[:NEEDS_LIMIT]
    ]


def _key(name: str) -> str:
    found = pack(name)
    return alike(found.name if found is not None else name)


def _models(hosts: Sequence[_Host], needed: Sequence[_Model]) -> list[NeededModel]:
    made = []
    if any(folder is None for folder, _ in needed):
        for each in hosts:
            for key in each.inventory.models if each.inventory else ():
                each.by_name.setdefault(key[1], key)
    runs = {
        each.host.name
        for each in hosts
        if each.fresh and each.found is not None and each.found.verdict == "runnable"
    }
    for model in needed:
        sizes: dict[int, list[str]] = {}
        contents: set[str] = set()
        having = []
        for each in hosts:
            if each.inventory is None or (file := _file(each, model)) is None:
                continue
            having.append(each.host.name)
            if (known := each.inventory.models[file]) is not None:
                sizes.setdefault(known, []).append(each.host.name)
            if (sha256 := each.inventory.hashes.get(file)) is not None:
                contents.add(sha256)
        size = max(
            sizes, key=lambda s: (sum(h in runs for h in sizes[s]), len(sizes[s]), s), default=None
        )
        made.append(NeededModel(*model, size, len(sizes) > 1, len(contents) > 1, having))
    return made


def _file(host: _Host, model: _Model) -> tuple[str, str] | None:
    """Folder and name of a model on a host; None where it is not among its files."""
    folder, name = model
    if folder is None:
        return host.by_name.get(name)
    known = host.inventory.models if host.inventory is not None else {}
    endings = _EMBEDDING_ENDINGS if folder == _EMBEDDINGS else ("",)
    return next((file for e in endings if (file := (folder, f"{name}{e}")) in known), None)


def _answer(
    each: _Host, models: Sequence[NeededModel], packs: Sequence[NeededPack], hosts: Sequence[_Host]
) -> HostAnswer:
    host, found = each.host, each.found
    state: State | Literal["not_judged"] = "not_judged" if found is None else found.verdict
    if host.state == "silent" or host.state == "stale":
        state = host.state
    remarks = list(each.remarks)
    if found is not None and each.found_by == "name":
        remarks.append("it has another content under this name there, which was judged")
    runs = found is not None and found.verdict == "runnable"
    lacks = [] if runs else [n for n, model in enumerate(models) if _lacks(each, model)]
    lacks_packs = [] if runs or each.inventory is None else _lacking_packs(each, packs)
    if found is None and each.inventory is None and host.state != "silent":
        remarks.append("what models and packs it has is not known")
    if found is None and each.inventory is not None:
        remarks.append("the workflow was not judged there: node types and inputs are not compared")
    copies, nowhere = _copies(lacks, models, host.name, hosts)
    return HostAnswer(
        name=host.name,
        state=state,
        verdict=None if found is None else found.verdict,
        found_by=each.found_by,
        workflow=None if found is None else found.name,
        comfyui_version=host.comfyui_version,
        inventory_known=each.inventory is not None,
        remarks=remarks,
        lacks_models=lacks,
        lacks_packs=lacks_packs,
        lacks_node_types=[] if found is None else found.node_types,
        errors=[] if found is None else found.errors,
        size=sum(models[n].size or 0 for n in lacks),
        sizes_unknown=sum(models[n].size is None for n in lacks),
        copies=copies,
        nowhere=nowhere,
    )


def _lacks(each: _Host, model: NeededModel) -> bool:
    """Whether a host lacks a model: as its server said of this workflow, else by its inventory."""
    if each.found is not None:
        told = each.found.models.get((model.folder, model.name))
        if told is None:
            told = each.found.models.get((None, model.name))
        if told is not None:
            return not told
    return each.inventory is not None and each.host.name not in model.hosts


def _lacking_packs(each: _Host, packs: Sequence[NeededPack]) -> list[str]:
    return [needed.name for needed in packs if each.host.name not in needed.hosts]


def _copies(
    lacks: Sequence[int], models: Sequence[NeededModel], host: str, hosts: Sequence[_Host]
) -> tuple[list[Copy], list[int]]:
    """From which hosts what lacks could come: whoever has most of what is left, again and again."""
    well = {each.host.name for each in hosts if each.fresh}
    left = set(lacks)
    having: dict[str, set[int]] = {}
    for number in lacks:
        for name in models[number].hosts:
            if name != host:
                having.setdefault(name, set()).add(number)
    copies = []
    while left and having:

        def worth(name: str) -> tuple[bool, int, int]:
            there = having[name] & left
            return name in well, sum(models[n].size or 0 for n in there), len(there)

        useful = sorted(name for name in having if having[name] & left)
        if not useful:
            break
        best = max(useful, key=worth)
        taken = sorted(having[best] & left)
        left.difference_update(taken)
        copies.append(Copy(best, taken, sum(models[n].size or 0 for n in taken)))
    return copies, sorted(left)
