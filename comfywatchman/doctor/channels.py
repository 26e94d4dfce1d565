"""Do the channels work, by which people are told?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.channels.sending import catalogue, kept
from comfywatchman.doctor.point import Examination, Point, Status

if TYPE_CHECKING:
    from collections.abc import Iterator


def channels(examination: Examination) -> Iterator[Point]:
    """Whether what they are set up with can be used, and who could not be reached."""
    assert examination.settings is not None  # noqa: S101
    found, unknown = catalogue.targets(examination.settings)
    for why in unknown.values():
        yield Point("channels", Status.PROBLEM, why, "correct it")
    for channel in kept.failing(examination.folder):
        remedy = "see that it can be reached, then: comfywatchman notify --test"
        yield Point("channels", Status.PROBLEM, channel.text, remedy)
    if names := ", ".join(target.name for targets in found.values() for target in targets):
        yield Point("channels", Status.OK, f"people are told by {names}")
