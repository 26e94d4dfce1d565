import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

import pytest

from comfywatchman.escape import visible
from comfywatchman.report import html
from comfywatchman.results import ChangeKind, Changes, Summary, Verdict
from tests.unit.report.sample import (
    HOSTILE,
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

TEMPLATES = Path(html.__file__).parent / "templates"


class Reader(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and text by element."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        self.texts.setdefault(tag, []).append("")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


@pytest.fixture(scope="module")
def hostile_page() -> Reader:
    return Reader(html.render(hostile()))


def test_hostile_text_adds_no_element_and_no_attribute(hostile_page: Reader) -> None:
    def kinds(page: Reader) -> set[tuple[str, str]]:
        return {(tag, name) for tag, attributes in page.elements for name in (*attributes, "")}

    made = (realistic(), large(30), remembered())
    ours = set().union(*(kinds(Reader(html.render(report))) for report in made))
    assert kinds(hostile_page) <= ours
    assert not any(name.startswith("on") for _, name in ours)


def test_an_expression_without_a_filter_is_safe_too() -> None:
    template = html.template().environment.from_string("{{ text }}")
    assert template.render(text="\x1b<b>") == r"\x1b&lt;b&gt;"


def test_nothing_is_fetched(hostile_page: Reader) -> None:
    for tag, attributes in hostile_page.elements:
        assert not attributes.keys() & {"src", "srcset", "action", "formaction", "style"}
        if "href" in attributes:
            assert attributes["href"].startswith("#") or (tag, attributes["href"]) == (
                "link",
                "data:,",
            )
    for file in ("report.css", "history.css", "report.js"):
        assert not re.search(r"url\(|@import|fetch\(|http", (TEMPLATES / file).read_text())


def test_the_policy_allows_our_own_style_and_script_and_nothing_else(hostile_page: Reader) -> None:
    page = hostile_page
    policy = next(
        attributes["content"]
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    hashes = {
        tag: base64.b64encode(hashlib.sha256(page.texts[tag][0].encode()).digest()).decode()
        for tag in ("style", "script")
    }
    assert len(page.texts["style"]) == len(page.texts["script"]) == 1
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("text", [t for t in HOSTILE if len(t) < 200])
def test_names_and_messages_read_as_they_are(hostile_page: Reader, text: str) -> None:
    assert visible(text) in hostile_page.texts["bdi"]
    assert visible(text) in hostile_page.texts["p"]


def test_everything_useful_is_there_without_script() -> None:
    text = re.sub(r"<script>.*</script>", "", html.render(realistic()), flags=re.DOTALL)
    read = " ".join(chain.from_iterable(Reader(text).texts.values()))
    for entry in realistic().workflows:
        assert entry.name in read
        assert entry.path in read
        for finding in entry.findings:
            assert finding.message in read
            assert finding.fix is None or finding.fix in read
        for blind_spot in entry.not_checked:
            assert blind_spot in read


def test_it_is_a_standard_page() -> None:
    assert html.render(report([])).startswith("<!DOCTYPE html>\n<html lang=")


def test_style_and_script_are_small() -> None:
    ours = ("report.css", "history.css", "report.js")
    assert sum(len((TEMPLATES / f).read_bytes()) for f in ours) < 25_000


@pytest.mark.parametrize(
    ("summary", "title"),
    [
        ({"broken": 8, "partial": 1, "runnable": 3}, "8 of 12 workflows cannot run"),
        ({"broken": 1}, "1 of 1 workflow cannot run"),
        ({"partial": 1, "runnable": 1}, "1 of 2 workflows would lose outputs"),
        ({"unknown": 2, "runnable": 1}, "2 of 3 workflows could not be judged"),
        ({"runnable": 1200}, "All 1,200 workflows can run"),
        ({"runnable": 1}, "The workflow can run"),
        ({}, "No workflows found"),
    ],
)
def test_the_title_says_the_worst(summary, title: str) -> None:
    page = Reader(html.render(report([]).model_copy(update={"summary": Summary(**summary)})))
    assert page.texts["h1"] == [title]
    assert page.texts["title"] == [f"{title} · render-07 · ComfyWatchman"]


def test_a_skipped_cycle_says_why() -> None:
    skipped = report([]).model_copy(update={"outcome": "skipped", "reason": "ComfyUI is down"})
    page = Reader(html.render(skipped))
    assert page.texts["h1"] == ["The check was skipped"]
    assert "ComfyUI is down" in page.texts["p"]


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    flood = [missing_model(f"{i}.ckpt", str(i)) for i in range(1_000)]
    shown = html.render(report([workflow("w", Verdict.BROKEN, *flood)]))
    assert shown.count('<li class="error">') == 50
    assert "and 950 more in the JSON report" in shown
    assert "1,000 errors" in shown


def _luminance(color: str) -> float:
    digits = color.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_enough_in_both_themes() -> None:
    style = (TEMPLATES / "report.css").read_text()
    blocks = [dict(re.findall(r"--(\w+): (#\w+)", b)) for b in re.findall(r"\{([^{}]*)\}", style)]
    light, dark_by_system, dark_by_choice = [b for b in blocks if "ink" in b and "paper" in b]
    assert dark_by_system == dark_by_choice
    for theme in (light, dark_by_choice):
        for surface in ("ground", "paper", "raised"):
            for text in ("ink", "quiet", "broken", "partial", "unknown", "runnable", "accent"):
                assert _contrast(theme[text], theme[surface]) >= 4.5, (text, surface)


def test_a_nodes_title_stands_beside_its_id() -> None:
    assert "<code>CLIPTextEncode #7 &#34;Negative prompt&#34;</code>" in html.render(realistic())


def text_of(page: str) -> str:
    return " ".join(" ".join(chain.from_iterable(Reader(page).texts.values())).split())


def test_it_leads_with_what_changed() -> None:
    page = html.render(remembered())
    headings = re.findall('<h2 id="[^"]*">(.*?)</h2>', page)
    assert headings[:4] == [
        "What changed since 2026-11-23 08:00 UTC",
        "After the next restart of ComfyUI",
        "Fix first: problems that workflows share",
        "What changed in the last weeks",
    ]
    read = text_of(page)
    for said in (
        "1 cycle in between was skipped or failed",
        "3 workflows broke because models/checkpoints/sd_xl_base_1.0.safetensors was moved to",
        "1 workflow loses outputs, by one of 2 changes: comfyui-kjnodes 1.0.5 → 1.0.6; torch 2.8.0",
        "this version of ComfyWatchman judges 1 workflow otherwise (ComfyWatchman 0.3.0 → 0.4.0)",
        "comfyui-manager 3.37 → 3.38",
        "and 12 that are not listed",
        "the packages of ComfyUI's interpreter: it could not be found",
        "broken since",
    ):
        assert said in read


def test_workflows_that_are_there_are_linked_and_marked() -> None:
    page = html.render(remembered())
    assert page.count("data-change>") == 10
    assert '<b class="mended">mended</b>' in page
    position = re.search(r'<a href="#w(\d+)"><bdi>lora/style mix.json', page)[1]
    body = page[page.index(f'id="w{position}"') :]
    assert body.index("lora/style mix.json") < body.index("</div>")
    assert "<bdi>old/experiment 7.json</bdi></p>" in page
    assert "10 changed</button>" in page


def test_days_on_which_nothing_changed_and_first_reports_are_quiet() -> None:
    def page(changed: Changes | None) -> str:
        return html.render(realistic().model_copy(update={"changes": changed}))

    assert (
        '<div class="quiet unchanged"><p>Nothing changed since 2026-11-23 08:00 UTC</p></div>'
        in page(changes())
    )
    unseen = page(changes(not_known=["the packs"]))
    assert "08:00 UTC; 1 thing could not be compared</p>" in unseen
    assert "<li>the packs</li>" in unseen
    assert "changed since" not in page(None)
    assert 'id="changed-only"' not in html.render(realistic())
    assert "The last six weeks" not in html.render(realistic())


def test_moments_are_dated_for_programs_too() -> None:
    elements = Reader(html.render(remembered())).elements
    moments = [attributes["datetime"] for tag, attributes in elements if tag == "time"]
    assert len(moments) == 1 + 6 + 23
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z", each) for each in moments)


def test_every_strip_has_a_text_in_its_place() -> None:
    elements = Reader(html.render(remembered())).elements
    strips = [a for tag, a in elements if tag == "svg" and a.get("role") == "img"]
    assert len(strips) == 9
    assert all(" until " in each["aria-label"] for each in strips)


def test_many_groups_and_many_workflows_are_folded() -> None:
    causes = [cause(f"cause {n}") for n in range(9)]
    broken = [
        change(ChangeKind.WORSE, f"w{n}-{m}", Verdict.RUNNABLE, Verdict.BROKEN, each)
        for n, each in enumerate(causes)
        for m in range(5)
    ]
    page = html.render(
        report([]).model_copy(update={"changes": changes(*causes, workflows=broken)})
    )
    assert "<summary>20 more workflows</summary>" in page
    assert page.count("<summary>5 workflows</summary>") == 9
    assert page.count("<bdi>w8-4</bdi>") == 1
