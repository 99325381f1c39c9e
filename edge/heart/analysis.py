"""One frame through both networks, regions and measurements: what the loop does between capture and display."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.beats import BeatDetector, Event
from edge.heart.fitted import NETWORKS
from edge.heart.hint import Advisor, Hint
from edge.heart.interval import seen_in
from edge.heart.measure import Ventricle, measure_ventricle
from edge.heart.plane import UPRIGHT, Looked, Plane, PlaneTracker, Turn
from edge.heart.plausible import implausible, too_large
from edge.heart.record import NO_HEART, Heart, HeartRecord
from edge.heart.regions import NotMeasurable, Regions, find_regions
from edge.heart.shape import shape_of
from edge.heart.steady import weight_after
from edge.heart.view import SceneCheck, ViewState, ViewTracker
from edge.heart.visibility import Visibility
from edge.heart.withhold import NO_SCALE, NO_VIEW, NOTHING, UNCERTAIN_VIEW, Withheld, Withholding
from edge.nets.model import QualityScorer, Segmenter
from edge.postprocess import LA, clean_mask
from edge.preprocess import Box, grey_crop, resample
from edge.screen.calibration import Calibration
from edge.screen.sector import Sector
from edge.sources import Captured
from edge.threads.clock import StageClock

REGION_PX = 256
"""Regions and measurements are computed on a mask of this size: half a millimetre a pixel at usual depths."""
SMOOTHING_S = 0.3
"""Time constant of the displayed quality scores: the same at 15 and at 60 frames a second, or with every tenth scored.
"""
EXPIRE_S = 2.0
"""Scores older than this say nothing of the picture that is shown; they are asked for once a second at least."""
UNCALIBRATED = Calibration()
NO_SCORES = np.full(8, np.nan, np.float32)


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What is known of one frame. mask and region labels are REGION_PX square uint8 in the coordinates of `box`.

    scores are 8 float32, smoothed over time; `event` is an ED or ES that this frame confirms, `heart` what the last
    beats come to and how old they are, `reason` why regions are not measurable ("" where they are), `invalid` why
    nothing here may be shown ("" where it may). Scores are NaN while the quality net is switched off. What `withheld`
    names is None in `ventricle`; `hint` is what the operator might do about the picture; `calibration` is what mm are
    from. `view` is the operator's or, without one, the recognised one, "" where neither is known; `view_probability` is
    None where no network knows views. `extent` is the rectangle (x0, y0, x1, y1) of the frame around the sector, None
    for the whole frame. `turn` is how the picture stands: left and right in the names of regions are those of the
    upright one.
    """

    frame: Captured
    box: Box
    mask: NDArray[np.uint8]
    scores: NDArray[np.float32]
    ventricle: Ventricle
    regions: Regions | None = None
    reason: str = ""
    event: Event | None = None
    invalid: str = ""
    withheld: Withheld = NOTHING
    hint: Hint | None = None
    calibration: Calibration = UNCALIBRATED
    view: str = ""
    view_probability: float | None = None
    extent: tuple[int, int, int, int] | None = None
    heart: Heart = NO_HEART
    turn: Turn = UPRIGHT


class Analyser:
    """Owns the models, the sector of one recording and the state over time: smoothed scores, view, beats, network
    memory.

    `view` is the operator's, "" to take the one that the networks recognise; it is checked against the picture unless
    the operator `insists`. `turn` is how the operator says that the picture stands, None for what the networks say of
    it. `plane` is what the last frames show, None without a network that says. `record` holds the
    patient's beats so far.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        scorer: QualityScorer,
        sector: Sector,
        calibration: Calibration,
        clock: StageClock,
        view: str = "",
        record: HeartRecord | None = None,
        insists: bool = False,
        turn: Turn | None = None,
    ) -> None:
        self.segmenter, self.scorer, self.sector, self.clock = segmenter, scorer, sector, clock
        self.beats = BeatDetector()
        self.record = record or HeartRecord()
        self.record.interrupt()
        self.record.is_fitted = {segmenter.manifest.name, scorer.manifest.name} == set(NETWORKS)
        self.view = self._given_view = view
        self._insists = insists
        self._views, self._scene = ViewTracker(), SceneCheck()
        self._planes, self._given_turn = PlaneTracker(), turn
        self.plane: Plane | None = None
        self.segmenter.reset()
        self.calibration, spacing_mm = calibration, calibration.spacing_mm
        scale = sector.box.side / REGION_PX
        self._grid_mm = (spacing_mm[0] * scale, spacing_mm[1] * scale) if spacing_mm else None
        self._grid_px = scale * scale
        depth_cm = spacing_mm[0] / sector.spacing_from_depth(1.0)[0] if spacing_mm else None
        self._depth_reason, self._beat_reason = implausible(depth=depth_cm), ""
        self._scores: NDArray[np.float32] | None = None
        self._scored_s = 0.0
        self._visibility, self._advisor = Visibility(), Advisor(view)
        self._withholding = Withholding(view, "" if spacing_mm else calibration.conflict or NO_SCALE)
        self._extent = sector.extent
        sector_mask = sector.mask.astype(np.uint8)
        self._sector_grid = resample(sector_mask, sector.box, REGION_PX, cv2.INTER_NEAREST_EXACT) > 0

    def analyse(self, frame: Captured, with_quality: bool = True, keep_scores: bool = True) -> Analysis:
        """Run the networks on a frame and measure it.

        Without `with_quality` the last scores stay for EXPIRE_S, or become NaN at once where `keep_scores` is off.
        """
        clock = self.clock
        self._prepare(frame, with_quality)
        if with_quality:
            with clock.time("quality"):
                fresh = self._scored()
            if fresh.shape != NO_SCORES.shape:
                return self._invalid(frame, f"INVALID OUTPUT: the quality net gives scores of shape {fresh.shape}")
            if not np.isfinite(fresh).all():
                return self._invalid(frame, "INVALID OUTPUT: the quality net gives no finite numbers")
            self._scores = self._smoothed(fresh, frame.time_s)
        elif not (keep_scores and 0 <= frame.time_s - self._scored_s <= EXPIRE_S):
            self._scores = None
        if self.plane is not None and self.plane.problem and not self._insists:
            self._start_beats()
            return self._invalid(frame, self.plane.problem)
        with clock.time("segment"):
            answer = self.segmenter.infer()
        if answer.ndim != 2 or answer.dtype.kind not in "ui":
            return self._invalid(
                frame, f"INVALID OUTPUT: the segmentation gives {answer.dtype} of shape {answer.shape}"
            )
        raw = np.asarray(answer, np.uint8)
        if int(raw.max()) > LA:
            return self._invalid(frame, f"INVALID OUTPUT: the segmentation gives class {int(raw.max())}")
        with clock.time("measure"):
            return self._measured(frame, raw)

    def _prepare(self, frame: Captured, with_quality: bool) -> None:
        """The networks' inputs; where they show another scene, what is known of the last one goes."""
        with self.clock.time("preprocess"):
            crop, place = grey_crop(frame.image, self.sector.box)
            self.segmenter.prepare(crop, place)
            if with_quality:
                self.scorer.prepare(crop, place)
            if self._scene.is_cut(self.segmenter.picture):
                self.forget()
            self._turn_inputs(self.turn)

    @property
    def turn(self) -> Turn:
        """How the picture stands: by the operator's word, else by what the networks say."""
        return self._given_turn or self._planes.turn

    def _turn_inputs(self, turn: Turn) -> None:
        """Both networks' inputs flipped: they know upright pictures."""
        if turn != UPRIGHT:
            for picture in (self.segmenter.picture, self.scorer.picture):
                picture[:] = turn.of(picture).copy()

    def _scored(self) -> NDArray[np.float32]:
        """The frame's eight scores; settles what plane it shows and how it stands."""
        before, fresh = self._planes.turn, np.array(self.scorer.infer(), np.float32)
        answer = self.scorer.plane_probabilities
        if answer is None:
            return fresh
        mirrored, upside_down = answer[1:] if self._given_turn is None else (0.0, 0.0)
        looked = Looked(planes=answer[0], mirrored=mirrored, upside_down=upside_down)
        self.plane = self._planes.update(looked)
        now = self._planes.turn
        if now == before:
            return fresh
        self.segmenter.reset()
        self._start_beats()
        self._scores = None
        self._turn_inputs(Turn(now.mirrored != before.mirrored, now.upside_down != before.upside_down))
        return np.array(self.scorer.infer(), np.float32)

    def _measured(self, frame: Captured, raw: NDArray[np.uint8]) -> Analysis:
        """Regions, measurements and what may be shown of them, from the segmentation and the present scores."""
        scores, turn = NO_SCORES if self._scores is None else self._scores, self.turn
        grid = cv2.resize(raw, (REGION_PX, REGION_PX), interpolation=cv2.INTER_NEAREST_EXACT)
        mask = clean_mask(np.asarray(grid, np.uint8))
        found = find_regions(mask, self._grid_mm, turn.of(self._sector_grid))
        regions = None if isinstance(found, NotMeasurable) else found
        reason = found.reason if isinstance(found, NotMeasurable) else ""
        ventricle = measure_ventricle(mask, regions, self._grid_mm)
        ventricle = replace(ventricle, area_px=ventricle.area_px * self._grid_px)
        probability = self._recognised()
        self._visibility.update(frame.time_s, scores, regions)
        scored = self._scores is not None
        scale_reason = self._depth_reason or self._beat_reason or too_large(ventricle.length_mm, ventricle.volume_ml)
        withheld = self._withholding.update(frame.time_s, self._visibility, scored, reason, scale_reason)
        hint = self._advisor.update(frame.time_s, self._visibility, reason)
        ventricle = withheld.take_from(ventricle)
        shape, quality = None, None
        if regions is not None and not withheld.picture:
            shape = shape_of(mask, regions, None if self._depth_reason else self._grid_mm)
            quality = seen_in(scores, regions.included)
        event = self.beats.update(frame.number, frame.time_s, ventricle.area_px)
        heart = self.record.update(frame.time_s, self.view, shape, [event] if event else [], quality)
        if event is not None:
            self._beat_reason = self.record.impossible_in_mm(self.view)
        return Analysis(
            frame=frame,
            box=self.sector.box,
            mask=mask if turn == UPRIGHT else np.ascontiguousarray(turn.of(mask)),
            scores=scores,
            ventricle=ventricle,
            regions=regions if regions is None or turn == UPRIGHT else regions.turned(turn),
            reason=reason,
            event=event,
            withheld=withheld,
            hint=hint,
            calibration=self.calibration,
            view=self.view,
            view_probability=probability,
            heart=heart,
            extent=self._extent,
            turn=turn,
        )

    def forget(self) -> None:
        """Another scene begins: the networks' memory and what was smoothed over time are void, finished measurements
        are not.
        """
        self.segmenter.reset()
        self._scores = None
        self._views = ViewTracker()
        self._planes = PlaneTracker()
        self.plane = None
        self._start_beats()

    def _start_beats(self) -> None:
        """Areas of another plane belong to other beats."""
        self.beats = BeatDetector()
        self.record.interrupt()

    def finish(self) -> None:
        """The recording has ended: what its last beat leaves open goes into the record."""
        for event in self.beats.finish():
            self.record.close(self.view, [event])

    def _recognised(self) -> float | None:
        """Probability of the likeliest view, None without a classifier.

        Settles `view` where the operator gave none, else whether the picture speaks against the one given.
        """
        probabilities, plane = self.segmenter.view_probabilities, self.plane
        if probabilities is None and plane is None:
            return None
        state = None if probabilities is None else self._views.update(probabilities)
        if not self._given_view:
            found = _agreed(state, plane)
            if found != self.view:
                self.view = found
                self._start_beats()
                self._advisor.see(self.view)
            self._withholding.see(self.view, UNCERTAIN_VIEW)
        elif plane is not None and not self._insists:
            self._withholding.see(self.view, NO_VIEW, plane.contradicts(self.view))
        if plane is not None:
            return plane.probability
        return None if state is None else state.probability

    def _smoothed(self, scores: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
        elapsed_s, self._scored_s = time_s - self._scored_s, time_s
        if self._scores is None:
            return np.array(scores, np.float32)
        weight = np.float32(weight_after(elapsed_s, SMOOTHING_S))
        return np.asarray(self._scores + weight * (scores - self._scores), np.float32)

    def _invalid(self, frame: Captured, why: str) -> Analysis:
        self._scores = None  # what is smoothed with an invalid score would stay invalid
        return Analysis(
            frame=frame,
            box=self.sector.box,
            mask=np.zeros((REGION_PX, REGION_PX), np.uint8),
            scores=NO_SCORES,
            ventricle=Ventricle(0.0),
            invalid=why,
        )


def _agreed(state: ViewState | None, plane: Plane | None) -> str:
    """The view that every network that knows views has named, "" where they differ or one is not certain. A segmenter
    that was taught three views has nothing to say of a fourth."""
    if state is None or plane is None:
        return state.name if state is not None else plane.view if plane is not None else ""
    return plane.view if plane.view in (state.name, "A5C") else ""
