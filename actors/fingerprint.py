"""One value that changes when what an actor is made of changes: class, arguments, place, the program's version.

Secrets are no part of it: actors are given the names of the files that hold them. It is compared, never shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import FunctionType

from orvault import __version__


def fingerprint(*parts: object) -> str:
    """SHA-256 (hex) over these parts and the version; the same in every process. Parts are what can be pickled."""
    told = json.dumps([__version__, *(_told(part) for part in parts)])
    return hashlib.sha256(told.encode()).hexdigest()


def _told(value: object) -> object:
    """The value in JSON, types included, so that 1, "1" and a path "1" differ."""
    name = _name(type(value))
    if isinstance(value, PurePath | bytes | Enum):
        return [name, str(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return [name, repr(value)]
    if isinstance(value, list | tuple):
        return ["list", *map(_told, value)]
    if isinstance(value, Mapping):
        return ["map", *sorted(([_told(key), _told(each)] for key, each in value.items()), key=json.dumps)]
    if isinstance(value, Set):
        return ["set", *sorted(map(_told, value), key=json.dumps)]
    if isinstance(value, partial):
        return ["partial", _told(value.func), _told(value.args), _told(value.keywords)]
    if isinstance(value, type | FunctionType):
        return ["name", _name(value)]
    return [name, _told(value.__getstate__())]


def _name(what: type | FunctionType) -> str:
    return f"{what.__module__}.{what.__qualname__}"
