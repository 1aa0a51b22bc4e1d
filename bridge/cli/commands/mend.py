"""`paybridge mend`: correct a rejected booking, and have it sent again."""

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
    say_wrong_use,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the payment and what was wrong."""
    parser.add_argument(
        "payment_id", metavar="PAYMENT", help="the id, or its beginning or end; or its Trans #"
    )
    parser.add_argument("--store-code", default="", metavar="CODE", help="the right store")
    parser.add_argument(
        "--sku",
        action="append",
        default=[],
        metavar="LINE=SKU",
        help="the right article of a line, by its number; may be said for several lines",
    )
    member = parser.add_mutually_exclusive_group()
    member.add_argument("--member", default=None, metavar="ID", help="the right member")
    member.add_argument("--no-member", action="store_true", help="record it without a member")
    parser.add_argument("--by", required=True, metavar="NAME", help="who corrects it")
    parser.add_argument("--why", required=True, metavar="TEXT", help="what was wrong")


def main(options: argparse.Namespace) -> int:
    """Tell the running service; 69 when there is none, 1 when it refuses, 64 for wrong use."""
    from bridge.cli.bulk_answers import WrongUse
    from bridge.cli.journal import find_payment_id

    try:
        skus = [_line(text) for text in options.sku]
        if options.member == "":
            raise WrongUse("--member needs an id; --no-member takes the member away")
    except WrongUse as error:
        return say_wrong_use(options, error)
    config = load(options)
    wish: dict[str, object] = {
        "do": "mend_purchase",
        "payment_id": find_payment_id(config, options.payment_id) or options.payment_id,
        "by": options.by,
        "why": options.why,
        "store_code": options.store_code,
        "skus": skus,
        "member_id": "" if options.no_member else options.member,
    }
    answer = order(options, wish)
    if answer is None:
        return EXIT_AWAY
    if options.json:
        print_json(answer)
    elif answer.get("ok"):
        print(f"{answer['transaction_id']}: {answer['booking']}; it is sent as corrected")
    else:
        say_refusal(answer)
    return 0 if answer.get("ok") else EXIT_FAILED


def _line(text: str) -> dict[str, object]:
    from bridge.cli.bulk_answers import WrongUse

    number, equals, sku = text.partition("=")
    if not (number.isascii() and number.isdigit() and equals and sku) or len(number) > 6:
        raise WrongUse(f"--sku {text}: write LINE=SKU, like 2=4006381333931")
    return {"line_number": int(number), "sku": sku}


COMMAND = Command("mend", "correct a rejected booking and have it sent again", main, add_arguments)
