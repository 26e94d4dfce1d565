"""Text for a terminal: lines that fit its width, its encoding and its colours."""

from __future__ import annotations

import codecs
import os
import shutil
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len, get_character_cell_size, set_cell_size

from comfywatchman.escape import NAME_LIMIT, SENTENCE_LIMIT, visible
from comfywatchman.report.digest import READING_ORDER
from comfywatchman.results import Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NARROWEST = 48
_WIDEST = 110  # of running text: longer lines are hard to read

PLAIN = ""
BOLD = "1"
DIM = "2"
CYAN = "36"
ALARM = "1;31"
VERDICT_STYLE = {
    Verdict.BROKEN: "31",
    Verdict.PARTIAL: "33",
    Verdict.UNKNOWN: "35",
    Verdict.RUNNABLE: "32",
}
SEVERITY_STYLE = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: DIM}

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


class Page:
    """Lines of at most ``width`` cells.

    Args:
        width: columns to fill; fewer than 48 are taken as 48.
        color: use ANSI colours.
        encoding: the text can be encoded in it; what it lacks is escaped, symbols are replaced.
    """

    def __init__(self, *, width: int, color: bool, encoding: str) -> None:
        self.width = max(width, _NARROWEST)
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

    def heading(self, title: str, style: str = PLAIN) -> None:
        """Begin a part, with a rule behind its title."""
        rule = self.symbols["rule"]
        filler = rule * (min(self.width, _WIDEST) - _cells(title) - 4)
        self.blank()
        self._lines.append(self._styled(f"{rule * 2} {title} {filler}", f"1;{style}".rstrip(";")))
        self._headed = len(self._lines)

    def say(
        self,
        text: str,
        *,
        style: str = PLAIN,
        indent: int = 0,
        mark: str = "",
        mark_style: str = PLAIN,
        limit: int = SENTENCE_LIMIT,
    ) -> None:
        """Wrap ``text``, after ``mark`` and with its further lines below its first."""
        lead = f"{mark} " if mark else ""
        room = min(self.width, _WIDEST) - indent - _cells(lead)
        for number, line in enumerate(_wrap(self._clean(text, limit), room)):
            start = self._styled(lead, mark_style) if number == 0 else " " * _cells(lead)
            self._lines.append(" " * indent + start + self._styled(line, style))

    def row(self, text: str, *, style: str = PLAIN) -> None:
        """A line of a table as it is, cut where the page ends."""
        shown = self._clean(text)
        if _cells(shown) > self.width:
            shown = set_cell_size(shown, self.width)
        self._lines.append(self._styled(shown.rstrip(), style))

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


def page_for(stream: TextIO) -> Page:
    """A page as suits ``stream``: its width, its encoding, colour if it takes any.

    Colour is used on a terminal unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``.
    """
    is_terminal = stream.isatty()
    color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((100, 24)).columns if is_terminal else 100
    return Page(width=width, color=color, encoding=stream.encoding or "utf-8")


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
