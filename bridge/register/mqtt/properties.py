"""What MQTT 5 lets us say along with each packet, in the library's types."""

from __future__ import annotations

from typing import Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.register.api.fields import SPEC

SESSION_SECONDS: Final = 3600  # a restart of the store PC fits; commands older than that are stale
# Unacknowledged messages. Many more than one register's line holds (`inbox.py`): what is beyond it
# is refused here, since at the broker it would stand in front of the other registers' commands.
RECEIVE_MAX: Final = 1_000
PACKET_BYTES_MAX: Final = 1024 * 1024  # above the contract's limit, so that its refusal is heard


def connect_properties(*, keep_session: bool) -> Properties:
    """Return what our session is like, and whether it outlives its connection."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = SESSION_SECONDS if keep_session else 0
    properties.ReceiveMaximum = RECEIVE_MAX
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    return properties


def subscribe_options(retained: bool) -> SubscribeOptions:
    """Return how to subscribe; `retained`: what is retained shall come at once."""
    handling = (
        SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        if retained
        else SubscribeOptions.RETAIN_DO_NOT_SEND
    )
    return SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=handling)


def publish_properties(expiry_seconds: int | None, correlation: bytes | None) -> Properties:
    """Return what goes along with a message of ours."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.ContentType = "application/json"
    properties.UserProperty = ("spec", SPEC)
    if expiry_seconds is not None:
        properties.MessageExpiryInterval = expiry_seconds
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties
