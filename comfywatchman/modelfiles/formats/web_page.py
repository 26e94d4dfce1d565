"""A web page that was saved in place of a model: a login page, an error page, a preview."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.masking import without_secrets
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.modelfiles.source import Source

NAME: Final = ""
WORDS: Final = "a web page"
ENDINGS: Final = ()

PAGE = declare(
    "model_is_html",
    Severity.WARNING,
    title="Web page in place of a model",
    explanation="What was downloaded is not the model but a page for people: that one has to log "
    "in (Civitai, gated models on Hugging Face), that the address is wrong, or the page about "
    "the model. No loader can read it.",
    remedy="Download the model again by the address of the file itself: on Hugging Face the one "
    "with `/resolve/` in it, not `/blob/`; on Civitai with an API key. Where it is given out to "
    "those only who accepted its licence, accept it first.",
)

_RIGHTLY: Final = (".html", ".htm", ".xhtml", ".xml", ".svg", ".md", ".txt")
_BEGINS: Final = re.compile(
    rb"<(?:!doctype|html|head|body|title|script|meta|!--|\?xml)", re.IGNORECASE
)
_TITLE: Final = re.compile(
    rb"<title[^>]{0,200}>([^<]{1,300})|<(?:Message|Code)>([^<]{1,300})", re.IGNORECASE
)
_MARK: Final = b"\xef\xbb\xbf"


def recognised(source: Source) -> bool:
    """Whether it begins as a page, or as what a store of files sends in place of one."""
    return _BEGINS.match(source.head.removeprefix(_MARK).lstrip()) is not None


def inspect(source: Source) -> Condition:
    """Say which page it is."""
    if source.ending in _RIGHTLY:
        return Condition()
    title = _TITLE.search(source.head)
    words = html.unescape((title[1] or title[2]).decode(errors="replace")) if title else ""
    named = f" with the title {quoted(without_secrets(' '.join(words.split())))}" if words else ""
    return Condition(PAGE.name, detail=f"it is a web page{named}")
