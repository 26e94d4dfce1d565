"""Why node types are missing, in words: one code for each reason, and what to do about it.

The server's own verdict stays ``missing_node_type``, at each node. What is said here stands beside
it, once for all types of a workflow with the same reason, and changes no verdict.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.provenance.manager import ChangeKind
from comfywatchman.comfyui.provenance.origin import Source, Why
from comfywatchman.findings import (
    NAME_LENGTH,
    Advice,
    about,
    declare,
    printable,
    quoted,
)
from comfywatchman.results import Confidence, FixKind, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from comfywatchman.comfyui.provenance.manager import Change
    from comfywatchman.comfyui.provenance.origin import Origin
    from comfywatchman.comfyui.provenance.pack import Pack
    from comfywatchman.findings import Code
    from comfywatchman.results import Finding, Subject

NOT_INSTALLED = declare(
    "pack_not_installed",
    Severity.WARNING,
    title="Node pack not installed",
    explanation="Nothing of the custom node pack that brings a missing node type is to be seen on "
    "this server: no node type of it is loaded, and neither Manager's list, the log nor the folder "
    "`custom_nodes` shows it, as far as these could be read. The finding says who names the pack: "
    "the workflow itself, the node map of the server's Manager or of its folder, or a mark in the "
    "type's name. Where several packs claim a type, they are all named: which one is meant is for "
    "a person to say.",
    remedy="Install the pack, then restart ComfyUI. Packs are code: install what you trust.",
    once=True,
)
DISABLED = declare(
    "pack_disabled",
    Severity.WARNING,
    title="Node pack disabled",
    explanation="The custom node pack that brings a missing node type is installed, but disabled, "
    "so that the server does not load it.",
    remedy="Enable it in ComfyUI-Manager, then restart ComfyUI.",
    once=True,
)
IMPORT_FAILED = declare(
    "pack_import_failed",
    Severity.WARNING,
    title="Import of a node pack failed",
    explanation="The custom node pack that brings a missing node type is installed, but the server "
    "could not import it, so that none of its types is there. The last line of the error is "
    "shown where Manager or ComfyUI's log tells it. Most often a Python package lacks.",
    remedy="Install what the pack lacks, with the Python that ComfyUI runs on; update the pack if "
    "the error is its own; then restart ComfyUI.",
    once=True,
)
TYPE_FAILS = declare(
    "node_type_fails",
    Severity.WARNING,
    title="Node type whose own code fails",
    explanation="The server has the node type, but its code fails when the server is to describe "
    "it (`/object_info/TYPE` answers 500), so that it is left out of the list of all types. Often "
    "it needs a file, a package or another pack that is not there.",
    remedy="Look for the error in ComfyUI's log; update or repair the pack.",
    once=True,
)
TYPE_GONE = declare(
    "node_type_gone",
    Severity.WARNING,
    title="Node type that its pack does not have",
    explanation="The pack is loaded, but has no such type: it was renamed or removed, or comes "
    "with another version of the pack. The same goes for types that ComfyUI itself had once.",
    remedy="Replace the node by its successor, or install a version of the pack that has it.",
    once=True,
)
COMFYUI_TOO_OLD = declare(
    "comfyui_too_old",
    Severity.WARNING,
    title="Node types that come with a newer ComfyUI",
    explanation="ComfyUI itself brings the missing types, but not yet in the release that this "
    "server runs. The release that is named is one that is known to have them; an older one may "
    "have them too.",
    remedy="Update ComfyUI.",
    once=True,
)
NOT_LOADED = declare(
    "core_node_type_not_loaded",
    Severity.WARNING,
    title="Node types of ComfyUI itself that it did not load",
    explanation="ComfyUI itself brings the missing types, and the release that this server runs "
    "should have them. It was started without them (`--disable-api-nodes`), could not import the "
    "file they are in, or has dropped them since.",
    remedy="Look at the command line that ComfyUI is started with, and at its log for files of "
    "comfy_extras and comfy_api_nodes that could not be imported.",
    once=True,
)
RESTART_PENDING = declare(
    "pack_restart_pending",
    Severity.WARNING,
    title="Node pack changed on the disk since the server was started",
    explanation="The server still runs what it loaded when it was started. A pack that was added, "
    "updated, disabled or removed since then is another one after the next restart. It is a "
    "warning where a missing type is likely to come with the restart, and a remark where a "
    "workflow uses a pack as it was.",
    remedy="Restart ComfyUI.",
    once=True,
)

_COMES: Final = ("comes", "come")
_IS: Final = ("is", "are")
_MOST_NAMED: Final = 5
_MOST_ADVICES: Final = 3
_ACCORDING_TO: Final = {
    Source.WORKFLOW: "as the workflow says",
    Source.REPLACEMENTS: "by the server's own list of replacements",
    Source.SERVER_MAP: "by the node map of the server's Manager",
    Source.FOLDER_MAP: "by the node map in Manager's folder",
    Source.CORE_TABLE: "by our list of ComfyUI's own node types",
    Source.NAME: "by the mark in the name",
}
_MENU: Final = "ComfyUI-Manager > Custom Nodes Manager"


@dataclass(slots=True)
class Reason:
    """Why some node types of a workflow are missing.

    Attributes:
        code: the code of the reason; None where nobody knows any.
        key: the same for all types with the same reason.
        subject: what the reason is about.
        verb: the verb that follows one type, and that which follows several.
        words: what follows the verb.
        fixes: what to do about it, the best first.
        types: the types.
        release: where ComfyUI is too old, how new it has to be: compares as releases do.
    """

    code: Code | None
    key: tuple[str, ...]
    subject: Subject | None
    verb: tuple[str, str]
    words: str
    fixes: list[Advice]
    types: list[str] = field(default_factory=list)
    release: tuple[float, ...] = ()

    def finding(self, node_id: str) -> Finding | None:
        """The finding that explains why the types are missing; None where nobody knows.

        Args:
            node_id: the first node of one of the types.
        """
        if self.code is None:
            return None
        return self.code.finding(
            f"{named('node type', self.types)} {self.verb[len(set(self.types)) > 1]} {self.words}",
            fix=self.fixes,
            subject=self.subject,
            node_id=node_id,
            node_type=self.types[0],
            cause=self.subject,
        )


def reason(origin: Origin, name: str, saved_version: str | None, server: str | None) -> Reason:
    """Say why a node type is missing.

    Args:
        origin: where it comes from, and why it is not there.
        name: the node type.
        saved_version: the version of its pack that the workflow was saved with.
        server: the server's version.
    """
    if origin.why is Why.UNKNOWN:
        return Reason(None, (name,), None, _IS, "", [_unknown(origin)])
    if origin.why is Why.FAILS:
        return _fails(origin, name)
    if origin.why in (Why.NEWER_COMFYUI, Why.NOT_LOADED):
        return _of_comfyui(origin, server)
    if origin.why is Why.GONE:
        return _gone(origin, name, saved_version)
    if len(origin.packs) > 1:
        return _several(origin, name)
    return _of_pack(origin, saved_version)


def changed(change: Change) -> str:
    """What became of a pack since the server was started, as a clause."""
    since = "since the server was started"
    if change.kind is ChangeKind.UPDATED:
        before, after = printable(change.before or "?"), printable(change.after or "?")
        return f"was updated on the disk {since}, from {before} to {after}"
    if change.kind is ChangeKind.ADDED:
        return f"was installed or enabled {since}"
    if change.kind is ChangeKind.DISABLED:
        return f"was disabled {since}"
    return f"was removed from the disk {since}"


def named(what: str, names: Sequence[str]) -> str:
    """Name a few of many things: ``node types 'A', 'B' and 3 more``."""
    distinct = list(dict.fromkeys(names))
    shown = ", ".join(quoted(name) for name in distinct[:_MOST_NAMED])
    more = f" and {len(distinct) - _MOST_NAMED:,} more" if len(distinct) > _MOST_NAMED else ""
    return f"{what}{'s' * (len(distinct) > 1)} {shown}{more}"


def restart(change: Change) -> Advice:
    """The advice to restart the server."""
    return Advice(
        f"restart ComfyUI: it then loads the pack {quoted(change.folder)} as it is on the disk",
        FixKind.RESTART_SERVER,
        Confidence.LIKELY,
    )


def _of_pack(origin: Origin, saved_version: str | None) -> Reason:
    """One pack is what is wrong."""
    (pack,) = origin.packs
    subject = about(SubjectKind.PACK, pack.name, version=saved_version)
    comes = f"from the pack {quoted(pack.name)} ({_source(origin)})"
    key = (origin.why.value, pack.key)
    if origin.why is Why.RESTART:
        assert origin.change is not None  # noqa: S101  (it is the reason)
        words = (
            f"{comes}, which {changed(origin.change)}; the server still runs what it loaded then"
        )
        subject = about(SubjectKind.PACK, origin.change.folder)
        return Reason(RESTART_PENDING, key, subject, _COMES, words, [restart(origin.change)])
    if origin.why is Why.DISABLED:
        what = changed(origin.change) if origin.change is not None else "is installed, but disabled"
        return Reason(DISABLED, key, subject, _COMES, f"{comes}, which {what}", [_enable(pack)])
    if origin.why is Why.IMPORT_FAILED:
        words = f"{comes}, which is installed, but " + (
            f"its import failed: {printable(origin.reason, NAME_LENGTH)}"
            if origin.reason
            else "nothing of it is loaded: its import most likely failed"
        )
        return Reason(IMPORT_FAILED, key, subject, _COMES, words, [_repair(pack, origin)])
    if origin.change is not None:
        words = f"{comes}, which {changed(origin.change)}"
    elif origin.looked:
        words = f"{comes}, which is not installed: no folder of custom_nodes is named so"
    else:
        words = f"{comes}, of which nothing is loaded: most likely it is not installed"
    return Reason(NOT_INSTALLED, key, subject, _COMES, words, [_install(pack, sure=origin.looked)])


def _several(origin: Origin, name: str) -> Reason:
    """Several packs claim the type, and none of them is to be seen."""
    words = (
        f"claimed by several packs, of which none is loaded: {_packs(origin.packs)} "
        f"({_source(origin)})"
    )
    fixes = [_install(pack, sure=False, one_of=True) for pack in origin.packs[:_MOST_ADVICES]]
    subject = about(SubjectKind.NODE_TYPE, name)
    return Reason(NOT_INSTALLED, (origin.why.value, "", name), subject, _IS, words, fixes)


def _fails(origin: Origin, name: str) -> Reason:
    subject = about(SubjectKind.NODE_TYPE, name)
    pack = f" of the pack {quoted(origin.packs[0].name)}" if origin.packs else ""
    return Reason(
        TYPE_FAILS,
        (origin.why.value, name),
        subject,
        _IS,
        f"known to the server, but its own code{pack} fails when the server is to describe it",
        [
            Advice(
                f"look in ComfyUI's log for the error of {quoted(name)}; it may need a file, a "
                f"Python package or another pack that is not there. Update or repair the code{pack}"
            )
        ],
    )


def _gone(origin: Origin, name: str, saved_version: str | None) -> Reason:
    subject = about(SubjectKind.NODE_TYPE, name)
    key = (origin.why.value, name)
    pack = origin.packs[0]
    if pack.is_comfyui:
        return Reason(TYPE_GONE, key, subject, _IS, *_gone_from_comfyui(origin, name))
    words = (
        f"not in the pack {quoted(pack.name)} ({_source(origin)}), which is loaded: it was renamed "
        "or removed, or is of another version of the pack"
    )
    fixes = _other_version(pack, saved_version)
    if origin.similar:
        others = ", ".join(quoted(other) for other in origin.similar)
        successor = Advice(
            f"replace the node by one of the pack's own types with a similar name: {others}",
            FixKind.REPLACE_NODE,
            Confidence.ASK,
            before=name,
            after=origin.similar[0],
        )
        # What a map lists of the pack, its newest version has.
        listed = origin.source in (Source.SERVER_MAP, Source.FOLDER_MAP)
        fixes = [*fixes, successor] if listed else [successor, *fixes]
    return Reason(TYPE_GONE, key, subject, _IS, words, fixes)


def _gone_from_comfyui(origin: Origin, name: str) -> tuple[str, list[Advice]]:
    """What is said of a type that ComfyUI itself had once, and what to do."""
    until = f", but not any more by {printable(origin.release)}" if origin.release else ""
    if not origin.similar:
        fix = Advice(
            "replace the node by its successor: open the workflow in ComfyUI and search for the "
            "node's purpose",
            FixKind.REPLACE_NODE,
        )
        return f"gone from ComfyUI itself, which had it once{until}", [fix]
    fix = Advice(
        f"replace the node by {quoted(origin.similar[0])}, which takes its place: open the "
        "workflow in ComfyUI, replace it and save",
        FixKind.REPLACE_NODE,
        Confidence.LIKELY,
        before=name,
        after=origin.similar[0],
    )
    return f"gone from ComfyUI itself ({_source(origin)})", [fix]


def _other_version(pack: Pack, saved_version: str | None) -> list[Advice]:
    if saved_version:
        return [
            Advice(
                f"install version {printable(saved_version)} of the pack {quoted(pack.name)}, with "
                f"which the workflow was saved ({_MENU} > Switch Ver), then restart ComfyUI",
                FixKind.INSTALL_PACK,
                after=pack.name,
            )
        ]
    return [
        Advice(
            f"update the pack {quoted(pack.name)} ({_MENU} > Update), then restart ComfyUI",
            FixKind.INSTALL_PACK,
            after=pack.name,
        )
    ]


def _of_comfyui(origin: Origin, server: str | None) -> Reason:
    """ComfyUI itself is what is wrong, for all its types alike."""
    others = [pack for pack in origin.packs if not pack.is_comfyui]
    here = f"this server is {printable(server)}" if server else "the server's version is unknown"
    source = "" if origin.source is None else f" ({_source(origin)})"
    also = f"; also claimed by {_packs(others)}" if others else ""
    subject = about(SubjectKind.SERVER, "")
    release = printable(origin.release) if origin.release else None
    if origin.why is Why.NOT_LOADED:
        words = f"with ComfyUI itself{source}, by {release}; {here}, but did not load it{also}"
        fix = Advice(
            "look at how ComfyUI is started: without --disable-api-nodes it loads its API nodes; "
            "then look in its log for files of comfy_extras that could not be imported"
        )
        return Reason(NOT_LOADED, (origin.why.value,), subject, _COMES, words, [fix])
    if release is None:
        when, version = "in a newer release, unless it was removed", "the newest release"
    elif origin.after:
        when, version = f"after {release}", f"a release after {release}"
    else:
        when, version = f"by {release}", f"{release} or newer"
    words = f"with ComfyUI itself{source}, {when}; {here}{also}"
    fixes = [
        Advice(f"update ComfyUI to {version}", FixKind.UPDATE_SERVER, Confidence.LIKELY),
        *(_install(pack, sure=False, one_of=True) for pack in others[: _MOST_ADVICES - 1]),
    ]
    key = (origin.why.value, origin.release or "", str(bool(others)))
    numbers = tuple(float(n) for n in re.findall(r"\d+", release)) if release else (math.inf,)
    needed = (*numbers, 0.5) if origin.after else numbers
    return Reason(COMFYUI_TOO_OLD, key, subject, _COMES, words, fixes, release=needed)


def one_update(reasons: Iterable[Reason]) -> None:
    """Have all types that a newer ComfyUI brings ask for the one release that brings them all."""
    too_old = [reason for reason in reasons if reason.code is COMFYUI_TOO_OLD]
    if too_old:
        newest = max(too_old, key=lambda reason: reason.release)
        for reason in too_old:
            reason.fixes = [newest.fixes[0], *reason.fixes[1:]]


def _install(pack: Pack, *, sure: bool, one_of: bool = False) -> Advice:
    where = f" from {pack.repository}" if pack.repository else ""
    also = (
        ""
        if sure or one_of
        else (
            "; if it is installed all the same, its import failed: look for "
            f"'{printable(pack.name)}' in ComfyUI's log"
        )
    )
    begin = "if it is the one that is meant, install" if one_of else "install"
    return Advice(
        f"{begin} the custom node pack {quoted(pack.name)}{where} ({_MENU}), then restart "
        f"ComfyUI{also}",
        FixKind.INSTALL_PACK,
        Confidence.ASK if one_of else Confidence.LIKELY,
        after=pack.name,
        command=pack.command,
    )


def _enable(pack: Pack) -> Advice:
    return Advice(
        f"enable the pack {quoted(pack.name)} ({_MENU} > Disabled > Enable), then restart ComfyUI",
        FixKind.ENABLE_PACK,
        Confidence.LIKELY,
        after=pack.name,
    )


def _repair(pack: Pack, origin: Origin) -> Advice:
    listed = "requirements.txt in its folder"
    if origin.folder is not None:
        listed = f"custom_nodes/{printable(origin.folder)}/requirements.txt"
    return Advice(
        f"install what the pack {quoted(pack.name)} lacks, with the Python that ComfyUI runs on "
        f"(pip install -r {listed}, or {_MENU} > Import Failed > "
        "Try fix), then restart ComfyUI; if the error is the pack's own, update the pack",
    )


def _unknown(origin: Origin) -> Advice:
    failed = f"; one of those whose import failed may bring it: {named('pack', origin.failed)}"
    return Advice(
        "install the custom node pack that provides it (ComfyUI-Manager > Install Missing Custom "
        "Nodes); neither the workflow nor anybody who was asked says which it is"
        + (failed if origin.failed else ""),
        FixKind.INSTALL_PACK,
    )


def _packs(packs: Sequence[Pack]) -> str:
    names = [(pack.repository or pack.name).removeprefix("https://github.com/") for pack in packs]
    return named("", names).removeprefix("s ").strip()


def _source(origin: Origin) -> str:
    assert origin.source is not None  # noqa: S101  (there is a pack, so somebody named it)
    return _ACCORDING_TO[origin.source]
