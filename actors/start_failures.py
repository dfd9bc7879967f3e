"""What an actor's constructor raised, through the text that Ray keeps of it.

Ray gives an actor up for good when its constructor fails, and keeps only the error's text.
"""

from __future__ import annotations

import json
import re

from orvault.errors import ErrorKind, OrvaultError

_TOLD = "\x02orvault\x03"  # marks our own words inside that text
_IMPORTS = ("ImportError", "ModuleNotFoundError")


def told(error: OrvaultError) -> str:
    """An error of ours as such a text, in full."""
    return f"{_TOLD}{json.dumps([error.kind, error.message, error.where, error.advice])}{_TOLD}"


def start_failure(name: str, trace: str, in_constructor: bool) -> OrvaultError:
    """The error of ours in the text of the actor `name`, as it was; else UNAVAILABLE, with kind and place of what was
    raised `in_constructor`.
    """
    parts = trace.split(_TOLD)
    if len(parts) > 1:
        kind, message, where, advice = json.loads(parts[1])
        return OrvaultError(ErrorKind(kind), message, where=where, advice=advice)
    if in_constructor:
        return OrvaultError(ErrorKind.UNAVAILABLE, f"{name} could not start: {_unforeseen(trace)}.")
    return OrvaultError(ErrorKind.UNAVAILABLE, f"{name} died or is being restarted.")


def _unforeseen(trace: str) -> str:
    """What a trace ends with, and where it was raised. Its words may hold a secret: only an import's are shown."""
    places = re.findall(r'^ *File "(.+)", line (\d+), in', trace, re.MULTILINE)
    errors = re.findall(r"^([A-Za-z_][\w.]*)(?:: (.*))?$", trace, re.MULTILINE)
    kind, words = errors[-1] if errors else ("an error without a name", "")
    said = f" ({words.rstrip('.')})" if kind in _IMPORTS else ""
    place = f" at {places[-1][0]}, line {places[-1][1]}" if places else ""
    return f"{kind}{said}{place}"
