"""Use Everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from comfywatchman.workflow.graph import BYPASSED, MUTED
from comfywatchman.workflow.prompt import WorkflowError
from tests.unit.workflow.packs.common import converted, sent, with_pack
from tests.unit.workflow.saved import INT, SUBGRAPH, declaration, defined, node, subgraph

ANY: dict[str, Any] = {"anything": ["*", {}]}
CATALOG = with_pack(
    "cg-use-everywhere",
    **{
        "Anything Everywhere": declaration(optional=ANY),
        "Anything Everywhere?": declaration(optional=ANY),
        "Prompts Everywhere": declaration(optional={"positive": ["*"], "negative": ["*"]}),
        "Seed Everywhere": declaration({"seed": INT}, output=("INT",)),
        "Encode": declaration({"text": ["STRING", {}]}, output=("COND",)),
        "Sample": declaration({"positive": ["COND"], "negative": ["COND"], "seed": INT}),
        "Filter": declaration({"image": ["IMAGE", {}]}, output=("IMAGE",)),
    },
)


def everywhere(
    node_id: int, link: int | None, kind: str = "Anything Everywhere", **more: Any
) -> dict[str, Any]:
    return node(node_id, kind, {"anything": link}, [], **more)


def restricted(**settings: Any) -> dict[str, Any]:
    return {"ue_properties": {"version": "7.0.1", **settings}}


def received(*senders: dict[str, Any], sink: dict[str, Any] | None = None, **more: Any) -> Any:
    """What the image input of a Sink gets where links 10 and 11 lead to what broadcasts."""
    nodes = [node(1, "Source"), node(2, "Source"), *senders, node(9, "Sink", **(sink or {}))]
    links = [[10, 1, 0, 3, 0, "IMAGE"], [11, 2, 0, 4, 0, "IMAGE"]]
    wired = {socket["link"] for sender in senders for socket in sender["inputs"]}
    links = [link for link in links if link[0] in wired]
    return sent(CATALOG, nodes, links, **more)["9"].get("image")


class TestWhatIsBroadcast:
    def test_an_input_of_its_type_that_is_not_wired_gets_it(self) -> None:
        nodes = [
            node(1, "Source"),
            everywhere(3, 10),
            node(9, "Sink", {"image": None, "mask": None}),
        ]
        assert sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "IMAGE"]]) == {
            "1": {},
            "3": {"anything": ["1", 0]},
            "9": {"image": ["1", 0]},
        }

    def test_so_does_one_that_is_declared_but_not_saved(self) -> None:
        assert received(everywhere(3, 10)) == ["1", 0]

    @pytest.mark.parametrize("mode", [MUTED, BYPASSED])
    def test_not_if_the_node_is_switched_off(self, mode: int) -> None:
        assert received(everywhere(3, 10, mode=mode)) is None

    def test_not_if_nothing_is_wired_to_it(self) -> None:
        assert received(everywhere(3, None)) is None

    def test_not_if_what_is_wired_to_it_is_muted(self) -> None:
        nodes = [node(1, "Source", mode=MUTED), everywhere(3, 10), node(9, "Sink")]
        assert sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "IMAGE"]])["9"] == {}

    def test_past_bypassed_nodes(self) -> None:
        nodes = [
            node(1, "Source"),
            node(2, "Filter", {"image": 10}, mode=BYPASSED),
            everywhere(3, 11),
            node(9, "Sink"),
        ]
        links = [[10, 1, 0, 2, 0, "IMAGE"], [11, 2, 0, 3, 0, "IMAGE"]]
        assert sent(CATALOG, nodes, links)["9"] == {"image": ["1", 0]}

    def test_without_the_pack_it_is_a_missing_node(self) -> None:
        nodes = [node(1, "Source"), everywhere(3, 10), node(9, "Sink")]
        found = sent(with_pack("other"), nodes, [[10, 1, 0, 3, 0, "IMAGE"]])
        assert found["9"] == {}
        assert "3" in found

    def test_a_kind_that_the_pack_no_longer_offers_is_not_sent(self) -> None:
        nodes = [node(1, "Source"), everywhere(3, 10, "Anything Everywhere3"), node(9, "Sink")]
        assert sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "IMAGE"]]) == {
            "1": {},
            "9": {"image": ["1", 0]},
        }

    def test_an_ordinary_node_may_broadcast_too(self) -> None:
        told = {"ue_convert": True, **restricted(output_not_broadcasting={"MASK": True})}
        outputs = [{"name": "IMAGE", "type": "IMAGE"}, {"name": "MASK", "type": "MASK"}]
        nodes = [node(1, "Source", outputs=outputs, properties=told), node(9, "Sink")]
        assert sent(CATALOG, nodes)["9"] == {"image": ["1", 0]}

    def test_what_comes_into_a_sub_graph_is_broadcast_in_it(self) -> None:
        inner = subgraph([everywhere(3, 7), node(9, "Sink")], [(7, -10, 0, 3, 0)], {"in": [7]})
        inner["inputs"][0]["type"] = "IMAGE"
        nodes = [node(1, "Source"), node(2, SUBGRAPH, {"in": 10}), node(8, "Sink")]
        found = sent(CATALOG, nodes, [[10, 1, 0, 2, 0, "IMAGE"]], **defined(inner))
        assert found["2:9"] == {"image": ["1", 0]}
        assert found["8"] == {}

    def test_an_instance_of_a_sub_graph_gets_it(self) -> None:
        inner = subgraph([node(9, "Sink", {"image": 7})], [(7, -10, 0, 9, 0)], {"in": [7]})
        host = node(2, SUBGRAPH, {"in": None}, type_of_in="IMAGE")
        nodes = [node(1, "Source"), everywhere(3, 10), host]
        found = sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "IMAGE"]], **defined(inner))
        assert found["2:9"] == {"image": ["1", 0]}


class TestWhereItGoes:
    def test_two_that_fit_equally_well_give_nothing(self) -> None:
        assert received(everywhere(3, 10), everywhere(4, 11)) is None

    def test_the_one_with_the_higher_priority_goes_first(self) -> None:
        first = everywhere(4, 11, properties=restricted(priority=50))
        assert received(everywhere(3, 10), first) == ["2", 0]

    def test_a_node_may_reject_it(self) -> None:
        assert received(everywhere(3, 10), sink={"properties": {"rejects_ue_links": True}}) is None

    def test_so_may_an_input(self) -> None:
        closed = {"ue_properties": {"input_ue_unconnectable": {"image": True}}}
        assert received(everywhere(3, 10), sink={"properties": closed}) is None

    @pytest.mark.parametrize(
        ("regex", "inverted", "fits"),
        [
            ("Final", False, True),
            ("^Final", False, False),
            ("^My", False, True),
            ("sink$", False, True),
            ("^My$", False, False),
            ("^My.*sink$", False, True),
            ("no|Final", False, True),
            ("no|thing", False, False),
            ("Final", True, False),
            ("My\\ .*", False, True),
            (".*", False, True),
            ("", False, True),
            (None, False, True),
            (5, False, True),
        ],
    )
    def test_only_to_nodes_with_such_a_title(self, regex: Any, inverted: bool, fits: bool) -> None:
        settings = restricted(title_regex=regex, title_regex_invert=inverted)
        sink = {"title": "My Final sink"}
        found = received(everywhere(3, 10, properties=settings), sink=sink)
        assert found == (["1", 0] if fits else None)

    def test_only_to_inputs_with_such_a_name(self) -> None:
        for regex, fits in (("imag", True), ("mask", False)):
            found = received(everywhere(3, 10, properties=restricted(input_regex=regex)))
            assert found == (["1", 0] if fits else None)

    def test_before_version_7_the_expressions_are_widgets(self) -> None:
        for texts, fits in ((["Sink", "image"], True), (["Other"], False), (["", "x"], False)):
            sender = everywhere(3, 10, "Anything Everywhere?") | {"widgets_values": texts}
            assert received(sender) == (["1", 0] if fits else None)

    def test_an_expression_that_is_too_hard_is_taken_to_match_and_told(self) -> None:
        settings = restricted(title_regex="(a+)+$")
        nodes = [node(1, "Source"), everywhere(3, 10, properties=settings), node(9, "Sink")]
        found = converted(CATALOG, nodes, [[10, 1, 0, 3, 0, "IMAGE"]])
        assert found.prompt["9"]["inputs"] == {"image": ["1", 0]}
        [sentence] = found.not_checked
        assert sentence.startswith("where a broadcast with the expression '(a+)+$' goes")

    @pytest.mark.parametrize(("restriction", "fits"), [(1, (True, False)), (2, (False, True))])
    def test_only_to_its_own_group_or_to_others(self, restriction: int, fits: Any) -> None:
        settings = restricted(group_restricted=restriction)
        sender = everywhere(3, 10, properties=settings, pos=[10, 10], size=[10, 10])
        for place, fit in zip(([50, 50], {"0": 500, "1": 50}), fits, strict=True):
            groups = [{"title": "G", "bounding": [0, 0, 100, 100]}, "no group", {}]
            found = received(sender, sink={"pos": place, "size": [10, 10]}, groups=groups)
            assert found == (["1", 0] if fit else None)

    def test_only_to_groups_with_such_a_title(self) -> None:
        groups = [{"title": "Finals", "bounding": [0, 0, 100, 100]}]
        for regex, fits in (("Final", True), ("Other", False)):
            sender = everywhere(3, 10, properties=restricted(group_regex=regex))
            found = received(sender, sink={"pos": [10, 10]}, groups=groups)
            assert found == (["1", 0] if fits else None)

    @pytest.mark.parametrize(("restriction", "color"), [(1, "#111"), (2, "#222")])
    def test_only_to_nodes_of_its_colour_or_of_others(self, restriction: int, color: str) -> None:
        settings = restricted(color_restricted=restriction)
        sender = everywhere(3, 10, properties=settings, color="#111")
        assert received(sender, sink={"color": color}) == ["1", 0]
        assert received(sender, sink={"color": "#222" if restriction == 1 else "#111"}) is None


class TestWidgets:
    SEED = node(3, "Seed Everywhere", values=[7, "fixed"])

    def sampled(self, **more: Any) -> Any:
        found = sent(CATALOG, [self.SEED, node(9, "Sample", values=[5, "fixed"], **more)])
        return found["9"]["seed"]

    def test_one_that_a_person_opened_gets_a_value(self) -> None:
        opened = {"widget_ue_connectable": {"seed": True}}
        assert self.sampled(properties={"ue_properties": opened}) == ["3", 0]
        assert self.sampled(properties=opened) == ["3", 0]

    def test_others_keep_theirs(self) -> None:
        assert self.sampled() == 5
        assert self.sampled(properties={"ue_properties": {"widget_ue_connectable": {}}}) == 5

    def test_in_old_saves_those_that_were_made_inputs_get_one(self) -> None:
        assert self.sampled(inputs={"seed": (None, True)}, type_of_seed="INT") == ["3", 0]


class TestOneTypeTwice:
    def test_prompts_go_where_their_names_say(self) -> None:
        nodes = [
            node(1, "Encode"),
            node(2, "Encode"),
            node(3, "Prompts Everywhere", {"+ve": 10, "-ve": 11}),
            node(9, "Sample"),
        ]
        found = sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "COND"], [11, 2, 0, 3, 1, "COND"]])
        assert found["9"] == {"positive": ["1", 0], "negative": ["2", 0], "seed": 0}

    @pytest.mark.parametrize(
        ("rule", "labels"),
        [
            (0, ("positive", "negative")),
            (1, ("pos", "neg")),
            (2, ("sitive", "gative")),
            (4, ("p.s", "n.g")),
        ],
    )
    def test_of_another_node_its_inputs_names_say_it(self, rule: int, labels: Any) -> None:
        sender = node(3, "Anything Everywhere", dict(zip(labels, (10, 11), strict=True)))
        sender["properties"] = restricted(repeated_type_rule=rule)
        nodes = [node(1, "Encode"), node(2, "Encode"), sender, node(9, "Sample")]
        found = sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "COND"], [11, 2, 0, 3, 1, "COND"]])
        assert found["9"] == {"positive": ["1", 0], "negative": ["2", 0], "seed": 0}

    def test_or_their_titles_say_it(self) -> None:
        sender = node(3, "Anything Everywhere", {"A": 10, "B": 11})
        sender["properties"] = restricted(repeated_type_rule=3)
        nodes = [node(1, "Source"), node(2, "Source"), sender, node(9, "Sink", title="B")]
        found = sent(CATALOG, nodes, [[10, 1, 0, 3, 0, "IMAGE"], [11, 2, 0, 3, 1, "IMAGE"]])
        assert found["9"] == {"image": ["2", 0]}


class TestListedLinks:
    def listed(self, *senders: Any, **more: Any) -> Any:
        said = {"downstream": 9, "downstream_slot": 0, "upstream": "1", "upstream_slot": 0}
        said |= {"controller": 3, "type": "IMAGE", **more}
        return received(
            *senders, sink={"inputs": {"image": None}}, extra={"ue_links": [said, "x", {}]}
        )

    def test_they_decide_between_two_that_fit(self) -> None:
        assert self.listed(everywhere(3, 10), everywhere(4, 11)) == ["1", 0]

    def test_a_controller_need_not_be_named(self) -> None:
        assert self.listed(everywhere(3, 10), everywhere(4, 11), controller=None) == ["1", 0]

    def test_not_if_what_broadcast_is_gone(self) -> None:
        assert self.listed(everywhere(3, 10, mode=BYPASSED)) is None
        assert self.listed(everywhere(3, None)) is None

    @pytest.mark.parametrize("field", ["upstream", "upstream_slot", "controller", "type"])
    @pytest.mark.parametrize("value", [None, 404, [], {}, "x"])
    def test_whatever_they_hold(self, field: str, value: object) -> None:
        assert self.listed(everywhere(3, 10), **{field: value}) == ["1", 0]


@pytest.mark.parametrize("fits", [False, True])
def test_very_many_broadcasts_are_refused_if_none_fits(fits: bool) -> None:
    count = 600
    nodes = [node(1, "Source")]
    to = restricted(title_regex="" if fits else "nowhere")
    nodes += [everywhere(n, n, properties=to) for n in range(2, count)]
    nodes += [node(n, "Sink") for n in range(count, 2 * count)]
    links = [[n, 1, 0, n, 0, "IMAGE"] for n in range(2, count)]
    if fits:
        assert converted(CATALOG, nodes, links)
    else:
        with pytest.raises(WorkflowError, match="steps"):
            converted(CATALOG, nodes, links)
