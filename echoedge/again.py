"""A source gone through once more, for a video or a picture of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from echoedge.request import Input, Networks, Settings, opened, options_of
from edge.errors import EchoEdgeError
from edge.loop import run_loop
from edge.report import problems_of
from edge.sinks import open_sink


def analyse_again(source: Input, settings: Settings, path: Path) -> None:
    """Write an output of the loop to a path. Raises EchoEdgeError where it, or the source, ends early."""
    with ExitStack() as stack:
        inside = stack.enter_context(opened(source, settings))
        networks = stack.enter_context(Networks(settings))
        sink = stack.enter_context(open_sink(path, inside.fps, settings.plain_view))
        report = run_loop(inside, networks.segmenter, networks.scorer, [sink], options_of(inside, settings))
    if report.stopped or report.failure:
        raise EchoEdgeError(f"{path} could not be written: {'; '.join(problems_of(report))}")
