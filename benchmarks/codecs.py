"""Messages per second of each driver's codec, both directions: the result of a payment.

What is read is what the driver hears from the line (frame and message, but for ZVT's own row
without the frame, which is what others measure); what is written is the same message again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.contract import MaskedPan
from drivers.pax.codec import framing as pax_framing
from drivers.pax.codec import payload as pax
from drivers.pax.codec.messages import Result
from drivers.telium.codec import caisse_ap
from drivers.telium.codec import framing as telium_framing
from drivers.telium.codec import messages as telium
from drivers.zvt.codec import apdu as zvt
from drivers.zvt.codec import framing as zvt_framing
from drivers.zvt.codec.messages import StatusInformation

FIELD_ZVT_PARSE_PER_SECOND = (2_300, 6_400)  # of the field's Python library, on two cores

# The fields that a terminal sends after an approval, some 120 bytes; the values are invented.
STATUS = StatusInformation(
    result=0,
    amount=2040,
    trace="000470",
    time="223953",
    date="1006",
    expiry="2512",
    sequence_number="0001",
    payment_type=0x70,
    pan=MaskedPan.of("************4771"),
    terminal_id="28004869",
    merchant_id="100461763      ",
    approval_code="611804",
    text="GEN.NR.:611804",
    currency=978,
    receipt="0470",
    turnover="000470",
    card_type=46,
    card_name="Debit Mastercard",
)
PAX_RESULT = (
    "0|T01|1.35|000000|OK|00^APPROVAL^123456^700000000001^17^1|01|1250^0|4242^2^1227^^^^01"
    "|5^ZT3WB8UI4N^20261123120000||||TABLE=0^HREF=900005^APPLAB=VISA^AID=A0000000031010"
)
CONCERT_ANSWER = telium.ConcertAnswer("01", "0", 1250, telium.CARD, "978", "ZT3WB8UI4N")
CAISSE_ANSWER = caisse_ap.CaisseApAnswer(
    status=caisse_ap.DONE,
    reason="",
    till="01",
    amount_minor=1250,
    currency="978",
    action=caisse_ap.DEBIT,
    application="CB CONTACT",
    entry="1",
    approval_code="123456",
    card=MaskedPan.of("************4242"),
    application_id="A0000000421010",
    contract="424242",
)


def measure() -> dict[str, float]:
    """Return messages per second by what was done."""
    apdu = zvt.encode(STATUS)
    assert isinstance(zvt.decode(apdu), StatusInformation)
    works: dict[str, Callable[[], object]] = {
        f"zvt: parse a status information of {len(apdu)} bytes": lambda: zvt.decode(apdu),
        f"zvt: write a status information of {len(apdu)} bytes": lambda: zvt.encode(STATUS),
        **_zvt_lines(apdu),
        **_pax(),
        **_telium(),
        **_caisse_ap(),
    }
    return {what: _rate(work) for what, work in works.items()}


def _zvt_lines(apdu: bytes) -> dict[str, Callable[[], object]]:
    frame = zvt_framing.encode_serial(apdu)
    timers = zvt_framing.LinkTimers()

    def read(link: zvt_framing.Link, data: bytes) -> object:
        (received,) = link.receive(data, 0.0).apdus
        return zvt.decode(received)

    return {
        "zvt: the same from a serial line": lambda: read(zvt_framing.SerialLink(timers), frame),
        "zvt: the same from a TCP line": lambda: read(zvt_framing.TcpLink(timers), apdu),
    }


def _pax() -> dict[str, Callable[[], object]]:
    payload = PAX_RESULT.translate({ord("|"): "\x1c", ord("^"): "\x1f"}).encode()
    frame = pax_framing.encode_frame(payload)

    def read() -> object:
        (received,) = pax_framing.FrameReceiver().feed(frame)
        assert isinstance(received, bytes)
        return pax.decode_answer(received)

    answer = read()
    assert isinstance(answer, Result)
    return {
        f"pax: read a result of {len(frame)} bytes": read,
        "pax: write it": lambda: pax_framing.encode_frame(pax.encode_answer(answer)),
    }


def _telium() -> dict[str, Callable[[], object]]:
    frame = telium_framing.encode_frame(telium.encode(CONCERT_ANSWER))

    def read() -> object:
        (received,) = telium_framing.FrameReader().receive(frame)
        assert isinstance(received, telium_framing.Frame)
        return telium.decode_answer(received.body)

    assert read() == CONCERT_ANSWER
    return {
        f"telium: read an answer of {len(frame)} bytes": read,
        "telium: write it": lambda: telium_framing.encode_frame(telium.encode(CONCERT_ANSWER)),
    }


def _caisse_ap() -> dict[str, Callable[[], object]]:
    data = caisse_ap.encode_answer(CAISSE_ANSWER)

    def read() -> object:
        tags, _ = caisse_ap.decode_tags(data)
        return caisse_ap.decode_answer(tags)

    assert read() == CAISSE_ANSWER
    return {
        f"caisse_ap: read an answer of {len(data)} bytes": read,
        "caisse_ap: write it": lambda: caisse_ap.encode_answer(CAISSE_ANSWER),
    }


def _rate(work: Callable[[], object]) -> float:
    """Return how often `work` is done in a second; the best of five quarters of a second."""
    best = 0.0
    for _ in range(5):
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < 0.25:
            for _ in range(50):
                work()
            count += 50
        best = max(best, count / took)
    return best
