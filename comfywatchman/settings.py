"""The settings: one model, filled from a TOML file, then the environment, then flags.

A setting has one name everywhere: ``comfyui_url`` in the file, ``COMFYWATCHMAN_COMFYUI_URL`` in the
environment, ``--comfyui-url`` as a flag and ``comfywatchman_comfyui_url`` in the Ansible role.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Mapping
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    PrivateAttr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from comfywatchman import state
from comfywatchman.address import server_url
from comfywatchman.errors import ConfigError
from comfywatchman.escape import visible
from comfywatchman.exclusion import Exclusion
from comfywatchman.flag import STATE_DIR, Flag

ENV_PREFIX = "COMFYWATCHMAN_"
DOWNLOAD_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?"
)
"""A host, by its name or number in small letters, with its port unless that is 443."""
_LARGEST_SIZE = 2**50
_SECRET_NAME = re.compile(
    r"token|passw|secret|auth|key|credential|(notify|ping)_url", re.IGNORECASE
)
_PLAIN_WORDS = {
    "byte_size": "must be a size, such as 2GiB or 500MB",
    "byte_size_unit": "must be a size, such as 2GiB or 500MB",
    "path_type": "must be a path, in quotes",
    "string_type": "must be text, in quotes",
    "list_type": 'must be a list of paths, such as ["/srv/a", "/srv/b"]',
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "float_parsing": "must be a number of seconds",
    "float_type": "must be a number of seconds",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
}
"""What pydantic's error types mean to a person who edits the file."""


class FailOn(StrEnum):
    """From which verdict on ``check`` exits with 1."""

    NEVER = "never"
    PARTIAL = "partial"
    BROKEN = "broken"


class AskServer(StrEnum):
    """Whether the server is asked for its own word on what cannot be seen from outside."""

    NEVER = "never"
    DOUBTFUL = "doubtful"


class Reminders(StrEnum):
    """How often it is told again that workflows are broken or partial."""

    NONE = "none"
    DAILY = "daily"
    DIMINISHING = "diminishing"
    """After a day, two more, four more and so on."""


def _absolute(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("must not hold a NUL character")
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"names no home folder: {error}") from None
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or start with ~/")
    return path


def _directory(path: Path) -> Path:
    try:
        found = path.is_dir()
    except OSError as error:
        raise ValueError(f"cannot be looked at: {error.strerror}") from None
    if not found:
        raise ValueError("is not a folder on this host; correct it, or mount what is missing")
    return path


def _split_paths(value: object) -> object:
    return [p for p in value.split(os.pathsep) if p] if isinstance(value, str) else value


def _split_lines(value: object) -> object:
    return [line for line in value.splitlines() if line] if isinstance(value, str) else value


def _pattern(text: str) -> str:
    Exclusion([text])
    return text


def _download_host(text: str) -> str:
    host = text.lower().removesuffix(":443")
    if not DOWNLOAD_HOST.fullmatch(host):
        raise ValueError("must be hosts such as huggingface.co or models.example:8443, no more")
    return host


def _split_words(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


def _program(words: list[str]) -> list[str]:
    if any("\0" in word for word in words):
        raise ValueError("must not hold a NUL character")
    if words and not Path(words[0]).is_absolute():
        raise ValueError("must begin with the absolute path of a program")
    return words


def _report_url(text: str) -> str:
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable():
        raise ValueError("must be an address that begins with http:// or https://")
    if parts.username is not None or parts.password is not None or " " in text:
        raise ValueError("must hold neither blanks nor a login: everybody who is told reads it")
    return text


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number or a size, not true or false")
    return value


def _sane(size: ByteSize) -> ByteSize:
    if size > _LARGEST_SIZE:
        raise ValueError("must be less than 1 PiB")
    return size


def _positive(size: ByteSize) -> ByteSize:
    if size == 0:
        raise ValueError("must be more than nothing")
    return size


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Pattern = Annotated[str, AfterValidator(_pattern)]
DownloadHost = Annotated[str, AfterValidator(_download_host)]
Seconds = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, le=86_400, allow_inf_nan=False)]
Delay = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=86_400, allow_inf_nan=False)]
Size = Annotated[ByteSize, BeforeValidator(_no_bool), AfterValidator(_sane)]
SizeCap = Annotated[Size, AfterValidator(_positive)]


_TOML_TYPES: dict[object, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "must be true or false, without quotes"),
    float: ((int, float), "must be a number of seconds, without quotes"),
    int: ((int,), "must be a whole number, without quotes"),
    ByteSize: ((int, str), 'must be a size, such as "2GiB" or "500MB"'),
    list[AbsolutePath]: ((list,), 'must be a list of paths, such as ["/srv/a", "/srv/b"]'),
    list[Pattern]: ((list,), 'must be a list of patterns, such as ["drafts/", "*_old.json"]'),
    list[DownloadHost]: ((list,), 'must be a list of hosts, such as ["huggingface.co"]'),
    list[str]: ((list,), 'must be a list of texts, such as ["/usr/bin/logger", "-p", "err"]'),
}
"""What TOML must hold, by a setting's type; every other setting is text."""


class Settings(BaseSettings):
    """Everything that can be set. Sizes are bytes, or text such as ``2GiB``; times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=False,
        hide_input_in_errors=True,
    )

    instance: Annotated[
        str,
        AfterValidator(state.instance_name),
        Field(
            description="Name of this instance, where several ComfyUI servers of one host have one "
            "each: up to 32 small letters, digits, `-` and `_`. It decides the default folders "
            "(`comfywatchman-NAME`) and the names of the units (`comfywatchman-NAME.timer`)."
        ),
    ] = ""
    comfyui_url: Annotated[
        str,
        AfterValidator(server_url),
        Flag("Address of the ComfyUI server.", "server"),
        Field(
            description="Address of the ComfyUI server, with its base path if it has one. http or "
            "https, without user name or password."
        ),
    ] = "http://127.0.0.1:8188"
    comfyui_dir: Annotated[
        Annotated[AbsolutePath, AfterValidator(_directory)] | None,
        Flag("ComfyUI's own folder on this host.", "access"),
        Field(
            description="ComfyUI's own folder on this host (the one that holds `input` and "
            "`models`). Input files are judged by what lies in it. Unset: by the server's lists "
            "alone."
        ),
    ] = None
    comfyui_token_file: Annotated[
        AbsolutePath | None,
        Flag("File with a bearer token for the server.", "access"),
        Field(
            description="File with a bearer token for the server, readable by its owner only. The "
            "systemd credential `comfyui_token` is used by itself."
        ),
    ] = None
    comfyui_basic_auth_file: Annotated[
        AbsolutePath | None,
        Flag("File with user:password for the server.", "access"),
        Field(
            description="File with `user:password` for a server behind basic authentication, "
            "readable by its owner only. The systemd credential `comfyui_basic_auth` is used by "
            "itself."
        ),
    ] = None
    ca_file: Annotated[
        AbsolutePath | None,
        Flag("PEM file of a certificate authority to trust too.", "access"),
        Field(
            description="PEM file of a certificate authority to trust for https, beside those the "
            "host trusts."
        ),
    ] = None
    workflow_dirs: Annotated[
        list[AbsolutePath],
        NoDecode,
        BeforeValidator(_split_paths),
        Flag("Folder of saved workflows; may be given again.", "judging"),
        Field(
            description="Folders to search for saved workflows (`*.json`), sub-folders included; "
            "pictures in them are passed over. In the environment: separated by `:`, as in PATH."
        ),
    ] = []
    userdata: Annotated[
        bool,
        Flag("Judge what is saved on the server too.", "judging"),
        Field(
            description="Whether to judge the workflows saved on the server too, of all its users."
        ),
    ] = True
    workflow_exclude: Annotated[
        list[Pattern],
        NoDecode,
        BeforeValidator(_split_lines),
        Flag("Pattern of workflows to leave out, as in .gitignore; may be given again.", "judging"),
        Field(
            description="Patterns of saved workflows that are not judged, as in a `.gitignore`: "
            "`drafts/` leaves out folders of that name, `*_old.json` files, and a pattern after "
            "them that begins with `!` takes back what it names. They are matched against the path "
            "below the folder that is searched and, of what is saved on the server, below the "
            "user's `workflows` folder; a file that is named on the command line is judged all the "
            "same. The report says how many were left out. In the environment: one pattern a line."
        ),
    ] = []
    min_free_vram: Annotated[
        Size,
        Flag("Skip when less VRAM is free, e.g. 2GiB.", "judging"),
        Field(
            description="Skip the cycle when less VRAM is free on every GPU of the server. 0: "
            "never."
        ),
    ] = ByteSize(2 * 1024**3)
    min_free_disk: Annotated[
        Size,
        Flag("Skip when less disk is free, e.g. 64MiB.", "judging"),
        Field(
            description="Skip the cycle when less disk space is free where the reports go. 0: "
            "never."
        ),
    ] = ByteSize(64 * 1024**2)
    skip_when_busy: Annotated[
        bool,
        Flag("Skip while the server renders.", "judging"),
        Field(description="Whether to skip the cycle while the server renders or has a queue."),
    ] = False
    connect_timeout: Annotated[
        Seconds,
        Flag("Seconds to wait for a connection.", "access"),
        Field(description="How long to wait for the server to accept a connection, in seconds."),
    ] = 5.0
    read_timeout: Annotated[
        Seconds,
        Flag("Seconds one answer may take.", "access"),
        Field(description="How long one answer of the server may take, in seconds."),
    ] = 30.0
    catalog_timeout: Annotated[
        Seconds,
        Flag("Seconds the list of node types may take.", "access"),
        Field(
            description="How long the list of node types may take (a server with many packs sends "
            "100 MB), in seconds."
        ),
    ] = 120.0
    max_catalog_size: Annotated[
        SizeCap,
        Flag("Largest list of node types to read.", "access"),
        Field(
            description="Refuse a list of node types, or a saved catalog, larger than this, or of "
            "more values than one in 16 bytes of it: parsed, it takes up to 15 times its size. "
            "`MemoryMax` of the service must be as large (docs/operating.md)."
        ),
    ] = ByteSize(128 * 1024**2)
    max_workflow_size: Annotated[
        SizeCap,
        Flag("Largest workflow file to read.", "judging"),
        Field(description="Do not read a workflow file larger than this."),
    ] = ByteSize(64 * 1024**2)
    max_workflow_depth: Annotated[
        int,
        BeforeValidator(_no_bool),
        Field(ge=10, le=500),
        Flag("Deepest nesting of a workflow to judge.", "judging"),
        Field(description="Do not judge a workflow whose JSON is nested deeper than this."),
    ] = 200
    fail_on: Annotated[
        FailOn,
        Flag("Exit with 1 from this verdict on: broken, partial or never.", "outcome"),
        Field(
            description="From which verdict on `check` exits with 1: `broken`, `partial` (or "
            "worse), or `never`. A workflow that will fail for a damaged model file counts as "
            "broken, an accepted one not at all."
        ),
    ] = FailOn.NEVER
    cache: Annotated[
        bool,
        Flag("Reuse verdicts where nothing has changed.", "judging"),
        Field(
            description="Whether to reuse the verdict of the last cycle where neither the file nor "
            "anything it depends on has changed."
        ),
    ] = True
    history_days: Annotated[
        int,
        BeforeValidator(_no_bool),
        Field(ge=0, le=36_500),
        Flag("Days that the history goes back; 0 keeps none.", "judging"),
        Field(
            description="How many days the history goes back: what changed, and what that did. "
            "`0` keeps none, and every report stands alone."
        ),
    ] = 730
    workflow_copies: Annotated[
        Size,
        Flag("Room for copies of saved workflows; 0 keeps none.", "judging"),
        Field(
            description="How much room copies of saved workflows may take, packed: the last three "
            "versions of each, by which a change of the file is told from one of the host. `0` "
            "keeps none, as `history_days: 0` does. They are readable for the user that the check "
            "runs as, and nobody else."
        ),
    ] = ByteSize(100 * 1024**2)
    ask_server: Annotated[
        AskServer,
        Flag("Ask the server itself: doubtful or never.", "judging"),
        Field(
            description="Whether to ask the server itself about workflows whose verdict hangs on "
            "what cannot be seen from outside (`doubtful`), or `never`. It is sent a copy of the "
            "prompt that it must refuse, so that nothing is queued. Read docs/security.md before: "
            "the code of your node packs runs, as for a real prompt, and a risk stays."
        ),
    ] = AskServer.NEVER
    hash_budget: Annotated[
        Size,
        Field(
            description="How many bytes of model files `comfywatchman models verify` reads as a "
            "whole at a time (docs/models.md). `0`: without `--budget` it reads all of them; the "
            "role then sets up no timer for it."
        ),
    ] = ByteSize(0)
    state_dir: Annotated[
        AbsolutePath | None,
        STATE_DIR,
        Field(
            description="Where reports and the state of the last cycle are kept. Unset: systemd's "
            "`$STATE_DIRECTORY`, else the user's XDG state folder."
        ),
    ] = None
    textfile_dir: Annotated[
        AbsolutePath | None,
        BeforeValidator(lambda given: given or None),
        Flag("Folder that node_exporter reads.", "outcome"),
        Field(
            description="Folder that node_exporter's textfile collector reads: each cycle writes "
            "`comfywatchman.prom` into it (`comfywatchman-NAME.prom`), readable for all, as "
            "docs/monitoring.md says. Unset or empty: the metrics are in the state folder alone."
        ),
    ] = None
    report_url: Annotated[
        str,
        AfterValidator(_report_url),
        Field(
            description="Address at which people find the report of this host, told in messages. "
            "Empty: they are told the host and the command that shows it."
        ),
    ] = ""
    reminders: Annotated[
        Reminders,
        Field(
            description="How often it is told again that workflows are broken or partial which "
            "nobody has accepted: `none`, `daily`, or `diminishing`: after one day, two more, four "
            "more and so on."
        ),
    ] = Reminders.NONE

    on_failure_command: Annotated[
        list[str],
        NoDecode,
        BeforeValidator(_split_words),
        AfterValidator(_program),
        Field(
            description="Program, by its absolute path, and arguments to run when a cycle has "
            "failed; no shell reads them. Its environment says what failed. In the environment: "
            "one text, with quotes as in a shell."
        ),
    ] = []
    on_change_command: Annotated[
        list[str],
        NoDecode,
        BeforeValidator(_split_words),
        AfterValidator(_program),
        Field(
            description="Program, by its absolute path, and arguments to run when there is "
            "something to tell (docs/monitoring.md); no shell reads them. Its standard input is "
            "the message, its environment says what it is about. In the environment: one text, "
            "with quotes as in a shell."
        ),
    ] = []
    notify_urls_file: Annotated[
        AbsolutePath | None,
        Field(
            description="File with the addresses that messages go to, as Apprise reads them, one a "
            "line, `tag=address` or `address`; readable by its owner only (docs/monitoring.md). "
            "The systemd credential `notify_urls` is used in its place where there is one."
        ),
    ] = None
    ping_url_file: Annotated[
        AbsolutePath | None,
        Field(
            description="File with the address that is told how each cycle ended: a check of "
            "Healthchecks, or any address with `{status}` and `{msg}` in it; readable by its owner "
            "only (docs/monitoring.md). The systemd credential `ping_url` is used in its place "
            "where there is one."
        ),
    ] = None
    ping_fail_on: Annotated[
        FailOn,
        Field(
            description="From which verdict on a cycle is told to `ping_url_file` as one that "
            "failed: `broken`, `partial` (or worse), or `never`. A workflow that will fail for a "
            "damaged model file counts as broken; accepted ones do not count."
        ),
    ] = FailOn.NEVER
    desktop_notifications: Annotated[
        bool,
        Field(
            description="Whether to show messages on the desktop of the user that the cycles run "
            "as. A service of the system cannot."
        ),
    ] = False
    download_hosts: Annotated[
        list[DownloadHost],
        NoDecode,
        BeforeValidator(_split_words),
        Field(
            description="Hosts that `fix --apply --allow-download` may download models from, by "
            "https: each with its port, unless that is 443. They may lead to other public "
            "addresses, where their files lie. Nothing is downloaded in a cycle. In the "
            "environment: separated by blanks."
        ),
    ] = ["huggingface.co", "civitai.com"]
    download_token_file: Annotated[
        AbsolutePath | None,
        Field(
            description="File with the tokens for these hosts, a line each, `huggingface.co "
            "TOKEN`; readable by its owner only. A token is sent to its own host alone, whatever "
            "that leads to."
        ),
    ] = None
    schedule_interval: Annotated[
        Seconds,
        Flag("Seconds from the beginning of one cycle to the next.", "schedule"),
        Field(
            description="How long after one cycle begins the next is due, in seconds. This and the "
            "other settings of the schedule are for `comfywatchman schedule`; a systemd timer has "
            "its own."
        ),
    ] = 7200.0
    schedule_jitter: Annotated[
        Delay,
        Flag("Seconds by which a cycle may be late, at random.", "schedule"),
        Field(
            description="The longest random delay put on each due time, in seconds, so that hosts "
            "that were started together do not ask together."
        ),
    ] = 120.0
    schedule_first_delay: Annotated[
        Delay,
        Flag("Seconds from the start to the first cycle.", "schedule"),
        Field(
            description="How long after the start of the schedule the first cycle is due, in "
            "seconds."
        ),
    ] = 300.0
    cycle_time_limit: Annotated[
        Seconds,
        Flag("Seconds after which a cycle is ended.", "schedule"),
        Field(
            description="How long a cycle may take, in seconds. At four fifths of it judging ends, "
            "and the cycle reports what it has; the workflows that are left are named, and come "
            "first in the next cycle. `comfywatchman schedule` ends a cycle that takes longer than "
            "the whole. A systemd service has a limit of its own, `TimeoutStartSec=` (15 minutes), "
            "which is not to be shorter."
        ),
    ] = 900.0

    _config_file: Path | None = PrivateAttr(default=None)
    _file_values: ClassVar[ContextVar[Mapping[str, Any]]] = ContextVar("_file_values")
    """What the file says, while settings are made of it."""

    @classmethod
    def settings_customise_sources(  # noqa: D102  (documented by pydantic-settings)
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = InitSettingsSource(settings_cls, dict(cls._file_values.get({})))
        return init_settings, env_settings, file

    @property
    def resolved_state_dir(self) -> Path:
        """The folder that holds the state, by the rules of :func:`comfywatchman.state.locate`."""
        return self.state_dir or state.default_dir(self.instance)

    @property
    def config_file(self) -> Path | None:
        """Where their file is, or would be; None for a user without a home folder."""
        return self._config_file


def memory_needed(max_catalog_size: int, max_workflow_size: int) -> int:
    """Bytes of memory that a cycle may take at these limits; ``MemoryMax`` of the service fits it.

    What a list of node types takes once it is parsed was measured: 4 times its size if it is long
    names, 9 times if it is that of a real server, 15 times at the most that it may hold of values
    (``lenient_json.values_allowed``).
    """
    return 256 * 1024**2 + 15 * max_catalog_size + 8 * max_workflow_size


def declared_flags() -> dict[str, Flag]:
    """The settings that are flags, by name, in order."""
    return {
        name: flag
        for name, field in Settings.model_fields.items()
        for flag in field.metadata
        if isinstance(flag, Flag)
    }


def load(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        flags: what was given on the command line, by setting name; None means not given.
        config: the TOML file; None means ``$COMFYWATCHMAN_CONFIG``, else the user's own file.

    Raises:
        ConfigError: a key is unknown, a value is wrong, or the file cannot be read.
    """
    file, file_values = state.read_config(config)
    _refuse_wrong_types(file, file_values)
    given = {k: v for k, v in flags.items() if v is not None}
    _refuse_unknown_environment()

    # The sources are asked by the class, which knows no instance; a class of its own for each file
    # would be as much work as the first.
    token = Settings._file_values.set(file_values)
    try:
        settings = Settings(**given)
        settings._config_file = state.config_file(config)
    except ValidationError as error:
        lines = [_explain(e, given, file, file_values) for e in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None
    finally:
        Settings._file_values.reset(token)
    return settings


def _refuse_wrong_types(file: Path | None, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        field = Settings.model_fields.get(key)
        if field is None:
            continue
        types, problem = _TOML_TYPES.get(field.annotation, ((str,), "must be text, in quotes"))
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ConfigError(f"{file}: {key} = {_shown(key, value)}: {problem}. {_remedy(key)}")


def _refuse_unknown_environment() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    known |= {state.CONFIG_VARIABLE, state.HOST_NAME_VARIABLE}
    known |= {*state.FAILURE_VARIABLES, *state.CHANGE_VARIABLES}
    for name in sorted(os.environ):
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            raise ConfigError(
                f"environment: unknown variable {visible(name)}"
                f"{_did_you_mean(name.upper(), known)}; unset it or correct its name"
            )


def _explain(
    error: Mapping[str, Any],
    flags: Mapping[str, Any],
    file: Path | None,
    file_values: Mapping[str, Any],
) -> str:
    key = str(error["loc"][0]) if error["loc"] else "?"
    variable = ENV_PREFIX + key.upper()
    environment = {name.upper(): text for name, text in os.environ.items() if text}
    if key in flags:
        where, value = f"--{key.replace('_', '-')}", flags[key]
    elif variable in environment:
        where, value = f"environment: {variable}", environment[variable]
    else:
        where, value = f"{file}: {visible(key)}", file_values.get(key)
    if error["type"] == "extra_forbidden":
        return (
            f"{file}: unknown key {visible(key)!r} (value {_shown(key, value)})"
            f"{_did_you_mean(key, Settings.model_fields)}; remove it or correct its name "
            "(docs/settings.md lists every key)"
        )
    problem = str(error["msg"]).removeprefix("Value error, ")
    problem = _PLAIN_WORDS.get(error["type"], problem[:1].lower() + problem[1:])
    return f"{where} = {_shown(key, value)}: {problem}. {_remedy(key)}"


def _remedy(key: str) -> str:
    field = Settings.model_fields.get(key)
    return f"({field.description})" if field and field.description else ""


def _shown(key: str, value: object) -> str:
    if key in ("comfyui_url", "report_url") and any(mark in str(value) for mark in "@?#"):
        return "(not shown: it may hold a secret)"
    is_path = key in Settings.model_fields and str(value).startswith((os.sep, "~"))
    if _SECRET_NAME.search(key) and not is_path:
        return "(not shown: it may be a secret)"
    text = visible(repr(str(value) if isinstance(value, Path) else value))
    return text if len(text) <= 120 else text[:117] + "..."


def _did_you_mean(name: str, known: Mapping[str, Any] | set[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
