"""`paybridge resolve`: a person's answer to what only a person can know."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.cli.shell import (
    EXIT_AWAY,
    EXIT_FAILED,
    EXIT_USAGE,
    Command,
    load,
    order,
    print_json,
    say_refusal,
    say_wrong_use,
)

if TYPE_CHECKING:
    from bridge.cli.bulk_answers import Wish

# What people say at the counter, for what the journal calls it.
IN_OTHER_WORDS = {"paid": "approved", "not-paid": "not-charged"}
ANSWERS = (
    *("approved", "not-charged", "refund-if-found", *IN_OTHER_WORDS),
    *("booked", "send-again"),
    *("book", "noted"),
    "as-listed",
)

# What follows from an answer, said to who gave it.
SAID = {
    "approved": "It counts as paid, as {by} says, and goes to the books. If that was wrong: "
    "paybridge resolve {name} not-charged --by NAME",
    "not-charged": "It counts as not charged, as {by} says; it may be charged again. If that was "
    "wrong: paybridge resolve {name} approved --code CODE --by NAME",
    "refund-if-found": "It counts as not charged, as {by} says. Money that turns up is to be given "
    "back, and will be shown: paybridge payments --open",
    "booked": "The books have it, as {by} says.",
    "send-again": "It is sent to the back office again.",
    "book": "That money goes to the books, as {by} says.",
    "noted": "{by} has dealt with it; nothing more is done.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the payment and the answer."""
    parser.add_argument(
        "payment_id",
        metavar="PAYMENT",
        help="the id, or its beginning or end; for bookings also several with commas between them, "
        "`all` that --unconfirmed, --rejected and the like select, or @FILE with lines "
        "PAYMENT,booked,RECORD-ID or PAYMENT,send-again",
    )
    parser.add_argument(
        "answer",
        choices=ANSWERS,
        metavar="ANSWER",
        help="in doubt: approved (or paid), not-charged (or not-paid) or refund-if-found, by the "
        "terminal's slip; an answer can be corrected by another one; "
        "booking unconfirmed or rejected: booked (it is in the back office) or send-again; "
        "the terminal contradicts itself: book (record that money) or noted (dealt with); "
        "as-listed: what @FILE says",
    )
    parser.add_argument("--by", required=True, metavar="NAME", help="who answers")
    parser.add_argument("--why", default="", metavar="TEXT", help="how it was found out")
    parser.add_argument("--code", default="", help="the approval code on the slip (approved)")
    parser.add_argument("--amount", default="", help="the amount on it, if not as asked")
    parser.add_argument("--record-id", default="", help="its number there (booked)")
    many = parser.add_argument_group("many bookings at once")
    many.add_argument("--unconfirmed", action="store_true", help="those without proof")
    many.add_argument("--rejected", action="store_true", help="those that were refused")
    many.add_argument(
        "--since", default="", metavar="DATE", help="of this date or time in the store, and later"
    )
    many.add_argument("--until", default="", metavar="DATE", help="before this date or time")
    many.add_argument("--store", default="", metavar="CODE", help="of this store")
    many.add_argument("--dry-run", action="store_true", help="show them and answer none")
    many.add_argument("--yes", action="store_true", help="do not ask whether to go on")


def main(options: argparse.Namespace) -> int:
    """Tell the running service; 69 when there is none, 1 when it refuses, 64 for wrong use."""
    from bridge.cli.bulk_answers import ALL, LISTED, WrongUse

    name = options.payment_id
    is_bulk = name == ALL or "," in name or name.startswith("@") or options.answer == LISTED
    try:
        if is_bulk:
            return _resolve_many(options)
        for word in ("unconfirmed", "rejected", "since", "until", "store", "dry_run", "yes"):
            if getattr(options, word):
                raise WrongUse(f"--{word.replace('_', '-')} goes with several bookings, or `all`")
    except WrongUse as error:
        return say_wrong_use(options, error)
    return _resolve_one(options)


def _resolve_one(options: argparse.Namespace) -> int:
    from bridge.cli.journal import find_payment_id

    config = load(options)
    payment_id = find_payment_id(config, options.payment_id) or options.payment_id
    options.answer = IN_OTHER_WORDS.get(options.answer, options.answer)
    wish: dict[str, object] = {"payment_id": payment_id, "by": options.by, "why": options.why}
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
        print(SAID[options.answer].format(by=options.by, name=payment_id[-8:]))
    else:
        say_refusal(answer)
    return 0 if answer.get("ok") else EXIT_FAILED


def _resolve_many(options: argparse.Namespace) -> int:
    """Show what is meant, have it agreed to, then answer exactly what was shown."""
    from bridge.cli.bulk_answers import WrongUse, answers_for, is_agreed, summary, waiting_table

    wishes = _wishes(options)
    states = [word for word in ("unconfirmed", "rejected") if getattr(options, word)]
    selection: dict[str, object] = {
        "do": "waiting_purchases",
        **({"states": states} if states else {}),
        "since": options.since,
        "until": options.until,
        "store_code": options.store,
        "names": [wish.name for wish in wishes],
    }
    found = order(options, selection)
    if found is None:
        return EXIT_AWAY
    if not found.get("ok"):
        return _refused(options, found)
    answers = answers_for(found["purchases"], wishes)
    if options.dry_run and options.json:
        print_json(found)
        return 0
    if not options.json:
        _show(found, waiting_table(found, answers), summary(found))
    if options.dry_run or not answers:
        if options.json:
            print_json({"ok": True, "results": []})
        return 0 if not found["unknown"] else EXIT_FAILED
    if not options.yes and (options.json or not is_agreed(found, answers)):
        if options.json:
            raise WrongUse("look with --dry-run, then say --yes")
        print("nothing was answered")
        return EXIT_FAILED
    wish: dict[str, object] = {"do": "resolve_purchases", "by": options.by, "why": options.why}
    done = order(options, wish | {"answers": answers}, is_long=True)
    if done is None:
        return EXIT_AWAY
    if not done.get("ok"):
        return _refused(options, done)
    if options.json:
        print_json(done | {"unknown": found["unknown"]})
    else:
        for one in done["results"]:
            said = one["booking"] if one["done"] else f"not answered: {one['message']}"
            print(f"{one['name']}: {said}")
    failed = found["unknown"] or any(not one["done"] for one in done["results"])
    return EXIT_FAILED if failed else 0


def _wishes(options: argparse.Namespace) -> list[Wish]:
    """Return the answers that name their booking; none where a selection names them.

    Raises:
        WrongUse: The words do not fit together.
    """
    from bridge.cli.bulk_answers import ALL, LISTED, Wish, WrongUse, read_list, refuse_too_many
    from bridge.cli.journal import find_payment_id
    from bridge.purchase_answers import ANSWERS_MAX

    if not options.why.strip():
        raise WrongUse("say --why: how was it found out?")
    name, answer = options.payment_id, options.answer
    if options.record_id or options.code or options.amount:
        raise WrongUse("--record-id, --code and --amount go with one payment; else use @FILE")
    if name.startswith("@") != (answer == LISTED):
        raise WrongUse("@FILE goes with as-listed, and as-listed with @FILE")
    if name.startswith("@"):
        wishes = read_list(Path(name[1:]))
    elif answer != "send-again":
        raise WrongUse(f"{answer} is not for several; booked goes with @FILE and its record ids")
    elif name == ALL:
        chosen = (options.unconfirmed, options.rejected, options.since, options.until)
        if not any((*chosen, options.store)):
            raise WrongUse("say which: --unconfirmed, --rejected, --since, --until or --store")
        return []
    else:
        wishes = [Wish(one.strip()) for one in name.split(",") if one.strip()]
    config = load(options)
    whole = [Wish(find_payment_id(config, one.name) or one.name, one.record_id) for one in wishes]
    refuse_too_many(whole, ANSWERS_MAX)
    return whole


def _show(found: dict[str, Any], table: object, text: str) -> None:
    from rich.console import Console

    console = Console()
    if found["purchases"]:
        console.print(table)
    print(text if found["purchases"] else "no booking waits that is meant")
    for name in found["unknown"]:
        print(f"no booking waits for {name}")


def _refused(options: argparse.Namespace, answer: dict[str, Any]) -> int:
    if options.json:
        print_json(answer)
    else:
        say_refusal(answer)
    return EXIT_USAGE if answer.get("code") == "invalid_request" else EXIT_FAILED


COMMAND = Command("resolve", "answer what only a person can know", main, add_arguments)
