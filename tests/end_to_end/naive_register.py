"""A register as one writes it in an afternoon, which loses and doubles money.

    naive_register.py PORT pay AMOUNT SALE [retain]
    naive_register.py PORT cancel PAYMENT_ID
    naive_register.py PORT recover SALE

It takes silence for failure and tries again under a new id, wants the whole amount again after a
part of it was paid, cancels in a message of its own invention, sends no guard, keeps nothing on
disk, rings up again after a power cut, acknowledges nothing, and retains its commands when asked
to.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid

import aiomqtt

PATIENCE_SECONDS = 2.5
ATTEMPTS = 2
TOP = "paybridge/v1/registers/till-1"


async def pay(client: aiomqtt.Client, amount: str, sale_id: str, habit: str = "") -> None:
    """Take the amount, somehow."""
    await client.subscribe(f"{TOP}/payments/#", qos=1)
    for _ in range(ATTEMPTS):
        payment_id = str(uuid.uuid4())
        request = {
            "request_id": payment_id,
            "payment_id": payment_id,
            "sale_id": sale_id,
            "accept_partial": True,
            "amounts": {"currency": "EUR", "requested_amount": amount},
        }
        where = f"{TOP}/request/payment/start"
        await client.publish(where, json.dumps(request), qos=1, retain=habit == "retain")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                result = await end_of(client, payment_id)
        except TimeoutError:
            print("failed")
            continue
        if result != "partial":
            print(result)
            return


async def end_of(client: aiomqtt.Client, payment_id: str) -> str:
    """Return how the payment ended."""
    async for message in client.messages:
        content = json.loads(bytes(message.payload) or b"{}")
        if content.get("payment_id") == payment_id and content["final"]:
            return str(content["result"])
    raise AssertionError("messages do not end")


async def cancel(client: aiomqtt.Client, payment_id: str) -> None:
    """Cancel, and believe it."""
    request = {"payment_id": payment_id, "please": "stop"}
    await client.publish(f"{TOP}/request/payment/cancel", json.dumps(request), qos=1)
    print("canceled")


async def main(port: str, command: str, *words: str) -> None:
    """Do one command."""
    async with aiomqtt.Client("127.0.0.1", int(port)) as client:
        match command, words:
            case "pay", (amount, sale_id, *habits):
                await pay(client, amount, sale_id, *habits)
            case "cancel", (payment_id,):
                await cancel(client, payment_id)
            case "recover", (sale_id,):
                await pay(client, "10.00", sale_id)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
