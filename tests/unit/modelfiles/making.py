"""Model files as programs write them, and what becomes of them."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from random import Random

INTERESTING = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    12,
    31,
    32,
    64,
    255,
    2**16,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)


def safetensors(header: Mapping[str, Any] | str | bytes, data: bytes = b"") -> bytes:
    """A safetensors file of a header and what follows it."""
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header, separators=(",", ":"))
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(raw)) + raw + data


def weights(count: int = 3, **more: Any) -> bytes:
    """A valid safetensors file of some tensors of 64 bytes."""
    header = {
        f"model.{n}.weight": {
            "dtype": "F16",
            "shape": [4, 8],
            "data_offsets": [64 * n, 64 * n + 64],
        }
        for n in range(count)
    }
    return safetensors(
        {"__metadata__": {"format": "pt"}, **header, **more}, bytes(range(64)) * count
    )


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_by_hand(
    fields: Iterable[bytes] = (),
    tensors: Iterable[bytes] = (),
    data: bytes = b"",
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    """A GGUF file of fields and descriptions that are written already."""
    fields, tensors = list(fields), list(tensors)
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(fields))
    header += b"".join(fields) + b"".join(tensors)
    return header + b"\0" * (-len(header) % alignment) + data


def tensor(name: str, shape: Iterable[int], kind: int = 0, offset: int = 0) -> bytes:
    """The description of one tensor in a GGUF file."""
    shape = list(shape)
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def field(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def gguf_written(
    file: Path, *, alignment: int | None = None, order: gguf.GGUFEndian = gguf.GGUFEndian.LITTLE
) -> bytes:
    """A GGUF file as the package's own writer makes it."""
    writer = gguf.GGUFWriter(file, "flux", endianess=order)
    if alignment:
        writer.add_custom_alignment(alignment)
    writer.add_name("a model")
    writer.add_array("tokens", ["a", "b", "été"])
    writer.add_array("scores", [0.5, 1.5])
    writer.add_uint32("count", 7)
    writer.add_bool("yes", val=True)
    writer.add_tensor("a.weight", np.ones((4, 64), dtype=np.float32))
    writer.add_tensor("b.weight", np.ones((3, 5), dtype=np.float16))
    packed = np.zeros((2, 34), dtype=np.uint8)
    writer.add_tensor("c.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file.read_bytes()


def torch_zip(
    names: Iterable[str] = ("data.pkl", "byteorder", "data/0", "data/1", "version"),
    prefix: str = "archive/",
    size: int = 500,
) -> bytes:
    """What ``torch.save`` writes: a ZIP archive that is not packed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.writestr(
                prefix + name, b"\x80\x02}q\x00." if name == "data.pkl" else bytes(size)
            )
    return stream.getvalue()


def pickled(sizes: Iterable[int] = (10, 20), kind: str = "FloatStorage", width: int = 4) -> bytes:
    """What ``torch.save`` wrote before PyTorch 1.6."""
    sizes = list(sizes)
    module = types.ModuleType("torch")
    storage = type(kind, (), {"__module__": "torch"})
    setattr(module, kind, storage)

    class Pickler(pickle.Pickler):
        def persistent_id(self, given: object) -> object:
            if isinstance(given, bytearray):
                key = int(given)
                return ("storage", storage, str(key), "cpu", sizes[key], None)
            return None

    stream = io.BytesIO()
    before = sys.modules.get("torch")
    sys.modules["torch"] = module
    try:
        pickle.dump(0x1950A86A20F9469CFC6C, stream, protocol=2)
        pickle.dump(1001, stream, protocol=2)
        pickle.dump({"protocol_version": 1001, "little_endian": True}, stream, protocol=2)
        held = {f"layer.{n}": bytearray(str(n).encode()) for n in range(len(sizes))}
        Pickler(stream, protocol=2).dump({**held, "again": held.get("layer.0")})
        pickle.dump([str(n) for n in range(len(sizes))], stream, protocol=2)
    finally:
        del sys.modules["torch"]
        if before is not None:
            sys.modules["torch"] = before
    for size in sizes:
        stream.write(struct.pack("<q", size) + bytes(size * width))
    return stream.getvalue()


ZIP = b"PK\x03\x04"
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345678901\n"
)


def mutated(random: Random, raw: bytes, header: int) -> bytes:
    """A file with one or several things in its header changed."""
    changed = bytearray(raw)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(min(header, len(changed)) or 1)
        match random.randrange(8):
            case 0:
                changed[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                changed[at : at + 1] = bytes([changed[at] ^ (1 << random.randrange(8))])
            case 2:
                width, kind = random.choice(((4, "<I"), (8, "<Q")))
                value = random.choice(INTERESTING) % 2 ** (8 * width)
                changed[at : at + width] = struct.pack(kind, value)
            case 3:
                del changed[at : at + random.randrange(1, 9)]
            case 4:
                changed[at:at] = changed[at : at + random.randrange(1, 40)]
            case 5:
                changed[at : at + 1] = random.choice(b'0123456789-{}[],:" .eE').to_bytes(1, "big")
            case 6:
                del changed[random.randrange(len(changed)) :]
            case _:
                changed += bytes(random.randrange(1, 70))
        if not changed:
            return b"\0"
    return bytes(changed)
