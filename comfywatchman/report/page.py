"""What the pages for a browser have in common: one file, nobody else's style or script."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from comfywatchman.escape import NAME_LIMIT, SENTENCE_LIMIT, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.resources.abc import Traversable

_TEMPLATES = files(__package__) / "templates"
STYLE = _TEMPLATES / "report.css"
"""Colours, light and dark, and what a page is made of."""
THEME = _TEMPLATES / "theme.js"
"""The button that changes between light and dark."""
ELEMENTS = _TEMPLATES / "elements.js"
"""How pages that draw themselves make their elements; it comes after the theme."""


def environment(templates: Traversable) -> Environment:
    """Jinja with autoescape on, in which what is hidden in a text is made visible.

    Args:
        templates: a folder, which may be inside a wheel that was never unpacked.
    """
    made = Environment(
        loader=FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        keep_trailing_newline=True,
    )
    made.filters.update(name=_name, sentence=_sentence)
    return made


def inline(styles: Iterable[Traversable], scripts: Iterable[Traversable]) -> Mapping[str, str]:
    """Style and script of ours to put into the page, and the hashes that let the page use them.

    Returns:
        ``style``, ``style_hash``, ``script`` and ``script_hash``.
    """
    style, script = (
        "".join(file.read_text(encoding="utf-8") for file in files) for files in (styles, scripts)
    )
    return {
        "style": Markup(style),  # noqa: S704  (ours, not a workflow's)
        "style_hash": _hash(style),
        "script": Markup(script),  # noqa: S704
        "script_hash": _hash(script),
    }


def embedded(value: Any) -> Markup:
    """JSON that can stand in a ``script`` element: nothing in it ends the element or begins one."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  (escaped just now)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _visible(value: Any) -> Any:
    """What autoescape is given of each expression; Markup is our own, or escaped already."""
    return visible(value) if type(value) is str else value


@lru_cache(4096)
def _name(text: str) -> Markup:
    return escape(visible(text, limit=NAME_LIMIT))


@lru_cache(4096)
def _sentence(text: str) -> Markup:
    return escape(visible(text, limit=SENTENCE_LIMIT))
