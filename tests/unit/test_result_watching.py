"""A masked result over real sockets: rendered, kept sealed, opened piece by piece for a participant, and removed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from sqlalchemy import update

from actors import render_pieces
from actors.export import ExportActor
from actors.result_pieces import LIST
from api.models_viewing import ViewOut
from orvault.container.keys import Recipient
from orvault.custody.account import Account, Role
from orvault.custody.request import ExportRequest
from orvault.custody.scope import SITE
from orvault.custody.steps import RequestState
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.tables_exports import requests
from orvault.video.codec import Image
from tests.fakes import PASSWORD
from tests.unit.container_support import recipient_key
from tests.unit.test_actors_export import HEAD, INSIDE
from tests.viewing_support import LOOPBACK, Cinema, cinema

SEGMENTS = 3


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cinema]:
    monkeypatch.setattr(
        render_pieces, "PIECE_S", 8
    )  # over two copies: a piece of two segments, and one of one
    monkeypatch.setattr(render_pieces, "LEAST_PIECE_S", 4)
    with cinema(tmp_path) as made:
        made.site.detection.finds = lambda _picture: [HEAD]
        yield made


def _in_review(house: Cinema) -> tuple[ExportRequest, Account, ExportActor]:
    """A rendered request about whose result Lee is asked, and the worker that made it."""
    custody, case = house.world.custody, house.site.record(count=SEGMENTS)
    begin, end = house.span(case)
    recipients = (Recipient("Court", recipient_key().public(), None, None),)
    wish = house.world.wish(case, recipients=recipients, from_us=begin, to_us=end)
    request = custody.submit_export(house.world.manager, wish)
    custody.ask_participant(house.world.manager, request.request_id, "Lee")
    custody.approve_export(house.world.officer, request.request_id)
    worker = house.site.worker()
    worker.work_off()
    with (
        house.world.ledger.engine.begin() as connection
    ):  # it was recorded by another clock than the server's
        connection.execute(update(requests).values(valid_until_us=1 << 52))
    made = custody.export(house.world.officer, request.request_id)
    assert made.state is RequestState.REVIEW, made.failure
    lee = custody.create_account(None, "lee", "Lee", Role.CLINICAL_STAFF, PASSWORD, (SITE,))
    return made, lee, worker


def _watched(house: Cinema, request: ExportRequest, lee: Account) -> ViewOut:
    return house.told(house.custody.ask_result(lee, "s-1", request.request_id, "or1-wall", LOOPBACK))


def _get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=30)


def _pictures(view: ViewOut, number: int) -> list[Image]:
    answer = _get(f"{view.url}{number}.m4s")
    assert answer.status_code == 200, answer.text
    with av.open(io.BytesIO(_get(f"{view.url}init.mp4").content + answer.content), format="mp4") as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def _is_mosaic(picture: Image) -> bool:
    """Sixteen columns of one colour in each cell: within cells, on the mean, no more than the coder's traces."""
    height, width = picture.shape[:2]
    rows = round(16 * height / width)
    cells = picture[: height // rows * rows, : width // 16 * 16].astype(np.float64)
    cells = cells.reshape(rows, height // rows, 16, width // 16, 3)[:, 8:-8, :, 8:-8]
    return float(cells.std(axis=(1, 3)).mean()) < 3


def _work(house: Cinema) -> list[Path]:
    return sorted(house.site.packages.rglob("*.work/*"))


def test_a_participant_sees_what_would_leave_masked_and_history_has_the_seconds(house: Cinema) -> None:
    request, lee, _ = _in_review(house)
    view = _watched(house, request, lee)
    assert view.showing is Showing.PEOPLE
    page = _get(f"{view.url}index.m3u8").text
    assert page.count("#EXTINF") == SEGMENTS
    for number in range(SEGMENTS):
        pictures = _pictures(view, number)
        assert len(pictures) == 30
        for picture in pictures[::10]:
            assert float(picture[INSIDE].astype(np.float64).std(axis=(0, 1)).max()) < 6, "the head is covered"
            assert not _is_mosaic(picture), "the rest is there"
    house.viewing.note()
    (viewed,) = house.history("viewed")
    (span,) = json.loads(viewed.detail)["spans"]
    assert (span["showing"], span["from_us"], span["to_us"]) == (
        "people-masked",
        request.wish.from_us,
        request.wish.to_us,
    )
    opened = [json.loads(e.detail) for e in house.history("keys-opened") if '"result"' in e.detail]
    assert [len(each["segments"]) for each in opened] == [2, 1], "once for each piece"


def test_the_viewers_name_stands_in_every_picture(house: Cinema) -> None:
    request, lee, _ = _in_review(house)
    named = _pictures(_watched(house, request, lee), 0)
    view = house.viewing.stored(_watched(house, request, lee).id, LOOPBACK)
    view._opened = replace(view._opened, viewer="")
    with av.open(io.BytesIO(view.video.init + view.segment(0)), format="mp4") as container:
        plain = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    height, width = plain[0].shape[:2]
    corner = slice(0, height // 5), slice(width // 2, width)  # watermarks lie elsewhere unless asked for here
    for one, other in zip(named, plain, strict=True):
        changed = np.abs(one.astype(int) - other.astype(int)).max(axis=2) > 60
        assert changed[corner].sum() > 50


def test_only_the_participants_copy_is_kept_and_it_is_sealed(house: Cinema) -> None:
    request, lee, worker = _in_review(house)
    names = [path.name for path in _work(house)]
    assert names == ["or1-wall-00000-result", "or1-wall-00001-result", LIST]
    for path in _work(house)[:-1]:
        assert b"moov" not in path.read_bytes() and b"start_us" not in path.read_bytes()
    worker.clear_up()
    assert len(_work(house)) == 3, "while it is in review"
    house.custody.answer_result(lee, request.request_id, "Lee", agrees=True)
    worker.clear_up()
    assert _work(house) == [] and list(house.site.packages.glob("*.work")) == []
    assert (house.site.packages / str(request.package and request.package.path)).exists()


def test_a_refusal_ends_the_view_and_removes_everything(house: Cinema) -> None:
    request, lee, worker = _in_review(house)
    view = _watched(house, request, lee)
    assert len(_pictures(view, 0)) == 30
    house.custody.refuse_export(house.world.officer, request.request_id, "No.")
    house.viewing.board.refresh()
    assert _get(f"{view.url}1.m4s").status_code in (403, 410)
    worker.clear_up()
    assert list(house.site.packages.iterdir()) == []


def test_the_quick_mask_makes_a_mosaic_of_it(house: Cinema) -> None:
    request, lee, _ = _in_review(house)
    view = _watched(house, request, lee)
    assert not _is_mosaic(_pictures(view, 0)[0])
    house.mask()
    assert all(_is_mosaic(picture) for picture in _pictures(view, 0)[::10])


def test_the_key_service_gives_out_no_segments_key_for_it(house: Cinema) -> None:
    request, lee, _ = _in_review(house)
    view = _watched(house, request, lee)
    records = list(house.custody.view_segments(view.id))
    keys = house.viewing._tools.keys
    with pytest.raises(OrvaultError) as caught:
        keys.open_for_view(view.id, records)
    assert caught.value.kind is ErrorKind.GRANT_MISSING
    assert len(keys.open_for_result(view.id, "made-by", records)) == 32


def test_a_spoiled_piece_is_not_shown(house: Cinema) -> None:
    request, lee, _ = _in_review(house)
    path = _work(house)[0]
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    view = _watched(house, request, lee)
    assert _get(f"{view.url}0.m4s").status_code == 500
    assert len(_pictures(view, 2)) == 30
    assert _get(f"{view.url}9.m4s").status_code == 404
    assert _get(f"{view.url}still.jpg?at={request.wish.from_us}&box=0,0,1,1").status_code == 404


def test_where_nothing_is_kept_it_is_said(house: Cinema) -> None:
    request, lee, _ = _in_review(house)
    _work(house)[-1].unlink()
    assert _get(_watched(house, request, lee).url + "index.m3u8").status_code == 404
    assert not list(house.history("result-shown"))
