"""Finding saved workflows: in folders that hold anything at all, and on the server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from comfywatchman import settings
from comfywatchman.comfyui import userdata_reader
from comfywatchman.comfyui.client import ComfyUIClient
from comfywatchman.exclusion import Exclusion
from comfywatchman.workflow import find
from comfywatchman.workflow.find import WorkflowFile, WorkflowOnServer
from comfywatchman.workflow.prompt import WorkflowError
from tests.standin.comfyui import StandIn
from tests.unit.workflow.pictures import chunk, png, text


def names(found: find.Found) -> list[str]:
    return [w.name for w in found.workflows]


def make(folder: Path, *files: str) -> None:
    for name in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")


def test_a_folder_is_searched_to_the_bottom(tmp_path: Path) -> None:
    make(tmp_path, "b.json", "a.JSON", "sub/deep/c.json", "notes.txt", ".index.json", ".git/x.json")
    found = find.in_folders([tmp_path])
    assert names(found) == ["a.JSON", "b.json", "sub/deep/c.json"]
    assert found.not_checked == []


def test_blueprints_of_subgraphs_are_no_workflows(tmp_path: Path) -> None:
    make(tmp_path, "workflows/a.json", "subgraphs/blueprint.json", "workflows/subgraphs/b.json")
    assert names(find.in_folders([tmp_path])) == ["workflows/a.json", "workflows/subgraphs/b.json"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    make(tmp_path, "a.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.json").symlink_to("self.json")
    found = find.in_folders([tmp_path])
    assert names(found) == ["a.json", "self.json"]
    with pytest.raises(WorkflowError, match="cannot be read"):
        found.workflows[1].read(100)


def test_folders_as_deep_as_a_path_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "z/a.json")
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        os.mkdir("d")  # noqa: PTH102  (Path's own would make the path longer each time)
        os.chdir("d")
    Path("b.json").write_text("{}")
    for _ in range(1500):
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")
    monkeypatch.chdir(tmp_path)
    try:
        found = find.in_folders([tmp_path])
    finally:
        subprocess.run(["rm", "-r", "d"], check=True)  # pytest's own way to remove it recurses
    assert names(found) == ["d/" * 1500 + "b.json", "z/a.json"]
    assert len(found.not_checked) == 1
    assert found.not_checked[0].endswith("was not searched: File name too long")


def test_a_folder_that_is_not_there_is_said_and_the_others_are_searched(tmp_path: Path) -> None:
    make(tmp_path, "there/a.json")
    found = find.in_folders([tmp_path / "gone", tmp_path / "there"])
    assert names(found) == ["a.json"]
    assert found.not_checked == [f"{tmp_path}/gone was not searched: No such file or directory"]
    assert found.unseen == [f"{tmp_path}/gone"]


def test_pipes_sockets_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "terminal.json").symlink_to("/dev/tty")
    (tmp_path / "folder.json").mkdir()
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(tmp_path):
        listening.bind("socket.json")
    found = find.in_folders([tmp_path])
    assert names(found) == ["pipe.json", "socket.json", "terminal.json", "zero.json"]
    for workflow in found.workflows:
        with pytest.raises(WorkflowError, match="not a regular file") as raised:
            workflow.read(100)
        assert raised.value.finding.code == "workflow_unreadable"


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as stream:
        stream.truncate(10 * 1024**3)
    with pytest.raises(WorkflowError, match="more than 1 MiB"):
        WorkflowFile(file, "large.json").read(1024**2)


def test_hostile_names_are_shown_harmless(tmp_path: Path) -> None:
    make(tmp_path, "\x1b[31mred\nnew line\u202e.json", os.fsdecode(b"\xff.json"))
    found = find.in_folders([tmp_path])
    assert len(found.workflows) == 2
    for workflow in found.workflows:
        assert workflow.path.isprintable()
        assert workflow.name.encode("utf-8")
        assert workflow.read(100) == b"{}"


def test_a_file_found_twice_is_judged_once(tmp_path: Path) -> None:
    make(tmp_path, "a.json")
    (tmp_path / "again").symlink_to(tmp_path / "a.json")
    twice = find.in_folders([tmp_path, tmp_path / "again", tmp_path / "a.json"])
    assert [w.name for w in find.distinct(twice.workflows)] == ["a.json"]


def test_a_folder_found_by_two_ways_is_judged_once(tmp_path: Path) -> None:
    make(tmp_path, "saved/a.json", "saved/b.json")
    (tmp_path / "link").symlink_to(tmp_path / "saved")
    (tmp_path / "other.json").symlink_to("saved/a.json")
    twice = find.in_folders([tmp_path / "link", tmp_path / "saved", tmp_path / "other.json"])
    assert [w.name for w in find.distinct(twice.workflows)] == ["a.json", "b.json"]


def test_links_that_lead_nowhere_are_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "circle.json").symlink_to("circle.json")
    (tmp_path / "dangling.json").symlink_to("gone.json")
    found = find.distinct(find.in_folders([tmp_path]).workflows)
    assert [w.name for w in found] == ["circle.json", "dangling.json"]
    for workflow in found:
        with pytest.raises(WorkflowError, match="cannot be read"):
            workflow.read(100)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    user = tmp_path / "user" / "default" / "workflows"
    (user / "sub").mkdir(parents=True)
    (user / "a b.json").write_text('{"nodes": []}')
    (user / "sub" / "c.json").write_text('{"nodes": [1]}')
    return tmp_path / "user"


def test_the_server_lists_and_gives_what_its_users_saved(saved: Path) -> None:
    with (
        StandIn(userdata=saved) as stand_in,
        ComfyUIClient(settings.load({"comfyui_url": stand_in.url}), None) as client,
    ):
        found = find.on_server(client, None)
        assert [w.path for w in found.workflows] == [
            "userdata:default/workflows/a b.json",
            "userdata:default/workflows/sub/c.json",
        ]
        assert found.workflows[1].read(1000) == b'{"nodes": [1]}'
        with pytest.raises(WorkflowError, match="more than 0 MiB"):
            found.workflows[0].read(5)


def test_what_the_server_saved_on_this_host_is_read_from_the_disk(saved: Path) -> None:
    with (
        StandIn(userdata=saved) as stand_in,
        ComfyUIClient(settings.load({"comfyui_url": stand_in.url}), None) as client,
    ):
        found = find.on_server(client, saved)
        assert [type(w) for w in found.workflows] == [WorkflowFile, WorkflowFile]
        elsewhere = find.on_server(client, saved / "not-here")
        assert [type(w) for w in elsewhere.workflows] == [WorkflowOnServer, WorkflowOnServer]


def left_out(found: find.Found) -> list[str]:
    return [w.name for w in found.left_out]


def test_what_an_exclusion_names_is_left_out_and_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.json", "a_old.json", "drafts/b.json", "drafts/keep.json", "sub/keep_old.json")
    found = find.in_folders([tmp_path], Exclusion(["drafts/", "*_old.json", "!keep*.json"]))
    assert names(found) == ["a.json", "sub/keep_old.json"]
    assert left_out(found) == ["a_old.json", "drafts/b.json", "drafts/keep.json"]


def test_a_file_that_is_named_is_never_left_out(tmp_path: Path) -> None:
    make(tmp_path, "drafts/b.json")
    found = find.in_folders([tmp_path / "drafts/b.json"], Exclusion(["*.json"]))
    assert (names(found), left_out(found)) == (["b.json"], [])


def test_a_folder_that_is_left_out_hides_nothing_that_is_reached_by_another_way(
    tmp_path: Path,
) -> None:
    make(tmp_path, "archive/2024/a.json", "archive/b.json")
    (tmp_path / "current").symlink_to("archive/2024")
    found = find.in_folders([tmp_path], Exclusion(["archive/"]))
    assert (names(found), left_out(found)) == (["current/a.json"], ["archive/b.json"])


def test_of_a_folder_that_is_left_out_nothing_need_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.json")
    monkeypatch.chdir(tmp_path)
    for _ in range(2500):  # what lies so deep cannot be seen, not by root either
        os.mkdir("d")  # noqa: PTH102
        os.chdir("d")
    monkeypatch.chdir(tmp_path)
    try:
        seen = find.in_folders([tmp_path])
        unseen = find.in_folders([tmp_path], Exclusion(["d/"]))
    finally:
        subprocess.run(["rm", "-r", "d"], check=True)
    assert (len(seen.not_checked), unseen.not_checked) == (1, [])


def test_users_that_there_is_no_time_for_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"user_{number:02}" for number in range(30)]
    make(tmp_path, *(f"{user}/workflows/a.json" for user in users))
    (tmp_path / "users.json").write_text(json.dumps(dict.fromkeys(users, "U")))
    monkeypatch.setattr(userdata_reader, "ANSWERS", 2)
    with (
        StandIn(userdata=tmp_path, multi_user=True) as stand_in,
        ComfyUIClient(
            settings.load({"comfyui_url": stand_in.url, "read_timeout": 1}), None
        ) as client,
    ):
        stand_in.behaviour = "slow-after:8,700@/userdata"
        found = find.on_server(client, None)
    assert 8 <= len(found.workflows) < 30
    (remark,) = found.not_checked
    assert remark == (
        f"the workflows of {30 - len(found.workflows)} of 30 users were not seen: {stand_in.url} "
        "is slow, or the network is, and the time for reading them was over"
    )


def test_exclusions_of_what_is_saved_on_the_server(saved: Path) -> None:
    with (
        StandIn(userdata=saved) as stand_in,
        ComfyUIClient(settings.load({"comfyui_url": stand_in.url}), None) as client,
    ):
        found = find.on_server(client, None, Exclusion(["/sub/", "default/"]))
    assert (names(found), left_out(found)) == (["default/a b.json"], ["default/sub/c.json"])


FLOW = b'{"nodes": []}'


def test_pictures_with_a_workflow_are_found_where_they_are_looked_for(tmp_path: Path) -> None:
    make(tmp_path, "a.json")
    (tmp_path / "with.PNG").write_bytes(png(text(b"workflow", FLOW)))
    (tmp_path / "with.webp").write_bytes(png(text(b"workflow", FLOW)))
    (tmp_path / ".hidden.png").write_bytes(png(text(b"workflow", FLOW)))
    (tmp_path / "draft.png").write_bytes(png(text(b"workflow", FLOW)))
    (tmp_path / "without.png").write_bytes(png())
    (tmp_path / "empty.webp").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(png(text(b"workflow", FLOW))[:50])
    (tmp_path / "large.png").write_bytes(png(text(b"workflow", b"x" * 101)))
    assert names(find.in_folders([tmp_path])) == ["a.json"]
    found = find.in_folders([tmp_path], Exclusion(["draft*"]), largest_picture=100)
    assert names(found) == ["a.json", "large.png", "with.PNG", "with.webp"]
    assert left_out(found) == ["draft.png"]
    assert found.workflows[2].read(100) == FLOW
    with pytest.raises(WorkflowError, match="more than 0 MiB"):
        found.workflows[1].read(100)


def test_a_picture_that_is_named_says_why_it_is_none(tmp_path: Path) -> None:
    file = tmp_path / "without.png"
    file.write_bytes(png(chunk(b"tEXt", b"Software\0x")))
    (named,) = find.in_folders([file], largest_picture=100).workflows
    with pytest.raises(WorkflowError, match="the picture holds no workflow"):
        named.read(100)
