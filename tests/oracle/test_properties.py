"""Whatever a prompt holds: an answer, the same one every time, and soon."""

from __future__ import annotations

import copy
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.prompt import MAX_FINDINGS, Judgement, judge
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.prompt import Conversion, SavedNode
from tests.oracle import recorded

CATALOG = recorded.OF_0_8.catalog("full")
TYPES = sorted(CATALOG)
IDS = ["1", "2", "3", "4:5", ""]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["euler", "example.png", "../x", "embedding:x", "\ud800", "[input]", "a\0b"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        st.fixed_dictionaries({"__value__": inner}),
    ),
    max_leaves=5,
)
links = st.tuples(st.sampled_from([*IDS, "404"]) | scalars, st.integers(-2, 3) | scalars).map(list)


@st.composite
def nodes(draw: st.DrawFn) -> Any:
    """A node of a real type with real input names, or anything else."""
    if draw(st.integers(0, 9)) == 0:
        return draw(values)
    class_type = draw(st.sampled_from(TYPES))
    declared = list(CATALOG[class_type].inputs)
    names = st.sampled_from(declared) if declared else st.text(max_size=5)
    inputs = draw(st.dictionaries(names | st.text(max_size=5), links | values, max_size=8))
    return {"class_type": class_type, "inputs": inputs}


prompts = st.dictionaries(st.sampled_from(IDS) | st.text(max_size=5), nodes(), max_size=8)


@st.composite
def mutilated(draw: st.DrawFn) -> dict[str, Any]:
    """A recorded prompt with a few of its parts replaced by anything."""
    prompt = copy.deepcopy(draw(st.sampled_from(sorted(recorded.OF_0_8.prompts().items())))[1])
    for _ in range(draw(st.integers(1, 4))):
        node_id = draw(st.sampled_from(sorted(prompt)))
        node = prompt[node_id]
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if isinstance(inputs, dict) and inputs and draw(st.integers(0, 4)):
            name = draw(st.sampled_from(sorted(inputs)))
            inputs[name] = draw(links | values)
        else:
            prompt[node_id] = draw(nodes())
    return prompt


def check(prompt: dict[str, Any], catalog: Catalog = CATALOG) -> None:
    before = repr(prompt)
    first = answer(prompt, catalog)
    assert repr(prompt) == before
    assert answer(prompt, catalog) == first
    lost = {output.node_id for output in first.outputs_lost}
    errors = [f for f in first.findings if f.severity is Severity.ERROR]
    assert lost.isdisjoint(output.node_id for output in first.outputs)
    match first.verdict:
        case Verdict.RUNNABLE:
            assert first.outputs
            assert not lost
            assert not errors
        case Verdict.PARTIAL:
            assert first.outputs
            assert lost
            assert errors
        case Verdict.BROKEN:
            assert not first.outputs
            assert errors
        case Verdict.UNKNOWN:
            assert first.not_checked
    assert len(first.findings) <= MAX_FINDINGS + 1
    for finding in first.findings:
        finding.model_dump_json()


def answer(prompt: dict[str, Any], catalog: Catalog) -> Judgement:
    return judge(Conversion(prompt), catalog, recorded.OF_0_8.inventory("full"))


many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@many
@given(prompts)
def test_random_prompts(prompt: dict[str, Any]) -> None:
    check(prompt)


@many
@given(mutilated())
def test_mutilated_prompts(prompt: dict[str, Any]) -> None:
    check(prompt)


@many
@given(
    st.dictionaries(
        st.sampled_from(["A", "B"]),
        st.fixed_dictionaries(
            {},
            optional={
                "input": values
                | st.fixed_dictionaries(
                    {
                        "required": st.dictionaries(
                            st.sampled_from(["x", "y"]),
                            values
                            | st.lists(
                                st.sampled_from(
                                    [
                                        "INT",
                                        "COMBO",
                                        "COMFY_DYNAMICCOMBO_V3",
                                        "COMFY_AUTOGROW_V3",
                                        "COMFY_MATCHTYPE_V3",
                                    ]
                                )
                                | values,
                                max_size=2,
                            ),
                        )
                    }
                ),
                "output": values,
                "output_node": st.just(True),
                "python_module": st.sampled_from(["nodes", "custom_nodes.x"]) | values,
            },
        ),
    ),
    st.dictionaries(
        st.sampled_from(["1", "2"]),
        st.fixed_dictionaries(
            {
                "class_type": st.sampled_from(["A", "B"]),
                "inputs": st.dictionaries(
                    st.sampled_from(["x", "y", "x.y"]),
                    values | st.sampled_from(["1", "2"]).map(lambda i: [i, 0]),
                ),
            }
        ),
    ),
)
def test_catalogs_that_make_no_sense(types: dict[str, Any], prompt: dict[str, Any]) -> None:
    check(prompt, Catalog(types))


def test_hostile_size_is_answered_soon() -> None:
    """Many nodes, many faults, long names, many outputs: seconds and not minutes."""
    faulty = {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "x" * 1000 + ".safetensors"},
    }
    prompt: dict[str, Any] = {}
    for i in range(5000):
        wrong = f"{'y' * 500}{i}.safetensors"
        prompt[f"m{i}"] = {**faulty, "inputs": {"ckpt_name": wrong}}
        prompt[f"t{i}"] = {
            "class_type": "CLIPTextEncode",
            "inputs": {"clip": [f"m{i}", 1], "text": "embedding:a embedding:b " * 20},
        }
        prompt[f"o{i}"] = {"class_type": "PreviewAny", "inputs": {"source": [f"t{i}", 0]}}
    listed = [f"folder{i}/model{i}.safetensors" for i in range(10_000)]
    declared = copy.deepcopy(recorded.OF_0_8.object_info("full")["CheckpointLoaderSimple"])
    declared["input"]["required"]["ckpt_name"][0] = listed
    catalog = Catalog(
        {**recorded.OF_0_8.object_info("full"), "CheckpointLoaderSimple": declared},
        recorded.OF_0_8.version,
    )
    inventory = Inventory(embeddings=frozenset(listed), models={"checkpoints": tuple(listed)})
    begun = time.process_time()
    judgement = judge(Conversion(prompt), catalog, inventory)
    assert time.process_time() - begun < 20
    assert judgement.verdict is Verdict.BROKEN
    assert len(judgement.findings) == MAX_FINDINGS + 1


def test_the_saved_file_cannot_put_anything_into_a_message() -> None:
    evil = "\x1b]0;owned\x07\n\u202e" + "A" * 100_000
    prompt = {"1": {"inputs": {}}, "2": {"class_type": "LoadImage", "inputs": {"image": evil}}}
    saved = {"1": SavedNode(evil, title=evil, pack=evil, models={evil: evil})}
    judgement = judge(Conversion(prompt, saved), CATALOG, Inventory())
    for finding in judgement.findings:
        for text in (finding.message, finding.fix or "", finding.node_type or ""):
            assert text.isprintable()
            assert len(text) < 1000
