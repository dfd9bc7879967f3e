"""Identifiers: UUIDs of version 7 (RFC 9562), so that ids sort by the time they were made."""

from __future__ import annotations

import os
import uuid

from orvault.clock import Clock


def new_id(clock: Clock) -> str:
    """A fresh UUIDv7 in its 36-character text form, sorting to the microsecond; 62 bits of it are random.

    Sub-millisecond time stands in the first random field, as RFC 9562 section 6.2, method 3, allows.
    """
    ms, us = divmod(clock.now_us(), 1000)
    value = (ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (us * 4096 // 1000) << 64
    value |= 0x2 << 62 | int.from_bytes(os.urandom(8), "big") >> 2
    return str(uuid.UUID(int=value))
