"""`python -m simulators register`: one till from the shell, one command at a time."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulators.register.broker_address import Broker
from simulators.register.open_payments import Document
from simulators.register.till import NoAnswerError, Register

CARDS_MAX = 10  # that one sale is paid with; then a person should look


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of `python -m simulators register`."""
    parser.add_argument("--broker", default="mqtt://127.0.0.1:1883", help="mqtt://… or mqtts://…")
    parser.add_argument("--register-id", default="till-1")
    parser.add_argument("--base", default="paybridge/v1", help="the contract's base topic")
    parser.add_argument("--user", help="default: the register's id, when a password is given")
    parser.add_argument("--password")
    parser.add_argument("--ca-file", help="authority of the broker's certificate")
    parser.add_argument("--mqtt311", action="store_true", help="be an old register")
    parser.add_argument("--ledger", type=Path, help="file that survives the register's power cut")
    parser.add_argument("--human", action="store_true", help="a line for people, not JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    pay = commands.add_parser("pay", help="start a payment and wait for its end")
    pay.add_argument("amount", help="like 12.50")
    pay.add_argument("--currency", default="EUR")
    pay.add_argument("--sale", help="the sale's number")
    pay.add_argument("--terminal", help="default: the register's own")
    pay.add_argument("--payment-id", help="default: a new one")
    pay.add_argument(
        "--accept-partial", action="store_true", help="let a card pay a part, another the rest"
    )
    pay.add_argument("--gift-card", metavar="CODE", help="pay with this gift card")
    pay.add_argument("--pin", help="of the gift card")
    pay.add_argument(
        "--signature", choices=("yes", "no"), help="is it the shopper's? default: nobody answers"
    )
    for name, about in (
        ("cancel", "ask for a payment to be stopped"),
        ("status", "ask what became of a payment"),
        ("acknowledge", "say that a payment's document is kept"),
    ):
        commands.add_parser(name, help=about).add_argument("payment_id")
    ask = commands.add_parser("ask", help="send any command and print the response")
    ask.add_argument("operation", help="like terminal/check")
    ask.add_argument("fields", nargs="?", default="{}", type=_fields, help="JSON, like {}")
    commands.add_parser("list", help="list this register's payments")
    commands.add_parser("recover", help="ask about payments that the ledger has as open")
    commands.add_parser("watch", help="print whatever is published for this register")


async def serve(arguments: argparse.Namespace) -> None:
    """Do one command, or watch until cancelled; prints one JSON line when connected."""
    user = arguments.user or (arguments.register_id if arguments.password else None)
    secret, authority = arguments.password, arguments.ca_file
    try:
        broker = Broker.at(arguments.broker, user, secret, authority, mqtt5=not arguments.mqtt311)
    except (ValueError, OSError) as error:
        raise SystemExit(f"--broker: {error}") from None
    register = Register(broker, arguments.register_id, base=arguments.base, ledger=arguments.ledger)
    show = _show_human if arguments.human else _show_json
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(register.run())
        await register.connected.wait()
        identity = {"register_id": arguments.register_id, "broker": arguments.broker}
        _show_json({"ready": True, **identity})
        try:
            await _do(register, arguments, show)
        except NoAnswerError as error:
            _show_json({"status": "unknown", "message": str(error)})
        finally:
            running.cancel()


async def _do(
    register: Register, arguments: argparse.Namespace, show: Callable[[Document], None]
) -> None:
    match arguments.command:
        case "pay":
            await _pay(register, arguments, show)
        case "cancel":
            show(await register.cancel(arguments.payment_id))
        case "status":
            show(await register.status(arguments.payment_id, refresh=True))
        case "acknowledge":
            while arguments.payment_id not in register.documents:
                show(await register.status(arguments.payment_id))
            show(await register.acknowledge(arguments.payment_id))
        case "ask":
            show(await register.ask(arguments.operation, arguments.fields, guarded=True))
        case "list":
            show(await register.list_payments())
        case "recover":
            for response in await register.recover():
                show(response)
        case "watch":
            async for topic, content in register.watch():
                show({"topic": topic, **content})


async def _pay(
    register: Register, arguments: argparse.Namespace, show: Callable[[Document], None]
) -> None:
    """Take the amount; with part payments, as many cards as it needs."""
    fields: dict[str, Any] = {"sale_id": arguments.sale, "terminal_id": arguments.terminal}
    fields["currency"] = arguments.currency
    fields["accept_partial"] = arguments.accept_partial or None
    if arguments.gift_card is not None:
        card = {"stored_value_id": arguments.gift_card, "pin": arguments.pin}
        fields |= {"method": "gift_card", "gift_card": card}
    fields = {name: value for name, value in fields.items() if value is not None}
    rest, payment_id = arguments.amount, arguments.payment_id
    for _ in range(CARDS_MAX):
        response = await register.pay(rest, payment_id=payment_id, **fields)
        show(response)
        if response["status"] == "error":
            return
        final = await _follow(register, show, response["payment_id"], arguments.signature)
        if final["result"] != "partial":
            return
        rest, payment_id = final["amounts"]["remaining_amount"], None


async def _follow(
    register: Register, show: Callable[[Document], None], payment_id: str, signature: str | None
) -> Document:
    """Show a payment until its end, answer what is asked, acknowledge it; return its end."""
    async for topic, content in register.watch():
        match topic.split("/")[-2:]:
            case ["prompts", prompt_id] if signature and content["payment_id"] == payment_id:
                show(await register.answer(prompt_id, confirmed=signature == "yes"))
            case ["payments", name] if name == payment_id:
                show(content)
                asked = signature and not content["display"]["may_leave_screen"]
                if content["final"] and not asked:
                    show(await register.acknowledge(payment_id))
                    return content
    raise AssertionError("a watch does not end")


def _fields(text: str) -> Document:
    """Return the JSON object in `text`.

    Raises:
        ArgumentTypeError: It is none.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("a command's fields are a JSON object, like {}")
    return found


def _show_json(content: Document) -> None:
    print(json.dumps(content, ensure_ascii=False), flush=True)


def _show_human(content: Document) -> None:
    if "display" in content:
        lines = " | ".join(content["display"]["lines"])
        print(f"{content['payment_id'][:8]}  {content['status']:<12} {lines}", flush=True)
    elif error := content.get("error"):
        print(f"refused: {error['code']}: {error['message']}", flush=True)
    else:
        print(content.get("topic") or f"{content['op']}: {content['status']}", flush=True)
