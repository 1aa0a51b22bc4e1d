"""A register that takes part payments: `python -m tests.end_to_end.part_taking_register PORT …`."""

from __future__ import annotations

import asyncio
import sys

from simulators.register import Register
from simulators.register_broker import Broker


async def main(port: str, amount: str, sale_id: str) -> None:
    """Take `amount`, with as many cards as it needs."""
    register = Register(Broker.at(f"mqtt://127.0.0.1:{port}"), "till-1")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(register.run())
        rest = amount
        while float(rest):
            response = await register.pay(rest, sale_id=sale_id, accept_partial=True)
            document = await register.final(response["payment_id"])
            await register.acknowledge(response["payment_id"])
            rest = document["amounts"]["remaining_amount"]
        running.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
