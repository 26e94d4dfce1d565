"""Downloads from a real https server, through everything that goes wrong with them."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import json
import os
import pickle
import random
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from comfywatchman.fixes import downloading
from comfywatchman.fixes.download_order import DownloadError, Limits, Order
from comfywatchman.fixes.part_file import ENDING, NOTE_ENDING, PartFile
from tests.faults.disk import mounted
from tests.standin import certificates
from tests.standin.file_host import FileHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from comfywatchman.fixes.downloading import Progress, Result
    from tests.standin.certificates import Certificates
    from tests.standin.file_host import Exchange

HALF = 150_000
REST = 170_001


def model(seed: int = 0, size: int = HALF + REST) -> bytes:
    """A safetensors file of one tensor."""
    head = b'{"t":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}'
    length = size - 8 - len(head % (size, size))
    text = (head % (length, length)).ljust(size - 8 - length)
    return len(text).to_bytes(8, "little") + text + random.Random(seed).randbytes(length)


WHOLE = model()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Place:
    """A folder of models, and a host of files that may be asked."""

    folder: Path
    host: FileHost
    limits: Limits
    order: Order
    tokens: dict[str, str]
    told: list[Progress]

    def get(self, **changes: Any) -> Result:
        order = replace(self.order, **changes)
        return downloading.download(order, self.limits, self.tokens, self.told.append)

    def refused(self, **changes: Any) -> str:
        """Why nothing was put in place."""
        with pytest.raises(DownloadError) as refusal:
            self.get(**changes)
        sentence = str(refusal.value)
        assert sentence.isprintable()
        assert not self.target.exists()
        return sentence

    @property
    def target(self) -> Path:
        return self.folder / self.order.name

    @property
    def part(self) -> Path:
        return self.folder / f"{self.order.name}{ENDING}"

    @property
    def names(self) -> set[str]:
        return {each.name for each in self.folder.iterdir()}

    @property
    def is_clean(self) -> bool:
        return not self.names

    def has_half(self) -> None:
        """Leave a part of a run that was broken off."""
        self.host.answer = half
        sentence = self.refused()
        assert f"{HALF:,}" in sentence
        assert "goes on from there" in sentence
        assert self.part.read_bytes() == self.host.content[:HALF]
        self.host.answer = whole
        self.host.asked.clear()


def whole(exchange: Exchange) -> None:
    exchange.file()


def half(exchange: Exchange) -> None:
    content = exchange.host.content
    exchange.head(200, {"Content-Length": str(len(content)), "ETag": exchange.host.etag})
    exchange.send(content[:HALF])


def saying(status: int, headers: dict[str, str], body: bytes = b"") -> Callable[[Exchange], None]:
    return lambda exchange: exchange.say(status, headers, body)


def leading(target: str, status: int = 302, **headers: str) -> Callable[[Exchange], None]:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return saying(status, {"Location": target, **more})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def host(tls: Certificates) -> Iterator[FileHost]:
    with FileHost(tls, WHOLE) as host:
        yield host


@pytest.fixture
def other(tls: Certificates) -> Iterator[FileHost]:
    """Of another port, and so another host, which no setting lists."""
    with FileHost(tls, WHOLE) as host:
        yield host


@pytest.fixture
def place(tmp_path: Path, host: FileHost) -> Place:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    limits = Limits([str(folder)], [host.name], min_free=0, ca_file=host.authority)
    order = Order(host.url(), str(folder), "model.safetensors", sha256(WHOLE), len(WHOLE))
    return Place(folder, host, limits, order, {}, [])


def test_a_file_is_downloaded(place: Place) -> None:
    result = place.get()
    assert place.target.read_bytes() == WHOLE
    assert (result.path, result.size) == (str(place.target), len(WHOLE))
    assert (result.sha256, result.resumed) == (sha256(WHOLE), 0)
    assert place.names == {"model.safetensors"}
    (asked,) = place.host.asked
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"].startswith("comfywatchman/")
    assert "authorization" not in asked.headers
    assert [place.told[0].done, place.told[-1].done] == [0, len(WHOLE)]
    assert place.told[-1].total == len(WHOLE)
    assert place.told[-1].rate > 0


def test_what_is_not_known_beforehand_is_not_asked_for(place: Place) -> None:
    assert place.get(sha256=None, size=None).sha256 == sha256(WHOLE)


def test_its_mode_is_that_of_other_files(place: Place) -> None:
    (place.folder / "like").write_bytes(b"")
    place.get()
    assert place.target.stat().st_mode == (place.folder / "like").stat().st_mode


def test_a_folder_that_is_a_link_is_the_one_that_the_server_names(place: Place) -> None:
    link = place.folder.with_name("linked")
    link.symlink_to(place.folder)
    place.limits = replace(place.limits, folders=[str(link)])
    assert place.get(folder=str(link)).path == f"{link}/model.safetensors"
    assert place.target.read_bytes() == WHOLE


def test_ipv6(tls: Certificates, place: Place) -> None:
    host = FileHost(tls, WHOLE, address="::1")
    try:
        host.__enter__()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with contextlib.closing(host):
        place.limits = replace(place.limits, hosts=[host.name])
        place.get(url=host.url())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": "http://127.0.0.1/x"}, "is no address of https"),
        ({"url": "file:///etc/passwd"}, "is no address of https"),
        ({"url": "https://"}, "is no address"),
        ({"url": "https://127.0.0.1:999999/"}, "is no address"),
        ({"url": "https://exa mple\n/"}, "is no address"),
        ({"url": "https://\ud800/"}, "is no address"),
        ({"url": "https://anna:hunter2@127.0.0.1/x"}, "holds a login"),
        ({"url": "https://huggingface.co.example/x"}, "is none of download_hosts"),
        ({"url": "https://127.0.0.1\\@x/x?token=hunter2"}, "is no"),
        ({"folder": "/etc"}, "none of the server's model folders"),
        ({"folder": "relative"}, "none of the server's model folders"),
        ({"sha256": "abc"}, "has 64 hexadecimal digits"),
        ({"size": 0}, "is more than nothing"),
        *[
            ({"name": f"x{ending}", "sha256": None}, "without an expected SHA-256")
            for ending in (".ckpt", ".PT", ".pt2", ".pth", ".bin", ".pkl")
        ],
    ],
)
def test_what_must_not_be_downloaded_is_not_asked_for(
    place: Place, changes: dict[str, Any], sentence: str
) -> None:
    found = place.refused(**changes)
    assert sentence in found
    assert "hunter2" not in found
    assert place.host.asked == []
    assert place.is_clean


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x.safetensors", "a/x.safetensors", "a\\x.safetensors"),
        *("/x.safetensors", "x\0.safetensors", "x\n.safetensors", "x\x1b[2J.safetensors"),
        *(".x.safetensors", "-x.safetensors", " x.safetensors", "~x.safetensors"),
        *("x.safetensors ", "x.safetensors.", "x\u202esrosnetefas.safetensors"),
        *("x\u200b.safetensors", "x\ud800.safetensors", "x\udcff.safetensors"),
        *("CON.safetensors", "nul.gguf", "Com1.x.safetensors", "x:y.safetensors", "x|.gguf"),
        *("a" * 190 + ".safetensors", "\u00e9" * 100 + ".safetensors"),
        *("x", "x.py", "x.safetensors.exe", "x.json", "safetensors", "x.safetensors.part"),
        *(f"x.safetensors{ENDING}", "x.saf\u0435tensors", "x.\u017ft"),
    ],
)
def test_no_name_is_anything_but_plain(place: Place, name: str) -> None:
    found = place.refused(name=name)
    assert "name" in found or "longer than" in found or "no ending of a model" in found
    assert place.host.asked == []
    assert place.is_clean


@pytest.mark.parametrize("name", ["x.SafeTensors", "Modèle v1.5 (fp16).safetensors", "x.sft"])
def test_plain_names(place: Place, name: str) -> None:
    assert Path(place.get(name=name).path).name == name


def test_a_pickled_file_with_its_hash_is_downloaded(place: Place) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({}))
        file.writestr("archive/version", "3")
    place.host.content = archive.getvalue()
    digest = sha256(place.host.content)
    place.get(name="x.ckpt", size=None, sha256=digest)


def test_a_pickle_under_another_name_is_refused(place: Place) -> None:
    place.host.content = pickle.dumps({"a": 1})
    assert "is not the model that it should be" in place.refused(size=None, sha256=None)
    assert place.is_clean


def test_what_is_there_stays(place: Place) -> None:
    place.target.write_bytes(b"mine")
    with pytest.raises(DownloadError, match="is there already, and stays as it is"):
        place.get()
    assert place.target.read_bytes() == b"mine"
    assert place.names == {"model.safetensors"}
    assert place.host.asked == []


def test_a_link_to_nowhere_is_there(place: Place) -> None:
    place.target.symlink_to(place.folder / "nowhere")
    assert "is there already" in place.refused()


def test_what_appears_meanwhile_stays(place: Place) -> None:
    def answer(exchange: Exchange) -> None:
        place.target.write_bytes(b"mine")
        exchange.file()

    place.host.answer = answer
    with pytest.raises(DownloadError, match="is there now, and stays as it is"):
        place.get()
    assert place.target.read_bytes() == b"mine"
    assert place.part.read_bytes() == WHOLE


def test_a_system_that_cannot_rename_without_replacing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    place.get()
    assert place.names == {"model.safetensors"}
    place.target.unlink()
    test_what_appears_meanwhile_stays(place)


def test_there_a_run_that_was_killed_between_the_two_names(place: Place) -> None:
    place.get()
    place.part.hardlink_to(place.target)
    with pytest.raises(DownloadError, match="is there already"):
        place.get()
    assert place.names == {"model.safetensors"}
    assert place.target.read_bytes() == WHOLE


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_part_that_is_a_link_is_not_followed(place: Place, when: str) -> None:
    precious = place.folder.with_name("precious")
    precious.write_bytes(b"mine")

    def swap(exchange: Exchange) -> None:
        place.part.unlink(missing_ok=True)
        place.part.symlink_to(precious)
        if when == "meanwhile":
            exchange.file()

    if when == "before":
        place.part.symlink_to(precious)
        assert "is no regular file; remove it" in place.refused()
    else:
        place.host.answer = swap
        assert "was replaced meanwhile" in place.refused()
    assert precious.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["pipe", "folder", "second name"])
def test_a_part_that_is_something_else(place: Place, kind: str) -> None:
    precious = place.folder.with_name("precious")
    precious.write_bytes(b"mine")
    if kind == "pipe":
        os.mkfifo(place.part)
    elif kind == "folder":
        place.part.mkdir()
    else:
        place.part.hardlink_to(precious)
    assert "is no regular file" in place.refused()
    assert precious.read_bytes() == b"mine"


def test_a_note_that_is_a_link_is_not_followed(place: Place) -> None:
    precious = place.folder.with_name("precious")
    precious.write_bytes(b"mine")
    (place.folder / f"model.safetensors{NOTE_ENDING}").symlink_to(precious)
    place.get()
    assert precious.read_bytes() == b"mine"
    assert place.names == {"model.safetensors"}


def test_a_note_that_is_a_folder(place: Place) -> None:
    place.has_half()
    note = place.folder / f"model.safetensors{NOTE_ENDING}"
    note.unlink()
    note.mkdir()
    assert "cannot be written: " in place.refused()
    note.rmdir()
    os.mkfifo(note)
    assert place.get().resumed == 0


def test_two_at_once(place: Place) -> None:
    with PartFile(str(place.folder), place.order.name):
        assert "is being downloaded already" in place.refused()
    assert place.host.asked == []
    place.get()


# --- the answer -----------------------------------------------------------------------------------


def test_an_answer_that_ends_early_is_gone_on_with(place: Place) -> None:
    place.has_half()
    result = place.get()
    assert place.target.read_bytes() == WHOLE
    assert (result.resumed, result.sha256) == (HALF, sha256(WHOLE))
    (asked,) = place.host.asked
    assert asked.headers["range"] == f"bytes={HALF}-"
    assert asked.headers["if-range"] == '"one"'
    assert place.names == {"model.safetensors"}


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_has_changed_is_fetched_anew(place: Place, known: bool) -> None:
    place.order = replace(place.order, sha256=None, size=None)
    place.has_half()
    place.host.content, place.host.etag = model(1, len(WHOLE) + 5), '"two"'
    digest = sha256(place.host.content) if known else None
    assert place.get(sha256=digest).resumed == 0
    assert place.target.read_bytes() == place.host.content


def test_a_file_that_has_changed_and_is_not_what_was_expected(place: Place) -> None:
    place.has_half()
    place.host.content, place.host.etag = model(1), '"two"'
    assert "and not the expected" in place.refused()
    assert place.is_clean


def test_a_part_of_another_address_is_not_gone_on_with(place: Place) -> None:
    place.has_half()
    assert place.get(url=place.host.url("/other.safetensors")).resumed == 0


def test_a_part_of_which_nobody_knows_where_it_is_from(place: Place) -> None:
    place.part.write_bytes(b"x" * 1000)
    assert place.get().resumed == 0
    assert place.target.read_bytes() == WHOLE


@pytest.mark.parametrize(
    "note",
    [b"", b"[]", b"{", b"\xff", b'{"address": 5}', b'{"address": "x", "more": 1}', b"[" * 9000],
)
def test_a_damaged_note(place: Place, note: bytes) -> None:
    place.has_half()
    (place.folder / f"model.safetensors{NOTE_ENDING}").write_bytes(note)
    assert place.get().resumed == 0
    assert place.target.read_bytes() == WHOLE


@pytest.mark.parametrize("etag", ['"\u00e9"', '"\x01"', f'"{"x" * 9000}"'])
def test_a_validator_that_cannot_be_sent_back(place: Place, etag: str) -> None:
    place.host.etag = etag
    place.has_half()
    assert place.get(sha256=None).resumed == 0
    assert "if-range" not in place.host.asked[-1].headers


@pytest.mark.parametrize("validator", ["a\r\nX: y", "\ud800", "\u00e9"])
def test_a_note_that_somebody_wrote(place: Place, validator: str) -> None:
    place.has_half()
    note = place.folder / f"model.safetensors{NOTE_ENDING}"
    note.write_text(json.dumps(json.loads(note.read_bytes()) | {"validator": validator}))
    place.get()
    assert place.target.read_bytes() == WHOLE


def test_a_server_that_sends_no_ranges(place: Place) -> None:
    place.has_half()
    place.host.answer = saying(200, {}, WHOLE)
    assert place.get().resumed == 0
    assert place.target.read_bytes() == WHOLE


@pytest.mark.parametrize(
    "span",
    [
        "bytes 0-{last}/{size}",
        "bytes {half}-{last}/{more}",
        "bytes {half}-200000/{size}",
        "bytes {half}-{last}/*",
        "nonsense",
        "",
    ],
)
def test_a_server_that_sends_another_part(place: Place, span: str) -> None:
    place.has_half()
    size = len(WHOLE)
    text = span.format(half=HALF, last=size - 1, size=size, more=size + 1)

    def answer(exchange: Exchange) -> None:
        if "range" in exchange.headers:
            exchange.say(206, {"Content-Range": text, "ETag": '"one"'}, WHOLE[HALF:])
        else:
            exchange.file()

    place.host.answer = answer
    assert place.get().resumed == 0
    assert place.target.read_bytes() == WHOLE


def test_a_file_of_another_length_under_the_same_name_of_the_server(place: Place) -> None:
    place.order = replace(place.order, sha256=None, size=None)
    place.has_half()
    place.host.content = model(1, len(WHOLE) + 5)
    assert place.get().resumed == 0
    assert place.target.read_bytes() == place.host.content


def test_a_part_that_nobody_asked_for(place: Place) -> None:
    span = f"bytes 5-{len(WHOLE) - 1}/{len(WHOLE)}"
    place.host.answer = saying(206, {"Content-Range": span}, WHOLE[5:])
    assert "as if a part of the file were asked for" in place.refused()
    assert place.is_clean


def test_a_part_that_is_all_of_it(place: Place) -> None:
    """Of a run that was ended between the last byte and the rename."""
    place.has_half()
    with place.part.open("ab") as stream:
        stream.write(WHOLE[HALF:])
    assert place.get().resumed == len(WHOLE)
    assert place.target.read_bytes() == WHOLE


def test_a_part_that_is_all_of_it_for_all_that_is_known(place: Place) -> None:
    place.order = replace(place.order, sha256=None)
    place.has_half()
    with place.part.open("ab") as stream:
        stream.write(WHOLE[HALF:])
    assert place.get().resumed == 0


@pytest.mark.parametrize("size", [True, False])
def test_a_part_that_is_too_long_is_fetched_anew(place: Place, size: bool) -> None:
    place.order = replace(place.order, size=len(WHOLE) if size else None)
    place.has_half()
    if not size:  # as of a server that said none
        note = place.folder / f"model.safetensors{NOTE_ENDING}"
        note.write_text(json.dumps(json.loads(note.read_bytes()) | {"size": -1}))
    with place.part.open("ab") as stream:
        stream.write(b"x" * len(WHOLE))
    assert place.get().resumed == 0
    assert place.target.read_bytes() == WHOLE


def test_416_to_who_asked_for_no_range(place: Place) -> None:
    place.host.answer = saying(416, {"Content-Range": "bytes */5"})
    assert "as if a part of the file were asked for" in place.refused()


def test_a_part_that_was_damaged_is_told_by_its_hash(place: Place) -> None:
    place.has_half()
    damaged = bytearray(place.part.read_bytes())
    damaged[1000] ^= 1
    place.part.write_bytes(damaged)
    assert "and not the expected" in place.refused()
    assert place.is_clean
    place.get()


def test_a_server_that_knows_files_by_their_date(place: Place) -> None:
    date = "Wed, 01 Apr 2026 10:00:00 GMT"

    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(WHOLE)), "Last-Modified": date})
        exchange.send(WHOLE[:HALF])

    place.host.answer = answer
    place.refused(sha256=None)
    place.host.etag = date
    place.host.answer = whole
    assert place.get(sha256=None).resumed == HALF
    assert place.host.asked[-1].headers["if-range"] == date


@pytest.mark.parametrize("known", [True, False])
def test_a_server_that_knows_no_file_again(place: Place, known: bool) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(WHOLE)), "ETag": 'W/"weak"'})
        exchange.send(WHOLE[:HALF])

    digest = place.order.sha256 if known else None
    place.host.answer = answer
    place.refused(sha256=digest)
    place.host.answer = whole
    assert place.get(sha256=digest).resumed == (HALF if known else 0)
    assert "if-range" not in place.host.asked[-1].headers
    assert place.target.read_bytes() == WHOLE


def test_a_file_of_another_length_is_not_begun(place: Place) -> None:
    assert "it has 320,001 bytes, and 5 are expected" in place.refused(size=5)
    assert place.is_clean


def test_more_than_is_expected(place: Place) -> None:
    place.host.answer = lambda exchange: exchange.chunks(WHOLE, b"and more")
    assert "more than the 320,001 bytes that are expected" in place.refused()
    assert place.is_clean


def test_less_than_is_expected(place: Place) -> None:
    place.host.answer = lambda exchange: exchange.chunks(WHOLE[:HALF])
    assert "ended its answer early; 150,000 of 320,001 bytes are kept" in place.refused()
    place.host.answer = whole
    assert place.get().resumed == HALF


def test_in_chunks_without_a_length(place: Place) -> None:
    place.host.answer = lambda exchange: exchange.chunks(WHOLE[:HALF], WHOLE[HALF:])
    assert place.get(size=None, sha256=None).size == len(WHOLE)
    assert place.told[-1].total is None


def test_chunks_that_break_off(place: Place) -> None:
    place.host.answer = lambda exchange: exchange.chunks(WHOLE[:HALF], whole=False)
    assert "broke off its answer" in place.refused(size=None, sha256=None)
    assert place.part.read_bytes() == WHOLE[:HALF]


def test_no_length_at_all(place: Place) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Connection": "close"})
        exchange.send(WHOLE)

    place.host.answer = answer
    assert "does not say how long the file is" in place.refused(size=None, sha256=None)
    assert place.get(size=None).size == len(WHOLE)


def test_another_file(place: Place) -> None:
    place.host.content = model(1)
    sentence = place.refused()
    assert sha256(WHOLE) in sentence
    assert sha256(place.host.content) in sentence
    assert place.is_clean


def test_no_model(place: Place) -> None:
    place.host.content = b"x" * 1000
    assert "is not the model that it should be" in place.refused(sha256=None, size=None)
    assert place.is_clean


@pytest.mark.parametrize("short", [1, 1000])
def test_a_model_that_was_cut_off_before_it_was_served(place: Place, short: int) -> None:
    place.host.content = WHOLE[:-short]
    assert f"{short:,}" in place.refused(sha256=None, size=None)
    assert place.is_clean


def test_nothing_at_all(place: Place) -> None:
    place.host.content = b""
    assert "it is empty" in place.refused(sha256=None, size=None)
    assert place.is_clean


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "TEXT/HTML", "application/json"])
def test_a_page_in_place_of_a_file(place: Place, kind: str) -> None:
    place.host.answer = saying(200, {"Content-Type": kind}, b"<!doctype html>Log in")
    sentence = place.refused()
    assert "sends a page" in sentence
    assert (
        f"put a line `{place.host.name} TOKEN` into the file that download_token_file" in sentence
    )
    assert place.is_clean


def test_the_page_of_a_file(place: Place) -> None:
    place.host.answer = saying(200, {"Content-Type": "text/html"}, b"<html>")
    assert "/resolve/ in place of /blob/" in place.refused(
        url=place.host.url("/a/blob/main/x.gguf")
    )


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("page", b"<!DOCTYPE html><title>Log in</title>"),
        ("message", b'{"error": "Invalid username or password."}'),
    ],
)
def test_a_page_that_is_not_called_one(place: Place, kind: str, content: bytes) -> None:
    place.host.content = content
    sentence = place.refused(sha256=None, size=None)
    assert kind in sentence
    assert "is a login needed? Then put a line" in sentence
    assert place.is_clean


def test_a_pointer_in_place_of_a_file(place: Place) -> None:
    oid = "a" * 64
    place.host.content = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n".encode()
    )
    assert "Git LFS pointer" in place.refused(sha256=None, size=None)
    assert place.is_clean


@pytest.mark.parametrize(
    ("status", "headers", "sentence"),
    [
        (401, {}, "asks for a login (HTTP 401); put a line"),
        (403, {}, "refuses us (HTTP 403); put a line"),
        (404, {}, "is not there (HTTP 404)"),
        (410, {}, "is not there (HTTP 410)"),
        (429, {"Retry-After": "7"}, "try again in 7 s"),
        (503, {"Retry-After": "soon"}, "try again later"),
        (500, {}, "cannot be had now (HTTP 500)"),
        (204, {}, "answers HTTP 204, and sends no file"),
        (304, {}, "answers HTTP 304, and sends no file"),
        (302, {}, "redirects without saying where"),
        (302, {"Location": "http://127.0.0.1/x"}, "is no address of https"),
        (302, {"Location": "https://[::1"}, "Invalid URL in location header"),
        (302, {"Location": f"https://{'a' * 70}.example/"}, "cannot be reached"),
        (302, {"Location": "https://127.0.0.1:0/"}, "is no address"),
        (302, {"Location": "//a:hunter2@127.0.0.1/"}, "holds a login"),
        (200, {"Content-Encoding": "gzip"}, "sends the file compressed (gzip)"),
    ],
)
def test_no_file(place: Place, status: int, headers: dict[str, str], sentence: str) -> None:
    place.host.answer = saying(status, headers)
    found = place.refused()
    assert sentence in found
    assert "hunter2" not in found
    assert place.is_clean


def test_a_refusal_leaves_what_is_kept(place: Place) -> None:
    place.has_half()
    place.host.answer = saying(503, {})
    place.refused()
    place.host.answer = whole
    assert place.get().resumed == HALF


def test_secrets_in_an_address_are_not_shown(place: Place) -> None:
    place.host.answer = saying(404, {})
    sentence = place.refused(url=place.host.url("/x?token=hunter2hunter2"))
    assert "hunter2" not in sentence
    assert place.host.asked[0].path == "/x?token=hunter2hunter2"


# --- redirects and tokens -------------------------------------------------------------------------

TOKEN = "hf_abcdefghijklmnopqrstuv"


def test_a_token_goes_to_its_own_host_alone(place: Place, other: FileHost) -> None:
    place.tokens[place.host.name] = TOKEN
    place.host.answer = leading(other.url("/signed?x=1"))
    place.get()
    assert place.host.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "authorization" not in other.asked[0].headers
    assert TOKEN not in str(other.asked)


def test_a_token_stays_with_a_redirect_within_its_host(place: Place) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.handler.path == "/moved":
            exchange.file()
        else:
            leading("/moved", 307)(exchange)

    place.tokens[place.host.name] = TOKEN
    place.host.answer = answer
    place.get()
    assert [each.headers["authorization"] for each in place.host.asked] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_does_not_do_is_named_and_not_shown(place: Place, status: int) -> None:
    place.tokens[place.host.name] = TOKEN
    place.host.answer = saying(status, {})
    sentence = place.refused()
    assert f"or ask {place.host.name} for access to this file" in sentence
    assert TOKEN not in sentence


def test_a_store_that_refuses(place: Place, other: FileHost) -> None:
    place.host.answer = leading(other.url())
    other.answer = saying(403, {})
    assert "may have been valid for a short time" in place.refused()


def test_what_hugging_face_says_of_a_file_is_held_against_it(place: Place, other: FileHost) -> None:
    said = {"X_Linked_Etag": f'"{sha256(WHOLE)}"', "X_Linked_Size": str(len(WHOLE))}
    place.host.answer = leading(other.url(), **said)
    assert place.get(sha256=None, size=None).sha256 == sha256(WHOLE)
    place.target.unlink()
    other.content = model(1)
    assert "and not the expected" in place.refused(sha256=None, size=None)
    other.content = model(1, 100_000)
    assert "it has 100,000 bytes, and 320,001 are expected" in place.refused(sha256=None, size=None)


def test_a_file_that_is_another_by_what_hugging_face_says(place: Place, other: FileHost) -> None:
    place.host.answer = leading(other.url(), X_Linked_Etag=f'"{"a" * 64}"')
    assert f"its SHA-256 is {'a' * 64}" in place.refused()
    place.host.answer = leading(other.url(), X_Linked_Size="77")
    assert "it has 77 bytes, and 320,001 are expected" in place.refused()
    assert other.asked == []


def test_a_number_that_is_none_is_passed_over(place: Place) -> None:
    place.host.answer = lambda exchange: exchange.file(**{"X-Linked-Size": "9" * 5000})
    place.get()


def test_what_a_host_that_is_not_listed_says_of_a_file(place: Place, other: FileHost) -> None:
    place.host.answer = leading(other.url())
    other.answer = lambda exchange: exchange.file(**{"X-Linked-Etag": "a" * 64})
    place.get()


def test_through_a_redirect_it_is_gone_on_with(place: Place, other: FileHost) -> None:
    place.host.answer = leading(other.url(), X_Linked_Etag=f'"{sha256(WHOLE)}"')
    other.answer = half
    place.refused(sha256=None)
    other.answer = whole
    assert place.get(sha256=None).resumed == HALF
    assert place.target.read_bytes() == WHOLE


def test_a_file_that_hugging_face_has_anew(place: Place, other: FileHost) -> None:
    place.host.answer = leading(other.url(), X_Linked_Etag=f'"{sha256(WHOLE)}"')
    other.answer = half
    place.refused(sha256=None)
    other.answer = whole
    other.content = model(1)  # of the same name, by a careless store
    place.host.answer = leading(other.url(), X_Linked_Etag=f'"{sha256(other.content)}"')
    assert place.get(sha256=None).resumed == 0
    assert place.target.read_bytes() == other.content


def test_redirects_without_end(place: Place) -> None:
    place.host.answer = leading(place.host.url())
    assert "after 5 redirects" in place.refused()
    assert len(place.host.asked) == 6


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("[fe80::1]", "[fd00::1]", "[::]", "[::ffff:10.0.0.1]", "[2002:a00:1::1]", "224.0.0.1"),
    ],
)
def test_a_redirect_into_a_private_network_is_not_followed(place: Place, address: str) -> None:
    place.host.answer = leading(f"https://{address}/model.safetensors")
    assert "of this host or of a private network; it is not asked" in place.refused()
    assert place.is_clean


OUTSIDE = """
import sys
from pathlib import Path
from comfywatchman.fixes import downloading
from comfywatchman.fixes.download_order import DownloadError, Limits, Order
from tests.standin.certificates import Certificates
from tests.standin.file_host import FileHost
tls, folder = Certificates(*map(Path, sys.argv[1:4])), sys.argv[4]
with FileHost(tls, b"x", address="192.0.32.8") as outside, FileHost(tls, b"x") as inside:
    outside.answer = lambda exchange: exchange.say(
        302, {"Location": inside.url().replace("127.0.0.1", "localhost")}
    )
    limits = Limits([folder], [outside.name], 0, ca_file=tls.authority)
    try:
        downloading.download(
            Order(outside.url(), folder, "x.gguf"), limits, {}, lambda progress: None
        )
    except DownloadError as error:
        print(error, len(outside.asked), len(inside.asked))
"""


def test_a_name_that_leads_inward_is_not_followed(tmp_path: Path, place: Place) -> None:
    """Known only once it is connected to; so a network of its own, with a public address in it."""
    tls = certificates.make(tmp_path, "IP:192.0.32.8")
    begin = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    up = 'ip link set lo up && ip address add 192.0.32.8/32 dev lo && echo up && exec "$@"'
    files = (tls.authority, tls.certificate, tls.key, place.folder)
    try:
        ran = subprocess.run(
            [*begin, up, "sh", sys.executable, "-c", OUTSIDE, *files],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError as error:
        pytest.skip(f"no network of one's own can be made here: {error}")
    if not ran.stdout.startswith("up\n"):
        pytest.skip(f"no network of one's own can be made here: {ran.stderr}")
    assert "of this host or of a private network; it is not asked" in ran.stdout, ran.stderr
    assert ran.stdout.endswith(" 1 0\n")


class Tunnel(socketserver.StreamRequestHandler):
    """A proxy that connects whoever asks, as far as it was told that it may."""

    asked: ClassVar[list[str]]

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        while self.rfile.readline().strip():
            pass
        self.asked.append(line.split()[1])
        if not line.split()[1].startswith("127.0.0.1:"):
            self.wfile.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            return
        name, _, port = line.split()[1].rpartition(":")
        with socket.create_connection((name, int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(there, self.connection))
            back.start()
            self.pump(self.connection, there)
            back.join()

    @staticmethod
    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A proxy that the environment names; what it was asked for."""
    Tunnel.asked = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv(
            "HTTPS_PROXY", f"http://anna:hunter2@127.0.0.1:{server.server_address[1]}"
        )
        yield Tunnel.asked
        server.shutdown()
        thread.join()


def test_through_a_proxy(place: Place, proxy: list[str]) -> None:
    place.get()
    assert proxy == [place.host.name]


@pytest.mark.usefixtures("proxy")
def test_through_a_proxy_no_number_leads_inward_either(place: Place) -> None:
    place.host.answer = leading("https://10.0.0.1/x")
    assert "it is not asked" in place.refused()


def test_a_proxy_that_refuses(place: Place, proxy: list[str]) -> None:
    place.host.answer = leading("https://store.example/x")
    sentence = place.refused()
    assert "https://store.example/x broke off its answer (403 No)" in sentence
    assert "hunter2" not in sentence
    assert proxy == [place.host.name, "store.example:443"]


def test_a_host_that_needs_no_proxy(
    place: Place, proxy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    place.get()
    assert proxy == []


def test_a_proxy_that_is_none(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://anna:hunter2@x")
    assert "hunter2" not in place.refused()


def test_a_certificate_that_nobody_vouches_for(place: Place) -> None:
    place.limits = replace(place.limits, ca_file=None)
    assert "has a certificate that is not trusted" in place.refused()


def test_nobody_there(place: Place, other: FileHost) -> None:
    name = other.name
    other.close()
    place.limits = replace(place.limits, hosts=[name])
    assert "cannot be reached" in place.refused(url=f"https://{name}/x")


# --- time, room, interruptions --------------------------------------------------------------------


def test_a_server_that_says_nothing(place: Place) -> None:
    place.limits = replace(place.limits, stall=0.3)
    place.host.answer = lambda exchange: exchange.host.over.wait()
    assert "sent nothing for 0.3 s" in place.refused()


def test_a_server_that_stops(place: Place) -> None:
    def answer(exchange: Exchange) -> None:
        half(exchange)
        exchange.host.over.wait()

    place.limits = replace(place.limits, stall=0.3)
    place.host.answer = answer
    assert "sent nothing for 0.3 s; 150,000 bytes are kept" in place.refused()
    place.host.answer = whole
    assert place.get().resumed == HALF


@pytest.mark.parametrize("limit", ["stall", "total"])
def test_a_server_that_sends_byte_after_byte(place: Place, limit: str) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(WHOLE)), "ETag": '"one"'})
        for byte in WHOLE:
            exchange.send(bytes([byte]))
            if exchange.host.over.wait(0.01):
                return

    place.limits = replace(place.limits, **{limit: 0.4})
    place.host.answer = answer
    sentence = place.refused()
    assert ("took longer than 0 s" if limit == "total" else "bytes in 0 s") in sentence
    assert "goes on from there" in sentence
    assert WHOLE.startswith(place.part.read_bytes())


def test_headers_byte_after_byte(place: Place) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nX: ")
        while not exchange.host.over.wait(0.01):
            exchange.send(b"x")

    place.limits = replace(place.limits, stall=0.2, connect=0.2)
    place.host.answer = answer
    assert "did not answer within" in place.refused()


def test_ctrl_c_leaves_what_came(place: Place) -> None:
    def tell(progress: Progress) -> None:
        if progress.done == progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        downloading.download(place.order, place.limits, {}, tell)
    assert not place.target.exists()
    assert place.part.read_bytes() == WHOLE
    assert place.get().resumed == len(WHOLE)


KILLED = """
import sys
from pathlib import Path
from comfywatchman.fixes import downloading
from comfywatchman.fixes.download_order import Limits, Order
url, folder, name, sha256, host, ca_file = sys.argv[1:]
limits = Limits([folder], [host], 0, ca_file=Path(ca_file))
order = Order(url, folder, name, sha256)
downloading.download(order, limits, {}, lambda progress: None)
"""


def test_a_run_that_is_killed_is_gone_on_with(place: Place) -> None:
    written = threading.Event()

    def answer(exchange: Exchange) -> None:
        half(exchange)
        while not place.part.exists() or place.part.stat().st_size < HALF:
            if exchange.host.over.wait(0.01):
                return
        written.set()
        exchange.host.over.wait()

    place.host.answer = answer
    order, limits = place.order, place.limits
    words = [order.url, order.folder, order.name, order.sha256, place.host.name, limits.ca_file]
    child = subprocess.Popen([sys.executable, "-c", KILLED, *map(str, words)])
    assert written.wait(60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not place.target.exists()
    place.host.answer = whole
    assert place.get().resumed == HALF
    assert place.target.read_bytes() == WHOLE
    assert place.names == {"model.safetensors"}


def on_disk(place: Place, folder: Path) -> None:
    place.folder = folder
    place.order = replace(place.order, folder=str(folder))
    place.limits = replace(place.limits, folders=[str(folder)])


@pytest.fixture
def small_disk(place: Place) -> Iterator[Any]:
    with mounted(place.folder, 256 * 1024) as disk:
        if isinstance(disk, str):
            pytest.skip(disk)
        on_disk(place, disk.path)
        yield disk


@pytest.mark.usefixtures("small_disk")
def test_no_room_for_it(place: Place) -> None:
    sentence = place.refused()
    assert "only 0 MiB are free at" in sentence
    assert "make room there" in sentence
    assert place.is_clean


def test_what_is_to_stay_free(place: Place) -> None:
    place.limits = replace(place.limits, min_free=2**60)
    assert "min_free_disk; make room there" in place.refused()
    assert place.is_clean


def test_a_disk_that_becomes_full(place: Place, small_disk: Any) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.chunks(WHOLE)

    place.host.answer = answer
    assert "No space left on device; make room there" in place.refused(size=None)
    kept = place.part.read_bytes()
    assert kept
    assert WHOLE.startswith(kept)
    small_disk.remount("size=4m")
    place.host.answer = whole
    assert place.get(size=None).resumed == len(kept)
    assert place.target.read_bytes() == WHOLE


def test_room_is_looked_at_while_it_comes(place: Place) -> None:
    with mounted(place.folder, 16 * 1024**2) as disk:
        if isinstance(disk, str):
            pytest.skip(disk)
        on_disk(place, disk.path)
        place.limits = replace(place.limits, min_free=10 * 1024**2)
        place.host.content = model(0, 12 * 1024**2)
        place.host.answer = lambda exchange: exchange.chunks(place.host.content)
        assert "only 8 MiB are free" in place.refused(size=None, sha256=None)
        assert place.part.stat().st_size < 9 * 1024**2


def test_a_folder_that_is_not_there(place: Place) -> None:
    place.folder.rmdir()
    assert "cannot be written: No such file or directory" in place.refused()
