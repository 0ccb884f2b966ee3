"""What is kept of a visitor's address: as much as the setting says, and the visitor's, not a proxy's."""

from __future__ import annotations

import pytest

from app.web.visitors import remote_address
from ws.clients import Kept, address


@pytest.mark.parametrize(
    ("remote", "kept", "expected"),
    [
        ("203.0.113.77", "off", None), ("203.0.113.77", "full", "203.0.113.77"),
        ("203.0.113.77", "truncated", "203.0.113.0"), ("2001:db8:1:2::3", "truncated", "2001:db8:1::"),
        ("", "full", None), ("unix:", "full", None),
    ],
)  # fmt: skip
def test_an_address_is_kept_as_far_as_the_setting_says(remote: str, kept: Kept, expected: str | None) -> None:
    assert address(remote, kept) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"REMOTE_ADDR": "203.0.113.7"}, "203.0.113.7"),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.1, 203.0.113.7"}, "203.0.113.7"),
        ({"REMOTE_ADDR": "203.0.113.7", "HTTP_X_FORWARDED_FOR": "198.51.100.1"}, "203.0.113.7"),
        ({}, ""),
    ],
)
def test_a_proxy_on_this_machine_is_believed_and_nobody_else(environ: dict[str, str], expected: str) -> None:
    assert remote_address(environ) == expected
