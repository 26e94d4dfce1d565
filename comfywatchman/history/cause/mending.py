"""What mended workflows, as far as what their errors were about tells it.

It is not tried by giving anything back: that a thing is there again, and what it was missed by
works, is as much as a person needs to know.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from comfywatchman.comfyui.names import last_part
from comfywatchman.history.cause import words
from comfywatchman.history.cause.explain import Explained
from comfywatchman.history.cause.suspects import is_pack
from comfywatchman.history.cause.trial import Judged, Worse, key_of
from comfywatchman.history.facts import FILES, FactKind
from comfywatchman.results import Severity, Sureness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from comfywatchman.history.facts import FactChange
    from comfywatchman.results import Cause, Finding


def mended(workflows: Iterable[Worse], facts: Sequence[FactChange]) -> Explained:
    """Say what probably mended workflows.

    Args:
        workflows: each as it is, and as it was when it was worse.
        facts: what changed on the host in between.

    Returns:
        Causes that are ``likely``. A workflow for which nothing is known has none.
    """
    said = words.Words(None, facts)
    by_file: dict[str, list[FactChange]] = defaultdict(list)
    others: list[FactChange] = []
    for fact in facts:
        if fact.kind in FILES:
            if fact.before is None:
                by_file[last_part(fact.name)].append(fact)
        elif fact.kind in (FactKind.PACK, FactKind.NODE_TYPE):
            others.append(fact)
    causes: dict[str, Cause] = {}
    by_path: dict[str, list[str]] = {}
    for each in workflows:
        found = list(_of(each, by_file, others, said))
        if not found and each.now.content_digest != each.was.content_digest:
            found = [words.edited(each, Sureness.LIKELY)]
        causes |= {cause.id: cause for cause in found}
        by_path[each.now.path] = list(dict.fromkeys(cause.id for cause in found))
    return Explained(list(causes.values()), by_path)


def _of(
    each: Worse,
    by_file: dict[str, list[FactChange]],
    others: Sequence[FactChange],
    said: words.Words,
) -> Iterator[Cause]:
    gone = Judged.of(each.was).new_since(Judged.of(each.now))
    for finding in each.was.findings:
        if finding.severity is not Severity.ERROR or key_of(finding) not in gone:
            continue
        for fact in by_file.get(last_part(finding.subject.name), ()):
            yield said.cause_of_fact(fact, Sureness.LIKELY)
        for fact in others:
            if _is_about(fact, finding):
                yield said.cause_of_fact(fact, Sureness.LIKELY)


def _is_about(fact: FactChange, finding: Finding) -> bool:
    if fact.after is None:
        return False
    if fact.kind is FactKind.NODE_TYPE:
        return fact.name in (finding.subject.name, finding.node_type)
    return is_pack(fact, finding.subject.name)
