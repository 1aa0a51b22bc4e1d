from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from bridge.register.api import (
    MINOR_DIGITS,
    BridgeHealth,
    BridgeState,
    CardFacts,
    PaymentDocument,
    PaymentEvent,
    ReceiptDocument,
    RegisterState,
    Response,
    TerminalInfo,
    TerminalState,
    encode,
    format_amount,
    format_time,
    parse_amount,
)
from bridge.register.api.decode import decode_register_state
from drivers.contract import Money

# The examples of CONTRACT sections 1, 2 and 5, as they are published.
EXAMPLES: list[tuple[type, str]] = [
    (
        BridgeState,
        '{"state": "online", "epoch": "01JAZ5K4X2", "since": "2026-03-02T07:58:11.204Z",'
        ' "time": "2026-03-02T09:14:03.511Z", "bridge_id": "store-12-pc1", "version": "1.4.0",'
        ' "spec": "1.2"}',
    ),
    (BridgeState, '{"state":"offline","reason":"connection_lost"}'),
    (
        BridgeHealth,
        '{"time": "2026-03-02T09:14:00.000Z", "can_take_payments": true, "reasons": [],'
        ' "uptime_s": 4549, "journal": {"ok": true, "path_free_mb": 41210,'
        ' "oldest": "2025-02-01T08:00:00.000Z"}, "recording": {"pending": 2,'
        ' "oldest_pending_s": 14, "rejected": 0, "endpoint_reachable": true},'
        ' "payments": {"open": 1, "in_doubt": 0}, "mqtt": {"connected": true, "protocol": "5.0",'
        ' "reconnects_24h": 0}, "clock": {"ntp_synchronised": true},'
        ' "terminals": {"counter-1": "online", "counter-2": "offline"}}',
    ),
    (
        TerminalInfo,
        '{"terminal_id": "counter-1", "name": "Counter 1", "driver": "zvt",'
        ' "driver_version": "0.9.2", "manufacturer": "Ingenico", "model": "Desk/3500",'
        ' "serial_number": "18123CT20431234", "poi_id": "52500041", "firmware":'
        ' {"version": "4.21.7", "update": {"available": false}}, "link": {"type": "usb-serial",'
        ' "address": "/dev/serial/by-id/usb-INGENICO_Desk_3500-if00"}, "currencies": ["EUR"],'
        ' "capabilities": {"operations": ["sale", "refund"], "tip": ["none", "fixed"],'
        ' "surcharge": false, "cash_back": false, "partial_approval": true,'
        ' "unlinked_refund": true, "offline": "terminal", "cancel": "until_authorizing",'
        ' "status_query": "last_transaction", "prompts": ["signature_ok"],'
        ' "receipts": ["customer", "merchant"], "printer": "none"},'
        ' "limits": {"min_amount": "0.01", "max_amount": "9999.99"}}',
    ),
    (
        TerminalState,
        '{"terminal_id": "counter-1", "availability": "online", "activity": "busy",'
        ' "ready": false, "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",'
        ' "register_id": "till-3", "queue_length": 0, "last_seen": "2026-03-02T09:14:02.911Z",'
        ' "link": {"up_since": "2026-03-02T07:58:12.000Z", "reconnects_24h": 0},'
        ' "printer": "ok", "battery_percent": null, "host_reachable": true, "problems": []}',
    ),
    (
        Response,
        '{"request_id": "r-81f2", "op": "payment/start", "status": "accepted",'
        ' "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", "payment_status": "queued",'
        ' "rev": 1, "duplicate": false, "time": "2026-03-02T09:13:41.020Z"}',
    ),
    (
        Response,
        '{"request_id": "r-81f2", "op": "payment/start", "status": "error",'
        ' "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",'
        ' "time": "2026-03-02T09:13:41.020Z", "error": {"code": "terminal_busy",'
        ' "error_condition": "Busy", "message": "Counter 1 is taking a payment for till-1.",'
        ' "detail": {"terminal_id": "counter-1", "register_id": "till-1"},'
        ' "money_moved": "no", "retry": "same_id", "retry_after_s": 20}}',
    ),
    (
        PaymentEvent,
        '{"seq": 4417, "at": "2026-03-02T09:13:58.120Z", "type": "payment_stage",'
        ' "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", "rev": 4,'
        ' "status": "in_progress", "stage": "authorizing"}',
    ),
    (
        PaymentDocument,
        '{"spec": "1.2", "rev": 9, "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",'
        ' "register_id": "till-3", "terminal_id": "counter-1", "type": "sale",'
        ' "method": "card", "sale_id": "T3-20260302-0118", "original_payment_id": null,'
        ' "plan_id": null, "status": "approved", "stage": null, "result": "success",'
        ' "funds": "captured", "final": true, "amounts": {"currency": "EUR",'
        ' "requested_amount": "47.90", "authorized_amount": "47.90",'
        ' "captured_amount": "47.90", "tip_amount": "0.00", "surcharge_amount": "0.00",'
        ' "cash_back_amount": "0.00", "total_fees_amount": "0.00", "refunded_amount": "0.00",'
        ' "remaining_amount": "0.00"}, "card": {"payment_brand": "visa",'
        ' "payment_brand_label": "Visa Debit", "brand_category": "schemes",'
        ' "masked_pan": "************4242", "entry_mode": "contactless",'
        ' "cardholder_verification": "none", "aid": "A0000000031010",'
        ' "payment_account_reference": null, "token": null}, "acquirer": {"acquirer_id": "12",'
        ' "merchant_id": "455600012345", "acquirer_poi_id": "52500041",'
        ' "approval_code": "481516", "response_code": "00", "stan": "000118",'
        ' "rrn": "606109000118", "host_reconciliation_id": "118"}, "poi_transaction_id":'
        ' {"poi_id": "52500041", "transaction_id": "000118",'
        ' "time_stamp": "2026-03-02T09:14:01Z"}, "offline": false, "training": false,'
        ' "recording": {"status": "recorded", "record_id": "PUR-99812", "attempts": 1,'
        ' "recorded_at": "2026-03-02T09:14:02.640Z", "next_attempt_at": null, "error": null},'
        ' "display": {"severity": "success", "code": "approved",'
        ' "lines": ["Paid 47,90 €", "Visa ••4242"], "countdown_s": null,'
        ' "buttons": [{"id": "receipt", "label": "Receipt"}], "may_leave_screen": true},'
        ' "receipts": [{"copy": "customer", "format": "text/plain", "columns": 40,'
        ' "requires_signature": false, "must_print_now": false, "topic": "t"}],'
        ' "in_doubt": null, "cancel_reason": null, "resolution": {"by": "terminal"},'
        ' "error": null, "discrepancy": null, "created_at": "2026-03-02T09:13:41.012Z",'
        ' "updated_at": "2026-03-02T09:14:02.640Z", "history": [{"status": "queued",'
        ' "at": "2026-03-02T09:13:41.012Z"}, {"status": "in_progress",'
        ' "stage": "waiting_for_card", "at": "2026-03-02T09:13:41.390Z"}],'
        ' "operator_id": "anna", "shift_number": "2026-03-02/1",'
        ' "metadata": {"customer_no": "K-1203"}}',
    ),
]


def contains(whole: Any, part: Any) -> bool:
    """Whether `whole` says everything that `part` says."""
    match part:
        case dict():
            return all(key in whole and contains(whole[key], value) for key, value in part.items())
        case list():
            return len(whole) == len(part) and all(map(contains, whole, part))
        case _:
            return bool(whole == part)


@pytest.mark.parametrize(("model", "example"), EXAMPLES)
def test_published_example_is_spelled_again_as_it_was(model: type, example: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    document = adapter.validate_json(example)
    told = json.loads(encode(document))
    assert contains(told, json.loads(example))
    assert adapter.validate_json(encode(document)) == document


def test_what_is_not_known_is_null_and_not_left_out() -> None:
    state = TerminalState(
        terminal_id="counter-1", availability="unknown", activity="idle", ready=False
    )
    told = json.loads(encode(state))
    assert told["payment_id"] is None
    assert told["battery_percent"] is None


def test_receipt_names_its_copy() -> None:
    receipt = ReceiptDocument(payment_id="p", copy="customer", lines=("Summe 12,50",))
    assert json.loads(encode(receipt))["copy"] == "customer"
    assert b"copy_" not in encode(receipt)


def test_card_facts_cannot_hold_a_card_number() -> None:
    assert CardFacts(masked_pan="************4242").masked_pan == "************4242"
    with pytest.raises(ValidationError):
        CardFacts(masked_pan="4111111111111111")
    with pytest.raises(ValidationError):
        CardFacts(masked_pan="411111******1111")


def test_documents_cannot_be_changed() -> None:
    state = BridgeState(state="offline")
    with pytest.raises(ValidationError):
        state.state = "online"


def test_time_is_told_in_utc_with_milliseconds() -> None:
    berlin = timezone(timedelta(hours=1))
    moment = datetime(2026, 3, 2, 10, 13, 41, 20_999, tzinfo=berlin)
    assert format_time(moment) == "2026-03-02T09:13:41.020Z"
    state = BridgeState(state="online", time=moment)
    assert json.loads(encode(state))["time"] == "2026-03-02T09:13:41.020Z"
    with pytest.raises(ValidationError):
        BridgeState(state="online", time=datetime(2026, 3, 2))  # noqa: DTZ001
    assert format_time(datetime(2026, 3, 2, tzinfo=UTC)) == "2026-03-02T00:00:00.000Z"


@pytest.mark.parametrize("minor", [0, 1, 99, 100, 1250, 999_999_999_999])
def test_amount_is_the_same_after_a_round_trip_in_every_currency(minor: int) -> None:
    for currency in MINOR_DIGITS:
        money = Money(minor, currency)
        assert parse_amount(format_amount(money), currency) == money


def test_register_state_is_read_and_nonsense_is_none() -> None:
    assert decode_register_state(b'{"state":"online","software":"Till 4","new":1}') == (
        RegisterState(state="online", software="Till 4")
    )
    assert decode_register_state(b"") is None
    assert decode_register_state(b'{"state":"asleep"}') is None
