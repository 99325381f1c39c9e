"""Third stage: analyses and banners to pictures, handed to the outputs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from edge.nets.model import Segmenter
from edge.picture.overlay import HeadUp, Overlay
from edge.screen.kind import FROZEN
from edge.sinks import Shown
from edge.stages.capture import Capture
from edge.stages.finished import Finished
from edge.stages.output import Output
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
        outputs: Sequence[Output],
        refines: bool,
        label: str = "",
    ) -> None:
        self.mailbox: Mailbox[Finished] = Mailbox(1 if shared.live else 2, newest_wins=shared.live)
        self._overlay = Overlay(shared.source.fps, shared.source.frames, refines)
        self._patient, self._label = 0, label
        self._clock, self._guard = shared.clock, shared.guard
        self._engine, self._capture, self._outputs = engine, capture, outputs
        self._realtime, self._stopped = shared.realtime, shared.stopped
        self._times: deque[float] = deque(maxlen=FPS_WINDOW)
        self.error: Exception | None = None
        """What ended the drawing before the run did."""
        self._thread = threading.Thread(target=self._run, name="draw", daemon=True)

    def __enter__(self) -> Drawing:
        self._thread.start()
        return self

    def toggle_names(self) -> None:
        """Write the regions' names from now on, or no more; any thread may call."""
        self._overlay.names = not self._overlay.names

    def _run(self) -> None:
        make_realtime("draw", self._realtime)
        try:
            for finished in self.mailbox:
                self._draw(finished)
        except Exception as error:
            self.error = error
            self.mailbox.close()

    def _draw(self, finished: Finished) -> None:
        now_ns = time.monotonic_ns()
        frame, analysis = finished.frame, finished.analysis
        banner = self._guard.state(now_ns, self._capture.status) or finished.banner
        # What is on screen while the source is silent would be an old picture: it goes, and its age with it.
        is_silent = frame is None or banner.startswith("NO SIGNAL")
        head = self._head(finished, now_ns, not is_silent)
        # Beside a banner no still is shown, but that of the frozen picture which the banner is about.
        refined = finished.refined if not banner or banner == finished.banner == FROZEN else None
        with self._clock.time("overlay"):
            overlay = self._overlay
            if frame is not None and finished.patient != self._patient:
                self._patient = finished.patient
                overlay.restart()
            if analysis is not None and not banner:
                picture = overlay.draw(analysis, head, finished.best, refined)
            else:
                image = frame.image if frame is not None and not is_silent else None
                picture = overlay.draw_safe(image, head, banner, refined, finished.extent)
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
            label=self._label,
            screen=None if is_silent else finished.screen,
            side=overlay.side,
        )
        for output in self._outputs:
            output.offer(shown)

    def _head(self, finished: Finished, now_ns: int, has_frame: bool) -> HeadUp:
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
            notice=self._notice(finished.notice),
            has_frame=has_frame,
        )

    def _notice(self, notice: str) -> str:
        """What has stopped goes first: nobody else beside the scanner is told."""
        newest = list(self._stopped.items())[-1:]  # a copy: any thread may add to it
        stopped = [f"{name} stopped: {reason}" for name, reason in newest]
        return "; ".join([*stopped, *([notice] if notice else [])])

    def __exit__(self, *_: object) -> None:
        """Wait until everything handed over is drawn."""
        self.mailbox.close()
        self._thread.join()
