"""Patterns that leave files out, as in a ``.gitignore``.

pathspec translates the patterns; which of them counts is decided here, entry by entry as git does,
since pathspec takes what a folder's pattern says for what it says of each file below the folder.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BELOW = "ps_d"
"""The group of pathspec's expressions that ends what stands for a folder."""


class Exclusion:
    """What a list of patterns leaves out; the last one that matches counts.

    Args:
        patterns: each as a line of a ``.gitignore``: ``drafts/``, ``*_old.json``, ``!keep.json``.

    Raises:
        ValueError: git would make nothing of one of them.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rules = [rule for text in patterns if (rule := _rule(text)) is not None]
        self._rules.reverse()

    def leaves_out(self, path: str, *, is_folder: bool = False) -> bool:
        """Say whether an entry is left out, for itself or with a folder that it lies in.

        Args:
            path: relative to the folder that the patterns are for, POSIX.
            is_folder: whether it is a folder.
        """
        if not self._rules:
            return False
        parts = path.split("/")
        folders = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return any(self.names(f, is_folder=True) for f in folders) or self.names(
            path, is_folder=is_folder
        )

    def names(self, path: str, *, is_folder: bool) -> bool:
        """Say the same of an entry for itself, whatever the folders that it lies in."""
        entry = path.replace("\n", "\r")  # the expressions take a line break for an end
        for leaves_out, expression in self._rules:
            if _matches(expression, entry, is_folder=is_folder):
                return leaves_out
        return False


def _matches(expression: re.Pattern[str], entry: str, *, is_folder: bool) -> bool:
    if _BELOW not in expression.groupindex:  # everything, or what is below a folder: `a/**`
        return expression.search(entry) is not None
    if not expression.pattern.startswith("^"):  # every folder: `*/`
        return is_folder
    return expression.fullmatch(f"{entry}/" if is_folder else entry) is not None


def _rule(text: str) -> tuple[bool, re.Pattern[str]] | None:
    """What one line says, and of what; None for a comment or an empty line."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    if not text.isprintable():
        raise ValueError(f"{text!r} is no pattern: it is not one line of plain text")
    if not text.strip() or text.startswith("#"):
        return None
    if text.endswith("/**/"):  # every folder below; pathspec would take the folder itself too
        text += "*/"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pattern = GitIgnoreSpecPattern(text)
    except (ValueError, re.error, Warning):
        pattern = None
    if pattern is None or pattern.regex is None:
        raise ValueError(
            f"{text!r} is no pattern as in a .gitignore, such as drafts/ or *_old.json"
        )
    return bool(pattern.include), pattern.regex
