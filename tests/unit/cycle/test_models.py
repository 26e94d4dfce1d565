"""What a cycle finds out of model files."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.model_files import Listing
from comfywatchman.cycle import models
from comfywatchman.judging import cache
from comfywatchman.modelfiles.answers import Answers
from tests.unit.modelfiles import making
from tests.unit.modelfiles.files import listed

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile


def model(path: Path) -> ModelFile:
    path.write_bytes(making.weights())
    os.utime(path, (1, 1))
    return replace(listed(path, "vae"), ctime_ns=1)


def test_a_folder_that_does_not_answer_costs_no_answers(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    near, far = model(tmp_path / "a.safetensors"), model(tmp_path / "b.safetensors")

    def cycle(listing: Listing) -> None:
        models.inspected([], listing, Inventory(), kept, 60, whole=True)

    cycle(Listing((near, far)))
    cycle(Listing((near,), blind={"loras": "a mount hangs"}))
    assert Answers(kept, cache.program()).get(far) is not None
    cycle(Listing((near,)))
    assert Answers(kept, cache.program()).get(far) is None
