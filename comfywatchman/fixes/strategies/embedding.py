"""An embedding that a text names with other slashes, other case, or where it is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from comfywatchman.checks.missing_embedding import MARK, MISSING_EMBEDDING
from comfywatchman.comfyui.names import Names
from comfywatchman.findings import quoted
from comfywatchman.fixes.candidate import Candidate, set_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 55

_ENDINGS: Final = (".safetensors", ".pt", ".bin")


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Name it in the text as the server lists it."""
    text, embeddings = fault.wanted, fault.here.world.inventory.embeddings
    if fault.finding.code != MISSING_EMBEDDING.name or text is None or embeddings is None:
        return
    wanted = fault.finding.subject.name
    bare = wanted
    for suffix in _ENDINGS:
        bare = bare.removesuffix(suffix)
    meant = Names(sorted(embeddings)).same_file(bare)
    named = re.compile(rf"{MARK}{re.escape(wanted)}(?![^\s,:()|{{}}])")
    if meant is not None and named.search(text):
        after = named.sub(lambda _: f"{MARK}{meant}", text)
        yield set_to(fault, after, f"the server has the embedding {quoted(meant)}")
