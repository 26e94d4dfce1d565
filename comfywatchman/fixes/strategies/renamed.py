"""A file of the same content under another name, by what is known of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.fixes.here import Content
from comfywatchman.fixes.strategies.moved import MOST
from comfywatchman.modelfiles.expected import beside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.fixes.fault import Fault

ORDER: Final = 60

_TELLING: Final = 1024**2
"""Files of fewer bytes have one size by chance."""


def _noted(file: ModelFile) -> str | None:
    """What a file holds by the notes beside it, if these are of one mind and not older than it."""
    said = {each.sha256 for each in beside(file) if not each.older}
    return said.pop()[0] if len(said) == 1 else None


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Set it to that name; where only the size is known, a person has to say whether it is one."""
    wanted, folder, choices = fault.wanted, fault.folder, fault.choices
    if wanted is None or folder is None or choices is None:
        return
    expected = fault.expected
    if expected.sha256 is None and (expected.size or 0) < _TELLING:
        return
    files = fault.here.files_in.get(folder, {})
    same, as_large = [], []
    for name in choices.files:
        seen = files.get(name)
        known = fault.here.contents.get((folder, name), Content())
        sha256 = known.sha256
        if sha256 is None and seen is not None and expected.sha256 is not None:
            sha256 = _noted(seen)
        size = seen.size if seen is not None else known.size
        if sha256 is not None and expected.sha256 is not None:
            if sha256 == expected.sha256:
                same.append(name)
        elif size is not None and size == expected.size and size >= _TELLING:
            as_large.append(name)
    for name in sorted(same)[:MOST]:
        yield set_to(fault, name, "its content is that of the wanted file (SHA-256)")
    if not same:
        for name in sorted(as_large)[:MOST]:
            yield set_to(fault, name, "it has exactly as many bytes as the wanted file", ask=True)
