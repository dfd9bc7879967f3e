"""Views over real sockets: links that open nothing, live pictures, stored ones as a player gets them."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import update
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from actors import viewing
from api.models_viewing import ViewOut
from orvault.custody.account import Role
from orvault.custody.case import Case
from orvault.custody.viewing import MINUTE_US, Showing
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.tables_viewing import views
from tests.unit.actors_support import eventually
from tests.viewing_support import LOOPBACK, Cinema, away, cinema

OFFICER = Role.PRIVACY_OFFICER


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Cinema]:
    with cinema(tmp_path) as made:
        yield made


@pytest.fixture
def case(house: Cinema) -> Case:
    return house.site.record(count=3)


def get(url: str, **more: Any) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=30, **more)


def word(socket: ClientConnection) -> dict[str, Any]:
    """The next message in words; pictures before it are passed over."""
    while True:
        message = socket.recv(20)
        if isinstance(message, str):
            return dict(json.loads(message))


def colours(view: ViewOut, name: str) -> int:
    """How many different colours (of 32 levels) the pictures of a stored segment have, on the mean."""
    data = get(f"{view.url}init.mp4").content + get(f"{view.url}{name}").content
    with av.open(io.BytesIO(data), mode="r", format="mp4") as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert frames
    coarse = [frame[::2, ::2].astype(np.uint16) >> 3 for frame in frames[::10]]
    counts = [
        np.count_nonzero(np.bincount((c[..., 0] << 10 | c[..., 1] << 5 | c[..., 2]).ravel())) for c in coarse
    ]
    return int(sum(counts) // len(counts))


MOSAIC = 600  # 144 cells and what the coder makes of their edges; a clear picture of the clip has thousands


def test_links_that_open_nothing(house: Cinema) -> None:
    good = house.live(OFFICER)
    token = good.url.split("/view/")[1]
    forged = f"{house.base}/view/{token[:-8]}AAAAAAA/"
    assert get(forged).status_code == 401
    download = house.links.sign("0" * 36, "1" * 36, house.clock.now_us() + MINUTE_US)
    assert get(f"{house.base}/view/{download.split('token=')[1]}/").status_code == 401
    old = house.links.sign_view("v", house.clock.now_us() - MINUTE_US)
    assert get(house.base + old).status_code == 410
    unknown = house.links.sign_view("0" * 36, house.clock.now_us() + MINUTE_US)
    assert get(house.base + unknown).status_code == 410
    for path in ("index.m3u8", "init.mp4", "0.m4s"):
        assert get(good.url + path).status_code == 404
    assert get(house.base + "/view/").status_code in (404, 405)


@pytest.mark.parametrize("kind", ["live", "stored"])
def test_a_link_is_good_for_the_address_that_asked(house: Cinema, case: Case, kind: str) -> None:
    elsewhere = "192.0.2.7"
    view = house.live(OFFICER, client=elsewhere) if kind == "live" else house.stored(OFFICER, case, elsewhere)
    if kind == "stored":
        assert get(f"{view.url}0.m4s").status_code == 410
    with connect(view.socket) as socket:
        told = word(socket)
        assert (told["type"], told["over"]) == ("notice", True)
        with pytest.raises(ConnectionClosed):
            socket.recv(20)
    assert house.history("view-started") == []


def test_live_pictures_come_masked_and_a_lift_and_the_switch_are_told(house: Cinema) -> None:
    house.grant(OFFICER)
    with connect(house.live(OFFICER).socket) as socket:
        begin = word(socket)
        assert (begin["type"], begin["showing"]) == ("begin", "masked")
        assert begin["mime"].startswith('video/mp4; codecs="avc1.')
        init = socket.recv(20)
        assert isinstance(init, bytes) and init[4:8] == b"ftyp"
        (started,) = house.history("view-started")
        assert '"showing":"masked"' in started.detail
        house.lift()
        assert word(socket)["showing"] == "clear"
        house.mask()
        assert word(socket)["showing"] == "masked"
    eventually(lambda: not house.viewing._visits, "the viewer left")
    house.viewing.note()
    (seen,) = house.history("viewed")
    assert [span["showing"] for span in json.loads(seen.detail)["spans"]] == ["masked", "clear", "masked"]


def test_nothing_clear_is_sent_after_the_switch_was_set(house: Cinema) -> None:
    house.grant(OFFICER)
    house.lift()
    with connect(house.live(OFFICER).socket) as socket:
        assert word(socket)["showing"] == "clear"
        sizes = [len(socket.recv(20)) for _ in range(12)]
        house.mask()
        told = word(socket)  # what was under way before is passed over
        assert told["showing"] == "masked"
        socket.recv(20)
        after = [len(socket.recv(20)) for _ in range(12)]
        assert sum(after) < sum(sizes) / 4


def test_a_camera_that_is_away_is_told_and_closing_the_account_ends_the_view(tmp_path: Path) -> None:
    with cinema(tmp_path, {"or1-wall": away}) as house, connect(house.live(OFFICER).socket) as socket:
        told = word(socket)
        assert told["type"] == "notice" and "does not answer" in told["words"] and not told["over"]
        administrator = house.account(Role.SYSTEM_ADMINISTRATOR)
        house.custody.disable_account(administrator, house.account(OFFICER).account_id)
        while not (told := word(socket))["over"]:
            continue
        assert "disabled" in told["words"]


def test_a_camera_that_is_not_of_the_site_any_more(tmp_path: Path) -> None:
    with cinema(tmp_path, {"other": away}) as house, connect(house.live(OFFICER).socket) as socket:
        assert word(socket)["over"]
    eventually(lambda: not house.viewing._visits, "it left nothing open")


def test_a_player_of_its_own_plays_a_stored_view(house: Cinema, case: Case) -> None:
    view = house.stored(OFFICER, case)
    assert view.playlist is not None
    with av.open(view.playlist, mode="r", format="hls", options={"allowed_extensions": "ALL"}) as container:
        frames = [(frame.pts, frame.width) for frame in container.decode(video=0)]
    assert len(frames) == 90 and {width for _, width in frames} == {1280}
    times = [float(pts) for pts, _ in frames]
    assert times == sorted(times)
    opened = [json.loads(entry.detail) for entry in house.history("keys-opened")]
    assert [(each["purpose"], len(each["segments"])) for each in opened] == [("mosaic", 3)]


def test_a_stored_view_is_a_mosaic_until_a_grant_and_a_lift(house: Cinema, case: Case) -> None:
    view = house.stored(OFFICER, case)
    init = get(f"{view.url}init.mp4").content
    assert colours(view, "0.m4s") < MOSAIC
    house.lift()
    assert colours(view, "1.m4s") < MOSAIC
    house.grant(OFFICER, case=case)
    house.viewing.switched()
    assert colours(view, "1.m4s") > MOSAIC
    house.mask()
    assert colours(view, "1.m4s") < MOSAIC and colours(view, "2.m4s") < MOSAIC
    assert get(f"{view.url}init.mp4").content == init
    house.viewing.note()
    spans = [span for entry in house.history("viewed") for span in json.loads(entry.detail)["spans"]]
    assert [span["showing"] for span in spans] == ["masked", "clear", "masked"]
    purposes = [json.loads(entry.detail)["purpose"] for entry in house.history("keys-opened")]
    assert purposes == ["mosaic", "view"]


def still(view: ViewOut, at_us: int, box: str = "250000,250000,750000,750000") -> npt.NDArray[np.uint8]:
    answer = get(f"{view.url}still.jpg?at={at_us}&box={box}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg", answer.text
    assert "no-store" in answer.headers["cache-control"]
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR).astype(np.uint8)


def detail(picture: npt.NDArray[np.uint8]) -> float:
    """How much of what is inside the box changes from pixel to pixel: cells of a mosaic are flat."""
    height, width = picture.shape[:2]
    inside = picture[height // 4 + 6 : -height // 4 - 6, width // 4 + 6 : -width // 4 - 6].astype(int)
    return float((np.abs(np.diff(inside, axis=1)).max(axis=2) > 6).mean())


def test_a_still_is_a_mosaic_with_a_box_until_a_grant_and_a_lift(house: Cinema, case: Case) -> None:
    view, (first_us, end_us) = house.stored(OFFICER, case), house.span(case)
    middle_us = (first_us + end_us) // 2
    masked = still(view, middle_us)
    assert masked.shape == (360, 640, 3)
    edge = masked[90, 170:470].mean(axis=0)
    assert edge[0] < 80 < edge[1], "the box is drawn"
    house.lift()
    assert detail(still(view, middle_us)) <= detail(masked) * 1.2
    house.grant(OFFICER, case=case)
    house.viewing.switched()
    assert detail(still(view, middle_us)) > 3 * detail(masked)
    house.mask()
    assert detail(still(view, middle_us)) <= detail(masked) * 1.2
    house.viewing.note()
    spans = [span for entry in house.history("viewed") for span in json.loads(entry.detail)["spans"]]
    assert [span["showing"] for span in spans] == ["masked", "clear", "masked"]
    purposes = [json.loads(entry.detail)["purpose"] for entry in house.history("keys-opened")]
    assert purposes == ["mosaic", "view"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("at=0&box=0,0,1,1", 404),
        ("at=9999999999999999999&box=0,0,1,1", 400),
        ("at=x&box=0,0,1,1", 400),
        ("at=0", 400),
        ("at=0&box=0,0,1", 400),
        ("at=0&box=0,0,-1,1", 400),
        ("at=0&box=0,0,1e9,1", 400),
        ("at=0&box=" + "1," * 5000, 400),
    ],
)
def test_stills_of_no_moment_and_no_box(house: Cinema, case: Case, query: str, status: int) -> None:
    assert get(f"{house.stored(OFFICER, case).url}still.jpg?{query}").status_code == status


def test_a_stored_player_is_told_of_the_switch(house: Cinema, case: Case) -> None:
    house.grant(OFFICER, case=case)
    with connect(house.stored(OFFICER, case).socket) as socket:
        assert word(socket) | {"reason": ""} == {"type": "switch", "showing": "masked", "reason": ""}
        house.lift()
        assert word(socket)["showing"] == "clear"
        house.mask()
        assert word(socket)["showing"] == "masked"


def test_what_was_altered_on_a_disk_is_not_shown_and_its_link_is_not_logged(
    house: Cinema, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    path = house.site.segment(case, 1)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    view = house.stored(OFFICER, case)
    assert get(f"{view.url}0.m4s").status_code == 200
    answer = get(f"{view.url}1.m4s")
    assert answer.status_code == 500 and answer.json()["type"].endswith(("altered", "damaged"))
    assert answer.json()["correlation_id"] in caplog.text and view.url.split("/")[-2] not in caplog.text
    assert get(f"{view.url}3.m4s").status_code == 404


def test_a_locked_key_store_shows_nothing(house: Cinema, case: Case) -> None:
    view = house.stored(OFFICER, case)
    house.viewing._tools.keys._store = None  # type: ignore[attr-defined]
    assert get(f"{view.url}0.m4s").json()["type"].endswith("keys-locked")


def test_history_that_cannot_be_written_comes_later(house: Cinema, case: Case) -> None:
    view = house.stored(OFFICER, case)
    assert get(f"{view.url}0.m4s").status_code == 200
    real, custody = house.custody.note_viewed, house.viewing._custody

    def refuse(*_: object) -> None:
        raise OrvaultError(ErrorKind.UNAVAILABLE, "The ledger does not answer.")

    custody.note_viewed = refuse  # type: ignore[method-assign]
    house.viewing.note()
    custody.note_viewed = real  # type: ignore[method-assign]
    assert house.history("viewed") == []
    house.viewing.note()
    house.viewing.note()
    assert len(house.history("viewed")) == 1


def test_the_page_takes_nothing_from_elsewhere(house: Cinema, case: Case) -> None:
    for view in (house.live(OFFICER), house.stored(OFFICER, case)):
        page = get(view.url)
        policy = page.headers["content-security-policy"]
        assert page.status_code == 200 and "default-src 'none'" in policy and "unsafe" not in policy
        assert "http://" not in page.text and "https://" not in page.text
        assert page.headers["cache-control"] == "no-store"


def test_no_more_views_are_opened_than_may_be_however_many_ask_at_once(
    house: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing, "MOST_VIEWS", 2)
    views = [house.live(OFFICER) for _ in range(8)]
    together, refused = threading.Barrier(len(views)), []

    def enter(view: ViewOut) -> None:
        together.wait()
        try:
            house.viewing.watch(view.id, LOOPBACK, lambda: None)
        except OrvaultError as error:
            refused.append(error.kind)

    threads = [threading.Thread(target=enter, args=(view,)) for view in views]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [ErrorKind.TOO_MANY_ATTEMPTS] * 6
    with pytest.raises(OrvaultError) as caught:  # one that cannot be opened takes no place
        house.viewing.watch("0" * 36, LOOPBACK, lambda: None)
    assert caught.value.kind is ErrorKind.TOO_MANY_ATTEMPTS


def test_live_views_of_the_past_are_forgotten_and_stored_ones_tell_who_saw_a_case(
    house: Cinema, case: Case
) -> None:
    view = house.stored(OFFICER, case)
    assert get(f"{view.url}index.m3u8").status_code == 200
    past = {"expires_us": house.clock.now_us() - 25 * 60 * MINUTE_US, "issued_us": 0}
    others = [house.live(OFFICER).id, house.live(OFFICER).id]
    with house.world.ledger.engine.begin() as connection:
        connection.execute(update(views).where(views.c.id.in_([view.id, others[0]])).values(**past))
    house.viewing.forget()  # the one that is still open may owe history something
    with house.world.ledger.uow(read_only=True) as uow:
        assert uow.views.get(others[0]) is None
        assert uow.views.get(view.id) is not None and uow.views.get(others[1]) is not None
    house.viewing.note()
    house.viewing.end_over()
    eventually(lambda: not house.viewing._stored, "it is over")
    house.viewing.note()
    house.viewing.forget()
    with house.world.ledger.uow(read_only=True) as uow:
        assert uow.views.get(view.id) is not None and uow.views.get(others[1]) is not None
    assert house.custody.forget_views(()) == 0


def test_no_view_outlives_its_time(house: Cinema) -> None:
    view = house.live(OFFICER, wanted=Showing.MASKED)
    assert view.expires_at - house.clock.now_us() <= 60 * MINUTE_US
    assert time.time() * 1e6 < view.expires_at
