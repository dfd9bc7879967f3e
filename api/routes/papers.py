"""Requests on paper: the form of one, and the register that the law asks for."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.guard import guarded
from api.routes.history import PdfResponse
from api.services import CallerHere, ServicesHere
from api.types import FromTime, ObjectId, PaperLanguage, ToTime
from orvault.custody.access import Right
from orvault.custody.desks.registers import accounts_in
from orvault.errors import ErrorKind
from orvault.papers.language import Language
from orvault.papers.requests import request_form, request_register

router = APIRouter(tags=["Exports"])


@router.get(
    "/exports/{request_id}/form",
    summary="Print a request's form",
    response_class=PdfResponse,
    **guarded(Right.EXPORT_VIEW, ErrorKind.NOT_FOUND),
)
def print_form(
    services: ServicesHere,
    caller: CallerHere,
    request_id: ObjectId,
    language: PaperLanguage = Language.KOREAN,
) -> PdfResponse:
    """What is asked for, on which ground, with whose consents, and what became of it (PDF), to be signed."""
    form = services.custody.request_form(caller.account, request_id)
    names = services.custody.account_names(accounts_in([form.request]))
    return PdfResponse(request_form(form, names, language))


@router.get(
    "/request-register",
    summary="Print the register of requests",
    response_class=PdfResponse,
    **guarded(Right.EXPORT_VIEW),
)
def print_register(
    services: ServicesHere,
    caller: CallerHere,
    from_: FromTime = None,
    to: ToTime = None,
    language: PaperLanguage = Language.KOREAN,
) -> PdfResponse:
    """Every request that was submitted in a period (all so far, when left out), and how it was answered (PDF)."""
    register = services.custody.request_register(caller.account, from_, to)
    names = services.custody.account_names(accounts_in(register.requests))
    return PdfResponse(request_register(register, names, language))
