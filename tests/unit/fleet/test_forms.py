"""The fleet as text and as Markdown, whatever the hosts and their workflows are called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from comfywatchman.escape import visible
from comfywatchman.fleet import folder, markdown, telling, text
from comfywatchman.fleet.model import PackVariant
from comfywatchman.fleet.survey import survey
from tests.unit.fleet import sample
from tests.unit.fleet.sample import NOW, host, report, status
from tests.unit.report.sample import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from markdown_it.token import Token

    from comfywatchman.fleet.model import Fleet

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
BLOCKS = ("heading", "bullet_list", "list_item", "paragraph", "table", "thead", "tbody", "tr", "th")
OUR_MARKUP = {
    *(f"{block}_{end}" for block in (*BLOCKS, "td", "strong") for end in ("open", "close")),
    *("inline", "text", "code_inline"),
}


def tokens(shown: str) -> Iterator[Token]:
    for token in READER.parse(shown):
        yield token
        yield from token.children or ()


def picture(collected: Path) -> Fleet:
    return survey(folder.read(collected), NOW)


def many(at: Path) -> Path:
    names = [f"render{n:03d}" for n in range(99)]
    hosts = [
        host(name, report=report({"a.json": "broken", "b.json": "runnable"})) for name in names
    ]
    hosts[7]["report"] = None
    return sample.write(at, hosts, expected=names)


@pytest.mark.parametrize("make", [sample.studio, sample.hostile, many])
def test_nothing_but_our_own_markup(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    shown = markdown.render(picture(make(tmp_path)))
    assert {token.type for token in tokens(shown)} <= OUR_MARKUP
    words = " ".join(token.content for token in tokens(shown) if token.type == "text")
    assert not re.search(r"[@#<>`|\\\[\]$~*_&]|www\.|://", words)


@pytest.mark.parametrize("name", ["a\\|<b>x</b>`|", "|", "\\", "`|`<i>", "\\\\|*x*"])
def test_a_bar_in_a_name_ends_no_cell(tmp_path: Path, name: str) -> None:
    made = report({name: "runnable"})
    shown = markdown.render(picture(sample.write(tmp_path, [host("a", report=made)])))
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?:^| )\|(?: |$)", row)) for row in rows[:2]} == {8}
    spans = [token.content for token in tokens(shown) if token.type == "code_inline"]
    assert name.replace("|", "\\x7c") in spans
    assert {token.type for token in tokens(shown)} <= OUR_MARKUP


def test_the_terminal_stays_clean(tmp_path: Path) -> None:
    shown = text.render(picture(sample.hostile(tmp_path)))
    assert all(line == visible(line) for line in shown.splitlines())
    assert len(shown.splitlines()) < 150
    assert len(HOSTILE) == int(shown.split()[0])


def test_a_small_fleet_is_a_table_of_hosts_and_workflows(tmp_path: Path) -> None:
    shown = markdown.render(picture(sample.studio(tmp_path)))
    row = next(line for line in shown.splitlines() if line.startswith("| `flux/packaging.json`"))
    assert [cell.strip() for cell in row.split("|")[2:-1]] == [
        *("broken (accepted)", "runnable", "silent", "runnable", "runnable", "silent"),
        *("runnable", "stale", "runnable"),
    ]
    assert "- `ben`: its timer is not waiting but elapsed: run the playbook deploy" in shown
    assert "## Node packs that differ" in shown
    assert "- `kjnodes`: 1.1.6, 212 node types on" in shown
    assert "; 1.1.4, 198 node types on `render02.example.com`" in shown
    assert "6,938,040,682 bytes on" in shown
    assert "4,211,081,216 bytes on `render02.example.com`" in shown
    assert "`v1-5-pruned-emaonly.safetensors` in `checkpoints`: on" in shown


SAID = (
    "4 of 9 hosts got worse in the last 24 hours: checkpoints/sd_xl_base_1.0.safetensors is gone "
    "(4 workflows on 3 hosts) and 2 other causes; of 3 hosts it is not known"
)
DROPPED = "ImageResizeKJv2 of kjnodes 1.1.4 \u2192 1.1.6 dropped output 3"


def test_a_terminal_is_told_what_changed(tmp_path: Path) -> None:
    lines = text.render(picture(sample.studio(tmp_path))).splitlines()
    assert lines[1] == SAID
    worse, also, ours = (
        lines.index(f"{title}:")
        for title in (
            "Workflows got worse",
            "Also changed",
            "ComfyWatchman's own new version: no change of the hosts",
        )
    )
    assert worse < also < ours
    assert (
        f"27 h ago: {DROPPED}: 3 workflows on 5 hosts: anna, render01.example.com, "
        "render04.example.com, render05.example.com (stale), render06.example.com"
    ) in lines[worse:also]
    assert any("[one of several, which cannot be told apart]" in line for line in lines)
    assert "1 workflow judged anew on 8 hosts" in lines[ours + 1]
    assert "render03.example.com (silent), render04.example.com, and 2 more" in lines[ours + 1]


def test_markdown_says_what_changed(tmp_path: Path) -> None:
    shown = markdown.render(picture(sample.studio(tmp_path)))
    changed = shown.partition("## What changed\n")[2].partition("\n## ")[0]
    assert "**3 workflows on 5 hosts**: `anna`, `render01.example.com`" in changed
    assert "`render05.example.com (stale)`" in changed
    assert changed.count("dropped output 3") == 1


def test_without_a_history_nothing_is_said_of_changes(tmp_path: Path) -> None:
    fleet = picture(many(tmp_path))
    assert "What changed" not in markdown.render(fleet)
    assert text.render(fleet).splitlines()[1] == ""


def test_no_change_is_told_only_where_it_is_known(tmp_path: Path) -> None:
    known = [sample.changed("a"), sample.changed("b")]
    fleet = picture(sample.write(tmp_path, known))
    assert telling.what_changed(fleet) == "none of 2 hosts got worse in the last 24 hours"
    fleet = picture(sample.write(tmp_path, [host("c"), host("d")]))
    assert telling.what_changed(fleet).endswith("; of 2 hosts it is not known")


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (PackVariant(0, []), "missing"),
        (PackVariant(0, [], None, None, False), "0 node types, disabled"),
        (PackVariant(1, [], "1.2.0"), "1.2.0, 1 node type"),
        (PackVariant(2, [], None, "0123456789" * 4, True), "0123456, 2 node types"),
        (
            PackVariant(0, [], "1", "abc", True, True),
            "1 (abc), 0 node types, could not be imported",
        ),
    ],
)
def test_a_pack_in_words(pack: PackVariant, said: str) -> None:
    assert telling.variant(pack) == said


def test_a_large_fleet_is_a_table_of_counts(tmp_path: Path) -> None:
    fleet = picture(many(tmp_path))
    shown = markdown.render(fleet)
    assert "| `a.json` | 0 of 99 |  | 98 broken |" in shown
    assert "| `b.json` | 98 of 99 | `render000`, `render001`," in shown
    assert text.render(fleet).splitlines()[-1] == "render007: there is no full report of it yet"
    assert "and 98 that are well" in text.render(fleet)


def test_no_hosts(tmp_path: Path) -> None:
    fleet = picture(sample.write(tmp_path, [], expected=[]))
    assert fleet.well
    assert text.render(fleet).startswith("there are no hosts")
    assert "**there are no hosts**" in markdown.render(fleet)


def test_a_skip_and_its_reason_are_told(tmp_path: Path) -> None:
    run = {"outcome": "skipped", "reason": "the GPU is busy", "started_at": sample.at(NOW - 60)}
    fleet = picture(sample.write(tmp_path, [host("a", status=status(last_run=run))]))
    said = "its last cycle was skipped, 1 min ago: the GPU is busy"
    assert f"a: {said}" in text.render(fleet)
    assert f"- `a`: {said}" in markdown.render(fleet)


def accepted(at: Path, hosts: int = 2) -> Fleet:
    """One workflow that is accepted on all hosts but the last, and one nowhere."""
    both = {"a.json": "broken", "b.json": "partial"}
    made = [host(f"h{n:02d}", report=sample.accepting(both, "a.json")) for n in range(hosts)]
    made[-1]["report"] = report(both)
    return picture(sample.write(at, made))


def test_what_will_fail_is_named_in_text(tmp_path: Path) -> None:
    lines = text.render(picture(sample.render_nodes(tmp_path))).splitlines()
    assert lines[1] == "2 workflows will fail for damaged model files, on 4 hosts"
    begin = lines.index("Damaged model files:")
    file = "the model file 'ae.safetensors' in 'vae' cannot be loaded"
    (said,) = lines[begin + 1 :]
    assert said == (
        f"2 workflows name vae/ae.safetensors: {file}: 9 bytes lack: node0, node1, node2 (stale); "
        f"{file}: 10 bytes lack: node3, node4"
    )


def test_what_will_fail_is_named_in_markdown(tmp_path: Path) -> None:
    shown = markdown.render(picture(sample.render_nodes(tmp_path)))
    assert "\n2 workflows will fail for damaged model files, on 4 hosts\n" in shown
    fails = "runnable (will fail)"
    assert (
        f"| `shot 0.json` | {fails} | {fails} (accepted) | stale | {fails} | {fails} | runnable |"
    ) in shown
    assert (
        "\n## Damaged model files\n\n- 2 workflows name `vae/ae.safetensors`: the model file "
        "`ae.safetensors` in `vae` cannot be loaded: 9 bytes lack on `node0`, `node1`, `node2`; "
    ) in shown
    many_hosts = [
        host(f"h{n:02d}", report=sample.failing({"a": "runnable"}, "a")) for n in range(20)
    ]
    shown = markdown.render(picture(sample.write(tmp_path / "many", many_hosts)))
    assert "| `a` | 0 of 20 |  | 20 runnable (20 will fail) |" in shown


def test_many_ways_of_damage_are_counted(tmp_path: Path) -> None:
    made = [host(f"h{n}", report=sample.failing({}, by=[sample.damage(n)])) for n in range(5)]
    shown = text.render(picture(sample.write(tmp_path, made)))
    assert shown.splitlines()[-1].endswith("2 bytes lack: h2; in other ways on 2 hosts")
    assert "no workflow names vae/ae.safetensors: " in shown


def test_what_is_accepted_is_named_in_text(tmp_path: Path) -> None:
    lines = text.render(accepted(tmp_path, 3)).splitlines()
    assert lines[1] == "1 workflow is accepted as it is, on 2 hosts"
    assert "accepted" not in text.render(picture(many(tmp_path / "none")))


def test_what_is_accepted_is_named_in_markdown(tmp_path: Path) -> None:
    shown = markdown.render(accepted(tmp_path))
    assert "\n1 workflow is accepted as it is, on 1 host\n" in shown
    assert "| `a.json` | broken (accepted) | broken |" in shown
    assert "1 broken, 1 partial; 1 of them accepted |" in shown
    assert (
        "- `a.json` is broken on `h00`, accepted until 2026\\-12\\-31 by anna: the studio does "
        "without: checkpoint"
    ).replace("\\-", "-") in shown
    assert "- `a.json` is broken on `h01`: checkpoint" in shown
    many_hosts = markdown.render(accepted(tmp_path / "many", 20))
    assert "| `a.json` | 0 of 20 |  | 20 broken (19 accepted) |" in many_hosts
