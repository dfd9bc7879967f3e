"""Identifiers: UUIDs of version 7 (RFC 9562), so that ids sort by the time they were made."""

from __future__ import annotations

import os
import uuid

from orvault.clock import Clock


def new_id(clock: Clock) -> str:
    """A fresh UUIDv7 in its 36-character text form; unguessable in its 74 random bits."""
    value = (clock.now_us() // 1000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
