"""Ways in which a back office misbehaves towards one request, and the plan of when it does.

A fault says two things apart: what becomes of the effect, and what the client is told. The
named faults are combinations worth testing; any other may be spelled out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

ANY_OPERATION = "*"
"""Matches every operation, queries included."""

UNLIMITED = -1
"""`times` of a fault that never wears out."""


class Effect(Enum):
    """What becomes of what the request asked for."""

    APPLIED = "applied"
    NONE = "none"
    LATE = "late"  # applied after `late_seconds`, whoever still listens
    LOST = "lost"  # carried out and answered, then never committed


class FaultAnswer(Enum):
    """What the client is told."""

    NORMAL = "normal"
    DROP = "drop"
    RESET = "reset"
    EMPTY_401 = "empty_401"
    PERMISSION_401 = "permission_401"
    NOT_AUTHENTICATED_401 = "not_authenticated_401"
    ERROR_400 = "error_400"
    DATA_AND_ERRORS = "data_and_errors"
    WITHOUT_ID = "without_id"
    DENIED_BELOW = "denied_below"  # a field of the result is denied, and no data shown at all
    NULL_BELOW = "null_below"  # the same with the data, where that field is null
    HTML_200 = "html_200"
    TRUNCATED = "truncated"
    TOO_MANY_429 = "too_many_429"
    SERVER_ERROR_500 = "server_error_500"
    UNAVAILABLE_503 = "unavailable_503"
    GATEWAY_TIMEOUT_504 = "gateway_timeout_504"
    # And who answers in its place; see `in_the_way.py`.
    HTML_503 = "html_503"
    GZIP_503 = "gzip_503"
    PROBLEM_503 = "problem_503"
    MOVED_307 = "moved_307"
    PORTAL_302 = "portal_302"
    NOT_FOUND_404 = "not_found_404"
    PROXY_407 = "proxy_407"


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehavior and which requests it meets.

    Attributes:
        operation: Root field it applies to, e.g. `purchaseAdd`, or `ANY_OPERATION`.
        times: Requests it meets before it is used up, `UNLIMITED` for ever.
        after: Matching requests let through first.
        chance: 0 to 1; drawn for each matching request.
        delay_seconds: Waited after the effect and before the answer.
        late_seconds: When a LATE effect happens, counted from the request.
        code: `extensions.code` of an ERROR_400.
        property_name: `extensions.data.Property` of an ERROR_400, "" for no data.
        retry_after_seconds: Of a 429 or 503; 0 leaves the header out.
    """

    effect: Effect = Effect.APPLIED
    answer: FaultAnswer = FaultAnswer.NORMAL
    operation: str = ANY_OPERATION
    times: int = 1
    after: int = 0
    chance: float = 1.0
    delay_seconds: float = 0.0
    late_seconds: float = 0.0
    code: str = "FUSION_ERROR"
    property_name: str = ""
    retry_after_seconds: int = 0

    def __post_init__(self) -> None:
        if self.effect is Effect.NONE and self.answer in _CLAIMS_SUCCESS:
            raise ValueError(f"an answer {self.answer.value} without effect is effect lost")
        if self.effect is Effect.LOST and self.answer not in _CLAIMS_SUCCESS:
            raise ValueError(f"effect lost needs an answer from data, not {self.answer.value}")
        if self.effect is Effect.LATE and self.answer in _CLAIMS_SUCCESS - {FaultAnswer.NORMAL}:
            raise ValueError(f"effect late cannot answer {self.answer.value}")
        if self.effect is Effect.LATE and self.late_seconds <= 0:
            raise ValueError("effect late needs late_seconds above 0")


_CLAIMS_SUCCESS = frozenset(
    {FaultAnswer.NORMAL, FaultAnswer.DATA_AND_ERRORS, FaultAnswer.WITHOUT_ID, FaultAnswer.TRUNCATED}
)
"""Answers made from the data of the effect."""

_LATE_SECONDS = 60.0
"""Default of the late faults: longer than any deadline a till would sensibly set."""

_SLOW_SECONDS = 5.0
"""Default of `slow`: noticed by a person, endured by a patient client."""

NAMED: dict[str, Fault] = {
    "apply_then_drop": Fault(Effect.APPLIED, FaultAnswer.DROP),
    "drop_before_apply": Fault(Effect.NONE, FaultAnswer.DROP),
    "apply_then_reset": Fault(Effect.APPLIED, FaultAnswer.RESET),
    "apply_late": Fault(Effect.LATE, FaultAnswer.NORMAL, late_seconds=_LATE_SECONDS),
    "drop_then_apply_late": Fault(Effect.LATE, FaultAnswer.DROP, late_seconds=_LATE_SECONDS),
    "timeout_then_apply_late": Fault(
        Effect.LATE, FaultAnswer.GATEWAY_TIMEOUT_504, late_seconds=_LATE_SECONDS
    ),
    "lost_commit": Fault(Effect.LOST, FaultAnswer.NORMAL),
    "error_after_commit": Fault(Effect.APPLIED, FaultAnswer.DATA_AND_ERRORS),
    "without_id": Fault(Effect.APPLIED, FaultAnswer.WITHOUT_ID),
    "denied_below_root": Fault(Effect.APPLIED, FaultAnswer.DENIED_BELOW),
    "null_below_root": Fault(Effect.APPLIED, FaultAnswer.NULL_BELOW),
    "truncated": Fault(Effect.APPLIED, FaultAnswer.TRUNCATED),
    "validation": Fault(
        Effect.NONE, FaultAnswer.ERROR_400, code="VALIDATION", property_name="storeCode"
    ),
    "not_authorized": Fault(Effect.NONE, FaultAnswer.ERROR_400, code="NOT_AUTHORIZED"),
    "not_authenticated": Fault(Effect.NONE, FaultAnswer.ERROR_400, code="NOT_AUTHENTICATED"),
    "unknown_code": Fault(Effect.NONE, FaultAnswer.ERROR_400, code="LOYALTY_CLOSED"),
    "fusion_error": Fault(Effect.NONE, FaultAnswer.ERROR_400),
    "fusion_error_applied": Fault(Effect.APPLIED, FaultAnswer.ERROR_400),
    "empty_401": Fault(Effect.NONE, FaultAnswer.EMPTY_401),
    "permission_401": Fault(Effect.NONE, FaultAnswer.PERMISSION_401),
    "not_authenticated_401": Fault(Effect.NONE, FaultAnswer.NOT_AUTHENTICATED_401),
    "html_200": Fault(Effect.NONE, FaultAnswer.HTML_200),
    "html_503": Fault(Effect.NONE, FaultAnswer.HTML_503),
    "gzip_503": Fault(Effect.NONE, FaultAnswer.GZIP_503),
    "problem_503": Fault(Effect.NONE, FaultAnswer.PROBLEM_503),
    "moved_307": Fault(Effect.NONE, FaultAnswer.MOVED_307),
    "portal_302": Fault(Effect.NONE, FaultAnswer.PORTAL_302),
    "not_found_404": Fault(Effect.NONE, FaultAnswer.NOT_FOUND_404),
    "proxy_407": Fault(Effect.NONE, FaultAnswer.PROXY_407),
    "too_many_429": Fault(Effect.NONE, FaultAnswer.TOO_MANY_429, retry_after_seconds=2),
    "server_error_500": Fault(Effect.NONE, FaultAnswer.SERVER_ERROR_500),
    "server_error_500_applied": Fault(Effect.APPLIED, FaultAnswer.SERVER_ERROR_500),
    "unavailable_503": Fault(Effect.NONE, FaultAnswer.UNAVAILABLE_503),
    "unavailable_503_applied": Fault(Effect.APPLIED, FaultAnswer.UNAVAILABLE_503),
    # Longer than the two minutes after which servers usually have given up.
    "hold_applied_late": Fault(
        Effect.LATE,
        FaultAnswer.GATEWAY_TIMEOUT_504,
        operation="giftcardTransAdd",
        late_seconds=150.0,
    ),
    "capture_always_refused": Fault(
        Effect.NONE, FaultAnswer.ERROR_400, operation="giftcardTransCapture", times=UNLIMITED
    ),
    "purchase_lost": Fault(Effect.LOST, FaultAnswer.NORMAL, operation="purchaseAdd"),
    "slow": Fault(delay_seconds=_SLOW_SECONDS),
}
"""Every fault that has a name; the names are part of the control endpoint."""

_SETTINGS = {f.name for f in fields(Fault)} - {"effect", "answer"}


def fault_named(name: str, **settings: Any) -> Fault:
    """Return a named fault with some of its settings changed.

    Args:
        name: A key of `NAMED`, or `effect+answer`, e.g. `applied+html_200`.
        settings: Fields of `Fault` other than effect and answer.

    Raises:
        ValueError: Unknown name or setting, or a combination that makes no sense.
    """
    unknown = set(settings) - _SETTINGS
    if unknown:
        raise ValueError(f"unknown setting {sorted(unknown)[0]}, known: {sorted(_SETTINGS)}")
    if name in NAMED:
        return replace(NAMED[name], **settings)
    effect, plus, answer = name.partition("+")
    if not plus:
        raise ValueError(f"unknown fault {name}, known: {sorted(NAMED)}")
    return Fault(Effect(effect), FaultAnswer(answer), **settings)


class FaultPlan:
    """Faults still to come, in the order they were added; at most one meets a request.

    Args:
        chance: Source of every draw, so that one seed is one history.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Queue a fault behind those already there."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget every fault still to come."""
        self._faults.clear()

    def pending(self) -> tuple[Fault, ...]:
        """Return the faults still to come."""
        return tuple(self._faults)

    def take(self, operation: str) -> Fault:
        """Return what meets this request, a harmless fault when nothing does."""
        for index, fault in enumerate(self._faults):
            if fault.operation not in (ANY_OPERATION, operation):
                continue
            if fault.after > 0:
                self._faults[index] = replace(fault, after=fault.after - 1)
                continue
            if fault.chance < 1.0 and self._chance.random() >= fault.chance:
                continue
            if fault.times == 1:
                del self._faults[index]
            elif fault.times != UNLIMITED:
                self._faults[index] = replace(fault, times=fault.times - 1)
            return fault
        return _NO_FAULT


_NO_FAULT = Fault()
