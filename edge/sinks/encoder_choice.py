"""Which encoder writes our video: the machine's hardware where it proves itself on a picture, software else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import av
import numpy as np

from edge.errors import EchoEdgeError
from edge.sinks.encoder import Encoder, LibraryEncoder, Target
from edge.sinks.pipeline_encoder import PipelineEncoder, jetson_elements

log = logging.getLogger(__name__)

AUTO = "auto"
Builder = Callable[[av.container.OutputContainer, Target], Encoder]


def _library(name: str, file: dict[str, str], live: dict[str, str]) -> Builder:
    def build(container: av.container.OutputContainer, target: Target) -> Encoder:
        return LibraryEncoder(container, name, live if target.live else file, target)

    return build


FILE_OPTIONS = {"libx264": {"preset": "ultrafast", "crf": "21"}, "mpeg4": {"q": "4"}}
HARDWARE: dict[str, Builder] = {
    "h264_nvenc": _library("h264_nvenc", {"preset": "p4"}, {"preset": "p1", "tune": "ull", "zerolatency": "1"}),
    "nvv4l2h264enc": lambda container, target: PipelineEncoder(container, target, jetson_elements(target)),
    "h264_v4l2m2m": _library("h264_v4l2m2m", {}, {}),
}
"""Desktop GPU; Jetson, through GStreamer; boards whose encoder is a V4L2 device."""
SOFTWARE: dict[str, Builder] = {
    "libx264": _library(
        "libx264", {**FILE_OPTIONS["libx264"], "threads": "4"}, {"preset": "ultrafast", "tune": "zerolatency"}
    ),
    "mpeg4": _library("mpeg4", FILE_OPTIONS["mpeg4"], {}),
}
"""libx264 comes with PyAV's wheels; a build of FFmpeg without it has MPEG-4 part 2. Each of libx264's threads holds a
picture back, which a process that is killed loses: a file gets few."""
ENCODERS = {**HARDWARE, **SOFTWARE}
CHOICES = (AUTO, *ENCODERS)


def open_encoder(container: av.container.OutputContainer, target: Target, wanted: str = AUTO) -> Encoder:
    """A stream in the container and its encoder. See `choose_encoder`."""
    return ENCODERS[choose_encoder(wanted, target)](container, target)


@cache
def choose_encoder(wanted: str, target: Target) -> str:
    """The first of ENCODERS that encodes a black picture of this size here, or the wanted one. The choice is logged.

    Raises EchoEdgeError where none does, or the wanted one does not.
    """
    if wanted not in CHOICES:
        raise EchoEdgeError(f"encoder '{wanted}' is unknown; there are {', '.join(CHOICES)}")
    failed: list[str] = []
    for name in ENCODERS if wanted == AUTO else (wanted,):
        problem = _problem(name, target)
        if not problem:
            kind = "hardware" if name in HARDWARE else "software"
            log.info("video is encoded by %s (%s)%s", name, kind, f"; not here: {'; '.join(failed)}" if failed else "")
            return name
        failed.append(f"{name} ({problem})")
    if wanted == AUTO:
        raise EchoEdgeError(f"no video encoder works here: {'; '.join(failed)}; reinstall the 'av' package")
    raise EchoEdgeError(f"the encoder {'; '.join(failed)} does not work here; leave --encoder out, or choose another")


def _problem(name: str, target: Target) -> str:
    """ "" where an encoder turns a picture into packets, else why not. Opening it proves little: drivers fail later."""
    if name in av.codecs_available or name == "nvv4l2h264enc":
        try:
            with av.open("/dev/null", "w", format="null") as container:
                encoder = ENCODERS[name](container, target)
                picture = np.full((target.height * 3 // 2, target.width), 128, np.uint8)
                packets = encoder.encode(picture, 0) + encoder.finish()
                return "" if packets else "it gave no packet"
        except (av.FFmpegError, OSError, EchoEdgeError) as error:
            return str(getattr(error, "strerror", None) or error)
    return "not in this build of FFmpeg"
