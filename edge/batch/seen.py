"""What a report shows of a clip, collected while it runs: curve, best pictures, quality by region."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import Analysis
from edge.heart.beat import Beat
from edge.heart.best import Best
from edge.heart.record import Heart, HeartRecord
from edge.heart.regions import region_names
from edge.picture.annotate import annotate
from edge.picture.layout import fitted
from edge.picture.palette import Canvas
from edge.sinks.base import Shown

Array = NDArray[np.float64]
STILL_PX = (480, 400)
"""Width and height that a picture fits in: 140 dots an inch in two columns of A4."""
ED, ES = "ED", "ES"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """N frames: seconds, area in px and cm2, volume in ml; NaN where it is withheld or not known."""

    times_s: Array
    area_px: Array
    area_cm2: Array
    volume_ml: Array


@dataclass(frozen=True, kw_only=True)
class Still:
    """A frame with its contour and regions, HxWx3 RGB uint8; `is_best` for ED or ES of the best quality, else it is the
    frame with the largest or the smallest area."""

    picture: Canvas
    frame: int
    time_s: float
    is_best: bool
    quality: float | None


@dataclass(frozen=True, kw_only=True)
class RegionQuality:
    """Median score of one region, 1 to 5, None where it never had one; `inside` is the share of frames in which it lay
    inside the sector."""

    name: str
    score: float | None
    inside: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One clip. `marks` are (ED or ES, seconds), `beats` the last ones of each view, `stills` by ED and ES.
    `is_fitted`: EF has an interval with the networks that ran."""

    curve: Curve
    marks: tuple[tuple[str, float], ...]
    stills: dict[str, Still]
    regions: tuple[RegionQuality, ...]
    heart: Heart
    beats: dict[str, tuple[Beat, ...]]
    is_fitted: bool
    view: str
    view_probability: float | None
    turn: str

    @property
    def quality(self) -> float | None:
        """Mean over the regions that have a score."""
        scores = [region.score for region in self.regions if region.score is not None]
        return float(np.mean(scores)) if scores else None


class Collector:
    """An output that keeps what a report shows; `seen` gives it once the run is over. It keeps four frames at most,
    however long the clip is."""

    name = "report"

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float, float]] = []
        self._scores: list[NDArray[np.float32]] = []
        self._times: dict[int, float] = {}
        self._best: Best | None = None
        self._last: Analysis | None = None
        self._largest: Analysis | None = None
        self._smallest: Analysis | None = None

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def write(self, shown: Shown) -> None:
        """Take one frame."""
        analysis = shown.analysis
        if analysis is None or shown.banner:
            return
        self._best, self._last = shown.best, analysis
        ventricle, regions = analysis.ventricle, analysis.regions
        is_shown = not analysis.withheld.picture and ventricle.area_px > 0
        area_px = ventricle.area_px if is_shown else np.nan
        figures = (ventricle.area_cm2, ventricle.volume_ml)
        area_cm2, volume_ml = (np.nan if not is_shown or figure is None else figure for figure in figures)
        self._rows.append((analysis.frame.time_s, area_px, area_cm2, volume_ml))
        self._times[analysis.frame.number] = analysis.frame.time_s
        if regions is None:
            return
        self._scores.append(np.where(regions.included, analysis.scores, np.float32(np.nan)))
        if is_shown and (self._largest is None or area_px > self._largest.ventricle.area_px):
            self._largest = analysis
        if is_shown and (self._smallest is None or area_px < self._smallest.ventricle.area_px):
            self._smallest = analysis

    def seen(self, record: HeartRecord) -> Seen | None:
        """All of it, with the beats of the run; None where no frame was analysed."""
        if self._last is None:
            return None
        rows = np.array(self._rows, np.float64)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return Seen(
            curve=Curve(times_s=rows[:, 0], area_px=rows[:, 1], area_cm2=rows[:, 2], volume_ml=rows[:, 3]),
            marks=tuple((m.kind, self._times[m.frame]) for m in record.marks if m.frame in self._times),
            stills=self._stills(),
            regions=self._regions(),
            heart=record.heart,
            beats={view: tuple(beats) for view, beats in record.beats.items()},
            is_fitted=record.is_fitted,
            view=record.heart.view or self._last.view,
            view_probability=self._last.view_probability,
            turn=str(self._last.turn),
        )

    def _stills(self) -> dict[str, Still]:
        best = self._best or Best()
        stills = {}
        for kind, rated, other in ((ED, best.ed, self._largest), (ES, best.es, self._smallest)):
            analysis = rated.analysis if rated is not None else other
            if analysis is not None:
                stills[kind] = Still(
                    picture=_drawn(analysis),
                    frame=analysis.frame.number,
                    time_s=analysis.frame.time_s,
                    is_best=rated is not None,
                    quality=rated.mean if rated is not None else None,
                )
        return stills

    def _regions(self) -> tuple[RegionQuality, ...]:
        assert self._last is not None
        names = region_names(self._last.view)
        scores = np.array(self._scores, np.float64).reshape(-1, len(names))
        qualities = []
        for name, column in zip(names, scores.T):
            scored = column[np.isfinite(column)]
            score = float(np.median(scored)) if len(scored) else None
            inside = len(scored) / max(1, len(column))
            qualities.append(RegionQuality(name=name, score=score, inside=inside))
        return tuple(qualities)


def _drawn(analysis: Analysis) -> Canvas:
    """The sector with contour and regions, as large as STILL_PX allows."""
    image = np.asarray(analysis.frame.image, np.uint8)
    x0, y0, x1, y1 = analysis.extent or (0, 0, image.shape[1], image.shape[0])
    scale = min(STILL_PX[0] / (x1 - x0), STILL_PX[1] / (y1 - y0))
    shown = fitted(image[y0:y1, x0:x1], (round((x1 - x0) * scale), round((y1 - y0) * scale)))
    annotate(shown, analysis, scale, (x0, y0))
    return shown
