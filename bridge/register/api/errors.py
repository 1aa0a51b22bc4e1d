"""The error codes of the published contract: what each means for the money and for the register.

A register that meets a code it does not know acts on `money_moved` and `retry` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue

from bridge.errors import RequestError
from bridge.register.api.documents import ErrorBody, MoneyMoved, Retry


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What a code tells: nexo's ErrorCondition ("" for none), the money, and whether to retry."""

    condition: str
    retry: Retry
    money_moved: MoneyMoved = "no"


def _rows(codes: str, condition: str, retry: Retry, moved: MoneyMoved = "no") -> _Rows:
    return dict.fromkeys(codes.split(), ErrorFacts(condition, retry, moved))


_Rows = dict[str, ErrorFacts]

ERRORS: Final[_Rows] = {
    **_rows("invalid_json invalid_request invalid_amount unknown_operation", "MessageFormat", "no"),
    **_rows("unsupported_spec", "UnavailableService", "no"),
    # With a fresh guard (`expires_at`, the current `bridge_epoch`, or a message that expires).
    **_rows("retained_command", "MessageFormat", "same_id"),
    **_rows("stale_command command_expired", "Aborted", "same_id"),
    **_rows("clock_skew", "MessageFormat", "same_id"),
    **_rows("idempotency_conflict", "NotAllowed", "new_id"),
    **_rows("sale_already_paid", "NotAllowed", "no"),
    **_rows("sale_not_found", "NotFound", "no"),
    **_rows("sale_already_recorded sale_lines_differ", "NotAllowed", "no"),
    **_rows("payment_in_doubt", "InProgress", "after_check", "unknown"),
    **_rows("payment_not_found", "NotFound", "new_id"),
    **_rows("original_not_found prompt_not_found", "NotFound", "no"),
    **_rows("receipt_no_longer_kept", "NotFound", "no"),
    **_rows("not_allowed approval_required policy_limit", "NotAllowed", "no"),
    **_rows("response_topic_not_allowed", "NotAllowed", "no"),
    **_rows("terminal_unknown terminal_not_paired", "UnavailableDevice", "no"),
    **_rows("terminal_offline", "UnavailableDevice", "same_id"),
    **_rows("terminal_busy queue_full queue_timeout", "Busy", "same_id"),
    **_rows("terminal_maintenance terminal_updating terminal_locked", "DeviceOut", "same_id"),
    **_rows("terminal_not_logged_in", "LoggedOut", "same_id"),
    **_rows("terminal_protocol_error terminal_fault", "DeviceOut", "after_check"),
    **_rows("operation_not_supported feature_disabled", "UnavailableService", "no"),
    **_rows("printer_no_paper printer_fault", "UnavailableDevice", "same_id"),
    **_rows(
        "card_read_failed card_removed_early card_expired card_not_supported",
        "InvalidCard",
        "new_id",
    ),
    **_rows("no_card_presented", "Cancel", "new_id"),
    **_rows("wrong_pin pin_tries_exceeded", "WrongPIN", "new_id"),
    **_rows("declined insufficient_funds call_issuer", "Refusal", "new_id"),
    **_rows("suspected_fraud capture_card", "Refusal", "no"),
    **_rows("payment_restriction", "PaymentRestriction", "new_id"),
    **_rows("host_unreachable host_timeout", "UnreachableHost", "new_id"),
    **_rows("offline_limit", "UnreachableHost", "no"),
    **_rows(
        "canceled_by_cashier canceled_timeout canceled_register_lost canceled_by_terminal "
        "canceled_shutdown canceled_operator bridge_restarted",
        "Aborted",
        "new_id",
    ),
    **_rows("canceled_by_cardholder", "Cancel", "new_id"),
    **_rows("too_late_to_cancel", "NotAllowed", "no", "yes"),
    **_rows("outcome_unknown", "InProgress", "after_check", "unknown"),
    **_rows(
        "capture_exceeds_authorized refund_exceeds_captured void_not_possible already_reversed "
        "authorization_expired",
        "NotAllowed",
        "no",
    ),
    **_rows(
        "gift_card_unknown gift_card_inactive gift_card_already_active", "InvalidCard", "new_id"
    ),
    **_rows("gift_card_insufficient", "Refusal", "new_id"),
    **_rows("item_unknown", "NotFound", "same_id"),
    **_rows("item_not_found member_not_found", "NotFound", "no"),
    **_rows("back_office_unreachable", "UnreachableHost", "same_id"),
    **_rows("recording_rejected recording_unreachable", "", "no", "yes"),
    **_rows("bridge_draining bridge_starting", "Busy", "same_id"),
    **_rows("too_many_requests", "Busy", "same_id"),  # of this register; others are served
    **_rows("journal_unavailable", "DeviceOut", "same_id"),
    # The journal was put back from a copy: what it does not know may have been charged.
    **_rows("journal_unconfirmed", "DeviceOut", "after_check", "unknown"),
    **_rows("internal_error", "DeviceOut", "after_check", "unknown"),
}
"""Every code the bridge may send. A new code needs a row here and nothing else."""

UNKNOWN_CODE: Final = ErrorFacts("Refusal", "after_check")
"""For a driver's own code, which the contract allows: the list is open."""


def error_facts(code: str) -> ErrorFacts:
    """Return what `code` means; a code that is not in the table gets `UNKNOWN_CODE`."""
    return ERRORS.get(code, UNKNOWN_CODE)


def error_body(
    error: RequestError,
    *,
    retry: Retry | None = None,
    retry_after_seconds: int | None = None,
) -> ErrorBody:
    """Return the `error` object of a response, for the desk.

    Args:
        error: Why the command was refused; nothing was done.
        retry: Overrides the table where the case is known better.
        retry_after_seconds: When it is worth another try, if that can be said.
    """
    facts = error_facts(error.code)
    return ErrorBody(
        code=error.code,
        error_condition=facts.condition or None,
        message=str(error),
        detail=cast(dict[str, JsonValue], error.detail),  # pydantic checks it
        money_moved=facts.money_moved,
        retry=retry or facts.retry,
        retry_after_s=retry_after_seconds,
    )
