"""Makes text that others wrote safe to show: names and values come from files nobody vetted."""

from __future__ import annotations

import re

from comfywatchman import redaction

NAME_LIMIT = 300
"""Characters shown of a name, an id or an address."""
SENTENCE_LIMIT = 1500
"""Characters shown of a message or a fix."""

_UNSHOWABLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters: newlines, the start of terminal sequences
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # invisible
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of what follows
    "\u2028\u2029"  # line and paragraph separators
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # interlinear annotations and tags
    "\ud800-\udfff"  # lone surrogates: JSON may hold them, UTF-8 cannot
    "]"
)


def visible(text: str, *, limit: int | None = None) -> str:
    r"""One line of ``text`` in which nothing is hidden and nothing acts on the reader's screen.

    Control, invisible and direction-changing characters and lone surrogates become ``\n``-like
    escapes (``\x1b``, ``\u202e``); everything else, backslashes too, stays as it is. The result can
    always be encoded as UTF-8. It is not yet safe in HTML or Markdown, which have their own rules.
    The credential for the server is hidden, before a part of it could be cut off.

    Args:
        text: any string.
        limit: cut it after so many characters of ``text`` and say how many were left out.
    """
    text = redaction.hide_text(text)
    if limit is not None and len(text) > limit:
        return f"{visible(text[:limit])}... ({len(text) - limit:,} more characters)"
    # Most texts are, and this is ten times as fast as the search.
    return text if text.isprintable() else _UNSHOWABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]
