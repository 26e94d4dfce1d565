"""A folder that holds what no host should have sent."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman.errors import ConfigError
from comfywatchman.fleet import folder
from comfywatchman.fleet.survey import survey
from tests.unit.fleet.sample import NOW, host, inventory, packed, report, status, workflow, write

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.fleet.model import Host


def bad_one(at: Path) -> Host:
    """The host ``bad``, in a fleet in which ``good`` is to be unharmed."""
    fleet = survey(folder.read(at), NOW)
    states = {h.name: h for h in fleet.hosts}
    assert states["good"].state == "well"
    assert not fleet.well
    return states["bad"]


BOMB = packed(report({"a" * 1000: "runnable"}) | {"reason": "0" * 70 * 1024**2})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (json.dumps(host("bad")).encode()[:-40], "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b"[]", "is a list, not an object"),
        (json.dumps(host("bad", schema_version=2)).encode(), "update the controller"),
        (json.dumps(host("bad", schema_version=True)).encode(), "no schema version"),
        (json.dumps(host("bad", collected_at="now")).encode(), "is text, not a number"),
        (json.dumps(host("bad", collected_at=float("nan"))).encode(), "no finite number"),
        (json.dumps(host("bad", collected_at=None)).encode(), "does not say when it was given"),
        (json.dumps(host("bad", status=[])).encode(), "status is a list"),
        (json.dumps(host("bad", status=status() | {"now": None})).encode(), "what time it is"),
        (json.dumps(host("bad", status=status(timer="x"))).encode(), "timer is text"),
        (json.dumps(host("bad", status=status(last_run={}))).encode(), "has no outcome"),
        (json.dumps(host("bad", report={"zlib": "%%"})).encode(), "cannot be unpacked"),
        (json.dumps(host("bad", report={"zlib": packed(1)["zlib"][:-8]})).encode(), "cut off"),
        (json.dumps(host("bad", report=packed([]))).encode(), "is a list, not an object"),
        (json.dumps(host("bad", report=BOMB)).encode(), "larger than 64 MiB"),
        (json.dumps(host("bad", report={"problem": "it is a pipe"})).encode(), "it is a pipe"),
        (json.dumps(host("bad", report=report({}) | {"schema_version": 9})).encode(), "update"),
        (json.dumps(host("bad", report=report({}) | {"workflows": {}})).encode(), "workflows is"),
        (json.dumps(host("bad", report=report({}) | {"workflows": [1]})).encode(), "workflows[0]"),
        (json.dumps(host("bad", report=report({"a": "splendid"}))).encode(), "no verdict"),
        (
            json.dumps(host("bad", report=report({}) | {"started_at": "yesterday"})).encode(),
            "is no time",
        ),
        (
            json.dumps(
                host(
                    "bad", report=report({}) | {"workflows": [workflow("a", "broken", {"code": 1})]}
                )
            ).encode(),
            "code is a number",
        ),
        (json.dumps(host("bad", inventory=inventory({"a": 1}, {}))).encode(), "inventory"),  # type: ignore[dict-item]
        (json.dumps(host("bad", inventory=inventory({}, {"a": -1}))).encode(), "inventory"),
    ],
)
def test_a_damaged_file_is_a_row_that_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    write(tmp_path, [host("good")], expected=["good", "bad"])
    (tmp_path / "hosts" / "bad.json").write_bytes(content)
    found = bad_one(tmp_path)
    assert [remark.code for remark in found.remarks if said in remark.message] == ["damaged"]


def test_no_text_of_a_host_spoils_the_picture(tmp_path: Path) -> None:
    odd = {"code": "x", "severity": "\ud800\x1b", "message": "m"}
    write(tmp_path, [host("a", report=report({}) | {"workflows": [workflow("w", "broken", odd)]})])
    fleet = survey(folder.read(tmp_path), NOW)
    assert fleet.findings[0].severity == r"\ud800\x1b"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, [host("good")], expected=["good", "bad"])
    with (tmp_path / "hosts" / "bad.json").open("wb") as file:
        file.truncate(1024**3)
    assert "1,024 MiB, more than 64 MiB" in bad_one(tmp_path).remarks[0].message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, [host("good")], expected=["good", "bad"])
    os.mkfifo(tmp_path / "hosts" / "bad.json")
    assert "not a regular file" in bad_one(tmp_path).remarks[0].message


@pytest.mark.parametrize(
    "listed",
    [
        "{",
        "[]",
        '{"schema_version": 2}',
        '{"schema_version": 1, "hosts": [{"name": "a", "file": "../../../etc/passwd"}]}',
        '{"schema_version": 1, "hosts": [{"name": "a", "file": ".."}]}',
        '{"schema_version": 1, "hosts": [{"name": "a", "file": "\\ud800"}]}',
        '{"schema_version": 1, "hosts": [{"name": "a"}]}',
    ],
)
def test_a_damaged_list_of_hosts_is_a_sentence(tmp_path: Path, listed: str) -> None:
    (tmp_path / "expected.json").write_text(listed)
    with pytest.raises(ConfigError, match=r"expected\.json: is damaged: .* the playbook status"):
        folder.read(tmp_path)


@pytest.mark.parametrize("made", [".", "hosts"])
def test_an_empty_folder_is_a_sentence(tmp_path: Path, made: str) -> None:
    (tmp_path / made).mkdir(exist_ok=True)
    with pytest.raises(ConfigError, match=r"nothing was collected there.*the playbook status"):
        folder.read(tmp_path)


def test_what_is_packed_is_read_as_what_is_not(tmp_path: Path) -> None:
    plain = host(
        "a", report=report({"a.json": "broken"}), inventory=inventory({"a": ["b"]}, {"p": 1})
    )
    small = plain | {"host": "b", "report": packed(plain["report"])}
    write(tmp_path, [plain, small | {"inventory": packed(plain["inventory"])}])
    fleet = survey(folder.read(tmp_path), NOW)
    assert [group.hosts for group in fleet.workflows[0].groups] == [["a", "b"]]
    assert fleet.compared == ["a", "b"]
    assert fleet.models == fleet.packs == []
