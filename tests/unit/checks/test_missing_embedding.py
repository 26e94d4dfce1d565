from __future__ import annotations

import pytest

from comfywatchman.checks.missing_embedding import named
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.results import Severity, Verdict
from tests.unit.checks.judging import codes, judged_input


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("embedding:easynegative", ["easynegative"]),
        ("bad, embedding:easynegative, worse", ["easynegative"]),
        ("bad\nembedding:a\nembedding:b", ["a", "b"]),
        ("bad,embedding:a", []),
        ("xembedding:a", []),
        ("(embedding:a:1.2)", ["a"]),
        ("((embedding:a:1.2) embedding:b)", ["a", "b"]),
        ("cat(embedding:a)dog", ["a"]),
        (r"\(embedding:a\)", []),
        ("embedding:sub/a.pt,", ["sub/a.pt"]),
        ("embedding:", []),
        ("embedding: a", []),
        ("{embedding:a|embedding:b}", []),
    ],
)
def test_names_are_read_as_the_text_encoder_reads_them(text: str, names: list[str]) -> None:
    assert list(named(text)) == names


def test_every_alternative_counts() -> None:
    assert list(named("a {embedding:x|embedding:y} b", alternatives=True)) == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("easynegative", True),
        ("easynegative.pt", True),
        ("hand", True),
        ("sub/hand", True),
        ("sub\\hand.safetensors", True),
        ("Hand", False),
        ("other/hand", False),
        ("../hand", False),
    ],
)
def test_an_embedding_is_found_in_any_folder(name: str, found: bool) -> None:
    inventory = Inventory(embeddings=frozenset({"easynegative", "deep/sub/hand"}))
    judgement = judged_input(["STRING", {}], f"bad, embedding:{name}", inventory=inventory)
    assert judgement.verdict is Verdict.RUNNABLE
    assert codes(judgement) == ([] if found else ["missing_embedding"])
    assert all(finding.severity is Severity.WARNING for finding in judgement.findings)


def test_embeddings_that_were_not_listed_are_a_blind_spot() -> None:
    judgement = judged_input(["STRING", {}], "embedding:a embedding:b", inventory=Inventory())
    assert judgement.verdict is Verdict.RUNNABLE
    assert judgement.findings == []
    assert judgement.not_checked == [
        "whether the embeddings that texts name exist: they are not listed"
    ]
