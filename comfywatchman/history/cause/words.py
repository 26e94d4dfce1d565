"""Causes in words, each the same for the same change wherever it is found."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.names import is_media, last_part
from comfywatchman.findings import printable, quoted
from comfywatchman.history import wording
from comfywatchman.history.cause.factors import LIMITS, WORKFLOW, Factor, Kind, Listing
from comfywatchman.history.facts import FILES, FactKind
from comfywatchman.history.schema import schema_changes
from comfywatchman.results import Cause, CauseKind, Sureness

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from comfywatchman.comfyui.catalog import NodeType
    from comfywatchman.history.cause.factors import Differences, Files
    from comfywatchman.history.cause.trial import Key, Trial, Worse
    from comfywatchman.history.facts import FactChange
    from comfywatchman.results import WorkflowReport

_MOST_CHANGES: Final = 3
_MOST_CANDIDATES: Final = 20


class Words:
    """Puts what changed into words.

    Args:
        differences: what changed, as verdicts see it; None if that is not known.
        facts: what changed on the host.
    """

    def __init__(self, differences: Differences | None, facts: Sequence[FactChange]) -> None:
        self._differences = differences
        self._facts = {(fact.kind, fact.name): fact for fact in facts}
        self._added = [f for f in facts if f.kind in FILES and f.before is None]

    def cause(self, factor: Factor, sureness: Sureness, inputs: Collection[str] = ()) -> Cause:
        """What is given back by a factor that is no workflow.

        Args:
            factor: it.
            sureness: how sure it is.
            inputs: names of inputs that matter: what changed of these is said first.
        """
        if factor.kind is Kind.NODE_TYPE:
            return self._of_type(factor.name, sureness, inputs)
        if factor.kind is Kind.FILES:
            return self._of_files(self._known.files[factor], sureness)
        old, new = self._known.before, self._known.now
        if factor == LIMITS:
            changed = [
                f"{name} {before:,} → {after:,}"
                for name, before, after in (
                    ("max_workflow_depth", old.depth, new.depth),
                    ("max_workflow_size", old.size, new.size),
                )
                if before != after
            ]
            return _cause(CauseKind.SETTINGS, sureness, "", " and ".join(changed), same=changed)
        before, after = self._release()
        text = f"ComfyUI {_step(before, after)}"
        if old.catalog.version == new.catalog.version:
            text = f"ComfyUI{_step(before, after, ' ')}: other rules for replacing node types"
        return _cause(CauseKind.COMFYUI, sureness, "", text, before, after, same=[])

    def fact(self, fact: FactChange) -> str:
        """One change of the host, in a few words."""
        name = printable(fact.name)
        if fact.kind is FactKind.PACK:
            was, is_now, became = self._pack(fact.name)
            changed = became or ("" if was != is_now else "is another than before")
            return " ".join(filter(None, (name, _step(was, is_now), changed)))
        if fact.kind in FILES:
            if fact.before is not None and fact.after is not None:
                return f"{name} is another file"
            return f"{name} is {'new' if fact.after is not None else 'gone'}"
        return next(wording.of_host([fact])).text

    def program(self, sureness: Sureness) -> Cause:
        """ComfyWatchman itself."""
        fact = self._facts.get((FactKind.PROGRAM, ""))
        values = (None, None) if fact is None else (fact.before, fact.after)
        was, is_now = map(wording.version, values)
        text = f"ComfyWatchman {_step(was, is_now) or 'is another version, and'}"
        text += " finds more in what has not changed"
        return _cause(CauseKind.PROGRAM, sureness, "", text, was, is_now, same=[])

    def cause_of_fact(self, fact: FactChange, sureness: Sureness) -> Cause:
        """A change of the host that could not be tried."""
        kinds = {
            FactKind.PACK: CauseKind.PACK,
            FactKind.MODEL: CauseKind.MODEL,
            FactKind.EMBEDDING: CauseKind.MODEL,
            FactKind.INPUT_FILE: CauseKind.INPUT_FILE,
            FactKind.SETTING: CauseKind.SETTINGS,
            FactKind.PROGRAM: CauseKind.PROGRAM,
        }
        before, after = wording.version(fact.before), wording.version(fact.after)
        kind = kinds.get(fact.kind, CauseKind.COMFYUI)
        text = self.fact(fact)
        return _cause(kind, sureness, fact.name, text, before, after, same=[fact.kind, text])

    @property
    def _known(self) -> Differences:
        assert self._differences is not None  # noqa: S101  (factors come from there)
        return self._differences

    def _release(self) -> tuple[str | None, str | None]:
        old, new = self._known.before.catalog.version, self._known.now.catalog.version
        fact = self._facts.get((FactKind.COMFYUI, ""))
        if old == new and fact is not None:
            was, is_now = (wording.told(each, "commit") for each in (fact.before, fact.after))
            if was != is_now:
                return was, is_now
        return old, new

    def _of_type(self, name: str, sureness: Sureness, inputs: Collection[str]) -> Cause:
        before, after = self._known.before.catalog, self._known.now.catalog
        old, new = before.find(name), after.find(name)
        known = old or new
        assert known is not None  # noqa: S101  (a change has two sides, one of which is there)
        if known.pack is None:
            kind, folder = CauseKind.COMFYUI, ""
            was, is_now = self._release()
            of = f"of ComfyUI {_step(was, is_now)}".rstrip()
        else:
            kind, folder = CauseKind.PACK, known.pack
            was, is_now, became = self._pack(folder)
            pack = f"{printable(folder)} {_step(was, is_now)}".rstrip()
            if new is None and folder not in after.packs:
                became = became or "is no longer loaded"
                text = f"{pack} {became}"
                fact = self._facts.get((FactKind.PACK, folder))
                reason = (fact.after or {}).get("import_failed") if fact is not None else None
                if became.endswith("failed") and isinstance(reason, str):
                    text += f": {printable(reason)}"
                same = ["pack", became]
                return _cause(
                    kind, sureness, folder, text, was, is_now, same=same, node_types=[name]
                )
            of = f"of {pack}"
        declarations = (self._plain(name, old, old=True), self._plain(name, new, old=False))
        changes = schema_changes(*declarations)
        first = [c for c in changes if any(quoted(i) in c for i in inputs)]
        told = [*first, *(c for c in changes if c not in first)]
        text = f"{printable(name)} {of} {_some(told)}"
        same = [name, *changes]
        return _cause(kind, sureness, folder, text, was, is_now, same=same, node_types=[name])

    def _plain(self, name: str, found: NodeType | None, *, old: bool) -> Any:
        return None if found is None else self._known.plain(name, old=old)

    def _pack(self, folder: str) -> tuple[str | None, str | None, str]:
        """A pack's versions, before and now, and what became of it; empty for another version."""
        fact = self._facts.get((FactKind.PACK, folder))
        if fact is None:
            return None, None, ""
        was, is_now = wording.version(fact.before), wording.version(fact.after)
        if fact.before is None or fact.after is None:
            return was, is_now, "was installed" if fact.before is None else "was removed"
        old, new = fact.before, fact.after
        if old.get("enabled") is not False and new.get("enabled") is False:
            return was, is_now, "was disabled"
        if new.get("import_failed") and not old.get("import_failed"):
            return was, is_now, "is no longer loaded: its import failed"
        return was, is_now, ""

    def _of_files(self, files: Files, sureness: Sureness) -> Cause:
        entry = min(files.entries)
        inputs = entry.listing in (Listing.FILES, Listing.LINKS, Listing.SIGHT) or (
            entry.listing is Listing.CHOICES and is_media(entry.name)
        )
        kind = CauseKind.INPUT_FILE if inputs and entry.folder != "embeddings" else CauseKind.MODEL
        if entry.listing is Listing.SIGHT:
            verb = "can no longer be seen" if entry.gone else "can be seen now"
            text = f"the folder {entry.folder} {verb}"
            return _cause(kind, sureness, entry.folder, text, same=["sight", verb])
        if files.folder is not None:
            place = "/".join(filter(None, (files.folder, files.below))) or "the lists of the server"
            names = {e.name for e in files.entries if e.folder == files.folder}
            names -= {name.rpartition("/")[0] for name in names}
            text = f"{len(names):,} files of {printable(place)} are gone"
            return _cause(kind, sureness, place, text, place, None, same=["many"])
        name, folder = entry.name, entry.folder
        whole = "/".join(filter(None, (folder, name)))
        where = f" from {printable(folder)}" if folder else ""
        if entry.gone:
            now_in, how = self._elsewhere(name, whole)
            text = f"{printable(name)} is gone{where}{how}"
            gone = _cause(kind, sureness, whole, text, folder or None, same=["gone"])
            return gone.model_copy(update={"after": now_in})
        text = f"{printable(name)} is new in {printable(folder) or 'the lists of the server'}"
        return _cause(kind, sureness, whole, text, None, folder or None, same=["new"])

    def _elsewhere(self, name: str, whole: str) -> tuple[str | None, str]:
        """Where a file that is gone may be now, and in words."""
        now = self._known.now.inventory
        for folder in now.folders_with(name):
            for other in now.models[folder]:
                if last_part(other) == last_part(name):
                    place = printable(f"{folder}/{other}".rpartition("/")[0])
                    return place, f"; there is now one of that name in {place}"
        lost = next((f for k in FILES if (f := self._facts.get((k, whole))) is not None), None)
        size = (lost.before or {}).get("size") if lost is not None else None
        twin = next((fact for fact in self._added if (fact.after or {}).get("size") == size), None)
        if not size or twin is None:
            return None, ""
        return printable(twin.name), f"; {printable(twin.name)} is new and has its size"


def one_of(candidates: Sequence[str]) -> Cause:
    """One of several changes that nobody can tell apart."""
    shown = list(candidates[:_MOST_CANDIDATES])
    left = len(candidates) - len(shown)
    if left:
        shown.append(f"{left:,} more changes")
    text = f"one of {len(candidates):,} changes since: {_some(list(candidates))}"
    return Cause(
        id=_id("one of", *sorted(candidates)),
        kind=CauseKind.UNEXPLAINED,
        sureness=Sureness.ONE_OF,
        name="",
        text=text,
        candidates=shown,
    )


def server() -> Cause:
    """The server's own word, which nobody can ask for again."""
    text = "the server, when it was asked, gave another answer than before"
    return _cause(CauseKind.SERVER, Sureness.LIKELY, "", text, same=[])


def unexplained() -> Cause:
    """Nothing to be seen changed."""
    text = "nothing that can be seen changed"
    return _cause(CauseKind.UNEXPLAINED, Sureness.ONE_OF, "", text, same=[])


def name_of(report: WorkflowReport) -> str:
    """A workflow's name as it can stand in a text."""
    return printable(report.name)


def edited(
    worse: Worse, sureness: Sureness, trial: Trial | None = None, errors: Iterable[Key] = ()
) -> Cause:
    """The workflow's own file.

    Args:
        worse: it.
        sureness: how sure it is.
        trial: judges it, if its bytes are known.
        errors: what the edit did.
    """
    what = "" if trial is None else _edited(trial, list(errors))
    text = f"{name_of(worse.now)} was edited" + (f": {what}" if what else "")
    same = [worse.was.content_digest or "", worse.now.content_digest or ""]
    return _cause(CauseKind.WORKFLOW, sureness, worse.now.path, text, same=same)


def _edited(trial: Trial, errors: list[Key]) -> str:
    """What of a workflow was edited, as far as it is where errors are."""
    new = trial.conversion(frozenset())
    old = trial.conversion(frozenset({WORKFLOW})) if trial.edited else None
    if new is None or old is None:
        return ""
    for _, node_id, name in errors:
        if node_id is None or node_id not in new.prompt:
            continue
        node, was = new.prompt[node_id], old.prompt.get(node_id)
        saved = new.nodes.get(node_id)
        shown = f"node {printable(node_id)} ({printable(saved.type if saved else '')})"
        if was is None:
            return f"{shown} is new"
        before = old.nodes.get(node_id)
        if saved is not None and before is not None and saved.type != before.type:
            return f"{shown} was a {quoted(before.type)}"
        mine, theirs = node.get("inputs", {}), was.get("inputs", {})
        if name is None or mine.get(name) == theirs.get(name):
            continue
        now_linked, was_linked = (isinstance(v.get(name), list) for v in (mine, theirs))
        if was_linked and not now_linked:
            return f"input {quoted(name)} of {shown} is no longer linked"
        if now_linked:
            return f"input {quoted(name)} of {shown} is linked to another node"
        if name in mine:
            return f"it now uses {quoted(mine[name])} in {quoted(name)} of {shown}"
        return f"{shown} no longer has a value in {quoted(name)}"
    changes = Counter(
        "new" if i not in old.prompt else "removed" if i not in new.prompt else "changed"
        for i in old.prompt.keys() | new.prompt.keys()
        if old.prompt.get(i) != new.prompt.get(i)
    )
    return ", ".join(
        f"{'one node' if count == 1 else f'{count:,} nodes'} {what}"
        for what, count in sorted(changes.items())
    )


def _some(parts: list[str]) -> str:
    left = len(parts) - _MOST_CHANGES
    more = f" and {left} more changes" if left > 1 else " and one more change" if left == 1 else ""
    return "; ".join(parts[:_MOST_CHANGES]) + more


def _step(before: str | None, after: str | None, lead: str = "") -> str:
    if before == after or None in (before, after):
        known = after or before
        return f"{lead}{printable(known)}" if known else ""
    return f"{lead}{printable(before or '')} → {printable(after or '')}"


def _cause(
    kind: CauseKind,
    sureness: Sureness,
    name: str,
    text: str,
    before: str | None = None,
    after: str | None = None,
    *,
    same: Iterable[str],
    node_types: Iterable[str] = (),
) -> Cause:
    return Cause(
        id=_id(kind, name, before or "", after or "", *same),
        kind=kind,
        sureness=sureness,
        name=printable(name, 1000),
        text=text,
        before=None if before is None else printable(before),
        after=None if after is None else printable(after),
        node_types=sorted(map(printable, node_types)),
    )


def _id(*parts: str) -> str:
    text = "\0".join(parts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
