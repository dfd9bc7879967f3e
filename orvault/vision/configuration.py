"""One digest of everything that decides what is masked: two runs with the same digest mask the same pictures alike.

It stands in the figures of benchmarks, so that quality and speed are those of one configuration.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path

from orvault.vision.detector import DetectorProfile
from orvault.vision.following import FollowRules
from orvault.vision.modes import MaskPolicy
from orvault.vision.pieces import FOLLOWING
from orvault.vision.session import SUMS_FILE


def configuration_digest(
    policy: MaskPolicy, profile: DetectorProfile, models: Path, rules: FollowRules | None = None
) -> str:
    """The first 16 hexadecimal digits of a SHA-256 over policy, detection, tracking and the models' sums."""
    parts = [_plain(part) for part in (policy, profile, rules or FollowRules(), FOLLOWING)]
    parts.append((models / SUMS_FILE).read_text(encoding="ascii").split())
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.value if isinstance(value, Enum) else value
