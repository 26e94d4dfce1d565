"""Pictures as ComfyUI writes them, made by hand: a head, a body of nothing much, and the texts."""

from __future__ import annotations

import struct
import zlib


def png(*texts: bytes, after: tuple[bytes, ...] = ()) -> bytes:
    """A PNG of one pixel, with chunks before and after its body."""
    body = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    parts = [head, *texts, body, *after, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def text(name: bytes, value: bytes, kind: bytes = b"tEXt") -> bytes:
    return chunk(kind, name + b"\0" + value)


def packed_text(name: bytes, value: bytes) -> bytes:
    return chunk(b"zTXt", name + b"\0\0" + zlib.compress(value))


def international_text(name: bytes, value: bytes, *, packed: bool = False) -> bytes:
    body = zlib.compress(value) if packed else value
    return chunk(b"iTXt", name + b"\0" + bytes([packed, 0]) + b"zh\0\xe5\x90\x8d\0" + body)


def webp(*fields: bytes, order: str = "<", prefix: bytes = b"", before: bytes = b"") -> bytes:
    """A WebP with EXIF fields of text: Model, Make, ImageDescription, as ComfyUI gives them."""
    exif = prefix + tiff(fields, order)
    parts = b"WEBP" + riff(b"VP8L", b"\x2f\0\0") + before + riff(b"EXIF", exif)
    return b"RIFF" + struct.pack("<I", len(parts)) + parts


def riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def tiff(fields: tuple[bytes, ...], order: str) -> bytes:
    begin = 8 + 2 + 12 * len(fields) + 4
    entries, values = b"", b""
    for number, field in enumerate(fields):
        value = field + b"\0"
        place = begin + len(values)
        entries += struct.pack(f"{order}HHII", 0x0110 - number, 2, len(value), place)
        values += value
    head = b"II*\0" if order == "<" else b"MM\0*"
    counted = struct.pack(f"{order}H", len(fields))
    return head + struct.pack(f"{order}I", 8) + counted + entries + b"\0\0\0\0" + values
