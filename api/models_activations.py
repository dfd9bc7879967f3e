"""Bodies of on-line activation; their fields are those of package-v1, section 6."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.models_wishes import PublicKeyIn
from api.types import Model
from orvault.container.activation import PROOF_BYTES, ActivationAnswer, ActivationRequest
from orvault.container.canonical import Fields
from orvault.container.keys import PublicKey
from orvault.errors import ErrorKind


class ActivationQuestionIn(Model):
    """What a player asks."""

    ephemeral: PublicKeyIn = Field(description="Made for this question; the answer is sealed to it.")
    package_id: Annotated[str, Field(max_length=128)]
    proof: Annotated[
        str, Field(max_length=64, description="HMAC-SHA256 under the package's proof key, base64.")
    ]

    def request(self) -> ActivationRequest:
        """As custody takes it; BAD_REQUEST for what is no question."""
        fields = Fields(self.model_dump(), "activation", ErrorKind.BAD_REQUEST)
        return ActivationRequest(
            fields.identifier("package_id"),
            PublicKey.from_json(fields.take("ephemeral")),
            fields.data("proof", PROOF_BYTES),
        )


class ActivationAnswerOut(Model):
    """The hospital's half, sealed to who asked."""

    plays_left: int | None = Field(description="How often the package may still be opened; null: any number.")
    sealed: str = Field(description="HPKE: encapsulated secret and ciphertext, base64.")
    until_us: int = Field(description="Microseconds since 1970 (UTC); past it the half is not used any more.")

    @classmethod
    def of(cls, answer: ActivationAnswer) -> ActivationAnswerOut:
        """From the container's."""
        return cls.model_validate(answer.to_json())
