"""``comfywatchman catalog``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comfywatchman.command_line import sentences
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import Config
from comfywatchman.errors import Exit
from comfywatchman.flag import Group

FLAGS: tuple[Group, ...] = ("server", "access")


def run(
    *,
    save: Annotated[
        Path,
        typer.Option(
            "--save", metavar="FILE", help="Where to write it; gzipped if the name ends in .gz."
        ),
    ],
    config: Config = None,
    flags: Flags,
) -> None:
    """Save what verdicts on this server's workflows rest on in one file, for --object-info."""
    from comfywatchman import basis, room, state
    from comfywatchman.comfyui import catalog_file
    from comfywatchman.comfyui.client import ComfyUIError
    from comfywatchman.settings import load

    with sentences.for_wrong_configuration():
        settings = load(flags, config)
        target = _target(save)
        try:
            content = basis.everything(settings)
        except ComfyUIError as error:
            sentences.end(Exit.USAGE, f"nothing was saved: {error}")
    try:
        raw = catalog_file.encoded(content, packed=target.suffix.lower() == ".gz")
        state.replace_file(target, raw, mode=0o666)
    except RecursionError:
        sentences.end(
            Exit.USAGE, "nothing was saved: what the server says of a node type is nested too deep"
        )
    except OSError as error:
        sentences.end(
            Exit.UNWRITABLE, f"{save} cannot be written: {room.why(error, target.parent)}"
        )
    for sentence in content.not_checked:
        sentences.say(f"not in the catalog: {sentence}")
    inventory = content.inventory
    models = sum(map(len, inventory.models.values()))
    seen = sum(map(len, inventory.files.values()))
    sentences.show(
        f"{save}: ComfyUI {content.comfyui_version or '(version unknown)'}, "
        f"{len(content.node_types):,} node types, {models:,} model files, {seen:,} other files"
    )


def _target(save: Path) -> Path:
    """The file to replace, behind whatever links lead to it."""
    try:
        target = save.resolve()
        is_taken = target.exists() and not target.is_file()
        has_folder = target.parent.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        sentences.end(Exit.UNWRITABLE, f"{save} cannot be written: {error}")
    if is_taken:
        sentences.end(Exit.UNWRITABLE, f"{save} is no regular file: name one to write")
    if not has_folder:
        sentences.end(
            Exit.UNWRITABLE,
            f"{save} cannot be written: there is no folder {target.parent}; make it",
        )
    return target
