"""A register as one writes it in an afternoon: `naive_register.py PORT AMOUNT SALE [retain]`.

It takes silence for failure and tries again under a new id, sends no guard, keeps nothing on
disk, acknowledges nothing, and retains its commands when asked to.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid

import aiomqtt

PATIENCE_SECONDS = 2.5
ATTEMPTS = 2


async def main(port: str, amount: str, sale_id: str, habit: str = "") -> None:
    top = "paybridge/v1/registers/till-1"
    async with aiomqtt.Client("127.0.0.1", int(port)) as client:
        await client.subscribe(f"{top}/payments/#", qos=1)
        for _ in range(ATTEMPTS):
            payment_id = str(uuid.uuid4())
            amounts = {"currency": "EUR", "requested_amount": amount}
            request = {"request_id": payment_id, "payment_id": payment_id, "sale_id": sale_id}
            payload = json.dumps(request | {"amounts": amounts})
            where = f"{top}/request/payment/start"
            await client.publish(where, payload, qos=1, retain=habit == "retain")
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    async for message in client.messages:
                        content = json.loads(bytes(message.payload) or b"{}")
                        if content.get("payment_id") == payment_id and content["final"]:
                            print(content["status"])
                            return
            except TimeoutError:
                print("failed")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
