"""What answers POST /prompt in the stand-in, by the rule that README.md states."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.standin.comfyui import Answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

POISON = "Bad linked input, must be a length-2 list of [node_id, slot_index]"


class Prompts:
    """A queue that nothing is run from.

    Args:
        outputs: node types that the server takes for outputs.
        errors: by node id and type, the errors of the nodes above them, as the server writes
            them.
        repairs: by node type, inputs into which a handler puts a text wherever they hold none.
        before: called with method, path and body before the answer; its answer counts instead.

    Attributes:
        pending: ids of what waits; running: of what runs; history: of what has run.
        prompts: every prompt that was posted.
    """

    def __init__(
        self,
        outputs: Collection[str],
        errors: Mapping[tuple[str, str], list[dict[str, Any]]] | None = None,
        repairs: Mapping[str, Collection[str]] | None = None,
        before: Callable[[str, str, bytes], Answer | None] = lambda *_: None,
    ) -> None:
        self.outputs = outputs
        self.errors = errors or {}
        self.repairs = repairs or {}
        self.before = before
        self.pending: list[str] = []
        self.running: list[str] = []
        self.history: list[str] = []
        self.prompts: list[dict[str, Any]] = []

    def __call__(self, method: str, path: str, body: bytes) -> Answer | None:
        """Answer what is posted, and what is asked of the queue."""
        if (answer := self.before(method, path, body)) is not None:
            return answer
        if method == "GET":
            return self._get(path)
        document = json.loads(body)
        if path == "/prompt":
            self.prompts.append(document["prompt"])
            status, said = self.judge(document["prompt"])
            if status == 200:
                self.pending.append(document["prompt_id"])
                said["prompt_id"] = document["prompt_id"]
            return json_answer(said, status)
        if path == "/queue" and list(document) == ["delete"]:
            self.pending = [i for i in self.pending if i not in document["delete"]]
            return Answer(200)
        if path == "/interrupt" and list(document) == ["prompt_id"]:
            self.running = [i for i in self.running if i != document["prompt_id"]]
            return Answer(200)
        raise AssertionError(f"nobody may post {body!r} to {path}")

    def _get(self, path: str) -> Answer | None:
        if path == "/queue":
            return json_answer(
                {
                    "queue_running": [[0, i, {}, {}, []] for i in self.running],
                    "queue_pending": [[0, i, {}, {}, []] for i in self.pending],
                }
            )
        if path.startswith("/history/"):
            prompt_id = path.rpartition("/")[2]
            return json_answer({prompt_id: {}} if prompt_id in self.history else {})
        return None

    def judge(self, posted: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a prompt."""
        prompt = {node_id: self._repaired(node) for node_id, node in posted.items()}
        outputs = [n for n, node in prompt.items() if node.get("class_type") in self.outputs]
        if not outputs:
            error = {"type": "prompt_no_outputs", "message": "Prompt has no outputs", "details": ""}
            return 400, {"error": error, "node_errors": {}}
        found: dict[str, list[dict[str, Any]]] = {}
        good = False
        for output in outputs:
            above = self._above(prompt, output)
            wrong = {n: errors for n in above if (errors := self._wrong(n, prompt[n]))}
            found |= wrong
            good = good or not wrong
        node_errors = {
            n: {"errors": errors, "dependent_outputs": outputs, "class_type": "?"}
            for n, errors in found.items()
        }
        if good:
            return 200, {"number": 1, "node_errors": node_errors}
        error = {"type": "prompt_outputs_failed_validation", "message": "", "details": ""}
        return 400, {"error": error, "node_errors": node_errors}

    def _repaired(self, node: Any) -> Any:
        names = self.repairs.get(node.get("class_type"), ())
        inputs = {
            name: "repaired" if name in names and not isinstance(value, str) else value
            for name, value in node.get("inputs", {}).items()
        }
        return {**node, "inputs": inputs}

    def _above(self, prompt: Mapping[str, Any], output: str) -> list[str]:
        seen: dict[str, None] = {}
        waiting = [output]
        while waiting:
            node_id = waiting.pop()
            if node_id not in seen and node_id in prompt:
                seen[node_id] = None
                links = prompt[node_id]["inputs"].values()
                waiting += [v[0] for v in links if isinstance(v, list) and len(v) == 2]
        return list(seen)

    def _wrong(self, node_id: str, node: Mapping[str, Any]) -> list[dict[str, Any]]:
        inputs = node["inputs"]
        wrong = [
            error("bad_linked_input", POISON, name, name)
            for name, value in inputs.items()
            if isinstance(value, list) and len(value) != 2
        ]
        if node["class_type"] == "EmptyImage" and inputs.get("width") == 0:
            message = "Value 0 smaller than min of 1"
            wrong.append(error("value_smaller_than_min", message, "width", "width"))
        return [*wrong, *self.errors.get((node_id, node["class_type"]), [])]


def error(kind: str, message: str, details: str, name: str) -> dict[str, Any]:
    """An error of an input as the server writes it."""
    extra = {"input_name": name}
    return {"type": kind, "message": message, "details": details, "extra_info": extra}
