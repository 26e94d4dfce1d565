"""``comfywatchman check``, which ``--run-check`` stands for."""

from __future__ import annotations

import contextlib
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comfywatchman import ownership, streams
from comfywatchman.command_line import record, sentences, showing
from comfywatchman.command_line.flags import Flags
from comfywatchman.command_line.options import (
    ComfyUIVersion,
    Config,
    ObjectInfo,
    ReportFormat,
    refuse_missing,
    refuse_version_alone,
)
from comfywatchman.errors import Exit
from comfywatchman.flag import Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.cycle.runner import Result
    from comfywatchman.settings import FailOn, Settings

FLAGS: tuple[Group, ...] = ("outcome", "server", "access", "judging", "state")


def run(
    *,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Workflow files or folders to judge; default: all that are set up."),
    ] = None,
    config: Config = None,
    object_info: ObjectInfo = None,
    comfyui_version: ComfyUIVersion = None,
    output_format: ReportFormat = None,
    flags: Flags,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
) -> None:
    """Run one cycle and report; with PATHS, judge just those."""
    # The libraries bring a million objects that stay until the end: looking for garbage among them
    # again and again would cost a tenth of a cycle. The collector is back once they are there.
    gc.set_threshold(20_000, 10, 100)
    gc.disable()
    if end_with_stdin:
        from comfywatchman.schedule import child

        child.end_with_stdin()
    with sentences.for_wrong_configuration(), _left_to_another_host():
        with contextlib.nullcontext() if object_info else record.bugs(flags, config):
            settings = _settings(flags, config, object_info)
            refuse_missing(paths or ())
            refuse_version_alone(comfyui_version, object_info)
            if object_info is not None and not paths and not settings.workflow_dirs:
                sentences.end(
                    Exit.USAGE,
                    "--object-info needs the files or folders to judge (or workflow_dirs)",
                )
            result = _cycle(settings, tuple(paths or ()), object_info, comfyui_version)
        showing.show(result.report, output_format)
    raise typer.Exit(_exit_code(result, settings.fail_on))


@contextlib.contextmanager
def _left_to_another_host() -> Iterator[None]:
    """Skip the cycle that the timer of another host began, in a home that both use."""
    try:
        yield
    except ownership.NotOursError as error:
        if not error.expected:
            raise
        sentences.say(f"skipped: {error}", "<6>" if streams.under_journal(sys.stderr) else "")
        raise typer.Exit(Exit.OK) from None


def _settings(flags: Flags, config: Path | None, object_info: Path | None) -> Settings:
    if object_info is None:
        return record.settings(flags, config)
    from comfywatchman.settings import load

    return load(flags, config)


def _cycle(
    settings: Settings,
    paths: tuple[Path, ...],
    object_info: Path | None,
    comfyui_version: str | None,
) -> Result:
    from comfywatchman.cycle import progress, runner
    from comfywatchman.cycle.graph import Target

    gc.freeze()
    gc.enable()
    target = Target(tuple(p.absolute() for p in paths), object_info, comfyui_version)
    return runner.run(settings, target, progress.listener())


def _exit_code(result: Result, fail_on: FailOn) -> int:
    if result.exit_code is not Exit.OK:
        return result.exit_code
    counts = result.report.not_accepted
    bad = counts.broken + result.report.will_fail
    if fail_on == "partial":
        bad += counts.partial
    return Exit.FAIL_ON if fail_on != "never" and bad else Exit.OK
