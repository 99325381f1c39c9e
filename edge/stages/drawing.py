"""Third stage: analyses and banners to pictures, handed to the outputs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from edge.nets.model import Segmenter
from edge.picture.overlay import HeadUp, Overlay
from edge.screen.kind import FROZEN
from edge.sinks import Shown
from edge.sinks.worker import SinkWorker
from edge.stages.capture import Capture
from edge.stages.finished import Finished
from edge.stages.shared import Shared
from edge.threads.mailbox import Mailbox
from edge.threads.realtime import make_realtime

FPS_WINDOW = 30


class Drawing:
    """Draws finished frames and banners on its own thread and hands them to the sinks' threads."""

    def __init__(
        self,
        shared: Shared,
        *,
        engine: Segmenter,
        capture: Capture,
        workers: Sequence[SinkWorker],
        refines: bool,
    ) -> None:
        self.mailbox: Mailbox[Finished] = Mailbox(1 if shared.live else 2, newest_wins=shared.live)
        self._overlay: Overlay | None = None
        self._source, self._clock, self._guard = shared.source, shared.clock, shared.guard
        self._engine, self._capture, self._workers, self._refines = engine, capture, workers, refines
        self._realtime = shared.realtime
        self._times: deque[float] = deque(maxlen=FPS_WINDOW)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="draw", daemon=True)

    def __enter__(self) -> Drawing:
        self._thread.start()
        return self

    def _run(self) -> None:
        make_realtime("draw", self._realtime)
        try:
            for finished in self.mailbox:
                self._draw(finished)
        except BaseException as error:  # raised again on the main thread when the context is left
            self._error = error
            self.mailbox.close()

    def _draw(self, finished: Finished) -> None:
        now_ns = time.monotonic_ns()
        frame, analysis = finished.frame, finished.analysis
        banner = self._guard.state(now_ns, self._capture.status) or finished.banner
        head = self._head(finished, now_ns)
        # Beside a banner no still is shown, but that of the frozen picture which the banner is about.
        refined = finished.refined if not banner or banner == finished.banner == FROZEN else None
        with self._clock.time("overlay"):
            if frame is not None:
                self._overlay = self._overlay or self._new_overlay(frame.image.shape[:2])
                self._overlay.fit(frame.image.shape[:2])
            overlay = self._overlay or self._new_overlay((480, 640))
            if analysis is not None and not banner:
                picture = overlay.draw(analysis, head, finished.best, refined)
            else:
                # What is on screen while the source is silent would be an old picture: it goes as well.
                image = frame.image if frame is not None and not banner.startswith("NO SIGNAL") else None
                picture = overlay.draw_safe(image, head, banner, refined)
        if frame is not None:
            self._clock.add("capture to drawn", time.monotonic_ns() - frame.captured_ns)
        if self._guard.live:
            at_s = (frame.captured_ns if frame is not None else now_ns) / 1e9
        else:
            at_s = frame.time_s if frame is not None else 0.0
        shown = Shown(
            picture=picture,
            head=head,
            analysis=analysis,
            frame=frame,
            banner=banner,
            withheld=finished.banner,
            best=finished.best,
            at_s=at_s,
            refined=refined,
        )
        for worker in self._workers:
            worker.offer(shown)

    def _new_overlay(self, frame_shape: tuple[int, int]) -> Overlay:
        return Overlay(frame_shape, self._source.fps, self._source.frames, self._refines)

    def _head(self, finished: Finished, now_ns: int) -> HeadUp:
        if finished.analysis is not None:
            self._times.append(time.monotonic())
        times = self._times
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
        captured_ns = finished.frame.captured_ns if finished.frame else now_ns
        return HeadUp(
            fps=rate,
            age_ms=(now_ns - captured_ns) / 1e6,
            latency_ms=(now_ns - finished.started_ns) / 1e6,
            backend=self._engine.backend.name,
            precision=self._engine.manifest.precision,
            dropped=self._capture.mailbox.dropped,
            notice=finished.notice,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until everything handed over is drawn; raise what went wrong."""
        self.mailbox.close()
        self._thread.join()
        if self._error is not None:
            raise self._error
