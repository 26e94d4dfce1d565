"""Errors that end a command with a sentence and an exit code, never with a traceback."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, after sysexits(3) where one fits."""

    OK = 0
    """The cycle is done, or was skipped."""
    FAIL_ON = 1
    """A workflow is as bad as ``--fail-on`` says."""
    USAGE = 2
    UNKNOWN = 3
    """Nothing can be said of this host: of ``status --format nagios``, as Nagios reads it."""
    INTERNAL = 70
    """A bug of ours."""
    UNWRITABLE = 74
    """The state folder, or standard output, cannot be written."""
    LOCKED = 75
    """Another cycle holds the lock."""
    CONFIG = 78
    """The configuration is wrong."""


class ConfigError(Exception):
    """The configuration cannot be used. The text names source, key, value and remedy."""
