"""What the server was asked, and what it answered: a file of the state folder.

A question is noted down before it is put. So one that brings the server down is put once, and of
one whose answer never came it can be found out later whether it was queued.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import state, state_files
from comfywatchman.judging.refusal import Refusal

if TYPE_CHECKING:
    from pathlib import Path

MOST_KEPT: Final = 5_000
"""Most answers that are kept; the oldest are let go of."""


class Answers:
    """The answers that a server gave, as long as its catalog stays as it is.

    Args:
        folder: the state folder. A file there that makes no sense is as good as none.
        catalog: digest of the catalog; answers that rest on another are not kept.
    """

    def __init__(self, folder: Path, catalog: str) -> None:
        self._file = folder / state_files.ANSWERS
        kept = _read(self._file)
        self._open: dict[str, None] = dict.fromkeys(kept["open"])
        same = kept["catalog"] == catalog
        self._catalog = catalog
        self._calibrated: bool | None = kept["calibrated"] if same else None
        self._asked: dict[str, Any] = kept["asked"] if same else {}

    @property
    def open(self) -> list[str]:
        """Ids of prompts of which it is not known what became of them."""
        return list(self._open)

    @property
    def calibrated(self) -> bool | None:
        """Whether the server refused the calibration as it must; None if that is not known."""
        return self._calibrated

    def has(self, question: str) -> bool:
        """Whether a question, by its digest, was put before."""
        return question in self._asked

    def get(self, question: str) -> Refusal | None:
        """The answer to a question, if one came."""
        answer = self._asked.get(question)
        return None if answer is None else Refusal.from_json(answer)

    def begin(self, question: str, prompt_id: str) -> None:
        """Note that a question is about to be put.

        Raises:
            OSError: it could not be noted, and so must not be put.
        """
        self._open[prompt_id] = None
        self._asked[question] = None
        self._save()

    def take_back(self, question: str, prompt_id: str) -> None:
        """Note that a question did not reach the server.

        Raises:
            OSError: it could not be noted.
        """
        del self._asked[question]
        self.close(prompt_id)

    def answered(self, question: str, prompt_id: str, refusal: Refusal) -> None:
        """Note an answer.

        Raises:
            OSError: it could not be noted.
        """
        self._asked[question] = refusal.as_json()
        self.close(prompt_id)

    def close(self, prompt_id: str) -> None:
        """Note that it is known what became of a prompt.

        Raises:
            OSError: it could not be noted.
        """
        self._open.pop(prompt_id, None)
        self._save()

    def calibrate(self, *, passed: bool) -> None:
        """Note how the server took the calibration; :meth:`answered` writes it down."""
        self._calibrated = passed

    def _save(self) -> None:
        while len(self._asked) > MOST_KEPT:
            del self._asked[next(iter(self._asked))]
        content = {
            "catalog": self._catalog,
            "calibrated": self._calibrated,
            "open": list(self._open),
            "asked": self._asked,
        }
        state.replace_file(self._file, json.dumps(content).encode())


def _read(file: Path) -> dict[str, Any]:
    try:
        kept = json.loads(state.read_file(file))
        for answer in kept["asked"].values():
            if answer is not None:
                Refusal.from_json(answer)
        if all(isinstance(i, str) for i in kept["open"]) and kept["calibrated"] in (
            None,
            True,
            False,
        ):
            return {key: kept[key] for key in ("catalog", "calibrated", "open", "asked")}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return {"catalog": None, "calibrated": None, "open": [], "asked": {}}
