"""The same model in another precision: a person has to say whether it will do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.names import looks_like_model, plain
from comfywatchman.fixes.candidate import Candidate, set_to
from comfywatchman.fixes.strategies.moved import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.fixes.fault import Fault

ORDER: Final = 80

_PRECISION: Final = re.compile(
    r"(?<![a-z0-9])(?:(?:mx|nv)?fp(?:4|6|8|16|32)|bf16|f16|f32|nf4|int[48]|w[48]a(?:4|8|16)"
    r"|e4m3(?:fn)?|e5m2|i?q[1-8](?:[_-](?:[01ksmlx]+|nl))*|scaled|mixed|fast|half|full|pruned)"
    r"(?![a-z0-9])"
)
_BETWEEN: Final = re.compile(r"[\s._-]+")


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Offer those of the files that differ from the wanted one in their precision only."""
    wanted = fault.wanted
    if wanted is None or fault.choices is None or not looks_like_model(wanted):
        return
    stem = _without_precision(wanted)
    models = filter(looks_like_model, fault.choices.files)
    alike = [name for name in models if name != wanted] if stem else []
    for name in sorted(n for n in alike if _without_precision(n) == stem)[:MOST]:
        yield set_to(fault, name, "it seems to be the same model in another precision", ask=True)


def _without_precision(name: str) -> str:
    last = plain(name).rpartition("/")[2]
    stem = last[: last.rfind(".")] if "." in last else last
    return _BETWEEN.sub(" ", _PRECISION.sub(" ", stem)).strip()
