"""What was found of model files, from one cycle to the next."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman import state_files
from comfywatchman.comfyui.model_files import ModelFile
from comfywatchman.modelfiles.answers import Answers
from comfywatchman.modelfiles.condition import Condition

if TYPE_CHECKING:
    from pathlib import Path

FILE = ModelFile("vae", "a.safetensors", "/models/vae/a.safetensors", 10, 20, 30, 1, 40)
CUT = Condition("model_truncated", "safetensors", "it is cut off", lacking=7)
LATER = 10**10


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / state_files.MODEL_ANSWERS


def keep(kept: Path, *found: tuple[ModelFile, Condition], whole: bool = True) -> None:
    answers = Answers(kept, "program")
    conditions = {file.path: condition for file, condition in found}
    assert answers.keep(conditions, [file for file, _ in found], LATER, whole=whole) is None


@pytest.mark.parametrize(
    "condition", [CUT, Condition(), Condition(format="gguf"), Condition("x", oid="0", oid_size=3)]
)
def test_what_was_found_holds_while_the_file_is_as_it_was(kept: Path, condition: Condition) -> None:
    keep(kept, (FILE, condition))
    assert Answers(kept, "program").get(FILE) == condition
    assert Answers(kept, "program").get(replace(FILE, dev=2)) == condition


@pytest.mark.parametrize("what", ["size", "mtime_ns", "ctime_ns", "inode", "path"])
def test_a_file_that_changed_is_not_known(kept: Path, what: str) -> None:
    keep(kept, (FILE, CUT))
    changed: Any = {what: "/other" if what == "path" else 99}
    assert Answers(kept, "program").get(replace(FILE, **changed)) is None


def test_another_program_finds_all_of_it_anew(kept: Path) -> None:
    keep(kept, (FILE, CUT))
    other = Answers(kept, "newer")
    assert other.get(FILE) is None
    assert other.damage is None


@pytest.mark.parametrize("code", ["model_download_unfinished", "model_unreadable"])
def test_what_may_be_otherwise_soon_is_not_kept(kept: Path, code: str) -> None:
    keep(kept, (FILE, CUT))
    keep(kept, (FILE, Condition(code)))
    assert Answers(kept, "program").get(FILE) is None


@pytest.mark.parametrize("what", ["mtime_ns", "ctime_ns"])
def test_what_changed_just_now_is_not_kept(kept: Path, what: str) -> None:
    young: Any = {what: LATER - 10**9}
    file = replace(FILE, **young)
    keep(kept, (file, CUT))
    assert Answers(kept, "program").get(file) is None


def test_a_time_that_is_to_come_is_as_good_as_one_that_is_over(kept: Path) -> None:
    file = replace(FILE, mtime_ns=9 * LATER)
    keep(kept, (file, CUT))
    assert Answers(kept, "program").get(file) == CUT


def test_what_is_not_there_any_more_is_let_go_of(kept: Path) -> None:
    keep(kept, (FILE, CUT))
    other = replace(FILE, path="/other")
    keep(kept, (other, CUT), whole=False)
    assert Answers(kept, "program").get(FILE) == CUT
    keep(kept, (other, CUT))
    assert Answers(kept, "program").get(FILE) is None
    assert Answers(kept, "program").get(other) == CUT


def test_nothing_is_written_where_nothing_changed(kept: Path) -> None:
    keep(kept, (FILE, CUT))
    before = kept.stat()
    answers = Answers(kept, "program")
    assert answers.keep({}, [FILE], LATER, whole=True) is None
    assert kept.stat().st_ino == before.st_ino


def test_a_name_that_is_no_text_costs_the_others_nothing(kept: Path) -> None:
    odd = replace(FILE, path="/models/\udcff")
    keep(kept, (FILE, CUT), (odd, CUT))
    assert Answers(kept, "program").get(FILE) == CUT
    assert Answers(kept, "program").get(odd) is None


@given(damage=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_set_aside_and_said(kept: Path, damage: bytes) -> None:
    kept.write_bytes(damage)
    answers = Answers(kept, "program")
    assert answers.get(FILE) is None
    assert answers.damage is not None
    assert "was damaged" in answers.damage
    assert kept.with_name(f"{kept.name}.damaged").read_bytes() == damage
    assert Answers(kept, "program").damage is None


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"program": "program"},
        {"program": "program", "files": []},
        *(
            {"program": "program", "files": {FILE.path: entry}}
            for entry in (
                5,
                [],
                [[10, 20, 30, 40], 5],
                [[10, 20, 30, 40], ["model_truncated", "", 3, None, None, None, None]],
                [[10, 20, 30, 40], ["model_truncated", "", "", "7", None, None, None]],
                [[10, 20, 30, 40], [None]],
            )
        ),
    ],
    ids=count(),
)
def test_what_was_written_by_somebody_else_is_no_answer(kept: Path, document: object) -> None:
    content = orjson.dumps(document)
    kept.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    answers = Answers(kept, "program")
    assert answers.get(FILE) is None
    assert answers.keep({}, [FILE], LATER, whole=True) is None


def test_a_file_that_cannot_be_read_or_written_is_a_sentence(kept: Path) -> None:
    kept.mkdir()
    answers = Answers(kept, "program")
    assert answers.damage is not None
    assert "cannot be read" in answers.damage
    trouble = answers.keep({FILE.path: CUT}, [FILE], LATER, whole=True)
    assert trouble is not None
    assert "is not kept" in trouble
    assert Answers(None, "program").keep({FILE.path: CUT}, [FILE], LATER, whole=True) is None
