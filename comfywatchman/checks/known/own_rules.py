"""What nodes check themselves (``VALIDATE_INPUTS``), as far as it is known.

The server calls a node type's own function beside its own checks, and leaves it the range and the
choices of the inputs that the function names. ``/object_info`` does not show such functions. Those
of ComfyUI's own nodes are described here; those of custom nodes are unknown.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from comfywatchman.checks.engine.reading import unwrapped
from comfywatchman.checks.versions import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from comfywatchman.checks.versions import Version
    from comfywatchman.comfyui.catalog import NodeType


class OwnRuleError(Exception):
    """The node's own function raises an exception on these inputs."""


class Arguments(Protocol):
    """What a node's function is handed, as far as it can be seen."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The node's inputs in the prompt."""

    @property
    def received(self) -> Mapping[str, Any]:
        """By wired input, the type that its link delivers."""


@dataclass(frozen=True, slots=True)
class OwnRules:
    """What the code of one node type checks.

    Attributes:
        judges: the inputs it names.
        judges_all: whether it takes all other inputs as well.
        link_types: whether it judges the types of links too, so that the server does not.
        file_input: the input it takes for the name of a file that must exist.
        file_optional: whether no file, said in the one way or the other, will do as well.
        refuses: why it refuses a node, None if it does not; raises OwnRuleError.
        since: the first release with these rules; empty if that was before every one known.
    """

    judges: frozenset[str] = frozenset()
    judges_all: bool = False
    link_types: bool = False
    file_input: str | None = None
    file_optional: bool = False
    refuses: Callable[[Arguments], str | None] | None = None
    since: Version = ()

    def judge(self, name: str) -> bool:
        """Whether the range and the choices of an input are left to the function."""
        return self.judges_all or name in self.judges


def own_rules(node_type: NodeType, version: Version | None) -> OwnRules | None:
    """The rules of a node type; None if it is a custom node's, and so unknown.

    Args:
        node_type: the node type.
        version: the server's; None if unknown, which is judged as the newest.
    """
    if not node_type.is_core:
        return None
    of_releases = _OF_CORE_NODES.get(node_type.name, ())
    return next((rules for rules in of_releases if reached(rules.since, version)), _NONE)


def own_rules_since() -> dict[str, Version]:
    """By node type, the release that brought its rules, where that is not before all known ones."""
    return {
        name: rules.since
        for name, of_releases in _OF_CORE_NODES.items()
        for rules in of_releases
        if rules.since
    }


def argument(node: Arguments, name: str) -> Any:
    """The value the node's function is handed; a list stands for a link, whose value is not known.

    Raises:
        OwnRuleError: the prompt does not give the input.
    """
    if name not in node.inputs:
        raise OwnRuleError(f"input '{name}' is not given")
    return unwrapped(node.inputs[name])


def _file(name: str) -> tuple[OwnRules]:
    return (OwnRules(judges=frozenset({name}), file_input=name),)


def _anything(name: str, since: Version) -> tuple[OwnRules]:
    return (OwnRules(judges=frozenset({name}), since=since),)


def _model_file(since: Version) -> tuple[OwnRules]:
    return (
        OwnRules(
            judges=frozenset({"model_file"}),
            judges_all=True,
            file_input="model_file",
            file_optional=True,
            since=since,
        ),
    )


_CAMERA_MOVES: Final = ("horizontal_movement", "vertical_movement", "pan", "tilt", "roll", "zoom")


def _no_camera_move(node: Arguments) -> str | None:
    moves = [argument(node, name) for name in _CAMERA_MOVES]
    try:
        moved = any(not math.isclose(float(move), 0.0) for move in moves)
    except (TypeError, ValueError, OverflowError) as error:
        raise OwnRuleError("a camera movement is not a number") from error
    return None if moved else "all camera movements are zero; at least one must not be"


_RATIO: Final = re.compile(r"\s*\+?(\d+)\s*:\s*\+?(\d+)\s*")


def _wrong_aspect_ratio(node: Arguments) -> str | None:
    ratio = argument(node, "aspect_ratio")
    match = _RATIO.fullmatch(ratio) if isinstance(ratio, str) else None
    if match is None or len(match[0]) > 100 or int(match[1]) == 0 or int(match[2]) == 0:
        raise OwnRuleError("'aspect_ratio' is not of the form 16:9")
    width, height = int(match[1]), int(match[2])
    if width * 4 < height or height * 4 < width:
        raise OwnRuleError("'aspect_ratio' is not between 1:4 and 4:1")
    return None


_TRIPO_TASKS: Final = ("MODEL_TASK_ID", "RIG_TASK_ID", "RETARGET_TASK_ID")


def _not_a_tripo_task(node: Arguments) -> str | None:
    if "original_model_task_id" not in node.received:
        raise OwnRuleError("input 'original_model_task_id' is not wired")
    if node.received["original_model_task_id"] in _TRIPO_TASKS:
        return None
    return "'original_model_task_id' needs a link from a Tripo model, rig or retarget task"


def _no_branch(node: Arguments) -> str | None:
    argument(node, "switch")
    if "on_false" in node.inputs or "on_true" in node.inputs:
        return None
    return "neither 'on_false' nor 'on_true' is connected; at least one must be"


def _any_choice(node: Arguments) -> str | None:
    argument(node, "choice")
    return None


def _any_backend(node: Arguments) -> str | None:
    argument(node, "attention")
    return None


_NONE: Final = OwnRules()
_ANY_CHOICE: Final = OwnRules(judges=frozenset({"choice", "index"}), refuses=_any_choice)
# Those of the newest release first.
_OF_CORE_NODES: Final[Mapping[str, tuple[OwnRules, ...]]] = {
    "LoadImage": _file("image"),
    "LoadImageMask": _file("image"),
    "LoadImageOutput": _file("image"),
    "LoadLatent": _file("latent"),
    "LoadAudio": _file("audio"),
    "LoadVideo": _file("file"),
    "WebcamCapture": _file("image"),
    "Load3D": _model_file((0, 25, 0)),
    "Load3DAdvanced": _model_file((0, 26, 0)),
    "SelectModelDevice": _anything("device", (0, 23, 0)),
    "SelectCLIPDevice": _anything("device", (0, 23, 0)),
    "SelectVAEDevice": _anything("device", (0, 23, 0)),
    "ModelAttentionBackend": (
        OwnRules(judges=frozenset({"attention"}), refuses=_any_backend, since=(0, 32, 0)),
    ),
    "CustomCombo": (replace(_ANY_CHOICE, judges_all=True, since=(0, 11, 0)), _ANY_CHOICE),
    "ComfySoftSwitchNode": (
        OwnRules(judges=frozenset({"switch", "on_false", "on_true"}), refuses=_no_branch),
    ),
    "KlingCameraControls": (OwnRules(judges=frozenset(_CAMERA_MOVES), refuses=_no_camera_move),),
    "FluxProUltraImageNode": (
        OwnRules(judges=frozenset({"aspect_ratio"}), refuses=_wrong_aspect_ratio),
    ),
    "TripoConversionNode": (OwnRules(link_types=True, refuses=_not_a_tripo_task),),
}
