"""`paybridge resolve`: a person's answer to what only a person can know."""

from __future__ import annotations

import argparse

from bridge.cli.shell import (
    EXIT_AWAY,
    EXIT_FAILED,
    Command,
    load,
    order,
    print_json,
    say_refusal,
)

ANSWERS = (
    *("approved", "not-charged", "refund-if-found"),
    *("booked", "send-again"),
    *("book", "noted"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the payment and the answer."""
    parser.add_argument("payment_id", help="the id, or its beginning or end")
    parser.add_argument(
        "answer",
        choices=ANSWERS,
        metavar="ANSWER",
        help="in doubt: approved, not-charged or refund-if-found (see the terminal's slip); "
        "booking unconfirmed or rejected: booked (it is in the back office) or send-again; "
        "the terminal contradicts itself: book (record that money) or noted (dealt with)",
    )
    parser.add_argument("--by", required=True, metavar="NAME", help="who answers")
    parser.add_argument("--code", default="", help="the approval code on the slip (approved)")
    parser.add_argument("--amount", default="", help="the amount on it, if not as asked")
    parser.add_argument("--record-id", default="", help="its number there (booked)")


def main(options: argparse.Namespace) -> int:
    """Tell the running service; 69 when there is none, 1 when it refuses."""
    from bridge.cli.journal import find_payment_id

    config = load(options)
    payment_id = find_payment_id(config, options.payment_id) or options.payment_id
    wish: dict[str, object] = {"payment_id": payment_id, "by": options.by}
    if options.answer in {"booked", "send-again"}:
        wish |= {
            "do": "resolve_purchase",
            "record_id": options.record_id,
            "send_again": options.answer == "send-again",
        }
    elif options.answer in {"book", "noted"}:
        wish |= {"do": "decide_discrepancy", "decision": options.answer}
    else:
        outcome = options.answer.replace("-", "_")
        wish |= {
            "do": "resolve_payment",
            "outcome": outcome,
            "approval_code": options.code,
            "amount": options.amount,
        }
    answer = order(options, wish)
    if answer is None:
        return EXIT_AWAY
    if options.json:
        print_json(answer)
    elif answer.get("ok"):
        print(f"{payment_id}: {answer.get('status') or answer.get('booking')}")
    else:
        say_refusal(answer)
    return 0 if answer.get("ok") else EXIT_FAILED


COMMAND = Command("resolve", "answer what only a person can know", main, add_arguments)
