"""Watermarks from the request to the approved job: fields fixed at submit, images by digest, previews, old rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import event, text, update

from actors.watermarks import check_watermark, marks_of, marks_of_copies
from orvault.clock import US_PER_S, utc_iso
from orvault.container.canonical import to_base64
from orvault.custody import watermark
from orvault.custody.account import Role
from orvault.custody.request import WishChange
from orvault.custody.service import CustodyService
from orvault.custody.terms import Masking, Redaction, Style
from orvault.custody.watermark import ImageMark, Layout, Position
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.tables_exports import requests, watermark_images
from orvault.vision import watermark as painted
from orvault.vision.watermark import Anchor, ImageWatermark, TextWatermark
from orvault.vision.watermark_image import clean_png
from tests.fakes import NOTHING_LEFT, World, cheap_passwords
from tests.unit.api_support import ROOMS_OFFSET_MIN, Api, export_body, is_problem, make_api
from tests.unit.watermark_images import PNG, logo

MANAGER = Role.RECORDS_MANAGER
ALL_FIELDS = "{hospital} {case} {recipient} {request} {time}"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return make_api(tmp_path_factory.mktemp("watermarks"))


def asked(**changes: Any) -> Redaction:
    plain = Redaction(Masking.HEAD, Style.SOLID, "Kim", Position.BOTTOM)
    return replace(plain, **changes)


def kept_image(world: World) -> str:
    return world.custody.add_watermark_image(world.manager, "Seal", clean_png(PNG), (96, 48)).digest


def test_words_and_bounds_are_those_of_the_painter() -> None:
    assert [p.value for p in Position] == [a.value for a in Anchor]
    assert watermark.DRAWN_CHARACTERS == painted.MAX_CHARACTERS
    for ours, theirs in (
        (watermark.TEXT_SIZE_PERMILLE, painted.TEXT_SIZES),
        (watermark.IMAGE_SIZE_PERMILLE, painted.IMAGE_SIZES),
    ):
        assert tuple(size / 1000 for size in ours) == theirs


def test_fields_are_fixed_at_submit(world: World) -> None:
    case = world.recorded_case(number="2026-9")
    wish = world.wish(case, redaction=asked(watermark=ALL_FIELDS))
    made = world.custody.submit_export(world.manager, wish)
    found = world.custody.export(world.manager, made.request_id).wish.redaction
    assert found.drawn == f"서울병원 2026-9 {{recipient}} {made.request_id} {{time}}"
    assert found.for_copy(["Court"]).drawn == f"서울병원 2026-9 Court {made.request_id} {{time}}"
    assert found.watermark == ALL_FIELDS
    (entry,) = world.custody.history(world.officer, act="export-submitted")
    assert found.drawn in entry.detail


def test_everything_that_is_asked_for_reaches_the_job(world: World) -> None:
    layout = Layout(opacity_permille=500, size_permille=40, at_permille=(100, 900))
    image = ImageMark(kept_image(world), Position.TOP, Layout(300, 100, tiled=True))
    redaction = asked(watermark="{time}", layout=layout, utc_offset_min=540, image=image)
    case = world.recorded_case()
    request = world.custody.submit_export(world.manager, world.wish(case, redaction=redaction))
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    assert job.request.wish.redaction == replace(redaction, drawn="{time}")
    below, above = marks_of(job.request.wish.redaction, job.watermark_image)
    assert isinstance(below, ImageWatermark) and (below.bgra[:, :, 3] == logo()[:, :, 3]).all()
    assert (below.opacity, below.size, below.tiled, below.position) == (0.3, 0.1, True, Anchor.TOP)
    assert above == TextWatermark("{time}", Anchor.BOTTOM, 0.5, 0.04, (0.1, 0.9), False, 540)


def test_each_copy_names_its_own_recipient_and_nobody_else(world: World) -> None:
    many = tuple(f"Recipient number {n} with a long name" for n in range(20))  # together they fit no picture
    redaction = asked(watermark="{case} {recipient}", image=ImageMark(kept_image(world)))
    ready = replace(redaction, drawn="2026-9 {recipient}")
    common, own = marks_of_copies(ready, clean_png(PNG), [[name] for name in many])
    assert [type(mark) for mark in common] == [ImageWatermark]
    assert own == [[TextWatermark(f"2026-9 {name}", Anchor.BOTTOM)] for name in many]
    same, nothing = marks_of_copies(replace(ready, drawn="2026-9"), clean_png(PNG), [[name] for name in many])
    assert len(same) == 2 and nothing == [[]] * 20


def test_a_copy_for_all_from_before_has_the_names_it_was_approved_with(world: World) -> None:
    old = asked(watermark="{recipient}", drawn="Court, Family")
    assert marks_of_copies(old, None, [["Court", "Family"]])[0] == [
        TextWatermark("Court, Family", Anchor.BOTTOM)
    ]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"watermark": "{hospital} {nobody}"}, "watermark.text"),
        ({"watermark": "{"}, "watermark.text"),
        ({"watermark": ""}, "watermark.text"),
        ({"layout": Layout(opacity_permille=50)}, "watermark.opacity"),
        ({"layout": Layout(at_permille=(0, 1001))}, "watermark.x, watermark.y"),
        ({"layout": Layout(at_permille=(0, 0), tiled=True)}, "watermark.tiled"),
        ({"utc_offset_min": 841}, "watermark.utc_offset_min"),
        ({"image": ImageMark("../seal")}, "watermark.image.id"),
        ({"image": ImageMark("0" * 64)}, "watermark.image.id"),
    ],
)
def test_what_cannot_be_is_refused_at_submit(world: World, change: dict[str, Any], where: str) -> None:
    wish = world.wish(world.recorded_case(), redaction=asked(**change))
    with pytest.raises(OrvaultError) as caught:
        world.custody.submit_export(world.manager, wish)
    assert caught.value.where == where
    assert "export-submitted" not in world.acts()


def test_a_value_that_cannot_be_drawn_is_refused(world: World) -> None:
    nameless = CustodyService(
        world.ledger.uow, world.clock, world.recorders, world.case_keys, world.renderers, cheap_passwords()
    )
    wish = world.wish(world.recorded_case(), redaction=asked(watermark="{hospital}"))
    with pytest.raises(OrvaultError, match="hospital"):
        nameless.submit_export(world.manager, wish)
    two = (wish.recipients[0], replace(wish.recipients[0], name="n" * 80))
    long = replace(wish, recipients=two, redaction=asked(watermark="{recipient} {recipient}"))
    with pytest.raises(OrvaultError, match="161 characters"):
        world.custody.submit_export(world.manager, long)
    braced = replace(wish.recipients[0], name="a {time}")
    with pytest.raises(OrvaultError, match="recipient"):
        world.custody.submit_export(
            world.manager,
            replace(wish, recipients=(braced,), redaction=asked(watermark="{recipient}")),
        )


def test_requests_from_before_are_read_and_drawn_as_they_were(world: World) -> None:
    request = world.approved(world.recorded_case())
    with world.ledger.engine.connect() as connection:
        connection.execute(update(requests).values(watermark_more=None))
        connection.commit()
    read = world.custody.export(world.manager, request.request_id)
    (mark,) = marks_of(read.wish.redaction, None)
    assert mark == TextWatermark("Hospital 2026-77", Anchor.BOTTOM_RIGHT)


@pytest.mark.parametrize("more", ["", "[]", "{}", '{"drawn": 1}', '{"drawn": "x", "image": 7}'])
def test_a_row_that_nobody_wrote_is_told(world: World, more: str) -> None:
    request = world.approved(world.recorded_case())
    with world.ledger.engine.connect() as connection:
        connection.execute(text("UPDATE requests SET watermark_more = :more"), {"more": more})
        connection.commit()
    with pytest.raises(OrvaultError) as caught:
        world.custody.export(world.manager, request.request_id)
    assert caught.value.kind is ErrorKind.INTERNAL


def test_an_image_that_was_exchanged_in_the_ledger_is_not_drawn(world: World) -> None:
    redaction = asked(image=ImageMark(kept_image(world)))
    wish = world.wish(world.recorded_case(), redaction=redaction)
    request = world.custody.submit_export(world.manager, wish)
    world.custody.approve_export(world.officer, request.request_id)
    with world.ledger.engine.connect() as connection:
        connection.execute(update(watermark_images).values(png=b"another"))
        connection.commit()
    with pytest.raises(OrvaultError) as caught:
        world.custody.claim_render()
    assert caught.value.kind is ErrorKind.ALTERED


def test_an_image_is_kept_once_and_told_to_history(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_image(world) == kept_image(world)
    assert world.acts().count("watermark-image-added") == 1
    assert [image.name for image in world.custody.watermark_images(world.manager)] == ["Seal"]
    monkeypatch.setattr("orvault.custody.desks.watermarks.MAX_IMAGES", 1)
    with pytest.raises(OrvaultError) as caught:
        world.custody.add_watermark_image(world.manager, "Other", b"png", (8, 8))
    assert caught.value.kind is ErrorKind.CONFLICT
    for role in (Role.CLINICAL_STAFF, Role.AUDITOR, Role.SYSTEM_ADMINISTRATOR):
        with pytest.raises(OrvaultError) as caught:
            world.custody.watermark_images(world.accounts[role])
        assert caught.value.kind is ErrorKind.FORBIDDEN


def test_an_image_that_an_open_request_names_is_kept(world: World) -> None:
    digest, case = kept_image(world), world.recorded_case()
    redaction = asked(image=ImageMark(digest))
    wish = world.wish(case, redaction=redaction)
    first = world.custody.submit_export(world.manager, wish)
    world.clock.us += US_PER_S  # ids are in the order of time
    second = world.custody.submit_export(world.manager, wish)
    world.clock.us += US_PER_S
    draft = world.custody.draft_export(world.manager, wish)
    with pytest.raises(OrvaultError) as caught:
        world.custody.remove_watermark_image(world.manager, digest)
    assert caught.value.kind is ErrorKind.CONFLICT
    assert f"Seal is asked for by the open request {first.request_id} and 2 more" in caught.value.message
    world.custody.refuse_export(world.officer, first.request_id, "Not lawful.")
    world.custody.approve_export(world.officer, second.request_id)
    with pytest.raises(OrvaultError, match=second.request_id):
        world.custody.remove_watermark_image(world.manager, digest)
    job = world.claimed()
    world.custody.finish_render(
        job.request.request_id, job.epoch, "p.orvpkg", 1000, "f" * 64, second_look=NOTHING_LEFT
    )
    text_alone = WishChange(watermark=asked())
    world.custody.change_draft(world.manager, draft.request_id, text_alone)
    world.custody.remove_watermark_image(world.manager, digest)
    assert world.custody.watermark_images(world.manager) == []
    assert world.custody.export(world.manager, second.request_id).wish.redaction.image == ImageMark(digest)
    (entry,) = world.custody.history(world.officer, act="watermark-image-removed")
    assert entry.subject == f"watermark-image:{digest}" and '"name":"Seal"' in entry.detail


def test_nothing_is_submitted_with_an_image_that_was_removed_meanwhile(world: World) -> None:
    digest = kept_image(world)
    wish = world.wish(world.recorded_case(), redaction=asked(image=ImageMark(digest)))

    def somebody_removes_it(*_: object) -> None:
        world.custody.remove_watermark_image(world.officer, digest)

    slow = CustodyService(
        world.ledger.uow,
        world.clock,
        world.recorders,
        world.case_keys,
        world.renderers,
        cheap_passwords(),
        check_watermark=somebody_removes_it,
    )
    with pytest.raises(OrvaultError) as caught:
        slow.submit_export(world.manager, wish)
    assert (caught.value.kind, caught.value.where) == (ErrorKind.NOT_FOUND, "watermark.image.id")


def test_a_preview_names_what_is_not_known_yet(world: World) -> None:
    (shown,), _image, _now_us = world.custody.preview_watermark(
        world.manager, asked(watermark=ALL_FIELDS), None, []
    )
    assert shown.drawn.endswith("(case) (recipient) (request) {time}")


def test_images_are_listed_without_their_bytes(world: World) -> None:
    kept_image(world)
    read: list[str] = []
    event.listen(
        world.ledger.engine, "before_cursor_execute", lambda *arguments: read.append(str(arguments[2]))
    )
    assert [image.name for image in world.custody.watermark_images(world.manager)] == ["Seal"]
    assert not any("png" in statement for statement in read) and read


def test_only_who_may_removes_images(world: World) -> None:
    digest = kept_image(world)
    for role in (Role.CLINICAL_STAFF, Role.AUDITOR, Role.SYSTEM_ADMINISTRATOR):
        with pytest.raises(OrvaultError) as caught:
            world.custody.remove_watermark_image(world.accounts[role], digest)
        assert caught.value.kind is ErrorKind.FORBIDDEN
    world.custody.remove_watermark_image(world.officer, digest)
    with pytest.raises(OrvaultError) as caught:
        world.custody.remove_watermark_image(world.officer, digest)
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_a_text_that_does_not_fit_is_refused_for_its_size() -> None:
    redaction = Redaction(Masking.HEAD, Style.SOLID, "W" * 64, Position.TOP)
    with pytest.raises(OrvaultError, match="does not fit"):
        check_watermark(redaction, None, 320, 180)


# --- over HTTP ---


def shown(api: Api, **body: Any) -> np.ndarray:
    answer = api.post("watermark-preview", MANAGER, json=body)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png", answer.text
    return np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED))


def test_a_preview_shows_the_watermark_on_nobodys_picture(api: Api) -> None:
    plain = shown(api, watermark={"text": "가", "opacity": 10}, width=640, height=360)
    assert plain.shape == (360, 640, 3)
    marked = shown(
        api, watermark={"text": ALL_FIELDS, "position": "top", "utc_offset_min": 540}, width=640, height=360
    )
    assert (marked[:60] != plain[:60]).any() and (marked[100:300] == plain[100:300]).all()
    two, first = (
        shown(api, watermark={"text": "{recipient}"}, recipients=names) for names in (["Kim", "Lee"], ["Kim"])
    )
    assert (two == first).all()
    at_place = shown(api, watermark={"text": "Kim", "x": 0, "y": 50}, width=640, height=360)
    assert (at_place[150:210, :120] != plain[150:210, :120]).any()


def test_a_preview_refuses_what_a_request_could_not_have(api: Api) -> None:
    for wrong, kind, status in (
        ({"watermark": {"text": "\U0001f600"}}, "bad-request", 400),
        ({"watermark": {"text": "x"}, "case_id": "unknown"}, "not-found", 404),
        ({"watermark": {"text": "{recipient}"}, "recipients": ["Kim", "\U0001f600"]}, "bad-request", 400),
        ({"watermark": {"text": "x"}, "width": 99_999}, "bad-request", 400),
        ({"watermark": {"text": "", "image": {"id": "0" * 64}}}, "not-found", 404),
    ):
        assert is_problem(api.post("watermark-preview", MANAGER, json=wrong), status, kind)


def test_an_image_is_sent_listed_previewed_and_asked_for(api: Api) -> None:
    sent = api.post("watermark-images", MANAGER, json={"name": "Seal", "png": to_base64(PNG)})
    assert sent.status_code == 201, sent.text
    image = sent.json()
    assert (image["width"], image["height"]) == (96, 48)
    assert [row["id"] for row in api.get("watermark-images", MANAGER).json()] == [image["id"]]
    seal = {"id": image["id"], "position": "centre", "size": 30, "opacity": 100}
    picture = shown(api, watermark={"image": seal})
    assert picture[360, 640] == pytest.approx([40, 40, 220], abs=3)
    case = api.world.recorded_case()
    assert case.armed_us is not None
    period = utc_iso(case.armed_us), utc_iso(api.world.clock.now_us())
    body = export_body(case.case_id, *period, watermark={"text": "{case} {time}", "size": 5, "image": seal})
    made = api.post("exports", MANAGER, json=body).json()
    assert made["watermark"]["utc_offset_min"] == ROOMS_OFFSET_MIN
    assert made["watermark"]["drawn"] == "2026-1 {time}" and made["watermark"]["size"] == 5
    assert made["watermark"]["image"] == seal | {"x": None, "y": None, "tiled": False}
    assert is_problem(api.call("DELETE", f"watermark-images/{image['id']}", MANAGER), 409, "conflict")
    api.post(f"exports/{made['id']}/refuse", Role.PRIVACY_OFFICER, json={"reason": "Not lawful."})
    assert api.call("DELETE", f"watermark-images/{image['id']}", MANAGER).status_code == 204
    assert api.get("watermark-images", MANAGER).json() == []


@pytest.mark.parametrize("png", ["", "%%%", to_base64(b"GIF89a"), to_base64(PNG)[:-8]])
def test_what_is_no_image_is_refused(api: Api, png: str) -> None:
    before = len(api.get("watermark-images", MANAGER).json())
    answer = api.post("watermark-images", MANAGER, json={"name": "Seal", "png": png})
    assert is_problem(answer, 400, "bad-request")
    assert len(api.get("watermark-images", MANAGER).json()) == before
