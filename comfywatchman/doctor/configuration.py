"""Can the configuration be used, and are its secrets secret?"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from comfywatchman import redaction
from comfywatchman.comfyui import credentials as of_server
from comfywatchman.doctor.point import Examination, Point, Status
from comfywatchman.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BY_ROLE = (of_server.TOKEN_CREDENTIAL, of_server.BASIC_CREDENTIAL)


def configuration(examination: Examination) -> Iterator[Point]:
    """Whether every setting can be used, and nobody else can change one."""
    file, found = examination.config_file, examination.settings_or_problem
    if isinstance(found, str):
        for sentence in found.splitlines():
            yield Point("configuration", Status.PROBLEM, sentence, "docs/settings.md says more")
    else:
        where = f"{file} is valid" if file else "there is no file; the defaults hold"
        yield Point("configuration", Status.OK, where)
    if file and file.is_file() and file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Point(
            "configuration",
            Status.PROBLEM,
            f"others may write {file}, and so have commands run as this user",
            f"chmod go-w '{file}'",
        )


def credentials(examination: Examination) -> Iterator[Point]:
    """Whether the secret for the server can be read, by nobody else."""
    assert examination.settings is not None  # noqa: S101
    for file in _credentials_of_service(examination):
        if (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            said = f"{file} can be read by others (mode {mode:04o})"
            yield Point("credentials", Status.PROBLEM, said, f"chmod 600 '{file}'")
        elif not os.access(file, os.R_OK):
            said = f"{file} is for the service alone; this user may not read it"
            yield Point("credentials", Status.NOTE, said, "to try it out, run doctor as root")
        else:
            # As LoadCredential= does for the service.
            os.environ.setdefault("CREDENTIALS_DIRECTORY", str(file.parent))
    try:
        secret = of_server.read(examination.settings)
    except ConfigError as error:
        yield Point("credentials", Status.PROBLEM, str(error))
        return
    kind = "a token" if isinstance(secret, of_server.BearerAuth) else "a user name and a password"
    yield Point("credentials", Status.OK, f"{kind} can be read" if secret else "none are set up")
    if secret and redaction.some_are_too_short():
        said = (
            f"the secret has fewer than {redaction.LEAST} characters: where a server sends it back "
            "alone, it cannot be told from other words, and is shown"
        )
        yield Point("credentials", Status.NOTE, said, "choose a longer one")


def _credentials_of_service(examination: Examination) -> list[Path]:
    """The files that the role gives the service by LoadCredential=: beside the configuration."""
    file = examination.config_file
    if file is None:
        return []
    return [file.with_name(name) for name in _BY_ROLE if file.with_name(name).is_file()]
