"""A whole cash register: `python register.py till-1 12.50 SALE-1`; without an amount it recovers.

It needs aiomqtt and a broker on this machine (MQTT_PORT names another port than 1883). Its open
payments stand in `till-1.json` before anything is sent, so neither silence nor a power cut makes
it charge twice or forget.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt

SILENCE_SECONDS = 3  # no response by then: the same request again, never a new one
GUARD_SECONDS = 15  # a start must not happen later; the shopper may have left
Json = dict[str, Any]


class Register:
    """One till and its memory."""

    def __init__(self, name: str) -> None:
        self.top = f"paybridge/v1/registers/{name}"
        self.file = Path(f"{name}.json")
        self.open: dict[str, Json] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def remember(self) -> None:
        """Write the open payments to disk, whole or not at all."""
        fresh = self.file.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump(self.open, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.file)

    async def send(self, client: aiomqtt.Client, operation: str, fields: Json) -> None:
        """Publish a command with its guard; sent again it has the same ids."""
        until = datetime.now(UTC) + timedelta(seconds=GUARD_SECONDS)
        request_id = f"{operation}-{fields.get('payment_id') or fields['prompt_id']}"
        guard = {"request_id": request_id, "expires_at": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        await client.publish(f"{self.top}/request/{operation}", json.dumps(guard | fields), qos=1)

    async def follow(self, client: aiomqtt.Client, operation: str, fields: Json) -> Json:
        """Ask until somebody answers; return the final document, or the response that refused."""
        payment_id, rev, silent = fields["payment_id"], 0, True
        await self.send(client, operation, fields)
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS if silent else None):
                    message = await anext(aiter(client.messages))
            except TimeoutError:
                print("asking again", flush=True)
                await self.send(client, operation, fields)
                continue
            content: Json = json.loads(message.payload or "{}")  # "" takes a document away
            match str(message.topic).removeprefix(self.top + "/").split("/"):
                case ["payments", name] if name == payment_id and content.get("rev", 0) > rev:
                    rev, silent = content["rev"], False
                    print(" | ".join(content["display"]["lines"]), flush=True)
                    # Final, and no question open: it may still have to be signed for.
                    if content["final"] and content["display"]["may_leave_screen"]:
                        return content
                case ["prompts", name] if content.get("payment_id") == payment_id:
                    # Ask your cashier; what nobody answers until expires_at, the default answers.
                    print(content["text"], "|", content["consequence"], flush=True)
                    answer = {"prompt_id": name, "answer": content["default_answer"]}
                    await self.send(client, "prompt/answer", answer)
                case ["response", *_] if content["request_id"] == f"{operation}-{payment_id}":
                    silent = False
                    if error := content["error"]:
                        print(error["message"], flush=True)
                        if error["retry"] != "same_id":
                            return content
                        silent = True  # busy, or the guard was too old: in a moment once more

    async def settle(self, client: aiomqtt.Client, operation: str, fields: Json) -> Json:
        """Bring one payment to its end, keep that, and only then acknowledge it."""
        end = await self.follow(client, operation, fields)
        if end.get("final") or end["error"]["money_moved"] == "no":
            self.open.pop(fields["payment_id"])
            self.remember()
        if end.get("final"):
            kept = {"payment_id": fields["payment_id"], "rev": end["rev"]}
            await self.send(client, "payment/acknowledge", kept)
        return end

    def charge(self, amount: str, sale_id: str) -> Json:
        """Name a new payment, keep it, and return its start."""
        payment_id = str(uuid.uuid4())
        fields = {
            "payment_id": payment_id,
            "sale_id": sale_id or payment_id,
            "amounts": {"currency": "EUR", "requested_amount": amount},
            "accept_partial": True,
        }
        self.open[payment_id] = fields
        self.remember()
        return fields


async def main(name: str, amount: str = "", sale_id: str = "") -> int:
    """Settle what is open, then take `amount`; return 0 when nothing is left unpaid."""
    register = Register(name)
    end: Json = {"status": "approved"}
    work: list[tuple[str, Json]] = [
        ("payment/status", {"payment_id": known}) for known in register.open
    ]
    if amount:
        work.append(("payment/start", register.charge(amount, sale_id)))
    port, state = int(os.environ.get("MQTT_PORT", "1883")), f"{register.top}/state"
    will = aiomqtt.Will(state, '{"state": "offline"}', qos=1, retain=True)
    while work:
        try:
            async with aiomqtt.Client("127.0.0.1", port, will=will) as client:
                await client.subscribe(f"{register.top}/#", qos=1)
                await client.publish(state, '{"state": "online"}', qos=1, retain=True)
                while work:
                    end = await register.settle(client, *work[0])
                    _, asked = work.pop(0)
                    if end.get("result") == "partial" and "amounts" in asked:
                        rest = end["amounts"]["remaining_amount"]  # ask for another card
                        work.append(("payment/start", register.charge(rest, asked["sale_id"])))
        except aiomqtt.MqttError as error:
            print(f"no broker ({error}), trying again", flush=True)
            await asyncio.sleep(1)
    return 0 if end["status"] == "approved" else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
