"""A synthetic cine loop with its exact ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.heart.measure import Points
from edge.synth.anatomy import HeartState
from edge.synth.apical import ApicalHeart
from edge.synth.curves import texture
from edge.synth.imaging import TOP_PX, Acoustics, Floats, GreyCurve, PointSpread, PolarGrid, ScanConverter, power
from edge.synth.settings import (
    APICAL,
    NOISE_STREAM,
    SHORT_AXES,
    VIEWS,
    HeartSettings,
    ScanSettings,
    draw_heart,
    draw_scan,
)
from edge.synth.short_axis import ShortAxisHeart
from edge.synth.tissue import Tissue
from edge.synth.truth import coherence, draw_mask, region_quality
from edge.synth.turned import TurnedHeart

BLOOD_LIFE_S = 0.03
"""Blood is new, and its speckle with it, after this time."""
MIN_PX, MAX_PX = 64, 2048
CHAMBER_DB = {"la": 0.5, "rv": 3.0, "ra": 0.0, "ao": -1.0}
"""Blood's echo in each chamber relative to the left ventricle's."""


@dataclass(frozen=True)
class SyntheticFrame:
    """One frame and its truth. image and mask (labels 0-3) size_px x size_px uint8; contours N x 2 (x, y) pixels.

    With quality: scr_db and visible, 8 values in the order of REGIONS (apical views only), and coherence
    size_px x size_px float32, 0-1; otherwise None.
    """

    number: int
    time_s: float
    phase: float
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    endocardium: Points
    epicardium: Points
    atrium: Points | None
    scr_db: Points | None = None
    visible: Points | None = None
    coherence: Floats | None = None


class SyntheticLoop:
    """One heart beat of a synthetic recording, repeating without a seam; iterating gives its frames.

    Any frame may be asked for in any order, and depends on seed, view, size, fps and severity alone. `view` is one of
    VIEWS. `ef`, `edv_ml` and `esv_ml` are those of the exact contours, `spacing_mm` is (row, column) per pixel,
    `sector` a size_px x size_px bool mask, `probe_px` the row of the transducer. `frames_per_beat`, `ed_frame` and
    `es_frame` count frames of this loop. `heart` and `scan` take the place of what would be drawn from the seed.
    `mirrored` exchanges left and right of the picture and its truth, `upside_down` top and bottom. Raises SourceError
    for settings that make no loop.
    """

    def __init__(
        self,
        seed: int,
        view: str = "A4C",
        size_px: int = 473,
        fps: float | None = None,
        severity: float | None = None,
        heart: HeartSettings | None = None,
        scan: ScanSettings | None = None,
        mirrored: bool = False,
        upside_down: bool = False,
    ) -> None:
        _check(seed, view, size_px, fps, severity)
        self.seed, self.view, self.size_px = seed, view, size_px
        self.heart_settings = heart or draw_heart(seed, view)
        self.scan = scan or draw_scan(seed, view, severity)
        self.fps = float(fps or self.scan.fps)
        self.frames_per_beat = max(4, round(60 / self.heart_settings.hr_bpm * self.fps))
        self.hr_bpm = 60 * self.fps / self.frames_per_beat
        self._heart = _heart_of(self.heart_settings)
        self.ef, self.edv_ml, self.esv_ml = self._heart.ef, self._heart.edv_ml, self._heart.esv_ml
        self.ed_frame = 0
        volumes = [self._heart.volume_ml(self._state(i)) for i in range(self.frames_per_beat)]
        self.es_frame = int(np.argmin(volumes))
        self._grid = PolarGrid(self.scan)
        self._spread = PointSpread(self.scan, self._grid)
        self._acoustics = Acoustics(self.scan, self._grid, self._spread)
        self._converter = ScanConverter(self.scan, self._grid, size_px, mirrored, upside_down)
        self.sector = self._converter.sector
        self.probe_px = size_px * (1 - TOP_PX if upside_down else TOP_PX) - 0.5
        self.spacing_mm = (10 / self._converter.px_cm,) * 2
        self._prepare_tissue()
        self._curve = GreyCurve(self.scan)
        self._calibrate()

    def __len__(self) -> int:
        return self.frames_per_beat

    def __iter__(self) -> Iterator[SyntheticFrame]:
        return (self.frame(i) for i in range(self.frames_per_beat))

    def frame(self, number: int, quality: bool = False) -> SyntheticFrame:
        """Frame `number` >= 0; beyond the first beat the motion repeats and the noise goes on."""
        state = self._state(number)
        signal, clutter = self._signal(state, number), self._clutter(number)
        image = self._converter.picture(self._grey(signal + clutter))
        scr = visible = coherent = None
        if quality:
            powers = power(signal), power(clutter)
            coherent = self._converter.values(coherence(*powers))
            if not state.closed:
                scr, visible = region_quality(state, self._grid, *powers)
        return SyntheticFrame(
            number,
            number / self.fps,
            self._phase(number),
            image,
            self.whole_mask(number) * self.sector,
            self._converter.pixels(state.endo),
            self._converter.pixels(state.epi),
            self._converter.pixels(state.chambers["la"]) if "la" in state.chambers else None,
            scr,
            visible,
            coherent,
        )

    def whole_mask(self, number: int) -> NDArray[np.uint8]:
        """The mask of frame `number` with what lies beyond the sector, as CAMUS's annotators draw walls and atrium."""
        return draw_mask(self._state(number), self._converter)

    def _phase(self, number: int) -> float:
        return (number % self.frames_per_beat) / self.frames_per_beat

    def _state(self, number: int) -> HeartState:
        return self._heart.state(self._phase(number))

    def _prepare_tissue(self) -> None:
        at_ed = self._heart.state(0)
        self._tissue = Tissue(self.scan, at_ed, self.view)
        self._still = self._grid.deposit(*self._tissue.still)
        rng = np.random.default_rng([self.scan.seed, NOISE_STREAM])
        rows, lines = self._grid.shape
        # Drawing normals for every frame costs more than the rest of the noise: frames take windows of one large field.
        self._bank = rng.standard_normal((rows + 96, lines + 160, 2), dtype=np.float32)
        area = self._grid.dr * self._grid.dtheta * 7 * self.scan.density * 1.5
        self._blood_level = np.float32(10 ** (self.scan.blood_db / 20) * np.sqrt(area * 4 / 9 / 2))
        self._swirls = (10 ** (texture(rng, (rows, lines), (45, 22)) * 2.5 / 20)).astype(np.float32)[:, :, None]
        levels = {1: 0.0, **{k + 2: CHAMBER_DB[name] for k, name in enumerate(at_ed.chambers)}}
        self._pool_levels = np.zeros(256, np.float32)
        for label, db in levels.items():
            self._pool_levels[label] = 10 ** (db / 20)

    def _calibrate(self) -> None:
        """Scale the signal to unit power of the wall at end-diastole; centre the grey curve on its mean dB."""
        state = self._state(0)
        wall = np.zeros(self._grid.shape, np.uint8)
        self._grid.fill(state.wall, wall, 1)
        self._grid.fill(state.endo, wall, 0)
        self._scale = np.float32(1)
        raw = self._signal(state, 0) / self._acoustics.gain
        self._scale = np.float32(1 / np.sqrt(power(raw)[wall > 0].mean()))
        echo = self._signal(state, 0) + self._clutter(0)
        self._curve.reference_db = float(_decibels(echo)[wall > 0].mean())

    def _signal(self, state: HeartState, number: int) -> Floats:
        """Tissue and blood after the point spread and the gain, samples x lines x 2."""
        iq = self._grid.deposit(*self._tissue.moving(state))
        iq += self._still
        pools = np.zeros(self._grid.shape, np.uint8)
        for k, polygon in enumerate(state.chambers.values()):
            self._grid.fill(polygon, pools, k + 2)
        self._grid.fill(state.endo, pools, 1)
        level = cv2.blur(self._pool_levels[pools], (3, 3))[:, :, None] * self._blood_level
        iq += self._blend(number / self.fps / BLOOD_LIFE_S, 1) * (level * self._swirls)
        iq = self._spread.apply(iq)
        iq *= self._acoustics.gain * self._scale
        return iq

    def _clutter(self, number: int) -> Floats:
        noise = self._blend(number * (1 - self.scan.persistence), 2)
        noise *= self._acoustics.noise
        noise += self._acoustics.clutter(self._phase(number))
        return noise

    def _blend(self, age: float, stream: int) -> Floats:
        """Complex white noise of unit normals that changes wholly when `age` grows by one, part of it in between."""
        step = int(age)
        turn = (age - step) * np.pi / 2
        first, second = self._window(step, stream), self._window(step + 1, stream)
        return np.asarray(np.float32(np.cos(turn)) * first + np.float32(np.sin(turn)) * second, np.float32)

    def _window(self, step: int, stream: int) -> Floats:
        rng = np.random.default_rng([self.scan.seed, NOISE_STREAM, stream, step])
        down, across = int(rng.integers(0, 97)), int(rng.integers(0, 161))
        view = self._bank[down : down + self._grid.shape[0], across : across + self._grid.shape[1]]
        return view[:: -1 if rng.random() < 0.5 else 1, :: -1 if rng.random() < 0.5 else 1]

    def _grey(self, echo: Floats) -> NDArray[np.uint8]:
        grey = self._curve.apply(_decibels(echo))
        if self.scan.speckle_reduction:
            strength = self.scan.speckle_reduction
            grey = np.asarray(cv2.bilateralFilter(grey, 5, 255 * 0.12 * strength, 1.2 * strength), np.uint8)
        return grey


def _heart_of(settings: HeartSettings) -> ApicalHeart | ShortAxisHeart | TurnedHeart:
    if settings.view in SHORT_AXES:
        return ShortAxisHeart(settings)
    return ApicalHeart(settings) if settings.view in APICAL else TurnedHeart(settings)


def _decibels(echo: Floats) -> Floats:
    return np.asarray(np.float32(10 / np.log(10)) * np.log(power(echo) + np.float32(1e-12)), np.float32)


def _check(seed: int, view: str, size_px: int, fps: float | None, severity: float | None) -> None:
    if view not in VIEWS:
        raise SourceError(f"'{view}' is not a synthetic view; the views are {', '.join(VIEWS)}")
    if seed < 0:
        raise SourceError(f"the seed is {seed}; give a whole number of 0 or more")
    if not MIN_PX <= size_px <= MAX_PX:
        raise SourceError(f"the synthetic picture's side is {size_px} px; give {MIN_PX} to {MAX_PX}")
    if fps is not None and not 5 <= fps <= 200:
        raise SourceError(f"the rate is {fps:g} frames a second; give 5 to 200")
    if severity is not None and not 0 <= severity <= 1:
        raise SourceError(f"the severity is {severity:g}; give 0 (clear) to 1 (barely readable)")
