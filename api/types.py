"""Times and identifiers as the API takes and gives them: RFC 3339 with an offset outside, microseconds inside."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from orvault.clock import from_iso, utc_iso
from orvault.custody.text import MAX_TIME_US
from orvault.papers.language import Language

_EXAMPLE = "2026-11-22T18:30:00+09:00"
_LONGEST = 40


def _read_time(value: object) -> int:
    # The text itself is never repeated in the answer: nothing that was sent is.
    wrong = PydanticCustomError("time", "a time with its offset from UTC, such as " + _EXAMPLE)
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isascii():
        raise wrong
    try:
        us = from_iso(value)
    except (ValueError, OverflowError) as error:
        raise wrong from error
    if not 0 <= us <= MAX_TIME_US:
        raise PydanticCustomError("time", "a time between 1970 and 2200")
    return us


_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]})
TimeIn = Annotated[int, BeforeValidator(_read_time), _SCHEMA]
TimeOut = Annotated[int, PlainSerializer(utc_iso, return_type=str, when_used="always"), _SCHEMA]

ObjectId = Annotated[str, Path(max_length=64, description="The object's identifier.")]
Limit = Annotated[int, Query(ge=1, le=200, description="At most so many rows.")]
Before = Annotated[str, Query(max_length=64, description="Continue from before this id (the last one seen).")]
OfCase = Annotated[str | None, Query(max_length=64, description="Of this case only.")]
FromTime = Annotated[
    TimeIn | None, Query(alias="from", description="Inclusive; left out: from the first on.")
]
PaperLanguage = Annotated[Language, Query(description="Of the paper.")]
ToTime = Annotated[TimeIn | None, Query(description="Exclusive; left out: to the last.")]


class Model(BaseModel):
    """Base of all bodies: unknown fields are refused, so that a misspelt one is not silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
