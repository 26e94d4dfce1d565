"""A large ComfyUI installation, made up: its server, and what people have saved on it.

Both are made in processes of their own: Linux counts the peak memory of a process to those that it
starts, so that the measuring one must stay small.
"""

from __future__ import annotations

import json
import multiprocessing
from contextlib import contextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import orjson

from bench import templates
from tests.standin.comfyui import JSON, Answer, Request, StandIn, recorded_node_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

_PROCESSES = multiprocessing.get_context("spawn")
_MODEL_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth")


@contextmanager
def served(node_types: int, models: int, size: int) -> Iterator[tuple[str, int]]:
    """A stand-in with a large catalog.

    Args:
        node_types: the recorded ones and, to make up this number, copies of them in custom packs.
        models: files in each list of models that is a large one.
        size: bytes of ``/object_info``; lists of models become large ones until it has them.

    Yields:
        Its address, and how many bytes its ``/object_info`` has.
    """
    here, there = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_serve, args=(there, node_types, models, size), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join()


def save_workflows(folder: Path, count: int) -> int:
    """Save copies of the official templates, no two alike.

    Each copy but the first has one node whose type comes from a custom pack.

    Returns:
        How many bytes they have.
    """
    with _PROCESSES.Pool(1) as pool:
        return pool.apply(_save_workflows, (folder, count))


def _save_workflows(folder: Path, count: int) -> int:
    known = recorded_node_types("full")
    originals = [orjson.loads(file.read_bytes()) for file in templates.workflows()]
    written = 0
    for number, document in enumerate(islice(cycle(originals), count)):
        copy, place = divmod(number, len(originals))
        replaceable = [node for node in document["nodes"] if node["type"] in known]
        original = None
        if copy and replaceable:
            node = replaceable[copy % len(replaceable)]
            original = node["type"]
            node["type"] = in_pack(original, 1 + place % 3)
        content = orjson.dumps({**document, "id": f"{number:08}"})
        if original is not None:
            node["type"] = original
        file = folder / f"{copy:03}" / f"{place:04}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        written += file.write_bytes(content)
    return written


def in_pack(node_type: str, pack: int) -> str:
    """The name of a pack's copy of a node type."""
    return f"{node_type} (pack {pack})"


class _Large(StandIn):
    """Has its catalog ready, so that a cycle does not wait while it is put together."""

    def __init__(self, object_info: bytes, models: list[str]) -> None:
        super().__init__()
        self._bodies = {"/object_info": object_info, "/models/loras": json.dumps(models).encode()}

    def answer(self, request: Request, path: str) -> Answer:
        if path in self._bodies:
            return Answer(200, self._bodies[path], JSON)
        return super().answer(request, path)


def _serve(pipe: Connection, node_types: int, models: int, size: int) -> None:
    files = [
        f"collection {n % 40:02}/model-{n:05}_fp8_e4m3fn_scaled.safetensors" for n in range(models)
    ]
    body = _object_info(node_types, files, size)
    with _Large(body, files) as comfyui:
        pipe.send((comfyui.url, len(body)))
        pipe.poll(None)  # until the other end is closed


def _object_info(node_types: int, models: list[str], size: int) -> bytes:
    recorded = recorded_node_types("full")
    catalog = dict(recorded)
    pack = 0
    while len(catalog) < node_types:
        pack += 1
        for name, declaration in islice(recorded.items(), node_types - len(catalog)):
            catalog[in_pack(name, pack)] = {
                **json.loads(json.dumps(declaration)),
                "name": in_pack(name, pack),
                "python_module": f"custom_nodes.pack-{pack}",
            }
    room = (size - len(json.dumps(catalog))) // len(json.dumps(models))
    for choices in islice(_model_lists(catalog.values()), room):
        choices.extend(models)
    return json.dumps(catalog).encode()


def _model_lists(declarations: Iterable[dict[str, Any]]) -> Iterator[list[Any]]:
    """The lists of choices that hold model files."""
    for declaration in declarations:
        for group in ("required", "optional"):
            for kind, *options in declaration["input"].get(group, {}).values():
                choices = options[0].get("options") if kind == "COMBO" and options else kind
                if isinstance(choices, list) and any(
                    isinstance(c, str) and c.endswith(_MODEL_ENDINGS) for c in choices
                ):
                    yield choices
