"""What the server says takes the place of a doubt, and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.judging.overruled import SERVER_REFUSES
from comfywatchman.judging.prompt import Judgement, judge
from comfywatchman.judging.refusal import Refusal, ServerError, heard
from comfywatchman.results import Severity, Verdict
from comfywatchman.workflow.prompt import Conversion
from tests.oracle.test_asking import recorded
from tests.unit.checks.judging import PACK, codes, node_type

if TYPE_CHECKING:
    from comfywatchman.judging.question import Question

FAILED = "prompt_outputs_failed_validation"
NUMBER = ["INT", {"min": 0, "max": 10}]
TYPES = {
    **recorded()["node_types"],
    "Custom": node_type({"image": ["IMAGE"], "value": NUMBER}, outputs=("IMAGE",), module=PACK),
    "CustomSave": node_type(
        {"image": ["IMAGE"], "value": NUMBER, "text": ["STRING", {}]},
        output_node=True,
        module=PACK,
    ),
}
EMPTY = {"width": 64, "height": 64, "batch_size": 1, "color": 0}
PROMPT = {
    "1": {"class_type": "EmptyImage", "inputs": EMPTY},
    "2": {"class_type": "Custom", "inputs": {"image": ["1", 0], "value": 99}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
}
WITH_ANOTHER = {
    **PROMPT,
    "3": {"class_type": "EmptyImage", "inputs": {**EMPTY, "width": -5}},
    "8": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
}
DOUBTFUL_OUTPUT = {
    "1": {"class_type": "EmptyImage", "inputs": EMPTY},
    "9": {"class_type": "CustomSave", "inputs": {"image": ["1", 0], "value": 99, "text": "x"}},
}


def error(kind: str, name: str | None = "value", details: str = "") -> ServerError:
    return ServerError(kind, name, "In its words", details)


def poison(question: Question) -> dict[str, tuple[ServerError, ...]]:
    return {
        node_id: tuple(error("bad_linked_input", name) for name in sorted(names))
        for node_id, names in question.poisons.items()
    }


class Server:
    """Refuses each question, with these errors by node."""

    def __init__(self, kind: str = FAILED, **errors: list[ServerError]) -> None:
        self.kind = kind
        self.errors = {name.removeprefix("n"): tuple(found) for name, found in errors.items()}
        self.questions: list[Question] = []

    def __call__(self, question: Question) -> Refusal:
        self.questions.append(question)
        poisoned = poison(question)
        errors = {
            n: poisoned.get(n, ()) + self.errors.get(n, ()) for n in {*poisoned, *self.errors}
        }
        return Refusal(self.kind, errors)


def asked(server: Any, prompt: dict[str, Any] = PROMPT) -> Judgement:
    return judge(Conversion(prompt), Catalog(TYPES, "0.33.0"), Inventory(), ask=server)


def test_without_the_server_it_is_a_doubt() -> None:
    judgement = asked(None)
    assert judgement.verdict is Verdict.UNKNOWN
    assert (judgement.server_asked, judgement.unanswered) == (False, False)


def test_a_doubt_that_the_server_does_not_share_goes_away() -> None:
    judgement = asked(Server())
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.findings == []
    assert judgement.not_checked == []  # its own check has run, so that is no blind spot any more
    assert (judgement.server_asked, judgement.unanswered) == (True, False)


def test_a_doubt_that_the_server_shares_becomes_its_error() -> None:
    judgement = asked(Server(n2=[error("value_bigger_than_max")]))
    assert judgement.verdict is Verdict.BROKEN
    (finding,) = judgement.findings
    assert (finding.code, finding.severity) == ("value_bigger_than_max", Severity.ERROR)
    assert finding.fixes  # ours knows more than the server says


def test_what_the_nodes_own_code_refuses_is_said_once_in_its_words() -> None:
    said = "amount above 5 is refused here"
    judgement = asked(
        Server(
            n2=[
                error("custom_validation_failed", "value", f"value - {said}"),
                error("custom_validation_failed", "image", f"image - {said}"),
            ]
        )
    )
    assert judgement.verdict is Verdict.BROKEN
    (finding,) = judgement.findings
    assert (finding.code, finding.severity) == ("custom_validation_failed", Severity.ERROR)
    assert finding.message.endswith(f": {said}")
    assert (finding.node_id, finding.input) == ("2", None)


def test_an_error_without_a_name_here_keeps_its_words() -> None:
    judgement = asked(Server(n2=[error("dynamic_rows_malformed", "value", "row\x1b[2J 3")]))
    (finding,) = judgement.findings
    assert (finding.code, finding.severity) == ("server_refuses", Severity.ERROR)
    assert r"(dynamic_rows_malformed): In its words: row\x1b[2J 3" in finding.message


def test_the_name_of_a_warning_of_ours_makes_no_error_of_that_name() -> None:
    judgement = asked(Server(n2=[error("number_truncated")]))
    assert codes(judgement) == ["server_refuses"]


def test_what_we_saw_nothing_wrong_with_is_an_error_and_a_disagreement() -> None:
    judgement = asked(Server(n1=[error("value_smaller_than_min", "width")]))
    assert judgement.verdict is Verdict.BROKEN
    assert codes(judgement) == ["value_smaller_than_min", "server_disagrees"]
    assert judgement.findings[1].severity is Severity.WARNING
    assert "value_smaller_than_min of width" in judgement.findings[1].message


def test_what_only_we_find_wrong_stays_and_is_a_disagreement() -> None:
    judgement = asked(Server(), WITH_ANOTHER)
    assert judgement.verdict is Verdict.PARTIAL
    assert codes(judgement) == ["value_smaller_than_min", "server_disagrees"]
    assert "says nothing of what ComfyWatchman finds wrong" in judgement.findings[1].message
    agreed = asked(Server(n3=[error("value_smaller_than_min", "width")]), WITH_ANOTHER)
    assert codes(agreed) == ["value_smaller_than_min"]


def test_the_doubts_of_an_output_stay() -> None:
    server = Server()
    judgement = asked(server, DOUBTFUL_OUTPUT)
    assert server.questions == []  # there is nothing that it could say
    assert judgement.verdict is Verdict.UNKNOWN
    both = {**PROMPT, "8": {**DOUBTFUL_OUTPUT["9"]}}
    judgement = asked(server, both)
    assert judgement.verdict is Verdict.UNKNOWN
    assert [o.node_id for o in judgement.outputs] == ["9"]
    assert codes(judgement) == ["value_bigger_than_max"]


def test_nothing_is_asked_where_no_verdict_hangs_on_it() -> None:
    server = Server()
    asked(server, {"1": PROMPT["1"], "9": {**PROMPT["9"], "inputs": {"images": ["1", 0]}}})
    bad = {**PROMPT, "1": {"class_type": "EmptyImage", "inputs": {**EMPTY, "width": -5}}}
    assert asked(server, bad).verdict is Verdict.BROKEN
    refused = {**PROMPT, "5": {"class_type": "Nowhere", "inputs": {}}}
    assert asked(server, refused).verdict is Verdict.BROKEN
    found = SERVER_REFUSES.finding("converting it found this")
    judge(Conversion(PROMPT, findings=[found]), Catalog(TYPES, "0.33.0"), Inventory(), ask=server)
    assert server.questions == []


def test_a_question_without_an_answer_leaves_the_doubt() -> None:
    judgement = asked(lambda question: None)
    assert judgement.verdict is Verdict.UNKNOWN
    assert (judgement.server_asked, judgement.unanswered) == (False, True)


@pytest.mark.parametrize("kind", ["prompt_no_outputs", "invalid_prompt_id", "missing_node_type"])
def test_a_refusal_for_another_reason_says_nothing_of_a_node(kind: str) -> None:
    assert asked(Server(kind)).verdict is Verdict.UNKNOWN


def test_silence_counts_only_where_the_server_has_looked() -> None:
    silent = Refusal(FAILED, {})
    assert asked(lambda _: silent).verdict is Verdict.UNKNOWN  # no word of the poison
    repaired = Refusal(FAILED, {"9": (error("bad_linked_input", "text"),)})
    inputs = {"image": ["2", 0], "value": 1, "text": "x"}
    two = {**PROMPT, "9": {"class_type": "CustomSave", "inputs": inputs}}
    assert asked(lambda _: repaired, two).verdict is Verdict.UNKNOWN  # of one of two poisons only
    assert asked(Server(), two).verdict is Verdict.RUNNABLE
    fell_over = Server(n9=[error("exception_during_validation", None)])
    assert asked(fell_over).verdict is Verdict.UNKNOWN
    not_followed = Server(n9=[error("return_type_mismatch", "images")])
    assert asked(not_followed).verdict is Verdict.UNKNOWN


def test_what_is_found_wrong_counts_wherever_it_is() -> None:
    prompt = {
        **PROMPT,
        "4": {"class_type": "Custom", "inputs": {"image": ["2", 0], "value": 1}},
        "9": {**PROMPT["9"], "inputs": {"images": ["4", 0], "filename_prefix": "x"}},
    }
    server = Server(
        n4=[error("exception_during_inner_validation", "image")],
        n1=[error("custom_validation_failed", "width", "width - too wide")],
    )
    judgement = asked(server, prompt)
    assert judgement.verdict is Verdict.BROKEN
    assert heard(server.questions[0], server(server.questions[0])).keys() == {"4", "1"}


def test_circles_are_no_disagreement() -> None:
    prompt = {
        **PROMPT,
        "5": {"class_type": "Custom", "inputs": {"image": ["6", 0], "value": 1}},
        "6": {"class_type": "Custom", "inputs": {"image": ["5", 0], "value": 1}},
        "8": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "x"}},
    }
    judgement = asked(
        Server(n5=[error("dependency_cycle", None)], n6=[error("dependency_cycle", None)]), prompt
    )
    assert judgement.verdict is Verdict.PARTIAL
    assert codes(judgement) == ["dependency_cycle", "dependency_cycle"]
