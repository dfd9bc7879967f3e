"""What a site always masks, whoever asks for what: fixed regions of its cameras, classes of objects, the margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orvault.vision.modes import FixedRegion, MaskMode, MaskPolicy, MaskStyle


@dataclass(frozen=True)
class SiteMasking:
    """`fixed` regions by camera; `objects` as in `MaskPolicy`; `margin` None: the policy's own."""

    fixed: Mapping[str, tuple[FixedRegion, ...]] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    margin: float | None = None

    def policy(self, camera_id: str, mode: MaskMode, style: MaskStyle) -> MaskPolicy:
        """The policy of one camera. BAD_REQUEST if the margin is not possible."""
        fixed = self.fixed.get(camera_id, ())
        if self.margin is None:
            return MaskPolicy(mode, style, fixed=fixed, objects=self.objects)
        return MaskPolicy(mode, style, self.margin, fixed, self.objects)
