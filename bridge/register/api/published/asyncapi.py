"""The AsyncAPI 3.0 document of the contract, as seen from the bridge. Pure.

The bridge receives commands and sends everything else; a tool that wants the register's point of
view turns the actions around.
Source: AsyncAPI Specification 3.0.0; MQTT bindings 0.2.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from bridge.register.api.buttons import BUTTONS
from bridge.register.api.errors import ERRORS
from bridge.register.api.fields import SPEC
from bridge.register.api.published.catalog import Publication, summary
from bridge.register.api.published.glossary import PARAMETERS
from bridge.register.api.published.responses import response_of
from bridge.register.api.published.schemas import shared_schemas
from bridge.register.api.topics import DEFAULT_BASE

Json = dict[str, Any]

_BINDINGS: Final = "0.2.0"
_MEDIA_TYPE: Final = "application/json"


def asyncapi_document(found: Sequence[Publication]) -> Json:
    """Return the whole document in JSON types."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "paybridge register API",
            "version": f"{SPEC}.0",
            "description": "Card payments for cash registers over MQTT. The guide with one sale "
            "step by step is docs/mqtt.md; this document is made from the running code.",
        },
        "defaultContentType": _MEDIA_TYPE,
        "servers": _servers(),
        "channels": {_key(each): _channel(each) for each in found},
        "operations": {
            _action_name(each): _operation(each) for each in found if not _answers(each)
        },
        "components": {
            "messages": {each.name: _message(each) for each in found},
            "schemas": shared_schemas(found, "#/components/schemas/{model}"),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "The user name is the register's id; the broker's access list "
                    "ties it to registers/{register_id}/.",
                }
            },
        },
        "x-buttons": {name: asdict(facts) for name, facts in BUTTONS.items()},
        "x-error-codes": {code: asdict(facts) for code, facts in sorted(ERRORS.items())},
    }


def _servers() -> Json:
    secured = [{"$ref": "#/components/securitySchemes/user"}]
    return {
        "store": {
            "host": "localhost:8883",
            "protocol": "secure-mqtt",
            "protocolVersion": "5.0",
            "description": "The store's broker; MQTT 3.1.1 works as well.",
            "security": secured,
        },
        "loopback": {
            "host": "localhost:1883",
            "protocol": "mqtt",
            "protocolVersion": "5.0",
            "description": "For a register on the store PC itself.",
            "security": secured,
        },
    }


def _channel(each: Publication) -> Json:
    channel: Json = {
        "address": f"{DEFAULT_BASE}/{each.address}",
        "messages": {each.name: {"$ref": f"#/components/messages/{each.name}"}},
    }
    if each.parameters:
        channel["parameters"] = {
            name: {"description": PARAMETERS[name]} for name in each.parameters
        }
    return channel


def _operation(each: Publication) -> Json:
    key = _key(each)
    operation: Json = {
        "action": "receive" if each.sender == "register" else "send",
        "channel": {"$ref": f"#/channels/{key}"},
        "summary": summary(each.model),
        "messages": [{"$ref": f"#/channels/{key}/messages/{each.name}"}],
        "bindings": {
            "mqtt": {"qos": 1, "retain": each.retained, "bindingVersion": _BINDINGS},
        },
    }
    if each.operation:
        answer = f"response_{each.operation.replace('/', '_')}"
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{answer}"},
            "messages": [
                {"$ref": f"#/channels/{answer}/messages/{response_of(each.operation).__name__}"}
            ],
        }
    return operation


def _message(each: Publication) -> Json:
    message: Json = {
        "name": each.name,
        "summary": summary(each.model),
        "contentType": _MEDIA_TYPE,
        "payload": {"$ref": f"#/components/schemas/{each.name}"},
    }
    if each.operation:
        message["correlationId"] = {"location": "$message.payload#/request_id"}
    return message


def _answers(each: Publication) -> bool:
    """A response is the reply of its command's operation, not an operation of its own."""
    return bool(each.operation) and each.sender == "bridge"


def _key(each: Publication) -> str:
    """The channel's name, e.g. `request_payment_start`, `bridge_state`."""
    parts = [part for part in each.address.split("/") if not part.startswith("{")]
    if parts[0] == "registers" and len(parts) > 1 and parts[1] != "state":
        parts = parts[1:]
    return "_".join(parts)


def _action_name(each: Publication) -> str:
    return f"{'receive' if each.sender == 'register' else 'send'}_{_key(each)}"
