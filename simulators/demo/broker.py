"""`python -m simulators.demo.broker PORT`: a small MQTT broker from pip, for the demo only.

amqtt speaks MQTT 3.1.1 and keeps nothing over a restart; a store runs mosquitto.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from amqtt.broker import Broker

HOST = "127.0.0.1"
_ANYBODY = "amqtt.plugins.authentication.AnonymousAuthPlugin"


async def serve(port: int) -> None:
    """Serve whoever comes from this machine; prints one JSON line when it listens.

    Raises:
        BrokerError: The port is in use.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {_ANYBODY: {"allow_anonymous": True}},
        }
    )
    await broker.start()
    print(f'{{"port": {port}}}', flush=True)
    await stop.wait()
    await broker.shutdown()


if __name__ == "__main__":
    # It reports every client that hangs up as an error, which here is part of the play.
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(int(sys.argv[1])))
