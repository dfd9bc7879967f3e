"""The page at /docs: the API's description as plain HTML, made from its OpenAPI document.

No scripts and nothing from elsewhere: operating-room networks have no internet, and the page needs none.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api.middleware import CONTENT_POLICY

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1b2733;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.5rem;border-bottom:1px solid #cdd7e0}
details{border:1px solid #cdd7e0;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f2f5f8;padding:.8rem;overflow:auto;border-radius:6px}
.m{display:inline-block;min-width:4.6rem;font-weight:700}.GET{color:#0b5cad}.POST{color:#1b7f3b}.PUT,.PATCH{color:#8a5a00}.DELETE{color:#a8321f}
.r{float:right;color:#5a6b7b;font-size:.85rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;
text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#12181f;color:#dbe4ec}pre{background:#1c252f}
details,h2{border-color:#34424f}.r{color:#93a5b5}.GET{color:#6fb3f2}.POST{color:#6fce8d}.PUT,.PATCH{color:#e0b15e}.DELETE{color:#f09480}a{color:#6fb3f2}}
"""
_DEEPEST = 12  # of bodies within bodies: a schema may name itself
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def add_docs(app: FastAPI) -> None:
    """Serve the page at /docs."""
    policy = f"{CONTENT_POLICY}; style-src 'sha256-{_STYLE_HASH}'"

    async def show_docs() -> HTMLResponse:
        return HTMLResponse(
            _page(app.openapi(), str(app.openapi_url)), headers={"Content-Security-Policy": policy}
        )

    app.add_api_route("/docs", show_docs, include_in_schema=False)


def _page(document: dict[str, Any], openapi_url: str) -> str:
    info = document["info"]
    schemas = document["components"]["schemas"]
    parts = [
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{escape(info.get('summary', ''))}. Machine-readable: <a href='{escape(openapi_url)}'>OpenAPI</a>.</p>",
        "<p>Sign in with <code>POST /api/v1/session</code>, then send "
        "<code>Authorization: Bearer TOKEN</code>. Failures are problem documents (RFC 9457).</p>",
    ]
    for tag in document.get("tags", []):
        parts.append(f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>")
        for path, operations in document["paths"].items():
            parts += [
                _operation(path, method, operation, schemas)
                for method, operation in operations.items()
                if tag["name"] in operation.get("tags", [])
            ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        + "".join(parts)
        + "</body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    verb = method.upper()
    right = escape(operation.get("x-right", ""))
    head = (
        f"<summary><span class='m {verb}'>{verb}</span><code>{escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}<span class='r'>{right}</span></summary>"
    )
    body = f"<p>{escape(operation.get('description', ''))}</p>"
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", [])
    )
    body += f"<table>{rows}</table>" if rows else ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        body += f"<p>Body, <code>{escape(kind)}</code>:</p>{_example(content.get('schema', {}), schemas)}"
    answers = ""
    for status, answer in operation["responses"].items():
        answers += f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])}</td></tr>"
    body += f"<table>{answers}</table>"
    success = operation["responses"].get("200") or operation["responses"].get("201") or {}
    for content in success.get("content", {}).values():
        body += f"<p>Answer:</p>{_example(content.get('schema', {}), schemas)}"
    return f"<details>{head}{body}</details>"


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    text = json.dumps(_sample(schema, schemas, _DEEPEST), indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>"


def _sample(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> object:
    """A value that looks like the schema: its example, its default, or the name of its type."""
    if depth == 0:
        return "..."
    if "$ref" in schema:
        return _sample(schemas.get(schema["$ref"].rsplit("/", 1)[-1], {}), schemas, depth - 1)
    if schema.get("examples"):
        return schema["examples"][0]
    if isinstance(schema.get("default"), int | float):
        return schema["default"]
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    for way in ("anyOf", "allOf", "oneOf"):
        if way in schema:
            return _sample(schema[way][0], schemas, depth)
    if schema.get("type") == "array":
        return [_sample(schema.get("items", {}), schemas, depth - 1)]
    if "properties" in schema:
        return {name: _sample(part, schemas, depth - 1) for name, part in schema["properties"].items()}
    return schema.get("type", "any")
