"""Whether a command that moves money is fresh. Pure.

A start that waited at the broker while the bridge was away must not light up a terminal later:
the shopper may be gone, or may have paid otherwise.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.errors import RequestError
from bridge.register.api import (
    AnyFollowUp,
    GiftCardDeactivate,
    GiftCardLoad,
    PaymentStart,
    format_time,
)
from bridge.register.mqtt.messages import Delivery

Guarded = PaymentStart | GiftCardLoad | GiftCardDeactivate | AnyFollowUp
"""What must not be done later than somebody wanted it."""

CLOCK_SKEW_MAX = timedelta(hours=24)  # beyond, `expires_at` says more about the clock than the wish
MESSAGE_EXPIRY_SECONDS_MAX = 30  # a longer MQTT expiry does not prove that somebody still waits


def refuse_unfresh(
    request: Guarded,
    delivery: Delivery,
    epoch: str,
    now: datetime,
    *,
    clock_is_doubtful: bool = False,
) -> None:
    """Refuse a start that nobody may be waiting for any more.

    Fresh is what names the current epoch, or has not expired, or came while we were connected.
    While our own clock is doubtful, `expires_at` is not judged: it proves nothing then.

    Raises:
        RequestError: `clock_skew`, `command_expired` or `stale_command`.
    """
    expires_at = None if clock_is_doubtful else request.expires_at
    if expires_at is not None:
        if abs(expires_at - now) > CLOCK_SKEW_MAX:
            raise RequestError(
                "clock_skew",
                "expires_at and the bridge's clock are a day or more apart: one of them is wrong",
                path="expires_at",
                bridge_time=format_time(now),
            )
        if expires_at <= now:
            raise RequestError(
                "command_expired",
                "expires_at has passed; nothing was started",
                path="expires_at",
                bridge_time=format_time(now),
            )
    if request.bridge_epoch is not None and request.bridge_epoch != epoch:
        raise RequestError(
            "stale_command",
            "the bridge has reconnected since; read bridge/state and send again",
            path="bridge_epoch",
            bridge_epoch=epoch,
        )
    if delivery.live or expires_at is not None or request.bridge_epoch is not None:
        return
    expiry = delivery.expiry_seconds
    if expiry is not None and expiry <= MESSAGE_EXPIRY_SECONDS_MAX:
        return
    raise RequestError(
        "stale_command",
        "the command waited while the bridge was away; send it again if it is still wanted",
        bridge_epoch=epoch,
    )
