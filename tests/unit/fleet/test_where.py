"""Which hosts can run a workflow, what lacks on the others, and who has it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.escape import visible
from comfywatchman.fleet import folder, placing
from comfywatchman.fleet.where import NotNamedError, where
from tests.unit.fleet import sample
from tests.unit.fleet.test_command import DAYS, run
from tests.unit.fleet.test_forms import OUR_MARKUP, tokens
from tests.unit.report import sample as reports

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.fleet.model import HostAnswer, Where

DIGEST, OTHER = "a" * 64, "b" * 64
BIG, SMALL = "big.safetensors", "small.safetensors"
GIB = 1024**3


def workflow(verdict: str = "runnable", name: str = "flow.json", **more: Any) -> dict[str, Any]:
    return {
        **sample.workflow(name, verdict),
        "findings": [],
        "content_digest": DIGEST,
        "models": [
            {"folder": "checkpoints", "name": BIG, "present": verdict == "runnable"},
            {"folder": "loras", "name": SMALL, "present": True},
        ],
        "packs": [{"name": "acme/Tools", "version": "1.0"}],
    } | more


def host(name: str, *workflows: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = sample.report({}) | {"schema_version": 2, "workflows": list(workflows)}
    return sample.host(name, report=made) | more


def stock(big: int | None = 4 * GIB, small: int | None = 1024, pack: bool = True) -> dict[str, Any]:
    models = {
        "checkpoints": {} if big is None else {BIG: big},
        "loras": {} if small is None else {SMALL: small},
    }
    packs = {"tools": {"node_types": 3, "version": "1.0", "enabled": True}} if pack else {}
    return sample.known_inventory(models, packs)


def answer(place: Path, hosts: list[dict[str, Any]], given: str = "flow.json") -> Where:
    collected = folder.read(sample.write(place, hosts, expected=[h["host"] for h in hosts]))
    return where(collected, given, sample.NOW)


def by_name(found: Where) -> dict[str, HostAnswer]:
    return {each.name: each for each in found.hosts}


def test_it_says_who_can_and_what_lacks_elsewhere(tmp_path: Path) -> None:
    gone = sample.finding("missing_node_type", "gone", node_type="Sharpen")
    other = sample.finding("value_range", "too large")
    hosts = [
        host("a", workflow(), inventory=stock()),
        host("b", workflow("broken", findings=[gone, other]), inventory=stock(None, pack=False)),
        host("c", inventory=stock(None, None)),
        host("d", inventory=stock()),
    ]
    found = answer(tmp_path, hosts)
    assert found.runnable_on == ["a"]
    assert [(m.folder, m.name, m.size, m.hosts) for m in found.models] == [
        ("checkpoints", BIG, 4 * GIB, ["a", "d"]),
        ("loras", SMALL, 1024, ["a", "b", "d"]),
    ]
    b, c, d = (by_name(found)[name] for name in "bcd")
    assert (b.state, b.lacks_models, b.lacks_packs) == ("broken", [0], ["acme/Tools"])
    assert (b.lacks_node_types, b.errors) == (["Sharpen"], ["too large"])
    assert (b.size, [(each.host, each.size) for each in b.copies]) == (4 * GIB, [("a", 4 * GIB)])
    assert (c.state, c.lacks_models, c.size) == ("not_judged", [0, 1], 4 * GIB + 1024)
    assert [each.models for each in c.copies] == [[0, 1]]
    assert any("was not judged there" in remark for remark in c.remarks)
    assert (d.state, d.lacks_models, d.lacks_packs) == ("not_judged", [], [])
    text = placing.text(found)
    assert text.startswith("flow.json runs on 1 of 4 hosts: a\n")
    assert "from a, 4.0 GiB: checkpoints/big.safetensors (4.0 GiB)" in text
    assert "nothing of the models and packs that it names lacks" in text
    assert "## `b`: broken" in placing.markdown(found)


def test_the_same_content_under_another_name_is_found_by_its_digest(tmp_path: Path) -> None:
    hosts = [
        host("a", workflow(), inventory=stock()),
        host("b", workflow(name="old/copy.json"), workflow("broken", content_digest=OTHER)),
        host("c", workflow(content_digest=OTHER), workflow(name="x.json", content_digest=OTHER)),
        host("d", workflow()),
    ]
    for given in ("flow.json", DIGEST, DIGEST[:12]):
        found = answer(tmp_path, hosts, given)
        assert found.content_digest == DIGEST
        told = {n: (each.found_by, each.workflow, each.state) for n, each in by_name(found).items()}
        assert told == {
            "a": ("digest", "flow.json", "runnable"),
            "b": ("digest", "old/copy.json", "runnable"),
            "c": ("name", "flow.json", "runnable"),
            "d": ("digest", "flow.json", "runnable"),
        }
    assert [(v.value, v.hosts) for v in found.versions] == [
        (DIGEST, ["a", "d"]),
        (OTHER, ["b", "c"]),
    ]
    assert any("another content" in remark for remark in by_name(found)["c"].remarks)


def test_a_host_that_is_old_or_unreadable_is_named_and_runs_nothing(tmp_path: Path) -> None:
    old = host("old", workflow(), inventory=stock())
    old["report"]["started_at"] = sample.at(sample.NOW - 100 * sample.HOUR)
    damaged = host("damaged", workflow())
    damaged["report"]["workflows"] = [workflow(content_digest=3)]
    hosts = [
        host("a", workflow("broken"), inventory=stock(None)),
        old,
        damaged,
        host("gone", report=None),
        host("off", workflow(), unreachable=True, failure="no route", inventory=stock()),
    ]
    found = answer(tmp_path, hosts)
    assert found.runnable_on == []
    told = by_name(found)
    assert [told[n].state for n in ("old", "gone", "off")] == ["stale", "silent", "silent"]
    assert "100 h" in told["old"].remarks[0] or "4 days" in told["old"].remarks[0]
    assert "its report is damaged" in " ".join(told["damaged"].remarks)
    assert "no route" in told["off"].remarks[0]
    assert [each.host for each in told["a"].copies] == ["off"] or told["a"].copies[0].host == "old"


def test_one_of_unknown_size_or_on_no_host_is_told(tmp_path: Path) -> None:
    lost = [{"folder": None, "name": "lost.ckpt", "present": False}]
    names = sample.inventory({"checkpoints": [BIG], "embeddings": ["e.pt"]}, {})
    needs = [*lost, {"folder": "embeddings", "name": "e", "present": None}]
    bad = workflow("broken")
    bad["models"] = bad["models"][:1] + needs
    found = answer(tmp_path, [host("a", bad, inventory=stock(None)), host("b", inventory=names)])
    a = by_name(found)["a"]
    assert [found.models[n].name for n in a.nowhere] == ["lost.ckpt"]
    assert (a.size, a.sizes_unknown) == (0, 3)
    assert [each.host for each in a.copies] == ["b"]
    assert "on no host: lost.ckpt" in placing.text(found)
    assert "and 3 of unknown size" in placing.text(found)


def test_several_contents_of_one_size_are_told_where_hosts_have_read_them(tmp_path: Path) -> None:
    read = [stock() | {"hashes": {"checkpoints": {BIG: content * 32}}} for content in ("ab", "cd")]
    hosts = [host(name, workflow(), inventory=each) for name, each in zip("ab", read, strict=True)]
    found = answer(tmp_path, [*hosts, host("c", workflow("broken"), inventory=stock(None))])
    assert [model.contents_differ for model in found.models] == [True, False]
    assert "big.safetensors (4.0 GiB) in several contents" in placing.text(found)


def test_as_few_hosts_as_can_be_give_what_lacks(tmp_path: Path) -> None:
    hosts = [
        host("a", workflow("broken"), inventory=stock(None)),
        host("b", inventory=stock(small=None)),
        host("c", inventory=stock(big=5 * GIB)),
        host("e", inventory=stock(None, None)),
    ]
    found = answer(tmp_path, hosts)
    assert found.models[0].sizes_differ
    assert [each.host for each in by_name(found)["e"].copies] == ["c"]
    assert "in several sizes" in placing.text(found)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("none.json", "no report of the fleet has a workflow 'none.json'"),
        ("OTHER/flow.JSON", "near it: "),
        ("twin.json", "2 workflows are called 'twin.json': 'x/twin.json', 'y/twin.json'"),
        ("", "no report of the fleet"),
        ("\x1b[2J\n", "'\\x1b[2J\\n'"),
    ],
)
def test_one_that_is_not_clear_is_refused(tmp_path: Path, given: str, said: str) -> None:
    twins = [workflow(name=f"{each}/twin.json") for each in "xy"]
    with pytest.raises(NotNamedError) as refused:
        answer(tmp_path, [host("a", workflow(), *twins)], given)
    assert said in str(refused.value).replace("\\\\", "\\")


def test_as_a_command(tmp_path: Path) -> None:
    sample.write(tmp_path / "in", [host("a", workflow(), inventory=stock())])
    done = run(tmp_path / "in", DAYS, "--where", "flow.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("flow.json runs on 1 of 1 host: a")
    assert {f.name for f in (tmp_path / "in").iterdir()} == {"hosts"}
    told = run(tmp_path / "in", DAYS, "--where=flow.json", "--format=json", "--output", tmp_path)
    assert json.loads(told.stdout)["runnable_on"] == ["a"]
    assert (tmp_path / "where.json").read_text() == told.stdout
    assert (tmp_path / "where.md").read_text().startswith("# Where it runs")
    assert run(tmp_path / "in", DAYS, "--where", "x").returncode == 2
    sample.write(tmp_path / "bad", [host("a", workflow("broken"))])
    assert run(tmp_path / "bad", DAYS, "--where", "flow.json").returncode == 1


def test_a_hostile_fleet_acts_nowhere(tmp_path: Path) -> None:
    hosts = []
    for number, text in enumerate(reports.HOSTILE):
        each = workflow("broken", name=text)
        each["models"] = [{"folder": text, "name": text, "present": False}] * 3
        each["packs"] = [{"name": text, "version": text}]
        each["findings"] = [sample.finding("missing_node_type", text, node_type=text)]
        hosts.append(host(f"{number}", each, inventory=sample.inventory({text: [text]}, {text: 3})))
    found = answer(tmp_path, hosts, DIGEST)
    assert all(visible(line) == line for line in placing.text(found).split("\n"))
    shown = tokens(placing.markdown(found))
    assert {token.type for token in shown} <= OUR_MARKUP
    words = " ".join(token.content for token in shown if token.type == "text")
    assert not re.search(r"[@#<>`|\\\[\]$~*_&]|www\.|://", words)
