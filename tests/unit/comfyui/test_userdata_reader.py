"""Reading what is saved on a server that is slow, or fails in any way: it costs no other file."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import time
import zlib
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui import userdata, userdata_reader
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.comfyui.connections import AT_ONCE
from comfywatchman.comfyui.kept_workflows import KeptWorkflows, Packed
from comfywatchman.comfyui.userdata_reader import NotReadError, UserdataReader
from tests.standin.comfyui import Answer, StandIn, json_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from comfywatchman.comfyui.client import ComfyUIClient
    from tests.standin.certificates import Certificates
    from tests.unit.comfyui.conftest import Connect

MANY = 40
MOST = 10_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The workflows of the default user."""
    made = tmp_path / "user" / "default" / "workflows"
    made.mkdir(parents=True)
    for number in range(MANY):
        (made / f"{number:02}.json").write_text(json.dumps({"nodes": [], "number": number}))
    return made


@pytest.fixture
def server(folder: Path) -> Iterator[StandIn]:
    with StandIn(userdata=folder.parents[1]) as stand_in:
        yield stand_in


def asked(server: StandIn) -> list[str]:
    """The files that the server was asked for."""
    begin = "/userdata/workflows%2F"
    return [r.path.removeprefix(begin) for r in server.requests if r.path.startswith(begin)]


def cycle(client: ComfyUIClient, file: Path | None = None) -> tuple[UserdataReader, list[str]]:
    """Read all that is saved, as a cycle does; what of it could be read, by name."""
    with KeptWorkflows(file, client.url) as kept:
        reader = UserdataReader(client, kept)
        saved = userdata.workflows(client, "default")
        reader.begin(saved, all_seen=True)
        reader.fetch(reader.to_fetch(saved, MOST), MOST)
        read = []
        for each in saved:
            try:
                raw = reader.read(each, MOST)
            except (NotReadError, ComfyUIError):
                continue
            assert json.loads(raw)["number"] == int(each.path[:2])
            read.append(each.path)
        return reader, read


def test_four_at_once_over_four_connections(
    server: StandIn, connect: Connect, tls: Certificates, folder: Path
) -> None:
    server.behaviour = "delay:20"
    _, read = cycle(connect(server.url))
    assert len(read) == len(asked(server)) == MANY
    assert server.most_at_once == AT_ONCE == 4
    assert len({r.connection for r in server.requests}) <= AT_ONCE
    with StandIn(userdata=folder.parents[1], tls=(tls.certificate, tls.key)) as secure:
        _, read = cycle(connect(secure.url, ca_file=tls.authority))
        assert len(read) == MANY
        assert len({r.connection for r in secure.requests}) <= AT_ONCE


def test_what_has_not_changed_is_not_fetched(
    server: StandIn, connect: Connect, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kept"
    assert len(cycle(connect(server.url), file)[1]) == MANY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    server.requests.clear()
    reader, read = cycle(connect(server.url), file)
    assert (len(read), asked(server), reader.remark) == (MANY, [], None)

    (folder / "07.json").write_text(json.dumps({"nodes": [], "number": 7, "longer": True}))
    now = time.time_ns()
    (folder / "08.json").write_text(json.dumps({"number": 8, "nodes": []}))  # as long as before
    os.utime(folder / "08.json", ns=(now, now + 10**9))
    (folder / "09.json").unlink()
    (folder / "50.json").write_text(json.dumps({"nodes": [], "number": 50}))
    _, read = cycle(connect(server.url), file)
    assert sorted(asked(server)) == ["07.json", "08.json", "50.json"]
    assert len(read) == MANY
    with sqlite3.connect(file) as database:
        (rows,) = database.execute("SELECT count(*) FROM workflow").fetchone()
    database.close()
    assert rows == MANY  # what is gone is forgotten


@pytest.mark.parametrize("listing", ["plain", "without times"])
def test_without_size_and_time_all_are_fetched(
    connect: Connect, folder: Path, tmp_path: Path, listing: str
) -> None:
    names = sorted(file.name for file in folder.iterdir())
    entries = names if listing == "plain" else [{"path": name, "size": 30} for name in names]

    def posts(_method: str, path: str, _body: bytes) -> Answer | None:
        return json_answer(entries) if path == "/userdata" else None

    with StandIn(userdata=folder.parents[1], posts=posts) as server:
        for _ in range(2):
            server.requests.clear()
            assert len(cycle(connect(server.url), tmp_path / "kept")[1]) == MANY
            assert len(asked(server)) == MANY


def test_another_server_s_workflows_are_not_taken_for_its_own(
    server: StandIn, connect: Connect, folder: Path, tmp_path: Path
) -> None:
    cycle(connect(server.url), tmp_path / "kept")
    with StandIn(userdata=folder.parents[1]) as other:
        cycle(connect(other.url), tmp_path / "kept")
        assert len(asked(other)) == MANY


@pytest.mark.parametrize(
    ("behaviour", "blamed"),
    [
        ("hang", True),
        ("slow-loris", True),
        ("slow-head", True),
        ("reset", True),
        ("truncated", True),
        ("500", True),
        ("404", True),
        ("503:1", True),
        ("503:3600", True),
        ("429:1", False),
        ("endless", True),
    ],
)
def test_one_file_costs_no_other(
    server: StandIn, connect: Connect, behaviour: str, blamed: bool
) -> None:
    server.behaviour = f"{behaviour}@/userdata/workflows%2F03.json"
    reader, read = cycle(connect(server.url, read_timeout=1))
    assert len(read) == MANY - 1
    assert "03.json" not in read
    assert (reader.remark is None) is blamed


def test_a_few_that_are_to_be_asked_for_much_later_are_not_waited_for(
    server: StandIn, connect: Connect
) -> None:
    server.behaviour = "503:5@/userdata/workflows%2F03.json"
    _, read = cycle(connect(server.url, read_timeout=1))
    assert len(read) == MANY - 1
    assert asked(server).count("03.json") == 1


def test_a_workflow_that_there_is_no_memory_for_costs_no_other(
    server: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(raw: bytes) -> Packed:
        if b'"number": 3}' in raw:
            raise MemoryError
        return Packed(hashlib.sha256(raw).hexdigest(), len(raw), zlib.compress(raw))

    monkeypatch.setattr(Packed, "of", pack)
    reader, read = cycle(connect(server.url))
    assert (len(read), "03.json" in read, reader.remark) == (MANY - 1, False, None)


@pytest.mark.parametrize(
    "behaviour", ["reset-first:6", "closes", "starting:2,1@/userdata/workflows%2F05.json"]
)
def test_what_passes_costs_nothing(server: StandIn, connect: Connect, behaviour: str) -> None:
    client = connect(server.url, read_timeout=20)
    assert client.get_json("/queue")
    server.behaviour = behaviour
    reader, read = cycle(client)
    assert (len(read), reader.remark) == (MANY, None)


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("slow-after:12,900@/userdata", "is slow, or the network is"),
        ("slow-after:12,60000@/userdata", "is slow, or the network is"),
        ("slow-after:12,60000", "/system_stats did not finish its answer within 1 s"),
        ("down-after:13", "nothing listens at"),
        ("429:3600@/userdata", "asks to be left alone for 3600 s"),
    ],
)
def test_a_server_that_is_slow_or_gone_half_way_is_named_and_no_file_is(
    server: StandIn,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    why: str,
) -> None:
    monkeypatch.setattr(userdata_reader, "ANSWERS", 3)
    client = connect(server.url, read_timeout=1)
    saved = userdata.workflows(client, "default")
    server.behaviour = behaviour
    with KeptWorkflows(tmp_path / "kept", client.url) as kept:
        reader = UserdataReader(client, kept)
        reader.begin(saved, all_seen=True)
        reader.fetch(reader.to_fetch(saved, MOST), MOST)
        read = [each for each in saved if kept.digest(each)]
        for each in set(saved) - set(read):
            with pytest.raises(NotReadError):
                reader.read(each, MOST)
    assert len(read) == 0 if "429" in behaviour else 8 <= len(read) < MANY
    assert reader.remark is not None
    assert reader.remark.startswith(
        f"{MANY - len(read)} of {MANY} new or changed workflows were not"
    )
    assert why in reader.remark
    assert server.url in reader.remark
    assert ".json" not in reader.remark
    assert "requests, at most 4 at once" in str(reader.brief)

    server.behaviour = "ok"
    server.requests.clear()
    reader, names = cycle(connect(server.url), tmp_path / "kept")
    assert (len(names), reader.remark) == (MANY, None)
    assert len(asked(server)) == MANY - len(read)


def test_what_was_not_read_comes_first_and_what_hung_last(
    server: StandIn, connect: Connect, folder: Path, tmp_path: Path
) -> None:
    server.behaviour = "hang@/userdata/workflows%2F03.json"
    cycle(connect(server.url, read_timeout=1), tmp_path / "kept")
    for number in range(50, 62):
        (folder / f"{number}.json").write_text(json.dumps({"nodes": [], "number": number}))
    server.behaviour = "ok"
    server.requests.clear()
    cycle(connect(server.url), tmp_path / "kept")
    assert len(asked(server)) == 13
    assert asked(server).index("03.json") >= 9  # three others may be under way


def test_a_server_that_asks_for_it_is_left_alone_meanwhile(
    server: StandIn, connect: Connect
) -> None:
    client = connect(server.url, read_timeout=20)
    assert client.get_json("/queue")
    begun = time.monotonic()
    server.behaviour = "starting:8,1@/userdata"
    saved = [userdata.SavedOnServer("default", f"{number:02}.json", None) for number in range(MANY)]
    reader = UserdataReader(client)
    reader.fetch(saved, MOST)
    assert reader.remark is None
    assert len(asked(server)) == MANY + 8
    assert time.monotonic() - begun > 2
