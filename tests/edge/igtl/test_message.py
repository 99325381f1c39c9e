from __future__ import annotations

import contextlib
import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SourceError
from edge.igtl.crc64 import LANES, POLYNOMIAL, crc64
from edge.igtl.message import HEADER, IMAGE, image_body, pack, read_image, receive


def crc_by_bits(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 56
        for _ in range(8):
            crc = ((crc << 1) ^ POLYNOMIAL if crc >> 63 else crc << 1) & (2**64 - 1)
    return crc


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=64) | st.binary(min_size=LANES, max_size=3 * LANES))
def test_the_crc_is_that_of_its_definition(data: bytes) -> None:
    assert crc64(data) == crc_by_bits(data)


def test_the_published_check_value() -> None:
    assert crc64(b"123456789") == 0x6C40DF5F0B497347  # CRC-64/ECMA-182


def through_a_socket(message: bytes) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(message)
        theirs.close()
        return receive(ours)


@pytest.mark.parametrize("shape", [(4, 6), (5, 3, 3)])
def test_an_image_survives_the_wire(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    message = through_a_socket(pack("IMAGE", "echo", image_body(pixels, (0.5, 0.25)), 1234.5))
    assert (message.type, message.device, message.time_s) == ("IMAGE", "echo", 1234.5)  # type: ignore[attr-defined]
    received, spacing = read_image(message.body)  # type: ignore[attr-defined]
    assert np.array_equal(received, pixels)
    assert spacing == pytest.approx((0.5, 0.25))


def test_damage_and_strangers_are_refused() -> None:
    message = bytearray(pack("IMAGE", "echo", image_body(np.zeros((4, 4), np.uint8), None)))
    message[-1] ^= 1
    with pytest.raises(SourceError, match="CRC differs"):
        through_a_socket(bytes(message))
    with pytest.raises(SourceError, match="is it the right port"):
        through_a_socket(b"HTTP/1.1 400 Bad Request\r\n".ljust(HEADER.size, b" "))
    assert through_a_socket(bytes(message[:70])) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=IMAGE.size + 40))
def test_no_body_does_more_than_a_source_error(body: bytes) -> None:
    with contextlib.suppress(SourceError):
        read_image(body)
