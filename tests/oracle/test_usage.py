"""Which model files saved workflows name, searched as text: none that a node holds is missed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.names import last_part
from comfywatchman.modelfiles.usage import Vocabulary
from tests.oracle import recorded
from tests.standin.comfyui import recorded as answers

if TYPE_CHECKING:
    from collections.abc import Iterator


def texts(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from texts(value)


def test_every_value_that_is_a_models_name_is_found() -> None:
    files = [
        (path.removeprefix("/models/"), name)
        for path, names in answers("full").items()
        if path.startswith("/models/")
        for name in names
    ]
    vocabulary = Vocabulary(files)
    known = {last_part(name) for _, name in files}
    found = 0
    for row in recorded.lines("workflows"):
        held = {last_part(text) for text in texts(row["workflow"])} & known
        named = vocabulary.named_in(json.dumps(row["workflow"]).encode())
        assert held <= {last_part(key) for key in named.whole | named.last}
        found += len(held)
    assert found > 1_000
