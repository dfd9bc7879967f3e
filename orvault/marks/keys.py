"""The keys of a mark: from the site's mark key to what paints one camera's pictures of one copy.

The site's mark key lies in the key store (container.keystore); how keys become signs is `chips`.
Source: docs/format/mark-v1.md, section 2.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

_CONTEXT = "orvault/mark/v1"


@dataclass(frozen=True)
class MarkKey:
    """What paints one camera's pictures of one copy; it neither makes nor reads another copy's mark."""

    template: bytes = field(repr=False)
    code: bytes = field(repr=False)


def template_key(site_key: bytes, camera_id: str) -> bytes:
    """The key of what all copies of a camera have in common: it shows where the picture's cells lie."""
    return _derived(site_key, "template", camera_id)


def code_key(site_key: bytes, copy_id: str, camera_id: str) -> bytes:
    """The key of what one copy has alone, in the pictures of one camera."""
    return _derived(site_key, "code", copy_id, camera_id)


def mark_key(site_key: bytes, copy_id: str, camera_id: str) -> MarkKey:
    """Both halves."""
    return MarkKey(template_key(site_key, camera_id), code_key(site_key, copy_id, camera_id))


def _derived(site_key: bytes, *names: str) -> bytes:
    # Identifiers hold no line break, so no two lists of names give the same text.
    return hmac.digest(site_key, "\n".join((_CONTEXT, *names)).encode(), "sha256")
