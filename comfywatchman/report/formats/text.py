"""The report for a terminal."""

from __future__ import annotations

import codecs
import os
import shutil
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len, get_character_cell_size

from comfywatchman.escape import NAME_LIMIT, SENTENCE_LIMIT, visible
from comfywatchman.report import accepted
from comfywatchman.report.digest import (
    ALSO_LIMIT,
    BLIND_SPOT_LIMIT,
    PROBLEM_LIMIT,
    READING_ORDER,
    Digest,
    Entry,
    Problem,
    asked_phrase,
    digest,
    headline,
    in_utc,
    left_out,
    plural,
    proportions,
    server_phrase,
)
from comfywatchman.results import Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from comfywatchman.results import Output, Report

_NARROWEST = 48
_WIDEST = 110  # of running text: longer lines are hard to read

_PLAIN = ""
_BOLD = "1"
_DIM = "2"
_CYAN = "36"
_ALARM = "1;31"
_VERDICT_STYLE = {
    Verdict.BROKEN: "31",
    Verdict.PARTIAL: "33",
    Verdict.UNKNOWN: "35",
    Verdict.RUNNABLE: "32",
}
_SEVERITY_STYLE = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: _DIM}

_SYMBOLS = {
    Verdict.BROKEN: "✗",
    Verdict.PARTIAL: "◐",
    Verdict.UNKNOWN: "?",
    Verdict.RUNNABLE: "✓",
    Severity.ERROR: "✗",
    Severity.WARNING: "!",
    Severity.INFO: "·",
    "fix": "→",
    "rule": "─",
}
_ASCII_SYMBOLS = {
    Verdict.BROKEN: "X",
    Verdict.PARTIAL: "~",
    Verdict.UNKNOWN: "?",
    Verdict.RUNNABLE: "+",
    Severity.ERROR: "x",
    Severity.WARNING: "!",
    Severity.INFO: "-",
    "fix": ">",
    "rule": "-",
}
_BAR = dict(zip(READING_ORDER, "█▓▒░", strict=True))
_ASCII_BAR = dict(zip(READING_ORDER, "#=-.", strict=True))


def write(report: Report, stream: TextIO) -> None:
    """Write the report to ``stream`` as suits it: its width, its encoding, colour if it takes any.

    Colour is used on a terminal unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``.
    """
    is_terminal = stream.isatty()
    color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((100, 24)).columns if is_terminal else 100
    stream.write(render(report, width=width, color=color, encoding=stream.encoding or "utf-8"))


def render(report: Report, *, width: int = 80, color: bool = False, encoding: str = "utf-8") -> str:
    """The report as text that ends with a newline.

    Args:
        report: what to show.
        width: columns to fill; fewer than 48 are taken as 48.
        color: use ANSI colours.
        encoding: the text can be encoded in it; what it lacks is escaped, symbols are replaced.
    """
    page = _Page(width=max(width, _NARROWEST), color=color, encoding=encoding)
    contents = digest(report)
    _head(page, report)
    _shared(page, contents)
    known = {(s.shared_by, s.fix): s.number for s in contents.shared}
    for verdict, group in contents.by_verdict():
        page.heading(f"{verdict.capitalize()} ({len(group):,})", _VERDICT_STYLE[verdict])
        _entries(page, verdict, [entry for _, entry in group], known)
    _accepted(page, report, contents)
    _not_checked(page, contents)
    if report.outcome == "done":
        page.blank()
        counts = headline(report.summary) + accepted.among(report)
        page.say(f"{counts}, in {report.duration_s:.1f} s", style=_BOLD)
        if others := left_out(report):
            page.say(others, style=_DIM)
    return page.text()


class _Page:
    """Lines of at most ``width`` cells."""

    def __init__(self, *, width: int, color: bool, encoding: str) -> None:
        self.width = width
        self._color = color
        self._encoding = None if codecs.lookup(encoding).name == "utf-8" else encoding
        can_draw = self._clean(drawn := "✗✓◐→·─█▓▒░") == drawn
        self.symbols = _SYMBOLS if can_draw else _ASCII_SYMBOLS
        self.bar = _BAR if can_draw else _ASCII_BAR
        self._lines: list[str] = []
        self._headed = 0  # lines up to and with the last heading or empty line

    def text(self) -> str:
        """All lines so far."""
        return "\n".join(self._lines) + "\n"

    def blank(self) -> None:
        """Leave a line empty, but neither at the top, nor twice, nor below a heading."""
        if len(self._lines) > self._headed:
            self._headed = len(self._lines) + 1
            self._lines.append("")

    def heading(self, title: str, style: str = _PLAIN) -> None:
        rule = self.symbols["rule"]
        filler = rule * (min(self.width, _WIDEST) - _cells(title) - 4)
        self.blank()
        self._lines.append(self._styled(f"{rule * 2} {title} {filler}", f"1;{style}".rstrip(";")))
        self._headed = len(self._lines)

    def say(
        self,
        text: str,
        *,
        style: str = _PLAIN,
        indent: int = 0,
        mark: str = "",
        mark_style: str = _PLAIN,
        limit: int = SENTENCE_LIMIT,
    ) -> None:
        """Wrap ``text``, after ``mark`` and with its further lines below its first."""
        lead = f"{mark} " if mark else ""
        room = min(self.width, _WIDEST) - indent - _cells(lead)
        for number, line in enumerate(_wrap(self._clean(text, limit), room)):
            start = self._styled(lead, mark_style) if number == 0 else " " * _cells(lead)
            self._lines.append(" " * indent + start + self._styled(line, style))

    def columns(self, texts: Sequence[str], *, mark: str, mark_style: str) -> None:
        """Set short texts in columns, read downwards."""
        cleaned = [self._clean(text, NAME_LIMIT) for text in texts]
        cell = max(map(_cells, cleaned)) + _cells(mark) + 3
        across = self.width // cell
        if across < 2:
            for text in texts:
                self.say(text, mark=mark, mark_style=mark_style, limit=NAME_LIMIT)
            return
        down = -(-len(cleaned) // across)
        start = self._styled(mark, mark_style)
        for row in range(down):
            line = "".join(
                f"{start} {text}" + " " * (cell - _cells(mark) - 1 - _cells(text))
                for text in cleaned[row::down]
            )
            self._lines.append(line.rstrip())

    def parts(self, parts: Iterable[tuple[str, str]], *, indent: int, between: str = "   ") -> None:
        """Set styled parts side by side, breaking only between them."""
        line, used = "", 0
        for text, style in parts:
            if used and indent + used + len(between) + _cells(text) > self.width:
                self._lines.append(" " * indent + line)
                line, used = "", 0
            gap = between if used else ""
            line += gap + self._styled(text, style)
            used += len(gap) + _cells(text)
        self._lines.append(" " * indent + line)

    def _clean(self, text: str, limit: int = SENTENCE_LIMIT) -> str:
        shown = visible(text, limit=limit)
        if self._encoding is None:
            return shown
        return shown.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._color and style and text else text


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _wrap(text: str, width: int) -> list[str]:
    """Break ``text`` into lines of at most ``width`` cells, inside a word only if it must be.

    An address is never broken, so that it can be clicked and copied; the terminal will wrap it.
    """
    if _cells(text) <= width:
        return [text]
    lines: list[str] = []
    line, used = "", 0
    for word in text.split(" "):
        size = _cells(word)
        if used and used + 1 + size <= width:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if used:
            lines.append(line)
        *full, line = _chop(word, width) if size > width and "://" not in word else [word]
        lines.extend(full)
        used = _cells(line)
    return [*lines, line]


def _chop(word: str, width: int) -> list[str]:
    """Cut ``word`` into pieces of at most ``width`` cells; combining marks stay with their base."""
    if word.isascii():
        return [word[start : start + width] for start in range(0, len(word), width)]
    pieces, used = [""], 0
    for character in word:
        size = get_character_cell_size(character)
        if used + size > width:
            pieces.append("")
            used = 0
        pieces[-1] += character
        used += size
    return pieces


def _head(page: _Page, report: Report) -> None:
    when = in_utc(report.started_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    page.say(f"ComfyWatchman on {report.host}, {when}", style=_BOLD)
    for alarm in report.alarms:
        page.say(f"ALARM: {alarm}", mark="!", mark_style=_ALARM, style=_BOLD)
    if report.outcome != "done":
        page.say(f"{report.outcome}: {report.reason}", mark="!", mark_style="33", style=_BOLD)
        return
    server = server_phrase(report.server)
    page.say(f"{server}, {plural(report.server.node_types, 'node type')}", style=_DIM)
    if report.asked_server:
        page.say(asked_phrase(report), style=_DIM)
    page.blank()
    counts = [(verdict, getattr(report.summary, verdict)) for verdict in READING_ORDER]
    page.parts(
        [
            (f"{page.symbols[verdict]} {number:,} {verdict}", _VERDICT_STYLE[verdict])
            for verdict, number in counts
            if number
        ]
        or [("no workflows found", _BOLD)],
        indent=2,
    )
    if report.summary.total:
        room = min(page.width - 4, 60)
        page.parts(
            [
                (page.bar[verdict] * length, _VERDICT_STYLE[verdict])
                for (verdict, _), length in zip(
                    counts, proportions([number for _, number in counts], room), strict=True
                )
                if length
            ],
            indent=2,
            between="",
        )


def _shared(page: _Page, contents: Digest) -> None:
    if not contents.shared:
        return
    page.heading("Fix first: problems that workflows share")
    for shared in contents.shared:
        page.say(
            f"{shared.message} ({plural(len(shared.workflows), 'workflow')})",
            mark=f"{shared.number:>2}",
            mark_style=_BOLD,
        )
        if shared.fix:
            page.say(shared.fix, indent=3, mark=page.symbols["fix"], mark_style=_CYAN)


def _entries(
    page: _Page,
    verdict: Verdict,
    entries: list[Entry],
    known: dict[tuple[tuple[str, str], str | None], int],
) -> None:
    symbol, style = page.symbols[verdict], _VERDICT_STYLE[verdict]
    silent: list[str] = []
    for entry in entries:
        workflow = entry.workflow
        if verdict is Verdict.RUNNABLE and not entry.problems:
            silent.append(workflow.name)
            continue
        page.blank()
        page.say(workflow.name, style=_BOLD, mark=symbol, mark_style=style, limit=NAME_LIMIT)
        if workflow.accepted:
            page.say(accepted.in_words(workflow.accepted), indent=2, style=_CYAN)
        if verdict is Verdict.PARTIAL:
            page.say(_outputs(workflow.outputs_lost), indent=2, mark="lost:", mark_style=style)
            page.say(_outputs(workflow.outputs), indent=2, mark="still runs:", mark_style="32")
        for problem in entry.problems[:PROBLEM_LIMIT]:
            _problem(page, problem, known.get((problem.shared_by, problem.fix)))
        if len(entry.problems) > PROBLEM_LIMIT:
            page.say(f"and {len(entry.problems) - PROBLEM_LIMIT:,} more", indent=2, style=_DIM)
        if verdict is Verdict.UNKNOWN:
            for sentence in workflow.not_checked[:BLIND_SPOT_LIMIT]:
                page.say(sentence, indent=2, mark=symbol, mark_style=style)
    if silent:
        page.blank()
        page.columns(silent, mark=symbol, mark_style=style)


def _accepted(page: _Page, report: Report, contents: Digest) -> None:
    entries = [entry for _, entry in contents.accepted]
    if entries:
        page.heading(f"Accepted ({len(entries):,})", _CYAN)
        for entry in entries:
            _entries(page, entry.workflow.verdict, [entry], {})
    results = accepted.worth_showing(report)
    if results:
        page.heading(accepted.HEADING)
        for result in results[: accepted.RESULT_LIMIT]:
            page.say(result.text, mark="!", mark_style="33")
        if len(results) > accepted.RESULT_LIMIT:
            page.say(f"and {len(results) - accepted.RESULT_LIMIT:,} more", style=_DIM, indent=2)


def _problem(page: _Page, problem: Problem, number: int | None) -> None:
    symbol = page.symbols[problem.severity]
    page.say(problem.message, indent=2, mark=symbol, mark_style=_SEVERITY_STYLE[problem.severity])
    for text in problem.also[:ALSO_LIMIT]:
        page.say(text, indent=4, mark=page.symbols[Severity.INFO])
    where = "; ".join(
        f" {page.symbols[Severity.INFO]} ".join(filter(None, (place.node, place.input)))
        for place in problem.places
    )
    page.say(f"{problem.code}: {where}" if where else problem.code, indent=4, style=_DIM)
    if problem.fix:
        fix = f"see {number} at the top" if number else problem.fix
        page.say(fix, indent=4, mark=page.symbols["fix"], mark_style=_CYAN)


def _outputs(outputs: Iterable[Output]) -> str:
    return ", ".join(f"{output.node_type} #{output.node_id}" for output in outputs)


def _not_checked(page: _Page, contents: Digest) -> None:
    if contents.not_checked:
        page.heading("Not checked")
        for sentence, workflows in contents.not_checked[:BLIND_SPOT_LIMIT]:
            where = f" ({plural(workflows, 'workflow')})" if workflows else ""
            page.say(sentence + where, mark=page.symbols[Severity.INFO])
        if len(contents.not_checked) > BLIND_SPOT_LIMIT:
            page.say(
                f"and {len(contents.not_checked) - BLIND_SPOT_LIMIT:,} more", style=_DIM, indent=2
            )
