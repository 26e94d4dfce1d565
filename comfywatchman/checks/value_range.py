"""A number below the minimum or above the maximum that the node declares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from comfywatchman.checks.engine.case import Crash
from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.findings import Advice, Code, about, about_value, declare, quoted
from comfywatchman.results import Confidence, FixKind, Severity, SubjectKind

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

_REMEDY = "Set the input to a value in the range that is named."
_CUSTOM_NODES = (
    "\n\nA custom node may switch this check off (`VALIDATE_INPUTS`), which cannot be seen; there, "
    "this is a warning and the verdict is `unknown`."
)

VALUE_SMALLER_THAN_MIN = declare(
    "value_smaller_than_min",
    Severity.ERROR,
    title="Value below the minimum",
    explanation="The value is smaller than the node allows." + _CUSTOM_NODES,
    remedy=_REMEDY,
)
VALUE_BIGGER_THAN_MAX = declare(
    "value_bigger_than_max",
    Severity.ERROR,
    title="Value above the maximum",
    explanation="The value is bigger than the node allows." + _CUSTOM_NODES,
    remedy=_REMEDY,
)


@on_value(Stage.MINIMUM)
def check_minimum(case: InputCase) -> Answer:
    """Report a value below the declared minimum."""
    if "min" not in case.spec.options or case.excused:
        return None
    least = case.spec.options["min"]
    try:
        wrong = case.value < least
    except TypeError:
        return _incomparable(case, "minimum", least)
    return _answer(case, VALUE_SMALLER_THAN_MIN, "below its minimum", least) if wrong else None


@on_value(Stage.MAXIMUM)
def check_maximum(case: InputCase) -> Answer:
    """Report a value above the declared maximum."""
    if "max" not in case.spec.options or case.excused:
        return None
    most = case.spec.options["max"]
    try:
        wrong = case.value > most
    except TypeError:
        return _incomparable(case, "maximum", most)
    return _answer(case, VALUE_BIGGER_THAN_MAX, "above its maximum", most) if wrong else None


def _answer(case: InputCase, code: Code, where: str, limit: Any) -> Answer:
    name = quoted(case.spec.name)
    message = f"input {name} is {quoted(case.given)}, {where} {quoted(limit)}"
    upwards = code is VALUE_SMALLER_THAN_MIN
    nearest = _nearest(case, limit, upwards=upwards)
    fix = Advice(
        f"set {name} to {quoted(nearest)} or {'more' if upwards else 'less'}",
        FixKind.SET_VALUE,
        Confidence.ASK,
        before=case.given,
        after=nearest,
    )
    subject = about_value(case.given)
    if case.node.own_rules is None:
        because = "a custom node may allow values outside the range it declares"
        return case.doubt(code, message, fix, because=because, subject=subject)
    return case.finding(code, message, fix, subject=subject)


def _nearest(case: InputCase, limit: Any, *, upwards: bool) -> Any:
    """The nearest value in the range that the input can hold: not every limit is one itself."""
    try:
        if case.spec.type == "INT":
            return math.ceil(limit) if upwards else math.floor(limit)
        if case.spec.type == "FLOAT" and not isinstance(limit, float):
            held = float(limit)
            beyond = held < limit if upwards else held > limit
            return math.nextafter(held, math.inf if upwards else -math.inf) if beyond else limit
    except (TypeError, ValueError, OverflowError):
        return limit
    return limit


def _incomparable(case: InputCase, what: str, limit: Any) -> Answer:
    name = quoted(case.spec.name)
    if case.node.own_rules is None:
        # Without a rule of its own the server's check breaks down; with one it is never made.
        message = f"input {name} cannot be compared with its {what} {quoted(limit)}"
        because = "a custom node may judge this input itself"
        return case.doubt(VALUE_SMALLER_THAN_MIN, message, "set the input again", because=because)
    return Crash(
        f"input {name} is {quoted(case.given)}, which cannot be compared with its {what} "
        f"{quoted(limit)}",
        f"set {name} again",
        about(SubjectKind.INPUT, case.spec.name),
    )
