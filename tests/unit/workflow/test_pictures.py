"""The workflow in a picture: as ComfyUI and others write it, and in files that are damaged."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.workflow import pictures
from comfywatchman.workflow.prompt import WorkflowError
from tests.unit.workflow.pictures import (
    chunk,
    international_text,
    packed_text,
    png,
    riff,
    text,
    tiff,
    webp,
)

FLOW = b'{"nodes": [], "title": "\\u540d"}'
PROMPT = b'{"1": {"class_type": "X", "inputs": {}}}'
BOTH = [text(b"prompt", PROMPT), text(b"workflow", FLOW)]


def read(picture: bytes, limit: int = 10_000) -> bytes:
    return pictures.workflow_in(io.BytesIO(picture), limit)


@pytest.mark.parametrize(
    "picture",
    [
        png(*BOTH),
        png(*reversed(BOTH)),
        png(text(b"workflow", FLOW)),
        png(text(b"parameters", b"steps: 20"), text(b"workflow", FLOW)),
        png(packed_text(b"prompt", PROMPT), packed_text(b"workflow", FLOW)),
        png(international_text(b"workflow", FLOW)),
        png(international_text(b"workflow", FLOW, packed=True)),
        png(after=(text(b"prompt", PROMPT, b"comf"), text(b"workflow", FLOW, b"comf"))),
        png(text(b"workflow", PROMPT), text(b"workflow", FLOW)),
        webp(b"prompt:" + PROMPT, b"workflow:" + FLOW),
        webp(b"ComfyUI", b"workflow:" + FLOW, order=">"),
        webp(b"Prompt:" + PROMPT, b"Workflow:" + FLOW, prefix=b"Exif\0\0"),
        webp(b"workflow:" + FLOW, before=riff(b"ICCP", b"x" * 3001)),
    ],
)
def test_the_workflow_is_read(picture: bytes) -> None:
    assert read(picture) == FLOW


@pytest.mark.parametrize(
    "picture", [png(text(b"prompt", PROMPT)), webp(b"prompt:" + PROMPT, b"workflow")]
)
def test_a_prompt_is_better_than_nothing(picture: bytes) -> None:
    assert read(picture) == PROMPT


def test_text_that_is_not_ascii() -> None:
    value = '{"nodes": [], "title": "café"}'
    assert read(png(text(b"workflow", value.encode()))) == value.encode()
    assert read(png(text(b"workflow", value.encode("latin-1")))) == value.encode()


@pytest.mark.parametrize(
    "file",
    [
        png(),
        png(text(b"workflows", FLOW), text(b"Workflow", FLOW), chunk(b"tEXt", b"workflow")),
        webp(),
        webp(b"workflows:{}", b"x"),
        b"",
        FLOW,
        b"\xff\xd8\xff\xe0JPEG",
    ],
)
def test_a_picture_without_one(file: bytes) -> None:
    with pytest.raises(WorkflowError) as refused:
        read(file)
    assert refused.value.finding.code == "picture_without_workflow"


@pytest.mark.parametrize(
    "file",
    [
        png()[:-4][:40],
        b"\x89PNG\r\n\x1a\n",
        png(*[chunk(b"aaaa", b"")] * pictures.MOST_PARTS, text(b"workflow", FLOW)),
        png(text(b"workflow", FLOW))[:60],
        png(chunk(b"zTXt", b"workflow\0\0no zlib")),
        png(chunk(b"zTXt", b"workflow\0\0" + zlib.compress(FLOW)[:-6])),
        webp(b"workflow:" + FLOW)[:40],
        b"RIFF\0\0\0\0WEBPEXI",
        b"RIFF\0\0\0\0WEBP" + riff(b"EXIF", b"II*\0\xff\xff\xff\xff"),
        b"RIFF\0\0\0\0WEBP" + riff(b"EXIF", tiff((b"x",), "<").replace(b"\1\0", b"\xff\xff", 1)),
        b"RIFF\0\0\0\0WEBP" + riff(b"EXIF", b"no TIFF"),
    ],
)
def test_a_damaged_one(file: bytes) -> None:
    with pytest.raises(WorkflowError) as refused:
        read(file)
    assert refused.value.finding.code == "picture_damaged"


def test_what_was_found_before_the_damage_counts() -> None:
    assert read(png(*BOTH)[:-20]) == FLOW


@pytest.mark.parametrize(
    "picture",
    [
        png(text(b"workflow", b"x" * 101)),
        png(packed_text(b"workflow", b"x" * 101)),
        png(international_text(b"workflow", b"x" * 101, packed=True)),
        webp(b"workflow:" + b"x" * 101),
    ],
)
def test_one_beyond_the_limit_is_not_read(picture: bytes) -> None:
    with pytest.raises(pictures.TooLargeError):
        read(picture, 100)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = packed_text(b"workflow", b"\0" * 300_000_000)
    picture = png(*[bomb] * 20)
    tracemalloc.start()
    with pytest.raises(pictures.TooLargeError):
        read(picture, 1_000_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_fields_that_all_claim_the_whole_file_cost_nothing() -> None:
    entries = struct.pack("<HHII", 0x010F, 2, 20_000_000, 0) * 65_535
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + entries + b"workflow:" * 3_000_000
    begun = time.process_time()
    with pytest.raises(WorkflowError):
        read(b"RIFF\0\0\0\0WEBP" + riff(b"EXIF", exif), 2**30)
    assert time.process_time() - begun < 2


WHOLE = [
    png(*BOTH),
    png(packed_text(b"workflow", FLOW), international_text(b"prompt", PROMPT, packed=True)),
    webp(b"prompt:" + PROMPT, b"workflow:" + FLOW),
    webp(b"workflow:" + FLOW, order=">", prefix=b"Exif\0\0"),
]


@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6)), max_size=6),
    st.integers(0, 500),
)
def test_whatever_happened_to_it_a_picture_is_read_or_refused(
    picture: bytes, damage: list[tuple[int, bytes]], end: int
) -> None:
    for place, put in damage:
        picture = picture[:place] + put + picture[place + len(put) :]
    for file in (picture, picture[:end]):
        try:
            code = "" if len(read(file)) <= 10_000 else "too much"
        except WorkflowError as refused:
            code = refused.finding.code
        assert code in ("", "picture_without_workflow", "picture_damaged")
