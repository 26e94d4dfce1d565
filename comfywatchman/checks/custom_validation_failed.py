"""What a node's own code refuses: above all, an input file that is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from comfywatchman.checks.engine.advice import put, set_to
from comfywatchman.checks.engine.case import BlindSpot, Crash, Doubt
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.checks.known.no_name import FILL_IN, is_nothing, placeholder
from comfywatchman.checks.known.own_rules import OwnRuleError, argument
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.inventory import Presence, place_of
from comfywatchman.comfyui.names import how_alike
from comfywatchman.findings import NAME_LENGTH, Advice, about, declare, printable, quoted
from comfywatchman.results import Finding, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase
    from comfywatchman.checks.known.own_rules import OwnRules

CUSTOM_VALIDATION_FAILED = declare(
    "custom_validation_failed",
    Severity.ERROR,
    title="Input file that is not there, or another rule of the node",
    explanation="The node type's own code (`VALIDATE_INPUTS`) refuses its inputs. For the nodes "
    "that load an image, a mask, a latent, audio, video or a 3D object that means: the file does "
    "not exist. They go by the file, not by the list shown in the browser, so files in sub-folders "
    "of `input` are fine. Since 0.28 the file must really lie in the folder that is meant: a link "
    "that leads out of it is refused, though the browser offers it. ComfyWatchman looks for it by "
    "name in ComfyUI's `input`, `output` and `temp` folders; if it cannot see them, it goes by the "
    "server's list, and where that cannot tell the verdict is `unknown`. Files that may be the one "
    "that is meant are named: in other case, with other slashes, in another folder, with another "
    "ending.",
    remedy="Put the file into the folder that is named, or choose another one in the node.",
)

_IMAGES: Final = frozenset(["png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "svg", "webp"])
_VIDEOS: Final = frozenset(["mp4", "webm", "mov", "avi", "mpeg", "mpg"])
_SOUNDS: Final = frozenset(["mp3", "wav", "aac", "opus"])
# Endings whose kind every Python knows, by which the server picks what it lists.
_LISTED_ENDINGS: Final = {
    "image_upload": _IMAGES,
    "video_upload": _VIDEOS,
    "audio_upload": _SOUNDS | _VIDEOS,
}


@on_node_with(Trait.OWN_RULES)
def check(case: NodeCase) -> Iterator[Answer]:
    """Ask the rules of a node of ComfyUI itself."""
    own = case.own_rules
    if own is None:
        return
    try:
        if own.file_input is not None:
            answer = _file_answer(case, own.file_input, optional=own.file_optional)
            yield answer
            if own.judges_all and isinstance(answer, Finding):
                yield from _repeated(answer, [n for n in _handed(case, own) if n != own.file_input])
        reason = own.refuses(case) if own.refuses is not None else None
    except OwnRuleError as error:
        yield Crash(str(error), "set the inputs of the node again")
        return
    if reason is not None:
        finding = case.finding(CUSTOM_VALIDATION_FAILED, reason)
        yield from _repeated(finding, _handed(case, own))


def _handed(case: NodeCase, own: OwnRules) -> list[str]:
    """The inputs that the function is handed, for each of which the server repeats its refusal."""
    declared = {spec.name for spec in case.declared}
    handed = [n for n in case.inputs if n in own.judges or (own.judges_all and n in declared)]
    return [*handed, "input_types"] if own.link_types else handed


def _repeated(finding: Finding, names: Iterable[str]) -> Iterator[Finding]:
    return (finding.model_copy(update={"input": printable(n, NAME_LENGTH)}) for n in names)


def _file_answer(case: NodeCase, input_name: str, *, optional: bool) -> Answer:
    given = argument(case, input_name)
    if optional and (given is None or isinstance(given, list) or given in ("", "none")):
        return None
    if not isinstance(given, str):
        what = "a link" if isinstance(given, list) else quoted(given)
        raise OwnRuleError(f"input '{input_name}' must be the name of a file, not {what}")
    if case.saved is not None and case.type.inputs[input_name].type == "WEBCAM":
        return BlindSpot(
            f"whether the browser can take the picture for node {quoted(case.id)}: it does so when "
            "the workflow is queued"
        )
    confined = Rule.PATHS_CONFINED in case.whole.book.rules
    presence = case.whole.inventory.presence(given, confined=confined)
    if presence is Presence.UNSEEN:
        presence = _by_list(case, input_name, given)
    if presence is Presence.PRESENT or (presence is Presence.OUTSIDE and not confined):
        return None
    if presence is Presence.UNSEEN:
        return _unseen(case, input_name, given)
    message, fix = _absent(case, given) if presence is Presence.ABSENT else _outside(case, given)
    folder, name = place_of(given)
    return case.finding(
        CUSTOM_VALIDATION_FAILED,
        message,
        fix,
        input_name=input_name,
        subject=about(SubjectKind.INPUT_FILE, name, folder),
    )


def _unseen(case: NodeCase, input_name: str, given: str) -> Doubt:
    folder, name = place_of(given)
    finding = case.finding(
        CUSTOM_VALIDATION_FAILED,
        f"input file {quoted(name)} may or may not be in ComfyUI's {folder} folder, which cannot "
        "be seen from here",
        put_into(given),
        input_name=input_name,
        severity=Severity.WARNING,
        subject=about(SubjectKind.INPUT_FILE, name, folder),
    )
    return Doubt(
        finding,
        f"whether input file {quoted(given)} of node {quoted(case.id)} exists: ComfyUI's {folder} "
        "folder cannot be seen from here (set comfyui_dir)",
    )


def _absent(case: NodeCase, given: str) -> tuple[str, Advice]:
    folder, name = place_of(given)
    if is_nothing(name):
        return f"no file is chosen: it is {quoted(name)}", _CHOOSE
    if (sentence := placeholder(name)) is not None:
        return sentence, Advice(FILL_IN)
    message = f"input file {quoted(name)} is not in ComfyUI's {folder} folder"
    return message, instead(case, given) or put_into(given)


def _outside(case: NodeCase, given: str) -> tuple[str, Advice]:
    folder, name = place_of(given)
    linked = case.whole.inventory.presence(given) is Presence.PRESENT
    if linked and not given.startswith("/") and ".." not in given.split("/"):
        message = (
            f"input file {quoted(given)} is offered by ComfyUI, but a link leads to it, out of the "
            f"{folder} folder, and the server refuses such files since 0.28"
        )
        if "/" not in name:
            return message, Advice("put a copy of the file in the place of the link")
        return message, put_into(f"/{given}")
    message = (
        f"input file {quoted(given)} is outside ComfyUI's {folder} folder, where it may not be"
    )
    copied = Advice(f"copy the file into ComfyUI's {folder} folder and choose it there")
    return message, instead(case, given) or copied


def instead(case: NodeCase, given: str) -> Advice | None:
    """The fix by which a file is named that is there, None if none is like the one wanted."""
    inventory = case.whole.inventory
    confined = Rule.PATHS_CONFINED in case.whole.book.rules
    there = [
        name
        for name in inventory.input_files_like(given)
        if name != given and inventory.presence(name, confined=confined) is Presence.PRESENT
    ]
    if not there:
        return None
    return set_to(given, there, how_alike(place_of(given)[1], place_of(there[0])[1]))


def put_into(given: str) -> Advice:
    """The fix by which a file that is nowhere is put where the node finds it."""
    folder, name = place_of(given)
    advice = put(name, folder, suffix="" if folder == "input" else f" [{folder}]")
    if advice is None:
        return _CHOOSE
    return replace(advice, text=f"{advice.text}, or choose another file")


_CHOOSE: Final = Advice("choose a file, or bypass the node")


def _by_list(case: NodeCase, input_name: str, given: str) -> Presence:
    """Judge by the server's list: of the files in the folder itself, those of the node's kind."""
    spec = case.type.inputs.get(input_name)
    if spec is None or spec.choices is None:
        return Presence.UNSEEN
    folder, path = place_of(given)
    if given in spec.choices or (folder == "input" and path in spec.choices):
        return Presence.PRESENT
    name, dot, ending = path.rpartition(".")
    if folder != "input" or not dot or "/" in name:
        return Presence.UNSEEN
    # Files of another kind, or of one the server does not know, may be there without being listed.
    listed = {c.rpartition(".")[2].lower() for c in spec.choices if isinstance(c, str)}
    for flag, endings in _LISTED_ENDINGS.items():
        if spec.options.get(flag):
            listed |= endings
    return Presence.ABSENT if ending.lower() in listed else Presence.UNSEEN
