"""docs/findings.md, written from the declarations of the codes."""

from __future__ import annotations

from typing import Final

import comfywatchman.modelfiles.codes  # noqa: F401  (all codes of its room beside the formats)
from comfywatchman import checks, judging, workflow
from comfywatchman.checks.known.own_rules import own_rules_since
from comfywatchman.checks.versions import DIFFERENCES, RECORDED, in_words
from comfywatchman.discovery import import_all
from comfywatchman.findings import Code, declared
from comfywatchman.modelfiles import formats
from comfywatchman.results import Severity

_HEADINGS: Final = {
    Severity.ERROR: "Errors",
    Severity.WARNING: "Warnings",
    Severity.INFO: "Remarks",
}

_INTRODUCTION: Final = """\
# Findings

<!-- Written by `python docs/generate.py` from the declarations beside the checks. -->

Every finding in a report has one of the codes below. A code that the server has too keeps the
server's name.

## What the verdict follows

The server validates the nodes that produce a result and, link by link, everything they need; what
nothing needs is not looked at. It then runs the results that passed and silently leaves out the
others. So:

- **runnable**: every output passes.
- **partial**: some outputs pass, others are lost: both are named.
- **broken**: no output passes, or the workflow is refused as a whole (an unknown node type anywhere
  in it, no output at all, a prompt at which the server itself fails), or its file is damaged.
- **unknown**: whether an output passes depends on something that cannot be seen from outside, or
  the file could not be read, would take more work than a file may, or had to wait for the next
  cycle. The report says what, under *not checked*.

An **error** is what the server itself would report, and only errors change a verdict. A **warning**
is what the server accepts and a person would not, or what would be an error if what cannot be seen
does not excuse it. A **remark** is good to know. When a workflow is refused as a whole, its other
errors are shown as warnings: the server does not get as far as those.

One thing is an error and leaves the verdict alone: a model file that cannot be loaded, in a
workflow that would otherwise run. The server looks at names alone and accepts it, so the workflow
**will fail** (`will_fail` in the report). Where it would not run anyhow, that is a warning.
It
stays so while the file is being written again or cannot be read, until it is seen to be whole.

## What custom nodes may hide

The code of a node type may judge its inputs itself (`VALIDATE_INPUTS`), which switches off the
server's check of the inputs it names, and may fill the list of a combo in the browser. The server's
description of its node types, `/object_info`, shows neither. For the node types of ComfyUI itself
these functions are known and followed. For custom nodes this evidence decides:

| what was noticed on a custom node | what is made of it | why |
|---|---|---|
{evidence}
That a custom node may *refuse* what the server's own checks accept is said of every workflow that
needs one, under *not checked*; it does not change the verdict.

With `ask_server: doubtful` the server itself is asked where a verdict would be `unknown`
([how, and at what risk](security.md#asking-the-server-itself)). What it says of a node that leads
to an output takes the place of the doubt: it becomes the server's error, or goes away. Of the
inputs of output nodes it cannot be asked, so doubts about these stay.

## Where versions differ

The version is the one the server names in `/system_stats`; an unknown one is judged as the newest.
A bare answer of `/object_info` names none, but one of a server of the time of 0.8 is recognised by
its fields. What real servers answered was recorded from ComfyUI {recorded}, and the verdicts are
held to that. A release after the last of them is judged as it, and the report says so.

Functions of ComfyUI's own nodes that judge their inputs are followed from the release on that
brought them: {own}.

| since | before | from then on |
|---|---|---|
"""
_EVIDENCE: Final = (
    (
        (
            "node type unknown, link malformed or into nowhere, required input missing, value "
            "unreadable"
        ),
        "error",
        "the server checks these whatever a node does",
    ),
    (
        "choice not in a list, and the list or the value reads like names of files",
        "error",
        "such lists come from the server's own folders",
    ),
    (
        "choice not in an empty list, or in a list that is not sent",
        "`unknown`",
        "it is likely filled in the browser",
    ),
    (
        "choice not in any other list",
        "`unknown`",
        "the list may be filled in the browser, or the value judged by the node",
    ),
    (
        "an input of a kind that is not known (`COMFY_…_V3`)",
        "`unknown`",
        "it stands for other inputs, which cannot be judged",
    ),
    (
        "a path marked as VideoHelperSuite does, and not seen in ComfyUI's folders",
        "`unknown`",
        "the node has it refused if it leads nowhere",
    ),
    (
        "file to be loaded, not in the list, and not in ComfyUI's folders either",
        "error",
        "whatever the node accepts, it is not there",
    ),
    (
        "file to be loaded, not in the list, but there or in a place that cannot be seen",
        "`unknown`",
        "the node may accept it",
    ),
    ("number out of range", "`unknown`", "the node may judge it itself"),
    (
        "link type does not fit an input of a custom node",
        "`unknown`",
        "the node may judge the types of its links",
    ),
    (
        "link type does not fit an input of one of ComfyUI's own nodes",
        "error if some node of ComfyUI declares that type, else `unknown`",
        "a type of its own may pass for any other",
    ),
)


def catalogue() -> tuple[Code, ...]:
    """Every code of the package, by name."""
    for package in (checks, judging, workflow, formats):
        import_all(package)
    return declared()


def catalogue_markdown() -> str:
    """The text of docs/findings.md."""
    lines = [f"| {in_words(d.since)} | {d.before} | {d.after} |" for d in DIFFERENCES]
    codes = catalogue()
    for severity, heading in _HEADINGS.items():
        lines += ["", f"## {heading}"]
        for code in codes:
            if code.severity is severity:
                lines += ["", f"### `{code.name}`", "", f"**{code.title}.** {code.explanation}"]
                lines += ["", f"*What to do:* {code.remedy}"]
    evidence = "".join(f"| {' | '.join(row)} |\n" for row in _EVIDENCE)
    recorded = " and ".join(map(in_words, RECORDED))
    own = ", ".join(
        f"`{name}` ({in_words(since)})" for name, since in sorted(own_rules_since().items())
    )
    return (
        _INTRODUCTION.format(evidence=evidence, recorded=recorded, own=own)
        + "\n".join(lines)
        + "\n"
    )
