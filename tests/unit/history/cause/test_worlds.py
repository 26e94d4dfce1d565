"""What is given back is as it was, and nothing else is."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory, Presence
from comfywatchman.history.cause.factors import LIMITS, RELEASE, Differences, Factor, Kind
from comfywatchman.history.cause.worlds import Worlds
from comfywatchman.history.world import World
from tests.changes import hosts, workflows

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTHING: frozenset[Factor] = frozenset()


def named(*names: str) -> frozenset[Factor]:
    return frozenset(Factor(Kind.FILES, name) for name in names)


def loader(*names: str, **more: Any) -> dict[str, Any]:
    return {"input": {"required": {"name": [list(names), {}]}}, "output": ["MODEL"], **more}


def made(types: dict[str, Any], inventory: Inventory | None = None, **other: Any) -> World:
    version = other.pop("version", "0.8.0")
    limits = {"depth": 200, "size": 10**6, **other}
    return World(Catalog(types, version), inventory or Inventory(), **limits)


def choices(world: World | Worlds, name: str, back: Iterable[Factor] = ()) -> list[Any]:
    catalog = world.catalog(frozenset(back)) if isinstance(world, Worlds) else world.catalog
    return list(catalog[name].inputs["name"].choices or ())


def test_a_file_is_put_back_where_it_stood_in_every_list() -> None:
    before = made({"A": loader("None", "a.pt", "b.pt", "c.pt"), "B": loader("b.pt", "c.pt")})
    worlds = Worlds(Differences(before, made({"A": loader("None", "c.pt"), "B": loader("c.pt")})))
    assert worlds.differences.types == frozenset()
    assert choices(worlds, "A", named("b.pt")) == ["None", "b.pt", "c.pt"]
    assert choices(worlds, "B", named("b.pt")) == ["b.pt", "c.pt"]
    assert choices(worlds, "A", named("a.pt", "b.pt")) == ["None", "a.pt", "b.pt", "c.pt"]
    assert choices(worlds, "A") == ["None", "c.pt"]


def test_a_file_that_was_added_is_taken_away() -> None:
    worlds = Worlds(Differences(made({"A": loader("a.pt")}), made({"A": loader("a.pt", "b.pt")})))
    assert choices(worlds, "A", named("b.pt")) == ["a.pt"]


def test_an_old_node_type_lists_the_files_of_today() -> None:
    before = made({"A": loader("a.pt", "b.pt", "fast"), "C": loader("b.pt", "d.pt")})
    now = made({"A": loader("b.pt", "c.pt", output=["CLIP"])})
    worlds = Worlds(Differences(before, now))
    assert worlds.differences.types == {"A", "C"}
    old = [Factor(Kind.NODE_TYPE, "A"), Factor(Kind.NODE_TYPE, "C")]
    assert choices(worlds, "A", old) == ["b.pt", "fast", "c.pt"]
    assert worlds.catalog(frozenset(old))["A"].outputs == ("MODEL",)
    assert choices(worlds, "A", [*old, *named("a.pt")]) == ["a.pt", "b.pt", "fast", "c.pt"]
    assert choices(worlds, "C", old) == ["b.pt", "d.pt"]


def test_of_an_old_node_type_that_is_gone_what_is_gone_is_not_listed() -> None:
    before = made({"A": loader("a.pt", "b.pt")}, Inventory(models={"x": ("a.pt", "b.pt")}))
    worlds = Worlds(Differences(before, made({}, Inventory(models={"x": ("b.pt",)}))))
    old = Factor(Kind.NODE_TYPE, "A")
    assert choices(worlds, "A", [old]) == ["b.pt"]
    assert choices(worlds, "A", [old, *named("a.pt")]) == ["a.pt", "b.pt"]


@pytest.mark.parametrize("listed", [[], ["COMBO", {"options": []}]])
def test_an_empty_list_is_a_list(listed: list[Any]) -> None:
    now = {"input": {"required": {"name": listed if len(listed) > 1 else [[], {}]}}}
    worlds = Worlds(Differences(made({"A": loader("a.pt")}), made({"A": {**loader(), **now}})))
    assert choices(worlds, "A", named("a.pt")) == ["a.pt"]


def test_two_forms_of_a_list_are_compared() -> None:
    now = {"input": {"required": {"name": ["COMBO", {"options": ["b.pt"]}]}}, "output": ["MODEL"]}
    worlds = Worlds(Differences(made({"A": loader("a.pt", "b.pt")}), made({"A": now})))
    assert worlds.differences.types == {"A"}
    assert choices(worlds, "A", named("a.pt")) == ["a.pt", "b.pt"]


def test_other_choices_are_a_change_of_the_node_type() -> None:
    differences = Differences(made({"A": loader("euler", "a.pt")}), made({"A": loader("ddim")}))
    assert differences.types == {"A"}
    assert differences.files.keys() == named("a.pt")


def test_the_inventory_gets_models_embeddings_files_and_links_back() -> None:
    before = Inventory(
        files={"input": frozenset({"a.png", "link.png"}), "output": frozenset({"o.png"})},
        models={"loras": ("a.pt", "b.pt"), "embeddings": ("e.pt",)},
        embeddings=frozenset({"e"}),
        links={"input": {"link.png": "/srv/a.png"}},
    )
    now = Inventory(
        files={"input": frozenset({"link.png"}), "output": frozenset()},
        models={"loras": ("b.pt", "c.pt"), "embeddings": ()},
        embeddings=frozenset(),
        links={"input": {"link.png": "/elsewhere/a.png"}},
    )
    worlds = Worlds(Differences(made({}, before), made({}, now)))
    every = named("a.pt", "c.pt", "a.png", "o.png [output]", "embedding:e", "link.png")
    assert worlds.differences.files.keys() == every
    assert worlds.inventory(every) == before
    assert worlds.inventory(NOTHING) == now
    one = worlds.inventory(named("embedding:e"))
    assert (one.has_embedding("e"), one.models["embeddings"]) == (True, ("e.pt",))
    assert worlds.inventory(named("a.pt")).models["loras"] == ("a.pt", "b.pt", "c.pt")
    linked = worlds.inventory(named("link.png", "a.png"))
    assert linked.links == before.links
    assert linked.presence("a.png") is Presence.PRESENT


def test_whether_a_folder_is_seen_can_be_given_back() -> None:
    before = Inventory(files={"input": frozenset({"a.png"})}, embeddings=frozenset({"e"}))
    differences = Differences(made({}, before), made({}, Inventory()))
    assert differences.unseen == differences.files.keys()
    assert differences.inventory(named("\0input")).files == before.files
    assert differences.inventory(named("\0embeddings")).embeddings == frozenset({"e"})
    back = Differences(made({}, Inventory()), made({}, before))
    assert back.inventory(named("\0input")).presence("a.png") is Presence.UNSEEN


def test_release_and_limits_can_be_given_back() -> None:
    before, now = made({}, version="0.8.0"), made({}, version="0.33.0", depth=9)
    worlds = Worlds(Differences(before, now))
    assert worlds.differences.everything == {RELEASE, LIMITS}
    assert worlds.catalog(frozenset({RELEASE})).version == "0.8.0"
    assert worlds.catalog(NOTHING).version == "0.33.0"
    assert (worlds.limits(NOTHING)[0], worlds.limits(frozenset({LIMITS}))[0]) == (9, 200)


def test_what_is_for_show_and_what_is_no_node_type_are_no_changes() -> None:
    before = made({"A": loader("a", description="one"), "B": "broken"})
    differences = Differences(before, made({"A": loader("a", description="two"), "B": None}))
    assert not differences.everything


@pytest.mark.parametrize("seed", range(6))
def test_everything_given_back_is_the_world_before(seed: int) -> None:
    chance = random.Random(seed)
    host = hosts()[seed % 2]
    name, raw = chance.choice(workflows())
    changes = host.changes_for(name, raw, chance)
    before, now = host.world(()), host.world(changes)
    worlds = Worlds(Differences(before, now))
    back = worlds.differences.everything
    catalog = worlds.catalog(back)
    assert set(catalog) == set(before.catalog)
    assert all(catalog[n].declaration == d for n, d in before.catalog.declarations.items())
    assert (catalog.version, catalog.packs) == (before.catalog.version, before.catalog.packs)
    assert catalog.delivered == before.catalog.delivered
    assert worlds.inventory(back) == before.inventory
    assert all(worlds.catalog(NOTHING)[n] is now.catalog[n] for n in now.catalog)


def test_names_are_found_by_their_last_part_in_values_and_texts() -> None:
    before = Inventory(models={"loras": ("sub\\A.pt",)}, embeddings=frozenset({"deep/bad"}))
    empty = replace(before, models={"loras": ()}, embeddings=frozenset())
    differences = Differences(made({}, before), made({}, empty))
    assert differences.named_in(["other/a.PT"]) == named("sub\\A.pt")
    text = "a cat, (embedding:bad:1.2), \ud800"
    assert differences.named_in([text, 3, "x" * 9_000]) == named("embedding:deep/bad")
