"""A model file that is damaged between two cycles, by whole cycles and what they leave and tell."""

from __future__ import annotations

import json
import os
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pytest

from comfywatchman import state_files
from tests.faults.conftest import NEEDS_A_MODEL, bind
from tests.faults.test_telling import People
from tests.standin.comfyui import StandIn
from tests.unit.modelfiles.files import writing_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.conftest import Host
    from tests.faults.mount import HangingMount

LONG_AGO = 1_700_000_000
WHOLE = 64 * 4


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(state="full") as stand_in:
        yield stand_in


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    folder = tmp_path / "ComfyUI"
    for name in ("input", "output", "temp", "user", "custom_nodes"):
        (folder / name).mkdir(parents=True)
    save(folder / "models/vae/ae.safetensors")
    return folder


@pytest.fixture
def people(host: Host, server: StandIn, comfyui: Path, tmp_path: Path) -> People:
    people = People(host, server, tmp_path)
    host.environment["COMFYWATCHMAN_COMFYUI_DIR"] = str(comfyui)
    people.save("decode.json", NEEDS_A_MODEL)
    return people


def save(file: Path, length: int = WHOLE, modified: int = LONG_AGO) -> None:
    """A model file of one tensor, of which so many bytes are there."""
    tensor = {"dtype": "F32", "shape": [64], "data_offsets": [0, WHOLE]}
    head = json.dumps({"weight": tensor}).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(head)) + head + bytes(length))
    os.utime(file, (modified, modified))


def verdicts(people: People) -> dict[str, tuple[str, bool]]:
    return {w["name"]: (w["verdict"], w["will_fail"]) for w in people.host.latest["workflows"]}


def test_it_is_told_once_and_so_is_its_mending(people: People, comfyui: Path) -> None:
    file = comfyui / "models/vae/ae.safetensors"
    people.cycle()
    assert people.host.latest["model_files"]["sound"] == 1
    assert verdicts(people)["decode.json"] == ("runnable", False)

    save(file, WHOLE // 2)
    people.cycle()
    latest = people.host.latest
    assert verdicts(people)["decode.json"] == ("runnable", True)
    assert latest["summary"]["runnable"] == 2
    (finding,) = next(w for w in latest["workflows"] if w["name"] == "decode.json")["findings"]
    assert (finding["code"], finding["severity"]) == ("model_truncated", "error")
    (damaged,) = latest["damaged_models"]
    assert (damaged["folder"], damaged["name"]) == ("vae", "ae.safetensors")
    assert damaged["lacking"] == WHOLE // 2
    assert len(damaged["workflows"]) == 1
    (cause,) = latest["changes"]["causes"]
    assert (cause["kind"], cause["sureness"]) == ("model", "certain")
    assert people.topics[1:] == ["worse"]
    assert "decode.json will fail because vae/ae.safetensors is damaged" in people.told[-1]

    people.cycle()
    assert verdicts(people)["decode.json"] == ("runnable", True)
    assert people.host.latest["changes"]["workflows"] == []
    assert len(people.told) == 2

    save(file, modified=LONG_AGO + 1)
    people.cycle()
    assert verdicts(people)["decode.json"] == ("runnable", False)
    assert people.host.latest["damaged_models"] == []
    assert people.topics[1:] == ["worse", "mended"]
    assert "decode.json runs again because vae/ae.safetensors is whole again" in people.told[-1]
    people.cycle()
    assert len(people.told) == 3


def test_what_stays_as_it_is_says_nothing_new(people: People, comfyui: Path) -> None:
    wrong_link = {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}}
    people.save("partial.json", NEEDS_A_MODEL | {"5": wrong_link})
    people.save("broken.json", NEEDS_A_MODEL | {"4": wrong_link})
    save(comfyui / "models/vae/ae.safetensors", 1)
    first = people.host.run().stderr
    assert "\npartial: partial.json: " in first
    assert "\nwill fail: partial.json: " in first
    assert "\nbroken: broken.json: " in first
    second = people.host.run().stderr
    assert verdicts(people)["partial.json"] == ("partial", True)
    assert ".json" not in second
    assert "\nas before: 2 broken, 1 partial, 2 runnable\n" in second


def test_what_no_workflow_names_is_a_warning_alone(people: People, comfyui: Path) -> None:
    (people.host.workflows / "decode.json").unlink()
    save(comfyui / "models/vae/ae.safetensors", 1)
    people.cycle()
    assert not any(will_fail for _, will_fail in verdicts(people).values())
    (damaged,) = people.host.latest["damaged_models"]
    assert damaged["workflows"] == []
    assert people.host.latest["model_files"]["damaged"] == 1


def test_it_counts_for_fail_on_until_it_is_accepted(people: People, comfyui: Path) -> None:
    (people.host.workflows / "bad.json").unlink()
    file = comfyui / "models/vae/ae.safetensors"
    people.cycle(fail_on="broken")
    save(file, 1)
    assert people.host.run(fail_on="never").returncode == 0
    assert people.host.run(fail_on="broken").returncode == 1
    alone = people.host.run("check", str(people.host.workflows / "decode.json"), fail_on="broken")
    assert alone.returncode == 1
    assert "cannot be loaded" in alone.stdout
    until = str(datetime.now(UTC).date() + timedelta(days=30))
    accepted = people.host.run("accept", "decode.json", "--reason", "x", "--until", until)
    assert accepted.returncode == 0, accepted.stderr
    assert people.host.run(fail_on="broken").returncode == 0


def test_answers_that_are_damaged_are_found_anew(people: People, comfyui: Path) -> None:
    save(comfyui / "models/vae/ae.safetensors", 1)
    people.cycle()
    kept = people.host.state / state_files.MODEL_ANSWERS
    kept.write_bytes(kept.read_bytes()[:-9])
    done = people.host.run()
    assert done.returncode == 0
    assert "was damaged" in done.stderr
    assert verdicts(people)["decode.json"] == ("runnable", True)
    assert "was damaged" not in people.host.run().stderr


def test_a_download_under_way_is_asked_about_again(people: People, comfyui: Path) -> None:
    file = comfyui / "models/vae/ae.safetensors"
    save(file, 1)
    with writing_to(file):
        people.cycle()
    assert verdicts(people)["decode.json"] == ("runnable", False)
    assert people.host.latest["model_files"]["unfinished"] == 1
    assert people.host.latest["damaged_models"] == []
    save(file)
    people.cycle()
    assert people.host.latest["model_files"]["sound"] == 1


def test_damage_that_cannot_be_looked_at_any_more_is_not_told_as_mended(
    people: People, comfyui: Path
) -> None:
    bind(people.host)
    file = comfyui / "models/vae/ae.safetensors"
    people.cycle()
    save(file, WHOLE // 2)
    people.cycle()
    save(file, 9)
    for _ in range(2):
        with writing_to(file):  # it is downloaded again
            people.cycle()
        assert verdicts(people)["decode.json"] == ("runnable", True)
    save(file, 9)
    file.chmod(0)
    people.cycle()
    assert verdicts(people)["decode.json"] == ("runnable", True)
    assert people.topics == ["summary", "worse"]
    file.chmod(0o600)
    save(file, modified=LONG_AGO + 2)
    people.cycle()
    assert verdicts(people)["decode.json"] == ("runnable", False)
    assert people.topics == ["summary", "worse", "mended"]
    assert "because vae/ae.safetensors is whole again" in people.told[-1]


def test_a_huge_file_costs_nothing(people: People, comfyui: Path) -> None:
    file = comfyui / "models/vae/ae.safetensors"
    os.truncate(file, 2**41)
    os.utime(file, (LONG_AGO, LONG_AGO))
    people.cycle()
    (damaged,) = people.host.latest["damaged_models"]
    assert damaged["code"] == "model_trailing_bytes"


@pytest.mark.parametrize(
    ("on", "said", "damaged"),
    [
        ("stat", "model files in vae: ", ["sd_xl_base_1.0.safetensors"]),
        # Both files are on one file system here, which is read by one reader.
        ("open", "2 of 2 model files have not been looked into yet: the next cycles go on (", []),
    ],
)
def test_a_mount_that_hangs_costs_its_time_and_is_named(
    people: People,
    comfyui: Path,
    hanging_mount: HangingMount,
    on: Literal["stat", "open"],
    said: str,
    damaged: list[str],
) -> None:
    """A whole cycle, which hangs in the C library as it would in the kernel."""
    save(comfyui / "models/checkpoints/sd_xl_base_1.0.safetensors", 1)
    save(comfyui / "models/vae/ae.safetensors", 1)
    people.host.environment |= hanging_mount.environment(comfyui / "models/vae", on)
    done = people.host.run(cycle_time_limit="60")
    assert done.returncode == 0, done.stderr
    latest = people.host.latest
    (blind,) = [each for each in latest["not_checked"] if "model files" in each]
    assert blind.startswith(said)
    assert "the disk did not answer within 6 s: a mount may hang, or is slow" in blind
    assert latest["duration_s"] < 60
    assert verdicts(people)["decode.json"] == ("runnable", False)
    assert [each["name"] for each in latest["damaged_models"]] == damaged


def test_input_files_on_a_mount_that_hangs_are_named(
    people: People, comfyui: Path, hanging_mount: HangingMount
) -> None:
    people.host.environment |= hanging_mount.environment(comfyui / "input", "stat")
    done = people.host.run(cycle_time_limit="60")
    assert done.returncode == 0, done.stderr
    (blind,) = [each for each in people.host.latest["not_checked"] if "could not be listed" in each]
    assert blind.startswith(f"the files in {comfyui}/input could not be listed (the disk did not ")
    assert verdicts(people)["decode.json"] == ("runnable", False)


def test_without_the_folders_nothing_is_said_of_them(people: People) -> None:
    del people.host.environment["COMFYWATCHMAN_COMFYUI_DIR"]
    people.cycle()
    assert people.host.latest["model_files"] is None
    assert people.host.latest["damaged_models"] == []
    told = [each for each in people.host.latest["not_checked"] if "model files" in each]
    assert len(told) == 1
