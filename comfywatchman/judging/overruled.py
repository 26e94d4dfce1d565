"""What the server said of a node, put in the place of what could not be seen of it.

Its word overrules a doubt, either way, and what it refuses is an error. Where it is silent about
what ComfyWatchman is certain of, the error stands, as a poisoned prompt may keep a pack's handler
from its work; each difference is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman import findings
from comfywatchman.checks.custom_validation_failed import CUSTOM_VALIDATION_FAILED
from comfywatchman.checks.dependency_cycle import DEPENDENCY_CYCLE
from comfywatchman.checks.engine.walk import spread
from comfywatchman.checks.validation_exception import (
    EXCEPTION_DURING_INNER_VALIDATION,
    EXCEPTION_DURING_VALIDATION,
)
from comfywatchman.findings import NAME_LENGTH, declare, printable, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.checks.engine.case import Doubt, PromptCase
    from comfywatchman.checks.engine.walk import Judged, Walk
    from comfywatchman.findings import Code
    from comfywatchman.judging.refusal import ServerError
    from comfywatchman.results import Finding

SERVER_REFUSES = declare(
    "server_refuses",
    Severity.ERROR,
    title="What the server refuses for a reason of its own",
    explanation="The server was asked (`ask_server`), and named an error that ComfyWatchman has no "
    "name for. The message holds its words.",
    remedy="Do as the server's words say.",
)
SERVER_DISAGREES = declare(
    "server_disagrees",
    Severity.WARNING,
    title="Node that the server judges otherwise",
    explanation="The server was asked (`ask_server`), and its answer about this node is not the "
    "one that ComfyWatchman would have given, with nothing that would explain it: there was no "
    "doubt about the node, and the error is none that a custom node's own code reports. What the "
    "server refuses counts as an error all the same. What only ComfyWatchman finds wrong stays one "
    "too: a handler of a node pack may have mended it, or been stopped by the poisoned prompt.",
    remedy="Queue the workflow by hand to see. If it runs, or ComfyUI and its packs are as they "
    "came, report it: it is a bug of ComfyWatchman.",
)

_WHOLE_NODE: Final = frozenset(
    {
        CUSTOM_VALIDATION_FAILED.name,
        DEPENDENCY_CYCLE.name,
        EXCEPTION_DURING_VALIDATION.name,
        EXCEPTION_DURING_INNER_VALIDATION.name,
    }
)
"""Errors that the server repeats for several inputs, or names with an input of another node."""

_Key = tuple[str, str | None]


def overruled(walked: Walk, said: Mapping[str, tuple[ServerError, ...]], whole: PromptCase) -> Walk:
    """Put the server's word in the place of our doubts, and let validity spread anew.

    Args:
        walked: what was found out without asking; its nodes are changed.
        said: by node, what the server finds wrong with it; see :func:`judging.refusal.heard`.
        whole: the prompt.
    """
    for node_id, errors in said.items():
        node = walked.judged.get(node_id)
        # Circles are reported on one node by us, on each or on none by the releases of ComfyUI.
        if node is not None and node_id not in walked.looped:
            _overrule(node_id, node, errors, whole)
    return spread(whole, walked.judged)


def _overrule(
    node_id: str, node: Judged, errors: tuple[ServerError, ...], whole: PromptCase
) -> None:
    node_type = whole.catalog[whole.prompt[node_id]["class_type"]]
    ours = {_key(f.code, f.input) for f in node.findings if f.severity is Severity.ERROR}
    theirs = {_key(error.type, error.input) for error in errors}
    doubts, doubtful = node.doubts, node.doubtful
    node.doubts, node.doubtful = [], False
    confirmed = [d for d in doubts if _key_of(d) in theirs]
    known = ours | {_key_of(doubt) for doubt in confirmed}
    new = [error for error in errors if _key(error.type, error.input) not in known]
    found = [d.finding.model_copy(update={"severity": Severity.ERROR}) for d in confirmed]
    found += _in_its_words(new, node_id, node_type.name)
    node.wrong = node.wrong or bool(found)
    unexpected = set() if doubtful else theirs - known
    if not node_type.is_core:
        unexpected.discard(_key(CUSTOM_VALIDATION_FAILED.name, None))
    for keys, sentence in (
        (unexpected, "the server refuses what ComfyWatchman sees nothing wrong with"),
        (ours - theirs, "the server says nothing of what ComfyWatchman finds wrong"),
    ):
        if keys:
            found.append(_disagreement(sentence, keys, node_id, node_type.name))
    node.findings += [finding for finding in found if whole.tally.has_room_for(finding)]


def _key(code: str, name: str | None) -> _Key:
    return code, None if code in _WHOLE_NODE else name


def _key_of(doubt: Doubt) -> _Key:
    return _key(doubt.finding.code, doubt.finding.input)


def _in_its_words(errors: Iterable[ServerError], node_id: str, node_type: str) -> Iterator[Finding]:
    """Report what the server said; once what it repeats for each input that a check takes."""
    inputs: dict[tuple[str, str], list[str | None]] = {}
    for error in errors:
        details = error.details.removeprefix(f"{error.input} - ")
        text = details if error.type == CUSTOM_VALIDATION_FAILED.name else _both(error)
        inputs.setdefault((error.type, text), []).append(error.input)
    for (kind, text), names in inputs.items():
        one = names[0] if len(names) == 1 else None
        where = "it" if one is None else f"its input {quoted(one)}"
        why = f": {printable(text, NAME_LENGTH)}" if text else ""
        yield _code(kind).finding(
            f"asked, the server refuses {where} ({printable(kind)}){why}",
            fix="correct what the server names",
            node_id=node_id,
            node_type=node_type,
            input=one,
        )


def _both(error: ServerError) -> str:
    return ": ".join(filter(None, (error.message, error.details)))


def _code(kind: str) -> Code:
    code = findings.code(kind)
    return code if code is not None and code.severity is Severity.ERROR else SERVER_REFUSES


def _disagreement(sentence: str, keys: set[_Key], node_id: str, node_type: str) -> Finding:
    shown = sorted(code if name is None else f"{code} of {name}" for code, name in keys)
    return SERVER_DISAGREES.finding(
        f"{sentence}: {printable(', '.join(shown), NAME_LENGTH)}",
        fix="queue the workflow by hand to see who is right",
        node_id=node_id,
        node_type=node_type,
    )
