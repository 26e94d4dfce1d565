"""Looking into the model files of a host, as far as there is time."""

from __future__ import annotations

import os
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from comfywatchman.comfyui.model_files import ModelFile
from comfywatchman.modelfiles.answers import Answers
from comfywatchman.modelfiles.condition import Condition
from comfywatchman.modelfiles.looking import looked_into
from tests.unit.modelfiles import making
from tests.unit.modelfiles.files import listed, writing_to, written

SOUND = Condition(format="safetensors")
CUT = Condition("model_truncated", detail="it is cut off", lacking=7)


def file(name: str, folder: str = "vae", dev: int = 1, mtime_ns: int = 1) -> ModelFile:
    return ModelFile(folder, name, f"/{folder}/{name}", 10, mtime_ns, 1, dev, 4)


class Looker:
    """Looks, and remembers at what."""

    def __init__(self, condition: Condition = SOUND) -> None:
        self.paths: list[str] = []
        self._condition = condition

    def __call__(self, path: str, now: float) -> Condition:
        self.paths.append(path)
        return self._condition


def test_only_what_changed_is_opened(tmp_path: Path) -> None:
    files = [file("a.safetensors"), file("b.ckpt")]
    first, second = Looker(CUT), Looker()
    found = looked_into(files, Answers(tmp_path / "kept", "1"), 60, look=first)
    assert sorted(first.paths) == ["/vae/a.safetensors", "/vae/b.ckpt"]
    again = looked_into(files, Answers(tmp_path / "kept", "1"), 60, look=second)
    assert second.paths == []
    assert again.conditions == found.conditions
    assert (again.trouble, again.not_checked) == ([], [])


def test_what_matters_most_comes_first() -> None:
    files = [file(f"{n}.safetensors") for n in range(9)]
    look = Looker()
    looked_into(files, Answers(None, "1"), 60, look=look, first={"/vae/7.safetensors"})
    assert look.paths[0] == "/vae/7.safetensors"


def test_what_is_no_model_is_left_alone() -> None:
    files = [
        file("nodes.py", "custom_nodes"),
        file("a.safetensors", "custom_nodes"),
        file("a.yaml", "configs"),
        file("list.txt", "wildcards"),
        file("a.gguf", "unet_gguf"),
    ]
    look = Looker()
    assert [f.name for f in looked_into(files, Answers(None, "1"), 60, look=look).files] == [
        "a.gguf"
    ]
    assert look.paths == ["/unet_gguf/a.gguf"]


def test_what_is_left_is_said_and_done_next_time(tmp_path: Path) -> None:
    files = [file("a.safetensors"), file("b.safetensors")]
    found = looked_into(files, Answers(tmp_path / "kept", "1"), 0)
    assert found.conditions == {}
    (sentence,) = found.not_checked
    assert sentence.startswith("2 of 2 model files have not been looked into yet")
    assert "within 0 s" in sentence
    after = looked_into(files, Answers(tmp_path / "kept", "1"), 60, look=Looker())
    assert len(after.conditions) == 2
    assert after.not_checked == []


def test_a_mount_that_hangs_costs_the_time_there_is_and_no_other_file(tmp_path: Path) -> None:
    answers = threading.Event()

    def look(path: str, now: float) -> Condition:
        if path.startswith("/nfs/"):
            answers.wait(60)
        return SOUND

    files = [file(f"{n}.safetensors", "nfs", dev=2) for n in range(3)]
    files += [file(f"{n}.safetensors") for n in range(3)]
    began = time.monotonic()
    found = looked_into(files, Answers(tmp_path / "kept", "1"), 0.2, look=look)
    took = time.monotonic() - began
    answers.set()
    assert took < 30
    assert set(found.conditions) == {f"/vae/{n}.safetensors" for n in range(3)}
    assert found.not_checked[0].startswith("3 of 6 model files")
    assert Answers(tmp_path / "kept", "1").get(files[-1]) == SOUND


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("a.ckpt", making.torch_zip()[:-60], "torch_not_zip"),
        ("a.pt", making.pickled()[:80], "model_truncated"),
        ("a.safetensors", making.weights()[:-9], "model_truncated"),
        ("a.safetensors", making.POINTER, "model_is_lfs_pointer"),
        ("a.ckpt", making.weights(), "model_extension_lies"),
    ],
    ids=count(),
)
def test_only_what_may_be_the_begin_of_a_file_and_grows_is_being_copied(
    tmp_path: Path, name: str, raw: bytes, code: str
) -> None:
    made = written(tmp_path / name, raw)
    answers = Answers(None, "1")
    with writing_to(made.path):
        found = looked_into([made], answers, 60, pause=0.2)
    is_begin = code in {"torch_not_zip", "model_truncated"}
    assert found.conditions[made.path].code == ("model_download_unfinished" if is_begin else code)
    made = listed(Path(made.path))
    assert looked_into([made], answers, 60, pause=0.2).conditions[made.path].code == code


def test_what_was_written_to_long_ago_is_not_waited_for(tmp_path: Path) -> None:
    made = written(tmp_path / "a.safetensors", making.weights()[:-9])
    os.utime(made.path, (1, 1))
    found = looked_into([listed(Path(made.path))], Answers(None, "1"), 60, pause=1e9)
    assert found.conditions[made.path].code == "model_truncated"


def test_what_cannot_be_watched_is_not_said_to_be_cut_off(tmp_path: Path) -> None:
    made = written(tmp_path / "a.safetensors", making.weights()[:-9])
    found = looked_into([made], Answers(None, "1"), 0.5, pause=60)
    assert found.conditions[made.path].code == "model_download_unfinished"


def test_real_files_are_opened(tmp_path: Path) -> None:
    empty = tmp_path / "a.safetensors"
    empty.touch()
    status = empty.stat()
    found = looked_into(
        [
            ModelFile("vae", empty.name, str(empty), 0, 1, 1, status.st_dev, status.st_ino),
            ModelFile("vae", "x.pt", str(tmp_path / "x.pt"), 0, 1, 1, status.st_dev, 1),
        ],
        Answers(None, "1"),
        60,
    )
    assert {c.code for c in found.conditions.values()} == {"model_empty", "model_unreadable"}
