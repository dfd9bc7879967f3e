"""Lets models take several pictures at a time: two of them were written down for one, though nothing in them is.

The bytes that were checked against SHA256SUMS are changed in memory, never the file. Each change puts as many bytes
as it takes away, so that the file stays as it was built (ONNX is protobuf: onnx.proto3, `TensorShapeProto`).
"""

from __future__ import annotations

import re
import struct

# A dimension of 1 in front of the others of an input or output, and in its place one that nobody named.
_ONE, _ANY = b"\n\x02\x08\x01", b"\n\x02\x12\x00"
_FIRST = re.compile(re.escape(_ONE) + rb"(?=\n\x02\x08\x03\n\x03\x12\x01H|\n[\x04-\x0a]\x12.n\d)", re.DOTALL)
# Shapes that outputs are brought into, for one picture; -1: as many as there are places. 0 would leave it as it came.
_SHAPES = {
    "nanodet_g_person.onnx": ((1, 80, -1), (1, 44, -1)),
    "yunet_2023mar_dyn.onnx": ((1, -1, 1), (1, -1, 4), (1, -1, 10)),
}


def with_open_batch(name: str, content: bytes) -> bytes:
    """The model of this file name with its first dimension open; as it came where that is not known to be possible.

    MoveNet (poses) is one of those: how it sorts people out is written for one picture throughout. CenterFace is open
    as it is.
    """
    for shape in _SHAPES.get(name, ()):
        before, after = struct.pack("<3q", *shape), struct.pack("<3q", 0, *shape[1:])
        if content.count(before) != 1:
            return content  # another model of this name: a site's own
        content = content.replace(before, after)
    return _FIRST.sub(_ANY, content) if name in _SHAPES else content
