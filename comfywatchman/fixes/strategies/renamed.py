"""A file of the same content under another name, by what is known of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.fixes.strategies.moved import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 60

_TELLING: Final = 1024**2
"""Files of fewer bytes have one size by chance."""


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
        known = fault.here.contents.get((folder, name))
        sha256 = known.sha256 if known is not None else None
        seen = files.get(name)
        size = seen.size if seen is not None else known.size if known is not None else None
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
