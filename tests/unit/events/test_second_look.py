"""A second look at a server that seemed to have lost its custom nodes."""

from __future__ import annotations

import pytest

from comfywatchman.events.message import Doubt
from comfywatchman.events.second_look import denial
from comfywatchman.settings import Settings
from tests.standin.comfyui import StandIn
from tests.unit.events.messages import NOW


@pytest.mark.parametrize(
    ("names", "again"),
    [
        (("Gone", "VAEDecode"), "VAEDecode"),
        (("Gone", "A/B", "..", "", "\ud800", "x" * 9000), None),
        ((), None),
    ],
)
def test_one_of_the_types_is_enough(names: tuple[str, ...], again: str | None) -> None:
    with StandIn() as server:
        settings = Settings(comfyui_url=server.url)
        found = denial(settings, Doubt(not_before=NOW, node_types=names))
    assert found == (f"a minute later the server had {again} again" if again else None)


@pytest.mark.parametrize("behaviour", ["refused", "reset", "500", "truncated"])
def test_a_server_that_does_not_answer_denies_nothing(behaviour: str) -> None:
    with StandIn(behaviour=behaviour) as server:
        settings = Settings(comfyui_url=server.url)
        assert denial(settings, Doubt(not_before=NOW, node_types=("VAEDecode",))) is None
