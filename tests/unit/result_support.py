"""Results that wait for those who took part, as tests make, watch and read them."""

from __future__ import annotations

import json

from orvault.custody.account import Account, Role
from orvault.custody.request import ExportRequest
from orvault.custody.scope import SITE, Scope
from orvault.custody.second_look import SecondLook
from orvault.custody.service import OpenedView
from tests.fakes import NOTHING_LEFT, PASSWORD, World, consents_of

PAPER = "cd" * 32


def submitted_wish(world: World) -> ExportRequest:
    wish = world.wish(world.recorded_case(), basis=consents_of("Lee", "Park"))
    return world.custody.submit_export(world.manager, wish)


def made_result(world: World, request: ExportRequest, look: SecondLook = NOTHING_LEFT) -> ExportRequest:
    """Approved and rendered."""
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    path = f"{job.request.package_id}-{job.epoch}.orvault"
    world.custody.finish_render(request.request_id, job.epoch, path, 10, "f" * 64, second_look=look)
    return world.custody.export(world.officer, request.request_id)


def asked_of(world: World, *names: str, look: SecondLook = NOTHING_LEFT) -> ExportRequest:
    """A request in review, about whose result these were asked."""
    request = submitted_wish(world)
    for name in names:
        world.custody.ask_participant(world.manager, request.request_id, name, f"{name}@hospital.test")
    return made_result(world, request, look)


def clinician(world: World, name: str, *scopes: Scope) -> Account:
    login = f"{name.lower()}.{len(scopes)}"
    return world.custody.create_account(None, login, name, Role.CLINICAL_STAFF, PASSWORD, scopes or (SITE,))


def watch_result(world: World, by: Account, request: ExportRequest, camera: str = "or1-wall") -> OpenedView:
    return world.custody.ask_result(by, "s-1", request.request_id, camera)


def as_it_is_now(world: World, request: ExportRequest) -> ExportRequest:
    return world.custody.export(world.officer, request.request_id)


def last_told(world: World, act: str) -> dict[str, object]:
    entries = world.custody.history(world.accounts[Role.AUDITOR], limit=200, act=act)
    return dict(json.loads(entries[0].detail))
