import re

import pytest
from markdown_it import MarkdownIt

from comfywatchman.escape import visible
from comfywatchman.report.formats import markdown
from comfywatchman.report.markup import prose
from comfywatchman.results import Verdict
from tests.unit.report.sample import (
    HOSTILE,
    changes,
    hostile,
    missing_model,
    realistic,
    remembered,
    report,
    workflow,
)

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OUR_MARKUP = {
    "heading_open", "heading_close", "bullet_list_open", "bullet_list_close", "list_item_open",
    "list_item_close", "ordered_list_open", "ordered_list_close", "paragraph_open",
    "paragraph_close", "inline", "text", "code_inline", "strong_open", "strong_close",
}  # fmt: skip


def tokens(text: str):
    for token in READER.parse(text):
        yield token
        yield from token.children or ()


@pytest.fixture(scope="module")
def hostile_spans() -> list[str]:
    return [t.content for t in tokens(markdown.render(hostile())) if t.type == "code_inline"]


@pytest.mark.parametrize("make", [realistic, hostile, remembered])
def test_nothing_but_our_own_markup(make) -> None:
    shown = markdown.render(make())
    shown.encode("utf-8")
    assert {token.type for token in tokens(shown)} <= OUR_MARKUP


def test_words_outside_of_code_mean_nothing_to_any_host() -> None:
    words = " ".join(t.content for t in tokens(markdown.render(hostile())) if t.type == "text")
    assert not re.search(r"[@#<>`|\\\[\]$~*_&]|www\.|://", words)


@pytest.mark.parametrize("text", [t for t in HOSTILE if t.strip() and len(t) < 200])
def test_a_name_is_read_back_as_it_is_shown(hostile_spans: list[str], text: str) -> None:
    assert visible(text) in hostile_spans


@pytest.mark.parametrize("text", [t for t in HOSTILE if t.strip() and len(t) < 200])
def test_a_sentence_is_read_back_but_for_quotes(text: str) -> None:
    inline = next(t for t in READER.parse(f"- {prose(text)}") if t.type == "inline")
    read = "".join(child.content for child in inline.children)
    assert read.replace("'", "").split() == visible(text).replace("'", "").split()


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("node type 'X' isn't offered, we've seen", "node type `X` isn't offered, we've seen"),
        ("file 'a (3).png', or 'b c'.", "file `a (3).png`, or `b c`."),
        ("(as 'a'b' c')`d`", "(as 'a'b' `` c')`d` ``"),
        ("put x.ckpt, y z.pt (or not) into a/b.", "put `x.ckpt`, y `z.pt` (or not) into `a/b`."),
        ("see https://example.org/x: it", "see `https://example.org/x`: it"),
        ("ask @ops #12 now", "ask `@ops #12` now"),
        ("1. one", "`1`. one"),
        ("- item", "`-` item"),
        ("**bold**", "`**bold**`"),
        ("GH-12", "`GH-12`"),
        ("> Manager > Install", r"\> Manager \> Install"),
    ],
)
def test_prose(sentence: str, shown: str) -> None:
    assert prose(sentence) == shown


def test_what_it_says() -> None:
    shown = markdown.render(realistic())
    assert shown.startswith(
        "# ComfyWatchman on `render-07`\n\n"
        "**8 broken, 2 partial, 1 unknown, 12 runnable of 23 workflows**\n"
    )
    assert (
        """
### `inpaint/remove background.json`

- **lost:** `PreviewImage #22`, `SaveImage #23`
- **still runs:** `SaveImage #9`
- **error:** input file `moodboard (3).png` is not in ComfyUI's input folder
    - `custom_validation_failed` at `LoadImage #31`, input `image`
"""
        in shown
    )


def test_every_workflow_is_named_once() -> None:
    spans = [t.content for t in tokens(markdown.render(realistic())) if t.type == "code_inline"]
    for entry in realistic().workflows:
        assert spans.count(entry.name) == 1


def test_a_skipped_cycle_says_why() -> None:
    skipped = report([]).model_copy(update={"outcome": "skipped", "reason": "ComfyUI is down"})
    shown = markdown.render(skipped)
    assert "**skipped:** ComfyUI is down\n" in shown
    assert "no workflows found" not in shown


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    flood = [missing_model(f"{i}.ckpt", str(i)) for i in range(1_000)]
    shown = markdown.render(report([workflow("w", Verdict.BROKEN, *flood)]))
    assert shown.count("is not among the 14 files") == 50
    assert "- and 950 more\n" in shown


def test_a_nodes_title_stands_beside_its_id() -> None:
    assert '`CLIPTextEncode #7 "Negative prompt"`, input `text`' in markdown.render(realistic())


def test_it_leads_with_what_changed() -> None:
    shown = markdown.render(remembered())
    headings = re.findall("^## (.*)", shown, re.MULTILINE)
    assert headings[0] == "What changed since 2026-11-23 08:00 UTC"
    assert (
        """
- **worse:** 1 workflow loses outputs, by one of 2 changes: comfyui-kjnodes 1.0.5 → 1.0.6; torch 2.8.0 → 2.9.1
    - `inpaint/remove background.json`
- **mended:** 1 workflow runs again because `models/loras/detail_tweaker_xl.safetensors` is back
    - `lora/style mix.json`
"""  # noqa: E501
        in shown
    )
    assert "\n### On the host\n\n- `comfyui_ultimatesdupscale` 1.2.0 → 1.3.0\n" in shown
    assert "### `flux/packaging.json`\n\n- broken since 2026-11-18 10:00 UTC (5 days)\n" in shown


def test_days_on_which_nothing_changed_and_first_reports_are_quiet() -> None:
    quiet = realistic().model_copy(update={"changes": changes()})
    assert "\n\nNothing changed since 2026-11-23 08:00 UTC\n\n## Fix" in markdown.render(quiet)
    assert "changed" not in markdown.render(realistic())
