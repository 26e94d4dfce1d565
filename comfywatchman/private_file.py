"""Files that hold a secret, and systemd's credentials: found, and read if nobody else may."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from comfywatchman import state
from comfywatchman.errors import ConfigError

_MAX_BYTES = 64 * 1024


def credential(name: str) -> tuple[str, Path] | None:
    """A credential that systemd gave to this service; None if it gave none.

    Returns:
        What names it, and its file, as :func:`read` takes them.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    given = Path(folder, name) if folder else None
    return (f"systemd credential {name}", given) if given and given.exists() else None


def read(key: str, file: Path) -> str:
    """Read a secret.

    Args:
        key: what names the file: a setting that ends in ``_file``, which nobody else may be able to
            read, or a credential.
        file: the file.

    Returns:
        The text; 64 KiB at most.

    Raises:
        ConfigError: it cannot be read, others may read it, or it is no text.
    """
    try:
        with state.open_at_once(file) as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise ConfigError(f"{key}: {file} is not a regular file")
            if mode & (stat.S_IRWXG | stat.S_IRWXO) and key.endswith("_file"):
                raise ConfigError(
                    f"{key}: {file} can be read by others (mode {stat.S_IMODE(mode):04o}); "
                    f"run: chmod 600 '{file}'"
                )
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{key}: {file} cannot be read: {error.strerror}") from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{key}: {file} is larger than 64 KiB")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {file} is not UTF-8 text") from None


def read_line(key: str, file: Path) -> str:
    """Read a secret that is one line.

    Raises:
        ConfigError: as :func:`read`, or it is none, or more.
    """
    text = read(key, file).strip()
    if not text or not text.isprintable():
        raise ConfigError(f"{key}: {file} must hold one line of text, the secret, and no more")
    return text
