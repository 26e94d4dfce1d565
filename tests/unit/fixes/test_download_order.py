"""Which names a downloaded file may have: they come from the workflows of strangers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from comfywatchman.escape import visible
from comfywatchman.fixes.download_order import ENDINGS, name_trouble
from comfywatchman.fixes.part_file import ENDING, NOTE_ENDING

if TYPE_CHECKING:
    from collections.abc import Callable

STEMS = st.text(
    st.one_of(st.characters(), st.sampled_from("./\\ -~\0\n:\u202e\ud800aZ0")), max_size=99
)


def names() -> st.SearchStrategy[str]:
    join: Callable[[str, str], str] = "{}{}".format
    return st.one_of(STEMS, st.builds(join, STEMS, st.sampled_from(sorted(ENDINGS))))


@given(names())
@example("model.safetensors")
@example("..safetensors")
@example("a/../b.safetensors")
@example("\u00e9" * 94 + ".safetensors")
def test_whatever_passes_is_one_plain_name_of_a_model(name: str) -> None:
    if (trouble := name_trouble(name)) is not None:
        assert trouble.isprintable()
        return
    assert os.path.split(name) == ("", name)
    assert os.path.normpath(name) == name
    assert not set(name) & set('/\\<>:"|?*\0\n')
    assert name[0] not in ".-~ "
    assert visible(name) == name
    assert name.lower().endswith(tuple(ENDINGS))
    assert len(os.fsencode(name + max(ENDING, NOTE_ENDING, key=len))) <= 255
    assert os.fsdecode(os.fsencode(name)) == name
