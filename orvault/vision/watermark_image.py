"""PNG images for the visible watermark: what was sent is taken apart, bounded at every step, and written afresh.

Nothing of the file that was sent is kept but its pixels; where images are kept is the ledger's business.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image

MAX_PNG_BYTES = 512 * 1024
MAX_SIDE_PX, LEAST_SIDE_PX = 1024, 8
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 4_000
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples a pixel, by colour type (PNG, section 11.2.1)
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def clean_png(data: bytes) -> bytes:
    """The same pixels as an 8-bit PNG with alpha, written by this program; what is stored is this.

    1. size; 2. signature and chunks, each with its checksum, known ones only; 3. width, height and colour type;
    4. the pixels unpack to exactly as many bytes as these call for, and no more is ever unpacked; 5. decoded;
    6. written afresh. BAD_REQUEST says which of it failed.
    """
    if len(data) > MAX_PNG_BYTES:
        raise _bad(f"The image has {len(data)} bytes.", f"At most {MAX_PNG_BYTES >> 10} KiB are taken.")
    chunks = [(name, body) for name, body in _chunks(data) if name in _KEPT]
    header = chunks[0][1] if chunks and chunks[0][0] == b"IHDR" else b""
    _check_pixels(header, b"".join(body for name, body in chunks if name == b"IDAT"))
    bgra = _decoded(_SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks))
    if not bgra[:, :, 3].any():
        raise _bad("The image is wholly transparent.", "Send one that shows something.")
    written, out = cv2.imencode(".png", bgra)
    if not written:
        raise OrvaultError(ErrorKind.INTERNAL, "An image could not be written.", where="watermark.image")
    return out.tobytes()


def read_png(data: bytes) -> Image:
    """The pixels (h, w, 4) uint8, blue green red alpha, of what `clean_png` wrote. BAD_REQUEST as there."""
    return _decoded(data)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of what `clean_png` wrote."""
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _bad(message: str, advice: str = "Save it once more as a plain PNG.") -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where="watermark.image", advice=advice)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(_SIGNATURE):
        raise _bad("The image is no PNG file.")
    at = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise _bad("The PNG file is cut off.")
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise _bad("The PNG file is cut off.")
        body = data[at + 8 : at + 8 + length]
        if zlib.crc32(name + body) != struct.unpack_from(">I", data, end - 4)[0]:
            raise _bad("The PNG file is damaged.")
        yield name, body
        at = end
        if name == b"IEND":
            return
    raise _bad("The PNG file has too many parts.")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _check_pixels(header: bytes, packed: bytes) -> None:
    if len(header) != 13:
        raise _bad("The PNG file does not begin with its header.")
    width, height, depth, colour, method, filters, interlaced = struct.unpack(">IIBBBBB", header)
    if not all(LEAST_SIDE_PX <= side <= MAX_SIDE_PX for side in (width, height)):
        advice = f"Each side is {LEAST_SIDE_PX} to {MAX_SIDE_PX} pixels."
        raise _bad(f"The image is {width} x {height} pixels.", advice)
    if depth not in _DEPTHS.get(colour, ()) or method or filters or interlaced:
        raise _bad("The PNG file is of a kind that is not taken.", "Save it without interlacing.")
    wanted = height * (1 + -(-width * _CHANNELS[colour] * depth // 8))  # a filter byte before each row
    unpacker = zlib.decompressobj()
    try:
        pixels = unpacker.decompress(packed, wanted + 1)
    except zlib.error as error:
        raise _bad("The PNG file is damaged.") from error
    if len(pixels) != wanted or not unpacker.eof:
        raise _bad("The PNG file holds other pixels than its header says.")


def _decoded(data: bytes) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _bad("The PNG file cannot be decoded.") from error
    if image is None:
        raise _bad("The PNG file cannot be decoded.")
    if image.dtype == np.uint16:
        image = (image // 256).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGRA)
    elif image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return np.asarray(image, np.uint8)
