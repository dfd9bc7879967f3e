"""What is refused, as tests ask for it: the error itself, or a block that must end with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orvault.errors import ErrorKind, OrvaultError


def refusal(act: Callable[..., object], *args: object) -> OrvaultError:
    """The error with which it is refused."""
    with pytest.raises(OrvaultError) as caught:
        act(*args)
    return caught.value


def raises(kind: ErrorKind, words: str = "") -> pytest.RaisesExc[OrvaultError]:
    """A block that ends with an error of this kind, with these words in it."""
    return pytest.raises(OrvaultError, check=lambda error: error.kind is kind and words in str(error))
