"""What Mosquitto is told is what the documents show; passwords are hashed as its own tool does."""

from __future__ import annotations

import base64
from pathlib import Path

from bridge.cli.mosquitto import (
    Listeners,
    access_list,
    configuration,
    password_file,
    password_line,
    users,
)
from bridge.register.api.topics import DEFAULT_BASE

DOCS = Path(__file__).parents[3] / "docs"
# By `mosquitto_passwd -b` 2.0.11, of user till-1 with password "a secret".
BY_ITS_OWN_TOOL = (
    "till-1:$7$101$oIdGJnXfg/fQxO6S$"
    "gul4tb2wkbDiKpk5f43AK2qomu/hf/ZfPjwCtz0R+suQv8pxMgr7iapuHLbuVzr7JxJLoaHIgE+kqNk0SOY/fA=="
)


def test_the_guide_shows_the_access_list_and_the_configuration_that_are_written() -> None:
    guide = (DOCS / "mqtt" / "reference.md").read_text()
    assert access_list(DEFAULT_BASE) in guide
    assert configuration(Listeners(1883, 8883), Path("/etc/mosquitto/paybridge")) in guide


def test_a_password_is_hashed_as_mosquittos_own_tool_does() -> None:
    salt = base64.b64decode(BY_ITS_OWN_TOOL.split("$")[3])
    assert password_line("till-1", "a secret", salt) == BY_ITS_OWN_TOOL


def test_a_password_file_is_read_and_written_by_user() -> None:
    lines = users("till-2:$7$x\n\nnonsense\ntill-1:$7$y\n")
    assert set(lines) == {"till-1", "till-2"}
    assert password_file(lines) == "till-1:$7$y\ntill-2:$7$x\n"


def test_another_base_topic_is_the_only_one_that_is_granted() -> None:
    assert "paybridge/v1" not in access_list("shop/7")
    assert "pattern write shop/7/registers/%u/request/#" in access_list("shop/7")
