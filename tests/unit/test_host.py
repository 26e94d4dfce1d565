"""Whose a folder is: the signs of a host, and the file that tells them."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comfywatchman import host, state, state_files
from comfywatchman.host import Host
from tests.unit.role.collection import PLUGINS

A = Host("render1", "a" * 32, ("card-a",))
B = Host("render2", "b" * 32, ("card-b",))


@pytest.mark.parametrize(
    ("owner", "other"),
    [
        (A, False),
        (Host("renamed", A.machine, A.cards), False),
        (Host(A.name, "c" * 32, A.cards), False),  # installed anew
        (Host(A.name, A.machine, ("another card",)), False),
        (Host(A.name, A.machine, ("card-a", "a second card")), False),
        (Host("container"), False),  # nothing but a name: not enough to tell
        (Host("", "", ()), False),
        (Host("clone", A.machine, ("card-b",)), True),
        (Host("", "b" * 32, ("card-b",)), True),
        (Host("render2", "b" * 32), True),  # a container, which shows no cards
        (B, True),
    ],
)
def test_one_sign_may_change_and_two_make_another_host(owner: Host, other: bool) -> None:
    assert A.is_other_than(owner) is other


def test_a_name_that_was_given_decides_alone() -> None:
    named = Host("x1", "1" * 32, (), "worker")
    assert not named.is_other_than(Host("x2", "2" * 32, (), "worker"))
    assert named.is_other_than(Host("x1", "1" * 32, (), "other"))
    assert not named.is_other_than(Host("x2", "2" * 32))  # it takes over what bore no name
    assert Host("x2", "2" * 32).is_other_than(named)


def test_this_host_does_not_tell_its_machine_id(tmp_path: Path) -> None:
    assert host.claim(tmp_path, host.here()) is None
    told = (tmp_path / host.OWNER).read_text()
    if (file := Path(host.MACHINE_ID)).exists():
        assert file.read_text().strip() not in told
    assert host.read(tmp_path) == host.here()
    assert [path.name for path in tmp_path.iterdir()] == [host.OWNER]


def test_the_machine_is_known_as_systemd_would_know_it() -> None:
    if not (tool := shutil.which("systemd-id128")) or not Path(host.MACHINE_ID).exists():
        pytest.skip("no systemd-id128, or no machine ID, to compare with")
    command = [tool, "machine-id", f"--app-specific={host.APPLICATION.hex()}"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert host.here().machine == said.stdout.strip()


@pytest.mark.parametrize("content", ["", "uninitialized\n", "0" * 32, "abc", "ä" * 32, None])
def test_a_host_without_a_machine_id(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "machine-id"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(host, "MACHINE_ID", str(file))
    assert host.here().machine == ""


def test_only_real_cards_with_addresses_of_their_own_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, device, kind, address in (
        ("eth0", True, "0", "00:11:22:33:44:55"),
        ("wlan0", True, "1", "02:aa:aa:aa:aa:aa"),
        ("veth1", False, "0", "02:bb:bb:bb:bb:bb"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "addr_assign_type").write_text(kind + "\n")
        (tmp_path / name / "address").write_text(address + "\n")
        if device:
            (tmp_path / name / "device").mkdir()
    monkeypatch.setattr(host, "NETWORK", str(tmp_path))
    first = host.here().cards
    assert len(first) == 1
    (tmp_path / "veth1" / "address").write_text("02:cc:cc:cc:cc:cc\n")
    assert host.here().cards == first
    (tmp_path / "eth0" / "address").write_text("00:11:22:33:44:66\n")
    assert host.here().cards != first


def test_of_many_that_claim_a_folder_at_once_one_has_it(tmp_path: Path) -> None:
    hosts = [Host(f"h{n}", f"{n:032x}", (f"card{n}",)) for n in range(1, 17)]
    with ThreadPoolExecutor(len(hosts)) as pool:
        answers = list(pool.map(lambda one: host.claim(tmp_path, one), hosts))
    owner = host.read(tmp_path)
    assert owner in hosts
    assert [one for one, answer in zip(hosts, answers, strict=True) if answer is None] == [owner]
    assert {answer for answer in answers if answer} == {owner}
    assert [path.name for path in tmp_path.iterdir()] == [host.OWNER]


def test_what_changes_of_a_host_is_brought_up_to_date(tmp_path: Path) -> None:
    host.claim(tmp_path, A)
    renamed = Host("renamed", A.machine, A.cards)
    assert host.claim(tmp_path, renamed) is None
    another_card = Host("renamed", A.machine, ("card-c",))
    assert host.claim(tmp_path, another_card) is None
    assert host.read(tmp_path) == another_card
    assert host.claim(tmp_path, A) == another_card  # by now two signs differ


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert host.claim(tmp_path, A) is None
    assert host.claim(tmp_path, B) == A


def test_a_system_without_what_unix_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "fchmod", "geteuid"):
        monkeypatch.delattr(os, name)
    assert host.read(tmp_path) is None
    assert host.claim(tmp_path, A) is None
    assert host.claim(tmp_path, A) is None
    assert host.read(tmp_path) == A
    assert host.claim(tmp_path, B) == A


@pytest.mark.parametrize(
    "lay",
    [
        lambda file: file.write_text("{"),
        lambda file: file.write_text("[" * 60_000),
        lambda file: file.write_text(" " * 100_000),
        lambda file: file.write_text('{"name": 7}'),
        lambda file: file.write_text('{"cards": [[1]]}'),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.symlink_to("/dev/zero"),
        os.mkfifo,
    ],
)
def test_what_makes_no_sense_is_nobodys_and_is_replaced(lay: object, tmp_path: Path) -> None:
    assert callable(lay)
    lay(tmp_path / host.OWNER)
    assert host.read(tmp_path) is None
    assert host.claim(tmp_path, A) is None
    assert host.read(tmp_path) == A


def test_names_of_an_instance_on_a_second_host() -> None:
    for name, instance in [
        ("Render_2.farm.example", ""),
        ("render2", "gpu1"),
        ("a" * 64, "x" * 32),
        ("größe", ""),
        ("-", ""),
    ]:
        for found in host.instance_name(instance, Host(name, B.machine)):
            assert len(found) <= 32
            assert state.instance_name(found) == found
    assert host.instance_name("", Host("render2.farm.example"))[0] == "render2"
    assert host.instance_name("gpu1", Host("render2"))[0] == "gpu1-render2"
    one, two = (host.instance_name("", Host("same", each.machine)) for each in (A, B))
    assert one[0] == two[0]
    assert one[1] != two[1]


def test_the_file_is_ours_and_the_role_asks_the_same_module() -> None:
    assert state_files.OWNER == host.OWNER
    assert state_files.is_ours(host.OWNER)
    assert (PLUGINS / "module_utils" / "host.py").resolve() == Path(host.__file__).resolve()
