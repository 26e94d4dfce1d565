"""What a node's own code refuses: above all, an input file that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.checks.engine.case import Crash, Doubt
from comfywatchman.checks.engine.registry import on_node
from comfywatchman.checks.known.own_rules import OwnRuleError, argument
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.inventory import Presence
from comfywatchman.findings import Advice, about, declare, quoted
from comfywatchman.results import Confidence, FixKind, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

CUSTOM_VALIDATION_FAILED = declare(
    "custom_validation_failed",
    Severity.ERROR,
    title="Input file that is not there, or another rule of the node",
    explanation="The node type's own code (`VALIDATE_INPUTS`) refuses its inputs. For the nodes "
    "that load an image, a mask, a latent, audio or video that means: the file does not exist. "
    "They go by the file, not by the list shown in the browser, so files in sub-folders of `input` "
    "are fine. ComfyWatchman looks for it by name in ComfyUI's `input`, `output` and `temp` "
    "folders; if it cannot see them, it goes by the server's list, and where that cannot tell the "
    "verdict is `unknown`.",
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


@on_node
def check(case: NodeCase) -> Iterator[Answer]:
    """Ask the rules of a node of ComfyUI itself."""
    own = case.own_rules
    if own is None:
        return
    try:
        if own.file_input is not None:
            yield _file_answer(case, own.file_input)
        reason = own.refuses(case) if own.refuses is not None else None
    except OwnRuleError as error:
        yield Crash(str(error), "set the inputs of the node again")
        return
    if reason is not None:
        # The server repeats the refusal for each input that the function was handed.
        handed = [name for name in case.inputs if name in own.judges]
        for name in [*handed, "input_types"] if own.link_types else handed:
            yield case.finding(CUSTOM_VALIDATION_FAILED, reason, input_name=name)


def _file_answer(case: NodeCase, input_name: str) -> Answer:
    given = argument(case, input_name)
    if not isinstance(given, str):
        what = "a link" if isinstance(given, list) else quoted(given)
        raise OwnRuleError(f"input '{input_name}' must be the name of a file, not {what}")
    presence = case.whole.inventory.presence(given)
    if presence is Presence.UNSEEN:
        presence = _by_list(case, input_name, given)
    if presence is Presence.PRESENT:
        return None
    if presence is Presence.OUTSIDE and Rule.PATHS_CONFINED not in case.whole.book.rules:
        return None
    folder, name = _place(given)
    message = f"input file {quoted(name)} is not in ComfyUI's {folder} folder"
    fix = Advice(
        f"put {quoted(name)} into ComfyUI's {folder} folder, or choose another file",
        FixKind.PUT_FILE,
        Confidence.LIKELY,
        after=f"{folder}/{name}",
    )
    if presence is Presence.OUTSIDE:
        message = f"input file {quoted(given)} is outside ComfyUI's folders, which it may not be"
        fix = Advice("copy the file into ComfyUI's input folder and choose it there")
    finding = case.finding(
        CUSTOM_VALIDATION_FAILED,
        message,
        fix,
        input_name=input_name,
        subject=about(SubjectKind.INPUT_FILE, name, folder),
    )
    if presence is Presence.UNSEEN:
        return Doubt(
            finding.model_copy(
                update={
                    "severity": Severity.WARNING,
                    "message": f"input file {quoted(name)} may or may not be in ComfyUI's {folder} "
                    "folder, which cannot be seen from here",
                }
            ),
            f"whether input file {quoted(given)} of node {quoted(case.id)} exists: ComfyUI's "
            f"{folder} folder cannot be seen from here (set comfyui_dir)",
        )
    return finding


def _by_list(case: NodeCase, input_name: str, given: str) -> Presence:
    """Judge by the server's list: of the files in the folder itself, those of the node's kind."""
    spec = case.type.inputs.get(input_name)
    if spec is None or spec.choices is None:
        return Presence.UNSEEN
    folder, path = _place(given)
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


def _place(given: str) -> tuple[str, str]:
    for folder in ("output", "temp", "input"):
        if given.endswith(f"[{folder}]"):
            return folder, given[: -len(folder) - 3]
    return "input", given
