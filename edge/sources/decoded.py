"""Frames of one video stream in FFmpeg's hands: damage is counted and passed over, interlaced pictures are mended."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import av
from av.filter import Graph

from edge.sources.combs import CombTest
from edge.sources.picture_size import check_size

log = logging.getLogger(__name__)

STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}
"""A decoder that hides damage hands out pictures that nobody took."""


class Decoder:
    """Decodes the first video stream of an open container. `damaged` counts the frames that did not come out whole.

    A damaged packet does not end the stream, but what follows it is drawn upon a picture that is not there: frames up
    to the next key frame count as damaged and are left out. With `looks_for_combs` the first frames are looked at for
    fields that nothing says are there. Raises SourceError for a picture that is too large to be an
    ultrasound screen.
    """

    def __init__(self, container: av.container.InputContainer, shown: str, looks_for_combs: bool = True) -> None:
        self._container, self.shown = container, shown
        self.stream = container.streams.video[0]
        self.stream.codec_context.options = STRICT
        self.damaged = 0
        self.reason = ""
        check_size(self.stream.width, self.stream.height, shown)
        self._mender: Deinterlacer | None = None
        self._combs = CombTest() if looks_for_combs else None
        self._held: list[av.VideoFrame] = []
        self._broken_at: int | None = None

    def frames(self, expected: int | None = None) -> Iterator[av.VideoFrame]:
        """Every frame that decodes; `expected` is how many the container declares.

        After the last one `damaged` also counts those that were declared and never came. Raises av.FFmpegError and
        OSError where the container itself breaks off and nothing has come before.
        """
        count = left_out = 0
        packets = iter(self._container.demux(self.stream))
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                if count == 0:
                    raise
                self._note(error)
                break
            if packet is None:
                break
            left_out += packet.is_discard  # before the beginning that an edit list sets
            for frame in self._decode(packet):
                count += 1
                yield frame
        for frame in (*self._released(), *(self._mender.rest() if self._mender is not None else ())):
            count += 1
            yield frame
        if expected is not None:
            self.damaged = max(self.damaged, expected - left_out - count)
        if self.damaged:
            log.warning(
                "%s: %d frames are damaged or missing, %d were decoded%s",
                self.shown,
                self.damaged,
                count,
                f" of {expected} declared" if expected else "",
            )

    def _decode(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        try:
            frames = packet.decode()
        except (av.FFmpegError, OSError) as error:
            self._note(error)
            self._broken(packet.pts)
            return
        for frame in frames:
            if frame.is_corrupt:
                self._broken(frame.pts)
                continue
            if self._broken_at is not None:
                if not frame.key_frame or (frame.pts is not None and frame.pts < self._broken_at):
                    self.damaged += 1
                    continue
                self._broken_at = None
            yield from self._whole(frame)

    def _whole(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Whole pictures of interlaced frames, others as they are; the first ones come once it is known which."""
        is_flagged = frame.interlaced_frame
        if self._mender is None and self._combs is not None and not is_flagged:
            self._held.append(frame)
            self._combs.add(frame)
            if self._combs.verdict is None:
                return
        elif self._mender is not None or not is_flagged:
            yield from self._mender.mended(frame) if self._mender is not None else (frame,)
            return
        else:
            self._held.append(frame)
        if is_flagged or (self._combs is not None and self._combs.verdict):
            said = "" if is_flagged else ", though it does not say so"
            log.warning("%s is interlaced%s: its fields are woven into whole pictures (bwdif)", self.shown, said)
            self._mender = Deinterlacer(self.stream, every=not is_flagged)
        self._combs = None
        yield from self._released()

    def _released(self) -> Iterator[av.VideoFrame]:
        held, self._held = self._held, []
        for frame in held:
            yield from self._mender.mended(frame) if self._mender is not None else (frame,)

    def _broken(self, pts: int | None) -> None:
        self.damaged += 1
        self._broken_at = pts or 0

    def _note(self, error: Exception) -> None:
        self.reason = self.reason or getattr(error, "strerror", None) or type(error).__name__


class Deinterlacer:
    """FFmpeg's bwdif on the frames that say that they are interlaced, or on `every` frame; one picture a frame, a frame
    of delay."""

    def __init__(self, stream: av.VideoStream, every: bool = False) -> None:
        self._graph = Graph()
        source = self._graph.add_buffer(template=stream, time_base=stream.time_base)
        filter = self._graph.add("bwdif", f"mode=send_frame:parity=auto:deint={'all' if every else 'interlaced'}")
        sink = self._graph.add("buffersink")
        self._graph.link_nodes(source, filter, sink).configure()

    def mended(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        self._graph.vpush(frame)
        yield from self._ready()

    def rest(self) -> Iterator[av.VideoFrame]:
        """What is held back at the end of the stream."""
        self._graph.vpush(None)
        yield from self._ready()

    def _ready(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                yield self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
