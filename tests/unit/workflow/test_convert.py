"""The rules of conversion, one test each. What they rest on: tests/oracle/test_conversion.py."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.results import Severity
from comfywatchman.workflow import budget, scope
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.prompt import Conversion, WorkflowError
from tests.unit.workflow.saved import (
    CATALOG,
    INT,
    NESTED,
    SUBGRAPH,
    declaration,
    defined,
    node,
    subgraph,
    workflow,
)

MUTED, BYPASSED = 2, 4

DYNAMIC_SPEC = {
    "mode": [
        "COMFY_DYNAMICCOMBO_V3",
        {
            "options": [
                {"key": "off", "inputs": {}},
                {
                    "key": "by",
                    "inputs": {"required": {"w": INT, "seed": INT, "m": ["MODEL", {}]}},
                },
            ]
        },
    ],
    "z": INT,
}

GROUP_RECIPE = {
    "nodes": [
        {"type": "Source", "index": 0},
        {
            "type": "Mixer",
            "inputs": [{"name": "mask", "type": "MASK"}, {"name": "a"}],
            "index": 1,
        },
        {"type": "Size", "index": 2},
        {"type": "Loader", "index": 3},
    ],
    "links": [[0, 0, 1, 1, 1, "IMAGE"]],
    "external": [],
}


def converted(document: dict[str, Any], catalog: Catalog = CATALOG) -> Conversion:
    return convert(document, catalog)


def inputs(document: dict[str, Any], catalog: Catalog = CATALOG) -> dict[str, Any]:
    return {node_id: n["inputs"] for node_id, n in converted(document, catalog).prompt.items()}


def widgets(spec: dict[str, Any], values: Any, **more: Any) -> dict[str, Any]:
    """The widget values of one node of a type of its own."""
    catalog = Catalog({"T": declaration(spec, **more)})
    result: dict[str, Any] = inputs(workflow([node(1, "T", values=values)]), catalog)["1"]
    return result


class TestForms:
    def test_a_prompt_passes_through(self) -> None:
        prompt = {
            "7": {
                "class_type": "Loader",
                "inputs": {"name": "c.safetensors"},
                "_meta": {"title": "My loader"},
            }
        }
        for document in (prompt, {"prompt": prompt, "client_id": "x"}):
            conversion = converted(document)
            assert conversion.prompt == prompt
            assert conversion.nodes["7"].title == "My loader"

    @pytest.mark.parametrize(
        "document",
        [{}, {"a": 1}, {"nodes": {"1": {}}}, {"prompt": []}, {"1": {"inputs": {}}}],
    )
    def test_any_other_object_is_no_workflow(self, document: dict[str, Any]) -> None:
        with pytest.raises(WorkflowError) as caught:
            converted(document)
        assert caught.value.finding.code == "not_a_workflow"

    def test_links_may_be_lists_or_objects(self) -> None:
        nodes = [node(1, "Source"), node(2, "Sink", {"image": 5})]
        as_object = {"id": 5, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0}
        for link in ([5, 1, 0, 2, 0, "IMAGE"], as_object):
            assert inputs(workflow(nodes, [link]))["2"] == {"image": ["1", 0]}

    def test_an_input_is_wired_by_its_link_id_not_by_target_slot(self) -> None:
        nodes = [node(1, "Source"), node(2, "Sink", {"mask": 5, "image": None})]
        assert inputs(workflow(nodes, [[5, 1, 1, 2, 0, "MASK"]]))["2"] == {"mask": ["1", 1]}

    def test_a_link_no_input_knows_goes_to_its_target_slot(self) -> None:
        nodes = [node(1, "Source"), node(2, "Sink"), node(3, "Sink", {"image": 99})]
        links = [[5, 1, 0, 2, 0, "IMAGE"], [6, 1, 0, 3, 0, "IMAGE"]]
        found = inputs(workflow(nodes, links))
        assert found["2"] == found["3"] == {"image": ["1", 0]}

    def test_ids_as_text_are_the_same_ids(self) -> None:
        nodes = [node("1", "Source"), node(2, "Sink", {"image": "5"})]
        assert inputs(workflow(nodes, [["5", 1, 0, "2", 0, "IMAGE"]]))["2"] == {"image": ["1", 0]}

    def test_missing_parts_are_tolerated(self) -> None:
        document = {"nodes": [{"id": 1, "type": "Size"}, 5, None, {"type": "Size"}]}
        conversion = converted(document)
        assert conversion.prompt["1"]["inputs"] == {"width": 0, "height": 0}
        assert [f.code for f in conversion.findings] == ["malformed_node"]

    def test_a_second_node_of_an_id_gets_another(self) -> None:
        document = workflow([node(1, "Size"), node(1, "Loader")])
        assert set(inputs(document)) == {"1", "2"}


class TestWhatIsSent:
    def test_muted_bypassed_and_virtual_nodes_are_not(self) -> None:
        nodes = [
            node(1, "Size", mode=MUTED),
            node(2, "Size", mode=BYPASSED),
            node(3, "Note"),
            node(4, "MarkdownNote"),
            node(5, "PrimitiveNode"),
            node(6, "Reroute"),
            node(7, "Size"),
        ]
        assert set(inputs(workflow(nodes))) == {"7"}

    def test_a_node_of_unknown_type_is_without_class_type_and_names_its_pack(self) -> None:
        properties = {
            "cnr_id": "some-pack",
            "models": [{"name": "m.safetensors", "url": "https://example.org/m"}, {"name": 3}],
        }
        saved = node(1, "Nobody", values=["a", None], title="Mine", properties=properties)
        conversion = converted(workflow([saved, node(2, "Size")]))
        assert conversion.prompt["1"]["inputs"] == {"UNKNOWN": "a", "UNKNOWN_1": "null"}
        assert "class_type" not in conversion.prompt["1"]
        assert conversion.prompt["2"]["class_type"] == "Size"
        about = conversion.nodes["1"]
        assert (about.type, about.title, about.pack) == ("Nobody", "Mine", "some-pack")
        assert about.models == {"m.safetensors": "https://example.org/m"}

    def test_aux_id_names_the_pack_where_there_is_no_cnr_id(self) -> None:
        saved = node(1, "Nobody", properties={"aux_id": "author/repo"})
        assert converted(workflow([saved])).nodes["1"].pack == "author/repo"

    def test_class_type_is_the_type_not_the_name_for_search(self) -> None:
        saved = node(1, "Size", properties={"Node name for S&R": "Loader"})
        assert converted(workflow([saved])).prompt["1"]["class_type"] == "Size"

    def test_links_to_what_is_not_sent_are_dropped(self) -> None:
        nodes = [node(1, "Source", mode=MUTED), node(2, "Sink", {"image": 5, "mask": 6})]
        links = [[5, 1, 0, 2, 0, "IMAGE"], [6, 77, 0, 2, 1, "MASK"]]
        assert inputs(workflow(nodes, links)) == {"2": {}}


class TestWidgets:
    def test_order_is_required_then_optional_whatever_the_json_says(self) -> None:
        spec = declaration({"b": INT, "a": INT}, {"d": INT, "c": INT})
        spec["input_order"] = {"required": ["a", "b"], "optional": ["c"]}
        catalog = Catalog({"T": spec})
        found = inputs(workflow([node(1, "T", values=[1, 2, 3, 4])]), catalog)["1"]
        assert found == {"a": 1, "b": 2, "c": 3, "d": 4}

    def test_sockets_take_no_value(self) -> None:
        spec = {"image": ["IMAGE", {}], "x": ["INT", {"forceInput": True}], "y": INT}
        assert widgets(spec, [8]) == {"y": 8}

    def test_default_input_makes_a_socket_of_optional_inputs_only(self) -> None:
        flagged = ["INT", {"default": 3, "defaultInput": True}]
        assert widgets({"a": flagged}, [1, 2], optional={"b": flagged, "c": INT}) == {
            "a": 1,
            "c": 2,
        }

    @pytest.mark.parametrize(
        ("spec", "extra"),
        [
            ({"seed": INT}, 1),
            ({"noise_seed": INT}, 1),
            ({"number": INT}, 0),
            ({"seed": ["INT", {"control_after_generate": False}]}, 0),
            ({"number": ["INT", {"control_after_generate": True}]}, 1),
            ({"number": ["FLOAT", {"control_after_generate": True}]}, 1),
            ({"seed": ["FLOAT", {}]}, 0),
            ({"choice": [["x"], {"control_after_generate": True}]}, 2),
            ({"choice": ["COMBO", {"options": ["x"], "control_after_generate": True}]}, 2),
            ({"text": ["STRING", {"control_after_generate": True}]}, 0),
            ({"box": ["BOUNDING_BOX", {}]}, 4),
            ({"sound": ["AUDIO_RECORD", {}]}, 1),
            ({"file": ["COMBO", {"remote": {"route": "/x"}}]}, 1),
            ({"file": ["COMBO", {"remote": {"route": "/x", "refresh_button": True}}]}, 2),
        ],
    )
    def test_positions_follow_the_declaration_never_the_values(
        self, spec: dict[str, Any], extra: int
    ) -> None:
        for filler in ("randomize", True, 5):
            values = [1, *[filler] * extra, "last"]
            assert widgets({**spec, "z": INT}, values)["z"] == "last"

    def test_the_upload_button_comes_after_the_listed_inputs(self) -> None:
        image = [["x.png"], {"image_upload": True}]
        assert widgets({"image": image, "channel": INT}, ["y.png", 4, "image"]) == {
            "image": "y.png",
            "channel": 4,
        }
        catalog = Catalog({"T": declaration({"image": image}, {"z": INT})})
        del catalog.declarations["T"]["input_order"]  # type: ignore[attr-defined]
        saved = workflow([node(1, "T", values=["y.png", "image", 4])])
        assert inputs(saved, catalog)["1"] == {"image": "y.png", "z": 4}

    def test_a_3d_viewer_after_its_file_has_three_buttons_before_it(self) -> None:
        spec = {"model_file": [["m"], {}], "image": ["LOAD_3D", {}], "width": INT}
        assert widgets(spec, ["m", "up", "up", "clear", {}, 64])["width"] == 64

    def test_dummies_of_old_saves_are_dropped_by_count(self) -> None:
        spec = {"text": ["STRING", {"forceInput": True}], "x": INT, "y": INT}
        assert widgets(spec, ["", 1, 2]) == {"x": 1, "y": 2}
        assert widgets(spec, [1, 2]) == {"x": 1, "y": 2}

    def test_an_object_of_values_is_by_name_on_pack_nodes(self) -> None:
        saved = workflow([node(1, "PackNode", values={"y": 2, "videopreview": {"a": 1}})])
        assert inputs(saved)["1"] == {"x": 0, "y": 2}

    def test_an_object_of_values_on_comfyuis_own_nodes_is_ignored(self) -> None:
        assert inputs(workflow([node(1, "Size", values={"width": 2})]))["1"]["width"] == 0

    @pytest.mark.parametrize(
        ("spec", "value"),
        [
            (["INT", {}], 0),
            (["INT", {"min": 5}], 0),
            (["INT", {"default": 7}], 7),
            (["FLOAT", {}], 0),
            (["BOOLEAN", {}], False),
            (["STRING", {}], ""),
            ([["first", "second"], {}], "first"),
            ([["first", "second"], {"default": "second"}], "second"),
            (["COMBO", {"options": ["first"]}], "first"),
            (["CURVE", {}], None),
        ],
    )
    def test_what_is_not_saved_gets_the_default(self, spec: list[Any], value: Any) -> None:
        found = widgets({"x": spec}, [])["x"]
        if value is None:
            assert found["__type__"] == "CURVE"
        else:
            assert found == value
            assert type(found) is type(value)

    def test_an_empty_combo_has_no_default(self) -> None:
        assert widgets({"x": [[], {}]}, []) == {}

    def test_null_in_a_combo_is_its_first_choice_and_nothing_else_is_repaired(self) -> None:
        spec = {"x": [["a", "b"], {}], "y": [["a", "b"], {}], "z": INT}
        assert widgets(spec, [None, "A\\c", None]) == {"x": "a", "y": "A\\c", "z": None}

    def test_a_list_is_wrapped_and_disturbs_no_other_value(self) -> None:
        assert widgets({"x": INT, "y": INT, "z": INT}, [[1, 2], {"k": 1}, 3]) == {
            "x": {"__value__": [1, 2]},
            "y": {"k": 1},
            "z": 3,
        }
        curve = widgets({"c": ["CURVE", {}]}, [{"points": []}])["c"]
        assert curve == {"__type__": "CURVE", "__value__": {"points": []}}

    @pytest.mark.parametrize(
        ("saved", "sent"),
        [
            (2**53, 2**53),
            (2**53 + 1, 2**53),
            (2**64 - 1, 1.8446744073709552e19),
            (-(2**60) - 1, -1152921504606847000),
        ],
    )
    def test_large_integers_are_rounded_as_in_a_browser(self, saved: int, sent: float) -> None:
        assert widgets({"x": INT, "y": ["FOO", {"widgetType": "INT"}]}, [saved, saved]) == {
            "x": sent,
            "y": sent,
        }

    def test_samplers_lose_an_old_prefix(self) -> None:
        spec = {"sampler_name": [["euler"], {}]}
        catalog = Catalog({"KSampler": declaration(spec), "Other": declaration(spec)})
        nodes = [node(i, t, values=["sample_euler"]) for i, t in enumerate(catalog, 1)]
        found = inputs(workflow(nodes), catalog)
        assert found["1"] == {"sampler_name": "euler"}
        assert found["2"] == {"sampler_name": "sample_euler"}

    @pytest.mark.parametrize(
        ("saved", "sent"),
        [
            ("a // gone\nb /* gone\n */c", "a \nb c"),
            ("a {b|c} {d|{e|f}}", "a b d"),
            ('{"k": {"v": 1}}', '"k": "v": 1'),
            (r"\{a\|b\}", "{a|b}"),
            ("} { a", "}  a"),
            ("/* open", "/* open"),
            ("http://x", "http:"),
            (5, "5"),
            (None, ""),
            (["a", "b"], "a,b"),
            (True, "true"),
        ],
    )
    def test_prompt_texts_are_cleaned_as_the_browser_does(self, saved: Any, sent: str) -> None:
        found = inputs(workflow([node(1, "Text", values=[saved])]))["1"]
        assert found == {"text": sent}


class TestDynamicInputs:
    @pytest.mark.parametrize(
        ("values", "found"),
        [
            (["off", 5], {"mode": "off", "z": 5}),
            (["by", 1, 2, 5], {"mode": "by", "mode.w": 1, "mode.seed": 2, "z": 5}),
            (["by"], {"mode": "by", "mode.w": 0, "mode.seed": 0, "z": 0}),
            (["nonsense", 5], {"mode": "nonsense", "z": 5}),
            ([None, 5], {"mode": "off", "z": 5}),
            ([], {"mode": "off", "z": 0}),
        ],
    )
    def test_a_dynamic_combo_is_followed_by_its_option(
        self, values: list[Any], found: dict[str, Any]
    ) -> None:
        assert widgets(DYNAMIC_SPEC, values) == found

    def test_autogrow_sockets_are_wired_by_name_and_its_widgets_counted(self) -> None:
        row = {"required": {"v": INT}}
        spec = {"g": ["COMFY_AUTOGROW_V3", {"template": {"input": row, "prefix": "n", "min": 1}}]}
        assert widgets({**spec, "z": INT}, [1, 2, 3]) == {"g.n0": 1, "g.n1": 2, "z": 3}


class TestLinks:
    def test_a_wired_widget_input_overrides_its_value(self) -> None:
        nodes = [node(1, "Source"), node(2, "Size", {"width": (5, True)}, [64, 32])]
        found = inputs(workflow(nodes, [[5, 1, 2, 2, 0, "INT"]]))
        assert found["2"] == {"width": ["1", 2], "height": 32}

    def test_a_wired_widget_whose_origin_is_muted_keeps_its_value(self) -> None:
        nodes = [node(1, "Source", mode=MUTED), node(2, "Size", {"width": (5, True)}, [64, 32])]
        found = inputs(workflow(nodes, [[5, 1, 2, 2, 0, "INT"]]))
        assert found["2"] == {"width": 64, "height": 32}

    @pytest.mark.parametrize(
        ("kind", "wired", "stands_in"),
        [
            ("Filter", {"image": 1}, ["1", 0]),
            ("Mixer", {"mask": 2, "a": 1, "b": 3}, ["1", 0]),
            ("Mixer", {"mask": 2, "a": None, "b": 1}, None),
            ("Mixer", {"mask": 2}, None),
        ],
    )
    def test_past_a_bypassed_node_goes_what_fits_by_type(
        self, kind: str, wired: dict[str, Any], stands_in: list[Any] | None
    ) -> None:
        nodes = [
            node(1, "Source"),
            node(2, kind, wired, mode=BYPASSED),
            node(3, "Sink", {"image": 9}),
        ]
        links = [
            [1, 1, 0, 2, 0, "I"],
            [2, 1, 1, 2, 0, "M"],
            [3, 1, 0, 2, 2, "I"],
            [9, 2, 0, 3, 0, "I"],
        ]
        assert inputs(workflow(nodes, links))["3"] == ({"image": stands_in} if stands_in else {})

    def test_the_input_at_the_place_of_the_output_comes_before_an_equal_type(self) -> None:
        spec = {"x": ["IMAGE,MASK", {}], "y": ["IMAGE", {}]}
        catalog = Catalog(
            {
                "Both": declaration(spec, output=("IMAGE",)),
                **{name: CATALOG.declarations[name] for name in ("Source", "Sink")},
            }
        )
        nodes = [
            node(1, "Source"),
            node(2, "Both", {"y": 2, "x": 1}, mode=BYPASSED),
            node(3, "Sink", {"image": 3}),
        ]
        links = [[1, 1, 0, 2, 0, "I"], [2, 1, 1, 2, 1, "I"], [3, 2, 0, 3, 0, "I"]]
        assert inputs(workflow(nodes, links), catalog)["3"] == {"image": ["1", 0]}

    def test_slots_count_sockets_before_widgets(self) -> None:
        spec = {"width": INT, "picture": ["IMAGE", {}]}
        catalog = Catalog({"T": declaration(spec), "Source": CATALOG.declarations["Source"]})
        nodes = [node(1, "Source"), node(2, "T", values=[5])]
        found = inputs(workflow(nodes, [[1, 1, 0, 2, 0, "IMAGE"]]), catalog)
        assert found["2"] == {"width": 5, "picture": ["1", 0]}

    def test_links_that_take_too_many_steps_are_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(budget, "LEAST_STEPS", 100)
        chain = [node(i, "Reroute", {"": i - 1}) for i in range(1, 20)]
        ends = [node(20 + i, "Sink", {"image": 19}) for i in range(5)]
        links = [[i, i, 0, i + 1, 0, "*"] for i in range(20)]
        with pytest.raises(WorkflowError) as caught:
            converted(workflow(chain + ends, links))
        assert caught.value.finding.code == "workflow_too_tangled"

    def test_a_chain_of_bypassed_nodes_and_reroutes_is_followed(self) -> None:
        nodes = [
            node(1, "Source"),
            node(2, "Filter", {"image": 1}, mode=BYPASSED),
            node(3, "Reroute", {"": 2}),
            node(4, "Filter", {"image": 3}, mode=BYPASSED),
            node(5, "Sink", {"image": 4}),
        ]
        links = [[i, i, 0, i + 1, 0, "IMAGE"] for i in range(1, 5)]
        assert inputs(workflow(nodes, links)) == {"1": {}, "5": {"image": ["1", 0]}}

    @pytest.mark.parametrize("mode", [0, MUTED, BYPASSED])
    def test_a_primitive_node_gives_its_value_to_what_it_is_wired_to(self, mode: int) -> None:
        nodes = [
            node(1, "PrimitiveNode", values=[7, "fixed"], mode=mode),
            node(2, "Size", {"width": (5, True)}, [64, 32]),
        ]
        assert inputs(workflow(nodes, [[5, 1, 0, 2, 0, "INT"]])) == {
            "2": {"width": 7, "height": 32}
        }

    def test_setters_and_getters_are_followed_where_their_pack_is_installed(self) -> None:
        nodes = [
            node(1, "Source"),
            node(2, "SetNode", {"IMAGE": 1}, ["name"]),
            node(3, "GetNode", values=["name"]),
            node(4, "Sink", {"image": 2}),
        ]
        links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 3, 0, 4, 0, "IMAGE"]]
        assert inputs(workflow(nodes, links)) == {"1": {}, "4": {"image": ["1", 0]}}
        without = Catalog({k: v for k, v in CATALOG.declarations.items() if k != "PackNode"})
        assert set(converted(workflow(nodes, links), without).prompt) == {"1", "2", "3", "4"}

    @pytest.mark.parametrize("kind", ["Reroute", "Filter"])
    def test_links_in_a_circle_lead_nowhere(self, kind: str) -> None:
        name, mode = ("", 0) if kind == "Reroute" else ("image", BYPASSED)
        nodes = [
            node(1, kind, {name: 2}, mode=mode),
            node(2, kind, {name: 1}, mode=mode),
            node(3, "Sink", {"image": 3}),
        ]
        links = [[1, 1, 0, 2, 0, "I"], [2, 2, 0, 1, 0, "I"], [3, 1, 0, 3, 0, "I"]]
        assert inputs(workflow(nodes, links)) == {"3": {}}

    def test_a_getter_of_its_own_setter_leads_nowhere(self) -> None:
        nodes = [
            node(1, "SetNode", {"x": 1}, ["n"]),
            node(2, "GetNode", values=["n"]),
            node(3, "Sink", {"image": 2}),
        ]
        links = [[1, 2, 0, 1, 0, "I"], [2, 2, 0, 3, 0, "I"]]
        assert inputs(workflow(nodes, links)) == {"3": {}}


class TestSubgraphs:
    def test_inner_nodes_have_paths_and_links_cross_the_border(self) -> None:
        inner = subgraph(
            [node(7, "Filter", {"image": 1})],
            [(1, -10, 0, 7, 0), (2, 7, 0, -20, 0)],
            {"picture": [1]},
            {"result": [2]},
        )
        nodes = [
            node(1, "Source"),
            node(2, SUBGRAPH, {"picture": 5}),
            node(3, "Sink", {"image": 6}),
        ]
        links = [[5, 1, 0, 2, 0, "IMAGE"], [6, 2, 0, 3, 0, "IMAGE"]]
        assert inputs(workflow(nodes, links, **defined(inner))) == {
            "1": {},
            "2:7": {"image": ["1", 0]},
            "3": {"image": ["2:7", 0]},
        }

    def test_definitions_nest(self) -> None:
        innermost = subgraph([node(9, "Size")], [], subgraph_id=NESTED)
        outer = subgraph([node(8, NESTED)], [])
        for definitions in (defined(outer, innermost), defined({**outer, **defined(innermost)})):
            assert set(inputs(workflow([node(1, SUBGRAPH)], **definitions))) == {"1:8:9"}

    @pytest.mark.parametrize("mode", [MUTED, BYPASSED])
    def test_an_instance_that_is_switched_off_is_not_unfolded(self, mode: int) -> None:
        inner = subgraph([node(9, "Nobody")], [])
        assert inputs(workflow([node(1, SUBGRAPH, mode=mode)], **defined(inner))) == {}

    def test_an_instance_that_is_switched_off_inside_another_is_unfolded(self) -> None:
        innermost = subgraph([node(9, "Size")], [], subgraph_id=NESTED)
        outer = subgraph([node(8, NESTED, mode=BYPASSED)], [])
        document = workflow([node(1, SUBGRAPH)], **defined(outer, innermost))
        assert set(inputs(document)) == {"1:8:9"}

    def test_inner_ids_that_are_taken_get_new_numbers(self) -> None:
        inner = subgraph([node(1, "Size"), node(5, "Size"), node(2, "Size")], [])
        document = workflow([node(1, SUBGRAPH), node(2, "Source")], **defined(inner))
        assert set(inputs(document)) == {"1:3", "1:5", "1:6", "2"}

    def test_a_missing_definition_is_reported_and_the_rest_goes_on(self) -> None:
        conversion = converted(workflow([node(1, SUBGRAPH, title="Gone"), node(2, "Size")]))
        assert set(conversion.prompt) == {"1", "2"}
        assert "class_type" not in conversion.prompt["1"]
        (finding,) = conversion.findings
        assert finding.code == "subgraph_definition_missing"
        assert finding.severity is Severity.ERROR
        assert (finding.node_id, "'Gone'" in finding.message) == ("1", True)

    def test_a_subgraph_that_holds_itself_is_reported(self) -> None:
        inner = subgraph([node(8, SUBGRAPH), node(9, "Size")], [])
        conversion = converted(workflow([node(1, SUBGRAPH)], **defined(inner)))
        assert [f.code for f in conversion.findings] == ["subgraph_recursive"]
        assert conversion.findings[0].node_id == "1:8"
        assert "1:9" in conversion.prompt

    def test_subgraphs_that_multiply_are_stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scope, "MAX_NODES", 1000)
        ids = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(31)]
        bomb = [
            subgraph([node(1, ids[i + 1]), node(2, ids[i + 1])], [], subgraph_id=ids[i])
            for i in range(30)
        ]
        leaf = subgraph([node(1, "Size")], [], subgraph_id=ids[30])
        with pytest.raises(WorkflowError) as caught:
            converted(workflow([node(1, ids[0])], **defined(*bomb, leaf)))
        assert caught.value.finding.code == "workflow_too_many_nodes"


class TestPromotedWidgets:
    @staticmethod
    def document(host_values: Any, **host: Any) -> dict[str, Any]:
        inner = subgraph(
            [node(7, "Size", {"width": (1, True), "height": (None, True)}, [64, 32])],
            [(1, -10, 0, 7, 0)],
            {"w": [1]},
        )
        return workflow([node(2, SUBGRAPH, values=host_values, **host)], **defined(inner))

    def test_the_host_overrides_the_value_inside(self) -> None:
        assert inputs(self.document([100]))["2:7"] == {"width": 100, "height": 32}

    def test_without_a_host_value_the_one_inside_counts(self) -> None:
        for values in (None, []):
            assert inputs(self.document(values))["2:7"] == {"width": 64, "height": 32}

    @pytest.mark.parametrize(
        ("proxies", "values", "size"),
        [
            ([["7", "width"]], [100], (100, 32)),
            ([["-1", "w"], ["7", "height"]], [100, 200], (100, 200)),
            ([["7", "height"], ["-1", "w"]], [200, 100], (100, 200)),
            ([["7", "height"]], [], (64, 32)),
            ([["nobody", "x"], ["7", "height"]], [100, 200], (100, 200)),
        ],
    )
    def test_values_follow_the_proxies(
        self, proxies: list[list[str]], values: list[int], size: tuple[int, int]
    ) -> None:
        found = inputs(self.document(values, properties={"proxyWidgets": proxies}))["2:7"]
        assert (found["width"], found["height"]) == size

    def test_named_values_do_not_count(self) -> None:
        found = inputs(self.document([100], widgets_values_named={"w": 7}))["2:7"]
        assert found["width"] == 100

    def test_a_wired_host_input_overrides_all(self) -> None:
        document = self.document([100])
        document["nodes"][0]["inputs"] = [{"name": "w", "type": "INT", "link": 5}]
        document["nodes"].append(node(3, "Source"))
        document["links"] = [[5, 3, 2, 2, 0, "INT"]]
        assert inputs(document)["2:7"]["width"] == ["3", 2]

    def test_the_first_widget_gives_its_value_to_all_that_share_an_input(self) -> None:
        nodes = [
            node(7, "Size", {"width": (2, True)}, [64, 32]),
            node(8, "Size", {"height": (1, True)}, [10, 20]),
        ]
        links = [(1, -10, 0, 8, 1), (2, -10, 0, 7, 0)]
        inner = subgraph(nodes, links, {"v": [1, 2]})
        found = inputs(workflow([node(2, SUBGRAPH)], **defined(inner)))
        assert found == {"2:7": {"width": 20, "height": 32}, "2:8": {"width": 10, "height": 20}}

    def test_values_reach_through_nested_subgraphs(self) -> None:
        innermost = subgraph(
            [node(9, "Size", {"width": (1, True)}, [1, 2])],
            [(1, -10, 0, 9, 0)],
            {"q": [1]},
            subgraph_id=NESTED,
        )
        outer = subgraph([node(8, NESTED, {"q": (1, True)}, [5])], [(1, -10, 0, 8, 0)], {"w": [1]})
        for values, width in (([7], 7), ([], 5)):
            document = workflow([node(2, SUBGRAPH, values=values)], **defined(outer, innermost))
            assert inputs(document)["2:8:9"]["width"] == width

    def test_a_promoted_text_is_handed_on_as_it_is(self) -> None:
        inner = subgraph(
            [node(7, "Text", {"text": (1, True)}, ["x // y"])], [(1, -10, 0, 7, 0)], {"t": [1]}
        )
        for values, text in (([], "x // y"), (["{a|b}"], "{a|b}"), ([None], None)):
            document = workflow([node(2, SUBGRAPH, values=values)], **defined(inner))
            assert inputs(document)["2:7"]["text"] == text


class TestGroupNodes:
    @pytest.mark.parametrize("mark", [">", "/"])
    def test_a_group_node_unfolds(self, mark: str) -> None:
        nodes = [
            node(1, "Source"),
            node(2, f"workflow{mark}G", {"mask": 5}, [64, 32, "b.safetensors"]),
            node(3, "Sink", {"image": 6}),
        ]
        links = [[5, 1, 1, 2, 0, "MASK"], [6, 2, 2, 3, 0, "IMAGE"]]
        document = workflow(nodes, links, extra={"groupNodes": {"G": GROUP_RECIPE}})
        assert inputs(document) == {
            "1": {},
            "3": {"image": ["8:5", 0]},
            "8:4": {},
            "8:5": {"mask": ["1", 1], "a": ["8:4", 0]},
            "8:6": {"width": 64, "height": 32},
            "8:7": {"name": "b.safetensors"},
        }

    def test_an_output_used_inside_shows_outside_where_it_is_marked(self) -> None:
        recipe = {**GROUP_RECIPE, "external": [[0, 0, "IMAGE"]]}
        nodes = [node(2, "workflow>G"), node(3, "Sink", {"image": 6})]
        document = workflow(nodes, [[6, 2, 0, 3, 0, "IMAGE"]], extra={"groupNodes": {"G": recipe}})
        assert inputs(document)["3"] == {"image": ["8:4", 0]}

    @pytest.mark.parametrize("recipe", [None, {"nodes": [{"type": "Nobody"}]}, {"nodes": 5}])
    def test_one_that_cannot_be_is_reported_by_name(self, recipe: Any) -> None:
        document = workflow([node(2, "workflow>My G")], extra={"groupNodes": {"My G": recipe}})
        (finding,) = converted(document).findings
        assert finding.code == "group_node_unsupported"
        assert "'My G'" in finding.message


class TestValuesSavedTwice:
    def test_the_value_by_position_counts_and_the_other_is_reported(self) -> None:
        saved = node(3, "Size", values=[64, 32], widgets_values_named={"width": 64, "height": 48})
        conversion = converted(workflow([saved]))
        assert conversion.prompt["3"]["inputs"] == {"width": 64, "height": 32}
        (finding,) = conversion.findings
        assert (finding.code, finding.severity) == ("widget_values_disagree", Severity.WARNING)
        assert (finding.node_id, finding.node_type, finding.input) == ("3", "Size", "height")
        assert "32" in finding.message
        assert "48" in finding.message

    @pytest.mark.parametrize("named", [{"width": 64}, {"gone": 1}, None, [1], {"width": {"a": 1}}])
    def test_what_agrees_or_cannot_be_compared_is_not(self, named: Any) -> None:
        saved = node(3, "Size", values=[64, 32], widgets_values_named=named)
        assert converted(workflow([saved])).findings == []

    def test_promoted_values_are_compared_too(self) -> None:
        document = TestPromotedWidgets.document([100], widgets_values_named={"w": 7})
        (finding,) = converted(document).findings
        assert (finding.node_id, finding.input) == ("2", "w")


class TestUnknownTypes:
    def test_the_values_saved_after_theirs_go_to_the_wrong_inputs_as_in_the_frontend(self) -> None:
        unknown = node(3, "Nobody", {"x": (7, True)})
        inner = subgraph(
            [unknown, node(4, "Size", {"width": (8, True)}, [1, 2])],
            [(7, -10, 0, 3, 0), (8, -10, 1, 4, 0)],
            {"x": [7], "width": [8]},
        )
        saved = workflow([node(2, SUBGRAPH, values=["of x", 64])], **defined(inner))
        found = convert(saved, CATALOG)
        assert found.prompt["2:4"]["inputs"] == {"width": "of x", "height": 2}
        assert found.meant is not None
        assert found.meant["2:4"]["inputs"] == {"width": 64, "height": 2}
        assert found.meant["2:3"]["inputs"] == {"x": "of x"}

    def test_without_one_there_is_nothing_else_to_mean(self) -> None:
        inner = subgraph(
            [node(4, "Size", {"width": (8, True)}, [1, 2])], [(8, -10, 0, 4, 0)], {"width": [8]}
        )
        saved = workflow([node(1, "Nobody"), node(2, SUBGRAPH, values=[64])], **defined(inner))
        assert convert(saved, CATALOG).meant is None

    def test_a_primitive_node_has_no_widget_to_write_into(self) -> None:
        nodes = [node(1, "PrimitiveNode", values=[5]), node(2, "Nobody", {"x": (9, True)})]
        assert inputs(workflow(nodes, [[9, 1, 0, 2, 0, "INT"]]))["2"] == {}

    def test_inside_a_sub_graph_its_value_is_sent(self) -> None:
        nodes = [node(1, "PrimitiveNode", values=[5]), node(2, "Nobody", {"x": (9, True)})]
        saved = workflow([node(3, SUBGRAPH)], **defined(subgraph(nodes, [(9, 1, 0, 2, 0)])))
        found = {i: e["inputs"] for i, e in convert(saved, CATALOG).prompt.items()}
        assert [e for i, e in found.items() if i.endswith(":2")] == [{"x": 5}]
