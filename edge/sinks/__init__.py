"""Every kind of output behind one `open_sink(uri)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.errors import EchoEdgeError
from edge.sinks.base import Closable, Keyed, Shown, Sink
from edge.sinks.best import BestSink
from edge.sinks.encoder_choice import AUTO
from edge.sinks.igtl import IgtlSink
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.metrics import MetricsSink
from edge.sinks.mqtt import MqttSink
from edge.sinks.still import StillSink
from edge.sinks.stream import StreamSink
from edge.sinks.systemd import SystemdSink
from edge.sinks.video import VideoSink
from edge.sinks.window import WindowSink
from edge.sources.address import file_path, redacted, scheme_of

__all__ = ["SCHEMES", "SUFFIXES", "Closable", "Keyed", "Shown", "Sink", "open_sink"]

SUFFIXES: dict[str, Callable[[Path, float, str, str], Sink]] = {
    "_best.png": lambda path, fps, view, encoder: BestSink(path),
    ".mp4": lambda path, fps, view, encoder: VideoSink(path, fps, encoder),
    ".jsonl": lambda path, fps, view, encoder: JsonLinesSink(path, view),
    ".png": lambda path, fps, view, encoder: StillSink(path),
}
"""End of a file's name -> builder (path, frames a second, view, encoder); the first that fits counts."""

SCHEMES: dict[str, Callable[[str, float, str, str], Sink]] = {
    "udp": lambda uri, fps, view, encoder: StreamSink(uri, fps, encoder),
    "rtsp": lambda uri, fps, view, encoder: StreamSink(uri, fps, encoder),
    "igtl": lambda uri, fps, view, encoder: IgtlSink(uri, view),
    "mqtt": lambda uri, fps, view, encoder: MqttSink(uri, fps, view),
    "metrics": lambda uri, fps, view, encoder: MetricsSink(uri, view),
    "systemd": lambda uri, fps, view, encoder: SystemdSink(),
    "window": lambda uri, fps, view, encoder: WindowSink(uri),
}
"""Scheme of an address -> builder (address, frames a second, view, encoder)."""


def open_sink(uri: str | Path, fps: float, view: str = "", encoder: str = AUTO) -> Sink:
    """Open an output: a file by its suffix, or one of the schemes above. Raises EchoEdgeError for anything else.

    `encoder` is one of edge/sinks/encoder_choice.py's CHOICES for those that write video.
    """
    text = str(uri)
    scheme = scheme_of(text)
    if scheme in SCHEMES:
        return SCHEMES[scheme](text, fps, view, encoder)
    path = file_path(text)
    suffix = next((end for end in SUFFIXES if path.name.endswith(end)), "")
    if scheme in ("", "file") and suffix:
        return SUFFIXES[suffix](path, fps, view, encoder)
    raise EchoEdgeError(
        f"'{redacted(text)}' is not an output; use a name ending in {', '.join(SUFFIXES)}, or {'://, '.join(SCHEMES)}://"
    )
