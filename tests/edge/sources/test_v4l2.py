"""Negotiation with a driver; the structures are checked against the kernel's own header."""

from __future__ import annotations

import errno
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from edge.errors import EchoEdgeError
from edge.sources import open_source
from edge.sources.v4l2 import (
    ENUM_FMT,
    ENUM_FRAMEINTERVALS,
    ENUM_FRAMESIZES,
    FMTDESC,
    FRMIVAL,
    FRMSIZE,
    Mode,
    choose_mode,
    modes_of,
    offer_of,
)

GRABBER = {"YUYV": {(640, 480): (30, 60), (1920, 1080): (5,)}, "MJPG": {(1280, 720): (30, 60), (1920, 1080): (30,)}}


def driver(fd: int, request: int, buffer: bytearray) -> None:
    """A USB grabber as the kernel would answer for it."""
    layouts = {ENUM_FMT: FMTDESC, ENUM_FRAMESIZES: FRMSIZE, ENUM_FRAMEINTERVALS: FRMIVAL}
    fields = list(struct.unpack(layouts[request], buffer))
    index = fields[0]
    try:
        if request == ENUM_FMT:
            fields[4] = struct.unpack("<I", list(GRABBER)[index].encode())[0]
        else:
            sizes = GRABBER[struct.pack("<I", fields[1]).decode()]
            if request == ENUM_FRAMESIZES:
                fields[2:5] = [1, *list(sizes)[index]]
            else:
                fields[4:7] = [1, 1, sizes[fields[2], fields[3]][index]]
    except IndexError:
        raise OSError(errno.EINVAL, "no more") from None
    buffer[:] = struct.pack(layouts[request], *fields)


MODES = [
    Mode("YUYV", 640, 480, 30),
    Mode("YUYV", 640, 480, 60),
    Mode("YUYV", 1920, 1080, 5),
    Mode("MJPG", 1280, 720, 30),
    Mode("MJPG", 1280, 720, 60),
    Mode("MJPG", 1920, 1080, 30),
]


def test_the_driver_is_asked_for_everything() -> None:
    assert modes_of(0, driver) == MODES


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ((0, 0, 0, ""), Mode("MJPG", 1920, 1080, 30)),  # the most pixels that still move
        ((1280, 720, 0, ""), Mode("MJPG", 1280, 720, 60)),
        ((640, 480, 25, "YUY2"), Mode("YUYV", 640, 480, 30)),
        ((0, 0, 60, "mjpeg"), Mode("MJPG", 1280, 720, 60)),
        ((1920, 1080, 60, ""), None),
        ((0, 0, 0, "NV12"), None),
    ],
)
def test_the_choice(asked: tuple[int, int, float, str], chosen: Mode | None) -> None:
    assert choose_mode(MODES, *asked) == chosen


def test_a_range_of_sizes_takes_any_size_within() -> None:
    assert choose_mode([Mode("NV12", 1920, 1080, 60, True)], 800, 600, 0, "") == Mode("NV12", 800, 600, 60)


def test_the_structures_are_the_kernels(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/videodev2.h").exists():
        pytest.skip("no C compiler or kernel headers (apt-get install gcc linux-libc-dev)")
    (tmp_path / "a.c").write_text(
        "#include <linux/videodev2.h>\n#include <stdio.h>\n#include <stddef.h>\n"
        'int main(){printf("%lu %lu %lu %zu %zu %zu %zu %zu %zu",'
        "(unsigned long)VIDIOC_ENUM_FMT,(unsigned long)VIDIOC_ENUM_FRAMESIZES,"
        "(unsigned long)VIDIOC_ENUM_FRAMEINTERVALS,"
        "sizeof(struct v4l2_fmtdesc),sizeof(struct v4l2_frmsizeenum),sizeof(struct v4l2_frmivalenum),"
        "offsetof(struct v4l2_fmtdesc,pixelformat),offsetof(struct v4l2_frmsizeenum,discrete),"
        "offsetof(struct v4l2_frmivalenum,discrete));}"
    )
    subprocess.run([compiler, str(tmp_path / "a.c"), "-o", str(tmp_path / "a")], check=True)
    printed = subprocess.run([str(tmp_path / "a")], capture_output=True, text=True, check=True).stdout
    assert [int(n) for n in printed.split()] == [
        ENUM_FMT,
        ENUM_FRAMESIZES,
        ENUM_FRAMEINTERVALS,
        *(struct.calcsize(layout) for layout in (FMTDESC, FRMSIZE, FRMIVAL)),
        struct.calcsize("<3I32s"),
        struct.calcsize("<3I"),
        struct.calcsize("<5I"),
    ]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("width=1920&height=1080&fps=60", "no mode 1920x1080 at 60 fps"),
        ("format=nv12", "no mode NV12"),
        ("width=1024", "no mode 1024xany"),
        ("fps=120&format=MJPEG", "no mode MJPEG at 120 fps"),
    ],
)
def test_a_refusal_lists_what_the_device_offers(query: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.ioctl", driver)
    with pytest.raises(EchoEdgeError) as raised:
        open_source(f"v4l2:///dev/null?{query}")
    said = str(raised.value)
    assert asked in said
    assert "it offers YUYV 640x480 at 30, 60 fps; YUYV 1920x1080 at 5 fps; MJPG 1280x720 at 30, 60 fps; MJPG" in said


def test_a_format_that_is_not_read_is_marked() -> None:
    offer = offer_of([Mode("HEVC", 640, 480, 30), Mode("NV12", 1920, 1080, 60, True)])
    assert offer == "HEVC 640x480 (not read here) at 30 fps; NV12 up to 1920x1080 at 60 fps"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("v4l2:///dev/video99", "does not exist; this machine has"),
        ("v4l2:///dev/null", "is no video capture device"),
        ("v4l2:///dev/video0?colour=red", "knows no option 'colour'"),
    ],
)
def test_what_is_no_grabber_says_so(uri: str, says: str) -> None:
    with pytest.raises(EchoEdgeError, match=says):
        open_source(uri)
