"""The catalogue of finding codes, and how what a workflow says is quoted in a message.

Every code is declared once, beside the code that reports it::

    MISSING = declare(
        "missing_node_type",
        Severity.ERROR,
        title="Node type not offered by this server",
        explanation="The workflow uses a node type that …",
        remedy="Install the custom node pack that provides it …",
    )
    ...
    MISSING.finding("node type 'X' is not …", fix="Install …", node_id="7", node_type="X")

Nothing else makes a :class:`~comfywatchman.results.Finding`; so the generated documentation
(docs/findings.md) cannot miss one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import visible
from comfywatchman.results import (
    Confidence,
    Finding,
    Fix,
    FixKind,
    Severity,
    Subject,
    SubjectKind,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTED_LENGTH: Final = 120
"""Most characters of a quoted value, quotes not counted."""

VALUE_LENGTH: Final = 2_000
"""Most characters of a value in a fix."""

NAME_LENGTH: Final = 240
"""Most characters of a node id, a node type or an input's name in a finding."""

_CODE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DECLARED: dict[str, Code] = {}


@dataclass(frozen=True, slots=True)
class Advice:
    """A fix as a check gives it.

    Attributes:
        text: what exactly to do. It becomes a sentence: a capital letter first, a full stop last.
        kind: what following it means.
        confidence: how sure it is.
        before: what is there now; see :class:`~comfywatchman.results.FixKind`.
        after: what shall be there instead. Both are as given, never cut or escaped: what is too
            long to be shown, or holds what cannot be shown, is left out of the fix.
        command: a command line that does it.
    """

    text: str
    kind: FixKind = FixKind.BY_HAND
    confidence: Confidence = Confidence.ASK
    before: object = None
    after: object = None
    command: str | None = None

    def fix(self) -> Fix:
        """The fix as it stands in a report."""
        after = _plain(self.after)
        # What cannot stand in a report cannot be set or put by a program that reads it.
        by_hand = after is None and self.after is not None
        return Fix(
            id="",
            kind=FixKind.BY_HAND if by_hand else self.kind,
            confidence=self.confidence,
            text=_sentence(self.text),
            before=_plain(self.before),
            after=after,
            command=self.command,
        )


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. Made by :func:`declare` only.

    Attributes:
        name: the stable code, as it stands in a report.
        severity: ``error`` exactly when the server would refuse the prompt or lose an output.
        title: a few words, no full stop: a heading.
        explanation: what it means and why it matters, in sentences (Markdown).
        remedy: what to do about it, in sentences (Markdown).
        misplaced: whether it is a sign that the values of a node have moved to the wrong inputs.
        once: whether it is said once of a subject in a workflow, at the first node it shows at.
        same_fault_as: the code that the server gives the same fault when it meets it in another
            order; None if there is none.
    """

    name: str
    severity: Severity
    title: str
    explanation: str
    remedy: str
    misplaced: bool = False
    once: bool = False
    same_fault_as: str | None = None

    def finding(
        self,
        message: str,
        *,
        fix: str | Advice | Sequence[Advice] | None = None,
        subject: Subject | None = None,
        node_id: str | None = None,
        node_type: str | None = None,
        input: str | None = None,  # noqa: A002  (the report's name for it)
        severity: Severity | None = None,
        cause: Subject | None = None,
    ) -> Finding:
        """Report this code.

        Args:
            message: one sentence, without a full stop, that says what is wrong. Anything taken
                from a workflow or a server goes through :func:`quoted` first.
            fix: what exactly to do about it, when that is known; of several, the best first. A
                plain text is for a person to follow.
            subject: what it is about, made by :func:`subject`; else the input, the node's type or
                the workflow.
            node_id: id of the node in the prompt.
            node_type: the node's type as saved.
            input: name of the node's input.
            severity: where this case differs from the code's own severity.
            cause: what is behind it and behind other findings, where that is something else than
                what it is about.
        """
        if subject is None:
            subject = about_place(node_type, input)
        if isinstance(fix, str):
            fix = Advice(fix)
        advices = [fix] if isinstance(fix, Advice) else fix or ()
        return Finding(
            code=self.name,
            severity=severity or self.severity,
            message=message,
            subject=subject,
            fixes=[advice.fix() for advice in advices],
            node_id=None if node_id is None else printable(node_id, NAME_LENGTH),
            node_type=None if node_type is None else printable(node_type, NAME_LENGTH),
            input=None if input is None else printable(input, NAME_LENGTH),
            cause_id="" if cause is None else f"{cause.kind} {cause.name}",
        )


def about(
    kind: SubjectKind, name: str, folder: str | None = None, version: str | None = None
) -> Subject:
    """Say what a finding is about; texts from a workflow or a server are made safe to show."""
    return Subject(
        kind=kind,
        name=printable(name, NAME_LENGTH),
        folder=None if folder is None else printable(folder, NAME_LENGTH),
        version=None if version is None else printable(version, NAME_LENGTH),
    )


def about_value(value: object) -> Subject:
    """Say that a finding is about a value that stands in a workflow."""
    return about(SubjectKind.VALUE, value if isinstance(value, str) else quoted(value))


def about_place(node_type: str | None, input_name: str | None) -> Subject:
    """Say that a finding is about where it shows: an input, else a node, else the workflow."""
    if input_name is not None:
        return about(SubjectKind.INPUT, input_name)
    if node_type is not None:
        return about(SubjectKind.NODE_TYPE, node_type)
    return about(SubjectKind.WORKFLOW, "")


def declare(
    name: str,
    severity: Severity,
    *,
    title: str,
    explanation: str,
    remedy: str,
    misplaced: bool = False,
    once: bool = False,
    same_fault_as: str | None = None,
) -> Code:
    """Add a code to the catalogue.

    Raises:
        ValueError: the name is malformed or already declared elsewhere.
    """
    if not _CODE_NAME.fullmatch(name):
        raise ValueError(f"not a code name: {name!r}")
    if name in _DECLARED:
        raise ValueError(f"code declared twice: {name!r}")
    code = _DECLARED[name] = Code(
        name, severity, title, explanation, remedy, misplaced, once, same_fault_as
    )
    return code


def code(name: str) -> Code | None:
    """The code of a name, if what declares it was imported."""
    return _DECLARED.get(name)


def declared() -> tuple[Code, ...]:
    """Every code declared by the modules imported so far, by name."""
    return tuple(_DECLARED[name] for name in sorted(_DECLARED))


def printable(text: str, length: int = QUOTED_LENGTH) -> str:
    """Make text from a workflow or a server safe and short enough for a message.

    See :func:`~comfywatchman.escape.visible` for what is escaped. What is longer than
    ``length`` characters is cut in the middle, so that the end of a file name stays readable.
    """
    if len(text) > length:
        head = (length - 1) * 2 // 3
        text = f"{text[:head]}…{text[head + 1 - length :]}"
    return visible(text)


def quoted(value: object, length: int = QUOTED_LENGTH) -> str:
    """Write a value of a workflow as it can stand in a message: strings in single quotes."""
    if isinstance(value, str):
        return f"'{printable(value, length)}'"
    if isinstance(value, (dict, list)):
        # Never repr() a container: it may be megabytes large or nested too deeply to print.
        kind = "an object" if isinstance(value, dict) else "a list"
        entries = "entry" if len(value) == 1 else "entries"
        return f"{kind} of {len(value)} {entries}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a huge integer"
    return printable(str(value), length)


def _plain(value: object) -> str | int | float | bool | None:
    """A value as it can stand in a fix; None for what could not be set again from a report."""
    if isinstance(value, str):
        return value if len(value) <= VALUE_LENGTH and visible(value) == value else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if isinstance(value, bool) or abs(value) < 2**63 else None
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
