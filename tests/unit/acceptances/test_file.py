"""Files of acceptances as people write them: each mistake is a sentence, and costs nothing else."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from comfywatchman.acceptances import file

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 25)
GOOD = """
[[accepted]]
id = "good"
workflow = "good.json"
reason = "known"
until = 2026-12-31
fingerprints = ["f1"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def entry(text: str = "", **instead: str) -> str:
    """An entry with other values, as TOML; one that is empty is left out."""
    values = {
        "id": '"bad"',
        "workflow": '"bad.json"',
        "reason": '"known"',
        "until": "2026-12-31",
        "fingerprints": '["f2"]',
        **instead,
    }
    lines = [f"{key} = {value}\n" for key, value in values.items() if value]
    return f"[[accepted]]\n{''.join(lines)}{text}\n"


def problems(config: Path, text: str) -> list[str]:
    """What is wrong, without the file's name; the entry that is good is heeded all the same."""
    own = file.own_file(config)
    own.write_text(text + GOOD)
    known = file.read(config, TODAY)
    assert [e.id for e in known.entries] == ["good"]
    assert all(p.text.startswith(f"{own}: ") for p in known.problems)
    return [p.text.removeprefix(f"{own}: ") for p in known.problems]


def test_both_files_are_read_and_told_apart(config: Path) -> None:
    assert file.read(config, TODAY) == file.read(None, TODAY) == file.Known()
    file.own_file(config).write_text(GOOD)
    config.with_name("accepted.team.toml").write_text(
        entry(id='"theirs"', fingerprints="", faults='["f3"]', by='"lead"', code='"api_node"')
    )
    known = file.read(config, TODAY)
    assert known.problems == []
    theirs, own = known.entries
    assert (theirs.id, theirs.team, theirs.faults, theirs.by) == ("theirs", True, {"f3"}, "lead")
    assert theirs.code == "api_node"
    assert (own.id, own.team, own.fingerprints) == ("good", False, {"f1"})
    assert own.file == str(config.parent / "accepted.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entry(reason=""), "entry 1 (bad): reason is not there; say why it is accepted"),
        (
            entry(until=""),
            (
                "entry 1 (bad): until is not there; say until which day, 180 days ahead at "
                "most, such as until = 2026-12-31"
            ),
        ),
        (
            entry(until="2027-05-25"),
            (
                "entry 1 (bad): until = 2027-05-25: is more than 180 days ahead; choose "
                "2027-05-24 or an earlier day"
            ),
        ),
        (
            entry(until='"2026-12-31"'),
            (
                "entry 1 (bad): until = '2026-12-31': must be a day, without quotes and time, "
                "such as 2026-12-31"
            ),
        ),
        (
            entry(until="2026-12-31T10:00:00Z"),
            (
                "entry 1 (bad): until = 2026-12-31 10:00:00+00:00: must be a day, without "
                "quotes and time, such as 2026-12-31"
            ),
        ),
        (
            entry("untill = 2026-12-31"),
            (
                "entry 1 (bad): unknown key 'untill'; did you mean until?; correct its name or "
                "remove it"
            ),
        ),
        (entry(reason="7"), "entry 1 (bad): reason = 7: must be text, in quotes"),
        (entry(reason='"  "'), "entry 1 (bad): reason = '  ': must not be empty"),
        (
            entry(reason='"' + "x" * 1_001 + '"'),
            f"entry 1 (bad): reason = '{'x' * 79}…{'x' * 40}': must have at most 1,000 characters",
        ),
        (
            entry(id='"no spaces"'),
            (
                "entry 1: id = 'no spaces': must be up to 64 letters, digits, '.', '_' and '-', "
                "the first no mark"
            ),
        ),
        (
            entry(fingerprints=""),
            (
                "entry 1 (bad): neither fingerprints nor faults are there; name the errors that "
                "are accepted, as comfywatchman accept does"
            ),
        ),
        (
            entry(faults="[7]"),
            (
                "entry 1 (bad): faults = a list of 1 entry: must be a list of texts, as the "
                "JSON form of the report has them"
            ),
        ),
        (
            entry(workflow="0x" + "f" * 6_000),
            "entry 1 (bad): workflow = a huge integer: must be text, in quotes",
        ),
    ],
)
def test_a_mistake_is_named_with_its_remedy(config: Path, text: str, said: str) -> None:
    assert problems(config, text) == [said]


def test_an_id_is_given_once(config: Path) -> None:
    config.with_name("accepted.team.toml").write_text(entry(id='"theirs"'))
    own = file.own_file(config)
    own.write_text(GOOD + entry(id='"theirs"') + GOOD)
    known = file.read(config, TODAY)
    assert [e.id for e in known.entries] == ["theirs", "good"]
    assert [p.text for p in known.problems] == [
        (
            f"{own}: entry 2 (theirs): id = 'theirs': another entry of {config.parent}/"
            "accepted.team.toml is called so, and counts; give this one a name of its own"
        ),
        (
            f"{own}: entry 3 (good): id = 'good': another entry of {own} is called so, and counts; "
            "give this one a name of its own"
        ),
    ]


def test_all_mistakes_of_an_entry_are_told(config: Path) -> None:
    assert len(problems(config, entry(reason="", until="7"))) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[accepted]\n", "is not valid TOML: "),
        (b"a = " + b"[" * 5_000, "is not valid TOML: is nested too deep; correct it"),
        (b"a = " + b"9" * 5_000, "is not valid TOML: "),
        (b"\xff", "is not UTF-8 text (invalid start byte); save it as UTF-8"),
        (b"accepted = 7\n", "accepted: must be entries, each below a line [[accepted]]"),
        (b"accepted = [7]\n", "entry 1: must be a table, below a line [[accepted]]"),
        (b"acepted = 7\n", "unknown key 'acepted'; did you mean accepted?; correct its name"),
        (b"#" * (file.LARGEST + 1), "cannot be read: File too large; correct its permissions"),
    ],
)
def test_a_file_that_is_none_takes_the_other_not_with_it(
    config: Path, content: bytes, said: str
) -> None:
    team = config.with_name("accepted.team.toml")
    team.write_bytes(content)
    file.own_file(config).write_text(GOOD)
    known = file.read(config, TODAY)
    assert [e.id for e in known.entries] == ["good"]
    (problem,) = known.problems
    assert problem.text.startswith(f"{team}: {said}"), problem.text
    assert problem.team


def test_a_pipe_is_not_waited_for(config: Path) -> None:
    os.mkfifo(file.own_file(config))
    (problem,) = file.read(config, TODAY).problems
    assert "is not a regular file" in problem.text


def test_what_would_act_on_a_screen_is_made_visible(config: Path) -> None:
    text = '"\\u001b[2J\\u202e" = 1\n' + entry(workflow='"\\u001b]0;x"', reason='"a\\nb"', code="7")
    said = "".join(problems(config, text))
    assert said.isprintable()
