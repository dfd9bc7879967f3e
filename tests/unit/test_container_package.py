"""Export packages: built and read by the product itself, and every class of forgery and damage."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import av
import pytest

from orvault.container.frame_reader import read_frame
from orvault.container.keys import Recipient, generate_private_key
from orvault.container.label import LABEL, MANIFEST, SLOTS
from orvault.container.package import PackageReader
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.package_support import LEAVES_1, MEDIA_1, altered_copy, entries_of, failure_of, made

from .container_support import (
    CHEAP,
    CHUNK_BYTES,
    CLIP,
    DAY_US,
    NOW_US,
    OTHER_CLIP,
    PASSWORD,
    Made,
    fragmented,
    hospital,
    make_package,
    media_info,
    recipient_key,
    terms,
)

__all__ = ["made"]


@pytest.mark.parametrize("secret", [PASSWORD, recipient_key()])
def test_each_recipient_opens_it_and_every_camera_plays(made: Made, secret: object) -> None:
    with PackageReader.open(made.path) as reader:
        issuer = reader.verify_label([made.root_der], NOW_US)
        assert issuer.pinned and issuer.name == "Seoul Hospital export"
        manifest = reader.unlock(secret)  # type: ignore[arg-type]
        assert manifest is reader.manifest
        assert manifest.terms == terms()
        assert manifest.media == (media_info("or1", CLIP), media_info("or2", OTHER_CLIP))
        for camera_id, clip in (("or1", CLIP), ("or2", OTHER_CLIP)):
            assert reader.media(camera_id).read() == fragmented(clip)
            with av.open(reader.media(camera_id), format="mp4") as container:
                frames = sum(1 for _ in container.decode(video=0))
            assert frames == media_info(camera_id, clip).frames > 100
        steps: list[tuple[int, int]] = []
        reader.verify_all(lambda done, total: steps.append((done, total)))
        assert steps[-1][0] == steps[-1][1] > CLIP.stat().st_size
        assert len(steps) > 10 and steps == sorted(steps)


def test_everything_but_the_opening_is_checked_without_a_secret(made: Made, tmp_path: Path) -> None:
    with PackageReader.open(made.path) as reader:
        reader.verify_label([], NOW_US)
        reader.verify_all()
    place = entries_of(made)["media/or2.mp4.enc"].end - 1
    path = altered_copy(made, tmp_path, lambda data: data.__setitem__(place, data[place] ^ 1))
    with PackageReader.open(path) as reader:
        reader.verify_label([], NOW_US)
        with pytest.raises(OrvaultError) as caught:
            reader.verify_all()
    assert caught.value.kind is ErrorKind.ALTERED and caught.value.where == "media/or2.mp4.enc"


class _Counting(io.BytesIO):
    """A file that knows how many bytes were taken from it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_the_first_picture_needs_the_papers_and_one_chunk_not_the_file(made: Made) -> None:
    file = _Counting(made.data)
    with PackageReader(file, read_frame(file, partial=False)) as reader:
        reader.verify_label([made.root_der], NOW_US)
        reader.unlock(PASSWORD)
        assert reader.media("or1").read(1000) == fragmented(CLIP)[:1000]
    media = sum(camera.media.bytes for camera in reader.label.cameras)
    assert file.taken < len(made.data) - media + CHUNK_BYTES + 6 * 1024 < len(made.data) / 4


def test_the_order_of_steps_is_enforced(made: Made) -> None:
    with PackageReader.open(made.path) as reader:
        for early in (
            lambda: reader.unlock(PASSWORD),
            lambda: reader.manifest,
            lambda: reader.media("or1"),
            reader.verify_all,
        ):
            with pytest.raises(OrvaultError) as caught:
                early()
            assert caught.value.kind is ErrorKind.CONFLICT
        reader.verify_label([], NOW_US)
        reader.unlock(PASSWORD)
        with pytest.raises(OrvaultError) as caught:
            reader.media("or9")
        assert caught.value.kind is ErrorKind.NOT_FOUND and "or1, or2" in str(caught.value)


def test_any_zip_tool_lists_it(made: Made) -> None:
    with zipfile.ZipFile(made.path) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert [info.filename for info in infos] == [
            LABEL, SLOTS, MANIFEST, LEAVES_1, MEDIA_1, "media/or2.leaves", "media/or2.mp4.enc",
        ]  # fmt: skip
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
        assert all(info.flag_bits == 0 for info in infos)


def test_the_clear_part_names_no_one_and_nothing_clear_is_in_it(made: Made) -> None:
    text = json.dumps(_clear_payload(made)) + made.data[: entries_of(made)[MANIFEST].offset].decode("latin-1")
    for word in ("Kim ", "Court", "case-1", "req-1", "court order", PASSWORD):
        assert word not in text
    assert b"ftyp" not in made.data and fragmented(CLIP)[1000:1032] not in made.data


def _clear_payload(made: Made) -> dict[str, object]:
    import base64

    with zipfile.ZipFile(made.path) as archive:
        envelope = json.loads(archive.read(LABEL))
    payload: dict[str, object] = json.loads(base64.b64decode(envelope["payload"]))
    return payload


def test_an_unknown_root_makes_it_intact_but_not_pinned(made: Made) -> None:
    other_root, _, _ = hospital("Other Hospital")
    with PackageReader.open(made.path) as reader:
        assert not reader.verify_label([other_root.certificate_der], NOW_US).pinned
        reader.unlock(PASSWORD)
        reader.verify_all()


def test_time_is_checked_before_any_secret_is_asked_for(made: Made) -> None:
    late = failure_of(made.path, made.root_der, now_us=NOW_US + 30 * DAY_US)
    assert late.kind is ErrorKind.EXPIRED and "2027" in late.message
    early = failure_of(made.path, made.root_der, now_us=NOW_US - 1)
    assert early.kind is ErrorKind.NOT_YET_VALID
    with PackageReader.open(made.path) as reader:
        assert reader.verify_label([], NOW_US + 30 * DAY_US - 1)


def test_wrong_secrets_are_told_apart(made: Made, tmp_path: Path) -> None:
    assert failure_of(made.path, made.root_der, "not the password").kind is ErrorKind.WRONG_PASSWORD
    assert failure_of(made.path, made.root_der, generate_private_key()).kind is ErrorKind.NOT_FOR_YOU
    keys_only = make_package(tmp_path, recipients=(Recipient("Court", recipient_key().public()),))
    error = failure_of(keys_only.path, made.root_der, PASSWORD)
    assert error.kind is ErrorKind.NOT_FOR_YOU and "key file" in str(error)
    assert PASSWORD not in str(error)


def test_cheap_passwords_are_for_tests_only() -> None:
    assert CHEAP.memory_kib < 64 * 1024 <= type(CHEAP)().memory_kib
