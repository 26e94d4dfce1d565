"""The ledger, and what came of verifying, for people: lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.modelfiles.model import NOT_FOUND, NOT_LOOKED_AT, WELL, Outcome
from comfywatchman.report.digest import plural
from comfywatchman.report.terminal import ALARM, BOLD, DIM, PLAIN

if TYPE_CHECKING:
    from comfywatchman.modelfiles.model import (
        Ledger,
        LedgerFile,
        LedgerWorkflow,
        Verification,
        VerifiedFile,
    )
    from comfywatchman.report.terminal import Page

MOST: Final = 40
"""Lines of each kind; the page and the JSON form have them all."""
_WIDTH: Final = 80
_STATE: Final = 19
"""The longest state: ``download unfinished``."""
_GIB: Final = 1024**3
_FINE: Final = (WELL, NOT_LOOKED_AT)
_STATES: Final = {NOT_LOOKED_AT: "not looked at", NOT_FOUND: "not found here"}


def gib(size: int | None) -> str:
    """A size for people: ``6.46 GiB``, ``3.1 MiB``; ``?`` where it is not known."""
    if size is None:
        return "?"
    if size < 1024**2 // 10:
        return f"{size / 1024:,.1f} KiB" if size else "0"
    if size < _GIB // 100:
        return f"{size / 1024**2:,.1f} MiB"
    return f"{size / _GIB:,.2f} GiB"


def in_all(files: int, size: int) -> str:
    """So many files with so many bytes; of files that lie nowhere, no size is known."""
    return f"{plural(files, 'file')}, {gib(size) if size or not files else 'of unknown size'}"


def counted(ledger: Ledger) -> str:
    """What the words 'not named' rest on: ``12 workflows were read, 1 could not be, 2 are …``."""
    read, unread = ledger.workflows_read, ledger.workflows_unread
    were = "was" if read == 1 else "were"
    are = "is" if ledger.workflows_excluded == 1 else "are"
    return (
        f"{plural(read, 'workflow')} {were} read, {unread:,} could not be, "
        f"{ledger.workflows_excluded:,} {are} excluded"
    )


def in_words(state: str) -> str:
    """A state for people."""
    return _STATES.get(state, state.removeprefix("model_").replace("_", " "))


def render(ledger: Ledger, page: Page, page_at: str = "") -> str:
    """The ledger as text that ends with a newline.

    Args:
        ledger: what is shown.
        page: takes the lines.
        page_at: where the page for a browser is, if it was written.
    """
    files = ledger.files
    page.say(
        f"{plural(len(files), 'model file')}, {gib(ledger.total_bytes)} in all; {counted(ledger)}",
        style=BOLD,
    )
    page.say(f"as {ledger.source} lists them", style=DIM)
    wrong = [file for file in files if file.state not in (*_FINE, NOT_FOUND)]
    named = [file for file in files if file.named_by]
    others = [file for file in files if not file.named_by]
    _table(page, "Not as they should be", wrong, style=ALARM, detail=True)
    _table(page, "Named by workflows", sorted(named, key=_by_use))
    _table(
        page,
        "Not named by any workflow that was read",
        sorted(others, key=_by_size),
        note=f"{in_all(ledger.not_named, ledger.not_named_bytes)}; "
        f"{counted(ledger)}: what these name, and what is named elsewhere, is not known here",
    )
    _same(page, ledger)
    _missing(page, ledger)
    if ledger.not_checked:
        page.heading("Not seen")
        for sentence in ledger.not_checked:
            page.say(sentence, mark=page.symbols["rule"])
    page.blank()
    if page_at:
        page.say(f"All of it, to be filtered: {page_at}", style=DIM)
    return page.text()


def _by_use(file: LedgerFile) -> tuple[int, int, str, str]:
    return -len(file.named_by), -(file.size or 0), file.folder, file.name


def _by_size(file: LedgerFile) -> tuple[int, str, str]:
    return -(file.size or 0), file.folder, file.name


def _table(
    page: Page,
    title: str,
    files: list[LedgerFile],
    *,
    note: str = "",
    style: str = PLAIN,
    detail: bool = False,
) -> None:
    if not files:
        return
    page.heading(f"{title} ({len(files):,})", style)
    if note:
        page.say(note, style=DIM)
    page.row(f"      SIZE  USES  {'STATE':<{_STATE}}  FILE", style=DIM)
    for file in files[:MOST]:
        state = f"{in_words(file.state):<{_STATE}.{_STATE}}"
        start = f"{gib(file.size):>10}  {len(file.named_by):>4,}  {state}  "
        page.row(start + _cut(f"{file.folder}/{file.name}", _WIDTH - len(start)))
        if detail and file.detail:
            page.say(file.detail, indent=len("      SIZE  USES  "), style=DIM)
    _more(page, files)


def _more(page: Page, shown: list[LedgerFile]) -> None:
    if len(shown) > MOST:
        page.say(f"and {len(shown) - MOST:,} more: see the page, or --format json", style=DIM)


def _same(page: Page, ledger: Ledger) -> None:
    if not ledger.same:
        return
    page.heading(f"One content under several names ({len(ledger.same):,})")
    for group in ledger.same[:MOST]:
        names = [f"{ledger.files[n].folder}/{ledger.files[n].name}" for n in group.files]
        how = "links, counted once" if group.kind == "linked" else "copies by their SHA-256"
        page.row(f"{gib(group.size):>10}  {how}")
        for name in names[:MOST]:
            page.row(f"{'':12}{_cut(name, _WIDTH - 12)}")


def _missing(page: Page, ledger: Ledger) -> None:
    lack = [each for each in ledger.workflows if each.missing or each.bytes_missing]
    heavy = sorted(ledger.workflows, key=_by_need)[:MOST]
    if lack or any(each.bytes_needed for each in heavy):
        page.heading("What workflows need")
        page.row("    NEEDED    LARGEST    MISSING  WORKFLOW", style=DIM)
        shown_ones = {each.path: each for each in (*heavy, *lack[:MOST])}
        for each in sorted(shown_ones.values(), key=_by_need):
            largest = None if each.largest is None else ledger.files[each.largest].size
            missing = gib(each.bytes_missing) if each.bytes_missing else ""
            if any(model.size is None for model in each.missing):
                missing = f">{missing}" if missing else "some"
            shown = "" if each.largest is None else gib(largest)
            start = f"{gib(each.bytes_needed):>10} {shown:>10} {missing:>10}  "
            page.row(start + _cut(each.name, _WIDTH - len(start)))


def _by_need(workflow: LedgerWorkflow) -> tuple[int, str]:
    return -workflow.bytes_needed, workflow.name


def _cut(text: str, room: int) -> str:
    """A name in so many cells: what is cut off is its middle, as its end tells most."""
    shown = visible(text, limit=NAME_LIMIT)
    if cell_len(shown) <= room:
        return shown
    head = room // 3
    tail = shown[-(room - head - 1) :]
    while cell_len(tail) > room - head - 1:
        tail = tail[1:]
    return f"{set_cell_size(shown, head).rstrip()}~{tail}"


_CAME_OF_IT: Final = {
    Outcome.AGREES: "as is written down",
    Outcome.FIRST: "read for the first time",
    Outcome.DIFFERS: "not as is written down",
    Outcome.ROTTEN: "decayed",
    Outcome.CHANGED: "changed meanwhile",
    Outcome.UNREADABLE: "unreadable",
}


def verified(file: VerifiedFile) -> str:
    """A line about one file."""
    return f"{file.outcome.value}: {file.folder}/{file.name} ({gib(file.size)}): {file.text}"


def verification(found: Verification, page: Page) -> str:
    """What came of it all."""
    page.say(
        f"{plural(len(found.files), 'file')} read, {gib(found.bytes_read)}; {found.ended}",
        style=BOLD,
    )
    counts = {o: sum(f.outcome is o for f in found.files) for o in Outcome}
    told = (f"{number:,} {_CAME_OF_IT[o]}" for o, number in counts.items() if number)
    page.say(", ".join(told) or "none")
    if found.files_left:
        page.say(
            f"{plural(found.files_left, 'file')} left, {found.never_read:,} of them never read "
            "since they were last changed"
            + ("; the next run goes on" if found.files_left > found.too_large else "")
        )
    if found.too_large:
        page.say(f"{plural(found.too_large, 'file')} larger than the budget: never read with it")
    for sentence in found.not_checked:
        page.say(sentence, mark="!")
    return page.text()
