"""Certificates of an authority of our own, made with the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority, and a certificate for localhost, 127.0.0.1 and ::1 with its key."""

    authority: Path
    certificate: Path
    key: Path


def openssl_missing() -> str:
    """Why no certificate can be made; empty when it can."""
    return "" if shutil.which("openssl") else "the openssl command is not installed"


def make(directory: Path, *more: str) -> Certificates:
    """Make an authority, and a certificate that it signed, in a directory that exists.

    Args:
        directory: where to.
        more: further names of the server, such as ``IP:192.0.2.1``.
    """
    files = {name: directory / f"{name}.pem" for name in ("ca", "ca-key", "cert", "key", "csr")}
    extensions = directory / "extensions"
    names = ",".join(("DNS:localhost", "IP:127.0.0.1", "IP:::1", *more))
    extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:false\n")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    for arguments in (
        ("req", "-x509", *new_key, "-keyout", files["ca-key"], "-out", files["ca"], "-days", "2",
         "-subj", "/CN=ComfyWatchman test authority",
         "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        ("req", *new_key, "-keyout", files["key"], "-out", files["csr"], "-subj", "/CN=localhost"),
        ("x509", "-req", "-in", files["csr"], "-CA", files["ca"], "-CAkey", files["ca-key"],
         "-CAcreateserial", "-out", files["cert"], "-days", "2", "-extfile", extensions),
    ):  # fmt: skip
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return Certificates(files["ca"], files["cert"], files["key"])
