"""What was expected is said in words for a person, of a request's body and of the settings alike."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orvault.expected import expected


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = Field(ge=1, le=9)
    name: str = Field(max_length=3, pattern="^[a-z]*$")
    kind: Literal["a", "b"] = "a"
    names: tuple[str, ...] = Field(default=(), min_length=1, max_length=1)
    on: bool = True


GOOD: dict[str, Any] = {"number": 1, "name": "abc"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": 0}, "1 or more"),
        ({"number": 10}, "9 or less"),
        ({"number": "x"}, "a whole number"),
        ({"number": 1.5}, "a whole number"),
        ({"name": "abcd"}, "at most 3 characters"),
        ({"name": "A"}, "a text of the form ^[a-z]*$"),
        ({"name": 3}, "a text"),
        ({"kind": "c"}, "one of 'a' or 'b'"),
        ({"names": "x"}, "a list"),
        ({"names": []}, "not empty"),
        ({"names": ["x", "y"]}, "at most 1 entries"),
        ({"on": "perhaps"}, "true or false"),
        ({"more": 1}, "no such name is known here"),
    ],
)
def test_faults_in_plain_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Model(**(GOOD | change))
    (fault,) = caught.value.errors()
    assert expected(fault["type"], fault.get("ctx", {}), fault["msg"]) == words


def test_what_is_missing_and_what_no_word_is_for() -> None:
    with pytest.raises(ValidationError) as caught:
        _Model.model_validate({"name": "a"})
    (fault,) = caught.value.errors()
    assert expected(fault["type"], {}, fault["msg"]) == "this is needed, and is not there"
    assert expected("value_error", {}, "Value error, no day has 25 hours") == "no day has 25 hours"
