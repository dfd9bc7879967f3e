"""Drafts of export requests: kept incomplete, changed by their owner, checked at the submit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from orvault.clock import utc_iso
from orvault.container.keys import Recipient
from orvault.custody.account import Role
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.request import RequestState, WishChange
from orvault.custody.terms import DAY_US, DEFAULT_TERMS
from orvault.errors import ErrorKind
from tests.fakes import KEY, World
from tests.refusals import raises
from tests.unit.api_support import export_body, is_problem, make_api


def _bare(world: World) -> Any:
    wish = world.wish(world.recorded_case(), purpose="", recipients=(), basis=LegalBasis(BasisKind.COURT))
    return replace(wish, redaction=replace(wish.redaction, watermark=""))


def test_incomplete_draft_is_completed_and_submitted(world: World) -> None:
    draft = world.custody.draft_export(world.manager, _bare(world))
    assert draft.state is RequestState.DRAFT
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.submit_draft(world.manager, draft.request_id)
    change = WishChange(
        purpose="Proceedings",
        recipients=(Recipient("Court", KEY.public(), None, None),),
        watermark=replace(draft.wish.redaction, watermark="{request}"),
    )
    world.custody.change_draft(world.manager, draft.request_id, change)
    with raises(ErrorKind.BASIS_MISSING):
        world.custody.submit_draft(world.manager, draft.request_id)
    order = WishChange(basis=LegalBasis(BasisKind.COURT, "2026-77"))
    world.custody.change_draft(world.manager, draft.request_id, order)
    world.clock.us += DAY_US
    world.custody.submit_draft(world.manager, draft.request_id)
    read = world.custody.export(world.officer, draft.request_id)
    assert (read.state, read.wish.purpose, read.wish.terms) == (
        RequestState.SATISFIED,
        "Proceedings",
        DEFAULT_TERMS,
    )
    assert read.wish.redaction.drawn == draft.request_id
    assert (read.requested_us, read.validity.from_us) == (world.clock.us, world.clock.us)
    assert world.acts()[-5:] == [
        "export-drafted",
        "export-draft-changed",
        "export-draft-changed",
        "export-submitted",
        "basis-satisfied",
    ]
    world.custody.approve_export(world.officer, draft.request_id)


def test_change_leaves_out_what_it_does_not_name(world: World) -> None:
    draft = world.custody.draft_export(world.manager, world.wish(world.recorded_case()))
    cameras = WishChange(camera_ids=("or1-lamp", "or1-wall"))
    world.custody.change_draft(world.manager, draft.request_id, cameras)
    read = world.custody.export(world.manager, draft.request_id)
    assert read.wish == replace(draft.wish, camera_ids=("or1-lamp", "or1-wall"))


def test_draft_belongs_to_its_owner_until_it_is_submitted(world: World) -> None:
    draft = world.custody.draft_export(world.manager, world.wish(world.recorded_case()))
    other = world.account(Role.RECORDS_MANAGER, "second-manager")
    for stranger, kind in ((world.officer, ErrorKind.FORBIDDEN), (other, ErrorKind.NOT_FOUND)):
        with raises(kind):
            world.custody.change_draft(stranger, draft.request_id, WishChange(purpose="mine"))
        with raises(kind):
            world.custody.submit_draft(stranger, draft.request_id)
    with raises(ErrorKind.CONFLICT):
        world.custody.approve_export(world.officer, draft.request_id)
    world.custody.submit_draft(world.manager, draft.request_id)
    with raises(ErrorKind.CONFLICT):
        world.custody.change_draft(world.manager, draft.request_id, WishChange(purpose="too late"))
    with raises(ErrorKind.CONFLICT):
        world.custody.submit_draft(world.manager, draft.request_id)


def test_forgotten_draft_expires(world: World) -> None:
    draft = world.custody.draft_export(world.manager, _bare(world))
    world.clock.us += 31 * DAY_US
    assert world.custody.expire_due() == 1
    assert world.custody.export(world.manager, draft.request_id).state is RequestState.EXPIRED


def test_unknown_camera_is_refused_in_a_draft_too(world: World) -> None:
    wish = replace(_bare(world), camera_ids=("or9-wall",))
    with raises(ErrorKind.NOT_FOUND):
        world.custody.draft_export(world.manager, wish)


def test_over_http(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    case = api.world.recorded_case()
    assert case.armed_us is not None
    body = export_body(case.case_id, utc_iso(case.armed_us), utc_iso(api.world.clock.now_us()))
    for name in ("purpose", "recipients", "watermark"):
        del body[name]
    made = api.post("exports/drafts", Role.RECORDS_MANAGER, json=body)
    assert (made.status_code, made.json()["state"]) == (201, "draft")
    path = f"exports/{made.json()['id']}"
    change = {
        "purpose": "Proceedings",
        "recipients": [{"name": "Court", "password": "a-long-password"}],
        "watermark": {"text": "Hospital"},
        "masking": {"mode": "body", "style": "mosaic"},
    }
    changed = api.call("PATCH", path, Role.RECORDS_MANAGER, json=change)
    assert changed.status_code == 200, changed.text
    again = api.call("PATCH", path, Role.RECORDS_MANAGER, json={"watermark": {"text": "Seoul"}}).json()
    assert (again["masking"]["mode"], again["watermark"]["text"]) == ("body", "Seoul")
    submitted = api.post(f"{path}/submit", Role.RECORDS_MANAGER)
    assert (submitted.status_code, submitted.json()["state"]) == (200, "satisfied")
    late = api.call("PATCH", path, Role.RECORDS_MANAGER, json=change)
    assert is_problem(late, 409, "conflict")
