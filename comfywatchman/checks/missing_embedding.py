"""An embedding that a prompt names and the server does not have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from comfywatchman.checks.engine.case import BlindSpot
from comfywatchman.checks.engine.registry import on_node
from comfywatchman.findings import Advice, about, declare, quoted
from comfywatchman.results import FixKind, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

MISSING_EMBEDDING = declare(
    "missing_embedding",
    Severity.WARNING,
    title="Embedding that is not there",
    explanation="A text names an embedding (`embedding:NAME`) that the server does not have. "
    "ComfyUI only notes this in its log and goes on without it: the picture is another one.",
    remedy="Put the file into ComfyUI's models/embeddings folder, or correct the name.",
)

MARK: Final = "embedding:"
# Parentheses that set weights, with the weight, unless escaped; braces and bars of alternatives.
_WEIGHTS: Final = re.compile(r"(?<!\\)(?::\s*-?[\d.]+\s*)?[()]")
_ALTERNATIVES: Final = re.compile(r"(?<!\\)[{}|]")
_NAMED: Final = re.compile(rf"(?:^|[ \n\x00]){MARK}([^\s\x00]+)")


@on_node
def check(case: NodeCase) -> Iterator[Answer]:
    """Report embeddings in the text inputs of a node that the server does not list."""
    for spec in case.declared:
        text = case.inputs.get(spec.name)
        if spec.type != "STRING" or not isinstance(text, str) or MARK not in text:
            continue
        prepared = bool(spec.options.get("dynamicPrompts"))
        for name in dict.fromkeys(named(text, alternatives=prepared)):
            known = case.whole.inventory.has_embedding(name)
            if known is None:
                yield BlindSpot("whether the embeddings that texts name exist: they are not listed")
                break
            if not known:
                yield case.finding(
                    MISSING_EMBEDDING,
                    f"embedding {quoted(name)}, named in input {quoted(spec.name)}, is not on the "
                    "server, which will leave it out without an error",
                    Advice(
                        "put it into ComfyUI's models/embeddings folder, or correct the name",
                        FixKind.PUT_FILE,
                    ),
                    input_name=spec.name,
                    subject=about(SubjectKind.MODEL, name, "embeddings"),
                )


def named(text: str, *, alternatives: bool = False) -> Iterator[str]:
    """The embeddings a text names.

    Weights in parentheses are taken off first. A name counts at the start of what is left between
    them, or after a space or a line break, and reaches to the next white space.

    Args:
        text: what a text encoder is given.
        alternatives: whether the browser picks from ``{a|b}`` before it sends the text; then each
            of them counts.
    """
    if alternatives:
        text = _ALTERNATIVES.sub("\0", text)
    text = _WEIGHTS.sub("\0", text).replace("\\(", "(").replace("\\)", ")")
    for match in _NAMED.finditer(text):
        if name := match[1].strip(","):
            yield name
