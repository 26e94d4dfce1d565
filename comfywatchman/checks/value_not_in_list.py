"""A choice that the server does not list: above all, a model file that is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from comfywatchman.checks.custom_validation_failed import instead, put_into
from comfywatchman.checks.engine.advice import put, set_to
from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.checks.known.model_folders import listed_folder
from comfywatchman.checks.known.no_name import FILL_IN, is_nothing, placeholder
from comfywatchman.checks.versions import Rule
from comfywatchman.comfyui.catalog import COMBO
from comfywatchman.comfyui.inventory import Presence
from comfywatchman.comfyui.names import (
    how_alike,
    is_generic,
    is_media,
    last_part,
    looks_like_file,
    looks_like_model,
    tidy,
)
from comfywatchman.findings import (
    NAME_LENGTH,
    Advice,
    about,
    about_value,
    declare,
    printable,
    quoted,
)
from comfywatchman.results import Confidence, FixKind, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfywatchman.checks.engine.case import Answer, InputCase
    from comfywatchman.checks.engine.choices import Choices
    from comfywatchman.checks.known.model_folders import ModelFolder
    from comfywatchman.results import Subject

VALUE_NOT_IN_LIST = declare(
    "value_not_in_list",
    Severity.ERROR,
    title="Choice or model file that the server does not list",
    explanation="The server accepts exactly what its list holds, letter by letter: a model in "
    "another sub-folder, with other slashes or in other case is another choice. Lists of model "
    "files are what the server found in its model folders when it was asked.\n\n"
    "A custom node may fill such a list in the browser or judge the value itself. There, this is "
    "an error if the list, or the value, reads like names of files and the list is not empty; else "
    "it is a warning and the verdict is `unknown`. Servers older than 0.7 accept any value for "
    "combos declared in the new form; there it is a warning, since the node fails when run.\n\n"
    "Which model folder an input of a custom node lists is told by an equal list of one of "
    "ComfyUI's own nodes, not by what the input is called. A list of media files there is taken "
    "for one of ComfyUI's `input` folder: a file that is in it, but not in the list, may be "
    "accepted.",
    remedy="Do what the fix says: set the exact string, put the file into the folder that is "
    "named, or choose another one. If the file is there already, the server may look elsewhere "
    "(`extra_model_paths.yaml` is read when it starts) or may have to be refreshed.",
)

_DOWNLOAD_HOSTS: Final = frozenset({"huggingface.co", "civitai.com"})
_UPLOADS: Final = ("image_upload", "video_upload", "audio_upload", "animated_image_upload")
_FEW: Final = 8
_THERE: Final = "the node may accept a file that is there and not in its list"


@on_value(Stage.CHOICE, COMBO)
def check(case: InputCase) -> Answer:
    """Report a value that is not among the choices of a combo."""
    if case.excused:
        return None
    choices = case.choices
    if choices is None:
        return _unlisted(case)
    if case.value in choices or _each_listed(case, choices):
        return None
    folder = _folder(case)
    message, fix = _message(case, choices, folder), _fix(case, choices, folder)
    subject = _subject(case, choices, folder)
    if not case.spec.listed and Rule.NEW_COMBOS_CHECKED not in case.node.whole.book.rules:
        message += "; this version of the server accepts it, but the node will fail"
        return case.finding(
            VALUE_NOT_IN_LIST, message, fix, subject=subject, severity=Severity.WARNING
        )
    if because := _excuse(case, choices):
        if because == _THERE:
            message = (
                f"{quoted(case.given)} is there, but not in the list of {quoted(case.spec.name)}"
            )
            fix = "if the node does not find it when it is run: move it to where the list is from"
        return case.doubt(VALUE_NOT_IN_LIST, message, fix, because=because, subject=subject)
    return case.finding(VALUE_NOT_IN_LIST, message, fix, subject=subject)


def _unlisted(case: InputCase) -> Answer:
    """A combo whose choices the server does not send: the browser gets them elsewhere."""
    name = quoted(case.spec.name)
    message = f"the choices of {name} are not listed by the server, so {quoted(case.given)} is not"
    fix = f"check in the browser that {name} offers it"
    subject = about_value(case.given)
    if case.node.own_rules is None:
        because = "its choices are not listed by the server"
        return case.doubt(VALUE_NOT_IN_LIST, message, fix, because=because, subject=subject)
    return case.finding(VALUE_NOT_IN_LIST, message, fix, subject=subject)


def _folder(case: InputCase) -> ModelFolder | None:
    """The model folder that the input lists; looked up once for each in a prompt."""
    whole, key = case.node.whole, (case.node.type.name, case.spec.name)
    if key not in whole.folders:
        whole.folders[key] = listed_folder(
            whole.catalog, whole.inventory, whole.book, case.node.type, case.spec
        )
    return whole.folders[key]


def _subject(case: InputCase, choices: Choices, folder: ModelFolder | None) -> Subject:
    """What is missing: a model or input file, where the list is one of files, else a value."""
    wanted = case.given
    if isinstance(wanted, str) and not is_nothing(wanted) and placeholder(wanted) is None:
        if folder is not None:
            return about(SubjectKind.MODEL, wanted, folder.name)
        if _of_input_folder(case):
            return about(SubjectKind.INPUT_FILE, wanted, "input")
        if choices.are_files and looks_like_file(wanted):
            kind = SubjectKind.MODEL if looks_like_model(wanted) else SubjectKind.INPUT_FILE
            return about(kind, wanted)
    return about_value(wanted)


def _each_listed(case: InputCase, choices: Choices) -> bool:
    return (
        isinstance(case.value, list)
        and bool(case.spec.options.get("multiselect"))
        and Rule.MULTISELECT_BY_ITEM in case.node.whole.book.rules
        and all(item in choices for item in case.value)
    )


def _excuse(case: InputCase, choices: Choices) -> str | None:
    """What may make the server accept the value all the same; None if nothing plausible."""
    custom = case.node.own_rules is None
    if custom and len(choices) == 0:
        return "its list is empty on the server; the custom node may fill it in the browser"
    if isinstance(case.given, str) and _of_input_folder(case):
        # Nodes that load what was uploaded tend to go by the file and not by the list; those of
        # ComfyUI for which this is known are excused before it comes to this.
        confined = Rule.PATHS_CONFINED in case.node.whole.book.rules
        presence = case.node.whole.inventory.presence(case.given, confined=confined)
        if presence is Presence.PRESENT:
            return _THERE
        unseen = custom and presence is not Presence.ABSENT
        return "the node may accept files that are not in its list" if unseen else None
    if not custom or choices.are_files or looks_like_file(case.given):
        return None
    return "the custom node may fill its list in the browser or judge the value itself"


def _of_input_folder(case: InputCase) -> bool:
    """Whether what an input lists are files to be loaded from ComfyUI's ``input`` folder.

    At ComfyUI's own nodes a flag says so; many packs add the button for uploads in the browser.
    """
    if any(case.spec.options.get(upload) for upload in _UPLOADS):
        return True
    if case.node.own_rules is not None or case.choices is None:
        return False
    return is_media(case.given) and case.choices.are_media


def _message(case: InputCase, choices: Choices, folder: ModelFolder | None) -> str:
    name, given = quoted(case.spec.name), quoted(case.given)
    if (sentence := placeholder(case.given)) is not None:
        return sentence
    if (folder is not None or choices.are_files) and is_nothing(case.given):
        return f"no file is chosen for {name}: it is {given}"
    if folder is not None and isinstance(case.given, str):
        given = f"{folder.noun} {given}"
    elif not choices.are_files:
        if len(choices) == 1:
            return f"{given} is not the one choice of {name}"
        return f"{given} is not among the {len(choices):,} choices of {name}"
    if len(choices) == 0:
        return f"{given} is not there: ComfyUI lists no files for {name}"
    if len(choices) == 1:
        return f"{given} is not the one file ComfyUI lists for {name}"
    return f"{given} is not among the {len(choices):,} files ComfyUI lists for {name}"


def _fix(case: InputCase, choices: Choices, folder: ModelFolder | None) -> str | Advice:
    wanted = case.given
    if isinstance(wanted, list) and len(wanted) == 1 and wanted[0] in choices:
        return _unwrap(wanted[0])
    if not isinstance(wanted, str):
        return _choose(choices)
    if placeholder(wanted) is not None:
        return FILL_IN
    files = folder is not None or choices.are_files
    if files and is_nothing(wanted):
        return f"{_choose(choices)}, or bypass the node"
    same = choices.same_file(wanted)
    if same is not None:
        return set_to(wanted, [same], how_alike(wanted, same))
    alike = choices.same_name(wanted)[:_FEW]
    if alike and not is_generic(wanted):
        return set_to(wanted, alike)
    if files and (endings := choices.same_stem(wanted)[:_FEW]):
        return set_to(wanted, endings, how_alike(wanted, endings[0]))
    similar = choices.similar(wanted) if case.node.whole.may_search() else ()
    if not files or not looks_like_file(wanted):
        return f"did you mean {_listed(similar)}?" if similar else _choose(choices)
    advice = _put(case, choices, wanted, folder)
    if alike:
        also = f", or set it to {' or '.join(map(quoted, alike))} if that is the same model"
    else:
        also = f"; listed under a similar name: {_listed(similar)}" if similar else ""
    return replace(advice, text=advice.text + also)


def _unwrap(choice: Any) -> Advice:
    """A choice that came as a list of one, and is in the server's list itself."""
    return Advice(
        f"set it to {quoted(choice)} instead of a list of it",
        FixKind.SET_VALUE,
        Confidence.LIKELY,
        after=choice,
    )


def _put(case: InputCase, choices: Choices, wanted: str, folder: ModelFolder | None) -> Advice:
    if folder is None and _of_input_folder(case):
        return instead(case.node, wanted) or put_into(wanted)
    path = tidy(wanted, choices.separator)
    address = _download(case, wanted)
    download = "" if address is None else f" (download: {printable(address, 400)})"
    rename = "" if path == wanted else f", and set it to {quoted(path, NAME_LENGTH)}"
    if folder is None:
        name = quoted(path if not rename else last_part(path))
        kind = FixKind.PUT_FILE if address is None else FixKind.DOWNLOAD
        text = f"put {name} where the node looks for its files{rename}{download}"
        return Advice(text, FixKind.BY_HAND if rename else kind, before=address)
    place = f"models/{folder.name}"
    elsewhere = case.node.whole.inventory.folders_with(wanted)
    if elsewhere and folder.name not in elsewhere:
        return Advice(
            f"move or link it into ComfyUI's {place} folder{rename}: the server has it in "
            f"models/{printable(elsewhere[0])}, where this input does not look",
            FixKind.BY_HAND if rename else FixKind.MOVE_FILE,
            Confidence.LIKELY,
            before=f"models/{elsewhere[0]}/{wanted}",
            after=f"{place}/{wanted}",
        )
    advice = put(wanted, place, choices.separator) or Advice(_choose(choices))
    if address is None or advice.kind is not FixKind.PUT_FILE:
        return replace(advice, text=advice.text + download)
    return replace(advice, text=advice.text + download, kind=FixKind.DOWNLOAD, before=address)


def _download(case: InputCase, wanted: str) -> str | None:
    """The address that the workflow names for a file, if it may be shown."""
    saved = case.node.saved
    if saved is None:
        return None
    address = saved.models.get(wanted) or saved.models.get(last_part(wanted))
    return address if address is not None and _is_trusted(address) else None


def _is_trusted(address: str) -> bool:
    """Whether an address from a workflow may be shown: https, from the two hubs, nothing odd."""
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        return False
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc.lower() in _DOWNLOAD_HOSTS and port is None


def _choose(choices: Choices) -> str:
    if not len(choices):
        return "the list is empty: there is nothing to choose from"
    return f"choose one of {_listed(choices.listed[:_FEW], more=len(choices) - _FEW)}"


def _listed(names: Sequence[object], more: int = 0) -> str:
    text = ", ".join(quoted(name) for name in names)
    return f"{text} and {more:,} more" if more > 0 else text
