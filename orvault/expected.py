"""What a checked value should have been, in words for a person: in place of the checking library's own.

It knows the library's kinds of fault by name only, and says nothing of what was sent: that may hold a password.
"""

from __future__ import annotations

from collections.abc import Mapping

_OBJECT, _LIST = "an object of names and values", "a list"
_WORDS = {
    "missing": "this is needed, and is not there",
    "extra_forbidden": "no such name is known here",
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "enum": "one of {expected}",
    "literal_error": "one of {expected}",
}


def expected(kind: str, context: Mapping[str, object], message: str) -> str:
    """What was expected where the library found a fault of this kind; its own `message` for kinds without a word."""
    if context.get("min_length") == 1:
        return "not empty"
    words = _WORDS.get(kind)
    return message.removeprefix("Value error, ") if words is None else words.format_map(context)
