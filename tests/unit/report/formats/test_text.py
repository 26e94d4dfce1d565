import io
import re

import pytest
from rich.cells import cell_len

from comfywatchman.report.formats import text
from comfywatchman.results import ChangeKind, HostChange, Severity, Verdict
from tests.unit.report.sample import (
    HOSTILE,
    by_hand,
    cause,
    change,
    changes,
    hostile,
    large,
    missing_model,
    realistic,
    remembered,
    report,
    workflow,
)

COLOR = re.compile(r"\x1b\[[0-9;]+m")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("make", [realistic, hostile, remembered, lambda: large(30)])
def test_every_line_fits_the_terminal(make, width: int, encoding: str) -> None:
    shown = text.render(make(), width=width, encoding=encoding)
    shown.encode(encoding)
    lines = [line for line in shown.split("\n") if "://" not in line]
    assert max(map(cell_len, lines)) <= width
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)


@pytest.mark.parametrize("make", [realistic, hostile, remembered])
def test_colour_changes_nothing_but_colour(make) -> None:
    colored = text.render(make(), width=80, color=True)
    assert COLOR.search(colored)
    assert COLOR.sub("", colored) == text.render(make(), width=80)


def test_what_it_says() -> None:
    shown = text.render(realistic(), width=100)
    start, *_, end = shown.strip().split("\n")
    assert start == "ComfyWatchman on render-07, 2026-11-23 10:00:03 UTC"
    assert end == "8 broken, 2 partial, 1 unknown, 12 runnable of 23 workflows, in 1.4 s"
    assert (
        """
✗ portraits/outdoor.json
  ✗ checkpoint 'sd_xl_base_1.0.safetensors' is not among the 14 files ComfyUI lists for 'ckpt_name'
    value_not_in_list: CheckpointLoaderSimple #4 · ckpt_name
    → see 1 at the top
  ✗ LoRA 'detail_tweaker_xl.safetensors' is not among the 31 files ComfyUI lists for 'lora_name'
    value_not_in_list: LoraLoader #57:12:4 · lora_name
    → set it to 'sdxl/detail_tweaker_xl.safetensors'
"""
        in shown
    )
    assert "  lost: PreviewImage #22, SaveImage #23\n  still runs: SaveImage #9\n" in shown
    assert "? the options of 'preset'" in shown
    headings = re.findall(r"^── (\w+)", shown, re.MULTILINE)
    assert headings == ["Fix", "Broken", "Partial", "Unknown", "Runnable", "Not"]


def test_an_address_is_never_broken() -> None:
    address = "https://example.org/" + "models/" * 20 + "x.safetensors"
    finding = missing_model("x", "1").model_copy(
        update={"fixes": by_hand(f"get it (from {address})")}
    )
    shown = text.render(report([workflow("w", Verdict.BROKEN, finding)]), width=60)
    assert f"    → get it (from\n      {address})\n" in shown


def test_a_remedy_that_differs_from_the_shared_one_is_shown() -> None:
    usual = missing_model("x", "1")
    special = usual.model_copy(update={"fixes": by_hand("set it to 'sub/x'")})
    workflows = [workflow(n, Verdict.BROKEN, f) for n, f in (("a", usual), ("b", special))]
    shown = text.render(report(workflows), width=90)
    assert shown.count("see 1 at the top") == 1
    assert shown.count("set it to 'sub/x'") == 1


def test_every_workflow_is_named() -> None:
    shown = text.render(large(40), width=100)
    for entry in large(40).workflows:
        assert entry.name in shown


def test_runnable_ones_are_set_in_columns() -> None:
    names = ["日本.json", "a.json", "e.json", "c.json", "d.json"]
    shown = text.render(report([workflow(n, Verdict.RUNNABLE) for n in names]), width=60)
    assert "\n✓ a.json     ✓ d.json     ✓ 日本.json\n✓ c.json     ✓ e.json\n" in shown


def test_a_skipped_cycle_says_why() -> None:
    skipped = report([]).model_copy(update={"outcome": "skipped", "reason": "ComfyUI is down"})
    shown = text.render(skipped, width=80)
    assert "\n! skipped: ComfyUI is down\n" in shown
    assert "no workflows found" not in shown


def test_nothing_found() -> None:
    shown = text.render(report([]), width=80)
    assert shown.count("no workflows found") == 2


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    flood = [missing_model(f"{i}.ckpt", str(i)) for i in range(1_000)]
    shown = text.render(report([workflow("w", Verdict.BROKEN, *flood)]), width=80)
    assert shown.count("is not among the 14 files") == 50
    assert "and 950 more" in shown


def test_symbols_tell_severities_apart_without_colour() -> None:
    for encoding in ("utf-8", "ascii"):
        error = missing_model("x", "1")
        lines = set()
        for severity in Severity:
            finding = error.model_copy(update={"severity": severity})
            shown = text.render(report([workflow("w", Verdict.BROKEN, finding)]), encoding=encoding)
            lines.add(next(line for line in shown.split("\n") if "is not among" in line))
        assert len(lines) == 3


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:
        return self._encoding


@pytest.mark.parametrize(
    ("terminal", "environment", "colored"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_only_where_it_is_wanted(monkeypatch, terminal, environment, colored) -> None:
    for name, value in {"TERM": "xterm", "COLUMNS": "70", "NO_COLOR": "", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = Stream(terminal=terminal)
    text.write(realistic(), stream)
    assert bool(COLOR.search(stream.getvalue())) is colored


def test_a_terminal_without_unicode(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    stream = Stream(terminal=True, encoding="ascii")
    text.write(hostile(), stream)
    assert stream.getvalue().isascii()
    lines = COLOR.sub("", stream.getvalue()).split("\n")
    assert max(len(line) for line in lines if "://" not in line) <= 70


def test_hostile_names_stay_on_their_line() -> None:
    shown = text.render(
        report([workflow(name, Verdict.BROKEN) for name in HOSTILE if len(name) < 90]), width=200
    )
    assert sum(line.startswith("✗ ") for line in shown.split("\n")) == len(
        [name for name in HOSTILE if len(name) < 90]
    )


def test_a_nodes_title_stands_beside_its_id() -> None:
    assert 'CLIPTextEncode #7 "Negative prompt" · text' in text.render(realistic(), width=100)


def test_it_leads_with_what_changed() -> None:
    shown = text.render(remembered(), width=100)
    headings = re.findall(r"^── (\w+)", shown, re.MULTILINE)
    assert headings[:4] == ["What", "After", "Fix", "Broken"]
    assert (
        """
1 cycle in between was skipped or failed
worse  3 workflows broke because models/checkpoints/sd_xl_base_1.0.safetensors was moved to sdxl/
       portraits/studio headshot.json, portraits/outdoor.json, portraits/2025/archive/couple, soft
       light (v12).json
"""
        in shown
    )
    assert (
        """
other  1 workflow can no longer be judged, probably because torch 2.8.0 → 2.9.1
       lab/queue of prompts.json
· this version of ComfyWatchman judges 1 workflow otherwise (ComfyWatchman 0.3.0 → 0.4.0)
  flux/packaging.json

On the host:
· comfyui_ultimatesdupscale 1.2.0 → 1.3.0
"""
        in shown
    )
    assert (
        "  and 12 more\n\nNot compared: the packages of ComfyUI's interpreter: it could not be"
        in shown
    )
    assert "✗ flux/packaging.json\n  broken since 2026-11-18 10:00 UTC (5 days)\n" in shown


def test_days_on_which_nothing_changed_and_first_reports_are_quiet() -> None:
    quiet = realistic().model_copy(update={"changes": changes()})
    assert "\n\nNothing changed since 2026-11-23 08:00 UTC\n\n── Fix first" in text.render(quiet)
    assert "changed" not in text.render(realistic())


def test_many_groups_are_cut_and_counted() -> None:
    causes = [cause(f"cause {n}") for n in range(30)]
    broken = [
        change(ChangeKind.WORSE, f"w{n}", Verdict.RUNNABLE, Verdict.BROKEN, each)
        for n, each in enumerate(causes)
    ]
    host = [HostChange(kind="package", name=f"p{n}", text=f"p{n} 1 → 2") for n in range(25)]
    told = changes(*causes, workflows=broken, host=host, host_left_out=100)
    shown = text.render(report([]).model_copy(update={"changes": told}))
    assert shown.count("1 workflow broke because cause") == 10
    assert "and 20 more workflows, by 20 other causes" in shown
    assert "  and 105 more\n" in shown
