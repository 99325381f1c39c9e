"""A recording, an array or several of them, analysed from the first frame to the last."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from echoedge.frame import scores_in_words
from echoedge.request import Input, Networks, Options, Settings, opened, options_of
from echoedge.result import KeptMask, Result, error_of
from edge.errors import EchoEdgeError, SourceError
from edge.heart.analysis import NO_SCORES, Analysis
from edge.heart.best import Best
from edge.heart.regions import region_names
from edge.loop import run_loop
from edge.picture.panel import best_picture, frame_panel, noted
from edge.preprocess import Box
from edge.report import Report
from edge.sinks import Shown, Sink
from edge.sinks.jsonl import shown_record
from edge.sinks.still import still_png
from edge.sources import Live, Source

if TYPE_CHECKING:  # 3.10 has no Unpack of its own
    from typing_extensions import Unpack

NO_BOX = Box(0, 0, 1)
FAST = 1
"""zlib's level: a mask becomes a kilobyte in a third of a millisecond."""


@overload
def run(source: Input, **settings: Unpack[Options]) -> Result: ...


@overload
def run(source: list[Any] | tuple[Any, ...], **settings: Unpack[Options]) -> list[Result]: ...


def run(
    source: Input | list[Any] | tuple[Any, ...],
    *,
    model: str | Path = "pspnet-mk",
    quality: str | Path = "quality",
    view: str = "",
    depth_cm: float = 0.0,
    profile: str = "",
    fps: float | None = None,
    spacing_mm: float | tuple[float, float] | None = None,
    precision: str = "auto",
    backend: str = "auto",
    threads: int | None = None,
    allow_failed_gate: bool = False,
) -> Result | list[Result]:
    """Analyse recordings as `echoedge run` does: the same loop, the same figures.

    source: a path (video, DICOM file, picture, folder of pictures), an address as of `echoedge run`, or a uint8 array,
    0 black to 255 white: N x H x W or N x H x W x 1, 3 (RGB) or 4 (RGBA), or one picture without the N; a last axis of
    1, 3 or 4 is colour. A list or tuple of these gives a list of results.

    model, quality: names or folders. view: "A4C", "A2C", "A3C" or "A5C", checked against the picture ("A4C!" is
    believed unchecked); "" recognises it. depth_cm: imaging depth where the source does not say its scale. profile: a
    screen saved by `echoedge locate --save`. fps, spacing_mm: of arrays alone, frames a second (30 where not given) and
    mm per pixel, one number or (row, column). precision, backend, threads, allow_failed_gate: as `open_segmenter`'s.

    Raises SourceError for a source that cannot be read, that holds no echo, or that is live (take `stream`), ModelError
    and BackendError for a network that cannot be opened, EchoEdgeError for an argument out of range; all are
    EchoEdgeError and say what was found, what was expected and what to do. Of several sources one that cannot be
    analysed has a result with `error` and without frames; the others go on.

    >>> import echoedge
    >>> result = echoedge.run("synth://a4c?seed=3&fps=30&severity=0&frames=45", view="A4C")
    >>> result.mask.shape, result.mask.dtype, result.scores.shape, result.view
    ((45, 473, 473), dtype('uint8'), (45, 8), 'A4C')
    >>> 40 < result.ef < 75
    True
    >>> [beat["kind"] for beat in result.beats][:2]
    ['ED', 'ES']
    >>> result.to_rows()[0]["lv_area_cm2"] > 10
    True
    >>> result.plot().shape
    (580, 1280, 3)

    Arrays have no scale of their own:

    >>> import numpy as np
    >>> loop = np.zeros((30, 480, 640), np.uint8)
    >>> echoedge.run(loop.astype(float), fps=50)
    Traceback (most recent call last):
    edge.errors.SourceError: the array holds float64; an echo's pictures are uint8, 0 black to 255 white: scale it to \
that range, then .astype('uint8')
    """
    settings = Settings(
        model=model,
        quality=quality,
        view=view,
        depth_cm=depth_cm,
        profile=profile,
        fps=fps,
        spacing_mm=spacing_mm,
        precision=precision,
        backend=backend,
        threads=threads,
        allow_failed_gate=allow_failed_gate,
    )
    if not isinstance(source, list | tuple):
        with _recording(source, settings) as inside, Networks(settings) as networks:  # a wrong path is told first
            return _analysed(source, inside, settings, networks)
    with Networks(settings) as networks:
        return [_analysed_or_not(one, settings, networks) for one in source]


def _recording(source: Input, settings: Settings) -> Source:
    """Raises SourceError for a live signal."""
    inside = opened(source, settings)
    if isinstance(inside, Live):
        raise SourceError(
            f"{inside.uri} is a live signal, which has no end; take `for frame in echoedge.stream(...)` and leave it "
            "when you have enough"
        )
    return inside


def _analysed_or_not(source: Input, settings: Settings, networks: Networks) -> Result:
    try:
        with _recording(source, settings) as inside:
            return _analysed(source, inside, settings, networks)
    except EchoEdgeError as error:
        return Keeping(settings.plain_view).result(source, settings, None, str(error))


def _analysed(source: Input, inside: Source, settings: Settings, networks: Networks) -> Result:
    keeping = Keeping(settings.plain_view)
    sinks: list[Sink] = [keeping]
    report = run_loop(inside, networks.segmenter, networks.scorer, sinks, options_of(inside, settings))
    return keeping.result(source, settings, report, error_of(report))


class Keeping:
    """An output of the loop that keeps what was found, and of the pictures the best ones alone."""

    name = "result"

    def __init__(self, view: str) -> None:
        self._names = region_names(view)
        self._lines: list[bytes] = []
        self._masks: list[KeptMask] = []
        self._scores: list[NDArray[np.float32]] = []
        self._shape = (0, 0)
        self._best: Best | None = None
        self._last: Analysis | None = None

    def write(self, shown: Shown) -> None:
        if shown.frame is None:
            return
        analysis, packed = shown.analysis, b""
        if analysis is not None:
            packed = zlib.compress(analysis.mask.tobytes(), FAST)
            self._best, self._last = shown.best or self._best, analysis
        self._shape = (shown.frame.image.shape[0], shown.frame.image.shape[1])
        self._lines.append(msgspec.json.encode(shown_record(shown, self._names)))
        self._masks.append(KeptMask(box=analysis.box if analysis is not None else NO_BOX, packed=packed))
        self._scores.append(NO_SCORES if analysis is None else analysis.scores)

    def result(self, source: Input, settings: Settings, report: Report | None, error: str) -> Result:
        """What was kept; the masks of all frames are of one size, as a recording's frames are."""
        return Result(
            source=source,
            settings=settings,
            shape=self._shape,
            lines=tuple(self._lines),
            masks=tuple(self._masks),
            scores=np.array(self._scores, np.float32).reshape(-1, len(NO_SCORES)),
            picture=self._picture(),
            report=report,
            error=error,
        )

    def _picture(self) -> bytes:
        picture = best_picture(self._best)
        if picture is None and self._last is not None:
            words = scores_in_words(self._last.scores)
            picture = noted([frame_panel(self._last, "Last frame", words)])
        return b"" if picture is None else still_png(picture, "")

    def __enter__(self) -> Keeping:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""
