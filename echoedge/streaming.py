"""Frames as they are analysed, one after the other, until the source is over or the caller has seen enough."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echoedge.frame import AnalysedFrame, frame_of
from echoedge.request import Input, Networks, Options, Settings, opened, options_of
from edge.errors import EchoEdgeError
from edge.loop import LoopOptions, run_loop
from edge.report import Report, problems_of
from edge.sinks import Shown, Sink
from edge.sources import Live, Source
from edge.stages.ending import Ending
from edge.threads.mailbox import Mailbox

if TYPE_CHECKING:  # 3.10 has no Unpack of its own
    from typing_extensions import Unpack

LEFT = "left by the caller"
SLOTS = 2
"""Frames that wait for the caller. A recording waits with them; of a live signal the newest are kept."""


def stream(source: Input, **settings: Unpack[Options]) -> Stream:
    """Analyse a source frame by frame: a recording, an array, or a live signal. Arguments and errors as `run`'s.

    What the loop finds is yielded as `AnalysedFrame`; one is in memory at a time. A recording waits for its reader and
    loses nothing; of a live signal the newest frame wins. Leaving early closes the source: at once as a context
    manager, else when the stream is let go.

    >>> import echoedge
    >>> with echoedge.stream("synth://a4c?seed=3&fps=30&severity=0", view="A4C") as frames:
    ...     for frame in frames:
    ...         if frame.number == 4:
    ...             break
    >>> frame.mask.shape, frame.mask.dtype, frame.scores.shape, round(frame.time_s, 3)
    ((473, 473), dtype('uint8'), (8,), 0.133)
    >>> frame.picture.shape, frame.ef, frame.withheld
    ((720, 1280, 3), None, {})
    """
    return Stream(source, Settings(**settings))


class Stream(Iterator[AnalysedFrame]):
    """An iterator over the analysed frames of one source, and a context manager that closes it.

    `report` is what the run came to, as `echoedge run --json` prints it; None until the last frame was taken or the
    stream was closed. An error of the source is raised at the frame that it costs.
    """

    def __init__(self, source: Input, settings: Settings) -> None:
        with ExitStack() as stack:
            inside = stack.enter_context(opened(source, settings))
            networks = stack.enter_context(Networks(settings))
            options = options_of(inside, settings)
            self._stack = stack.pop_all()
        self.report: Report | None = None
        self._run = _Run(inside, networks, options)
        self._frames = iter(self._run.mailbox)
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._is_open = True

    def __next__(self) -> AnalysedFrame:
        if not self._is_open:
            raise StopIteration
        if self._thread.ident is None:
            self._thread.start()
        try:
            return next(self._frames)
        except BaseException as error:
            self.close()
            if isinstance(error, StopIteration) and self.report is not None and self.report.failure:
                raise EchoEdgeError(problems_of(self.report)[0]) from None
            raise

    def close(self) -> None:
        """End the analysis and close the source and the networks; nothing where that was done."""
        if not self._is_open:
            return
        self._is_open = False
        self._run.leave()
        if self._thread.ident is not None:
            self._thread.join()
        self.report = self._run.report
        self._stack.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_is_open"):  # not where opening failed
            self.close()


class _Run:
    """The loop on a thread of its own; it knows nothing of the stream, so that one that is let go ends."""

    def __init__(self, source: Source, networks: Networks, options: LoopOptions) -> None:
        self.mailbox: Mailbox[AnalysedFrame] = Mailbox(SLOTS, newest_wins=isinstance(source, Live))
        self.report: Report | None = None
        self._source, self._networks, self._options = source, networks, options
        self._ending = Ending()

    def __call__(self) -> None:
        sinks: list[Sink] = [Handing(self.mailbox, self._options.view)]
        networks = (self._networks.segmenter, self._networks.scorer)
        try:
            self.report = run_loop(self._source, *networks, sinks, self._options, ending=self._ending)
        except BaseException as error:  # handed to the reader, which raises it
            self.mailbox.close(error)
        self.mailbox.close()

    def leave(self) -> None:
        """End the loop after the frame that it is at; what nobody takes is dropped."""
        self._ending.ask(LEFT)
        self.mailbox.close()


@dataclass(frozen=True)
class Handing:
    """An output of the loop that hands each frame to a reader."""

    mailbox: Mailbox[AnalysedFrame]
    view: str
    name: str = "stream"

    def write(self, shown: Shown) -> None:
        """Waits for the reader of a recording."""
        frame = frame_of(shown, self.view)
        if frame is not None:
            self.mailbox.put(frame)

    def __enter__(self) -> Handing:
        return self

    def __exit__(self, *_: object) -> None:
        """The reader closes."""
