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

import re
from dataclasses import dataclass
from typing import Final

from comfywatchman.escape import visible
from comfywatchman.results import Finding, Severity

QUOTED_LENGTH: Final = 120
"""Most characters of a quoted value, quotes not counted."""

NAME_LENGTH: Final = 240
"""Most characters of a node id, a node type or an input's name in a finding."""

_CODE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DECLARED: dict[str, Code] = {}


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. Made by :func:`declare` only.

    Attributes:
        name: the stable code, as it stands in a report.
        severity: ``error`` exactly when the server would refuse the prompt or lose an output.
        title: a few words, no full stop: a heading.
        explanation: what it means and why it matters, in sentences (Markdown).
        remedy: what to do about it, in sentences (Markdown).
    """

    name: str
    severity: Severity
    title: str
    explanation: str
    remedy: str

    def finding(
        self,
        message: str,
        *,
        fix: str | None = None,
        node_id: str | None = None,
        node_type: str | None = None,
        input: str | None = None,  # noqa: A002  (the report's name for it)
        severity: Severity | None = None,
    ) -> Finding:
        """Report this code.

        Args:
            message: one sentence, without a full stop, that says what is wrong. Anything taken
                from a workflow or a server goes through :func:`quoted` first.
            fix: what exactly to do about it, when that is known. It becomes a sentence: a capital
                letter first, a full stop last.
            node_id: id of the node in the prompt.
            node_type: the node's type as saved.
            input: name of the node's input.
            severity: where this case differs from the code's own severity.
        """
        return Finding(
            code=self.name,
            severity=severity or self.severity,
            message=message,
            fix=None if fix is None else _sentence(fix),
            node_id=None if node_id is None else printable(node_id, NAME_LENGTH),
            node_type=None if node_type is None else printable(node_type, NAME_LENGTH),
            input=None if input is None else printable(input, NAME_LENGTH),
        )


def declare(name: str, severity: Severity, *, title: str, explanation: str, remedy: str) -> Code:
    """Add a code to the catalogue.

    Raises:
        ValueError: the name is malformed or already declared elsewhere.
    """
    if not _CODE_NAME.fullmatch(name):
        raise ValueError(f"not a code name: {name!r}")
    if name in _DECLARED:
        raise ValueError(f"code declared twice: {name!r}")
    code = _DECLARED[name] = Code(name, severity, title, explanation, remedy)
    return code


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


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
