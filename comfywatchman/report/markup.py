"""Text that others wrote, as GitHub-flavoured Markdown in which nothing acts."""

from __future__ import annotations

import re
from functools import lru_cache

from comfywatchman.escape import NAME_LIMIT, SENTENCE_LIMIT, visible

# A word that means nothing to any reader of Markdown: no mark-up, address, mention or reference.
_PLAIN_WORD = re.compile(r"[\w.,;?'\"()%=+→-]*:?", re.ASCII)
_NOT_PLAIN = re.compile(
    r"_|www\.|gh-\d|%\w"  # emphasis, addresses, references to issues and milestones
    r"|^[+-]$|^\d+[.)]$|^-{2,}"  # lists and rules
    r"|\.[a-z]\w",  # names of files: they read better as code
    re.IGNORECASE,
)
_AROUND = re.compile(r"(['\"(]*)(.*?)([.,;:?)'\"]*)")
_QUOTED = re.compile(r"(?<!\S)'([^']+)'(?=[.,;:)]*(?:\s|$))")
_BACKTICKS = re.compile("`+")


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
