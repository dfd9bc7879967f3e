"""The settings of masking: detection, and what is always masked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orvault.errors import OrvaultError
from orvault.vision.coco import CLASSES
from orvault.vision.modes import MAX_MARGIN, FixedRegion
from orvault.vision.site import SiteMasking


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VisionSettings(_Part):
    """Detection."""

    provider: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where people are looked for. cuda: anything else is an error."
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        le=32,
        description="Most looks that one detection actor takes together; unset: 8 on a card, 1 on the processor.",
    )
    models: Path = Field(default=Path("models"), description="The folder of ONNX weights and SHA256SUMS.")
    actors: int = Field(default=1, ge=1, le=64, description="How many detection actors.")
    threads: int = Field(default=2, ge=1, le=64, description="CPU threads of each.")


class RegionSettings(_Part):
    """A part of one camera's picture that is always masked: a whiteboard, a screen, the operating table."""

    camera: str = Field(description="The camera's id.")
    name: str = Field(min_length=1, max_length=40, description="What it is, for people.")
    corners: tuple[tuple[float, float], ...] = Field(
        description="In percent from the top left: two opposite corners of a rectangle, or those of a polygon, one"
        " after the other round it."
    )

    @model_validator(mode="after")
    def _inside(self) -> Self:
        try:
            self.region()
        except OrvaultError as error:
            raise ValueError(error.message) from None
        return self

    def region(self) -> FixedRegion:
        """For masking."""
        return FixedRegion(self.name, self.corners)


class MaskingSettings(_Part):
    """What is masked in every export, besides people."""

    margin: float = Field(
        default=0.12,
        ge=0,
        le=MAX_MARGIN,
        description="How much larger masks are, each side; share of their size.",
    )
    objects: tuple[str, ...] = Field(
        default=(), description="Classes of objects to mask too: tv, laptop, cell phone ... (COCO's names)."
    )
    regions: tuple[RegionSettings, ...] = ()

    @field_validator("objects")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(names) - set(CLASSES[1:])):
            raise ValueError(
                f"no objects of the class {unknown[0]!r} can be found; known: {', '.join(CLASSES[1:])}"
            )
        return names

    def check_cameras(self, known: Iterable[str]) -> None:
        """ValueError for a region of a camera that is not there: it would leave something clear."""
        if unknown := sorted({region.camera for region in self.regions} - set(known)):
            raise ValueError(f"masking: regions name cameras that are not there: {', '.join(unknown)}")

    def site(self) -> SiteMasking:
        """For the actors."""
        fixed: dict[str, tuple[FixedRegion, ...]] = {}
        for region in self.regions:
            fixed[region.camera] = (*fixed.get(region.camera, ()), region.region())
        return SiteMasking(fixed, frozenset(self.objects), self.margin)
