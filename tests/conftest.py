"""Fixtures that all tests may use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.standin import certificates
from tests.standin import nvml as nvml_stand_in
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.standin.certificates import Certificates
    from tests.standin.nvml import Nvml


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own: nothing that is set up on this machine reaches it."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("COMFYWATCHMAN_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def comfyui() -> Iterator[StandIn]:
    """A stand-in for ComfyUI with all models in place; the test may switch its behaviour.

    The test fails if anything but GET or HEAD was sent to it.
    """
    with StandIn() as stand_in:
        yield stand_in
        assert stand_in.writes == []


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for 127.0.0.1, of an authority that no machine trusts."""
    if reason := certificates.openssl_missing():
        pytest.skip(reason)
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> Nvml:
    """A stand-in for NVIDIA's management library, for processes that the test starts."""
    return nvml_stand_in.build(tmp_path_factory.mktemp("nvml"))
