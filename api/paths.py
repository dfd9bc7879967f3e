"""Addresses of the API that others must know too. Whoever needs only these loads no web framework."""

from __future__ import annotations

PREFIX = "/api/v1"
DIRECTORY = "/session/directory"
DIRECTORY_CALLBACK = f"{DIRECTORY}/callback"  # where the hospital's directory sends people back to
