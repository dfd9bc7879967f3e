"""The page of one view: a plain `<video>`, one script (view.js), nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path

from fastapi.responses import HTMLResponse

_SCRIPT = Path(__file__).with_name("view.js").read_text(encoding="utf-8")
_STYLE = """
body{margin:0;background:#000;color:#dbe4ec;font:16px/1.5 system-ui,sans-serif;display:flex;flex-direction:column;
height:100vh}video{flex:1;min-height:0;width:100%;background:#000}p{margin:.4rem 1rem}
body[data-showing=masked][data-kind=live] video{image-rendering:pixelated}
"""


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# The script talks to the server that the page came from, and plays what it hands to the browser itself (blob:).
_POLICY = (
    f"default-src 'none'; script-src '{_digest(_SCRIPT)}'; style-src '{_digest(_STYLE)}'; media-src blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def view_page(kind: str, mime: str = "") -> HTMLResponse:
    """The page of a live or a stored view; `mime` is what a stored one's segments are."""
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>OR Vault view</title>"
        f"<style>{_STYLE}</style></head><body data-kind='{escape(kind)}' data-mime='{escape(mime)}'>"
        "<video muted autoplay playsinline disablepictureinpicture></video><p>Connecting.</p>"
        f"<script>{_SCRIPT}</script></body></html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
