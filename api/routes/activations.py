"""On-line activation, for players and without an account; the proof is in the question (package-v1, section 6)."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.models_activations import ActivationAnswerOut, ActivationQuestionIn
from api.routes.guard import public
from api.services import ServicesHere, client_of
from orvault.errors import ErrorKind

router = APIRouter(tags=["Activation"])


@router.post(
    "/activations",
    summary="Activate a package",
    **public(
        ErrorKind.NOT_ACTIVATED,
        ErrorKind.NOT_YET_VALID,
        ErrorKind.EXPIRED,
        ErrorKind.DESTROYED,
        ErrorKind.TOO_MANY_ATTEMPTS,
    ),
)
def activate_package(
    request: Request, services: ServicesHere, body: ActivationQuestionIn
) -> ActivationAnswerOut:
    """Lend the hospital's half of a package's key to a player that shows that it has the recipients' half.

    Counted as one play; the same question sent again gets the same answer until that ends, and is not counted.
    An unknown package and a wrong proof are answered alike; failures make the next question wait.
    """
    return ActivationAnswerOut.of(services.custody.activate(body.request(), client_of(request)))
