"""Examples for the API's document, by a field's name: one value for what stands in many bodies.

What a name does not tell by itself has its example where the field is.
"""

from __future__ import annotations

from typing import Any

_ID = "0193a1c2-7b1e-7d2a-9f60-3a4c5d6e7f80"
_CAMERAS = ["or3-wall", "or3-lamp"]
_DIGEST = "9f" * 32
EXAMPLES: dict[str, object] = {
    "account": "lee.minsu",
    "account_id": _ID,
    "camera_id": _CAMERAS[0],
    "camera_ids": _CAMERAS,
    "case_id": _ID,
    "code": "492039",
    "case_number": "2026-OR3-0412",
    "digest": _DIGEST,
    "display_name": "Lee Minsu",
    "document": "Consent form 12 of 2026-11-20",
    "document_number": "2026-1234",
    "document_sha256": _DIGEST,
    "grant_type": "password",
    "id": _ID,
    "image": _ID,
    "mail": "lee.minsu@hospital.example",
    "name": "Lee Minsu",
    "new_password": "seven plain words nobody else would choose",
    "old_password": "the one that was given to me",
    "package_id": _ID,
    "participant": "Lee Minsu",
    "password": "seven plain words nobody else would choose",
    "patient_reference": "20264711",
    "png": "iVBORw0KGgo...",
    "proceedings_number": "Mediation 2026-88",
    "proof": "q83vEjRWeJA...",
    "purpose": "Evidence in the proceedings 2026-1234",
    "raw": "mZk3o0lT1wE...",
    "reason": "The patient withdrew the request.",
    "remark": "The door on the left could be cut off.",
    "request_id": _ID,
    "room": "OR 3",
    "scan_id": _ID,
    "signal_id": _ID,
    "terms": "For the proceedings named above, and for nothing else.",
    "totp": "492039",
    "track": "1.1",
    "username": "lee.minsu",
}
# Ends of periods: every time has the same example, and a period with it at both ends is none.
_ENDS = {
    "to": "2026-11-22T19:10:00+09:00",
    "until": "2026-12-22T18:30:00+09:00",
    "valid_until": "2026-12-22T18:30:00+09:00",
    "expires_at": "2027-11-01T00:00:00+09:00",
}


def add_examples(schemas: dict[str, Any]) -> None:
    """Give fields of the document's bodies that have no example of their own that of their name."""
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            if name in EXAMPLES and "examples" not in field and _holds_text(field):
                field["examples"] = [EXAMPLES[name]]
            elif name in _ENDS:
                field["examples"] = [_ENDS[name]]


def _holds_text(field: dict[str, Any]) -> bool:
    kinds = field.get("anyOf", [field])
    return any(_is_text(kind) or (kind.get("type") == "array" and _is_text(kind["items"])) for kind in kinds)


def _is_text(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "string" and "enum" not in schema and schema.get("format") != "date-time"
