"""The report as GitHub-flavoured Markdown, for tickets and chats."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from comfywatchman.report.digest import (
    BLIND_SPOT_LIMIT,
    NAME_LIMIT,
    PROBLEM_LIMIT,
    SENTENCE_LIMIT,
    Entry,
    Place,
    Problem,
    digest,
    gate_worth_showing,
    headline,
    in_utc,
    plural,
    server_phrase,
)
from comfywatchman.report.escape import visible
from comfywatchman.report.model import Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfywatchman.report.model import Output, Report

_SEVERITY_WORD = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

# A word that means nothing to any reader of Markdown: no mark-up, address, mention or reference.
_PLAIN_WORD = re.compile(r"[\w.,;?'\"()%=+-]*:?", re.ASCII)
_NOT_PLAIN = re.compile(
    r"_|www\.|gh-\d|%\w"  # emphasis, addresses, references to issues and milestones
    r"|^[+-]$|^\d+[.)]$|^-{2,}"  # lists and rules
    r"|\.[a-z]\w",  # names of files: they read better as code
    re.IGNORECASE,
)
_AROUND = re.compile(r"(['\"(]*)(.*?)([.,;:?)'\"]*)")
_QUOTED = re.compile(r"(?<!\S)'([^']+)'(?=[.,;:)]*(?:\s|$))")
_BACKTICKS = re.compile("`+")


def render(report: Report) -> str:
    """The report as Markdown that ends with a newline; nothing in it acts, whoever wrote it."""
    contents = digest(report)
    lines = [f"# ComfyWatchman on {code(report.host)}", ""]
    if report.outcome == "done":
        lines += [f"**{headline(report.summary)}**", ""]
    else:
        lines += [f"**{report.outcome}:** {prose(report.reason)}", ""]
    when = in_utc(report.started_at)
    lines += [
        f"- Checked {when:%Y-%m-%d %H:%M:%S} UTC in {report.duration_s:.1f} s",
        f"- ComfyWatchman {prose(report.comfywatchman_version)}",
        f"- {prose(server_phrase(report.server))}, {plural(report.server.node_types, 'node type')}",
        *(f"- {answer.name}: {prose(answer.reason)}" for answer in gate_worth_showing(report)),
        "",
    ]
    if contents.shared:
        lines += ["## Fix first: problems that workflows share", ""]
        for shared in contents.shared:
            among = plural(len(shared.workflows), "workflow")
            lines.append(f"{shared.number}. {prose(shared.message)} ({among})")
            if shared.fix:
                lines.append(f"    - Fix: {prose(shared.fix)}")
        lines.append("")
    for verdict, group in contents.by_verdict():
        lines += [f"## {verdict.capitalize()} ({len(group):,})", ""]
        lines += _entries(verdict, [entry for _, entry in group])
    if contents.not_checked:
        lines += ["## Not checked", ""]
        for sentence, workflows in contents.not_checked[:BLIND_SPOT_LIMIT]:
            among = f" ({plural(workflows, 'workflow')})" if workflows else ""
            lines.append(f"- {prose(sentence)}{among}")
        lines += _more(len(contents.not_checked) - BLIND_SPOT_LIMIT)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


@lru_cache(4096)
def code(text: str, *, limit: int = NAME_LIMIT) -> str:
    """``text`` as a code span, in which nothing means anything."""
    shown = visible(text, limit=limit)
    if not shown.strip(" "):
        return f"`'{shown}'`"
    longest = max(map(len, _BACKTICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    # One space on either side is taken away again by the reader of the Markdown.
    pad = " " if shown[0] in " `" or shown[-1] in " `" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


@lru_cache(4096)
def prose(text: str) -> str:
    """A sentence in which quoted values, and words that could mean something, are code spans."""
    parts = _QUOTED.split(visible(text, limit=SENTENCE_LIMIT).strip(" "))
    return "".join(
        code(part, limit=SENTENCE_LIMIT) if number % 2 else _words(part)
        for number, part in enumerate(parts)
    )


def _words(text: str) -> str:
    pieces: list[str] = []
    pending: list[str] = []
    for word in text.split(" "):
        if _is_plain(word):
            if pending:
                pieces.append(_spanned(" ".join(pending)))
                pending = []
            pieces.append(r"\>" if word == ">" else word)
        else:
            pending.append(word)
    if pending:
        pieces.append(_spanned(" ".join(pending)))
    return " ".join(pieces)


@lru_cache(4096)
def _is_plain(word: str) -> bool:
    return word == ">" or bool(_PLAIN_WORD.fullmatch(word) and not _NOT_PLAIN.search(word))


def _spanned(words: str) -> str:
    """A code span around ``words``, without the quotes and stops at either end."""
    around = _AROUND.fullmatch(words)
    before, inside, after = around.groups() if around else ("", words, "")
    return f"{before}{code(inside, limit=SENTENCE_LIMIT)}{after}"


def _entries(verdict: Verdict, entries: Iterable[Entry]) -> list[str]:
    lines: list[str] = []
    silent: list[str] = []
    for entry in entries:
        workflow = entry.workflow
        if verdict is Verdict.RUNNABLE and not entry.problems:
            silent.append(code(workflow.name))
            continue
        lines += [f"### {code(workflow.name)}", ""]
        if verdict is Verdict.PARTIAL:
            lines.append(f"- **lost:** {_outputs(workflow.outputs_lost)}")
            lines.append(f"- **still runs:** {_outputs(workflow.outputs)}")
        for problem in entry.problems[:PROBLEM_LIMIT]:
            lines += _problem(problem)
        lines += _more(len(entry.problems) - PROBLEM_LIMIT)
        if verdict is Verdict.UNKNOWN:
            blind = workflow.not_checked
            lines += [f"- **not checked:** {prose(text)}" for text in blind[:BLIND_SPOT_LIMIT]]
            lines += _more(len(blind) - BLIND_SPOT_LIMIT)
        lines.append("")
    if silent:
        lines += [", ".join(silent), ""]
    return lines


def _problem(problem: Problem) -> list[str]:
    where = "; ".join(map(_place, problem.places))
    lines = [
        f"- **{_SEVERITY_WORD[problem.severity]}:** {prose(problem.message)}",
        f"    - {code(problem.code)}" + (f" at {where}" if where else ""),
    ]
    if problem.fix:
        lines.append(f"    - Fix: {prose(problem.fix)}")
    return lines


def _place(place: Place) -> str:
    return ", input ".join(code(part) for part in (place.node, place.input) if part)


def _outputs(outputs: Iterable[Output]) -> str:
    return ", ".join(code(f"{output.node_type} #{output.node_id}") for output in outputs)


def _more(number: int) -> list[str]:
    return [f"- and {number:,} more"] if number > 0 else []
