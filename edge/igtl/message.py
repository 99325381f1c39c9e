"""OpenIGTLink messages, as much as images and texts need: version 1 and 2 headers, IMAGE, STRING.

Source: the OpenIGTLink protocol, versions 2 and 3 (openigtlink.org/developers/spec). All numbers are big-endian.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.igtl.crc64 import crc64

DEFAULT_PORT = 18944
HEADER = struct.Struct(">H12s20sQQQ")
IMAGE = struct.Struct(">H4B3H12f3H3H")
"""version, components, scalar type, endian, coordinates, size i j k, matrix, sub-volume offset and size."""
UINT8, BIG, LITTLE, RIGHT_ANTERIOR = 3, 1, 2, 1
ASCII = 3
MAX_BODY = 1 << 28
EXTENDED = struct.Struct(">HHI")
"""Head of the extended header of version 2 bodies: its size, size of the metadata header, size of the metadata."""


@dataclass(frozen=True)
class Message:
    """One message as received; `time_s` is the sender's time stamp, 0 where it gave none."""

    type: str
    device: str
    time_s: float
    body: bytes


def pack(type: str, device: str, body: bytes, time_s: float | None = None) -> bytes:
    """A version 1 message. `time_s` is seconds since 1970, now where it is None."""
    seconds = time.time() if time_s is None else time_s
    stamp = (int(seconds) << 32) | int((seconds % 1) * 2**32)
    return HEADER.pack(1, type.encode(), device.encode()[:20], stamp, len(body), crc64(body)) + body


def image_body(pixels: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> bytes:
    """The body of an IMAGE: HxW or HxWx3 uint8; (row, column) spacing, 1 mm where it is unknown.

    The matrix holds the directions of columns, rows and slices scaled by the spacing, then the position of the centre.
    """
    height, width = pixels.shape[:2]
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    matrix = (column_mm, 0, 0, 0, row_mm, 0, 0, 0, 1, 0, 0, 0)
    size = (width, height, 1)
    components = 1 if pixels.ndim == 2 else pixels.shape[2]
    head = IMAGE.pack(1, components, UINT8, LITTLE, RIGHT_ANTERIOR, *size, *matrix, 0, 0, 0, *size)
    return head + pixels.tobytes()


def text_body(text: str) -> bytes:
    """The body of a STRING in US-ASCII; characters outside it become question marks."""
    encoded = text.encode("ascii", "replace")[:65535]
    return struct.pack(">HH", ASCII, len(encoded)) + encoded


def read_image(body: bytes) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Pixels (HxW or HxWx3 uint8, read-only) and (row, column) spacing in mm of an IMAGE's body.

    Raises SourceError for a volume, another scalar type, or a body that does not hold what its head says.
    """
    if len(body) < IMAGE.size:
        raise SourceError(f"an IMAGE of {len(body)} bytes is shorter than its head of {IMAGE.size}")
    fields = IMAGE.unpack_from(body)
    components, scalar, (width, height, depth) = fields[1], fields[2], fields[5:8]
    matrix = np.array(fields[8:17]).reshape(3, 3)
    if scalar != UINT8 or depth != 1 or components not in (1, 3) or not width or not height:
        raise SourceError(
            f"an IMAGE of {width}x{height}x{depth}, {components} components, scalar type {scalar} came; "
            "send 2-D uint8 with 1 or 3 components"
        )
    if fields[23:26] != (width, height, depth):
        raise SourceError("a part of an IMAGE came; send whole images")
    count = width * height * components
    if len(body) < IMAGE.size + count:
        raise SourceError(f"an IMAGE says {width}x{height}x{components} but holds {len(body) - IMAGE.size} bytes")
    pixels = np.frombuffer(body, np.uint8, count, IMAGE.size)
    shape = (height, width) if components == 1 else (height, width, 3)
    column_mm, row_mm = (float(np.linalg.norm(side)) for side in matrix[:2])
    return pixels.reshape(shape), (row_mm, column_mm)


def receive(connection: socket.socket) -> Message | None:
    """The next message, None where the peer closed. Raises SourceError for a damaged one, OSError from the socket."""
    head = _exactly(connection, HEADER.size)
    if head is None:
        return None
    version, type, device, stamp, size, crc = HEADER.unpack(head)
    if version not in (1, 2, 3) or size > MAX_BODY:
        raise SourceError(f"no OpenIGTLink header came (version {version}, {size} bytes); is it the right port?")
    body = _exactly(connection, size)
    if body is None:
        return None
    if crc and crc64(body) != crc:
        raise SourceError(f"a {_name(type)} message of {size} bytes is damaged: its CRC differs")
    if version >= 2 and size >= EXTENDED.size:
        extended, metadata_head, metadata = EXTENDED.unpack_from(body)
        body = body[extended : size - metadata_head - metadata]
    return Message(_name(type), _name(device), stamp / 2**32, body)


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    buffer = bytearray(count)
    view, filled = memoryview(buffer), 0
    while filled < count:
        received = connection.recv_into(view[filled:])
        if received == 0:
            return None
        filled += received
    return bytes(buffer)


def _name(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")
