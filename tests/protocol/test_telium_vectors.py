"""Frames that independent clients and terminals exchanged, read as their transcripts say."""

from __future__ import annotations

import random
from typing import Any

import pytest

from drivers.contract import MaskedPan
from drivers.telium.codec import caisse_ap
from drivers.telium.codec import messages as m
from drivers.telium.codec.dump import masked_text
from drivers.telium.codec.framing import Damage, Frame, FrameReader, Item, encode_frame, lrc
from tests.protocol.vectors import read_entries

Entry = dict[str, Any]


SERIAL = read_entries("telium.json")
GOOD = [entry for entry in SERIAL if entry["lrc_ok"]]
BAD = [entry for entry in SERIAL if not entry["lrc_ok"]]
REQUESTS = [entry for entry in GOOD if entry["direction"] == "ecr->terminal"]
ANSWERS = [entry for entry in GOOD if entry["direction"] == "terminal->ecr"]
TEXTS = read_entries("caisse_ap_ip.json")


def by_transcript(entry: Entry) -> str:
    source = entry.get("transcript") or entry["source"]["transcript"]
    return f"{entry['direction']} {source}"


def every_way(data: bytes) -> list[list[bytes]]:
    cuts = [[data[:cut], data[cut:]] for cut in range(1, len(data))]
    rng = random.Random(len(data))
    thirds = sorted(rng.sample(range(1, len(data)), 2))
    three = [data[: thirds[0]], data[thirds[0] : thirds[1]], data[thirds[1] :]]
    return [[data], [data[i : i + 1] for i in range(len(data))], three, *cuts]


def items(pieces: list[bytes]) -> list[Item]:
    reader = FrameReader()
    return [item for piece in pieces for item in reader.receive(piece)]


def test_there_are_vectors_of_every_sort() -> None:
    assert min(len(REQUESTS), len(ANSWERS), len(BAD), len(TEXTS)) >= 2


@pytest.mark.parametrize("entry", GOOD, ids=by_transcript)
def test_a_frame_is_whole_in_any_split(entry: Entry) -> None:
    data = bytes.fromhex(entry["hex"])
    assert f"{lrc(data[1:-2]):02x}" == entry["lrc"]
    for pieces in every_way(data):
        assert items(pieces) == [Frame(data[1:-2])]
    assert encode_frame(data[1:-2]) == data


@pytest.mark.parametrize("entry", BAD, ids=by_transcript)
def test_a_frame_with_a_wrong_lrc_is_damage_in_any_split(entry: Entry) -> None:
    for pieces in every_way(bytes.fromhex(entry["hex"])):
        assert items(pieces) == [Damage()]


@pytest.mark.parametrize("entry", REQUESTS, ids=by_transcript)
def test_a_request_reads_as_its_client_meant_it(entry: Entry) -> None:
    body = bytes.fromhex(entry["hex"])[1:-2]
    meant = entry["decoded"]
    request = m.decode_request(body)
    assert request == m.Request(
        till=meant["pos"],
        amount_minor=int(meant["amount_minor"]),
        currency=meant["currency"],
        private=meant["private"],
        action=meant["transaction_type"],
        means=meant["payment_mode"],
        long_answer=meant["answer_flag"] == "1",
        answer_at_once=meant["delay"] == "A011",
        force_online=meant["authorisation"] == "B011",
    )
    assert m.encode(request) == body


@pytest.mark.parametrize("entry", ANSWERS, ids=by_transcript)
def test_an_answer_reads_as_an_independent_client_read_it(entry: Entry) -> None:
    body = bytes.fromhex(entry["hex"])[1:-2]
    meant = entry["decoded"]
    answer = m.decode_answer(body)
    assert (answer.till, answer.result, answer.means) == (
        meant["pos"],
        meant["result"],
        meant["payment_mode"],
    )
    assert answer.amount_minor == int(meant["amount_minor"])
    assert (answer.currency, answer.private) == (meant["currency"], meant["private"])
    report = meant["report"]
    assert answer.is_long == bool(report)
    assert answer.card == (MaskedPan.of(report.strip()) if report.strip() else None)
    assert m.encode(answer, report) == body


@pytest.mark.parametrize("entry", TEXTS, ids=by_transcript)
def test_a_text_is_whole_only_at_its_end(entry: Entry) -> None:
    data = entry["text"].encode("ascii")
    tags, rest = caisse_ap.decode_tags(data)
    assert (tags, rest) == (entry["decoded"], b"")
    assert caisse_ap.encode_tags(tags.items()) == data
    if entry["direction"] == "terminal->ecr":
        assert caisse_ap.is_whole(tags, rest)
        assert not caisse_ap.is_whole(*caisse_ap.decode_tags(data[:-1]))


@pytest.mark.parametrize(
    "entry", [e for e in TEXTS if e["direction"] == "ecr->terminal"], ids=by_transcript
)
def test_our_request_is_byte_for_byte_that_of_the_independent_client(entry: Entry) -> None:
    tags = entry["decoded"]
    request = caisse_ap.decode_request(tags)
    assert request.amount_minor == int(tags["CB"])
    assert caisse_ap.encode_request(request).decode("ascii") == entry["text"]


@pytest.mark.parametrize(
    "entry", [e for e in TEXTS if e["direction"] == "terminal->ecr"], ids=by_transcript
)
def test_an_answer_over_ip_reads_as_its_tags_say(entry: Entry) -> None:
    tags = entry["decoded"]
    answer = caisse_ap.decode_answer(tags)
    assert answer.status == tags["AE"]
    assert answer.reason == tags.get("AF", "")
    assert answer.amount_minor == int(tags["CB"])
    assert answer.approval_code == tags.get("AC", "")
    assert (answer.card.last4 if answer.card else "") == tags.get("AA", "")[-4:]
    head = caisse_ap.encode_tags([("CJ", answer.protocol_id)])  # a terminal's words come behind it
    assert caisse_ap.decode_answer(_tags(head + caisse_ap.encode_answer(answer))) == answer


def test_the_whole_card_number_of_a_careless_terminal_reaches_nobody() -> None:
    text = b"CZ0040300CJ012012345678901CA00201CE003978CD0010CB0041000AE00210AA0164242424242424242"
    answer = caisse_ap.decode_answer(_tags(text))
    assert answer.card == MaskedPan.of("4242424242424242")
    assert "42424242" not in repr(answer)
    for end in range(len(text) + 1):
        assert "42424242" not in masked_text(text[:end])
        assert "42424242" not in masked_text(text[end:])


def _tags(data: bytes) -> dict[str, str]:
    tags, rest = caisse_ap.decode_tags(data)
    assert not rest
    return tags
