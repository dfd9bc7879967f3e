"""What a browser shows at the end of a sign-in through the directory: the code, or what was wrong. No scripts.

Addresses and pages never hold a token: what a page shows is good only together with what the program kept to itself.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from fastapi.responses import HTMLResponse

from api.errors import PROBLEMS
from api.middleware import CONTENT_POLICY
from orvault.custody.throttle import ThrottledError
from orvault.errors import OrvaultError

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1b2733;max-width:38rem;margin:4rem auto;padding:0 1rem}
h1{font-size:1.4rem}code{display:block;font:18px/1.5 ui-monospace,monospace;background:#f2f5f8;padding:.8rem;
border-radius:6px;overflow-wrap:anywhere;user-select:all}
@media(prefers-color-scheme:dark){body{background:#12181f;color:#dbe4ec}code{background:#1c252f}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {"Content-Security-Policy": f"{CONTENT_POLICY}; style-src 'sha256-{_STYLE_HASH}'"}


def code_page(code: str) -> HTMLResponse:
    """The code, to be brought to the program that this person began with."""
    return _page(
        200,
        "Signed in",
        "Type or paste this code into the program in which you began. It is good once, for five minutes.",
        f"<code>{escape(code)}</code>"
        "<p><strong>Give it to nobody.</strong> No one who works here will ask you for it. If you did not begin this "
        "sign-in yourself, close this page.</p>",
    )


def error_page(error: OrvaultError) -> HTMLResponse:
    """What was wrong, and what to do."""
    status, title = PROBLEMS[error.kind]
    page = _page(int(status), title, error.message, f"<p>{escape(error.advice)}</p>")
    if isinstance(error, ThrottledError):
        page.headers["Retry-After"] = str(error.retry_after_s)
    return page


def _page(status: int, title: str, words: str, more: str) -> HTMLResponse:
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>OR Vault: {escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{escape(words)}</p>{more}</body></html>"
    )
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
