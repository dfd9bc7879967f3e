"""Images for watermarks: pixels come through as they were, and nothing else of a file does."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.watermark_image import MAX_PNG_BYTES, clean_png, read_png, size_of
from tests.unit.watermark_images import PNG, chunk, encoded, header, logo, pixels, png

ROWS = 16 * (1 + 16 * 4)  # of a 16 x 16 picture with alpha


@pytest.mark.parametrize(
    "image",
    [
        logo(),
        logo()[:, :, :3].copy(),
        logo()[:, :, 2].copy(),
        logo().astype(np.uint16) * 257,
    ],
    ids=["alpha", "colour", "grey", "16 bit"],
)
def test_pixels_come_through(image: np.ndarray) -> None:
    clean = clean_png(encoded(image))
    read = read_png(clean)
    assert read.shape == (48, 96, 4) and read.dtype == np.uint8 and size_of(clean) == (96, 48)
    wanted = logo()[:, :, 2]
    assert (read[:, :, 2] == wanted).all()
    assert (read[:, :, 3] == (logo()[:, :, 3] if image.ndim == 3 and image.shape[2] == 4 else 255)).all()


def test_nothing_but_pixels_is_kept() -> None:
    told = chunk(b"tEXt", b"Comment\0patient Kim")
    hidden = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(50_000_000)))
    sent = PNG[:33] + told + hidden + PNG[33:]
    assert b"patient" in sent
    clean = clean_png(sent)
    assert b"patient" not in clean and b"zTXt" not in clean
    assert clean == clean_png(PNG) == clean_png(clean)  # one image, one name


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "no PNG"),
        (b"GIF89a" + PNG, "no PNG"),
        (PNG[:-6], "cut off"),
        (PNG[:40], "cut off"),
        (PNG.replace(b"IDAT", b"IDAX"), "damaged"),
        (png(chunk(b"IHDR", b"\0" * 13, checksum=7), pixels(ROWS)), "damaged"),
        (png(pixels(ROWS)), "header"),
        (png(header(16, 16)), "damaged|other pixels"),
        (png(header(16, 16), pixels(ROWS - 1)), "other pixels"),
        (png(header(16, 16), pixels(ROWS + 1)), "other pixels"),
        (png(header(16, 16), chunk(b"IDAT", b"not packed")), "damaged"),
        (png(header(60_000, 60_000), pixels(9)), "60000 x 60000"),
        (png(header(16, 2_000_000_000), pixels(9)), "2000000000"),
        (png(header(4, 4), pixels(4 * 17)), "4 x 4"),
        (png(header(16, 16, interlaced=1), pixels(ROWS)), "kind"),
        (png(header(16, 16, depth=3), pixels(ROWS)), "kind"),
        (png(header(16, 16, colour=5), pixels(ROWS)), "kind"),
        (png(header(16, 16, colour=3), pixels(16 * 17)), "decoded"),
        (png(header(16, 16), pixels(ROWS, 0)), "transparent"),
        (png(header(16, 16), *[chunk(b"IDAT", b"")] * 5_000, pixels(ROWS)), "too many parts"),
        (PNG + bytes(MAX_PNG_BYTES), "bytes"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, word: str) -> None:
    with pytest.raises(OrvaultError, match=word) as caught:
        clean_png(data)
    assert caught.value.kind is ErrorKind.BAD_REQUEST and caught.value.where == "watermark.image"


def test_a_bomb_is_never_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """1024 x 1024 x 4 at most, whatever is packed: 200 MB in 200 KB here."""
    bomb = png(header(16, 16), chunk(b"IDAT", zlib.compress(bytes(200_000_000), 9)))
    assert len(bomb) < MAX_PNG_BYTES
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(OrvaultError, match="other pixels"):
        clean_png(bomb)


def test_garbage_is_refused_and_nothing_worse() -> None:
    random = np.random.default_rng(3)
    for _ in range(300):
        data = bytearray(PNG)
        for at in random.integers(8, len(data), 4):
            data[at] = random.integers(256)
        try:
            clean_png(bytes(data))
        except OrvaultError as error:
            assert error.kind is ErrorKind.BAD_REQUEST
