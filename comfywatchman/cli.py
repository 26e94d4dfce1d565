"""The command line: thin commands over the package. Slow imports happen inside the commands."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

try:
    import typer
    import typer.core
except ImportError as damage:  # without it not even the doctor could say so
    sys.stderr.write(f"comfywatchman: the installation is damaged ({damage}): deploy it again\n")
    raise SystemExit(70) from None

from comfywatchman import __version__
from comfywatchman.errors import ConfigError, Exit
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from comfywatchman.cycle.runner import Result
    from comfywatchman.results import Report
    from comfywatchman.settings import FailOn, Settings


class Format(StrEnum):
    """Forms of the report that ``check`` prints."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class StatusFormat(StrEnum):
    """Forms of the status."""

    TEXT = "text"
    JSON = "json"


class _UnreadError(Exception):
    """Whoever read standard output has gone."""


class _Group(typer.core.TyperGroup):
    """Reads ``--run-check`` as the command it stands for, so that both are one cycle."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--run-check" in args and "--help" not in args:
            rest = [a for a in args if a != "--run-check"]
            args = rest if rest[:1] == ["check"] else ["check", *rest]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would end with 1, as if --fail-on were met
            raise _UnreadError(error.strerror) from None


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which saved ComfyUI workflows can run on this host now, which cannot, why, and how to "
    "fix it.",
    epilog="Exit codes: 0 done or skipped; 1 --fail-on met; 2 usage; 70 a bug of ours; 74 the "
    "state folder or the output cannot be written; 75 another cycle is running; 78 wrong "
    "configuration.",
)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file (TOML). Default: $COMFYWATCHMAN_CONFIG, else "
        "~/.config/comfywatchman/config.toml.",
        show_default=False,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Where reports and state are kept.", show_default=False),
]
ComfyuiUrl = Annotated[str | None, typer.Option(help="Address of the ComfyUI server.")]
ObjectInfo = Annotated[
    Path | None,
    typer.Option(
        "--object-info",
        help="Judge against this saved answer of /object_info, with no server.",
        show_default=False,
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"comfywatchman {__version__}")
        raise typer.Exit


@app.callback()
def root(
    run_check: Annotated[
        bool,
        typer.Option("--run-check", help="Run one cycle: the same as `check` with no arguments."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Which saved ComfyUI workflows can run on this host now, which cannot, why, how to fix it."""
    del run_check, version


@app.command()
def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Workflow files or folders to judge; default: all that are set up."),
    ] = None,
    config: Config = None,
    object_info: ObjectInfo = None,
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Form of the report on standard output.", show_default="text"
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(help="Exit with 1 from this verdict on: broken, partial or never."),
    ] = None,
    comfyui_url: ComfyuiUrl = None,
    comfyui_dir: Annotated[
        Path | None, typer.Option(help="ComfyUI's own folder on this host.")
    ] = None,
    comfyui_token_file: Annotated[
        Path | None, typer.Option(help="File with a bearer token for the server.")
    ] = None,
    comfyui_basic_auth_file: Annotated[
        Path | None, typer.Option(help="File with user:password for the server.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM file of a certificate authority to trust too.")
    ] = None,
    workflow_dirs: Annotated[
        list[Path] | None, typer.Option(help="Folder of saved workflows; may be given again.")
    ] = None,
    userdata: Annotated[
        bool | None,
        typer.Option("--userdata/--no-userdata", help="Judge what is saved on the server too."),
    ] = None,
    min_free_vram: Annotated[
        str | None, typer.Option(help="Skip when less VRAM is free, e.g. 2GiB.")
    ] = None,
    min_free_disk: Annotated[
        str | None, typer.Option(help="Skip when less disk is free, e.g. 64MiB.")
    ] = None,
    skip_when_busy: Annotated[
        bool | None,
        typer.Option("--skip-when-busy/--no-skip-when-busy", help="Skip while the server renders."),
    ] = None,
    connect_timeout: Annotated[
        str | None, typer.Option(help="Seconds to wait for a connection.")
    ] = None,
    read_timeout: Annotated[str | None, typer.Option(help="Seconds one answer may take.")] = None,
    catalog_timeout: Annotated[
        str | None, typer.Option(help="Seconds the list of node types may take.")
    ] = None,
    max_catalog_size: Annotated[
        str | None, typer.Option(help="Largest list of node types to read.")
    ] = None,
    max_workflow_size: Annotated[
        str | None, typer.Option(help="Largest workflow file to read.")
    ] = None,
    max_workflow_depth: Annotated[
        str | None, typer.Option(help="Deepest nesting of a workflow to judge.")
    ] = None,
    cache: Annotated[
        bool | None,
        typer.Option("--cache/--no-cache", help="Reuse verdicts where nothing has changed."),
    ] = None,
    state_dir: StateDir = None,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
) -> None:
    """Run one cycle and report; with PATHS, judge just those."""
    del comfyui_url, comfyui_token_file, comfyui_basic_auth_file, ca_file, min_free_vram
    del min_free_disk, skip_when_busy, connect_timeout, read_timeout, catalog_timeout
    del max_catalog_size, max_workflow_size, max_workflow_depth, state_dir, fail_on, userdata
    del comfyui_dir, workflow_dirs, cache
    # The libraries bring a million objects that stay until the end: looking for garbage among them
    # again and again would cost a tenth of a cycle. The collector is back once they are there.
    gc.set_threshold(20_000, 10, 100)
    gc.disable()
    if end_with_stdin:
        from comfywatchman.schedule import child

        child.end_with_stdin()
    with _sentences():
        with contextlib.nullcontext() if object_info else _bugs_on_record(context, config):
            if object_info is None:
                settings = _settings_or_record(context, config)
            else:
                settings = _settings(context, config)
            _refuse_missing(paths or ())
            if object_info is not None and not paths and not settings.workflow_dirs:
                _end(
                    Exit.USAGE,
                    "--object-info needs the files or folders to judge (or workflow_dirs)",
                )
            result = _run(settings, tuple(paths or ()), object_info)
        _show(result.report, output_format)
    raise typer.Exit(_exit_code(result, settings.fail_on))


@app.command()
def convert(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Workflow files or folders.")],
    config: Config = None,
    object_info: ObjectInfo = None,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help='One line a file: {"path", "prompt"} or {"path", "error"}.'),
    ] = False,
    comfyui_url: ComfyuiUrl = None,
) -> None:
    """Print a saved workflow as the API prompt that ComfyUI's frontend would send."""
    del comfyui_url
    from comfywatchman import conversion

    with _sentences():
        settings = _settings(context, config)
        _refuse_missing(paths)
        try:
            catalog = conversion.catalog(settings, object_info)
        except conversion.ComfyUIError as error:
            _end(Exit.USAGE, f"{error} (or give --object-info)")
        converted = conversion.convert_all(paths, catalog, settings)
        if jsonl:
            for line in converted:
                typer.echo(line.as_jsonl())
            return
        done = list(converted)
        if len(done) != 1:
            _end(Exit.USAGE, f"{len(done)} workflows were found: give one file, or --jsonl")
        if done[0].error is not None:
            _end(Exit.USAGE, f"{done[0].path}: {done[0].error}")
        typer.echo(done[0].as_json())


@app.command()
def schedule(
    context: typer.Context,
    run_now: Annotated[
        bool, typer.Option("--run-now", help="Run the first cycle at once, then on schedule.")
    ] = False,
    config: Config = None,
    schedule_interval: Annotated[
        str | None, typer.Option(help="Seconds from the beginning of one cycle to the next.")
    ] = None,
    schedule_jitter: Annotated[
        str | None, typer.Option(help="Seconds by which a cycle may be late, at random.")
    ] = None,
    schedule_first_delay: Annotated[
        str | None, typer.Option(help="Seconds from the start to the first cycle.")
    ] = None,
    cycle_time_limit: Annotated[
        str | None, typer.Option(help="Seconds after which a cycle is ended.")
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Run cycles on schedule, on hosts without systemd, until stopped by SIGTERM or Ctrl-C."""
    del schedule_interval, schedule_jitter, schedule_first_delay, cycle_time_limit, state_dir
    with _sentences(), _bugs_on_record(context, config):
        settings = _settings_or_record(context, config)
        from comfywatchman import state
        from comfywatchman.schedule import apscheduler as scheduler

        try:
            scheduler.run(settings, state.as_typed(config) if config else None, run_now=run_now)
        except scheduler.AlreadyScheduledError as error:
            _end(Exit.LOCKED, str(error))


@app.command()
def status(
    config: Config = None,
    state_dir: StateDir = None,
    output_format: Annotated[
        StatusFormat, typer.Option("--format", help="Form of the status.")
    ] = StatusFormat.TEXT,
) -> None:
    """Show what became of the last cycle and when the next is due, at once."""
    from comfywatchman import state
    from comfywatchman import status as of_host

    with _sentences():
        folder = state.locate(state_dir, config)
        found = of_host.read(folder, state.likely_instance(config))
        if output_format is StatusFormat.JSON:
            typer.echo(json.dumps(found, indent=2))
        else:
            _print(of_host.in_words(found))


@app.command()
def doctor(
    config: Config = None,
    state_dir: StateDir = None,
    output_format: Annotated[
        StatusFormat, typer.Option("--format", help="Form of what was found.")
    ] = StatusFormat.TEXT,
) -> None:
    """Examine this installation, point by point, and say what to do. Exit code 1: problems."""
    from comfywatchman import doctor as of_installation
    from comfywatchman import state

    points = []
    state_dir = state.as_typed(state_dir) if state_dir else None
    for point in of_installation.examine(config, state_dir):
        points.append(point)
        if output_format is StatusFormat.TEXT:
            _print(of_installation.in_words(point))
    problems = sum(point.status is of_installation.Status.PROBLEM for point in points)
    if output_format is StatusFormat.JSON:
        found = {"healthy": not problems, "points": [point.as_json() for point in points]}
        examined = {"comfywatchman_version": __version__, "host": socket.gethostname()}
        typer.echo(json.dumps(examined | found, indent=2))
    else:
        _print(
            f"\n{problems} problem{'s' * (problems != 1)} found" if problems else "\nall is well"
        )
    raise typer.Exit(Exit.FAIL_ON if problems else Exit.OK)


@app.command()
def notify(
    failed_unit: Annotated[
        str, typer.Option("--failed-unit", help="The unit that failed, as systemd names it.")
    ],
    config: Config = None,
    state_dir: StateDir = None,
) -> None:
    """Say why a unit failed, and run on_failure_command; for OnFailure= of systemd."""
    from comfywatchman import state
    from comfywatchman.cycle import progress
    from comfywatchman.schedule import failure

    journal = progress.under_journal(sys.stderr)

    def say(priority: int, text: str) -> None:
        prefix = f"<{priority}>" if journal else ""
        _say(text, prefix)

    with _sentences():
        # A wrong configuration may be what failed; the cycle left word in the same folder.
        folder = state.likely_folder(state_dir, config)
        failed = failure.of_unit(failed_unit, os.environ, folder)
        failure.handle(failed, folder, config, say)


@app.command()
def report(
    config: Config = None,
    state_dir: StateDir = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="Form of the report.")
    ] = Format.TEXT,
) -> None:
    """Show the last full report again."""
    from comfywatchman import state
    from comfywatchman.report.store import ReportStore

    with _sentences():
        _show(ReportStore.latest(state.locate(state_dir, config)), output_format)


class FleetFailOn(StrEnum):
    """What ends ``fleet`` with exit code 1."""

    NEVER = "never"
    HOSTS = "hosts"
    BROKEN = "broken"
    PARTIAL = "partial"


@app.command()
def fleet(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder that playbooks/status.yml filled.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where to write fleet.json, fleet.md and fleet.html.", show_default="DIR"
        ),
    ] = None,
    output_format: Annotated[
        StatusFormat, typer.Option("--format", help="Form of the fleet on standard output.")
    ] = StatusFormat.TEXT,
    fail_on: Annotated[
        FleetFailOn,
        typer.Option(
            help="Exit with 1 if a host is not well (hosts), or also if a workflow is broken, or "
            "partial, somewhere."
        ),
    ] = FleetFailOn.HOSTS,
    stale_after: Annotated[
        float | None,
        typer.Option(
            help="Hours after which a report is stale.",
            show_default="two of the host's own intervals",
        ),
    ] = None,
) -> None:
    """Make one picture of every host, out of what playbooks/status.yml collected."""
    from comfywatchman.fleet import command

    with _sentences():
        raise typer.Exit(
            command.run(
                folder,
                output,
                json_wanted=output_format is StatusFormat.JSON,
                fail_on=fail_on.value,
                stale_after=stale_after,
            )
        )


@app.command()
def graph() -> None:
    """Print the cycle as LangGraph draws it (Mermaid)."""
    from comfywatchman.cycle import graph as cycle

    typer.echo(cycle.build().get_graph().draw_mermaid(), nl=False)


def _settings(context: typer.Context, config: Path | None) -> Settings:
    from comfywatchman import settings, state

    flags = {k: v for k, v in context.params.items() if k in settings.Settings.model_fields}
    for name, value in flags.items():
        if name == "workflow_dirs":  # an empty tuple when the flag was not given
            flags[name] = [state.as_typed(path) for path in value or ()] or None
        elif name.endswith(("_dir", "_file")) and value is not None:
            flags[name] = state.as_typed(value)
    return settings.load(flags, config)


def _settings_or_record(context: typer.Context, config: Path | None) -> Settings:
    """Read the settings; where they are wrong, leave word of it before saying so."""
    try:
        return _settings(context, config)
    except ConfigError as error:
        _record_failure(context.params["state_dir"], config, str(error))
        raise


def _record_failure(state_dir: Path | None, config: Path | None, reason: str) -> None:
    """Leave word of a cycle that could not begin, wherever the state would have gone."""
    from comfywatchman import state
    from comfywatchman.report.store import ReportStore

    with contextlib.suppress(ConfigError, OSError):
        ReportStore(state.likely_folder(state_dir, config)).refuse(reason)


def _refuse_missing(paths: Sequence[Path]) -> None:
    for path in paths:
        if not os.path.lexists(path):
            _end(Exit.USAGE, f"{path}: there is no such file or folder")


def _run(settings: Settings, paths: tuple[Path, ...], object_info: Path | None) -> Result:
    from comfywatchman.cycle import progress, runner
    from comfywatchman.cycle.graph import Target

    gc.freeze()
    gc.enable()

    target = Target(tuple(p.absolute() for p in paths), object_info)
    return runner.run(settings, target, progress.listener())


def _show(report: Report, wanted: Format | None) -> None:
    from comfywatchman.cycle import progress

    if wanted is Format.JSON:
        typer.echo(report.model_dump_json(indent=2))
    elif wanted is Format.MARKDOWN:
        from comfywatchman.report import markdown

        _print(markdown.render(report))
    elif wanted is Format.TEXT or not progress.under_journal(sys.stdout):
        from comfywatchman.report import text

        text.write(report, sys.stdout)


def _exit_code(result: Result, fail_on: FailOn) -> int:
    if result.exit_code is not Exit.OK:
        return result.exit_code
    bad = result.report.summary.broken
    if fail_on == "partial":
        bad += result.report.summary.partial
    return Exit.FAIL_ON if fail_on != "never" and bad else Exit.OK


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    typer.echo(text.encode(encoding, "backslashreplace").decode(encoding))


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """End a command that meets bad configuration with its sentence, not with a traceback."""
    try:
        yield
    except ConfigError as error:
        _end(Exit.CONFIG, str(error))


def _end(code: Exit, sentence: str) -> NoReturn:
    from comfywatchman.cycle import progress

    _say(sentence, "<3>" if progress.under_journal(sys.stderr) else "")
    raise typer.Exit(code)


def _say(text: str, prefix: str = "") -> None:
    with contextlib.suppress(OSError):  # a log that is full or gone ends nothing
        for line in text.splitlines():
            typer.echo(f"{prefix}comfywatchman: {visible(line)}", err=True)


@contextlib.contextmanager
def _bugs_on_record(context: typer.Context, config: Path | None) -> Iterator[None]:
    """Leave word of a cycle that a bug ends outside the graph, e.g. a module that is missing."""
    try:
        yield
    except (ConfigError, typer.Exit):
        raise
    except Exception as error:
        with contextlib.suppress(Exception):
            _record_failure(context.params["state_dir"], config, _bug(error))
        raise


def _bug(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a bug of ComfyWatchman {__version__} or of its installation "
        f"({type(error).__name__}: {error}, at {place.filename}:{place.lineno})"
    )


def main() -> None:
    """Entry point of ``comfywatchman`` and ``python -m comfywatchman.cli``."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    code: str | int | None = Exit.INTERNAL
    problem, unwritten = "", None
    try:
        app()
    except SystemExit as ended:
        code = ended.code
    except _UnreadError as error:
        code, unwritten = Exit.OK, str(error)
    except OSError as error:  # of a file it would name it
        problem, unwritten = _bug(error), None if error.filename else error.strerror
    except Exception as error:  # noqa: BLE001  (the last guard: a sentence, not a traceback)
        problem = _bug(error)
    if unwritten := _write_out(sys.stdout) or unwritten:
        code = Exit.UNWRITABLE if problem or not code else code
        problem = f"standard output cannot be written: {unwritten}"
    if problem:
        _say(problem)
    _write_out(sys.stderr)
    sys.exit(code)


def _write_out(stream: TextIO) -> str | None:
    """Write what a stream still holds; drop it and say why where it cannot be.

    Python itself would end with an exit code of its own.
    """
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error.strerror
    return None


if __name__ == "__main__":
    main()
