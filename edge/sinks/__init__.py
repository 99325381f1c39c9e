"""Every kind of output behind one `open_sink(path)`."""

from __future__ import annotations

from pathlib import Path

from edge.errors import EchoEdgeError
from edge.sinks.base import Shown, Sink
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.still import StillSink
from edge.sinks.video import VideoSink

__all__ = ["Shown", "Sink", "open_sink"]


def open_sink(path: Path, fps: float, view: str = "") -> Sink:
    """Open an output by its suffix: .mp4 annotated video, .jsonl measurements, .png last picture."""
    if path.suffix == ".mp4":
        return VideoSink(path, fps)
    if path.suffix == ".jsonl":
        return JsonLinesSink(path, view)
    if path.suffix == ".png":
        return StillSink(path)
    raise EchoEdgeError(f"'{path}' names no output; use a name ending in .mp4, .jsonl or .png")
