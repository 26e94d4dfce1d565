"""``metrics.prom``: what Prometheus reads of a host, held against Prometheus' own tool."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from comfywatchman import __version__, state_files
from comfywatchman.metrics import families, textfile
from comfywatchman.metrics.textfile import Ending
from comfywatchman.results import (
    Acceptance,
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    ModelFiles,
    Outcome,
    Report,
    Sureness,
    Verdict,
    WorkflowChange,
    WorkflowReport,
)
from tests.unit.report import sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WHEN = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LATER = WHEN + timedelta(hours=2)


def broken(name: str = "a.json", code: str = "value_not_in_list") -> WorkflowReport:
    finding = sample.missing_model("sdxl.safetensors", "4").model_copy(update={"code": code})
    return WorkflowReport(path=name, name=name, verdict=Verdict.BROKEN, findings=[finding])


def runnable(name: str = "b.json") -> WorkflowReport:
    return WorkflowReport(path=name, name=name, verdict=Verdict.RUNNABLE)


def got_worse(*causes: Sequence[CauseKind], kind: ChangeKind = ChangeKind.WORSE) -> Changes:
    """Changes of one workflow each, by the kinds of what did it."""
    kinds = {kind.value: kind for of_one in causes for kind in of_one}
    return Changes(
        since=WHEN,
        causes=[
            Cause(id=name, kind=of, sureness=Sureness.CERTAIN, name="", text="it changed")
            for name, of in kinds.items()
        ],
        workflows=[
            WorkflowChange(path=str(n), name=str(n), kind=kind, causes=[k.value for k in of_one])
            for n, of_one in enumerate(causes)
        ],
    )


def read(file: Path) -> dict[str, float]:
    """What a file says, by series without the label of the instance, as Prometheus reads it."""
    found = {}
    for family in text_string_to_metric_families(file.read_text(encoding="utf-8")):
        for one in family.samples:
            labels = {k: v for k, v in one.labels.items() if k != families.INSTANCE}
            shown = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
            found[f"{one.name.removeprefix('comfywatchman_')}{{{shown}}}"] = one.value
    return found


class Host:
    """A state folder and a folder that node_exporter reads; each call is the end of a cycle."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.copies = folder / "state", folder / "copies"
        self.folder.mkdir(mode=0o700)
        self.copies.mkdir()

    def __call__(
        self,
        outcome: Outcome = Outcome.DONE,
        report: Report | None = None,
        at: datetime = WHEN,
        **more: Any,
    ) -> dict[str, float]:
        if outcome is Outcome.DONE and report is None:
            report = sample.report([broken(), runnable()])
        ending = Ending(outcome, report, at=at, **more)
        assert textfile.write(self.folder, "", ending, self.copies) is None
        found = read(self.folder / state_files.METRICS)
        assert found == read(self.copies / "comfywatchman.prom")
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_cycle_that_is_done(host: Host) -> None:
    found = host(interval_s=3600.0, commit="1a2b3c")
    assert found[f"build_info{{version={__version__}}}"] == 1
    assert found["comfyui_info{commit=1a2b3c,version=0.8.0}"] == 1
    assert found["cycle_last_run_timestamp_seconds{}"] == WHEN.timestamp()
    assert found["cycle_last_success_timestamp_seconds{}"] == WHEN.timestamp()
    assert found["cycle_interval_seconds{}"] == 3600
    assert found["cycle_duration_seconds{}"] == 1.42
    assert found["cycles_total{outcome=done}"] == 1
    assert {v: found[f"workflows{{verdict={v}}}"] for v in Verdict} == {
        Verdict.RUNNABLE: 1,
        Verdict.PARTIAL: 0,
        Verdict.BROKEN: 1,
        Verdict.UNKNOWN: 0,
    }
    assert found["findings{code=value_not_in_list}"] == 1
    assert found["findings{code=missing_node_type}"] == 0


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.FAILED])
def test_a_cycle_without_a_report_leaves_the_gauges_and_moves_the_last_run(
    host: Host, outcome: Outcome
) -> None:
    before = host(interval_s=3600.0)
    after = host(outcome, at=LATER)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    last_run, count = "cycle_last_run_timestamp_seconds{}", f"cycles_total{{outcome={outcome}}}"
    assert changed == {last_run, count}
    assert (after[last_run], after[count]) == (LATER.timestamp(), 1)


def test_what_is_no_more_goes_to_nothing_and_the_server_has_one_version(host: Host) -> None:
    host()
    newer = sample.report([runnable()])
    newer = newer.model_copy(update={"server": newer.server.model_copy(update={"version": "9"})})
    found = host(report=newer)
    assert found["findings{code=value_not_in_list}"] == 0
    assert found["workflows{verdict=broken}"] == 0
    assert [name for name in found if name.startswith("comfyui_info")] == [
        "comfyui_info{commit=,version=9}"
    ]


def test_every_series_is_there_from_the_first_file_on(host: Host) -> None:
    first = set(host(Outcome.SKIPPED))
    changes = got_worse(*([kind] for kind in CauseKind))
    report = sample.report([broken()]).model_copy(update={"changes": changes})
    told = {(channel, result): 1 for channel in families.CHANNELS for result in families.RESULTS}
    later = set(host(report=report, notifications=told, at=LATER))
    assert {name.partition("{")[0] for name in later - first} == {"comfyui_info"}
    assert first < later
    assert len(later) <= 200


def test_regressions_are_counted_by_what_did_most_and_our_own_are_not(host: Host) -> None:
    pack, model = CauseKind.PACK, CauseKind.MODEL
    changes = got_worse([pack, model], [pack], [CauseKind.PROGRAM], [], [model])
    report = sample.report([broken()]).model_copy(update={"changes": changes})
    host(report=report)
    found = host(report=report, at=LATER)
    counted = {name: count for name, count in found.items() if name.startswith("regressions")}
    assert {name: count for name, count in counted.items() if count} == {
        "regressions_total{cause=pack}": 4,
        "regressions_total{cause=model}": 2,
        "regressions_total{cause=unexplained}": 2,
    }
    assert "regressions_total{cause=program}" not in counted


def test_what_mended_is_no_regression(host: Host) -> None:
    changes = got_worse([CauseKind.PACK], kind=ChangeKind.MENDED)
    found = host(report=sample.report([]).model_copy(update={"changes": changes}))
    assert not any(count for name, count in found.items() if name.startswith("regressions"))


def test_what_is_back_as_it_was_accepted_is_no_regression(host: Host) -> None:
    acceptance = Acceptance(id="1", reason="so be it", until=WHEN.date())
    back, other = broken("0"), broken("1")
    report = sample.report([back.model_copy(update={"accepted": acceptance}), other])
    changes = got_worse([CauseKind.PACK], [CauseKind.MODEL])
    found = host(report=report.model_copy(update={"changes": changes}))
    assert found["regressions_total{cause=pack}"] == 0
    assert found["regressions_total{cause=model}"] == 1


def test_messages_are_counted(host: Host) -> None:
    host(notifications={("apprise", "sent"): 2, ("ping", "failed"): 1})
    found = host(Outcome.SKIPPED, notifications={("apprise", "sent"): 1})
    assert found["notifications_total{channel=apprise,result=sent}"] == 3
    assert found["notifications_total{channel=ping,result=failed}"] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b'comfywatchman_cycles_total{outcome="done" 7\n',
        b"comfywatchman_cycles_total 1 2 3 4\n",
        b"# TYPE a counter\n" * 100_000,
    ],
)
def test_after_a_damaged_file_counting_begins_anew(host: Host, content: bytes) -> None:
    host()
    (host.folder / state_files.METRICS).write_bytes(content)
    assert host()["cycles_total{outcome=done}"] == 1


def test_numbers_that_cannot_be_are_not_taken_over(host: Host) -> None:
    host()
    file = host.folder / state_files.METRICS
    text = file.read_text()
    for value in ("NaN", "+Inf", "-3"):
        file.write_text(re.sub(r'(outcome="done"}) .*', rf"\1 {value}", text))
        assert host()["cycles_total{outcome=done}"] == 1


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.integers(0, 2000))
def test_no_damage_does_any_harm(host: Host, bytes_: bytes, at: int) -> None:
    host()
    file = host.folder / state_files.METRICS
    content = file.read_bytes()
    file.write_bytes(content[:at] + bytes_ + content[at + len(bytes_) :])
    assert host(Outcome.SKIPPED)["cycles_total{outcome=skipped}"] >= 1


def test_without_a_file_the_last_report_says_how_things_are(host: Host) -> None:
    report = sample.report([broken()])
    (host.folder / state_files.LATEST).write_text(report.model_dump_json())
    found = host(Outcome.SKIPPED)
    assert found["workflows{verdict=broken}"] == 1
    success = found["cycle_last_success_timestamp_seconds{}"]
    assert success == pytest.approx(report.started_at.timestamp() + report.duration_s)


def test_a_host_that_was_never_done_counts_from_its_first_cycle(host: Host) -> None:
    host(Outcome.SKIPPED)
    found = host(Outcome.SKIPPED, at=LATER)
    assert found["cycle_last_success_timestamp_seconds{}"] == WHEN.timestamp()
    assert found["cycle_interval_seconds{}"] == 7200


@pytest.mark.parametrize("hostile", sample.HOSTILE, ids=range(len(sample.HOSTILE)))
def test_a_hostile_version_forges_nothing(host: Host, hostile: str) -> None:
    report = sample.report([broken(code=hostile)])
    server = report.server.model_copy(update={"version": hostile + '"} 1\nforged 1'})
    found = host(report=report.model_copy(update={"server": server}))
    text = (host.copies / "comfywatchman.prom").read_text()
    assert not re.search(r"^forged", text, re.MULTILINE)
    assert len(found) == len(host(Outcome.SKIPPED))
    assert len(max(found, key=len)) < 300


@pytest.mark.parametrize(("instance", "name"), [("", "comfywatchman"), ("a", "comfywatchman-a")])
def test_the_copy_is_for_all_to_read_whatever_the_umask(
    host: Host, instance: str, name: str
) -> None:
    before = os.umask(0o077)
    try:
        textfile.write(host.folder, instance, Ending(Outcome.SKIPPED), host.copies)
    finally:
        os.umask(before)
    (copy,) = host.copies.iterdir()
    assert copy.name == f"{name}.prom"
    assert copy.stat().st_mode & 0o777 == 0o644
    assert (host.folder / state_files.METRICS).stat().st_mode & 0o777 == 0o600
    assert f'comfywatchman_instance="{name}"' in copy.read_text()


def test_instances_share_a_folder_and_their_help_texts(host: Host) -> None:
    for instance in ("", "gpu1"):
        textfile.write(host.folder, instance, Ending(Outcome.SKIPPED), host.copies)
    texts = [file.read_text() for file in sorted(host.copies.glob("*.prom"))]
    comments = [[line for line in text.splitlines() if line.startswith("#")] for text in texts]
    assert len(comments) == 2
    assert comments[0] == comments[1]
    series = [{line.rpartition(" ")[0] for line in text.splitlines()} for text in texts]
    assert all(line.startswith("#") for line in series[0] & series[1])


def test_what_a_killed_cycle_left_is_removed_and_no_exporter_reads_it(host: Host) -> None:
    (host.copies / ".comfywatchman.prom.1.2.part").write_text("half a li")
    (host.copies / ".comfywatchman-a.prom.1.2.part").write_text("another's")
    host()
    assert sorted(file.name for file in host.copies.iterdir()) == [
        ".comfywatchman-a.prom.1.2.part",
        "comfywatchman.prom",
    ]


def no_folder(place: Path) -> None:
    place.rmdir()


def a_file(place: Path) -> None:
    place.rmdir()
    place.touch()


def something_in_its_place(place: Path) -> None:
    (place / "comfywatchman.prom").mkdir()


@pytest.mark.parametrize("spoil", [no_folder, a_file, something_in_its_place])
def test_a_folder_that_cannot_be_written_is_told_and_the_state_is_kept(
    host: Host, spoil: Any
) -> None:
    spoil(host.copies)
    trouble = textfile.write(host.folder, "", Ending(Outcome.SKIPPED), host.copies)
    assert trouble is not None
    assert trouble.startswith(f"{host.copies}/comfywatchman.prom could not be written: ")
    assert trouble.endswith("textfile_dir")
    assert read(host.folder / state_files.METRICS)["cycles_total{outcome=skipped}"] == 1


def test_a_state_folder_that_cannot_be_written_is_told_and_the_copy_is_there(host: Host) -> None:
    (host.folder / state_files.METRICS).mkdir()
    trouble = textfile.write(host.folder, "", Ending(Outcome.SKIPPED), host.copies)
    assert trouble is not None
    assert trouble.startswith(f"the metrics are not kept in {host.folder}: ")
    assert read(host.copies / "comfywatchman.prom")["cycles_total{outcome=skipped}"] == 1


def lines_of(file: Path) -> Iterator[str]:
    return (line for line in file.read_text().splitlines() if not line.startswith("#"))


def test_no_series_has_a_timestamp(host: Host) -> None:
    host()
    lines = lines_of(host.copies / "comfywatchman.prom")
    assert all(re.fullmatch(r"\w+\{.*\} [0-9.e+-]+", line) for line in lines)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here (./dev unit)")
def test_promtool_has_nothing_against_it(host: Host) -> None:
    host()
    with (host.copies / "comfywatchman.prom").open() as stream:
        done = subprocess.run(
            ["promtool", "check", "metrics"], stdin=stream, capture_output=True, text=True
        )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_model_files_and_what_will_fail_for_them(host: Host) -> None:
    found = host(report=sample.damaged())
    assert found["workflows_will_fail{}"] == 2
    states = {name: found[f"model_files{{state={name}}}"] for name in ModelFiles.model_fields}
    assert states == {"sound": 3, "damaged": 2, "unfinished": 0, "unread": 1}
    accepted = Acceptance(id="x", reason="x", until=date(2999, 1, 1))
    first, *rest = sample.damaged().workflows
    let_be = first.model_copy(update={"accepted": accepted})
    later = sample.report([let_be, *rest])
    found = host(report=later, at=LATER)
    assert found["workflows_will_fail{}"] == 1
    assert found["model_files{state=damaged}"] == 0
