"""Where things are on a host, and how state is written so that nobody ever reads half a file.

Imports nothing slow: ``comfywatchman status`` answers from here without building the settings, and
``comfywatchman fleet`` on a machine that has Ansible and nothing else of ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman import redaction, room, state_files
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

CONFIG_VARIABLE = "COMFYWATCHMAN_CONFIG"
INSTANCE_VARIABLE = "COMFYWATCHMAN_INSTANCE"
HOST_NAME_VARIABLE = "COMFYWATCHMAN_HOST_NAME"
"""What this host is called, where name and machine ID do not last. No setting: files are shared."""
FAILURE_VARIABLES = (
    "COMFYWATCHMAN_FAILED_UNIT",
    "COMFYWATCHMAN_HOST",
    "COMFYWATCHMAN_REASON",
)
"""What ``on_failure_command`` finds in its environment. They are no settings."""
CHANGE_VARIABLES = (
    "COMFYWATCHMAN_MESSAGE",
    "COMFYWATCHMAN_TOPICS",
    "COMFYWATCHMAN_PRIORITY",
    "COMFYWATCHMAN_SUBJECT",
    "COMFYWATCHMAN_REPORT",
)
"""What ``on_change_command`` finds in its environment beside that. They are no settings."""
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_LARGEST = 2**30
"""Bytes of a file of state; those of ten thousand workflows take a tenth of it."""


def instance_name(text: str) -> str:
    """Check the name of an instance; the usual one has none.

    Raises:
        ValueError: nothing can be named so.
    """
    if text and not _INSTANCE.fullmatch(text):
        raise ValueError(
            "must be up to 32 small letters, digits, '-' and '_', beginning with a letter or digit"
        )
    return text


def named(instance: str) -> str:
    """What units and folders of an instance are named after."""
    return f"comfywatchman-{instance}" if instance else "comfywatchman"


def default_dir(instance: str = "") -> Path:
    """The state folder when no setting names one: ``$STATE_DIRECTORY``, else XDG state.

    Raises:
        ConfigError: this user has no home folder.
    """
    from_systemd = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if from_systemd:
        return Path(from_systemd)
    import platformdirs

    try:
        return platformdirs.user_state_path(named(instance))
    except RuntimeError:
        raise ConfigError(
            "state_dir: this user has no home folder; set HOME or state_dir"
        ) from None


def locate(flag: Path | None, config: Path | None) -> Path:
    """Find the state folder as the settings would, reading no other setting.

    Raises:
        ConfigError: the configuration file cannot be read, or no folder can have the name.
    """
    if flag is not None:
        return as_typed(flag)
    if from_environment := os.environ.get("COMFYWATCHMAN_STATE_DIR"):
        return as_typed(from_environment)
    file, values = read_config(config)
    in_file = values.get("state_dir")
    if not isinstance(in_file, str):
        return default_dir(_instance(file, values))
    if "\0" in in_file:
        raise ConfigError(f"{file}: state_dir must not hold a NUL character")
    return as_typed(in_file)


def make_folder(folder: Path) -> None:
    """Make the state folder if it is not there, for its owner alone.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        above = next(f for f in folder.absolute().parents if os.path.exists(f))  # noqa: PTH110
        why = f"state_dir: {folder} cannot be made: {room.why(error, above)}"
        correct = "correct state_dir, or the owner of the folder above it"
        raise ConfigError(f"{why}; {room.remedy(error, above) or correct}") from None


def likely_folder(flag: Path | None, config: Path | None) -> Path:
    """Find the state folder, or guess it where the configuration cannot be read.

    Raises:
        ConfigError: it cannot be read, and this user has no home folder.
    """
    try:
        return locate(flag, config)
    except ConfigError:
        return default_dir(likely_instance(config))


def likely_instance(config: Path | None) -> str:
    """Find the name of the instance, or guess it where the configuration cannot be read."""
    with contextlib.suppress(ConfigError):
        return _instance(*read_config(config))
    given = config or os.environ.get(CONFIG_VARIABLE)
    folder = as_typed(given).parent.name if given else named(os.environ.get(INSTANCE_VARIABLE, ""))
    name = folder.removeprefix("comfywatchman-")
    return name if name != folder and _INSTANCE.fullmatch(name) else ""


def _instance(file: Path | None, values: dict[str, Any]) -> str:
    in_environment = os.environ.get(INSTANCE_VARIABLE)
    where = f"environment: {INSTANCE_VARIABLE}" if in_environment else f"{file}: instance"
    text = in_environment or values.get("instance", "")
    if not isinstance(text, str):
        raise ConfigError(f"{where} = {text!r}: must be text, in quotes")
    try:
        return instance_name(text)
    except ValueError as error:
        raise ConfigError(f"{where} = {text!r}: {error}") from None


def as_typed(path: str | Path) -> Path:
    """Read a path as a shell would: ``~nobody`` without such a user is a name like any other."""
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  (Path's own raises there)


def read_config(config: Path | None) -> tuple[Path | None, dict[str, Any]]:
    """Read the configuration file.

    Args:
        config: the file to read; None means ``$COMFYWATCHMAN_CONFIG``, else
            ``~/.config/comfywatchman/config.toml``, which need not exist
            (``comfywatchman-NAME`` where ``$COMFYWATCHMAN_INSTANCE`` names an instance).

    Returns:
        The file that was read (None if there is none) and its keys.

    Raises:
        ConfigError: a file that was named is not there, or it cannot be read or parsed.
    """
    given, file = _config_file(config)
    if file is None:
        return None, {}
    try:
        return file, tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        if not given:
            return None, {}
        raise ConfigError(f"{file}: there is no such file; create it or name another") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read: {error.strerror}; correct its permissions or name another"
        ) from None


def config_file(config: Path | None) -> Path | None:
    """Where the configuration file is, or would be: as :func:`read_config` looks for it.

    Raises:
        ConfigError: no instance can have the name that the environment gives.
    """
    return _config_file(config)[1]


def _config_file(config: Path | None) -> tuple[bool, Path | None]:
    """Whether it was named, and where it is; None for a user without a home folder."""
    given = config or os.environ.get(CONFIG_VARIABLE)
    try:
        if given:
            return True, as_typed(given)
        import platformdirs

        name = named(_instance(None, {}))
        return False, platformdirs.user_config_path(name) / "config.toml"
    except RuntimeError:  # no home folder, so no file in it
        return False, None


def open_at_once(file: Path) -> BufferedReader:
    """Open a file to read; a pipe that nobody writes to is not waited for.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    return open(file, "rb", opener=lambda path, _: os.open(path, flags))


def read_file(file: Path, largest: int = _LARGEST) -> bytes:
    """Read a file of the state folder, whatever has taken its place there.

    Args:
        file: the file.
        largest: the most bytes that it may have.

    Raises:
        OSError: it is not there, cannot be read, is no regular file, or is far too large.
    """
    with open_at_once(file) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(file))
        if status.st_size > largest:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
        return stream.read()


def replace_file(
    target: Path,
    content: bytes,
    mode: int = 0o600,
    like: os.stat_result | None = None,
    *,
    umask: bool = True,
) -> None:
    """Put ``content`` in place of ``target``, as :func:`replace_files` does."""
    replace_files({target: content}, mode, like, umask=umask)


def replace_files(
    contents: Mapping[Path, bytes],
    mode: int = 0o600,
    like: os.stat_result | None = None,
    *,
    umask: bool = True,
) -> None:
    """Put new content in place of files of one folder, in steps that survive a crash.

    The new files are written beside the old ones and flushed to the disk; only when all of them are
    there, each is renamed over the old one. So a reader, a crash or a full disk never leaves half a
    file, and a disk that has no room leaves all of them as they were. A credential that has come so
    far goes no further (:func:`comfywatchman.redaction.catch`).

    Args:
        contents: by file, in the order of the renames.
        mode: of the new files: for their owner alone, whoever runs a cycle by hand.
        like: of a file whose mode they get instead, and its owner and group as far as that may be.
        umask: whether the process's umask takes away from the mode.

    Raises:
        OSError: one could not be written; unless it was the rename, all are as they were.
    """
    # A signal may put its word on record while another thread does.
    writer = f"{threading.get_native_id()}.{os.getpid()}"
    parts = {t: t.with_name(f".{t.name}.{writer}{state_files.PART}") for t in contents}
    folder = next(iter(contents)).parent
    owner = owner_besides_root(folder) if like is None else (like.st_uid, like.st_gid)
    try:
        for target, part in parts.items():
            part.unlink(missing_ok=True)
            with open(part, "xb", opener=lambda p, flags: os.open(p, flags, mode)) as stream:
                if owner:
                    with contextlib.suppress(OSError):
                        os.fchown(stream.fileno(), *owner)
                if like is not None:
                    os.fchmod(stream.fileno(), stat.S_IMODE(like.st_mode))
                elif not umask:
                    part.chmod(mode)
                stream.write(redaction.catch(contents[target]))
                stream.flush()
                os.fsync(stream.fileno())
        for target, part in parts.items():
            part.replace(target)
    except BaseException:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def owner_besides_root(folder: Path) -> tuple[int, int] | None:
    """Owner and group of a user's folder that root writes in, to leave them what is written.

    What root kept there would be closed to the user whose folder it is.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return None
    with contextlib.suppress(OSError):
        status = folder.stat()
        return (status.st_uid, status.st_gid) if status.st_uid else None
    return None


def set_aside(file: Path) -> Path | None:
    """Move a damaged file out of the way, in place of the one that was moved last.

    Returns:
        Where it is now; None if it could not be moved.
    """
    aside = file.with_name(f"{file.name}{state_files.DAMAGED}")
    try:
        return file.replace(aside)
    except OSError:
        return None


def remove_leftovers(folder: Path) -> None:
    """Remove half-written files of cycles that were killed. Call it holding the lock."""
    for part in folder.glob(f".*{state_files.PART}"):
        if state_files.is_ours(part.name):
            with contextlib.suppress(OSError):
                part.unlink()
