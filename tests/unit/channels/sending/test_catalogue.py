"""The channels there are, found without a list."""

from __future__ import annotations

import subprocess
import sys

import pytest

from comfywatchman import channels, discovery
from comfywatchman.channels.sending import catalogue
from comfywatchman.metrics import families


def test_a_channel_is_called_as_its_file() -> None:
    names = discovery.names(channels)
    assert [each.KIND for each in catalogue.find()] == names
    assert [catalogue.by_kind(name).KIND for name in names] == names
    assert sorted(families.CHANNELS) == names


def test_a_channel_that_there_is_not() -> None:
    with pytest.raises(ImportError):
        catalogue.by_kind("pigeon")


def test_who_tries_one_channel_reads_no_other() -> None:
    script = (
        "import sys; from comfywatchman.channels.sending import catalogue\n"
        "catalogue.by_kind('command')\n"
        "print(*(name for name in sys.modules if name.startswith('comfywatchman.channels.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert {name.rpartition(".")[2] for name in done.stdout.split()}.isdisjoint(
        {"apprise", "desktop", "ping"}
    )
